"""One trace to hand over: a bundle holds every log's part or is not made, and the verdict is the verifier's own."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cavra_cli.main import app
from cavra_evidence.ids import new_id
from cavra_gateway.services import NAMES
from cavra_gateway.settings import GatewaySettings
from cavra_service import bundling
from cavra_service.policies import policy_document
from cavra_verify.bundle import Bundle, read
from cavra_verify.claims.integrity import CLAIMS
from cavra_verify.policy import Policy, read_policy
from cavra_verify.verify import verify
from typer.testing import CliRunner, Result

from tests.support.fake_services import FakeServices, cause
from tests.support.samples import draft, sample

R = "/runtime/go-pilot/rollback-drill-notifications"
INTEGRITY = {claim.name for claim in CLAIMS}


async def get(fakes: FakeServices, path: str, role: str = "auditor") -> tuple[int, bytes, Any]:
    """(status, bytes, headers) below the notifications."""
    assert fakes._http is not None
    headers = {"authorization": f"Bearer {fakes.installation.token('ann', role)}"}
    async with fakes._http.get(f"{fakes.url}{R}/{path}", headers=headers) as response:
        return response.status, await response.read(), response.headers


async def bundle_of(fakes: FakeServices, trace: str, query: str = "") -> bytes:
    """A trace's bundle, which must be there."""
    status, body, headers = await get(fakes, f"trace/{trace}/bundle{query}")
    assert (status, headers["content-type"]) == (200, "application/vnd.cavra.bundle+json"), body
    return body


async def refusal(fakes: FakeServices, path: str) -> tuple[int, str]:
    """(status, reason)."""
    status, body, _ = await get(fakes, path)
    return status, json.loads(body)["reason"]


def policy_of(fakes: FakeServices) -> Policy:
    """The installation's."""
    return read_policy(json.dumps(policy_document(fakes.installation.settings)).encode())


def statuses(data: bytes, fakes: FakeServices, *since: str) -> dict[str, str]:
    """What became of the claims about bytes, logs and links."""
    judged = verify(data, policy_of(fakes), since).claims
    return {one.name: one.status for one in judged if one.name in INTEGRITY}


def sizes(bundle: Bundle) -> dict[str, tuple[int, int]]:
    """By service: (records of the trace, records shown)."""
    return {log.origin.rpartition("/")[2]: (log.head.count, len(log.records)) for log in bundle.logs}


async def chain_in(fakes: FakeServices) -> str:
    """A trace in delivery's and retry's logs, among records of others, with a cause of another trace."""
    trace, other = new_id("gordackdelivery"), new_id("gordackdelivery")
    (package,) = await fakes.write("delivery", draft(sample("audit_package"), trace_ids=(other,)))
    for _ in range(5):
        await fakes.write("delivery", draft(sample("delivery_plan"), trace_ids=(other,)))
    (plan,) = await fakes.write(
        "delivery", draft(sample("delivery_plan"), trace_ids=(trace,), causes=(cause(package),))
    )
    (sent,) = await fakes.write(
        "delivery", draft(sample("connector_delivery"), trace_ids=(trace, other), causes=(cause(plan),))
    )
    await fakes.write("retry", *(draft(sample("retry_plan"), trace_ids=(other,)) for _ in range(3)))
    await fakes.write("retry", draft(sample("retry_plan"), trace_ids=(trace,), causes=(cause(sent),)))
    return trace


async def test_a_bundle_shows_the_trace_and_its_causes_in_every_log(fakes: FakeServices) -> None:
    trace = await chain_in(fakes)
    data = await bundle_of(fakes, trace)
    assert sizes(read(data)) == {"delivery": (2, 3), "recovery": (0, 0), "retry": (1, 1)}
    assert statuses(data, fakes) == dict.fromkeys(INTEGRITY, "holds")


async def test_the_same_heads_give_the_same_bytes_whoever_asks(fakes: FakeServices) -> None:
    trace = await chain_in(fakes)
    data = await bundle_of(fakes, trace)
    for role in ("operator", "approver", "service"):
        assert (await get(fakes, f"trace/{trace}/bundle", role))[1] == data
    await fakes.write("recovery", draft(sample("playbook")))
    assert await bundle_of(fakes, trace) != data


async def test_a_grpc_client_collects_the_same_file_without_the_gateway(
    fakes: FakeServices, tmp_path: Path
) -> None:
    trace = await chain_in(fakes)
    early = read(await bundle_of(fakes, trace))
    await chain_in(fakes)
    asked = ["--data-dir", str(fakes.installation.settings.data_dir)]
    for log in early.logs[::2]:
        kept = tmp_path / log.origin.rpartition("/")[2]
        kept.write_text(log.checkpoint)
        asked += ["--since", str(kept)]
    sizes = "&".join(f"since={log.origin.rpartition('/')[2]}:{log.head.tree_size}" for log in early.logs[::2])
    printed = await cavra(fakes, "bundle", trace, *asked)
    assert (printed.exit_code, printed.stderr) == (0, "")
    assert printed.stdout_bytes == await bundle_of(fakes, trace, f"?{sizes}")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ([], "no log holds a record of such a trace"),
        (["--since", "/dev/null"], "got no checkpoint of cavra.local/delivery, "),
        (["--token-file", "/dev/null"], "cavra: "),
    ],
    ids=["unknown", "no checkpoint", "no token"],
)
async def test_what_is_no_bundle_is_said_and_not_printed(
    fakes: FakeServices, asked: list[str], says: str
) -> None:
    folder = str(fakes.installation.settings.data_dir)
    printed = await cavra(fakes, "bundle", "gordackdelivery-none", "--data-dir", folder, *asked)
    assert (printed.exit_code, printed.stdout) == (2, "")
    assert says in printed.stderr


async def cavra(fakes: FakeServices, *arguments: str) -> Result:
    """The command, run beside the services."""
    settings = fakes.installation.settings
    known = {f"CAVRA_{name.upper()}_ADDRESS": getattr(settings, f"{name}_address") for name in NAMES}
    return await asyncio.to_thread(CliRunner().invoke, app, arguments, env=known)


async def test_a_bundle_extends_the_checkpoints_that_were_kept(fakes: FakeServices) -> None:
    trace = await chain_in(fakes)
    kept = read(await bundle_of(fakes, trace))
    await chain_in(fakes)
    asked = "&since=".join(f"{log.origin.rpartition('/')[2]}:{log.head.tree_size}" for log in kept.logs[::2])
    data = await bundle_of(fakes, trace, f"?since=delivery:3&since={asked}")
    notes = [log.checkpoint for log in kept.logs[::2]]
    assert statuses(data, fakes, *notes) == dict.fromkeys(INTEGRITY, "holds")
    assert [len(log.earlier) for log in read(data).logs] == [2, 0, 1]
    without = await bundle_of(fakes, trace)
    assert statuses(without, fakes, *notes)["consistency"] == "unchecked"


@pytest.mark.parametrize(
    ("since", "reason"),
    [
        ("retry:9999", "invalid_tree_size"),
        ("retry:0", "invalid_value"),
        ("retry:-1", "invalid_value"),
        ("retry", "invalid_value"),
        ("gateway:1", "invalid_value"),
        ("&since=".join(f"delivery:{size}" for size in range(1, 10)), "invalid_value"),
    ],
)
async def test_a_size_that_no_checkpoint_had_is_refused(fakes: FakeServices, since: str, reason: str) -> None:
    trace = await chain_in(fakes)
    assert await refusal(fakes, f"trace/{trace}/bundle?since={since}") == (400, reason)


@pytest.mark.parametrize("what", ["bundle", "verification"])
async def test_a_trace_that_no_log_knows_is_not_there(fakes: FakeServices, what: str) -> None:
    await chain_in(fakes)
    assert await refusal(fakes, f"trace/{new_id('gordackdelivery')}/{what}") == (404, "unknown_trace")


@pytest.mark.parametrize("what", ["bundle", "verification"])
@pytest.mark.parametrize("service", ["delivery", "recovery", "retry"])
async def test_a_bundle_is_never_silently_partial(fakes: FakeServices, service: str, what: str) -> None:
    trace = await chain_in(fakes)
    await fakes.stop(service)
    assert await refusal(fakes, f"trace/{trace}/{what}") == (503, "service_unavailable")


async def test_what_is_written_while_logs_are_asked_is_there_with_its_causes(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = await chain_in(fakes)
    asked = bundling._Collection._part
    answered: list[str] = []

    async def in_turn(collection: Any, name: str) -> Any:
        answer = await asked(collection, name)
        answered.append(name)
        if answered == ["delivery"]:
            # Delivery's answer is on its way when it sends once more, and retry tells of it.
            (sent,) = await fakes.write("delivery", draft(sample("connector_delivery"), trace_ids=(trace,)))
            await fakes.write(
                "retry", draft(sample("execution_record"), trace_ids=(trace,), causes=(cause(sent),))
            )
        return answer

    async def one_after_another(*parts: Any) -> list[Any]:
        return [await part for part in parts]

    monkeypatch.setattr(bundling._Collection, "_part", in_turn)
    tools = SimpleNamespace(gather=one_after_another, to_thread=asyncio.to_thread)
    monkeypatch.setattr("cavra_service.bundling.asyncio", tools)
    data = await bundle_of(fakes, trace)
    assert answered == ["delivery", "recovery", "retry", "delivery"]
    assert sizes(read(data)) == {"delivery": (3, 4), "recovery": (0, 0), "retry": (2, 2)}
    assert statuses(data, fakes) == dict.fromkeys(INTEGRITY, "holds")


async def test_a_cause_that_no_log_holds_is_left_to_the_verifier(fakes: FakeServices) -> None:
    trace = await chain_in(fakes)
    lost = cause((await fakes.write("delivery", draft(sample("connector_delivery"))))[0])
    lost = type(lost)(new_id("rcd"), lost.kind, lost.record_hash)
    await fakes.write("retry", draft(sample("retry_plan"), trace_ids=(trace,), causes=(lost,)))
    assert statuses(await bundle_of(fakes, trace), fakes)["causes"] == "refuted"


async def test_the_verdict_is_the_verifiers_own(fakes: FakeServices) -> None:
    trace = await chain_in(fakes)
    status, body, _ = await get(fakes, f"trace/{trace}/verification")
    expected = verify(await bundle_of(fakes, trace), policy_of(fakes)).document()
    assert (status, json.loads(body)) == (200, expected)


@pytest.fixture
async def pinned(tmp_path: Path) -> AsyncIterator[FakeServices]:
    """Services of an installation that verifies by a policy of its own."""
    fakes = FakeServices(tmp_path)
    known = fakes.installation.settings.model_dump()
    path = tmp_path / "policy.json"
    fakes.installation.settings = GatewaySettings(**{**known, "verification_policy": path})
    async with fakes.running() as running:
        yield running


async def test_the_policy_that_is_configured_decides(pinned: FakeServices, tmp_path: Path) -> None:
    trace = await chain_in(pinned)
    assert await refusal(pinned, f"trace/{trace}/verification") == (503, "service_unavailable")
    strange = policy_document(pinned.installation.settings)
    strange["logs"][0]["keys"] = [{"public_key": "A" * 43 + "="}]
    (tmp_path / "policy.json").write_text(json.dumps(strange))
    _, body, _ = await get(pinned, f"trace/{trace}/verification")
    claims = {one["name"]: one["status"] for one in json.loads(body)["claims"]}
    assert (claims["checkpoint"], claims["dense"]) == ("refuted", "refuted")
