"""What a closure may name as its verification: records, steps of the playbook, references outside. Each by its form."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cavra_evidence.guard import GuardError, external_reference, matches, scan
from cavra_evidence.refusal import Refusal
from cavra_verify.grammar import BOUNDS
from cavra_verify.kinds import BY_NOUN, Kind, kind_of_id

_SCHEMES: Final = {
    "go-rollback-drill-retry-worker": BY_NOUN["worker_run"],
    "go-rollback-drill-retry-approval": BY_NOUN["approval_decision"],
    "go-rollback-drill-audit-delivery": BY_NOUN["delivery_plan"],
    "connector-delivery": BY_NOUN["connector_delivery"],
}
"""Schemes of an execution record's `public_evidence_refs`, and the kind that each one's id is of."""

_STEP: Final = "step:"


@dataclass(frozen=True, slots=True)
class Reference:
    """One verification reference by what it names. With neither a record nor a step it is a well-formed external one."""

    field: str
    """Where it stands in the request, e.g. "verification_refs[0]"."""
    kind: Kind | None = None
    """The kind of the record that it names."""
    record_id: str = ""
    """The record that it names; it must resolve."""
    step_id: str = ""
    """The step that it names, written `step:<step_id>`; the provider's playbook must have it."""


def read_references(texts: Sequence[str]) -> list[Reference]:
    """What each text names. Raises Refusal `too_long`, `credential_found`, `invalid_reference` or `unknown_reference` with its field."""
    if len(texts) > BOUNDS["verification_refs"]:
        raise Refusal("too_long", f"at most {BOUNDS['verification_refs']} references", "verification_refs")
    return [_read(text, f"verification_refs[{at}]") for at, text in enumerate(texts)]


def _read(text: str, field: str) -> Reference:
    if len(text) > BOUNDS["external_ref"]:
        raise Refusal("too_long", f"at most {BOUNDS['external_ref']} characters", field)
    try:
        scan(text)
    except GuardError as error:
        raise Refusal("credential_found", str(error), field) from None
    if text.startswith(_STEP):
        if text == _STEP:
            raise unresolved(field)
        return Reference(field, step_id=text.removeprefix(_STEP))
    scheme, separator, record_id = text.partition("://")
    if separator and scheme in _SCHEMES:
        return _record(record_id, _SCHEMES[scheme], field)
    # A ticket may not look like a record: whoever writes a known prefix means that kind.
    if kind := kind_of_id(text):
        return _record(text, kind, field)
    try:
        if external_reference(text):
            return Reference(field)
    except GuardError:
        pass
    raise Refusal(
        "invalid_reference", "neither a record id, a step, a ticket id nor a plain https URL", field
    )


def _record(record_id: str, kind: Kind, field: str) -> Reference:
    if kind_of_id(record_id) is not kind or not matches("id", record_id):
        raise unresolved(field)
    if kind is BY_NOUN["execution_resolution"]:
        raise Refusal("invalid_reference", "a resolution is asserted: it verifies nothing", field)
    return Reference(field, kind, record_id)


def check_steps(references: Sequence[Reference], step_ids: Sequence[str]) -> None:
    """Raise Refusal `unknown_reference` for a step that the provider's playbook, with `step_ids`, does not have."""
    for reference in references:
        if reference.step_id and reference.step_id not in step_ids:
            raise unresolved(reference.field)


def unresolved(field: str) -> Refusal:
    """That what `field` names was found nowhere."""
    return Refusal("unknown_reference", "it names nothing that exists", field)
