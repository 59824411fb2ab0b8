"""Audit packages on their way to connectors: what is sent, what is recorded, what a failure leaves."""

import asyncio
import hashlib
import ssl
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_service.errors import Refused
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN
from cavra_verify.merkle import leaf_hash

from tests.contract.delivery.desk import Desk, body, envelope, webhook
from tests.support.certificates import Authority
from tests.support.receiver import Receiver


async def test_a_delivery_is_sent_and_recorded_with_all_fields_of_the_contract(
    desk: Desk, receiver: Receiver
) -> None:
    answer = await desk.deliver()
    assert answer.success
    package, plan, delivery = map(envelope, (answer.audit_package, answer.delivery_plan, answer.delivery))
    sent = receiver.received[0]
    event = body(sent.body)
    assert event["data"] == {
        name: value for name, value in package.items() if name not in ("record_hash", "log")
    }
    assert event["record_hash"] == package["record_hash"]
    assert event["event_id"] == delivery["event_id"]
    kind = BY_NOUN["connector_delivery"]
    on_others = {"retry_plan_id", "worker_run_id", "health_id", "plan_id"}
    assert set(kind.top) - on_others <= delivery.keys()
    assert delivery["connector_delivery_source"] == AUDIT_SOURCE
    assert delivery["delivery_id"] == plan["delivery_id"]
    part = delivery["delivery"]["deliveries"][0]
    assert (part["provider"], part["success"], part["status_code"], part["outcome"]) == (
        "webhook",
        True,
        200,
        "delivered",
    )
    expected = hashlib.sha256(f"{plan['delivery_id']}|webhook".encode()).hexdigest()[:28]
    assert sent.headers["webhook-id"] == part["message_id"] == f"msg-{expected}"
    assert "cavra-execution-id" not in sent.headers
    assert part["request"]["url"] == receiver.url, "a path may be a secret and is not kept"
    assert [cause["id"] for cause in delivery["causes"]] == [plan["delivery_id"], package["audit_id"]]
    assert delivery["trace_ids"] == plan["trace_ids"] == [plan["delivery_id"]]
    assert plan["delivery_id"] in package["trace_ids"]
    assert await desk.failures() == []


async def test_a_failed_delivery_opens_one_failure_for_each_provider_that_did_not_take_it(
    closed_desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    async with Receiver() as other:
        closed_desk.connectors(splunk=webhook(receiver.url), webhook=webhook(other.url))
        async with closed_desk.open() as desk:
            answer = await desk.deliver()
            assert not answer.success
            delivery = envelope(answer.delivery)
            assert delivery["failed_providers"] == ["splunk"]
            assert delivery["status_codes"] == [200, 503]
            [failure] = await desk.failures()
            assert failure.key.provider == "splunk"
            assert (failure.failure_count, failure.next_attempt_number) == (1, 2)
            assert list(failure.failed_status_codes) == [503]
            assert failure.latest_record.id == failure.original_record.id == answer.delivery.id
            assert failure.latest_record.record_hash == leaf_hash(answer.delivery.canonical)
            assert await desk.gauges() == {"open_failures": 1, "open_failures:1": 1}


@pytest.mark.parametrize(
    ("status", "reason", "tries"),
    [
        (301, "redirect", 1),
        (400, "rejected", 1),
        (401, "auth", 1),
        (403, "auth", 1),
        (404, "rejected", 1),
        (408, "rejected", 2),
        (425, "rejected", 2),
        (429, "rate_limited", 2),
        (500, "server_error", 2),
        (503, "server_error", 2),
    ],
)
async def test_only_what_cannot_deliver_twice_is_tried_again_within_a_call(
    desk: Desk, receiver: Receiver, status: int, reason: str, tries: int
) -> None:
    receiver.status = status
    part = envelope((await desk.deliver(retries=1)).delivery)["delivery"]["deliveries"][0]
    assert (part["status_code"], part["error"], part["attempt_count"]) == (status, reason, tries)
    assert len(receiver.received) == tries


async def test_a_receiver_that_recovers_within_the_call_makes_a_delivery(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.script = [500, 429]
    answer = await desk.deliver(retries=2)
    assert answer.success
    assert envelope(answer.delivery)["attempt_count"] == 3
    assert len({one.headers["webhook-id"] for one in receiver.received}) == 1


async def test_a_redirect_is_not_followed_and_no_credential_travels(
    closed_desk: Desk, receiver: Receiver
) -> None:
    async with Receiver() as elsewhere:
        receiver.status, receiver.headers = 307, {"location": elsewhere.url}
        closed_desk.connectors(webhook=webhook(receiver.url, token="canary-4711-token"))
        async with closed_desk.open() as desk:
            part = envelope((await desk.deliver()).delivery)["delivery"]["deliveries"][0]
        assert part["error"] == "redirect"
        assert receiver.received[0].headers["authorization"] == "Bearer canary-4711-token"
        assert elsewhere.received == []


async def test_a_receiver_that_does_not_answer_is_a_timeout(desk: Desk, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    part = envelope((await desk.deliver(retries=2, timeout_seconds=1)).delivery)["delivery"]["deliveries"][0]
    receiver.hold.set()
    assert (part["error"], part["outcome"], part["attempt_count"]) == ("timeout", "failed", 1)
    assert len(receiver.received) == 1, "bytes went out: another try could deliver twice"


async def test_a_private_target_is_refused_unless_the_connector_allows_it(
    closed_desk: Desk, receiver: Receiver
) -> None:
    port = receiver.url.rpartition(":")[2]
    closed_desk.connectors(
        literal={"url": receiver.url},
        named={"url": f"http://localhost:{port}"},
        mapped={"url": f"http://[::ffff:127.0.0.1]:{port}"},
    )
    async with closed_desk.open() as desk:
        delivery = envelope((await desk.deliver()).delivery)
    reasons = {part["provider"]: part["error"] for part in delivery["delivery"]["deliveries"]}
    assert reasons == dict.fromkeys(("literal", "named", "mapped"), "destination_refused")
    assert receiver.received == []


ANSWERED = {
    "auth": 401,
    "rate-limited": 429,
    "rejected": 400,
    "server-error": 500,
    "redirect": 302,
    "response-invalid": 0,
}
"""A connector named for the reason that its failure has -> the status it is answered; 0: its receiver hangs up."""


async def test_every_reason_of_a_failure_stands_in_the_record_and_is_counted(
    closed_desk: Desk, receiver: Receiver, tmp_path: Path
) -> None:
    issued = Authority(tmp_path / "stranger").settings("localhost")
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stranger.load_cert_chain(issued["tls_certificate"], issued["tls_key"])
    receiver.hold = asyncio.Event()
    async with AsyncExitStack() as stack:
        urls = {
            reason: (await stack.enter_async_context(Receiver(status))).url
            for reason, status in ANSWERED.items()
        }
        closed = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        urls["connect"] = f"http://127.0.0.1:{closed.sockets[0].getsockname()[1]}"
        closed.close()
        tls = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0, ssl=stranger)
        stack.callback(tls.close)
        urls["tls"] = f"https://127.0.0.1:{tls.sockets[0].getsockname()[1]}"
        urls["dns"] = "http://nobody.invalid"
        closed_desk.connectors(
            **{reason: webhook(url) for reason, url in urls.items()},
            timeout=webhook(receiver.url, read_seconds=0.1),
            **{"destination-refused": webhook(receiver.url, allow_private_networks=False)},
        )
        desk = await stack.enter_async_context(closed_desk.open())
        parts = envelope((await desk.deliver(timeout_seconds=30)).delivery)["delivery"]["deliveries"]
        counters, _ = await desk.counters("delivery_failure=")
        receiver.hold.set()
    reasons = {name: name.replace("-", "_") for name in (*urls, "timeout", "destination-refused")}
    assert {part["provider"]: part["error"] for part in parts} == reasons
    expected = {f"delivery_failure={AUDIT_SOURCE}:{name}:{reason}" for name, reason in reasons.items()}
    assert counters == dict.fromkeys(expected, 1)


async def test_a_misconfigured_connector_affects_itself_alone_and_says_which_variable_is_missing(
    closed_desk: Desk, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.body = b'{"text":"Success","code":0}'
    closed_desk.connectors(
        webhook=webhook(receiver.url),
        splunk=webhook(receiver.url, token_env="CAVRA_TEST_SPLUNK_TOKEN"),
        jira={"url": 17},
        slack={"url": receiver.url, "enabled": False},
    )
    async with closed_desk.open() as desk:
        assert "CAVRA_TEST_SPLUNK_TOKEN" in capsys.readouterr().out
        listed = (await desk.call("ListConnectors", pb.ListConnectorsRequest())).connectors
        shown = {one.name: (one.enabled, one.ready, one.missing_variable, one.category) for one in listed}
        assert shown == {
            "jira": (True, False, "", "itsm"),
            "slack": (False, False, "", "chatops"),
            "splunk": (True, False, "CAVRA_TEST_SPLUNK_TOKEN", "siem"),
            "webhook": (True, True, "", "webhook"),
        }
        assert {one.name: (one.field, one.rule) for one in listed if one.field} == {
            "jira": ("url", "string_type")
        }
        answer = await desk.deliver()
        parts = {part["provider"]: part for part in envelope(answer.delivery)["delivery"]["deliveries"]}
        assert parts["webhook"]["success"]
        for name in ("jira", "splunk"):
            assert parts[name]["error"] == "connector_config_not_configured"
            assert parts[name]["request"] is None
        missing = {name: part["missing_variable"] for name, part in parts.items()}
        assert missing == {"webhook": "", "jira": "", "splunk": "CAVRA_TEST_SPLUNK_TOKEN"}
        assert {failure.key.provider for failure in await desk.failures()} == {"jira", "splunk"}
        closed_desk.set_variable("CAVRA_TEST_SPLUNK_TOKEN", "now-it-is-there")
        assert (await desk.deliver("splunk")).success, "a variable that appears is used without a restart"


async def test_a_broken_connector_file_leaves_the_service_up_and_every_connector_unconfigured(
    closed_desk: Desk,
) -> None:
    (closed_desk.folder / "connectors.yaml").write_text("connectors: [")
    async with closed_desk.open() as desk:
        assert (await desk.call("ListConnectors", pb.ListConnectorsRequest())).connectors == []
        request = pb.DeliverAuditRequest()
        assert await desk.refusal("DeliverAudit", request) == ("provider_not_configured", "providers")


@pytest.mark.parametrize("provider", ["splunk", "slack"])
async def test_a_provider_without_an_enabled_connector_is_refused(
    closed_desk: Desk, receiver: Receiver, provider: str
) -> None:
    closed_desk.connectors(webhook=webhook(receiver.url), slack=webhook(receiver.url, enabled=False))
    async with closed_desk.open() as desk:
        request = pb.DeliverAuditRequest(providers=["webhook", provider])
        assert await desk.refusal("DeliverAudit", request) == ("provider_not_configured", "providers")
    assert receiver.received == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"retries": 11}, ("invalid_value", "retries")),
        ({"retries": -1}, ("invalid_value", "retries")),
        ({"timeout_seconds": 0}, ("invalid_value", "timeout_seconds")),
        ({"timeout_seconds": 121}, ("invalid_value", "timeout_seconds")),
        ({"providers": ["no such!"]}, ("invalid_value", "providers")),
        ({"cadence": "Every Day"}, ("invalid_value", "cadence")),
        ({"schedule_ref": "a b"}, ("invalid_value", "schedule_ref")),
        ({"filters": pb.AuditFilters(provider="NO")}, ("invalid_value", "filters.provider")),
        ({"next_delivery_at": {"seconds": 2**60}}, ("invalid_value", "next_delivery_at")),
        ({"requested_provider": "<all>"}, ("invalid_value", "requested_provider")),
    ],
)
async def test_a_bad_value_is_refused_with_its_field_and_nothing_is_written(
    desk: Desk, receiver: Receiver, fields: dict[str, object], expected: tuple[str, str]
) -> None:
    request = pb.DeliverAuditRequest(**fields)  # type: ignore[arg-type]
    assert await desk.refusal("DeliverAudit", request) == expected
    assert receiver.received == []


async def test_the_archive_keeps_the_package_under_the_name_of_its_content(
    closed_desk: Desk, tmp_path: Path
) -> None:
    closed_desk.connectors(archive={"path": str(tmp_path / "kept")})
    async with closed_desk.open() as desk:
        answer = await desk.deliver()
    assert answer.success
    [file] = (tmp_path / "kept").iterdir()
    assert file.name == f"{hashlib.sha256(file.read_bytes()).hexdigest()}.json"
    part = envelope(answer.delivery)["delivery"]["deliveries"][0]
    assert part["request"]["url"] == f"archive://archive/{file.name}"
    assert body(file.read_bytes())["data"]["audit_id"] == envelope(answer.audit_package)["audit_id"]


async def test_an_archive_that_cannot_be_written_fails_alone(closed_desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    closed_desk.connectors(archive={"path": str(tmp_path / "file" / "below")})
    async with closed_desk.open() as desk:
        part = envelope((await desk.deliver()).delivery)["delivery"]["deliveries"][0]
    assert part["error"] == "rejected"


async def test_secrets_reach_neither_record_nor_log_nor_error(
    closed_desk: Desk, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    canary = "canary-8f3a9c"
    closed_desk.set_variable("CAVRA_TEST_URL", f"{receiver.url}/{canary}-path?sig={canary}-query")
    closed_desk.set_variable("CAVRA_TEST_KEY", f"{canary}-key")
    closed_desk.connectors(
        webhook={
            "url_env": "CAVRA_TEST_URL",
            "allow_private_networks": True,
            "api_key_env": "CAVRA_TEST_KEY",
            "authorization": f"Basic {canary}-inline",
            "headers": {"x-more": f"{canary}-header"},
        },
        splunk={"url": f"http://{canary}-user:{canary}-pass@example.org/"},
        jira={"url": [f"{canary}-shape"], "headers": {"host": f"{canary}-host"}},
    )
    async with closed_desk.open() as desk:
        receiver.status = 500
        answer = await desk.deliver()
        listed = await desk.call("ListConnectors", pb.ListConnectorsRequest())
        claim = await desk.claim((await desk.failures())[0])
    carried = receiver.received[0]
    assert canary in carried.path
    assert f"{canary}-key" in carried.headers["x-api-key"], "the receiver is the one place that sees it"
    output = capsys.readouterr()
    for where, text in {
        "the answer": answer.SerializeToString(),
        "the list of connectors": listed.SerializeToString(),
        "the description": claim.SerializeToString(),
        "the store": desk.store_bytes(),
        "the logs": (output.out + output.err).encode(),
    }.items():
        assert canary.encode() not in text, f"a secret stands in {where}"


async def test_a_caller_who_goes_away_ends_the_waiting_and_not_the_work(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.hold = asyncio.Event()
    waiting = asyncio.create_task(desk.deliver())
    await receiver.wait_for(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    receiver.hold.set()
    kind = BY_NOUN["connector_delivery"].kind
    watch = desk.log.WatchRecords(
        evidence_pb2.WatchRecordsRequest(),
        metadata=(("authorization", f"Bearer {desk.installation.token('ada', 'auditor')}"),),
    )
    async for response in watch:
        if any(record.kind == kind for record in response.records):
            break
    watch.cancel()
    [delivery] = await desk.records(metadata_kind=kind)
    assert delivery["delivery_success"]


async def test_only_an_operator_delivers(desk: Desk) -> None:
    auditor = desk.installation.caller("ada", "auditor")
    request = pb.DeliverAuditRequest()
    assert await desk.refusal("DeliverAudit", request, auditor) == ("role_required", "")
    with pytest.raises(Refused, match="takes the role"):
        await desk.call("DescribeRetries", pb.DescribeRetriesRequest())
