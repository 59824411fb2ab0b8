"""Templates into pages: escaping is always on, and every page says who is signed in."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from cavra_evidence.times import moment, text
from cavra_verify.kinds import BY_KIND
from fastapi import Request
from fastapi.responses import HTMLResponse
from google.protobuf.timestamp_pb2 import Timestamp
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cavra_gateway.console.navigation import EVIDENCE, FLOW, INBOX
from cavra_gateway.console.session import PATH, Visitor

_THEMES: Final = ("light", "dark")
THEME_COOKIE: Final = "cavra-theme"


def environment() -> Environment:
    """The templates, with what they may use."""
    made = Environment(
        loader=PackageLoader("cavra_gateway.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(when=when, words=words, short=short, kind=kind_name, pretty=pretty)
    made.globals.update(console=PATH)
    return made


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """A whole page, or the part of one that a template is."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    state = request.app.state
    known: frozenset[str] = state.pages
    theme = request.cookies.get(THEME_COOKIE, "")
    html = state.templates.get_template(template).render(
        visitor=visitor,
        inbox_entry=INBOX,
        flow=FLOW,
        evidence=[entry for entry in EVIDENCE if entry.path in known],
        here=request.url.path.removeprefix(PATH),
        theme=theme if theme in _THEMES else "auto",
        static=f"{PATH}/static/{state.assets.version}",
        **context,
    )
    return HTMLResponse(html, status)


def when(value: Any) -> Markup | str:
    """A moment as <time>: in UTC, until a script shows it in the reader's zone."""
    if value is None or value == "":
        return "never"
    at = _moment(value)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        text(at), at.strftime("%Y-%m-%d %H:%M:%S UTC"), at.strftime("%Y-%m-%d %H:%M UTC")
    )


def _moment(value: Any) -> datetime:
    if isinstance(value, Timestamp):
        return value.ToDatetime(UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    return moment(value) if isinstance(value, str) else value.astimezone(UTC)


def words(name: str) -> str:
    """A code as words: `not_delivered` -> `not delivered`."""
    return name.replace("_", " ")


def short(identifier: str) -> str:
    """The end of an id or hash, enough to tell it from its neighbours."""
    prefix, dash, suffix = identifier.partition("-")
    return f"…{suffix[-10:]}" if dash else f"{prefix[:12]}…" if len(prefix) > 16 else prefix


def kind_name(metadata_kind: str) -> str:
    """A kind's short name, as words."""
    found = BY_KIND.get(metadata_kind)
    return words(found.noun) if found else metadata_kind


def pretty(document: Mapping[str, Any]) -> str:
    """JSON to read."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
