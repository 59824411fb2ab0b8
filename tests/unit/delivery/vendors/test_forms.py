"""What each vendor is sent: held against golden files. Who changes one reads the vendor's page, which `golden/README.md` names, first."""

import json
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from typing import Any

import orjson
import pytest
from cavra_delivery.connectors.base import KINDS, NotConfigured
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.email import EmailConnector
from cavra_delivery.connectors.forms import form_of
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.registry import connector_of
from cavra_verify.canonical import canonical

from tests.unit.delivery.vendors.events import EVENTS, audit, drill

GOLDEN = Path(__file__).parent / "golden"
MESSAGE_ID = "msg-0123456789abcdef0123456789ab"
ENTRIES: dict[str, dict[str, Any]] = {
    "webhook": {},
    "splunk": {"index": "audit"},
    "sentinel": {},
    "datadog": {"service": "rollback", "tags": ["env:prod"]},
    "slack": {"channel": "C123ABC456"},
    "teams": {},
    "jira": {"project": "OPS"},
    "servicenow": {"assignment_group": "287ebd7da9fe198100f92cc8d1d2154e"},
    "pagerduty": {},
    "email": {"sender": "cavra@example.org", "recipients": ["ann@example.org", "ben@example.org"]},
    "archive": {"path": "/srv/archive"},
}


def rendered(kind: str, event: str) -> bytes:
    """The body of one event."""
    config = ConnectorConfig.model_validate(ENTRIES[kind])
    return connector_of(kind, kind, config, HttpSender()).render(EVENTS[event](), MESSAGE_ID).body


def shown(kind: str, body: bytes) -> Any:
    """A body as its golden file has it: JSON as it is, a mail with its parts decoded."""
    if kind != "email":
        return json.loads(body)
    mail = message_from_bytes(body, policy=SMTP)
    parts = [{**dict(part.items()), "content": part.get_content().splitlines()} for part in mail.iter_parts()]
    return {"headers": dict(mail.items()), "parts": parts}


def test_every_kind_is_shown() -> None:
    assert ENTRIES.keys() == KINDS


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", ENTRIES)
def test_a_vendor_is_sent_what_its_documentation_asks_for(kind: str, event: str) -> None:
    body = rendered(kind, event)
    assert shown(kind, body) == json.loads((GOLDEN / f"{kind}.{event}.json").read_bytes())
    assert body == rendered(kind, event), "an approval is bound to the bytes"


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", ["webhook", "archive"])
def test_a_webhook_and_an_archive_are_given_the_events_canonical_bytes(kind: str, event: str) -> None:
    body = rendered(kind, event)
    assert body == canonical(json.loads(body))


@pytest.mark.parametrize("event", EVENTS)
def test_every_mail_server_takes_a_mails_lines(event: str) -> None:
    *lines, last = rendered("email", event).split(b"\r\n")
    assert (last, max(map(len, lines)) <= 998) == (b"", True)
    assert all(line.isascii() and b"\n" not in line and b"\r" not in line for line in lines)


def test_a_long_name_is_cut_where_it_is_seen_to_be_cut() -> None:
    config = ConnectorConfig.model_validate({})
    message = orjson.loads(form_of("slack", config).render(drill(schedule_id="n" * 400), MESSAGE_ID).body)
    header = message["blocks"][0]["text"]["text"]
    assert len(header) == 150
    assert header.endswith("n…")
    fields = [field["text"] for field in message["blocks"][1]["fields"]]
    assert fields[0] == f"*Schedule*\n{'n' * 199}…"
    blank = orjson.loads(form_of("slack", config).render(drill(schedule_id=" \n"), MESSAGE_ID).body)
    assert "Schedule" not in str(blank["blocks"][1]), "no vendor takes an empty text"


@pytest.mark.parametrize("kind", ["slack", "teams", "jira", "servicenow", "pagerduty"])
def test_who_reads_is_told_the_hash_that_the_log_has(kind: str) -> None:
    assert audit().record_hash.encode() in rendered(kind, "audit")


def test_a_name_is_no_markup_and_calls_nobody() -> None:
    event = audit(generated_by="ann & [x](http://evil.example) !channel")
    config = ConnectorConfig.model_validate({})
    slack = orjson.loads(form_of("slack", config).render(event, MESSAGE_ID).body)
    assert "&amp;" in slack["blocks"][1]["fields"][2]["text"]
    card = orjson.loads(form_of("teams", config).render(event, MESSAGE_ID).body)
    fact = card["attachments"][0]["content"]["body"][1]["facts"][2]["value"]
    assert fact == "ann & \\[x\\](http://evil.example) !channel"
    event = audit(generated_by="\\[x\\](http://evil.example)")
    card = orjson.loads(form_of("teams", config).render(event, MESSAGE_ID).body)
    fact = card["attachments"][0]["content"]["body"][1]["facts"][2]["value"]
    assert fact == "\\\\\\[x\\\\\\](http://evil.example)", "its own backslashes undo none of ours"
    mail = EmailConnector("email", config).render(audit(generated_by="a&b"), MESSAGE_ID).body
    html = message_from_bytes(mail, policy=SMTP).get_body(("html",))
    assert html is not None
    assert "a&amp;b" in html.get_content()


@pytest.mark.parametrize(
    ("kind", "entry", "url"),
    [
        ("splunk", {"url": "https://hec.example:8088"}, "https://hec.example:8088/services/collector/event"),
        ("splunk", {"url": "https://hec.example/services/collector"}, "https://hec.example/services/collector"),
        ("datadog", {}, "https://http-intake.logs.datadoghq.com/api/v2/logs"),
        ("datadog", {"site": "datadoghq.eu"}, "https://http-intake.logs.datadoghq.eu/api/v2/logs"),
        ("slack", {"channel": "C1", "token": "t"}, "https://slack.com/api/chat.postMessage"),
        ("jira", {"url": "https://a.atlassian.net", "project": "OPS"}, "https://a.atlassian.net/rest/api/3/issue"),
        ("servicenow", {"url": "https://a.service-now.com"}, "https://a.service-now.com/api/now/table/incident"),
        ("servicenow", {"url": "https://a.example/", "table": "task"}, "https://a.example/api/now/table/task"),
        ("pagerduty", {}, "https://events.pagerduty.com/v2/enqueue"),
        (
            "sentinel",
            {"url": "https://d.ingest.monitor.azure.com", "dcr_id": "dcr-1", "stream": "Custom-T"},
            "https://d.ingest.monitor.azure.com/dataCollectionRules/dcr-1/streams/Custom-T?api-version=2023-01-01",
        ),
    ],
)  # fmt: skip
def test_an_entry_needs_no_path_that_the_vendor_lays_down(
    kind: str, entry: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_KEY", "R" + "0" * 31)
    given = {"routing_key_env": "T_KEY"} if kind == "pagerduty" else {}
    form = form_of(kind, ConnectorConfig.model_validate({**entry, **given}))
    assert form.destination(kind).url == url


@pytest.mark.parametrize(
    ("kind", "entry", "field"),
    [
        ("webhook", {}, "url"),
        ("splunk", {"url": "https://a.example", "acknowledge": True}, "channel"),
        ("splunk", {"url": "https://a.example", "channel": "general"}, "channel"),
        ("sentinel", {"url": "https://a.example"}, "dcr_id"),
        ("sentinel", {"url": "https://a.example", "dcr_id": "dcr-1"}, "stream"),
        ("sentinel", {"url": "https://a.example/x", "client_id": "c"}, "token_url"),
        ("sentinel", {"url": "https://a.example/x", "client_id": "c", "tenant_id": "t"}, "client_secret_env"),
        ("slack", {"channel": "C1"}, "token_env"),
        ("jira", {"url": "https://a.example"}, "project"),
        ("jira", {"url": "https://a.example", "project": "OPS", "tags": ["two words"]}, "tags"),
        ("jira", {"url": "https://a.example", "project": "OPS", "tags": [""]}, "tags"),
        ("jira", {"url": "https://a.example", "project": "OPS", "tags": ["l" * 256]}, "tags"),
        ("pagerduty", {"source": " "}, "source"),
        ("pagerduty", {}, "routing_key_env"),
        ("servicenow", {"url": "https://a.example", "password_file": "/nowhere/password", "user": "u"}, "password_file"),
    ],
)  # fmt: skip
def test_an_entry_that_lacks_something_says_which_field(kind: str, entry: dict[str, Any], field: str) -> None:
    with pytest.raises(NotConfigured) as refused:
        form_of(kind, ConnectorConfig.model_validate(entry)).destination(kind)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("changed", "token_url", "scope"),
    [
        (
            {},
            "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/oauth2/v2.0/token",
            "https://monitor.azure.com/.default",
        ),
        (
            {"token_url": "https://login.microsoftonline.us/t/oauth2/v2.0/token", "scope": "https://monitor.azure.us/.default"},
            "https://login.microsoftonline.us/t/oauth2/v2.0/token",
            "https://monitor.azure.us/.default",
        ),
    ],
    ids=["public", "another cloud"],
)  # fmt: skip
def test_sentinels_token_is_asked_for_where_its_tenant_gives_them(
    changed: dict[str, str], token_url: str, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_SECRET", "made-for-this-test")
    entry = {
        "url": "https://d.ingest.monitor.azure.com",
        "dcr_id": "dcr-1",
        "stream": "Custom-T",
        "tenant_id": "00000000-0000-0000-0000-000000000001",
        "client_id": "00000000-0000-0000-0000-000000000002",
        "client_secret_env": "T_SECRET",
        **changed,
    }
    grant = form_of("sentinel", ConnectorConfig.model_validate(entry)).destination("sentinel").grant
    assert grant is not None
    assert (grant.token_url, grant.scope) == (token_url, scope)
    assert (grant.client_id, grant.client_secret) == (entry["client_id"], "made-for-this-test")


def test_a_routing_key_is_in_no_body_that_is_approved_and_binds_the_destination(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form = form_of("pagerduty", ConnectorConfig.model_validate({"routing_key_env": "T_KEY"}))
    monkeypatch.setenv("T_KEY", "A" * 32)
    first = form.destination("pagerduty")
    body = form.render(audit(), MESSAGE_ID).body
    assert b"A" * 32 not in body
    assert first.seal is not None
    assert json.loads(first.seal(body)) == {**json.loads(body), "routing_key": "A" * 32}
    monkeypatch.setenv("T_KEY", "B" * 32)
    assert form.destination("pagerduty").identity != first.identity


def test_a_secret_comes_from_a_file_by_name(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("from-a-file\n")
    config = ConnectorConfig.model_validate({"url": "https://a.example", "token_file": str(path)})
    assert config.request_headers() == {"authorization": "Bearer from-a-file"}
    path.write_text("rotated")
    assert config.request_headers() == {"authorization": "Bearer rotated"}
    for unusable in (b"", b"\xff\xfe", b"x" * 17_000):
        path.write_bytes(unusable)
        with pytest.raises(NotConfigured):
            config.request_headers()
