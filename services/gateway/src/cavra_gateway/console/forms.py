"""Forms: read within bounds, into the same body models that the HTTP API takes, with each complaint at its field."""

import uuid
from collections.abc import Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from cavra_service.errors import REASONS, Refused
from cavra_service.idempotency import checked
from fastapi import Request
from pydantic import BaseModel, ValidationError

from cavra_gateway.console.advice import ADVICE
from cavra_gateway.problems import of_validation

Model = TypeVar("Model", bound=BaseModel)

_MOST_BYTES: Final = 256 * 1024
_MOST_FIELDS: Final = 2_000
_UNDECIDED: Final = frozenset({"service_unavailable", "deadline_exceeded", "in_progress", "internal"})
"""Refusals after which nobody knows whether the command ran: sent again, it has its key again."""


class Form:
    """What was filled in. A name that stands several times has several texts."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._texts: dict[str, list[str]] = {}
        for name, text in pairs:
            # Browsers send line ends as CRLF; records hold what was meant.
            self._texts.setdefault(name, []).append(text.replace("\r\n", "\n"))

    def text(self, name: str, default: str = "") -> str:
        """The text of a field."""
        return self._texts.get(name, [default])[0]

    def texts(self, name: str) -> list[str]:
        """All texts of a name."""
        return self._texts.get(name, [])

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    @property
    def key(self) -> str:
        """The idempotency key that the form was rendered with."""
        return self.text("idempotency_key") or fresh_key()


EMPTY: Final = Form([])


def fresh_key() -> str:
    """An idempotency key for a form that is being rendered."""
    return str(uuid.uuid4())


async def read_form(request: Request) -> Form:
    """The form of a request. Raises Refused `body_too_large`, `invalid_body`, or `invalid_value` for a key that is none."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refused("invalid_body", "the content type is not a form's")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Refused("body_too_large", f"at most {_MOST_BYTES} bytes")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Refused("invalid_body", "the form could not be read") from None
    form = Form(pairs)
    checked([text for text in form.texts("idempotency_key") if text])
    return form


def body_of(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The command's body. What is left empty has the body's default. Raises Refused with the field."""
    given = _given(values)
    lists = {name: value for name, value in given.items() if isinstance(value, list)}
    try:
        body = model.model_validate_strings(
            {name: value for name, value in given.items() if name not in lists}
        )
        # Pydantic reads no lists out of strings: what they hold is text anyway.
        return model.model_validate({**body.model_dump(exclude_unset=True), **lists}) if lists else body
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise of_validation([{**one, "loc": ("body", *one["loc"])} for one in faults]) from None


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: _given(value) if isinstance(value, dict) else value for name, value in values.items()}
    return {name: value for name, value in found.items() if value not in ("", None, {}, [])}


class Problem:
    """A refusal as a form shows it."""

    def __init__(self, refused: Refused) -> None:
        self.reason = refused.reason
        self.title = REASONS[refused.reason][2]
        self.message = refused.message
        self.advice = ADVICE.get(refused.reason, "")
        self.field = refused.field.partition("[")[0].rpartition(".")[2]
        self.status = refused.http_status

    @property
    def undecided(self) -> bool:
        """Whether the command may have run all the same."""
        return self.reason in _UNDECIDED


def key_after(form: Form, problem: Problem | None) -> str:
    """The key of the form that is rendered next."""
    return form.key if problem is not None and problem.undecided else fresh_key()
