"""RunWorker, ListWorkerRuns and GetWorkerDashboard over gRPC."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_verify.kinds import BY_NOUN

from tests.support.retry_desk import envelope

RUN = "acknowledgement_audit_delivery_worker_run"


def run_of(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = envelope(answer.run)[RUN]
    return found


def follow_ups(answer: Any) -> list[tuple[str, str, str]]:
    return [
        (one["action"], one["reason"], one["approval_state"]) for one in run_of(answer)["follow_up_actions"]
    ]


def execution_of(answer: Any) -> dict[str, Any]:
    (result,) = answer.results
    found: dict[str, Any] = envelope(result.execution)["retry_execution_record"]
    return found


async def test_a_dry_run_is_the_default_and_sends_nothing(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    answer = await retry.call("RunWorker", pb.RunWorkerRequest(), "erin")
    run = run_of(answer)
    assert (run["dry_run"], len(run["selected_retries"]), answer.results) == (True, 1, [])
    assert retry.fake.sends == []
    assert await retry.records(metadata_kind=BY_NOUN["execution_record"].kind) == []
    assert await retry.records(metadata_kind=BY_NOUN["retry_intent"].kind) == []
    assert len((await retry.run()).results) == 1


async def test_nothing_is_executed_without_an_approval(retry: Any) -> None:
    await retry.fail()
    answer = await retry.run()
    assert follow_ups(answer) == [("request_approval", "approval_required", "approval_required")]
    await retry.reviewed()
    answer = await retry.run(retry_policy=pb.RetryPolicy(allow_immediate_retry=True))
    assert follow_ups(answer) == [("request_approval", "approval_pending", "approval_required")]
    assert run_of(answer)["summary"]["approval_pending_count"] == 1
    assert retry.fake.sends == []


async def test_an_approved_retry_is_sent_as_approved_and_recorded_with_all_it_rests_on(retry: Any) -> None:
    failure = await retry.fail()
    decision = (await retry.approved()).decision.id
    answer = await retry.run()
    (result,) = answer.results
    (send,) = retry.fake.sends
    assert (send.key.delivery_id, send.key.audit_id, send.key.provider) == failure.key
    assert (send.attempt_number, send.payload_hash, send.destination_fingerprint) == (
        2,
        *failure.hashes[1:],
    )
    execution = envelope(result.execution)
    record = execution["retry_execution_record"]
    run = run_of(answer)
    assert record["execution_id"] == send.execution_id
    assert (record["execution_status"], record["delivery_success"], record["skipped"]) == (
        "delivered",
        True,
        "",
    )
    assert (record["delivery_id"], record["audit_id"], record["provider"]) == failure.key
    assert (record["run_id"], record["approval_decision_id"]) == (run["run_id"], decision)
    assert (record["delivery_plan_id"], record["delivery_metadata_id"]) == (
        result.delivery_plan.id,
        result.delivery.id,
    )
    assert (record["executed_by"], record["selected_providers"]) == ("erin", ["hook"])
    assert record["public_evidence_refs"] == [
        f"go-rollback-drill-retry-worker://{run['run_id']}",
        f"go-rollback-drill-retry-approval://{decision}",
        f"go-rollback-drill-audit-delivery://{result.delivery_plan.id}",
        f"connector-delivery://{result.delivery.id}",
    ]
    causes = {cause["id"]: cause["record_hash"] for cause in execution["causes"]}
    assert causes[result.delivery.id] == result.delivery.record_hash.hex()
    assert {send.intent.id, run["run_id"], decision, record["retry_plan_id"]} <= causes.keys()
    assert execution["trace_ids"] == [failure.key[0]]
    assert result.execution.signature
    assert run["retry_plan"] == {
        "retry_plan_id": answer.retry_plan.id,
        "record_hash": answer.retry_plan.record_hash.hex(),
    }
    assert record["retry_plan_id"] != answer.retry_plan.id


async def test_what_is_intended_stands_in_the_log_before_anything_is_sent(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.hold = asyncio.Event()
    running = asyncio.create_task(retry.run())
    await retry.fake.arrived.wait()
    (intent,) = await retry.records(metadata_kind=BY_NOUN["retry_intent"].kind)
    (send,) = retry.fake.sends
    assert intent["retry_intent"]["execution_id"] == send.execution_id
    assert send.intent.id == intent["session_id"]
    assert len(await retry.records(metadata_kind=BY_NOUN["worker_run"].kind)) == 1
    assert await retry.records(metadata_kind=BY_NOUN["execution_record"].kind) == []
    retry.fake.hold.set()
    assert execution_of(await running)["execution_status"] == "delivered"


async def test_an_approval_serves_one_attempt(retry: Any) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.decide(approval)
    retry.fake.script = ["failed"]
    assert execution_of(await retry.run())["execution_status"] == "failed"
    again = await retry.run(retry_policy=pb.RetryPolicy(allow_immediate_retry=True))
    assert (again.results, follow_ups(again)) == (
        [],
        [("request_approval", "approval_required", "approval_required")],
    )
    await retry.turned_away(retry.decide(approval, who="ann"), "item_closed", "provider")
    await retry.turned_away(retry.decide(approval, "revoked"), "item_closed", "provider")
    assert len(retry.fake.sends) == 1
    await retry.approved()
    answer = await retry.run()
    assert (execution_of(answer)["attempt_number"], execution_of(answer)["execution_status"]) == (
        3,
        "delivered",
    )


async def test_a_delivered_retry_leaves_nothing_to_retry(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    await retry.run()
    assert (await retry.plan())["acknowledgement_audit_delivery_retry_plan"]["decision_count"] == 0
    assert (await retry.run()).results == []


@pytest.mark.parametrize(
    ("outcome", "status", "skipped"),
    [
        ("delivered", "delivered", ""),
        ("failed", "failed", ""),
        ("unknown", "unknown", ""),
        ("connector_config_not_configured", "skipped", "connector_config_not_configured"),
        ("audit_package_not_found", "skipped", "audit_package_not_found"),
    ],
)
async def test_each_outcome_is_recorded_as_delivery_tells_it(
    retry: Any, outcome: str, status: str, skipped: str
) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.script = [outcome]
    answer = await retry.run()
    (result,) = answer.results
    record = execution_of(answer)
    assert (record["execution_status"], record["skipped"], result.skipped) == (status, skipped, skipped)
    assert record["delivery_success"] is (status == "delivered")
    if skipped:
        assert not result.HasField("delivery")
        assert (record["delivery_plan_id"], record["delivery_metadata_id"]) == ("", "")
        assert len(record["public_evidence_refs"]) == 2
    counters = await retry.counters()
    assert counters[f"execution_status={status}"] == 1


async def test_a_skipped_retry_has_used_its_approval_and_its_attempt_can_be_approved_anew(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.script = ["connector_config_not_configured"]
    await retry.run()
    again = await retry.run()
    assert follow_ups(again) == [("request_approval", "approval_used", "approval_required")]
    await retry.approved()
    record = execution_of(await retry.run())
    assert (record["execution_status"], record["attempt_number"]) == ("delivered", 2)


async def test_an_unknown_outcome_is_not_sent_again(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.script = ["unknown"]
    await retry.run()
    again = await retry.run()
    assert follow_ups(again) == [("resolve_unknown_outcome", "outcome_unknown", "approval_required")]
    assert len(retry.fake.sends) == 1


@pytest.mark.parametrize("state", ["denied", "revoked", "expired"])
async def test_what_was_denied_or_taken_back_is_not_sent(retry: Any, state: str) -> None:
    await retry.fail()
    approval = await retry.reviewed()
    await retry.decide(approval)
    await retry.decide(approval, state, who="ann")
    assert follow_ups(await retry.run()) == [("request_approval", f"approval_{state}", "approval_required")]
    assert retry.fake.sends == []


async def test_an_approval_is_not_used_after_it_expired(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.now += timedelta(minutes=240)
    assert follow_ups(await retry.run()) == [("request_approval", "approval_expired", "approval_required")]


async def test_who_approved_can_not_execute(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    answer = await retry.run("bob")
    assert (answer.results, follow_ups(answer)) == (
        [],
        [("run_as_other_operator", "self_execution", "approved")],
    )
    assert len((await retry.run("erin")).results) == 1


async def test_what_changed_since_the_approval_is_not_sent_and_ends_it(retry: Any) -> None:
    failure = await retry.fail()
    await retry.approved()
    failure.payload = "another body"
    changed = [("request_approval", "content_changed", "approval_required")]
    assert follow_ups(await retry.run()) == changed
    failure.payload = "payload"
    assert follow_ups(await retry.run()) == changed
    assert retry.fake.sends == []


_ENDING = "SELECT decision_id FROM item_decisions WHERE state <> 'approved'"
_APPROVAL = "coalesce((SELECT decision_id FROM item_decisions LIMIT 1), 'none')"
_APPROVED = (
    f"UPDATE approval_items SET state = 'approved', change = change + 1, approval_decision_id = {_APPROVAL}"
)


@pytest.mark.parametrize(
    ("decisions", "forgery"),
    [
        ([], ["UPDATE approval_items SET state = 'approved'"]),
        (["approved", "denied"], ["UPDATE item_decisions SET state = 'approved'"]),
        (["approved", "denied"], ["DELETE FROM item_decisions WHERE state = 'denied'"]),
        (["approved", "revoked"], ["DELETE FROM item_decisions WHERE state = 'revoked'"]),
        (["approved", "expired"], ["DELETE FROM item_decisions WHERE state = 'expired'"]),
        (
            ["approved", "denied"],
            [
                f"DELETE FROM terms WHERE idx = (SELECT idx FROM records WHERE id = ({_ENDING}))",
                f"DELETE FROM records WHERE id = ({_ENDING})",
            ],
        ),
        (
            ["approved", "denied"],
            [
                "UPDATE records SET canonical = CAST(replace(canonical, 'denied', 'deferred') AS BLOB)",
                "UPDATE item_decisions SET state = 'deferred' WHERE state = 'denied'",
            ],
        ),
        (["approved"], ["UPDATE approval_items SET required_approvals = 0"]),
        (["approved"], ["UPDATE approval_items SET acknowledgement_id = ''"]),
        (["approved"], ["UPDATE approval_items SET acknowledger_sub = 'nobody'"]),
        (["approved"], ["UPDATE item_decisions SET sub = 'nobody'"]),
        (["approved"], ["DELETE FROM records WHERE kind LIKE '%-retry-ack'"]),
        (["approved"], ["UPDATE records SET canonical = canonical || ' ' WHERE kind LIKE '%-retry-ack'"]),
    ],
)
async def test_what_is_written_into_the_database_authorises_nothing(
    retry: Any, decisions: list[str], forgery: list[str]
) -> None:
    await retry.fail()
    plan = await retry.reviewed()
    for state in decisions:
        await retry.decide(plan, state, who=f"{state} by")
    with closing(sqlite3.connect(retry.settings.store_path("retry"), isolation_level=None)) as forged:
        for statement in [*forgery, _APPROVED]:
            forged.execute(statement)
    answer = await retry.run()
    assert follow_ups(answer) == [("investigate_evidence", "evidence_mismatch", "approval_required")]
    assert retry.fake.sends == []


async def test_what_waits_runs_only_with_an_immediate_policy_or_once_the_delay_is_over(retry: Any) -> None:
    failure = await retry.fail()
    failure.latest_at = retry.now
    await retry.approved()
    answer = await retry.run()
    assert follow_ups(answer) == [("wait_for_retry_delay", "retry_delay_pending", "approved")]
    explicit = pb.RetryPolicy(allow_immediate_retry=True, retry_delay_minutes=5)
    assert (await retry.run(retry_policy=explicit)).results == []
    retry.now += timedelta(minutes=5)
    assert len((await retry.run(retry_policy=explicit)).results) == 1


async def test_an_immediate_policy_bypasses_the_wait_and_not_the_attempt_cap(retry: Any) -> None:
    failure = await retry.fail()
    failure.latest_at = retry.now
    await retry.approved()
    capped = pb.RetryPolicy(allow_immediate_retry=True, max_retry_attempts=1)
    assert follow_ups(await retry.run(retry_policy=capped)) == [
        ("review_suppressed", "max_retry_attempts_reached", "approved")
    ]
    immediate = pb.RetryPolicy(allow_immediate_retry=True)
    assert len((await retry.run(retry_policy=immediate)).results) == 1


async def test_a_run_takes_the_oldest_first_up_to_its_cap(retry: Any) -> None:
    failures = []
    for minutes in (40, 50, 60):
        failures.append(await retry.fail(f"hook{minutes}"))
        failures[-1].at = retry.now - timedelta(minutes=minutes)
    plan = await retry.plan()
    for failure in failures:
        await retry.acknowledge(plan, provider=failure.key[2])
    approval = await retry.plan_approval()
    for failure in failures:
        await retry.decide(approval, provider=failure.key[2])
    answer = await retry.run(max_retry_deliveries=2)
    assert [one["provider"] for one in run_of(answer)["selected_retries"]] == ["hook60", "hook50"]
    assert [one.selected_index for one in answer.results] == [0, 1]
    assert follow_ups(answer) == [("run_again", "max_retry_deliveries", "approved")]
    only = await retry.run(providers=["hook40"])
    assert [one["provider"] for one in run_of(only)["selected_retries"]] == ["hook40"]


async def test_of_parallel_runs_one_claims_an_approval(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.hold = asyncio.Event()
    runs = [asyncio.create_task(retry.run(f"operator{number}")) for number in range(8)]
    late = []
    for done in asyncio.as_completed(runs):
        late.append(await done)
        if len(late) == len(runs) - 1:
            retry.fake.hold.set()
    in_use = ("wait_for_outcome", "execution_under_way", "approval_required")
    assert [follow_ups(one) for one in late] == [[in_use]] * 7 + [[]]
    assert execution_of(late[-1])["execution_status"] == "delivered"
    assert len(retry.fake.sends) == 1


async def test_a_caller_who_goes_away_ends_the_waiting_and_not_the_work(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.hold = asyncio.Event()
    running = asyncio.create_task(retry.run())
    await retry.fake.arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    retry.fake.hold.set()
    assert (await retry.next_execution())["execution_status"] == "delivered"


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"max_retry_deliveries": 0}, "invalid_value", "max_retry_deliveries"),
        ({"max_retry_deliveries": 26}, "invalid_value", "max_retry_deliveries"),
        ({"retries": 11}, "invalid_value", "retries"),
        ({"timeout_seconds": 0}, "invalid_value", "timeout_seconds"),
        ({"schedule": pb.WorkerSchedule(interval_minutes=0)}, "invalid_value", "interval_minutes"),
        ({"schedule": pb.WorkerSchedule(cadence="No Name")}, "invalid_value", "cadence"),
        ({"retry_policy": pb.RetryPolicy(max_retry_attempts=0)}, "invalid_value", "max_retry_attempts"),
    ],
)
async def test_a_wrong_run_is_refused_by_field_and_writes_nothing(
    retry: Any, change: dict[str, Any], reason: str, field: str
) -> None:
    await retry.fail()
    await retry.approved()
    await retry.refused(retry.run(**change), reason, field)
    assert retry.fake.sends == []


async def test_runs_are_listed_newest_first_with_exact_totals(retry: Any) -> None:
    await retry.fail()
    runs = [(await retry.run(execute=number % 2 == 0)).run.id for number in range(5)][::-1]

    async def listed(**request: Any) -> tuple[list[str], int]:
        answer = await retry.call("ListWorkerRuns", pb.ListWorkerRunsRequest(**request), "ada", "auditor")
        return [record.id for record in answer.runs], answer.total

    assert await listed() == (runs, 5)
    assert await listed(limit=2, offset=1) == (runs[1:3], 5)
    assert await listed(offset=5) == ([], 5)
    assert await listed(offset=4) == (runs[4:], 5)
    assert await listed(dry_run=True) == (runs[1::2], 2)
    assert await listed(dry_run=False) == (runs[::2], 3)
    for change, reason, field in (
        ({"limit": 501}, "invalid_value", "limit"),
        ({"limit": -1}, "invalid_value", "limit"),
        ({"offset": -1}, "invalid_value", "offset"),
        ({"offset": 10_001}, "use_cursor", "offset"),
    ):
        await retry.refused(listed(**change), reason, field)


async def test_the_dashboard_adds_up_all_runs(retry: Any) -> None:
    async def dashboard() -> Any:
        return await retry.call("GetWorkerDashboard", pb.GetWorkerDashboardRequest(), "ada", "auditor")

    empty = await dashboard()
    assert (empty.alert_level, empty.run_count, list(empty.latest)) == ("healthy", 0, [])
    await retry.fail()
    await retry.run(execute=False)
    assert (await dashboard()).alert_level == "warning"
    await retry.approved()
    retry.fake.script = ["failed"]
    await retry.run()
    failed = await dashboard()
    assert (failed.alert_level, failed.run_count, failed.dry_run_count, failed.executed_count) == (
        "critical",
        2,
        1,
        1,
    )
    assert (failed.retryable_count, failed.selected_retry_count, len(failed.latest)) == (2, 2, 2)
    await retry.approved()
    await retry.run()
    assert (await dashboard()).alert_level == "healthy"
