"""The grammar and the secret rules: the same verdict from `re`, RE2 and pydantic, credentials found, ordinary notes left alone."""

import re
from typing import Annotated

import pytest
import re2
from cavra_evidence import guard
from cavra_verify.grammar import BOUNDS, EXTERNAL_REFERENCE, PATTERNS, SECRET_RULES
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

SAMPLES = [
    "", "a", "A", "1", "-", "webhook", "splunk_prod-2", "gordackretry-01a206c25f88000174c508751654", "gordack-short", "Alice Example",
    "alice\n", "alice\nbob", "\talice", "al\u00e9", "<b>", 'a"b', "a\\b", "service:retry", "CHG-1", "CHG-1/2", "CHG 1", "INC0012345",
    "https://tickets.example/T-1", "https://tickets.example:8443/a/b", "https://u:p@tickets.example/", "https://tickets.example/?q=1",
    "http://tickets.example/", "https://-bad.example", "archive://", "smtp://mail.example:25", "0" * 64, "0" * 63, "g" * 64, "1", "1.5",
    "1.", ".5", "1.1234567", "2026-11-23T09:30:00.000000+00:00", "2026-11-23T09:30:00+00:00", "2026-11-23T09:30:00.000000Z", "POST",
    "post", "cavra.evidence.metadata.v1", "connector-delivery://rcd-01", "go-rollback-drill-retry-worker://x y", "Content-Type",
    "content type", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "x" * 2_000, "x" * 2_001, "\u00e9" * 2_000, "\U0001f600" * 2_001,
    "line\nline", "\x00", "\x7f", "a\x1fb", "(none)", "a; b", "a;b()",
]  # fmt: skip


def in_re(pattern: str, text: str) -> bool:
    return re.fullmatch(pattern, text) is not None


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
        verdicts = (in_re(pattern, text), guard.matches(name, text), in_pydantic(pattern, text))
        assert len(set(verdicts)) == 1, (name, text[:40], verdicts)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_engine_gives_random_texts_the_same_verdict(text: str) -> None:
    for name, pattern in PATTERNS.items():
        assert in_re(pattern, text) == guard.matches(name, text), name


@pytest.mark.parametrize("name", PATTERNS)
def test_every_grammar_accepts_and_refuses_something(name: str) -> None:
    verdicts = {guard.matches(name, text) for text in SAMPLES}
    assert verdicts == {True, False}


def letters(length: int, alphabet: str = "aB3xY9kQ7mZ2") -> str:
    return (alphabet * (length // len(alphabet) + 1))[:length]


def joined(*parts: str) -> str:
    """A credential put together here, so that none stands in this file."""
    return "".join(parts)


SECRETS = [
    ("private_key", joined("-----BEGIN RSA PRIV", "ATE KEY-----\nMIIE")),
    ("private_key", joined("-----BEGIN PRIV", "ATE KEY-----")),
    ("private_key", joined("-----BEGIN OPENSSH PRIV", "ATE KEY-----")),
    ("private_key", joined("-----BEGIN ENCRYPTED PRIV", "ATE KEY-----")),
    ("bearer_header", joined("Bear", "er ", letters(24))),
    ("bearer_header", joined("sent with bea", "rer\t", letters(12))),
    ("basic_header", joined("Ba", "sic dXNlcjpwYXNz", "d29yZA==")),
    ("authorization_header", joined("Authoriz", "ation: Token ", letters(12))),
    ("authorization_header", joined("Proxy-Authoriz", "ation=", letters(12))),
    ("aws_access_key", joined("AK", "IA", letters(16, "ABCD2345"))),
    ("aws_access_key", joined("AS", "IA", letters(16, "QRST6789"))),
    ("aws_secret_key", joined("aws_secret_access_", "key = ", letters(40))),
    ("aws_secret_key", joined("AWS Secret ", 'Key: "', letters(40), '"')),
    ("google_api_key", joined("AI", "za", letters(35))),
    ("google_oauth", joined("ya", "29.", letters(40))),
    ("azure_key", joined("Account", "Key=", letters(86), "==")),
    ("azure_key", joined("https://x.blob.core.windows.net/c?s", "ig=", letters(43))),
    ("github_token", joined("gh", "p_", letters(36))),
    ("github_token", joined("github", "_pat_", letters(60))),
    ("gitlab_token", joined("gl", "pat-", letters(20))),
    ("slack_token", joined("xo", "xb-", "1234567890-", letters(24))),
    ("slack_token", joined("xa", "pp-1-", letters(24))),
    ("slack_webhook", joined("https://hooks.sl", "ack.com/services/T000/B000/", letters(24))),
    ("stripe_key", joined("sk", "_live_", letters(24))),
    ("stripe_key", joined("wh", "sec_", letters(32))),
    ("npm_token", joined("np", "m_", letters(36))),
    ("pypi_token", joined("py", "pi-", letters(60))),
    ("sendgrid_key", joined("S", "G.", letters(22), ".", letters(43))),
    ("json_web_token", joined("ey", "J", letters(20), ".ey", "J", letters(40), ".", letters(43))),
    ("connection_string", joined("post", "gres://db.internal/app")),
    ("connection_string", joined("mongodb", "+srv://cluster.example/db")),
    ("connection_string", joined("jdbc:", "postgresql://db:5432/app")),
    ("url_userinfo", joined("https://user:", "hunter22", "@example.com/path")),
    ("url_userinfo", joined("https://tok", "en@example.com/repo.git")),
    ("url_userinfo", joined("ftp://:", "pw", "@files.example")),
    ("password_assignment", joined("pass", "word: ", "correcthorse")),
    ("password_assignment", joined("API_", "KEY='", letters(20), "'")),
    ("password_assignment", joined("client_", 'secret"="', letters(20), '"')),
]

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
    assert {rule for rule, _ in SECRETS} == {rule for rule, _ in SECRET_RULES}
    assert len(SECRETS) >= 25


@pytest.mark.parametrize(
    ("rule", "secret"), SECRETS, ids=lambda value: value if value.replace("_", "").isalpha() else ""
)
@pytest.mark.parametrize(
    "frame", ["{}", "retry approved, {}", "first line\n{}\nlast line", "({})", "\u00e9 {} \u2713"]
)
def test_a_credential_is_found_wherever_it_stands_and_never_echoed(
    rule: str, secret: str, frame: str
) -> None:
    pattern = dict(SECRET_RULES)[rule]
    text = frame.format(secret)
    assert re.search(pattern, text), rule
    assert re2.search(pattern, text), rule
    with pytest.raises(guard.GuardError) as refused:
        guard.scan(text)
    assert refused.value.rule in dict(SECRET_RULES)
    assert str(refused.value) == f"refused by rule {refused.value.rule}"


@pytest.mark.parametrize("text", CLEAN)
def test_an_ordinary_note_is_kept(text: str) -> None:
    assert guard.scan(text) == text


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SECRETS), st.text(max_size=800), st.text(max_size=800))
def test_the_set_of_rules_finds_what_one_rule_alone_finds(
    found: tuple[str, str], before: str, after: str
) -> None:
    text = f"{before} {found[1]} {after}".encode("utf-8", "replace").decode()
    expected = any(re.search(pattern, text) for _, pattern in SECRET_RULES)
    try:
        guard.scan(text)
    except guard.GuardError:
        assert expected
    else:
        assert not expected


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
        (joined("AK", "IA", letters(16, "ABCD2345")), "aws_access_key"),
        (joined("https://hooks.sl", "ack.com/services/T000/B000/", letters(24)), "slack_webhook"),
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
