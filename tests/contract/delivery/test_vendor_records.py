"""What stays of a send to a vendor: its answer in the record, and no secret anywhere."""

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_delivery.checking import check
from cavra_delivery.connectors.base import KINDS
from cavra_verify.kinds import BY_NOUN

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver
from tests.support.vendors.itsm import JiraCloud

CANARY = "kanarie-7Xq2wTz9LmPv4RbY8sNd"
SECRET_FILE = "canary.secret"
TAKEN = {"jira": 201, "servicenow": 201, "pagerduty": 202, "datadog": 202, "teams": 202, "sentinel": 204}
"""The status by which a vendor says that it took a message, where that is not 200."""


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
    closed_desk.connectors(
        webhook=webhook(receiver.url, token="canary"),
        jira={"url_env": "CAVRA_TEST_MISSING", "project": "OPS"},
        other={"kind": "jira", "url": "https://canary.example"},
        slack={"url": "https://canary.example", "method": "canary"},
        splunk="canary",
        **{"Canary Name": {"url": "https://canary.example"}},
    )
    installation = closed_desk.installation
    async with installation.running("delivery") as address:
        (closed_desk.folder / "token").write_text(installation.token("audrey", "auditor"))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cavra_cli", "connectors", "list", "--address", address),
            *("--token-file", str(closed_desk.folder / "token")),
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    lacks = "not-ready connector_config_not_configured"
    assert [" ".join(line.split()) for line in out.decode().splitlines()] == [
        f"jira jira {lacks} CAVRA_TEST_MISSING",
        f"other jira {lacks} project is missing or of no use",
        f"slack slack {lacks} method is refused by rule literal_error",
        f"splunk splunk {lacks} the entry is refused by rule model_type",
        f"unnamed-1 webhook {lacks.replace('not-ready', 'disabled')} name is refused by rule string_pattern_mismatch",
        "webhook webhook ready",
    ]


class Echo:
    """A receiver that says all it was told, in every field and header that a vendor might answer in."""

    def __init__(self) -> None:
        self.status = 200
        self.requests = 0

    async def answer(self, request: web.Request) -> web.Response:
        """What came, back."""
        self.requests += 1
        told = f"{request.path_qs} {dict(request.headers)} {(await request.read()).decode()}"
        fields = "ok error key number ts channel code ackId text message dedup_key status self".split()
        body = {
            **dict.fromkeys(fields, CANARY),
            "result": {"number": CANARY},
            "told": told,
            "access_token": 7,
        }
        if "ok" in request.path:
            body |= {"ok": True, "code": 0, "status": "success"}
        headers = {"location": f"/{CANARY}", "x-request-id": CANARY, "retry-after": CANARY}
        return web.json_response(body, status=self.status, headers=headers, reason=CANARY)


@pytest.fixture
async def echo() -> AsyncIterator[tuple[Echo, str]]:
    """It, and its address."""
    made, app = Echo(), web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield made, f"http://{host}:{port}"
    await runner.cleanup()


def placements(kind: str, url: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Entries of one kind: all that it needs, and a secret in one place."""
    file = str(folder / SECRET_FILE)
    port = url.rpartition(":")[2]
    base: dict[str, Any] = {
        "kind": kind,
        "url": f"smtp://127.0.0.1:{port}" if kind == "email" else f"{url}/ok",
        "allow_private_networks": True,
        "security": "starttls",
        "project": "OPS",
        "sender": "cavra@example.org",
        "recipients": ["ann@example.org"],
        "path": str(folder / "archive"),
        **({"routing_key_env": "T_CANARY_KEY"} if kind == "pagerduty" else {}),
        **({"dcr_id": "dcr-1", "stream": "Custom-T"} if kind == "sentinel" else {}),
    }
    client = {"client_id": "client", "token_url": f"{url}/token"}
    own: dict[str, dict[str, Any]] = {
        "in-path": {"url": f"{url}/ok/{CANARY}"},
        "in-query": {"url": f"{url}/ok?sig={CANARY}"},
        "in-userinfo": {"url": f"http://user:{CANARY}@127.0.0.1:{port}/ok"},
        "in-fragment": {"url": f"{url}/ok#{CANARY}"},
        "url-of-variable": {"url": None, "url_env": "T_CANARY_URL"},
        "url-of-file": {"url": None, "url_file": file},
        "url-no-url": {"url": CANARY},
        "header": {"headers": {"x-secret": CANARY}},
        "header-name": {"headers": {f"x {CANARY}": "1"}},
        "header-broken": {"headers": {"x-secret": f"{CANARY}\r\nx: y"}},
        "authorization": {"authorization": CANARY},
        "token": {"token": CANARY},
        "token-of-variable": {"token_env": "T_CANARY"},
        "token-of-file": {"token_file": file},
        "token-file-gone": {"token_file": f"/{CANARY}/gone"},
        "api-key": {"api_key": CANARY},
        "password": {"user": "user", "password_env": "T_CANARY"},
        "signing": {"signing_secret_env": "T_CANARY_SIGNING"},
        "signing-unusable": {"signing_secret_file": file},
        "client-secret": {**client, "client_secret_env": "T_CANARY"},
        "client-in-url": {**client, "token_url": f"{url}/token?x={CANARY}", "client_secret_env": "T_CANARY"},
        "routing-key": {"routing_key_env": "T_CANARY"},
        "proxy": {"proxy": f"http://user:{CANARY}@127.0.0.1:{port}"},
        "variable-name": {"token_env": f"{CANARY} "},
        "wrong-type": {"enabled": CANARY},
        "wrong-kind": {"kind": CANARY},
        "unknown-field": {CANARY: CANARY},
        "no-mapping": {"headers": CANARY},
    }
    return {name: {**base, **changed} for name, changed in own.items()}


def _sendable(described: pb.DescribeRetriesResponse, failure: pb.Failure) -> bool:
    return any(one.key == failure.key and not one.unavailable_reason for one in described.descriptions)


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_no_secret_is_ever_written_or_told(
    kind: str, closed_desk: Desk, echo: tuple[Echo, str], capfd: pytest.CaptureFixture[str]
) -> None:
    receiver, url = echo
    (closed_desk.folder / SECRET_FILE).write_text(CANARY)
    closed_desk.set_variable("T_CANARY", CANARY)
    closed_desk.set_variable("T_CANARY_URL", f"{url}/ok/{CANARY}")
    closed_desk.set_variable("T_CANARY_KEY", CANARY.replace("-", "").ljust(32, "0"))
    closed_desk.set_variable("T_CANARY_SIGNING", f"whsec_{base64.b64encode(CANARY.encode()).decode()}")
    entries = placements(kind, url, closed_desk.folder)
    assert len(entries) >= 20
    closed_desk.connectors(**entries)
    told: list[bytes] = []
    async with closed_desk.open() as desk:
        for status in (TAKEN.get(kind, 200), 302):
            receiver.status = status
            told.append((await desk.deliver(timeout_seconds=1)).SerializeToString())
        failures = await desk.failures()
        assert failures, "most of them fail"
        listed = await desk.call("ListConnectors", pb.ListConnectorsRequest())
        told += [listed.SerializeToString(), *(failure.SerializeToString() for failure in failures)]
        request = pb.DescribeRetriesRequest(keys=[failure.key for failure in failures])
        described = await desk.call("DescribeRetries", request, desk.service)
        ready = [one for one in failures if _sendable(described, one)]
        results = await desk.retry(*[await desk.claim(one) for one in ready], timeout_seconds=1)
        told += [described.SerializeToString(), *(result.SerializeToString() for result in results)]
    checked = await check(closed_desk.folder / "connectors.yaml", [], True, 1.0)
    told.append(repr(checked).encode())
    assert kind in ("archive", "email") or receiver.requests > 0
    assert BY_NOUN["connector_delivery"].kind.encode() in closed_desk.store_bytes()
    output = capfd.readouterr()
    written = {
        "store": closed_desk.store_bytes(),
        "logs": (output.out + output.err).encode(),
        "answers": b"".join(told),
    }
    spellings = {
        CANARY.encode(),
        quote(CANARY, safe="").encode(),
        CANARY.replace("-", "").encode(),
        base64.b64encode(CANARY.encode()).rstrip(b"="),
        base64.b64encode(f"user:{CANARY}".encode()).rstrip(b"="),
        CANARY.lower().encode(),
    }
    for place, data in written.items():
        for spelling in spellings:
            assert spelling not in data, f"a secret is in the {place} as {spelling!r}"
