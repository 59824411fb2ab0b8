"""Examples for the API's description, made from its schemas: every value is one that the product could serve."""

from typing import Any, Final

from cavra_verify.grammar import PATTERNS

_SUFFIX: Final = "-019a8f3c2b7e0001a1b2c3d4e5f6"

_BY_NAME: Final[dict[str, Any]] = {
    "plan_id": "gordn" + _SUFFIX,
    "acknowledgement_id": "gordack" + _SUFFIX,
    "audit_id": "gordackaudit" + _SUFFIX,
    "delivery_id": "gordackdelivery" + _SUFFIX,
    "latest_delivery_id": "gordackdelivery" + _SUFFIX,
    "delivery_plan_id": "gordackdelivery" + _SUFFIX,
    "delivery_metadata_id": "rcd" + _SUFFIX,
    "session_id": "rcd" + _SUFFIX,
    "retry_plan_id": "gordackretry" + _SUFFIX,
    "approval_plan_id": "gordackretryapproval" + _SUFFIX,
    "decision_id": "gordackretryapprovaldecision" + _SUFFIX,
    "approval_decision_id": "gordackretryapprovaldecision" + _SUFFIX,
    "execution_id": "gordackretryexec" + _SUFFIX,
    "run_id": "gordackworker" + _SUFFIX,
    "latest_run_id": "gordackworker" + _SUFFIX,
    "playbook_id": "gordackrecovery" + _SUFFIX,
    "closure_id": "gordackrecoveryclosure" + _SUFFIX,
    "health_id": "gordackhealth" + _SUFFIX,
    "route_id": "gordroute" + _SUFFIX,
    "route_key": "gordroute" + _SUFFIX,
    "event_id": "evt" + _SUFFIX,
    "message_id": "msg" + _SUFFIX,
    "service": "retry",
    "level": "0",
    "number": "x001/x234/067",
    "schedule_id": "prod-rollback-drill",
    "provider": "webhook",
    "owner": "platform-team",
    "escalation_owner": "incident-lead",
    "alert_level": "warning",
    "external_ref": "OPS-1234",
    "notes": "Collector was being patched.",
    "status_code": 503,
    "failed_status_codes": [503],
    "status_codes": [503],
    "error": "server_error",
    "outcome": "failed",
    "skipped": "",
    "controls": ["notes_scanned"],
    "public_evidence_refs": ["go-rollback-drill-retry-worker://gordackworker" + _SUFFIX],
    "category": "webhook",
    "url": "https://siem.example/hooks/audit",
    "headers": {"content-type": "application/json"},
    "acknowledgement_state": "acknowledged",
    "item_state": "approved",
    "cadence": "on_demand",
    "requested_provider": "all",
    "cursor": "WzE3NjM4OTAyMDAsMF0",
    "trace": "gordackdelivery" + _SUFFIX,
    "trace_id": "gordackdelivery" + _SUFFIX,
    "actor": "alice",
    "metadata_kind": "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-plan",
}
"""Examples by the name of the field."""

_BY_GRAMMAR: Final[dict[str, str]] = {
    "id": "gordackretry" + _SUFFIX,
    "external_id": "prod-rollback-drill",
    "name": "on_demand",
    "provider": "webhook",
    "reason": "server_error",
    "person": "alice",
    "issuer": "cavra-local",
    "label": "Check the receiver",
    "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "decimal": "2",
    "time": "2026-11-23T09:30:00.000000+00:00",
    "method": "POST",
    "url": "https://siem.example/hooks/audit",
    "evidence_ref": "connector-delivery://rcd" + _SUFFIX,
}
_BY_PATTERN: Final = {
    pattern.format(PATTERNS[grammar]): example
    for grammar, example in _BY_GRAMMAR.items()
    for pattern in ("^(?:{})$", "^(?:{})?$")
}
_ALERT_LEVELS: Final = "^(?:healthy|warning|critical)$"
_HASHES: Final = ("record_hash", "item_digest", "payload_hash")


def example_of(schema: dict[str, Any], definitions: dict[str, Any], name: str = "") -> Any:
    """An example of `schema`; `name` is the field that holds it, `definitions` what its references name."""
    if "$ref" in schema:
        return example_of(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "const" in schema:
        return schema["const"]
    if schema.get("examples"):
        return schema["examples"][0]
    if name in _BY_NAME and _fits(_BY_NAME[name], schema):
        return _BY_NAME[name]
    if schema.get("default") is not None:
        return schema["default"]
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], definitions, name)
    return _of_type(schema, definitions, name)


def _of_type(schema: dict[str, Any], definitions: dict[str, Any], name: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {
                key: example_of(part, definitions, key)
                for key, part in properties.items()
                if not _seldom_given(part)
            }
        case "array":
            item = example_of(schema.get("items", {}), definitions, name.removesuffix("s"))
            return [item]
        case "integer" | "number":
            return max(1, int(schema.get("minimum", 1)))
        case "boolean":
            return True
        case "string":
            return _text(schema, name)
    return None


def _seldom_given(schema: dict[str, Any]) -> bool:
    """An optional field of a body of which nobody gave an example."""
    return "default" in schema and schema["default"] is None and not schema.get("examples")


def _text(schema: dict[str, Any], name: str) -> str:
    if schema.get("pattern") == _ALERT_LEVELS:
        return "warning"
    if schema.get("pattern") in _BY_PATTERN:
        return _BY_PATTERN[schema["pattern"]]
    if name in _HASHES or name.endswith("_hash"):
        return _BY_GRAMMAR["hash"]
    if schema.get("format") == "date-time" or name.endswith("_at"):
        return _BY_GRAMMAR["time"]
    return "ready"


def _fits(example: Any, schema: dict[str, Any]) -> bool:
    """Whether an example by name is one of this schema: names recur with other types and values."""
    if "anyOf" in schema:
        return any(_fits(example, one) for one in schema["anyOf"])
    kind = {str: "string", int: "integer", list: "array", dict: "object"}[type(example)]
    return schema.get("type") == kind and example in schema.get("enum", [example])
