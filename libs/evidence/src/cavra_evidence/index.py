"""Under which terms a record is found, and which counters it moves: derived from its envelope alone."""

from collections.abc import Iterator
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
    traces = [("trace", trace) for trace in document["trace_ids"]]
    by_kind = ("metadata_kind", kind.kind)
    if kind.internal:
        return [*traces, by_kind], [by_kind]
    body = document[kind.key]
    found = list(
        dict.fromkeys(
            [*traces, by_kind, ("history", "all"), *_named(document, body), *_marks(kind, document, body)]
        )
    )
    counted = [term for term in found if term[0] in COUNTED]
    return found, counted + _tallies(kind, document, body)


def _named(document: dict[str, Any], body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a record says in fields of these names."""
    for name in _PLAIN:
        value = document.get(name) or body.get(name)
        if value:
            yield name, value
    for provider in _providers(body):
        yield "provider", provider
    yield "actor", document["actor"]["sub"]
    yield "actor", document["actor"]["name"]
    cadence = body.get("cadence") or body.get("schedule", {}).get("cadence")
    if cadence:
        yield "cadence", cadence


def _marks(kind: Kind, document: dict[str, Any], body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a record is, by its kind and flags."""
    source = document.get("connector_delivery_source", "")
    if kind.flow == "alert" or source == ALERT_SOURCE:
        yield "flow", "health_alert"
    if source:
        yield "connector_delivery_source", source
        yield "delivery_success", _flag(document["delivery_success"])
    elif kind.flow in ("audit", "alert"):
        yield "connector_delivery_source", AUDIT_SOURCE
    if kind.noun == "worker_run":
        yield "dry_run", _flag(body["dry_run"])
    if "suppressed_providers" in body:
        yield "suppressed", _flag(bool(body["suppressed_providers"]))


def _tallies(kind: Kind, document: dict[str, Any], body: dict[str, Any]) -> Terms:
    """Counters that no filter needs, for the dashboard."""
    if kind.noun == "approval_decision":
        return [("approval_state", body["approval_state"])]
    if kind.noun != "connector_delivery":
        return []
    source, success = document["connector_delivery_source"], _flag(document["delivery_success"])
    by_provider = [("delivery_provider", f"{source}:{name}") for name in document["providers"]]
    by_reason = [
        ("delivery_failure", f"{source}:{one['provider']}:{one['error']}")
        for one in body["deliveries"]
        if one["error"]
    ]
    return [("delivery", f"{source}:{success}"), *by_provider, *by_reason]


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
