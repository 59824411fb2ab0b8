"""Refusals that are evidence: signed, in the trace, once for each person and reason."""

from datetime import timedelta
from typing import Any

import pytest
from cavra_evidence.records.retry import RetryRefusal
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_NOUN
from cavra_verify.signatures import RECORD_TYPE, verify_signature

KIND = BY_NOUN["retry_refusal"].kind


async def test_a_refused_approval_is_signed_evidence_in_the_trace_of_its_delivery(retry: Any) -> None:
    failure = await retry.fail()
    approval = await retry.reviewed()
    (item,) = approval["retry_execution_approval_plan"]["approval_decisions"]
    found = await retry.turned_away(retry.decide(approval, who="sam", notes="Mine."), "self_approval")
    said = found["retry_refusal"]
    assert (said["delivery_id"], said["audit_id"], said["provider"]) == failure.key
    assert (said["reason"], said["approval_state"], said["item_state"]) == (
        "self_approval",
        "approved",
        "open",
    )
    assert (said["refused_person"], found["actor"]["sub"]) == ("sam", "sam")
    assert (said["item_digest"], said["named_digest"]) == (item["item_digest"], "")
    assert said["controls"] == ["separation_of_duties"]
    assert "Mine." not in str(found)
    assert approval["session_id"] in {cause["id"] for cause in found["causes"]}
    assert found["session_id"] in {one["session_id"] for one in await retry.records(trace=failure.key[0])}
    (record,) = await retry.raw(metadata_kind=KIND)
    key = bytes.fromhex((retry.settings.identity / "trust" / "retry.pub").read_text())
    verify_signature(key, record.signature, RECORD_TYPE, record.canonical)


async def test_a_digest_of_other_content_is_kept_beside_the_item_s_own(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    seen = "0" * 64
    found = await retry.turned_away(
        retry.decide(approval, item_digest=seen), "content_changed", "item_digest"
    )
    said = found["retry_refusal"]
    assert (said["reason"], said["named_digest"], said["item_state"]) == ("content_changed", seen, "open")


async def test_an_approval_that_was_used_is_not_used_again_and_who_tries_is_recorded(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.decide(approval)
    await retry.run()
    found = await retry.turned_away(retry.decide(approval, who="ann"), "item_closed", "provider")
    assert (found["retry_refusal"]["reason"], found["retry_refusal"]["item_state"]) == (
        "approval_used",
        "settled",
    )


async def test_who_comes_too_late_is_recorded(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed(expires_in_minutes=10)
    retry.now += timedelta(minutes=10)
    found = await retry.turned_away(retry.decide(approval), "item_closed", "provider")
    assert (found["retry_refusal"]["reason"], found["retry_refusal"]["item_state"]) == (
        "approval_expired",
        "expired",
    )


async def test_an_item_that_changed_turns_its_approver_away_on_the_record(retry: Any) -> None:
    failure = await retry.fail()
    approval = await retry.reviewed()
    failure.payload = "another body"
    await retry.plan_approval()
    found = await retry.turned_away(retry.decide(approval), "item_closed", "provider")
    assert (found["retry_refusal"]["reason"], found["retry_refusal"]["item_state"]) == (
        "content_changed",
        "changed",
    )


async def test_the_same_refusal_is_recorded_once_for_each_person_and_reason(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.turned_away(retry.decide(approval, who="sam"), "self_approval")
    await retry.refused(retry.decide(approval, who="sam"), "self_approval")
    await retry.turned_away(retry.decide(approval, who="rita"), "self_approval")
    stale = {"who": "sam", "item_digest": "0" * 64}
    await retry.turned_away(retry.decide(approval, **stale), "content_changed", "item_digest")
    await retry.refused(retry.decide(approval, **stale), "content_changed", "item_digest")
    reasons = [RetryRefusal.read(one.canonical).reason for one in await retry.raw(metadata_kind=KIND)]
    assert sorted(reasons) == ["content_changed", "self_approval", "self_approval"]


@pytest.mark.parametrize("state", ["denied", "revoked"])
async def test_a_decision_on_what_people_ended_writes_nothing(retry: Any, state: str) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.decide(approval, state)
    await retry.refused(retry.decide(approval, who="ann"), "item_closed", "provider")


async def test_every_other_refusal_writes_nothing(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed(required_approvals=2)
    await retry.decide(approval)
    await retry.refused(retry.decide(approval), "invalid_transition", "approval_state")
    await retry.refused(retry.decide(approval, provider="other"), "unknown_item", "provider")
    await retry.refused(
        retry.decide(approval, who="ann", external_ref="no ref"), "invalid_reference", "external_ref"
    )


_WEAKER = {"expires_in_minutes": 10_000}
_FLOOR = ("policy_floor", "approval_policy.expires_in_minutes")


async def test_who_asks_for_weaker_approval_is_recorded_with_the_items_that_wait_for_one(retry: Any) -> None:
    failures = [await retry.fail(), await retry.fail(provider="other")]
    first = await retry.plan()
    for failure in failures:
        await retry.acknowledge(first, provider=failure.key[2])
    approval = await retry.plan_approval()
    await retry.decide(approval)
    with pytest.raises(Refused) as refused:
        await retry.plan_approval(who="sam", **_WEAKER)
    assert (refused.value.reason, refused.value.field) == _FLOOR
    found = await retry.records(metadata_kind=KIND)
    shown = {
        one["delivery_id"]: one for one in approval["retry_execution_approval_plan"]["approval_decisions"]
    }
    assert {one["retry_refusal"]["item_digest"] for one in found} == {
        one["item_digest"] for one in shown.values()
    }
    for one in found:
        said = one["retry_refusal"]
        assert (said["reason"], said["approval_state"], said["named_digest"]) == ("policy_floor", "", "")
        assert (said["refused_person"], one["actor"]["sub"]) == ("sam", "sam")
        assert (said["approval_plan_id"], one["trace_ids"]) == (approval["session_id"], [said["delivery_id"]])
        assert said["controls"] == ["policy_floor_held"]
    assert sorted(one["retry_refusal"]["item_state"] for one in found) == ["approved", "open"]


async def test_weaker_approval_is_refused_on_the_record_once_for_each_person_and_item(retry: Any) -> None:
    await retry.fail()
    await retry.reviewed()
    await retry.turned_away(retry.plan_approval(**_WEAKER), *_FLOOR)
    await retry.refused(retry.plan_approval(**_WEAKER), *_FLOOR)
    unguarded = {"separation_of_duties": False}
    await retry.refused(
        retry.plan_approval(**unguarded), "policy_floor", "approval_policy.separation_of_duties"
    )
    await retry.turned_away(retry.plan_approval(who="rita", **_WEAKER), *_FLOOR)
    retry.now += timedelta(minutes=240)
    await retry.refused(retry.plan_approval(who="ann", **_WEAKER), *_FLOOR)


async def test_weaker_approval_that_is_about_no_item_is_refused_without_a_record(retry: Any) -> None:
    await retry.refused(retry.plan_approval(**_WEAKER), *_FLOOR)
    await retry.fail()
    await retry.acknowledge(await retry.plan())
    await retry.refused(retry.plan_approval(**_WEAKER), *_FLOOR)
    await retry.refused(
        retry.plan_approval(required_approvals=99), "invalid_value", "approval_policy.required_approvals"
    )
