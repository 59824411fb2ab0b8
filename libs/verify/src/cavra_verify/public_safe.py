"""Whether a record holds only what its closed schema allows and nothing that looks like a credential: the services' rules, run again.

The schemas are data (`registry.json`, generated from the record models that the services write with), so that this takes neither
pydantic nor RE2. A rule of the registry is one of

    {"text": [grammar, ...]}   a string that is wholly of one of the grammars; "" stands for the empty string; "longest" in characters
    {"enum": [...]}            one of these strings
    {"kind": true}             the name of a kind of records
    {"int": [least, most]}     an integer
    {"bool": true}
    {"list": rule, "most": n}  at most so many of a rule
    {"map": [key, value], "most": n}
    {"part": name}             an object with exactly the fields of a part

and may say that null is allowed ("null") or that the field may be missing ("optional").
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, NamedTuple

from cavra_verify.grammar import CLOSED, PATTERNS
from cavra_verify.kinds import BY_KIND, ENVELOPE_SCHEMA, PRODUCT
from cavra_verify.secret_rules import finding, known_finding

Rule = Mapping[str, Any]

WORDS: Final = frozenset({"name", "provider", "reason", "control", "header", "issuer", "variable"})
"""Grammars whose words come again and again, so that what was found about one is kept."""


class Finding(NamedTuple):
    """What is wrong, and where. It never holds the text that is wrong: not even the name of an unknown field."""

    path: str
    """E.g. "acknowledgement.notes" or "plan.owner_routes[3].owner"; empty for the document itself."""
    rule: str
    """A grammar or several ("ticket|https_url"), the name of a secret rule, or one of unknown_kind, unknown_field, missing_field, object,
    list, too_many, text, too_long, enum, integer, boolean, constant."""


def check(document: Mapping[str, Any]) -> list[Finding]:
    """All that is wrong with a record, given as its parsed canonical bytes; an empty list when nothing is."""
    kind = (
        BY_KIND.get(document.get("metadata_kind", "")) if type(document.get("metadata_kind")) is str else None
    )
    if kind is None:
        return [Finding("metadata_kind", "unknown_kind")]
    schema = registry()["kinds"][kind.kind]
    fields = {**registry()["envelope"], **schema["top"], kind.key: {"part": schema["body"]}}
    found = list(_fields(document, fields, ""))
    body = document.get(kind.key)
    constants = [
        ("schema_version", document.get("schema_version"), ENVELOPE_SCHEMA),
        ("product", document.get("product"), PRODUCT),
    ]
    if isinstance(body, dict):
        constants += [
            (f"{kind.key}.schema_version", body.get("schema_version"), kind.schema),
            (f"{kind.key}.product", body.get("product"), PRODUCT),
        ]
    return found + [Finding(path, "constant") for path, value, expected in constants if value != expected]


@cache
def registry() -> dict[str, Any]:
    """The schemas: {"version", "envelope": fields, "parts": {name: fields}, "kinds": {metadata_kind: {"top": fields, "body": part}}}."""
    found: dict[str, Any] = json.loads(files("cavra_verify").joinpath("registry.json").read_bytes())
    return found


def _fields(value: Any, fields: Mapping[str, Rule], path: str) -> Iterator[Finding]:
    if type(value) is not dict:
        yield Finding(path, "object")
        return
    if value.keys() - fields.keys():
        yield Finding(path, "unknown_field")
    for name, rule in fields.items():
        where = f"{path}.{name}" if path else name
        if name in value:
            yield from _value(value[name], rule, where)
        elif not rule.get("optional"):
            yield Finding(where, "missing_field")


def _value(value: Any, rule: Rule, path: str) -> Iterator[Finding]:
    if value is None and rule.get("null"):
        return
    if "text" in rule:
        yield from _text(value, rule, path)
    elif "part" in rule:
        yield from _fields(value, registry()["parts"][rule["part"]], path)
    elif "list" in rule or "map" in rule:
        yield from _several(value, rule, path)
    elif name := _single(value, rule):
        yield Finding(path, name)


def _single(value: Any, rule: Rule) -> str:
    """The rule that a word, number or flag breaks, or ""."""
    if "enum" in rule:
        return "" if type(value) is str and value in rule["enum"] else "enum"
    if "kind" in rule:
        return "" if type(value) is str and value in BY_KIND else "unknown_kind"
    if "int" in rule:
        least, most = rule["int"]
        return "" if type(value) is int and least <= value <= most else "integer"
    return "" if type(value) is bool else "boolean"


def _several(value: Any, rule: Rule, path: str) -> Iterator[Finding]:
    if type(value) is not (list if "list" in rule else dict):
        yield Finding(path, "list" if "list" in rule else "object")
        return
    if len(value) > rule["most"]:
        yield Finding(path, "too_many")
    for at, item in enumerate(value):
        if "list" in rule:
            yield from _value(item, rule["list"], f"{path}[{at}]")
        else:
            yield from _value(item, rule["map"][0], f"{path}[{at}].key")
            yield from _value(value[item], rule["map"][1], f"{path}[{at}]")


def _text(value: Any, rule: Rule, path: str) -> Iterator[Finding]:
    if type(value) is not str:
        yield Finding(path, "text")
        return
    grammars = rule["text"]
    if not value and "" in grammars:
        return
    if len(value) > rule.get("longest", len(value)):
        yield Finding(path, "too_long")
        return
    matched = next((name for name in grammars if name and _grammar(name).fullmatch(value)), None)
    if matched is None:
        yield Finding(path, "|".join(filter(None, grammars)))
    if matched not in CLOSED and (secret := (known_finding if matched in WORDS else finding)(value)):
        yield Finding(path, secret)


@cache
def _grammar(name: str) -> re.Pattern[str]:
    return re.compile(PATTERNS[name])
