"""Which role each RPC takes: one table. What is not in it is served to nobody."""

from typing import Final

_ANY: Final = frozenset({"operator", "approver", "auditor", "service"})
_OPERATOR: Final = frozenset({"operator", "service"})
_PERSON: Final = frozenset({"operator"})
_APPROVER: Final = frozenset({"approver"})
_SERVICE: Final = frozenset({"service"})
_AUDITOR: Final = frozenset({"auditor"})
_PUBLIC: Final = frozenset[str]()

_TABLE: Final[dict[str, dict[str, frozenset[str]]]] = {
    "cavra.evidence.v1.EvidenceLog": {
        "GetRecord": _ANY,
        "BatchGetRecords": _ANY,
        "ListRecords": _ANY,
        "WatchRecords": _ANY,
        "GetCounters": _ANY,
        "GetCheckpoint": _ANY,
        "GetInclusionProof": _ANY,
        "GetConsistencyProof": _ANY,
        "GetTile": _ANY,
        "GetEntries": _AUDITOR,
        "GetTracePart": _ANY,
        "GetProvenRecords": _ANY,
    },
    "cavra.delivery.v1.DeliveryService": {
        "GetDrillSchedule": _ANY,
        "NotifyDrill": _OPERATOR,
        "AcknowledgeDrill": _OPERATOR,
        "BatchAcknowledgeDrills": _OPERATOR,
        "CreateAuditPackage": _OPERATOR,
        "DeliverAudit": _OPERATOR,
        "DeliverAudits": _OPERATOR,
        "PlanEscalation": _OPERATOR,
        "ListRoutes": _ANY,
        "GetSuppressionTrend": _ANY,
        "ListOutstandingAcknowledgements": _ANY,
        "ListConnectors": _ANY,
        "ListFailures": _ANY,
        "ListChangedFailures": _SERVICE,
        "BatchGetFailures": _ANY,
        "SummarizeFailures": _ANY,
        "DescribeRetries": _SERVICE,
        "SendRetries": _SERVICE,
        "Settle": _SERVICE,
        "ResolveFailure": _SERVICE,
        "SendAlert": _SERVICE,
    },
    "cavra.retry.v1.RetryService": {
        "PlanRetries": _OPERATOR,
        "AcknowledgeRetry": _OPERATOR,
        "PlanApproval": _OPERATOR,
        "DecideApproval": _APPROVER,
        "ListWork": _ANY,
        "RunWorker": _OPERATOR,
        "ResolveExecution": _PERSON,
        "ListWorkerRuns": _ANY,
        "GetWorkerDashboard": _ANY,
        "GetWorkerHealth": _ANY,
        "DeliverHealthAlert": _OPERATOR,
        "AcknowledgeHealthAlert": _OPERATOR,
        "GetHealthAlertDashboard": _ANY,
    },
    "cavra.recovery.v1.RecoveryService": {
        "CreatePlaybook": _OPERATOR,
        "CloseRecovery": _OPERATOR,
        "ListRecoveries": _ANY,
    },
    # What a prober and a tool ask before they can hold a token.
    "grpc.health.v1.Health": {"Check": _PUBLIC, "Watch": _PUBLIC, "List": _PUBLIC},
    "grpc.reflection.v1alpha.ServerReflection": {"ServerReflectionInfo": _PUBLIC},
    "grpc.reflection.v1.ServerReflection": {"ServerReflectionInfo": _PUBLIC},
}

REQUIRED: Final = {
    f"/{service}/{method}": roles for service, methods in _TABLE.items() for method, roles in methods.items()
}
"""Full method name -> roles of which the caller needs one; an empty set is open to all."""

PUBLIC_LOG: Final = frozenset(
    {"/cavra.evidence.v1.EvidenceLog/GetCheckpoint", "/cavra.evidence.v1.EvidenceLog/GetTile"}
)
"""RPCs that are open to all where the installation's log is public (`public_log`): they show hashes, and no record."""
