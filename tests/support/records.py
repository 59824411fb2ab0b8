"""Valid records of every kind, made from the models themselves, with whatever a test wants to be different."""

from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records import base, delivery, log, recovery, retry
from cavra_evidence.records.base import Part, Record
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN, KINDS

MODELS: dict[str, type[Record]] = {
    value.KIND.noun: value
    for module in (delivery, retry, recovery, log)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Record) and value is not Record
}
"""The model of every kind, by noun."""

ISSUER = "cavra-local"
MOMENT = "2026-11-23T09:30:00.000000+00:00"

_EXAMPLES: list[tuple[Any, Any]] = [
    (base.Id, "gordn-01a206c25f88000174c508751654"),
    (base.OptionalId, ""),
    (base.ExternalId, "drill-7"),
    (base.OptionalExternalId, ""),
    (base.Name, "on_demand"),
    (base.OptionalName, ""),
    (base.Control, "notes_scanned"),
    (base.Provider, "webhook"),
    (base.OptionalProvider, ""),
    (base.Reason, "accepted"),
    (base.OptionalReason, ""),
    (base.Person, "alice"),
    (base.OptionalPerson, ""),
    (base.Label, "Ask the owner"),
    (base.OptionalLabel, ""),
    (base.OptionalVariable, ""),
    (base.Hash, "0" * 64),
    (base.OptionalHash, ""),
    (base.Decimal, "2"),
    (base.Time, MOMENT),
    (base.Url, "https://receiver.example/audit"),
    (base.Header, "content-type"),
    (base.Method, "POST"),
    (base.EvidenceRef, "connector-delivery://rcd-01"),
    (base.Notes, "Reviewed."),
    (base.ExternalRef, "CHG-1042"),
    (base.VerificationRef, "CHG-1042"),
    (base.Count, 1),
    (base.StatusCode, 503),
    (base.AlertLevel, "warning"),
]

_TOP: dict[str, dict[str, Any]] = {
    "connector_delivery": {
        "connector_delivery_source": AUDIT_SOURCE,
        "delivery_success": False,
        "providers": ["webhook"],
        "failed_providers": ["webhook"],
    },
    "worker_run": {"retryable_count": 1, "selected_retry_count": 1},
}


def record(noun: str, **fields: Any) -> Record:
    """A record of a kind, with an id of its own."""
    kind = BY_NOUN[noun]
    return MODELS[noun](**{**_fields(MODELS[noun]), kind.id_field: new_id(kind.prefix), **fields})


def actor(name: str = "alice") -> Actor:
    """Someone of the local issuer."""
    return Actor(ISSUER, name, name)


def draft(
    noun: str = "retry_ack",
    *,
    by: str = "alice",
    traces: tuple[str, ...] = (),
    causes: tuple[Cause, ...] = (),
    top: dict[str, Any] | None = None,
    **fields: Any,
) -> Draft:
    """A record of a kind, ready to append."""
    return Draft(record(noun, **fields), actor(by), causes, traces, {**_TOP.get(noun, {}), **(top or {})})


def draft_of_every_kind(**more: Any) -> list[Draft]:
    """One of each, in the order of the flow."""
    return [draft(kind.noun, **more) for kind in KINDS]


def _fields(model: type[Part]) -> dict[str, Any]:
    hints = get_type_hints(model, include_extras=True)
    return {name: _example(hints[name]) for name in model.model_fields}


def _example(hint: Any) -> Any:
    for alias, value in _EXAMPLES:
        if hint == alias:
            return value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _example(arguments[0])
    if origin is Literal:
        return arguments[0]
    if origin is list:
        return [_example(arguments[0])]
    if origin is dict:
        return {_example(arguments[0]): _example(arguments[1])}
    if origin is not None:  # X | None
        return _example(arguments[0])
    if isinstance(hint, type) and issubclass(hint, Part):
        return hint(**_fields(hint))
    if hint is bool:
        return False
    raise TypeError(f"no example of {hint}")
