"""What each string in a record may look like: data, in the common subset of `re` and RE2."""

from typing import Final

GRAMMAR_VERSION: Final = "cavra.grammar.v2"

PATTERNS: Final[dict[str, str]] = {
    "id": r"(gord[a-z]{1,36}|rcd|evt|event|msg)-[0-9a-z]{20,40}",
    "external_id": r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}",
    "name": r"[a-z0-9][a-z0-9_.-]{0,63}",
    "provider": r"[a-z0-9][a-z0-9_-]{0,63}",
    "control": r"[a-z0-9][a-z0-9_.-]{0,127}",
    "step": r"step:[a-z0-9][a-z0-9_.-]{0,63}",
    "reason": r"[a-z][a-z0-9_]{0,63}",
    "person": r"[^\x00-\x20\x7f<>\x22\\][^\x00-\x1f\x7f<>\x22\\]{0,127}",
    "issuer": r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,255}",
    "label": r"[A-Za-z0-9(][A-Za-z0-9 ._,:;()/'+=-]{0,255}",
    "variable": r"[A-Za-z_][A-Za-z0-9_]{0,127}",
    "hash": r"[0-9a-f]{64}",
    "decimal": r"[0-9]{1,9}(\.[0-9]{1,6})?",
    "time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00",
    "schema": r"cavra\.[a-z0-9.-]{1,128}\.v[0-9]{1,4}",
    "method": r"[A-Z]{3,10}",
    "url": r"(https?|archive|smtp)://[A-Za-z0-9.\[\]:_-]{0,255}(/[A-Za-z0-9._~%/-]{0,512})?",
    "evidence_ref": r"[a-z][a-z0-9-]{1,63}://[A-Za-z0-9._-]{1,128}",
    "ticket": r"[A-Za-z][A-Za-z0-9]{0,23}([-_#:/][A-Za-z0-9]{1,24}){0,4}",
    "https_url": r"https://[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,512})?",
    "header": r"[A-Za-z][A-Za-z0-9-]{0,63}",
    "notes": r"(?s:.{0,1000}.{0,1000})",  # RE2 repeats at most 1,000 times
}
"""Grammar by name. A string matches when the whole of it does."""

EXTERNAL_REFERENCE: Final = ("ticket", "https_url")
"""Grammars of which an external reference must match one. An empty string says there is none."""

VERIFICATION_REFERENCE: Final = ("id", "step", "evidence_ref", *EXTERNAL_REFERENCE)
"""Grammars of which what a closure names as its verification must match one."""

CLOSED: Final = frozenset({"id", "hash", "time", "decimal", "method", "schema"})
"""Grammars so narrow that none of the secret rules finds anything in their words: those need no scan."""

BOUNDS: Final = {
    "notes": 2_000,
    "external_ref": 256,
    "record_bytes": 48 * 1024,
    "items": 50,
    "verification_refs": 20,
    "providers": 50,
    "controls": 32,
    "headers": 16,
    "evidence_refs": 16,
}
"""Longest text in characters, largest record in bytes, most items of a plan, package or playbook, most names of a list."""
