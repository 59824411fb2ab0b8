"""Generates the verifier's registry of schemas from the record models; with --check says whether it is stale.

A text without a grammar, or with an open grammar and no scan for credentials, is refused here: so no such field gets into a record.
"""

import argparse
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import cavra_evidence.records
from annotated_types import Ge, Le, MaxLen
from cavra_evidence.guard import external_reference, scan, scan_word, verification_reference
from cavra_evidence.records.base import Part, Record
from cavra_verify.canonical import MAX_SAFE_INTEGER
from cavra_verify.grammar import (
    BOUNDS,
    CLOSED,
    EXTERNAL_REFERENCE,
    GRAMMAR_VERSION,
    PATTERNS,
    VERIFICATION_REFERENCE,
)
from cavra_verify.kinds import KINDS
from pydantic import AfterValidator, StringConstraints
from pydantic.fields import FieldInfo

TARGET: Final = Path(__file__).resolve().parent.parent / "libs/verify/src/cavra_verify/registry.json"
Json = dict[str, Any]

_MODELS: Final = {
    model.KIND.noun: model
    for name in sorted(found.name for found in iter_modules(cavra_evidence.records.__path__))
    for model in vars(import_module(f"cavra_evidence.records.{name}")).values()
    if isinstance(model, type) and issubclass(model, Record) and model is not Record
}
_NAMED: Final = {f"^(?:{pattern})$": [name] for name, pattern in PATTERNS.items()} | {
    f"^(?:{pattern})?$": ["", name] for name, pattern in PATTERNS.items()
}
_REFERENCES: Final[dict[Any, list[str]]] = {
    external_reference: ["", *EXTERNAL_REFERENCE],
    verification_reference: [*VERIFICATION_REFERENCE],
}
_SCANS: Final = (scan, scan_word, *_REFERENCES)
_WORDS: Final = re.compile(r"\^\(\?:([a-z_]+(?:\|[a-z_]+)*)\)\$")

_ID: Final = {"text": ["id"]}
_COUNT: Final = {"int": [0, MAX_SAFE_INTEGER]}
_CONSTANT: Final = {"text": ["schema"]}
_OWN: Final = {"schema_version": _CONSTANT, "product": {"enum": ["CAVRA"]}}

ENVELOPE: Final[Json] = {
    **_OWN,
    "session_id": _ID,
    "created_at": {"text": ["time"]},
    "signer": {"text": ["person"]},
    "actor": {"part": "Actor"},
    "decision_count": _COUNT,
    "blocked_count": _COUNT,
    "approval_required_count": _COUNT,
    "metadata_kind": {"kind": True},
    "causes": {"list": {"part": "Cause"}, "most": 1_000},
    "trace_ids": {"list": _ID, "most": BOUNDS["items"]},
    "chains": {"map": [_ID, {"part": "Link"}], "most": BOUNDS["items"]},
}
"""What `cavra_evidence.log` puts around every record."""

ENVELOPE_PARTS: Final[Json] = {
    "Actor": {"iss": {"text": ["issuer"]}, "sub": {"text": ["person"]}, "name": {"text": ["person"]}},
    "Cause": {"id": _ID, "kind": ENVELOPE["metadata_kind"], "record_hash": {"text": ["hash"]}},
    "Link": {"seq": _COUNT, "prev": {"text": ["", "hash"]}},
}


def registry() -> Json:
    """The schemas of all kinds, as `cavra_verify.public_safe` reads them. Raises TypeError for a field that it cannot describe."""
    parts: Json = dict(ENVELOPE_PARTS)
    kinds: Json = {}
    for kind in KINDS:
        model = _MODELS[kind.noun]
        _describe(model, parts)
        parts[model.__name__] = {**_OWN, **parts[model.__name__]}
        body = parts[model.__name__]
        beside = _fields_of(model.TOP, parts) if model.TOP else {}
        top = {name: beside.get(name) or body[name] for name in kind.top if name in beside or name in body}
        if set(kind.top) - set(top) - {kind.hash_field}:
            raise TypeError(f"{kind.noun} has top-level fields without a schema")
        kinds[kind.kind] = {"top": top, "body": model.__name__}
    return {
        "version": "cavra.registry.v1",
        "grammar": GRAMMAR_VERSION,
        "envelope": ENVELOPE,
        "kinds": kinds,
        "parts": parts,
    }


def _describe(model: type[Part], parts: Json) -> None:
    if model.__name__ not in parts:
        parts[model.__name__] = _fields_of(model, parts)


def _fields_of(model: type[Part], parts: Json) -> Json:
    hints = get_type_hints(model, include_extras=True)
    fields: Json = {}
    for name, field in model.model_fields.items():
        rule = _rule(hints[name], (), parts, f"{model.__name__}.{name}")
        fields[name] = rule if field.is_required() else {**rule, "optional": True}
    return fields


def _rule(hint: Any, constraints: tuple[Any, ...], parts: Json, where: str) -> Json:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _rule(arguments[0], (*constraints, *_flat(arguments[1:])), parts, where)
    if origin is Literal:
        return {"enum": sorted(arguments)}
    if origin is list:
        item = _rule(arguments[0], (), parts, f"{where}[]")
        return {"list": item, "most": _one(constraints, MaxLen, where).max_length}
    if origin is dict:
        key, value = (_rule(argument, (), parts, f"{where}{{}}") for argument in arguments)
        return {"map": [key, value], "most": _one(constraints, MaxLen, where).max_length}
    if type(None) in arguments and len(arguments) == 2:
        return {**_rule(arguments[0], constraints, parts, where), "null": True}
    if hint is bool:
        return {"bool": True}
    if hint is int:
        return {"int": [_one(constraints, Ge, where).ge, _one(constraints, Le, where).le]}
    if hint is str:
        return _text(constraints, where)
    if isinstance(hint, type) and issubclass(hint, Part):
        _describe(hint, parts)
        return {"part": hint.__name__}
    raise TypeError(f"{where} is of a type that no record may hold")


def _text(constraints: tuple[Any, ...], where: str) -> Json:
    bounds = _one(constraints, StringConstraints, where)
    validators = [one.func for one in constraints if isinstance(one, AfterValidator)]
    pattern = str(bounds.pattern or "")
    if words := _WORDS.fullmatch(pattern):
        return {"enum": sorted(words[1].split("|"))}
    grammars = _NAMED.get(pattern) or next(
        (_REFERENCES[one] for one in validators if one in _REFERENCES),
        ["notes"] if bounds.max_length == BOUNDS["notes"] else None,
    )
    if grammars is None:
        raise TypeError(f"{where} is a text without a grammar")
    if not set(grammars) <= CLOSED | {""} and not any(one in _SCANS for one in validators):
        raise TypeError(f"{where} is a text with an open grammar and without a scan")
    return {"text": grammars, **({"longest": bounds.max_length} if bounds.max_length else {})}


def _one(constraints: tuple[Any, ...], kind: type[Any], where: str) -> Any:
    found = [one for one in constraints if isinstance(one, kind)]
    if len(found) != 1:
        raise TypeError(f"{where} has {len(found)} bounds of {kind.__name__}, expected one")
    return found[0]


def _flat(constraints: tuple[Any, ...]) -> list[Any]:
    """Constraints one by one: a Field holds several."""
    return [part for one in constraints for part in (one.metadata if isinstance(one, FieldInfo) else (one,))]


def text() -> str:
    """The registry as its file holds it: a field a line, so that a change shows."""
    return _lines(registry(), 0) + "\n"


def _lines(value: Any, depth: int) -> str:
    if (
        not isinstance(value, dict)
        or not value
        or (depth > 0 and not any(isinstance(one, dict) for one in value.values()))
    ):
        return json.dumps(value)
    if set(value) <= {"list", "map", "most", "optional", "null"}:
        return json.dumps(value)
    inner = ",\n".join(
        f"{' ' * (depth + 1)}{json.dumps(name)}: {_lines(one, depth + 1)}"
        for name, one in sorted(value.items())
    )
    return f"{{\n{inner}\n{' ' * depth}}}"


def main() -> int:
    """Generate in place, or check; the exit status is 1 when the check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail when the registry is out of date"
    )
    if not parser.parse_args().check:
        TARGET.write_text(text(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != text():
        print(f"{TARGET.name} is out of date: run tools/generate_registry.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
