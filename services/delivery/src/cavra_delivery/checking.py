"""Whether connectors can be used as configured, and whether their receivers take a test event: what `cavra connectors check` asks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from cavra_evidence.guard import matches
from cavra_evidence.times import text

from cavra_delivery.connectors.base import KINDS, Connector, Event, Message, NotConfigured
from cavra_delivery.connectors.config import BadEntry, ConnectorConfig, read_connectors
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.registry import connector_of
from cavra_delivery.connectors.tries import Limits, send
from cavra_delivery.documents import DocumentFile

TEST_EVENT: Final = "connector_test"


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one entry. `detail` names fields, variables and reasons, and no value."""

    name: str
    kind: str
    state: str
    """ok, disabled or failed."""
    detail: str


async def check(path: Path | None, names: Sequence[str], sends: bool, timeout: float) -> list[Checked]:
    """Each entry of the file, or those named, sorted; with `sends`, a test event goes to every one that is enabled.

    Secrets are looked up as this process sees them. A test event is no delivery: it carries no audit data and leaves no record.
    Raises ValueError for a file without connectors, or without one that is named.
    """
    document = DocumentFile(path).read()
    if document.content is None:
        raise ValueError(document.problem)
    entries, problem = read_connectors(document.content)
    if problem:
        raise ValueError(problem)
    if not set(names) <= set(entries):
        raise ValueError("the file has no connector of such a name")
    async with HttpSender() as sender:
        raw = document.content["connectors"]
        return await asyncio.gather(
            *(
                _checked(name, entries[name], raw.get(name), sender, sends, timeout)
                for name in sorted(names or entries)
            )
        )


async def _checked(
    name: str, entry: ConnectorConfig | BadEntry, raw: Any, sender: HttpSender, sends: bool, timeout: float
) -> Checked:
    named = name if name in KINDS else "webhook"
    if isinstance(entry, BadEntry):
        return Checked(name, named, "failed", str(entry))
    kind = entry.kind or named
    connector = connector_of(name, kind, entry, sender)
    try:
        connector.destination()
    except NotConfigured as error:
        return Checked(name, kind, "failed" if entry.enabled else "disabled", _lacks(error))
    if not entry.enabled:
        return Checked(name, kind, "disabled", "")
    if unknown := sorted(set(raw) - set(ConnectorConfig.model_fields)):
        shown = [field for field in unknown if matches("name", field)]
        return Checked(name, kind, "failed", f"there is no such field: {', '.join(shown) or '(no name)'}")
    return await _sent(connector, timeout) if sends else Checked(name, kind, "ok", "")


def _lacks(error: NotConfigured) -> str:
    if error.variable:
        return f"the variable {error.variable} is not set"
    return f"{error.field} is missing or of no use" if error.field else "it cannot be used as configured"


async def _sent(connector: Connector, timeout: float) -> Checked:
    data = {"message": "A test of this connector. It is about no delivery, and nothing is to be done."}
    event = Event(TEST_EVENT, f"evt-{token_hex(14)}", text(datetime.now(UTC)), data)
    message_id = f"msg-{token_hex(14)}"
    message = Message(message_id, connector.render(event, message_id))
    answer, _ = await send(connector, connector.destination(), message, Limits(0, timeout))
    status = f" ({answer.status_code})" if answer.status_code is not None else ""
    if not answer.delivered:
        return Checked(connector.name, connector.kind, "failed", f"{answer.reason}{status}")
    taken = f"taken{status}" + (f" as {answer.external_ref}" if answer.external_ref else "")
    return Checked(connector.name, connector.kind, "ok", taken)
