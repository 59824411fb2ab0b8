"""Under which terms a record is found, and which counters it moves: derived from its envelope alone."""

from typing import Any

from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, Kind

FILTERS = frozenset(
    "schedule_id provider metadata_kind acknowledgement_state connector_delivery_source delivery_success alert_level audit_id delivery_id"
    " cadence run_id execution_id execution_status retry_plan_id approval_plan_id playbook_id closure_state actor health_id plan_id dry_run"
    " suppressed flow trace".split()
)
"""Names by which records may be asked for."""

COUNTED = frozenset(
    "history metadata_kind provider acknowledgement_state connector_delivery_source delivery_success alert_level cadence schedule_id"
    " execution_status closure_state actor dry_run suppressed flow".split()
)
"""Names with few values: their records are counted as they are written, so that a total costs one row."""

_PLAIN = (
    "schedule_id acknowledgement_state alert_level audit_id delivery_id run_id execution_id execution_status retry_plan_id approval_plan_id"
    " playbook_id closure_state health_id plan_id"
).split()

Terms = list[tuple[str, str]]


def terms(kind: Kind, document: dict[str, Any]) -> tuple[Terms, Terms]:
    """(index terms, counter terms) of a record, as (name, value) pairs without repetition.

    A record of an internal kind is found by its kind and its traces alone.
    """
    found = dict.fromkeys(("trace", trace) for trace in document["trace_ids"])
    found["metadata_kind", kind.kind] = None
    if kind.internal:
        return list(found), [("metadata_kind", kind.kind)]
    found["history", "all"] = None
    body = document[kind.key]
    for name in _PLAIN:
        value = document.get(name) or body.get(name)
        if value:
            found[name, value] = None
    for provider in _providers(body):
        found["provider", provider] = None
    actor = document["actor"]
    found["actor", actor["sub"]] = found["actor", actor["name"]] = None
    cadence = body.get("cadence") or body.get("schedule", {}).get("cadence")
    if cadence:
        found["cadence", cadence] = None
    if kind.noun == "worker_run":
        found["dry_run", _flag(body["dry_run"])] = None
    if kind.flow == "alert":
        found["flow", "health_alert"] = None
    if kind.flow in ("audit", "alert"):
        found["connector_delivery_source", AUDIT_SOURCE] = None
    if "suppressed_providers" in body:
        found["suppressed", _flag(bool(body["suppressed_providers"]))] = None
    counted = [term for term in found if term[0] in COUNTED]
    if kind.noun == "connector_delivery":
        counted += _delivery_terms(document, found)
    if kind.noun == "approval_decision":
        counted.append(("approval_state", body["approval_state"]))
    return list(found), counted


def _delivery_terms(document: dict[str, Any], found: dict[tuple[str, str], None]) -> Terms:
    source, success = document["connector_delivery_source"], _flag(document["delivery_success"])
    own = [("connector_delivery_source", source), ("delivery_success", success)]
    found.update(dict.fromkeys(own))
    if source == ALERT_SOURCE:
        found["flow", "health_alert"] = None
        own.append(("flow", "health_alert"))
    counters = [("delivery", f"{source}:{success}")]
    return own + counters + [("delivery_provider", f"{source}:{name}") for name in document["providers"]]


def _providers(value: Any) -> list[str]:
    """Every provider that a record names, at any depth."""
    names: list[str] = []
    for key, item in value.items():
        if key == "provider":
            names.append(item)
        elif key.endswith("providers"):
            names += item
        elif type(item) is list and item and type(item[0]) is dict:
            for part in item:
                names += _providers(part)
        elif type(item) is dict:
            names += _providers(item)
    return [name for name in names if name]


def _flag(value: bool) -> str:
    return "true" if value else "false"
