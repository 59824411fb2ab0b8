"""Refusals: one reason code each, with its gRPC status and HTTP status in one table."""

from collections.abc import Iterable
from typing import Any, Final

import grpc
from cavra_evidence.guard import GuardError
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from pydantic import ValidationError

DOMAIN: Final = "cavra"

_C = grpc.StatusCode

REASONS: Final[dict[str, tuple[grpc.StatusCode, int, str]]] = {
    "unauthenticated": (_C.UNAUTHENTICATED, 401, "A token is needed"),
    "invalid_token": (_C.UNAUTHENTICATED, 401, "The token is not valid"),
    "role_required": (_C.PERMISSION_DENIED, 403, "The caller lacks the role"),
    "policy_floor": (_C.PERMISSION_DENIED, 403, "Weaker than the installation's policy"),
    "self_approval": (_C.PERMISSION_DENIED, 403, "Who took part before may not decide"),
    "cross_site": (_C.PERMISSION_DENIED, 403, "The form was not sent from the console"),
    "self_resolution": (_C.PERMISSION_DENIED, 403, "Who executed may not resolve"),
    "invalid_value": (_C.INVALID_ARGUMENT, 400, "A value is not allowed"),
    "invalid_reference": (_C.INVALID_ARGUMENT, 400, "A reference has no known form"),
    "credential_found": (_C.INVALID_ARGUMENT, 400, "A text looks like a credential"),
    "provider_not_configured": (_C.INVALID_ARGUMENT, 400, "No such provider is configured"),
    "invalid_filter": (_C.INVALID_ARGUMENT, 400, "A filter is not known"),
    "invalid_page_token": (_C.INVALID_ARGUMENT, 400, "The page token is not valid"),
    "use_cursor": (_C.INVALID_ARGUMENT, 400, "Page on with a cursor"),
    "invalid_tree_size": (_C.OUT_OF_RANGE, 400, "The log has no such size"),
    "invalid_index": (_C.OUT_OF_RANGE, 400, "The tree has no such leaf"),
    "trace_too_long": (_C.OUT_OF_RANGE, 400, "The trace has too many records for this"),
    "invalid_body": (_C.INVALID_ARGUMENT, 422, "The body is not of the documented shape"),
    "body_too_large": (_C.RESOURCE_EXHAUSTED, 413, "The body is too large"),
    "unknown_path": (_C.UNIMPLEMENTED, 404, "Nothing is at this path"),
    "method_not_allowed": (_C.UNIMPLEMENTED, 405, "The path does not take this method"),
    "too_long": (_C.INVALID_ARGUMENT, 422, "A text is too long"),
    "record_too_large": (_C.INVALID_ARGUMENT, 422, "The record would be too large"),
    "unknown_record": (_C.NOT_FOUND, 404, "No such record"),
    "unknown_trace": (_C.NOT_FOUND, 404, "No such trace"),
    "unknown_log": (_C.NOT_FOUND, 404, "No such log"),
    "unknown_tile": (_C.NOT_FOUND, 404, "The published log has no such tile"),
    "unknown_schedule": (_C.NOT_FOUND, 404, "No such schedule"),
    "unknown_plan": (_C.NOT_FOUND, 404, "No such plan"),
    "unknown_route": (_C.NOT_FOUND, 404, "No such route"),
    "unknown_item": (_C.NOT_FOUND, 404, "No such item"),
    "unknown_execution": (_C.NOT_FOUND, 404, "No such execution"),
    "unknown_playbook": (_C.NOT_FOUND, 404, "No such playbook"),
    "unknown_provider": (_C.NOT_FOUND, 404, "It does not name this provider"),
    "unknown_health": (_C.NOT_FOUND, 404, "No such alert"),
    "unknown_reference": (_C.NOT_FOUND, 404, "A reference resolves nowhere"),
    "ambiguous_item": (_C.FAILED_PRECONDITION, 409, "Several items match"),
    "acknowledgement_required": (_C.FAILED_PRECONDITION, 409, "An acknowledgement comes first"),
    "item_closed": (_C.FAILED_PRECONDITION, 409, "The item has ended"),
    "content_changed": (_C.FAILED_PRECONDITION, 409, "The content is not what was seen"),
    "invalid_transition": (_C.FAILED_PRECONDITION, 409, "Not possible from this state"),
    "verification_required": (_C.FAILED_PRECONDITION, 409, "Nothing verifies it"),
    "superseded": (_C.FAILED_PRECONDITION, 409, "A newer one stands in its place"),
    "evidence_mismatch": (_C.FAILED_PRECONDITION, 409, "What is stored is not what was signed"),
    "idempotency_key_reused": (_C.FAILED_PRECONDITION, 409, "The key was sent with another request"),
    "in_progress": (_C.ABORTED, 409, "The first request with this key is still running"),
    "conflict": (_C.ABORTED, 409, "It changed meanwhile; try again"),
    "resource_exhausted": (_C.RESOURCE_EXHAUSTED, 429, "Too much at once"),
    "service_unavailable": (_C.UNAVAILABLE, 503, "A service is down"),
    "log_refused": (_C.DATA_LOSS, 503, "The log is not what it signed"),
    "deadline_exceeded": (_C.DEADLINE_EXCEEDED, 503, "It took too long"),
    "internal": (_C.INTERNAL, 500, "A fault of ours"),
}
"""Reason code -> gRPC status, HTTP status, title. The only such table."""

_BY_STATUS = {
    _C.UNAVAILABLE: "service_unavailable",
    _C.DEADLINE_EXCEEDED: "deadline_exceeded",
    _C.RESOURCE_EXHAUSTED: "resource_exhausted",
    _C.UNAUTHENTICATED: "unauthenticated",
    _C.PERMISSION_DENIED: "role_required",
    _C.INVALID_ARGUMENT: "invalid_value",
    _C.ABORTED: "conflict",
    # A service of an earlier version, and one that ended in the middle of a call.
    _C.UNIMPLEMENTED: "service_unavailable",
    _C.CANCELLED: "service_unavailable",
}
"""gRPC's own statuses: no service of ours answers without a reason."""


class Refused(Exception):
    """A request is refused and nothing was written. `message` names no value that the caller sent."""

    def __init__(self, reason: str, message: str, field: str = "") -> None:
        super().__init__(reason, message, field)
        if reason not in REASONS:
            raise KeyError(reason)
        self.reason = reason
        self.message = message
        self.field = field

    def __str__(self) -> str:
        """As a command prints it."""
        return f"{self.message} ({self.reason}{': ' if self.field else ''}{self.field})"

    @property
    def status(self) -> grpc.StatusCode:
        """Its gRPC status."""
        return REASONS[self.reason][0]

    @property
    def http_status(self) -> int:
        """Its HTTP status."""
        return REASONS[self.reason][1]


def role_required(roles: Iterable[str]) -> Refused:
    """The refusal of a caller who has none of these roles."""
    return Refused("role_required", f"this takes the role {' or '.join(sorted(roles)) or 'of nobody'}")


def encode(refused: Refused) -> Any:
    """As a rich gRPC status: ErrorInfo with the reason, and BadRequest or PreconditionFailure with the field."""
    details: list[Any] = [error_details_pb2.ErrorInfo(reason=refused.reason, domain=DOMAIN)]
    if refused.field and refused.status is _C.FAILED_PRECONDITION:
        violation = error_details_pb2.PreconditionFailure.Violation(
            type=refused.reason, subject=refused.field, description=refused.message
        )
        details.append(error_details_pb2.PreconditionFailure(violations=[violation]))
    elif refused.field:
        fault = error_details_pb2.BadRequest.FieldViolation(field=refused.field, description=refused.message)
        details.append(error_details_pb2.BadRequest(field_violations=[fault]))
    packed = []
    for detail in details:
        box = any_pb2.Any()
        box.Pack(detail)
        packed.append(box)
    code = code_pb2.Code.Value(refused.status.name)
    return rpc_status.to_status(status_pb2.Status(code=code, message=refused.message, details=packed))


def decode(error: grpc.aio.AioRpcError) -> Refused:
    """The refusal that a service answered with; a plain status becomes the reason that stands for it."""
    fallback = _BY_STATUS.get(error.code(), "internal")
    reason, field, named = fallback, "", False
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    for detail in status.details if status is not None else ():
        info, bad, failed = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.PreconditionFailure(),
        )
        if detail.Unpack(info) and info.domain == DOMAIN and info.reason in REASONS:
            reason, named = info.reason, True
        elif detail.Unpack(bad) and bad.field_violations:
            field = bad.field_violations[0].field
        elif detail.Unpack(failed) and failed.violations:
            field = failed.violations[0].subject
    # A transport's own words may hold addresses.
    message = error.details() if named else ""
    return Refused(reason, message or REASONS[reason][2], field)


def from_validation(error: ValidationError) -> Refused:
    """A record model's complaint, as a refusal that names field and rule and never the text."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, GuardError):
        reason = "invalid_reference" if cause.rule == "external_reference" else "credential_found"
        return Refused(reason, f"refused by rule {cause.rule}", field)
    if first["type"] in ("string_too_long", "too_long"):
        return Refused("too_long", "longer than allowed", field)
    return Refused("invalid_value", f"refused by rule {first['type']}", field)
