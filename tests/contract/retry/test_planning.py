"""PlanRetries and AcknowledgeRetry over gRPC."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_verify.kinds import BY_NOUN

NOWHERE = "gordackretry-" + "0" * 28


async def test_a_plan_judges_every_open_failure_and_rests_on_its_record(retry: Any) -> None:
    due, waiting = await retry.fail(), await retry.fail("chat")
    waiting.latest_at = retry.now
    spent = await retry.fail("chat", count=3)
    closed = await retry.fail("chat", open=False)
    envelope = await retry.plan()
    record = envelope["acknowledgement_audit_delivery_retry_plan"]
    decisions = {one["delivery_id"]: one for one in record["retry_decisions"]}
    assert [one["delivery_id"] for one in record["retry_decisions"]] == sorted(decisions)
    assert {key: one["action"] for key, one in decisions.items()} == {
        due.key[0]: "retry",
        waiting.key[0]: "wait",
        spent.key[0]: "suppress",
    }
    assert closed.key[0] not in decisions
    assert (record["decision_count"], record["retryable_count"], record["waiting_count"]) == (3, 1, 1)
    assert (record["suppressed_count"], record["omitted_count"], record["alert_level"]) == (1, 0, "critical")
    assert (record["max_retry_attempts"], record["base_retry_delay_minutes"]) == (3, 15)
    assert (record["backoff_multiplier"], record["allow_immediate_retry"]) == ("2", False)
    assert (record["generated_by"], envelope["signer"]) == ("paula", "paula")
    assert envelope["actor"] == {"iss": "cavra-local", "sub": "paula", "name": "paula"}
    assert {cause["record_hash"] for cause in envelope["causes"]} == {
        one.record.record_hash for one in (due, waiting, spent)
    }
    assert sorted(envelope["trace_ids"]) == sorted(decisions)
    for name in ("retry_plan_id", "alert_level", "retryable_count", "waiting_count", "suppressed_count"):
        assert envelope[name] == record[name]


async def test_a_plan_without_failures_is_recorded_too(retry: Any) -> None:
    record = (await retry.plan())["acknowledgement_audit_delivery_retry_plan"]
    assert (record["decision_count"], record["alert_level"]) == (0, "healthy")


async def test_an_immediate_policy_retries_what_failed_just_now(retry: Any) -> None:
    failure = await retry.fail()
    failure.latest_at = retry.now
    actions = []
    for policy in (
        {},
        {"allow_immediate_retry": True},
        {"allow_immediate_retry": True, "retry_delay_minutes": 5},
    ):
        plan = await retry.plan(**policy)
        actions.append(plan["acknowledgement_audit_delivery_retry_plan"]["retry_decisions"][0]["action"])
    assert actions == ["wait", "retry", "wait"]
    retry.now += timedelta(minutes=15)
    plan = await retry.plan()
    assert plan["retryable_count"] == 1


async def test_planning_and_deciding_again_reaches_every_failure(retry: Any) -> None:
    everything = [(await retry.fail()).key for _ in range(150)]
    acknowledged, approved = set[str](), set[str]()
    while len(acknowledged) < len(everything):
        plan = await retry.plan()
        listed = plan["acknowledgement_audit_delivery_retry_plan"]["retry_decisions"]
        waiting = [one["delivery_id"] for one in listed if one["delivery_id"] not in acknowledged]
        assert waiting, "a plan lists nothing that still needs a review"
        await asyncio.gather(*(retry.acknowledge(plan, delivery_id=one) for one in waiting))
        acknowledged.update(waiting)
    while len(approved) < len(everything):
        plan = await retry.plan_approval()
        record = plan["retry_execution_approval_plan"]
        assert (record["decision_count"], record["waiting_count"]) == (150, 0)
        assert (record["approved_count"], record["approval_required_count"]) == (
            len(approved),
            150 - len(approved),
        )
        asked = [one for one in record["approval_decisions"] if one["action"] == "request_approval"]
        assert asked, "an approval plan lists nothing that asks for a decision"
        await asyncio.gather(*(retry.decide(plan, delivery_id=one["delivery_id"]) for one in asked))
        approved.update(one["delivery_id"] for one in asked)
    assert (await retry.plan())["acknowledgement_audit_delivery_retry_plan"]["decision_count"] == 150
    while len(retry.fake.sends) < len(everything):
        before = len(retry.fake.sends)
        await retry.run(max_retry_deliveries=25)
        assert len(retry.fake.sends) == before + 25
    assert [tuple(one.key.delivery_id for one in retry.fake.sends)] == [tuple(key[0] for key in everything)]


async def test_what_can_not_be_sent_keeps_nothing_else_from_being_approved(retry: Any) -> None:
    for _ in range(60):
        await retry.fail(unavailable="connector_config_not_configured")
    ready = await retry.fail("chat")
    acknowledged: set[str] = set()
    while len(acknowledged) < 61:
        plan = await retry.plan()
        for one in plan["acknowledgement_audit_delivery_retry_plan"]["retry_decisions"]:
            if one["delivery_id"] not in acknowledged:
                await retry.acknowledge(plan, provider=one["provider"], delivery_id=one["delivery_id"])
                acknowledged.add(one["delivery_id"])
    approval = await retry.plan_approval()
    record = approval["retry_execution_approval_plan"]
    assert (record["approval_required_count"], record["waiting_count"]) == (1, 60)
    assert ready.key[0] in {one["delivery_id"] for one in record["approval_decisions"]}
    assert (await retry.decide(approval, provider="chat")).item_state == "approved"


async def test_more_failures_than_a_page_of_delivery_are_counted(retry: Any) -> None:
    for _ in range(3):
        await retry.fail()
    template = next(iter(retry.fake.failures.values()))
    for index in range(600):
        key = (f"gordackdelivery-{index:028}", template.key[1], "hook")
        retry.fake.failures[key] = type(template)(key, template.at, template.record)
    record = (await retry.plan())["acknowledgement_audit_delivery_retry_plan"]
    assert record["decision_count"] == 603
    assert record["omitted_count"] == 603 - len(record["retry_decisions"])


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"max_retry_attempts": 0}, "max_retry_attempts"),
        ({"max_retry_attempts": 21}, "max_retry_attempts"),
        ({"retry_delay_minutes": -1}, "retry_delay_minutes"),
        ({"backoff_multiplier": "abc"}, "backoff_multiplier"),
    ],
)
async def test_a_wrong_policy_is_refused_by_field(retry: Any, policy: dict[str, Any], field: str) -> None:
    await retry.refused(retry.plan(**policy), "invalid_value", field)


async def test_the_installations_attempt_ceiling_is_a_floor(opened: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CAVRA_APPROVAL_MAX_ATTEMPTS", "4")
    retry = await opened()
    async with retry.running():
        await retry.refused(retry.plan(max_retry_attempts=5), "policy_floor", "max_retry_attempts")


async def test_nothing_is_planned_while_delivery_is_down(opened: Any) -> None:
    retry = await opened()
    retry.settings = retry.settings.model_copy(update={"delivery_address": "127.0.0.1:1"})
    async with retry.running():
        before = (await retry.counters())["size"]
        await retry.refused(retry.plan(), "service_unavailable")
        await retry.refused(retry.run(), "service_unavailable")
        await retry.refused(retry.run(execute=False), "service_unavailable")
        for method in ("GetWorkerHealth", "DeliverHealthAlert", "GetHealthAlertDashboard"):
            request = getattr(pb, f"{method}Request")()
            await retry.refused(retry.call(method, request), "service_unavailable")
        assert (await retry.counters())["size"] == before


@pytest.mark.parametrize("state", ["", "accepted", "deferred", "escalated", "resolved", "dismissed"])
async def test_an_acknowledgement_names_the_item_and_rests_on_the_plan(retry: Any, state: str) -> None:
    failure = await retry.fail()
    plan = await retry.plan()
    envelope = await retry.acknowledge(plan, state, external_ref="OPS-1", notes="reviewed")
    record = envelope["acknowledgement"]
    assert record["acknowledgement_state"] == envelope["acknowledgement_state"] == (state or "accepted")
    assert (record["delivery_id"], record["audit_id"], record["provider"]) == failure.key
    assert (record["acknowledged_by"], record["external_ref"], record["notes"]) == (
        "rita",
        "OPS-1",
        "reviewed",
    )
    assert [cause["id"] for cause in envelope["causes"]] == [plan["session_id"]]
    assert envelope["trace_ids"] == [failure.key[0]]
    assert envelope["metadata_kind"] == BY_NOUN["retry_ack"].kind


async def test_an_acknowledgement_of_several_items_must_say_which(retry: Any) -> None:
    first, second = await retry.fail(), await retry.fail()
    plan = await retry.plan()
    await retry.refused(retry.acknowledge(plan), "ambiguous_item", "provider")
    envelope = await retry.acknowledge(plan, delivery_id=second.key[0])
    assert envelope["delivery_id"] == second.key[0]
    envelope = await retry.acknowledge(plan, audit_id=first.key[1])
    assert envelope["delivery_id"] == first.key[0]


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"retry_plan_id": NOWHERE}, "unknown_plan", "retry_plan_id"),
        ({"retry_plan_id": ""}, "unknown_plan", "retry_plan_id"),
        ({"provider": "other"}, "unknown_item", "provider"),
        ({"provider": ""}, "invalid_value", "provider"),
        ({"delivery_id": "gordackdelivery-" + "0" * 28}, "unknown_item", "provider"),
        ({"audit_id": "none"}, "unknown_item", "provider"),
        ({"acknowledgement_state": 9}, "invalid_value", "acknowledgement_state"),
        ({"external_ref": "not a reference"}, "invalid_reference", "external_ref"),
        ({"external_ref": "x" * 257}, "too_long", "external_ref"),
        ({"notes": "x" * 2001}, "too_long", "notes"),
        ({"notes": "pass" + "word=hunter2hunter2"}, "credential_found", "notes"),
    ],
)
async def test_a_wrong_acknowledgement_is_refused_by_field_and_writes_nothing(
    retry: Any, change: dict[str, Any], reason: str, field: str
) -> None:
    await retry.fail()
    plan = await retry.plan()
    request = pb.AcknowledgeRetryRequest(
        **{"retry_plan_id": plan["session_id"], "provider": "hook", **change}
    )
    await retry.refused(retry.call("AcknowledgeRetry", request), reason, field)
    assert (await retry.plan_approval())["waiting_count"] == 1


@pytest.mark.parametrize("method", ["PlanRetries", "AcknowledgeRetry", "PlanApproval", "RunWorker"])
async def test_planning_takes_an_operator(retry: Any, method: str) -> None:
    for role in ("approver", "auditor"):
        request = getattr(pb, f"{method}Request")()
        await retry.refused(retry.call(method, request, "ann", role), "role_required")
