"""What stays of a send to a vendor: its answer in the record, and no secret anywhere."""

import asyncio
import sys

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver
from tests.support.vendors.itsm import JiraCloud


async def test_what_the_vendor_calls_it_stands_in_the_record_of_the_send_and_of_its_retry(
    closed_desk: Desk, receiver: Receiver
) -> None:
    jira = JiraCloud()
    async with jira.start():
        for name, value in jira.environment().items():
            closed_desk.set_variable(name, value)
        closed_desk.connectors(
            jira={**jira.entry(), "allow_private_networks": True}, webhook=webhook(receiver.url)
        )
        async with closed_desk.open() as desk:
            parts = envelope((await desk.deliver()).delivery)["delivery"]["deliveries"]
            assert {part["provider"]: part["external_ref"] for part in parts} == {
                "jira": "OPS-1",
                "webhook": "",
            }
            jira.script = [jira.limited]
            failed = envelope((await desk.deliver("jira")).delivery)["delivery"]["deliveries"][0]
            assert (failed["error"], failed["external_ref"]) == ("rate_limited", "")
            [failure] = await desk.failures()
            [result] = await desk.retry(await desk.claim(failure))
            [part] = envelope(result.delivery)["delivery"]["deliveries"]
            assert (part["outcome"], part["external_ref"]) == ("delivered", "OPS-1")
    bodies = [asked.body for asked in jira.asked]
    assert bodies[1] == bodies[2], "a retry is the original's bytes"


async def test_a_running_service_lists_its_connectors_to_who_has_a_token(
    closed_desk: Desk, receiver: Receiver
) -> None:
    shut = {"circuit_failures": 1, "circuit_open_seconds": 600}
    failing = {name: webhook(receiver.url, **shut) for name in ("open", "probed")}
    closed_desk.connectors(gone=webhook(receiver.url), **failing)
    async with closed_desk.open() as desk:
        receiver.status = 503
        await desk.deliver("open", "probed")
        receiver.status = 410
        await desk.deliver("gone")
    closed_desk.let_pass(300, "probed")
    failing["probed"] |= {"circuit_open_seconds": 200}
    closed_desk.connectors(
        **failing,
        gone=webhook(receiver.url, circuit_failures=1),
        off=webhook(receiver.url, enabled=False),
        webhook=webhook(receiver.url, token="canary"),
        jira={"url_env": "CAVRA_TEST_MISSING", "project": "OPS"},
        other={"kind": "jira", "url": "https://canary.example"},
        slack={"url": "https://canary.example", "method": "canary"},
        splunk="canary",
        **{"Canary Name": {"url": "https://canary.example"}},
    )
    installation = closed_desk.installation
    async with installation.running("delivery") as address:
        (closed_desk.folder / "connectors.yaml").write_text("connectors: {webhook: {url: https://can")
        (closed_desk.folder / "token").write_text(installation.token("audrey", "auditor"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cavra_cli", "connectors", "list", "--address", address),
            *("--token-file", str(closed_desk.folder / "token")),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, told = await process.communicate()
    assert process.returncode == 0
    lacks = "not-ready connector_config_not_configured"
    assert [" ".join(line.split()) for line in out.decode().splitlines()] == [
        "gone webhook not-ready receiver_gone circuit open",
        f"jira jira {lacks} CAVRA_TEST_MISSING",
        "off webhook disabled connector_config_not_configured",
        "open webhook not-ready connector_circuit_open circuit open",
        f"other jira {lacks} project is missing or of no use",
        "probed webhook ready circuit half_open",
        f"slack slack {lacks} method is refused by rule literal_error",
        f"splunk splunk {lacks} the entry is refused by rule model_type",
        f"unnamed-1 webhook {lacks.replace('not-ready', 'disabled')} name is refused by rule string_pattern_mismatch",
        "webhook webhook ready",
    ]
    unread = "the file is no valid JSON or YAML (ParserError)"
    assert told.decode() == f"cavra: {unread}: what was read of it before is in force\n"
