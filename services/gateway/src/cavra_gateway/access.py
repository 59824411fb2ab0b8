"""Which roles each route takes: those of the RPC that answers it, as one table says. What stands in neither is served to nobody."""

from typing import Final

from cavra_service import roles

_DELIVERY: Final = "/cavra.delivery.v1.DeliveryService/"
_RETRY: Final = "/cavra.retry.v1.RetryService/"
_RECOVERY: Final = "/cavra.recovery.v1.RecoveryService/"
_LOG: Final = "/cavra.evidence.v1.EvidenceLog/"

_ANSWERED_BY: Final = {
    "get_drill_schedule": _DELIVERY + "GetDrillSchedule",
    "notify_drill": _DELIVERY + "NotifyDrill",
    "acknowledge_drill": _DELIVERY + "AcknowledgeDrill",
    "acknowledge_drills_in_bulk": _DELIVERY + "BatchAcknowledgeDrills",
    "create_audit_package": _DELIVERY + "CreateAuditPackage",
    "deliver_audit": _DELIVERY + "DeliverAudit",
    "plan_escalation": _DELIVERY + "PlanEscalation",
    "list_routes": _DELIVERY + "ListRoutes",
    "get_suppression_trend": _DELIVERY + "GetSuppressionTrend",
    "get_console_config": _DELIVERY + "ListConnectors",
    "plan_retries": _RETRY + "PlanRetries",
    "acknowledge_retry": _RETRY + "AcknowledgeRetry",
    "plan_approval": _RETRY + "PlanApproval",
    "decide_approval": _RETRY + "DecideApproval",
    "run_worker": _RETRY + "RunWorker",
    "resolve_execution": _RETRY + "ResolveExecution",
    "list_worker_runs": _RETRY + "ListWorkerRuns",
    "get_worker_dashboard": _RETRY + "GetWorkerDashboard",
    "get_worker_health": _RETRY + "GetWorkerHealth",
    "deliver_health_alert": _RETRY + "DeliverHealthAlert",
    "acknowledge_health_alert": _RETRY + "AcknowledgeHealthAlert",
    "get_health_alert_dashboard": _RETRY + "GetHealthAlertDashboard",
    "list_health_alerts": _LOG + "ListRecords",
    "create_playbook": _RECOVERY + "CreatePlaybook",
    "close_recovery": _RECOVERY + "CloseRecovery",
    "get_history": _LOG + "ListRecords",
    "get_dashboard": _LOG + "GetCounters",
    "get_trace_bundle": _LOG + "GetTracePart",
    "get_trace_verification": _LOG + "GetTracePart",
    "get_log_checkpoint": _LOG + "GetCheckpoint",
    "get_log_tile": _LOG + "GetTile",
    "get_log_entries": _LOG + "GetEntries",
}

ROLES: Final = {
    **{name: roles.REQUIRED[rpc] for name, rpc in _ANSWERED_BY.items()},
    "get_metrics": frozenset({"auditor"}),
}
"""Name of a route -> roles of which the caller needs one."""

PUBLIC_LOG: Final = frozenset(name for name, rpc in _ANSWERED_BY.items() if rpc in roles.PUBLIC_LOG)
"""Routes that anybody may ask where the installation's log is public."""

PUBLIC: Final = frozenset({"get_health", "get_version"})
"""Routes that anybody may ask, beside the pages that describe the API."""
