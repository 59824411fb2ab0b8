"""Record models are closed: nothing unnamed, unbounded or ambiguous can enter a record."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import pytest
from cavra_evidence.guard import GuardError
from cavra_evidence.records.base import Part, Record
from cavra_verify.canonical import canonical
from cavra_verify.kinds import KINDS
from pydantic import StringConstraints, ValidationError

from tests.support.records import MODELS, record


def every_model() -> list[type[Part]]:
    found: list[type[Part]] = []
    waiting: list[type[Part]] = [Part]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model not in (Part, Record):
            found.append(model)
    return sorted(found, key=lambda model: model.__name__)


def leaves(hint: Any, constraints: tuple[Any, ...] = ()) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Every type within a hint, with what constrains it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from leaves(arguments[0], (*constraints, *arguments[1:]))
    elif origin is Literal or origin is None:
        yield hint, constraints
    else:
        yield origin, constraints
        for argument in arguments:
            yield from leaves(argument)


def kind_of(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def test_every_kind_has_a_model() -> None:
    assert set(MODELS) == {kind.noun for kind in KINDS}


@pytest.mark.parametrize("model", every_model(), ids=lambda model: model.__name__)
def test_a_model_is_frozen_closed_and_strict(model: type[Part]) -> None:
    assert model.model_config.get("frozen") is True
    assert model.model_config.get("extra") == "forbid"
    assert model.model_config.get("strict") is True


@pytest.mark.parametrize("model", every_model(), ids=lambda model: model.__name__)
def test_a_model_holds_no_float_no_open_text_and_no_open_map(model: type[Part]) -> None:
    hints = get_type_hints(model, include_extras=True)
    for name in model.model_fields:
        for kind, constraints in leaves(hints[name]):
            where = f"{model.__name__}.{name}"
            assert kind not in (float, Any, object, bytes), where
            if kind is str:
                texts = [item for item in constraints if isinstance(item, StringConstraints)]
                assert any(item.pattern or item.max_length for item in texts), (
                    f"{where} is a text without grammar or bound"
                )
            if kind is dict:
                key = get_args(kind_of(hints[name]))[0]
                assert get_origin(key) is Annotated, f"{where} is a map with any key"


@pytest.mark.parametrize("noun", MODELS)
def test_a_record_is_canonical_and_read_back(noun: str) -> None:
    made = record(noun)
    body = made.body()
    assert body["schema_version"] == made.KIND.schema
    envelope = canonical({"metadata_kind": made.KIND.kind, made.KIND.key: body})
    assert type(made).read(envelope) == made


@pytest.mark.parametrize("noun", MODELS)
def test_a_record_takes_no_unknown_field_and_does_not_change(noun: str) -> None:
    with pytest.raises(ValidationError):
        record(noun, unknown="x")
    made = record(noun)
    with pytest.raises(ValidationError):
        setattr(made, made.KIND.id_field, "x")


@pytest.mark.parametrize("noun", MODELS)
def test_a_record_is_read_as_its_own_kind_alone(noun: str) -> None:
    made = record(noun)
    other = record("closure" if noun != "closure" else "playbook")
    envelope = canonical({"metadata_kind": made.KIND.kind, made.KIND.key: made.body()})
    with pytest.raises(ValueError, match="another kind"):
        type(other).read(envelope)


def test_a_credential_in_a_note_is_refused_by_rule_and_not_shown() -> None:
    secret = "".join(["pass", "word=", "correcthorse"])
    with pytest.raises(ValidationError) as refused:
        record("retry_ack", notes=secret)
    cause = refused.value.errors()[0]["ctx"]["error"]
    assert isinstance(cause, GuardError)
    assert cause.rule == "password_assignment"


@pytest.mark.parametrize(
    ("noun", "field", "value"),
    [
        ("retry_ack", "notes", "x" * 2_001),
        ("retry_ack", "external_ref", "x" * 257),
        ("retry_ack", "acknowledged_by", "a\nb"),
        ("retry_ack", "acknowledged_by", "<script>"),
        ("retry_ack", "provider", "Webhook"),
        ("retry_ack", "acknowledgement_state", "approved"),
        ("retry_ack", "retry_plan_id", "1"),
        ("retry_ack", "acknowledged_at", "2026-11-23T09:30:00Z"),
        ("retry_ack", "notes", "\ud800"),
        ("retry_plan", "backoff_multiplier", 2.0),
        ("retry_plan", "retryable_count", -1),
        ("retry_plan", "retryable_count", True),
        ("retry_plan", "retryable_count", "1"),
        ("retry_plan", "allow_immediate_retry", "false"),
        ("closure", "verification_refs", ["CHG-1"] * 21),
        ("closure", "verification_refs", [""]),
    ],
)
def test_a_record_refuses(noun: str, field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        record(noun, **{field: value})


def test_a_plan_holds_at_most_fifty_items() -> None:
    plan = record("retry_plan")
    items = plan.model_dump()["retry_decisions"]
    decision = type(plan).model_validate(plan.model_dump()).retry_decisions[0]  # type: ignore[attr-defined]
    assert len(items) == 1
    record("retry_plan", retry_decisions=[decision] * 50)
    with pytest.raises(ValidationError):
        record("retry_plan", retry_decisions=[decision] * 51)
