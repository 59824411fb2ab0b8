"""The scan of texts and references for credentials, in linear time, by the rules that `cavra_verify` holds as data."""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import re2
from cavra_verify.grammar import EXTERNAL_REFERENCE, PATTERNS, VERIFICATION_REFERENCE
from cavra_verify.secret_rules import SECRET_RULES, SHORTEST_FINDING, TOKEN_RULES, views
from pydantic import StringConstraints, TypeAdapter

KEPT_HEADERS: Final = frozenset(
    {"content-type", "webhook-id", "webhook-timestamp", "cavra-execution-id", "user-agent"}
)
"""Headers of a request that a record may hold. All others are dropped, whatever they hold."""

_WORD_CHARACTERS: Final = 128
"""Texts up to this length are remembered once scanned: most come again, if only as a record is built of them."""
_MEMORY: Final = 64 << 20
"""Bytes that RE2 may take for its automaton: it caches states as texts lead to them, and starts afresh when they fill this."""


class GuardError(ValueError):
    """A text must not be kept. Carries the rule's name, and never the text."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"refused by rule {rule}")
        self.rule = rule


@cache
def _rules(tokens_alone: bool) -> Any:
    options = re2.Options()
    options.max_mem = _MEMORY
    rules = re2.Set.SearchSet(options)
    for _, pattern in TOKEN_RULES if tokens_alone else SECRET_RULES:
        rules.Add(pattern)
    rules.Compile()
    return rules


@cache
def _is_of(name: str) -> Callable[[str], bool]:
    # The engine of the record models: in linear time as RE2 is, and without its wrapper, which costs ten times the match.
    text = Annotated[str, StringConstraints(pattern=f"^(?:{PATTERNS[name]})$", strict=True)]
    return TypeAdapter(text).validator.isinstance_python


def matches(name: str, text: str) -> bool:
    """Whether the whole of `text` is of the grammar `name`."""
    return _is_of(name)(text)


def scan(text: str) -> str:
    """`text` itself, or GuardError with the name of the first rule that finds a credential in it, however it is spelt or broken."""
    if len(text) < SHORTEST_FINDING:
        return text
    return scan_word(text) if len(text) <= _WORD_CHARACTERS else _scanned(text)


def _scanned(text: str) -> str:
    for view, tokens_alone in views(text):
        found = _rules(tokens_alone).Match(view)
        if found:
            raise GuardError(SECRET_RULES[min(found)][0])
    return text


scan_word = lru_cache(maxsize=4096)(_scanned)
"""`scan` for words that come again and again: names of providers, reasons, controls. What is refused is not kept."""


def external_reference(text: str) -> str:
    """`text` itself if it is empty, a ticket id or an https URL without userinfo, query and fragment, and holds no credential."""
    return _reference(text, EXTERNAL_REFERENCE) if text else text


def verification_reference(text: str) -> str:
    """`text` itself if it is a record's id or reference, a step, or an external reference, and holds no credential."""
    return _reference(text, VERIFICATION_REFERENCE)


def _reference(text: str, grammars: tuple[str, ...]) -> str:
    scan(text)  # A credential's rule says more than "no reference".
    if not any(matches(name, text) for name in grammars):
        raise GuardError("external_reference")
    return text


@lru_cache(1024)
def kept_url(url: str) -> str:
    """What of a URL a record may hold: scheme, host and port. Userinfo, path, query and fragment can each be the secret itself.

    Raises GuardError for what is no URL or whose host holds a credential.
    """
    try:
        parsed = urlsplit(url)
        host, port = parsed.hostname or "", parsed.port
    except ValueError:
        raise GuardError("url") from None
    host = f"[{host}]" if ":" in host else host
    kept = f"{parsed.scheme}://{host}" + ("" if port is None else f":{port}")
    if not host or not matches("url", kept):
        raise GuardError("url")
    return scan(kept)


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """What of a request's headers a record may hold: those on the allow-list, whose values are clean labels, by lower-case name."""
    kept: dict[str, str] = {}
    for name, value in headers.items():
        if name.lower() in KEPT_HEADERS and matches("label", value):
            try:
                kept[name.lower()] = scan(value)
            except GuardError:
                continue
    return kept
