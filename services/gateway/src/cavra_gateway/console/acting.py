"""How a form becomes a command of the API, and what is told of it: the same body, the same function, the same answer."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from cavra_service.server import refusal
from fastapi import Request
from fastapi.responses import Response
from google.protobuf.message import Message

from cavra_gateway.console.forms import EMPTY, Form, Problem, key_after
from cavra_gateway.console.navigation import Entry
from cavra_gateway.console.render import page
from cavra_gateway.console.session import Visitor
from cavra_gateway.records import Json


async def attempted(command: Callable[[], Awaitable[Response]]) -> Json | Problem:
    """The answer of one command of the API, or why it was refused. Raises what is a fault of ours."""
    try:
        response = await command()
    except Exception as error:
        refused = refusal(error)
        if refused.reason == "internal":
            raise
        return Problem(refused)
    answer: Json = orjson.loads(bytes(response.body))
    return answer


def part_key(form: Form, *about: str) -> str:
    """The key of one of several commands of a form: the same for the same thing, however often it is sent."""
    return f"{form.key}.{hashlib.sha256(' '.join(about).encode()).hexdigest()[:16]}"


def shown(
    request: Request,
    template: str,
    entry: Entry,
    visitor: Visitor,
    form: Form = EMPTY,
    problem: Problem | None = None,
    about: Sequence[Any] | None = None,
    fresh: str = "",
    **context: Any,
) -> Response:
    """An action's page: its form as it was filled in, and what was wrong with it.

    `about` is what the page is about, as messages and JSON: when it changes, the page says so and offers what stands at `fresh`, by
    default its own address. None for a page that follows nothing.
    """
    return page(
        request,
        template,
        status=problem.status if problem else 200,
        entry=entry,
        why=entry.refusal(visitor),
        form=form,
        problem=problem,
        key=key_after(form, problem),
        about="" if about is None else _digest(about),
        fresh=fresh or entry.href,
        **context,
    )


def _digest(about: Sequence[Any]) -> str:
    """The same as long as all of it is."""
    parts = (
        one.SerializeToString(deterministic=True)
        if isinstance(one, Message)
        else orjson.dumps(one, option=orjson.OPT_SORT_KEYS)
        for one in about
    )
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Told:
    """One line of what became of something."""

    tone: str
    """ok, warn or bad."""
    title: str
    text: str = ""
    envelope: Json | None = None
    """The record that says so."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an action."""

    tone: str
    title: str
    text: str = ""
    told: list[Told] = field(default_factory=list)
    following: list[tuple[str, str]] = field(default_factory=list)
    """(what may be done next, where)."""


def result(request: Request, entry: Entry, outcome: Result) -> Response:
    """The page that shows it."""
    return page(request, "result.html", entry=entry, result=outcome)


def summed(told: Iterable[Told], done: str) -> tuple[str, str]:
    """(tone, title) over several lines."""
    lines = list(told)
    bad = sum(one.tone == "bad" for one in lines)
    if not bad:
        return "ok", f"{len(lines)} {done}"
    return "warn", f"{len(lines) - bad} {done}, {bad} refused"
