"""Retry plans, their acknowledgement, approvals, and the worker (E6-E17)."""

from typing import Annotated, Any

from cavra.evidence.v1 import evidence_pb2
from cavra.retry.v1 import retry_pb2 as pb
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from cavra_gateway import answers, bodies, history, queries
from cavra_gateway.docs import documented, reported
from cavra_gateway.fields import provider_list, requested
from cavra_gateway.http import Route, answer
from cavra_gateway.records import Json, envelope, optional_parts, parts
from cavra_gateway.reports import report
from cavra_gateway.routes.paths import AUDIT_DELIVERY
from cavra_gateway.session import Me

router = APIRouter(route_class=Route, tags=["retry"])


def _id(what: str, example: str) -> Any:
    return Path(description=what, examples=[example])


RetryPlanId = Annotated[str, _id("The retry plan.", "gordackretry-019a8f3c2b7e0001a1b2c3d4e5f6")]
ApprovalPlanId = Annotated[
    str, _id("The approval plan.", "gordackretryapproval-019a8f3c2b7e0001a1b2c3d4e5f6")
]
ExecutionId = Annotated[str, _id("The execution.", "gordackretryexec-019a8f3c2b7e0001a1b2c3d4e5f6")]
HealthId = Annotated[str, _id("The alert's health id.", "gordackhealth-019a8f3c2b7e0001a1b2c3d4e5f6")]


@router.post(AUDIT_DELIVERY + "/retry-plan", **documented("plan_retries", answers.RetriesPlanned))
async def plan_retries(me: Me, body: bodies.PlanRetriesBody = bodies.PlanRetriesBody()) -> Response:  # noqa: B008 frozen
    """Plan retries of the open failures. Nothing is sent."""
    response = await me.call(
        me.services.retry.PlanRetries, pb.PlanRetriesRequest(retry_policy=_policy(body.retry_policy))
    )
    return _written(me, plan=response.plan)


@router.post(
    AUDIT_DELIVERY + "/retry-plans/{retry_plan_id}/acknowledgements",
    **documented("acknowledge_retry", answers.RetryAcknowledged),
)
async def acknowledge_retry(
    me: Me, retry_plan_id: RetryPlanId, body: bodies.AcknowledgeRetryBody
) -> Response:
    """Acknowledge one item of a retry plan after review. Several that match are 409 `ambiguous_item`."""
    response = await me.call(
        me.services.retry.AcknowledgeRetry,
        pb.AcknowledgeRetryRequest(
            retry_plan_id=retry_plan_id,
            provider=body.provider,
            acknowledgement_state=f"RETRY_ACKNOWLEDGEMENT_STATE_{body.acknowledgement_state.upper()}",
            delivery_id=body.delivery_id,
            audit_id=body.audit_id,
            external_ref=body.external_ref,
            notes=body.notes,
        ),
    )
    return _written(me, acknowledgement=response.acknowledgement)


@router.post(
    AUDIT_DELIVERY + "/retry-execution-approval-plan", **documented("plan_approval", answers.ApprovalPlanned)
)
async def plan_approval(me: Me, body: bodies.PlanApprovalBody = bodies.PlanApprovalBody()) -> Response:  # noqa: B008 frozen
    """List what may be approved: each open failure with its digest. An item that is open already is served again unchanged."""
    policy = pb.ApprovalPolicy(**body.approval_policy.model_dump())
    response = await me.call(me.services.retry.PlanApproval, pb.PlanApprovalRequest(approval_policy=policy))
    return _written(me, plan=response.plan)


@router.post(
    AUDIT_DELIVERY + "/retry-execution-approval-plans/{approval_plan_id}/decisions",
    **documented("decide_approval", answers.Decided),
)
async def decide_approval(me: Me, approval_plan_id: ApprovalPlanId, body: bodies.DecideBody) -> Response:
    """Decide on one item of an approval plan. Takes the role approver."""
    response = await me.call(
        me.services.retry.DecideApproval,
        pb.DecideApprovalRequest(
            approval_plan_id=approval_plan_id,
            provider=body.provider,
            approval_state=f"APPROVAL_STATE_{body.approval_state.upper()}",
            retry_plan_id=body.retry_plan_id,
            delivery_id=body.delivery_id,
            audit_id=body.audit_id,
            external_ref=body.external_ref,
            notes=body.notes,
            item_digest=body.item_digest,
        ),
    )
    return _written(me, decision=response.decision)


@router.post(AUDIT_DELIVERY + "/worker-run", **documented("run_worker", answers.WorkerRan))
async def run_worker(me: Me, body: bodies.WorkerRunBody = bodies.WorkerRunBody()) -> Response:  # noqa: B008 frozen
    """Plan, select and, when live, execute approved retries. A dry run sends nothing and writes no execution record."""
    schedule = body.schedule
    response = await me.send(
        me.services.retry.RunWorker,
        pb.RunWorkerRequest(
            execute=body.execute if body.dry_run is None else not body.dry_run,
            retry_policy=_policy(body.retry_policy),
            schedule=pb.WorkerSchedule(
                interval_minutes=_first(schedule.interval_minutes, schedule.schedule_interval_minutes),
                cadence=schedule.cadence,
                enabled=schedule.enabled,
            ),
            max_retry_deliveries=body.max_retry_deliveries,
            providers=provider_list(body.provider),
            retries=body.retries,
            timeout_seconds=body.timeout_seconds,
        ),
    )
    run, metadata = parts(response.run)
    retry_plan, retry_metadata = parts(response.retry_plan)
    selected = run["selected_retries"]
    # The envelope keeps the plan by id and hash, as its own hash covers it; the run beside it shows the whole.
    return answer(
        {
            "run": {**run, "retry_plan": {**retry_plan, **run["retry_plan"]}},
            "metadata": metadata,
            "retry_metadata": retry_metadata,
            "retry_results": [_result(result, selected) for result in response.results],
            "actor": me.actor,
        }
    )


@router.post(
    AUDIT_DELIVERY + "/retry-executions/{execution_id}/resolutions",
    **documented("resolve_execution", answers.Resolved),
)
async def resolve_execution(me: Me, execution_id: ExecutionId, body: bodies.ResolveBody) -> Response:
    """Record what the receiver says of an execution whose outcome is unknown. Not for who executed it: 403 `self_resolution`."""
    response = await me.call(
        me.services.retry.ResolveExecution,
        pb.ResolveExecutionRequest(
            execution_id=execution_id,
            outcome=f"RESOLUTION_OUTCOME_{body.outcome.upper()}",
            external_ref=body.external_ref,
            notes=body.notes,
        ),
    )
    return _written(me, resolution=response.resolution)


@router.get(AUDIT_DELIVERY + "/worker-runs", **reported("list_worker_runs", evidence_pb2.Record, listed=()))
async def list_worker_runs(me: Me, query: Annotated[queries.RunsQuery, Query()]) -> Response:
    """Worker runs, newest first."""
    page = query.checked()
    response = await me.call(
        me.services.retry.ListWorkerRuns,
        pb.ListWorkerRunsRequest(dry_run=query.dry_run, limit=page.limit, offset=page.offset),
    )
    items = [envelope(record) for record in response.runs]
    return answer({"items": items, "total": response.total, "limit": page.limit, "offset": page.offset})


@router.get(
    AUDIT_DELIVERY + "/worker-dashboard", **reported("get_worker_dashboard", pb.GetWorkerDashboardResponse)
)
async def get_worker_dashboard(me: Me) -> Response:
    """Run counts."""
    return answer(report(await me.call(me.services.retry.GetWorkerDashboard, pb.GetWorkerDashboardRequest())))


@router.get(AUDIT_DELIVERY + "/worker-health", **reported("get_worker_health", pb.WorkerHealth))
async def get_worker_health(me: Me, query: Annotated[queries.HealthQuery, Query()]) -> Response:
    """Whether the worker does its work, judged on what is true now."""
    response = await me.call(
        me.services.retry.GetWorkerHealth, pb.GetWorkerHealthRequest(**query.model_dump())
    )
    return answer(report(response.health))


@router.post(
    AUDIT_DELIVERY + "/worker-health-alerts/deliver", **documented("deliver_health_alert", answers.Alerted)
)
async def deliver_health_alert(
    me: Me,
    body: bodies.DeliverAlertBody = bodies.DeliverAlertBody(),  # noqa: B008 frozen
) -> Response:
    """Send the alerts of the worker's health to connectors; the same cause within the window is suppressed."""
    providers = provider_list(body.provider)
    response = await me.send(
        me.services.retry.DeliverHealthAlert,
        pb.DeliverHealthAlertRequest(
            expected_interval_minutes=body.expected_interval_minutes,
            stale_metadata_minutes=body.stale_metadata_minutes,
            providers=providers,
            suppression_window_minutes=body.suppression_window_minutes,
            force=body.force,
            max_alerts=body.max_alerts,
            retries=body.retries,
            timeout_seconds=body.timeout_seconds,
            requested_provider=requested(providers),
        ),
    )
    plan, plan_metadata = parts(response.plan)
    delivery, metadata = optional_parts(response, "delivery")
    return answer(
        {
            "health": report(response.health),
            "plan": plan,
            "delivery": delivery,
            "plan_metadata": plan_metadata,
            "metadata": metadata,
            "success": response.success,
            "event_id": response.event_id,
            "actor": me.actor,
        }
    )


@router.post(
    AUDIT_DELIVERY + "/worker-health-alerts/{health_id}/acknowledgements",
    **documented("acknowledge_health_alert", answers.AlertAcknowledged),
)
async def acknowledge_health_alert(
    me: Me, health_id: HealthId, body: bodies.AcknowledgeAlertBody
) -> Response:
    """Acknowledge an alert that was delivered."""
    response = await me.call(
        me.services.retry.AcknowledgeHealthAlert,
        pb.AcknowledgeHealthAlertRequest(
            health_id=health_id,
            provider=body.provider,
            acknowledgement_state=f"HEALTH_ACKNOWLEDGEMENT_STATE_{body.acknowledgement_state.upper()}",
            external_ref=body.external_ref,
            notes=body.notes,
            plan_id=body.plan_id,
        ),
    )
    return _written(me, acknowledgement=response.acknowledgement)


@router.get(
    AUDIT_DELIVERY + "/worker-health-alerts",
    **reported("list_health_alerts", evidence_pb2.Record, listed=()),
)
async def list_health_alerts(me: Me, query: Annotated[queries.AlertsQuery, Query()]) -> Response:
    """Alert plans, their deliveries and acknowledgements, newest first."""
    return answer(await history.alerts(me, query))


@router.get(
    AUDIT_DELIVERY + "/worker-health-alert-dashboard",
    **reported("get_health_alert_dashboard", pb.GetHealthAlertDashboardResponse),
)
async def get_health_alert_dashboard(me: Me) -> Response:
    """Alert counts."""
    return answer(
        report(await me.call(me.services.retry.GetHealthAlertDashboard, pb.GetHealthAlertDashboardRequest()))
    )


def _written(me: Me, **written: evidence_pb2.Record) -> Response:
    """The answer of a command that writes one record."""
    ((name, record),) = written.items()
    served, metadata = parts(record)
    return answer({name: served, "metadata": metadata, "actor": me.actor})


def _result(result: pb.RunWorkerResponse.RetryResult, selected: list[Json]) -> Json:
    delivery_plan, plan_metadata = optional_parts(result, "delivery_plan")
    delivery, delivery_metadata = optional_parts(result, "delivery")
    execution, execution_metadata = optional_parts(result, "execution")
    return {
        "decision": selected[result.selected_index],
        "delivery_plan": delivery_plan,
        "plan_metadata": plan_metadata,
        "delivery": delivery,
        "delivery_metadata": delivery_metadata,
        "execution_record": execution,
        "execution_metadata": execution_metadata,
        "skipped": result.skipped,
    }


def _policy(policy: bodies.RetryPolicyBody) -> pb.RetryPolicy:
    return pb.RetryPolicy(
        max_retry_attempts=_first(policy.max_retry_attempts, policy.max_retries),
        retry_delay_minutes=_first(policy.retry_delay_minutes, policy.delay_minutes),
        backoff_multiplier=_first(policy.backoff_multiplier, policy.multiplier),
        allow_immediate_retry=policy.allow_immediate_retry,
    )


def _first(value: Any, alias: Any) -> Any:
    return alias if value is None else value
