"""The grammar and the secret rules: the same verdict from `re`, RE2 and pydantic, credentials found, ordinary notes left alone."""

import re
from importlib import import_module
from typing import Annotated, Any

import pytest
import re2
from cavra_evidence import guard
from cavra_verify.grammar import BOUNDS, CLOSED, EXTERNAL_REFERENCE, PATTERNS
from cavra_verify.secret_rules import RULES_HASH, SCANNED_CONTROL, SECRET_RULES, finding
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

from tests.support.labelled import SECRETS, joined, some

# By name, as the type checker finds these parts of `re` in some of its runs and not in others.
_constants, parser = import_module("re._constants"), import_module("re._parser")
BRANCH, MAX_REPEAT, MIN_REPEAT, SUBPATTERN = (
    _constants.BRANCH,
    _constants.MAX_REPEAT,
    _constants.MIN_REPEAT,
    _constants.SUBPATTERN,
)

SAMPLES = [
    "", "a", "A", "1", "-", "webhook", "splunk_prod-2", "gordackretry-01a206c25f88000174c508751654", "gordack-short", "Alice Example",
    "alice\n", "alice\nbob", "\talice", "al\u00e9", "<b>", 'a"b', "a\\b", "service:retry", "CHG-1", "CHG-1/2", "CHG 1", "INC0012345",
    "https://tickets.example/T-1", "https://tickets.example:8443/a/b", "https://u:p@tickets.example/", "https://tickets.example/?q=1",
    "http://tickets.example/", "https://-bad.example", "archive://", "smtp://mail.example:25", "0" * 64, "0" * 63, "g" * 64, "1", "1.5",
    "1.", ".5", "1.1234567", "2026-11-23T09:30:00.000000+00:00", "2026-11-23T09:30:00+00:00", "2026-11-23T09:30:00.000000Z", "POST",
    "post", "cavra.evidence.metadata.v1", "connector-delivery://rcd-01", "go-rollback-drill-retry-worker://x y", "Content-Type",
    "content type", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "x" * 2_000, "x" * 2_001, "\u00e9" * 2_000, "\U0001f600" * 2_001,
    "line\nline", "\x00", "\x7f", "a\x1fb", "(none)", "step:check_receiver", "rcd-01a206c25f88000174c508751654", "a; b", "a;b()",
]  # fmt: skip


def in_re(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


def in_re2(pattern: str, text: str) -> bool:
    return re2.fullmatch(pattern, text) is not None


def in_pydantic(pattern: str, text: str) -> bool:
    try:
        TypeAdapter(Annotated[str, StringConstraints(pattern=f"^(?:{pattern})$")]).validate_python(text)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", PATTERNS)
def test_every_engine_reads_a_grammar_alike(name: str) -> None:
    pattern = PATTERNS[name]
    for text in SAMPLES:
        verdicts = (
            in_re(pattern, text),
            in_re2(pattern, text),
            in_pydantic(pattern, text),
            guard.matches(name, text),
        )
        assert len(set(verdicts)) == 1, (name, text[:40], verdicts)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_engine_gives_random_texts_the_same_verdict(text: str) -> None:
    for name, pattern in PATTERNS.items():
        assert in_re(pattern, text) == in_re2(pattern, text) == guard.matches(name, text), name


NEAR = st.tuples(
    st.integers(0, 200),
    st.integers(0, 2),
    st.sampled_from(["", *'a0A-._:/ \n\r\t\x00\x7f\x85"\\<é\u2028\u017f\u212a\u0663']),
)
"""Where a word is changed, how many characters are taken out there, and what is put in: some look like what a class may hold."""


@pytest.mark.parametrize("name", PATTERNS)
def test_both_engines_agree_on_the_words_of_a_grammar_and_on_what_is_nearly_one(name: str) -> None:
    pattern = PATTERNS[name]
    words = st.from_regex(re.compile(pattern), fullmatch=True)

    @settings(max_examples=40, deadline=None)
    @given(words, NEAR)
    def agree(word: str, near: tuple[int, int, str]) -> None:
        assert (in_re(pattern, word), in_re2(pattern, word), guard.matches(name, word)) == (True,) * 3
        at, less, more = near
        changed = word[: at % (len(word) + 1)] + more + word[at % (len(word) + 1) + less :]
        assert in_re(pattern, changed) == in_re2(pattern, changed) == guard.matches(name, changed), changed

    agree()


@pytest.mark.parametrize("name", PATTERNS)
def test_every_grammar_accepts_and_refuses_something(name: str) -> None:
    verdicts = {guard.matches(name, text) for text in SAMPLES}
    assert verdicts == {True, False}


CLEAN = [
    "",
    "Receiver was down for maintenance; retry after 14:00 UTC.",
    "Reviewed with the on-call engineer, see CHG-1042 and INC0012345.",
    "The bearer of this message is the approver.",
    "A basic check of the connector passed.",
    "Splunk answered 503 twice, then 200 at 2026-11-23T09:30:00.000000+00:00.",
    "Rotated the API key in the vault and restarted the connector.",
    "The password was changed by the owner; no secret is named here.",
    "Root hash 4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4 matches the checkpoint.",
    "gordackretryexec-01a206c25f88000174c508751654 delivered",
    "See https://tickets.example/browse/CHG-1042 for the approval.",
    "Mail to oncall@example.com was answered.",
    "Escalated to network team: TLS handshake failed (certificate expired).",
    "postgres failover finished, replication lag below 2 s",
    "Author: alice, reviewer: bob; authorization came from the change board.",
    "Größe des Pakets: 12 kB, zugestellt ✓",
    "secret rotation done",
    "Runbook step 3: token refresh; step 4: re-enable.",
    "go-rollback-drill-retry-worker://gordackworker-01a206c25f88000174c508751654",
    "key: CHG-1",
]


def test_every_rule_has_a_credential_it_finds() -> None:
    assert {rule for _, rule, _ in SECRETS} == {rule for rule, _ in SECRET_RULES}
    assert len({kind for kind, _, _ in SECRETS}) >= 40


@pytest.mark.parametrize(
    ("rule", "secret"), [pytest.param(rule, text, id=kind) for kind, rule, text in SECRETS]
)
@pytest.mark.parametrize(
    "frame", ["{}", "retry approved, {}", "first line\n{}\nlast line", "({})", "\u00e9 {} \u2713"]
)
def test_a_credential_is_found_wherever_it_stands_and_never_echoed(
    rule: str, secret: str, frame: str
) -> None:
    pattern = dict(SECRET_RULES)[rule]
    text = frame.format(secret)
    assert re.search(pattern, text, re.ASCII), rule
    assert re2.search(pattern, text), rule
    with pytest.raises(guard.GuardError) as refused:
        guard.scan(text)
    assert refused.value.rule == finding(text) != ""
    assert str(refused.value) == f"refused by rule {refused.value.rule}"


@pytest.mark.parametrize("text", CLEAN)
def test_an_ordinary_note_is_kept(text: str) -> None:
    assert guard.scan(text) == text


UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def by_re2(text: str) -> str:
    try:
        guard.scan(text)
    except guard.GuardError as error:
        return error.rule
    return ""


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SECRETS), st.integers(0, 200), UNICODE, UNICODE, UNICODE)
def test_both_engines_name_the_same_rule(
    secret: tuple[str, str, str], cut: int, before: str, within: str, after: str
) -> None:
    broken = secret[2][:cut] + within + secret[2][cut:]
    for text in (before + secret[2] + after, before + broken + after, before):
        assert by_re2(text) == finding(text)


@pytest.mark.parametrize("text", [
    "a" * 2_000, "=" * 2_000, "bearer " * 280, "http://" * 280, "http://:" * 250, "a:a@" * 500, "key-" * 500, "\n" * 2_000,
    "password" * 250, "eyJ" * 600, "eyJaaaaaaaa." * 160, "curl -u " * 250, "aws secret " * 180, "pd+_" * 500, "\u0301" * 2_000,
    "a1" * 1_000, "login a " * 250, "x-" * 1_000, "mongodb+srv" * 180, "1//0" * 500, "A." * 1_000, " \t" * 1_000, "\uff21" * 2_000,
])  # fmt: skip
def test_both_engines_agree_on_texts_that_make_engines_slow(text: str) -> None:
    assert by_re2(text) == finding(text)


def long_repeats(parsed: Any) -> int:
    """How many repeats without a small bound are nested, at most."""
    deepest = 0
    for operation, argument in parsed:
        inner = 0
        if operation in (MAX_REPEAT, MIN_REPEAT):
            inner = long_repeats(argument[2]) + int(argument[1] > 64)
        elif operation is SUBPATTERN:
            inner = long_repeats(argument[3])
        elif operation is BRANCH:
            inner = max(long_repeats(branch) for branch in argument[1])
        deepest = max(deepest, inner)
    return deepest


@pytest.mark.parametrize("name", dict(SECRET_RULES))
def test_no_rule_makes_a_backtracking_engine_explode(name: str) -> None:
    assert long_repeats(parser.parse(dict(SECRET_RULES)[name])) <= 1


TOKEN = joined("gh", "p_", some(36))


@pytest.mark.parametrize(("trick", "text"), [
    pytest.param(trick, text, id=trick)
    for trick, text in (
        ("full-width", "".join(chr(ord(letter) + 0xFEE0) for letter in TOKEN)),
        ("mathematical letters", "".join(chr(0x1D41A + ord(letter) - 97) if letter.islower() else letter for letter in TOKEN)),
        ("zero width", "\u200b".join(TOKEN)),
        ("joiners", "\u2060".join(TOKEN)),
        ("soft hyphens", TOKEN[:9] + "\xad" + TOKEN[9:]),
        ("marks", "\u0301".join(TOKEN)),
        ("right to left", "\u202e" + TOKEN[:5] + "\u202c" + TOKEN[5:]),
        ("variation selectors", "\ufe0f".join(TOKEN)),
        ("hangul fillers", TOKEN[:12] + "\u3164" + TOKEN[12:]),
        ("null bytes", "\x00".join(TOKEN)),
        ("a line break", TOKEN[:11] + "\n" + TOKEN[11:]),
        ("an indented line break", TOKEN[:11] + "\r\n    " + TOKEN[11:]),
        ("a line separator", TOKEN[:11] + "\u2028" + TOKEN[11:]),
        ("a next line", TOKEN[:11] + "\x85" + TOKEN[11:]),
        ("a letter before it", "\u00e9" + TOKEN),
    )
])  # fmt: skip
def test_a_token_in_disguise_is_found(trick: str, text: str) -> None:
    assert by_re2(text) == finding(text) == "github_token", trick


@pytest.mark.parametrize("name", sorted(CLOSED))
def test_no_word_of_a_closed_grammar_is_a_credential(name: str) -> None:
    compiled = re.compile(PATTERNS[name])
    for _, _, secret in SECRETS:
        assert not compiled.fullmatch(secret)

    @settings(max_examples=200, deadline=None)
    @given(st.from_regex(compiled, fullmatch=True))
    def holds(text: str) -> None:
        assert finding(text) == ""

    holds()


def test_the_hash_of_the_rules_stands_in_a_name_that_a_record_may_hold() -> None:
    assert len(RULES_HASH) == 64
    assert guard.matches("control", SCANNED_CONTROL)
    assert SCANNED_CONTROL.endswith(RULES_HASH)


@pytest.mark.parametrize(
    "text", ["", "CHG-1", "INC0012345", "T-1/2", "https://tickets.example/T-1", "PROJ#12"]
)
def test_an_external_reference_is_a_ticket_or_an_https_url(text: str) -> None:
    assert guard.external_reference(text) == text


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("see the ticket", "external_reference"),
        ("http://tickets.example/T-1", "external_reference"),
        ("https://tickets.example/T-1?token=1", "external_reference"),
        ("https://tickets.example/#a", "external_reference"),
        ("javascript:alert(1)", "external_reference"),
        (joined("https://user:", "hunter22", "@tickets.example/"), "url_userinfo"),
        (joined("AK", "IA", some(16, "ABCD2345")), "aws_access_key"),
        (joined("https://hooks.sl", "ack.com/services/T000/B000/", some(24)), "slack_webhook"),
    ],
)
def test_another_reference_is_refused_by_the_rule_that_says_most(text: str, rule: str) -> None:
    with pytest.raises(guard.GuardError) as refused:
        guard.external_reference(text)
    assert refused.value.rule == rule


def test_the_bounds_of_texts_are_those_of_their_grammar() -> None:
    assert guard.matches("notes", "x" * BOUNDS["notes"])
    assert not guard.matches("notes", "x" * (BOUNDS["notes"] + 1))
    assert set(EXTERNAL_REFERENCE) <= set(PATTERNS)
