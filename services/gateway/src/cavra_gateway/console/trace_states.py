"""What a record says in two words: its state, and whether that is good, bad or in between."""

from typing import Any, Final, NamedTuple

from cavra_verify.kinds import BY_KIND

from cavra_gateway.records import Json


class State(NamedTuple):
    """A record's state."""

    text: str
    tone: str = ""
    """ok, warn, bad or accent; empty for what is neither."""


_TONES: Final = {
    "delivered": "ok", "approved": "ok", "accepted": "ok", "acknowledged": "ok", "resolved": "ok", "mitigated": "ok", "healthy": "ok",
    "failed": "bad", "denied": "bad", "revoked": "bad", "refused": "bad", "critical": "bad", "not_delivered": "bad", "dismissed": "warn",
    "skipped": "warn", "unknown": "warn", "deferred": "warn", "escalated": "warn", "expired": "warn", "reopened": "warn", "warning": "warn",
}  # fmt: skip

_FIELDS: Final = {
    "notification_ack": "acknowledgement_state",
    "retry_ack": "acknowledgement_state",
    "health_alert_ack": "acknowledgement_state",
    "approval_decision": "approval_state",
    "execution_record": "execution_status",
    "execution_resolution": "outcome",
    "closure": "closure_state",
}
"""Noun -> field of the full record that is its state."""

_COUNTS: Final = {
    "audit_package": (("route_count", "routes"), ("outstanding_count", "outstanding")),
    "delivery_plan": (("destination_count", "destinations"),),
    "retry_plan": (("retryable_count", "to retry"), ("waiting_count", "waiting"), ("suppressed_count", "given up")),
    "approval_plan": (("approval_required_count", "to approve"), ("waiting_count", "waiting")),
    "playbook": (("provider_count", "providers"), ("failure_count", "failures")),
    "notification_plan": (("deliverable_route_count", "to deliver"), ("suppressed_route_count", "suppressed")),
    "escalation_plan": (("breached_count", "breached"), ("outstanding_count", "outstanding")),
}  # fmt: skip
"""Noun -> what of it is told in numbers."""


def state_of(envelope: Json) -> State:
    """The state of a served record."""
    kind = BY_KIND[envelope["metadata_kind"]]
    body = envelope[kind.key]
    if kind.noun in _FIELDS:
        return _toned(body[_FIELDS[kind.noun]])
    if kind.noun in _COUNTS:
        told = [
            f"{body[name]} {words.removesuffix('s') if body[name] == 1 else words}"
            for name, words in _COUNTS[kind.noun]
            if body.get(name)
        ]
        return State(", ".join(told) or "empty")
    match kind.noun:
        case "connector_delivery":
            return _delivery(body)
        case "retry_refusal":
            return State("refused: " + _spaced(body["reason"]), "bad")
        case "retry_intent":
            return State(f"attempt {body['attempt_number']}", "accent")
        case "worker_run":
            selected = body["summary"]["selected_retry_count"]
            return State("dry run" if body["dry_run"] else f"live, {selected} taken")
        case "health_alert_plan":
            return _toned(body["alert_level"])
        case "log_key":
            return State(_spaced(body["event"]))
    return State("")


def _delivery(body: Json) -> State:
    failed = [one for one in body["deliveries"] if not one["success"]]
    if not failed:
        return State("delivered", "ok")
    codes = sorted({one["status_code"] for one in failed if one.get("status_code")})
    why = " ".join(map(str, codes)) or _spaced(failed[0].get("error") or "no answer")
    return State(f"failed: {why}", "bad")


def _toned(state: str) -> State:
    return State(_spaced(state), _TONES.get(state, ""))


def _spaced(code: Any) -> str:
    return str(code).replace("_", " ")


def actor_of(envelope: Json) -> str:
    """Who acted, to show; a service by what it is."""
    name: str = envelope["actor"]["name"]
    return name


def provider_of(envelope: Json) -> str:
    """The provider that the record is about; several are separated by commas."""
    body = envelope[BY_KIND[envelope["metadata_kind"]].key]
    for document in (envelope, body):
        if document.get("provider"):
            return str(document["provider"])
        for name in ("providers", "selected_providers"):
            if document.get(name):
                return ", ".join(document[name])
    return ", ".join(sorted({one["provider"] for one in _items(body)}))


def _items(body: Json) -> list[Json]:
    for name in ("retry_decisions", "approval_decisions", "provider_playbooks", "selected_retries"):
        found: list[Json] = body.get(name) or []
        if found:
            return found
    return []
