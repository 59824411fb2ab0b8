"""The worker's health, judged on what is true now, and the alerts it gives rise to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.retry import HealthAlert, HealthAlertAck, HealthAlertPlan, HealthSummary
from cavra_evidence.times import text
from cavra_verify.canonical import canonical
from cavra_verify.secret_rules import SCANNED_CONTROL

from cavra_retry.domain.failures import Failure
from cavra_retry.domain.policy import RetryPolicy

_SHOWN_FAILURES: Final = 10

AckState = Literal["acknowledged", "dismissed", "escalated", "resolved"]


@dataclass(frozen=True, slots=True)
class LatestRun:
    """The newest worker run."""

    run_id: str
    at: datetime
    selected_count: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """What health is judged on."""

    failures: Sequence[Failure]
    """All open ones."""
    run_count: int
    retry_plan_count: int
    latest_run: LatestRun | None
    latest_plan_id: str
    latest_plan_at: datetime | None
    failed_job_count: int
    """Retries of the latest live run that failed or are unknown, and are still open."""


@dataclass(frozen=True, slots=True)
class Health:
    """The report."""

    health_id: str
    generated_at: datetime
    expected_interval_minutes: int
    stale_metadata_minutes: int
    facts: Facts
    retryable_count: int
    missed_run: bool
    stale_plan: bool
    disabled_schedule: bool
    failed_deliveries: tuple[Failure, ...]
    """At most 10, newest first."""
    alerts: tuple[HealthAlert, ...]
    """Critical ones first."""

    @property
    def missed_after_minutes(self) -> int:
        """Minutes after which a run is missed."""
        return 2 * self.expected_interval_minutes

    @property
    def level(self) -> str:
        """healthy, warning or critical."""
        severities = {alert.severity for alert in self.alerts}
        return "critical" if "critical" in severities else "warning" if severities else "healthy"

    @property
    def recommendations(self) -> list[str]:
        """What to do, one sentence for each alert."""
        return [_RECOMMENDATIONS[alert.category] for alert in self.alerts]

    @property
    def cause(self) -> str:
        """Names what is wrong, whatever the report's id: 64 hex digits over the categories and the failing deliveries."""
        keys = sorted(list(failure.key) for failure in self.facts.failures)
        categories = sorted(alert.category for alert in self.alerts)
        return sha256(b"cavra.alert.v1\n" + canonical([categories, keys])).hexdigest()


_RECOMMENDATIONS: Final[Mapping[str, str]] = {
    "missed_worker_run": "Run the worker, or see why its schedule does not.",
    "failed_worker_run": "Review the failed retries of the latest run before another attempt is approved.",
    "retryable_deliveries": "Acknowledge and approve the planned retries, then run the worker.",
    "connector_failure": "Create a connector recovery playbook and check the failing connectors.",
    "stale_retry_plan": "Plan the retries again: the latest plan is out of date.",
    "disabled_schedule": "Enable the worker's schedule.",
}


def assess(
    health_id: str, facts: Facts, expected_interval_minutes: int, stale_metadata_minutes: int, now: datetime
) -> Health:
    """The worker's health now. Nothing but the present enters, so every alert clears once its reason is gone."""
    run, failures = facts.latest_run, facts.failures
    cap = RetryPolicy().max_retry_attempts
    retryable = sum(one.failure_count < cap and not one.outcome_unknown for one in failures)
    missed_after = timedelta(minutes=2 * expected_interval_minutes)
    missed = bool(failures) if run is None else now - run.at > missed_after
    stale_after = timedelta(minutes=stale_metadata_minutes)
    plan_at = facts.latest_plan_at
    stale = bool(failures) and plan_at is not None and now - plan_at > stale_after
    disabled = run is not None and not run.enabled
    found = (
        (missed, "critical", "missed_worker_run", "No worker run within the time it is expected in."),
        (
            facts.failed_job_count > 0,
            "critical",
            "failed_worker_run",
            f"{facts.failed_job_count} of the latest live run's retries failed.",
        ),
        (retryable > 0, "warning", "retryable_deliveries", f"{retryable} failed deliveries may be retried."),
        (
            bool(failures),
            "warning",
            "connector_failure",
            f"{len({one.key.provider for one in failures})} connectors have open failures.",
        ),
        (stale, "warning", "stale_retry_plan", "The latest retry plan is out of date."),
        (disabled, "warning", "disabled_schedule", "The schedule of the latest run is disabled."),
    )
    newest = sorted(failures, key=lambda one: one.latest_failed_at, reverse=True)
    return Health(
        health_id,
        now,
        expected_interval_minutes,
        stale_metadata_minutes,
        facts,
        retryable,
        missed,
        stale,
        disabled,
        tuple(newest[:_SHOWN_FAILURES]),
        tuple(
            HealthAlert.model_validate({"severity": severity, "category": category, "message": message})
            for holds, severity, category, message in found
            if holds
        ),
    )


@dataclass(frozen=True, slots=True)
class AlertRequest:
    """An alert delivery as it was asked for."""

    plan_id: str
    requested_provider: str
    suppression_window_minutes: int
    force: bool
    most: int
    """Alerts that the plan names."""
    actor: Actor
    now: datetime

    @property
    def suppressed_since(self) -> datetime:
        """The same cause sent to a provider after this moment is not sent again."""
        return self.now - timedelta(minutes=self.suppression_window_minutes)


def plan_alert(
    request: AlertRequest, health: Health, eligible: Sequence[str], sent: Mapping[str, datetime]
) -> tuple[Draft, HealthAlertPlan]:
    """Which of the eligible providers are told. `sent`: when each was last told of the same cause."""
    due = bool(health.alerts) or request.force
    fresh = [
        name
        for name in eligible
        if request.force or name not in sent or sent[name] <= request.suppressed_since
    ]
    selected = fresh if due else []
    record = HealthAlertPlan.model_validate(
        {
            "plan_id": request.plan_id,
            "health_id": health.health_id,
            "generated_at": text(request.now),
            "generated_by": request.actor.name,
            "source_health_generated_at": text(health.generated_at),
            "alert_level": health.level,
            "summary": HealthSummary(
                run_count=health.facts.run_count,
                retryable_count=health.retryable_count,
                missed_run_count=int(health.missed_run),
                failed_job_count=health.facts.failed_job_count,
                alert_count=len(health.alerts),
            ),
            "alerts": list(health.alerts[: request.most]),
            "requested_provider": request.requested_provider,
            "eligible_providers": list(eligible),
            "selected_providers": selected,
            "suppressed_providers": [name for name in eligible if name not in fresh] if due else [],
            "suppression_window_minutes": request.suppression_window_minutes,
            "force": request.force,
            "acknowledgement_required_providers": selected,
            "controls": [] if request.force else ["suppression_window_applied"],
        }
    )
    draft = Draft(record, request.actor, trace_ids=(request.plan_id,), decision_count=len(eligible))
    return draft, record


def acknowledge_alert(
    ack_id: str,
    plan_id: str,
    health_id: str,
    provider: str,
    state: AckState,
    wording: tuple[str, str],
    actor: Actor,
    now: datetime,
) -> Draft:
    """What an operator says to an alert. `wording`: external reference and notes, scanned by the record's own rules."""
    external_ref, notes = wording
    record = HealthAlertAck(
        acknowledgement_id=ack_id,
        health_id=health_id,
        plan_id=plan_id,
        provider=provider,
        acknowledgement_state=state,
        acknowledged_by=actor.name,
        acknowledged_at=text(now),
        external_ref=external_ref,
        notes=notes,
        controls=["notes_scanned", SCANNED_CONTROL],
    )
    cause = Cause(plan_id, HealthAlertPlan.KIND.kind)
    return Draft(record, actor, causes=(cause,), trace_ids=(plan_id,))
