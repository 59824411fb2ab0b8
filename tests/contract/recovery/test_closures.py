"""CloseRecovery over gRPC."""

import asyncio
from typing import Any

import pytest
from cavra.recovery.v1 import recovery_pb2 as pb
from cavra_evidence.ids import new_id
from cavra_verify.kinds import BY_NOUN

NOWHERE = "0" * 28
"""Suffix of an id that nobody made."""


async def test_a_delivered_execution_after_the_last_failure_resolves(recovery: Any) -> None:
    playbook = await recovery.failing()
    execution = await recovery.peers.execute("splunk")
    envelope = await recovery.close(
        playbook, verification_refs=[execution.id], notes="rotated", external_ref="OPS-1"
    )
    record = envelope["connector_recovery_closure"]
    assert (record["closure_state"], record["previous_state"], record["closed_by"]) == (
        "resolved",
        "open",
        "oscar",
    )
    assert (record["verification_refs"], record["notes"]) == ([execution.id], "rotated")
    assert (envelope["playbook_id"], envelope["provider"], envelope["external_ref"]) == (
        playbook,
        "splunk",
        "OPS-1",
    )
    causes = {cause["kind"]: cause["record_hash"] for cause in envelope["causes"]}
    assert set(causes) == {
        BY_NOUN[noun].kind for noun in ("playbook", "execution_record", "connector_delivery")
    }
    assert causes[BY_NOUN["execution_record"].kind] == execution.record_hash.hex()
    assert len(envelope["trace_ids"]) == 2
    assert await recovery.gauges() == {"closed": 1}


@pytest.mark.parametrize("form", ["{}", "connector-delivery://{}"])
async def test_a_delivery_after_the_last_failure_resolves(recovery: Any, form: str) -> None:
    playbook = await recovery.failing()
    delivery = await recovery.peers.deliver("splunk")
    envelope = await recovery.close(playbook, "resolved", verification_refs=[form.format(delivery.id)])
    assert delivery.id in {cause["id"] for cause in envelope["causes"]}


async def test_what_was_delivered_before_a_later_failure_resolves_nothing(recovery: Any) -> None:
    playbook = await recovery.failing()
    delivery = await recovery.peers.deliver("splunk")
    await recovery.peers.deliver("splunk", "server_error", 503)
    asked = recovery.close(playbook, verification_refs=[delivery.id])
    await recovery.refused(asked, "verification_required", "verification_refs")
    later = await recovery.peers.deliver("splunk")
    assert await recovery.close(playbook, verification_refs=[delivery.id, later.id])


async def test_a_delivery_before_the_playbooks_last_failure_resolves_nothing(recovery: Any) -> None:
    delivery = await recovery.peers.deliver("splunk")
    playbook = await recovery.failing()
    asked = recovery.close(playbook, verification_refs=[delivery.id, "OPS-1"])
    await recovery.refused(asked, "verification_required", "verification_refs")


@pytest.mark.parametrize("status", ["failed", "skipped", "unknown"])
async def test_an_execution_that_was_not_delivered_resolves_nothing(recovery: Any, status: str) -> None:
    playbook = await recovery.failing()
    execution = await recovery.peers.execute("splunk", status)
    asked = recovery.close(playbook, verification_refs=[execution.id])
    await recovery.refused(asked, "verification_required", "verification_refs")


@pytest.mark.parametrize("state", ["mitigated", "resolved"])
async def test_what_somebody_asserts_of_an_unknown_execution_verifies_no_closure(
    recovery: Any, state: str
) -> None:
    playbook = await recovery.failing()
    resolution = new_id("gordackretryresolution")
    asked = recovery.close(playbook, state, verification_refs=[resolution])
    await recovery.refused(asked, "invalid_reference", "verification_refs[0]")


async def test_a_delivery_of_another_provider_resolves_nothing(recovery: Any) -> None:
    playbook = await recovery.failing()
    execution = await recovery.peers.execute("jira")
    asked = recovery.close(playbook, verification_refs=[execution.id])
    await recovery.refused(asked, "verification_required", "verification_refs")


async def test_a_delivery_under_another_key_is_no_record_of_delivery(recovery: Any) -> None:
    playbook = await recovery.failing()
    forged = await recovery.peers.forge(await recovery.peers.deliver("splunk"))
    asked = recovery.close(playbook, verification_refs=[forged.id])
    await recovery.refused(asked, "unknown_reference", "verification_refs[0]")


async def test_a_recovery_goes_through_all_its_states(recovery: Any) -> None:
    playbook = await recovery.failing()
    gauges = [await recovery.gauges()]
    ids: list[str] = []
    for state in ("deferred", "escalated", "mitigated", "reopened", "mitigated", "resolved", "reopened"):
        delivered = await recovery.peers.deliver("splunk")
        envelope = await recovery.close(playbook, state, verification_refs=[delivered.id])
        assert [cause["id"] for cause in envelope["causes"]] == [playbook, *ids[-1:], delivered.id]
        ids.append(envelope["session_id"])
        gauges.append(await recovery.gauges())
    assert gauges == [
        {"open": 1}, {"open": 1}, {"open": 1}, {"closed": 1}, {"reopened": 1}, {"closed": 1}, {"closed": 1}, {"reopened": 1},
    ]  # fmt: skip
    found = await recovery.records(playbook_id=playbook, closure_state="reopened")
    assert [one["session_id"] for one in found] == [ids[6], ids[3]]


@pytest.mark.parametrize("state", ["open", "deferred", "escalated"])
async def test_what_is_not_closed_is_not_reopened(recovery: Any, state: str) -> None:
    playbook = await recovery.failing()
    if state != "open":
        await recovery.close(playbook, state)
    await recovery.refused(recovery.close(playbook, "reopened"), "invalid_transition", "closure_state")


async def test_references_of_every_log_resolve(recovery: Any) -> None:
    playbook = await recovery.failing()
    closure = (await recovery.close(playbook, "deferred"))["session_id"]
    execution, delivery = await recovery.peers.execute("splunk"), await recovery.peers.deliver("jira", "dns")
    named = [playbook, closure, execution.id, delivery.id]
    others = ["OPS-1", "https://status.example.com/42", "step:check_latency"]
    envelope = await recovery.close(playbook, "escalated", verification_refs=[*named, *others])
    assert [cause["id"] for cause in envelope["causes"]] == [playbook, closure, delivery.id, execution.id]
    assert "verification_refs_checked" in envelope["connector_recovery_closure"]["controls"]


@pytest.mark.parametrize(
    "reference",
    [
        f"gordackrecovery-{NOWHERE}",
        f"gordackretryexec-{NOWHERE}",
        f"rcd-{NOWHERE}",
        f"go-rollback-drill-retry-worker://gordackworker-{NOWHERE}",
        "rcd-42",
        "step:rotate_credential",
    ],
)
async def test_a_reference_that_resolves_nowhere_is_refused(recovery: Any, reference: str) -> None:
    playbook = await recovery.failing()
    asked = recovery.close(playbook, "deferred", verification_refs=["OPS-1", reference])
    await recovery.refused(asked, "unknown_reference", "verification_refs[1]")


async def test_a_record_under_a_name_of_another_kind_does_not_resolve(recovery: Any) -> None:
    playbook = await recovery.failing()
    suffix = playbook.partition("-")[2]
    asked = recovery.close(playbook, "deferred", verification_refs=[f"gordackrecoveryclosure-{suffix}"])
    await recovery.refused(asked, "unknown_reference", "verification_refs[0]")


@pytest.mark.parametrize(
    ("request_", "reason", "field"),
    [
        ({"verification_refs": ["not a reference"]}, "invalid_reference", "verification_refs[0]"),
        ({"verification_refs": ["https://a:b@example.com"]}, "credential_found", "verification_refs[0]"),
        ({"verification_refs": ["OPS-1"] * 21}, "too_long", "verification_refs"),
        ({"external_ref": "not a reference"}, "invalid_reference", "external_ref"),
        ({"external_ref": "x" * 257}, "too_long", "external_ref"),
        ({"notes": "Bearer abcdefghijklmnop"}, "credential_found", "notes"),
        ({"notes": "x" * 2001}, "too_long", "notes"),
        ({"provider": ""}, "invalid_value", "provider"),
        ({"provider": "jira"}, "unknown_provider", "provider"),
    ],
)
async def test_bad_input_is_refused_by_its_field(
    recovery: Any, request_: Any, reason: str, field: str
) -> None:
    playbook = await recovery.failing()
    await recovery.refused(recovery.close(playbook, "deferred", **request_), reason, field)


async def test_an_unknown_closure_state_is_refused(recovery: Any) -> None:
    asked = pb.CloseRecoveryRequest(playbook_id=await recovery.failing(), provider="splunk", closure_state=77)  # type: ignore[arg-type]
    await recovery.refused(recovery.send(asked), "invalid_value", "closure_state")


@pytest.mark.parametrize("playbook", ["", f"gordackrecovery-{NOWHERE}", "nonsense"])
async def test_an_unknown_playbook_is_refused(recovery: Any, playbook: str) -> None:
    await recovery.refused(recovery.close(playbook, "deferred"), "unknown_playbook", "playbook_id")


async def test_a_closure_is_no_playbook(recovery: Any) -> None:
    closure = (await recovery.close(await recovery.failing(), "deferred"))["session_id"]
    await recovery.refused(recovery.close(closure, "deferred"), "unknown_playbook", "playbook_id")


async def test_closing_needs_proof(recovery: Any) -> None:
    playbook = await recovery.failing()
    for state in ("resolved", "mitigated"):
        await recovery.refused(recovery.close(playbook, state), "verification_required", "verification_refs")
    await recovery.refused(
        recovery.close(playbook, "resolved", external_ref="OPS-1"),
        "verification_required",
        "verification_refs",
    )


async def test_without_a_peer_its_references_resolve_nothing_and_nothing_is_written(recovery: Any) -> None:
    playbook = await recovery.failing()
    execution = await recovery.peers.execute("splunk")
    await recovery.peers.stop("retry")
    await recovery.refused(recovery.close(playbook, verification_refs=[execution.id]), "service_unavailable")
    await recovery.peers.stop("delivery")
    delivery = f"rcd-{NOWHERE}"
    await recovery.refused(
        recovery.close(playbook, "deferred", verification_refs=[delivery]), "service_unavailable"
    )
    assert await recovery.close(playbook, "deferred", verification_refs=["OPS-1"])


async def test_forty_closures_at_once_are_all_written(recovery: Any) -> None:
    playbook = await recovery.failing()
    answers = await asyncio.gather(
        *(recovery.close(playbook, "deferred", notes=f"closure {n}") for n in range(40))
    )
    written = {answer["session_id"] for answer in answers}
    assert len(written) == 40
    found = await recovery.records(playbook_id=playbook, closure_state="deferred")
    assert {one["session_id"] for one in found} == written
    assert await recovery.gauges() == {"open": 1}
    # One chain: each closure but the first rests on the one before it.
    before = [cause["id"] for one in found for cause in one["causes"] if cause["id"] != playbook]
    assert before == [one["session_id"] for one in found[1:]]


async def test_of_many_playbooks_at_once_one_stays_open(recovery: Any) -> None:
    await recovery.failing()
    written = await asyncio.gather(*(recovery.playbook() for _ in range(12)))
    assert await recovery.gauges() == {"open": 1, "superseded": len(written)}
