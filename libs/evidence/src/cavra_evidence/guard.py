"""The scan of free text and references for credentials, in linear time, by the rules that `cavra_verify` holds as data."""

from functools import cache
from typing import Any

import re2
from cavra_verify.grammar import EXTERNAL_REFERENCE, PATTERNS, SECRET_RULES


class GuardError(ValueError):
    """A text must not be kept. Carries the rule's name, and never the text."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"refused by rule {rule}")
        self.rule = rule


@cache
def _rules() -> Any:
    rules = re2.Set.SearchSet()
    for _, pattern in SECRET_RULES:
        rules.Add(pattern)
    rules.Compile()
    return rules


@cache
def _grammar(name: str) -> Any:
    return re2.compile(PATTERNS[name])


def matches(name: str, text: str) -> bool:
    """Whether the whole of `text` is of the grammar `name`."""
    return _grammar(name).fullmatch(text) is not None


def scan(text: str) -> str:
    """`text` itself, or GuardError with the name of the first rule that finds a credential in it."""
    found = _rules().Match(text) if text else None
    if found:
        raise GuardError(SECRET_RULES[min(found)][0])
    return text


def external_reference(text: str) -> str:
    """`text` itself if it is empty, a ticket id or an https URL without userinfo, query and fragment, and holds no credential."""
    if text and not any(matches(name, text) for name in EXTERNAL_REFERENCE):
        scan(text)  # A credential's rule says more than "no reference".
        raise GuardError("external_reference")
    return scan(text)
