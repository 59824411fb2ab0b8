"""PlanApproval and DecideApproval over gRPC."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_service.errors import Refused
from cavra_verify.canonical import canonical
from cavra_verify.claims.approval import item_digest
from cavra_verify.merkle import leaf_hash

from tests.support.retry_desk import envelope

KEY = "retry_execution_approval_plan"


def items(envelope: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = envelope[KEY]["approval_decisions"]
    return found


async def test_a_failure_waits_for_its_acknowledgement_then_opens_once(retry: Any) -> None:
    failure = await retry.fail()
    plan = await retry.plan()
    waiting = await retry.plan_approval()
    (item,) = items(waiting)
    assert (item["action"], item["item_state"]) == ("wait_for_retry_ack", "waiting_for_ack")
    assert (item["item_digest"], item["expires_at"], waiting["waiting_count"]) == ("", None, 1)
    await retry.acknowledge(plan)
    opened = await retry.plan_approval()
    (item,) = items(opened)
    assert (item["action"], item["item_state"], item["approval_required"]) == (
        "request_approval",
        "open",
        True,
    )
    assert (item["delivery_id"], item["audit_id"], item["provider"]) == failure.key
    assert (item["retry_plan_id"], item["attempt_number"]) == (plan["session_id"], 2)
    assert item["payload_hash"] == failure.hashes[1].hex()
    assert item["policy"] == {
        "required_approvals": 1,
        "separation_of_duties": True,
        "require_retry_ack": True,
    }
    assert opened[KEY]["approval_required_count"] == opened["approval_required_count"] == 1
    retry.now += timedelta(minutes=30)
    again = await retry.plan_approval(expires_in_minutes=5, required_approvals=3)
    assert items(again) == [item]


async def test_only_what_the_newest_plan_would_retry_can_be_approved(retry: Any) -> None:
    await retry.fail(count=3)
    await retry.fail("chat")
    plan = await retry.plan()
    await retry.acknowledge(plan)
    assert [item["provider"] for item in items(await retry.plan_approval())] == ["chat"]
    await retry.plan(max_retry_attempts=1)
    assert items(await retry.plan_approval()) == []


async def test_an_approval_plan_before_any_retry_plan_is_empty(retry: Any) -> None:
    await retry.fail()
    envelope = await retry.plan_approval()
    assert (items(envelope), envelope["causes"]) == ([], [])


async def test_what_is_delivered_meanwhile_needs_no_approval(retry: Any) -> None:
    failure = await retry.fail()
    await retry.plan()
    failure.open = False
    assert items(await retry.plan_approval()) == []


@pytest.mark.parametrize(
    ("policy", "reason", "field"),
    [
        ({"require_retry_ack": False}, "policy_floor", "require_retry_ack"),
        ({"separation_of_duties": False}, "policy_floor", "separation_of_duties"),
        ({"expires_in_minutes": 241}, "policy_floor", "expires_in_minutes"),
        ({"expires_in_minutes": 0}, "invalid_value", "expires_in_minutes"),
        ({"required_approvals": 0}, "invalid_value", "required_approvals"),
        ({"required_approvals": 11}, "invalid_value", "required_approvals"),
    ],
)
async def test_a_request_can_not_weaken_the_installations_policy(
    retry: Any, policy: dict[str, Any], reason: str, field: str
) -> None:
    await retry.refused(retry.plan_approval(**policy), reason, f"approval_policy.{field}")


async def test_an_installation_without_required_acknowledgement_opens_on_the_newest_plan(
    opened: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CAVRA_APPROVAL_REQUIRE_RETRY_ACK", "false")
    retry = await opened()
    async with retry.running():
        await retry.fail()
        plan = await retry.plan()
        approval = await retry.plan_approval()
        (item,) = items(approval)
        assert (item["item_state"], item["retry_plan_id"]) == ("open", plan["session_id"])
        assert approval[KEY]["require_retry_ack"] is False
        assert (await retry.decide(approval)).item_state == "approved"
        (strict,) = items(await retry.plan_approval(require_retry_ack=True))
        assert strict["policy"]["require_retry_ack"] is False


@pytest.mark.parametrize(
    ("state", "after"),
    [
        ("", "approved"),
        ("approved", "approved"),
        ("denied", "denied"),
        ("deferred", "open"),
        ("expired", "expired"),
        ("revoked", "revoked"),
    ],
)
async def test_a_decision_says_the_state_that_it_led_to(retry: Any, state: str, after: str) -> None:
    failure = await retry.fail()
    approval = await retry.reviewed()
    answer = await retry.decide(approval, state, external_ref="CHG-7", notes="seen")
    (envelope,) = await retry.records(approval_plan_id=approval["session_id"], actor="bob")
    record = envelope["retry_execution_approval_decision"]
    assert answer.item_state == record["item_state"] == after
    assert record["approval_state"] == envelope["approval_state"] == (state or "approved")
    assert (record["delivery_id"], record["audit_id"], record["provider"]) == failure.key
    assert (record["decided_by"], record["external_ref"], record["notes"]) == ("bob", "CHG-7", "seen")
    assert (record["item_digest"], record["digest_named"]) == (items(approval)[0]["item_digest"], False)
    assert answer.decision.signature
    assert ("approval_quorum_met" in record["controls"]) is (after == "approved")
    assert approval["session_id"] in {cause["id"] for cause in envelope["causes"]}


async def test_an_approver_binds_the_decision_to_the_digest_that_was_seen(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.turned_away(retry.decide(approval, item_digest="0" * 64), "content_changed", "item_digest")
    await retry.refused(retry.decide(approval, item_digest="zz"), "invalid_value", "item_digest")
    digest = items(approval)[0]["item_digest"]
    answer = await retry.decide(approval, item_digest=digest)
    assert answer.item_state == "approved"
    record = envelope(answer.decision)["retry_execution_approval_decision"]
    assert (record["item_digest"], record["digest_named"]) == (digest, True)


@pytest.mark.parametrize("who", ["paula", "rita", "sam"])
async def test_who_planned_or_acknowledged_can_not_approve(retry: Any, who: str) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.turned_away(retry.decide(approval, who=who), "self_approval")


async def test_a_quorum_takes_distinct_people(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed(required_approvals=2)
    assert (await retry.decide(approval)).item_state == "open"
    await retry.refused(retry.decide(approval), "invalid_transition", "approval_state")
    assert (await retry.run()).results == []
    assert (await retry.decide(approval, who="ann")).item_state == "approved"
    await retry.refused(retry.decide(approval, who="cid"), "invalid_transition", "approval_state")
    (item,) = items(await retry.plan_approval())
    assert [one["decided_by"] for one in item["decisions"]] == ["bob", "ann"]
    assert len((await retry.run()).results) == 1


async def test_forty_parallel_decisions_are_each_recorded_or_refused(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed(required_approvals=10)
    answers = await asyncio.gather(
        *(retry.decide(approval, who=f"approver{number}") for number in range(40)), return_exceptions=True
    )
    taken = [one for one in answers if not isinstance(one, BaseException)]
    assert [one.item_state for one in taken].count("approved") == 1
    assert len(taken) == 10
    refusals = {one.reason for one in answers if isinstance(one, Refused)}
    assert refusals == {"invalid_transition"}
    decisions = await retry.records(
        approval_plan_id=approval["session_id"], metadata_kind=taken[0].decision.kind
    )
    assert {one["session_id"] for one in decisions} == {one.decision.id for one in taken}
    (item,) = items(await retry.plan_approval())
    assert len(item["decisions"]) == 10


async def test_an_item_must_be_named_exactly(retry: Any) -> None:
    first, second = await retry.fail(), await retry.fail()
    plan = await retry.plan()
    for failure in (first, second):
        await retry.acknowledge(plan, delivery_id=failure.key[0])
    approval = await retry.plan_approval()
    await retry.refused(retry.decide(approval), "ambiguous_item", "provider")
    answer = await retry.decide(approval, delivery_id=second.key[0], audit_id=second.key[1])
    assert answer.item_state == "approved"
    states = {item["delivery_id"]: item["item_state"] for item in items(await retry.plan_approval())}
    assert states == {first.key[0]: "open", second.key[0]: "approved"}


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"approval_plan_id": "gordackretryapproval-" + "0" * 28}, "unknown_plan", "approval_plan_id"),
        ({"provider": "other"}, "unknown_item", "provider"),
        ({"provider": ""}, "invalid_value", "provider"),
        ({"retry_plan_id": "gordackretry-" + "0" * 28}, "unknown_item", "provider"),
        ({"delivery_id": "gordackdelivery-" + "0" * 28}, "unknown_item", "provider"),
        ({"audit_id": "gordackaudit-" + "0" * 28}, "unknown_item", "provider"),
        ({"approval_state": 9}, "invalid_value", "approval_state"),
        ({"external_ref": "not a reference"}, "invalid_reference", "external_ref"),
        ({"notes": "x" * 2001}, "too_long", "notes"),
        ({"notes": "Bea" + "rer abcdefgh12345678"}, "credential_found", "notes"),
    ],
)
async def test_a_wrong_decision_is_refused_by_field_and_writes_nothing(
    retry: Any, change: dict[str, Any], reason: str, field: str
) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    request = pb.DecideApprovalRequest(
        **{"approval_plan_id": approval["session_id"], "provider": "hook", **change}
    )
    await retry.refused(retry.call("DecideApproval", request, "bob", "approver"), reason, field)
    assert items(await retry.plan_approval())[0]["item_state"] == "open"


async def test_deciding_takes_an_approver(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    request = pb.DecideApprovalRequest(approval_plan_id=approval["session_id"], provider="hook")
    for role in ("operator", "auditor", "service"):
        await retry.refused(retry.call("DecideApproval", request, "bob", role), "role_required")


async def test_before_an_acknowledgement_there_is_nothing_to_decide(retry: Any) -> None:
    await retry.fail()
    plan = await retry.plan()
    approval = await retry.plan_approval()
    await retry.refused(retry.decide(approval), "acknowledgement_required", "provider")
    await retry.acknowledge(plan, "deferred")
    approval = await retry.plan_approval()
    await retry.refused(retry.decide(approval), "acknowledgement_required", "provider")


async def test_an_acknowledgement_that_is_taken_back_stops_an_approval(retry: Any) -> None:
    await retry.fail()
    plan = await retry.plan()
    await retry.acknowledge(plan)
    approval = await retry.plan_approval()
    await retry.acknowledge(plan, "dismissed")
    await retry.refused(retry.decide(approval), "acknowledgement_required", "provider")
    await retry.acknowledge(plan, "resolved")
    assert (await retry.decide(approval)).item_state == "approved"


async def test_an_expired_item_can_not_be_approved(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed(expires_in_minutes=10)
    retry.now += timedelta(minutes=10)
    await retry.turned_away(retry.decide(approval), "item_closed", "provider")
    assert (await retry.decide(approval, "expired")).item_state == "expired"


@pytest.mark.parametrize("state", ["denied", "expired", "revoked"])
async def test_an_ended_item_ends_its_acknowledgement(retry: Any, state: str) -> None:
    await retry.fail()
    plan = await retry.plan()
    await retry.acknowledge(plan)
    approval = await retry.plan_approval()
    ending = (await retry.decide(approval, state)).decision.id
    turned = retry.turned_away if state == "expired" else retry.refused
    await turned(retry.decide(approval, who="ann"), "item_closed", "provider")
    await retry.acknowledge(plan)
    (item,) = items(await retry.plan_approval())
    assert (item["item_state"], item["reason"]) == ("waiting_for_ack", f"previous_{state}")
    newer = await retry.plan()
    await retry.acknowledge(newer)
    reopened = await retry.plan_approval()
    (item,) = items(reopened)
    assert (item["item_state"], item["retry_plan_id"]) == ("open", newer["session_id"])
    assert item["item_digest"] != items(approval)[0]["item_digest"]
    assert ending in {cause["id"] for cause in reopened["causes"]}
    assert (await retry.decide(reopened)).item_state == "approved"


async def test_planning_ends_an_item_whose_content_changed(retry: Any) -> None:
    failure = await retry.fail()
    approval = await retry.reviewed()
    failure.payload = "another body"
    (item,) = items(await retry.plan_approval())
    assert (item["item_state"], item["reason"]) == ("waiting_for_ack", "previous_changed")
    await retry.turned_away(retry.decide(approval), "item_closed", "provider")


async def test_parallel_approval_plans_open_one_item(retry: Any) -> None:
    await retry.fail()
    await retry.acknowledge(await retry.plan())
    plans = await asyncio.gather(*(retry.plan_approval() for _ in range(8)))
    assert len({items(plan)[0]["item_digest"] for plan in plans}) == 1


async def test_a_decision_outlives_a_restart(opened: Any) -> None:
    retry = await opened()
    await retry.fail()
    async with retry.running():
        await retry.approved()
    async with retry.running():
        (item,) = items(await retry.plan_approval())
        assert (item["item_state"], item["action"]) == ("approved", "already_approved")
        assert len((await retry.run()).results) == 1


async def test_who_reads_a_plan_can_make_up_the_digest_of_each_item_from_what_it_shows(retry: Any) -> None:
    await retry.fail()
    plan = await retry.plan()
    (waiting,) = items(await retry.plan_approval())
    assert (waiting["failed_record_hash"], waiting["retry_plan_hash"]) == ("", "")
    await retry.acknowledge(plan)
    (item,) = items(await retry.plan_approval())
    assert item["retry_plan_hash"] == leaf_hash(canonical(plan)).hex()
    assert item_digest(item, item["failed_record_hash"], item["retry_plan_hash"]) == item["item_digest"]
