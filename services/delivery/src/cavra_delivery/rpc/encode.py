"""From what the domain and the store give to responses."""

from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_service.wire import cause_to_wire, timestamp
from cavra_verify.kinds import SCHEDULE_REPORT_SCHEMA

from cavra_delivery.connectors.base import NOT_CONFIGURED, category_of
from cavra_delivery.connectors.registry import Configured
from cavra_delivery.content import Content
from cavra_delivery.domain.circuits import CIRCUIT_OPEN, RECEIVER_GONE, Circuit, State
from cavra_delivery.domain.history import History, history_check
from cavra_delivery.domain.routes import Route
from cavra_delivery.domain.schedule import DUE_SOON_DAYS, Schedule, ScheduleFile, checks
from cavra_delivery.drill_files import DrillReport
from cavra_delivery.store.failures import FailureSummary, Key, StoredFailure

OUTCOMES: Final = {
    "delivered": pb.SEND_OUTCOME_DELIVERED,
    "failed": pb.SEND_OUTCOME_FAILED,
    "skipped": pb.SEND_OUTCOME_SKIPPED,
    "unknown": pb.SEND_OUTCOME_UNKNOWN,
}


def schedule_report(report: DrillReport) -> pb.ScheduleReport:
    """The report on both files."""
    return pb.ScheduleReport(
        schema_version=SCHEDULE_REPORT_SCHEMA,
        mode=report.mode,
        status=report.schedule.status,
        rollback_drill_schedule_path=report.file_name,
        rollback_drill_due_soon_days=DUE_SOON_DAYS,
        checks=[
            pb.ScheduleCheck(id=one.id, status=one.status, message=one.message, mode=report.mode)
            for one in [*checks(report.schedule), history_check(report.history)]
        ],
        schedule=_schedule(report.schedule),
        history=_history(report.history),
    )


def _schedule(schedule: Schedule) -> pb.DrillSchedule:
    file = schedule.file
    if file is None:
        return pb.DrillSchedule(valid=False, message=schedule.message)
    answer = pb.DrillSchedule(
        valid=True,
        schema_version=file.schema_version,
        schedule_id=file.schedule_id,
        environment=file.environment,
        status=file.status,
        active=schedule.active,
        cadence_valid=schedule.cadence_valid,
        interval_days=schedule.interval_days,
        next_due_at=timestamp(file.next_due_at),
        days_until_due=schedule.days_until_due,
        stale=schedule.stale,
        due_soon=schedule.due_soon,
        notification_routes_valid=bool(schedule.rules),
        owners=schedule.owners,
        notification_providers=schedule.providers,
        maintenance_windows=[
            pb.MaintenanceWindow(
                window_id=one.window_id,
                start_at=timestamp(one.start_at),
                end_at=timestamp(one.end_at),
                reason=one.reason,
            )
            for one in file.maintenance_windows
        ],
        runbook_ref=file.runbook_ref,
    )
    answer.owner_routes.update(_owner_routes(file))
    answer.owner_calendars.update(
        {owner: calendar.model_dump(mode="json") for owner, calendar in file.owner_calendars.items()}
    )
    return answer


def _owner_routes(file: ScheduleFile) -> dict[str, Any]:
    """As the file has them; a list stands under `routes`."""
    if isinstance(file.owner_routes, tuple):
        return {"routes": [route.model_dump(mode="json") for route in file.owner_routes]}
    return {owner: rule.model_dump(mode="json") for owner, rule in file.owner_routes.items()}


def _history(history: History) -> pb.DrillHistory:
    file, latest = history.file, history.latest
    if file is None:
        return pb.DrillHistory(valid=False, message=history.message)
    answer = pb.DrillHistory(
        valid=True,
        schema_version=file.schema_version,
        environment=file.environment,
        drill_count=len(file.drills),
        runbook_ref=file.runbook_ref,
        message=history.message,
    )
    if latest is not None:
        answer.MergeFrom(
            pb.DrillHistory(
                latest_drill_id=latest.drill_id,
                latest_status=latest.status,
                latest_target_mode=latest.target_mode,
                latest_executed_at=timestamp(latest.executed_at),
                age_days=history.age_days,
                fresh=history.fresh,
                fallback_verified=latest.fallback_verified,
                recovery_sla_met=history.recovery_sla_met,
                recovery_minutes=latest.recovery_minutes,
                max_recovery_minutes=latest.max_recovery_minutes,
                runbook_ref=latest.runbook_ref or file.runbook_ref,
                evidence_refs=latest.evidence_refs,
            )
        )
    return answer


def route(one: Route) -> pb.Route:
    """One route decision. The window stands in it only when it is what suppressed the route."""
    in_window = one.category == "maintenance_window"
    return pb.Route(
        route_id=one.route_id,
        created_at=timestamp(one.created_at),
        plan_id=one.plan_id,
        schedule_id=one.schedule_id,
        alert_level=one.alert_level,
        provider=one.provider,
        owner=one.owner,
        escalation_owner=one.escalation_owner,
        action=one.action,
        category=one.category,
        reason=one.reason,
        acknowledgement_minutes=one.acknowledgement_minutes,
        maintenance_window_id=one.window_id if in_window else "",
        maintenance_window_reason=one.window_reason if in_window else "",
        owner_available=one.owner_available,
        owner_availability_reason=one.owner_reason,
        next_due_at=timestamp(one.next_due_at),
    )


def connector(one: Configured, state: State, circuit: Circuit, here: str) -> pb.Connector:
    """One connector, without any secret. `here`: fingerprint of where it sends now."""
    lacking = one.problem()
    not_sent = "" if state != "open" else RECEIVER_GONE if circuit.gone else CIRCUIT_OPEN
    reason = NOT_CONFIGURED if lacking else not_sent
    return pb.Connector(
        name=one.name,
        kind=one.kind,
        category=one.category,
        enabled=one.enabled,
        ready=not reason,
        reason=reason,
        missing_variable=lacking.variable if lacking else "",
        field=lacking.field if lacking else "",
        rule=lacking.rule if lacking else "",
        circuit=state,
        consecutive_failures=circuit.failures,
        circuit_opened_at=timestamp(circuit.opened_at),
        address="" if lacking else one.usable().destination().address,
        destination_fingerprint=here,
    )


def failure(stored: StoredFailure) -> pb.Failure:
    """One failure as it is now."""
    one = stored.failure
    return pb.Failure(
        key=failure_key((one.delivery_id, one.audit_id, one.provider)),
        open=one.is_open,
        failure_count=one.failure_count,
        next_attempt_number=one.attempt_count + 1,
        first_failed_at=timestamp(one.first_failed_at),
        latest_failed_at=timestamp(one.latest_failed_at),
        latest_delivery_id=one.latest_delivery_id,
        failed_status_codes=one.status_codes,
        latest_record=cause_to_wire(stored.latest_record),
        original_record=cause_to_wire(stored.original_record),
        in_flight=one.in_flight,
        outcome_unknown=one.state == "unknown",
    )


def failure_key(key: Key) -> pb.FailureKey:
    """Which failure."""
    return pb.FailureKey(delivery_id=key[0], audit_id=key[1], provider=key[2])


def description(key: Key, content: Content) -> pb.DescribeRetriesResponse.Description:
    """What would be sent where."""
    return pb.DescribeRetriesResponse.Description(
        key=failure_key(key),
        unavailable_reason=content.unavailable_reason,
        audit_package_hash=content.package_hash,
        payload_hash=content.payload_hash,
        destination_fingerprint=content.fingerprint,
    )


def summary(one: FailureSummary, kind: str) -> pb.SummarizeFailuresResponse.ProviderFailures:
    """Failed connector deliveries of one provider whose connector is of `kind`."""
    return pb.SummarizeFailuresResponse.ProviderFailures(
        provider=one.provider,
        category=category_of(kind),
        failure_count=one.count,
        latest_failure_at=timestamp(one.latest_at),
        status_codes=one.status_codes[:20],
        reasons=one.reasons[:20],
        delivery_ids=one.delivery_ids,
        records=[cause_to_wire(cause) for cause in one.records],
        latest_failure_index=one.latest_index,
    )
