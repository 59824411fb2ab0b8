"""The send machine over a real store: what a fault of ours or of the disk leaves of a send."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from cavra_delivery import sends
from cavra_delivery.connectors.base import Answer, Connector, Destination, Event, Message, Rendered
from cavra_delivery.connectors.registry import Registry, Rules
from cavra_delivery.connectors.tries import Limits
from cavra_delivery.domain.deliveries import Send
from cavra_delivery.sends import First, Plan, SendMachine
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_service.runtime import open_store
from cavra_service.store.sqlite import SqliteStore
from cavra_verify.kinds import NOTIFICATION_SOURCE

from tests.support.installation import Installation

EVENT = Event("t", "evt-1", "2026-11-23T00:00:00.000000+00:00", {})
SERVICE = Actor("cavra-local", "service:delivery", "service:delivery")


class Edge:
    """A connector that takes everything, but for the step that is to break."""

    kind = "webhook"
    deduplicates = False

    def __init__(self, name: str, broken: str = "") -> None:
        self.name = name
        self.broken = broken

    def _step(self, step: str) -> None:
        if step == self.broken:
            raise RuntimeError("a fault of ours")

    def render(self, event: Event, message_id: str) -> Rendered:
        """Nothing."""
        self._step("render")
        return Rendered(b"{}")

    def destination(self) -> Destination:
        """Nowhere."""
        self._step("destination")
        return Destination({}, "")

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """Taken."""
        self._step("send")
        return Answer(status_code=200)


class Edges:
    """Connectors by name."""

    def __init__(self, *edges: Edge) -> None:
        self._edges = {edge.name: edge for edge in edges}

    def find(self, name: str) -> Connector:
        """One of them; a fault of ours for any other."""
        return self._edges[name]

    def rules(self, name: str) -> Rules:
        """Those of an entry that says nothing of them."""
        return Rules()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Delivery's store."""
    opened = await open_store(Installation(tmp_path).settings, "delivery", ["cavra_delivery.store"])
    assert isinstance(opened, SqliteStore)
    yield opened
    await opened.close()


def machine(store: SqliteStore, *edges: Edge, clock: Any = lambda: datetime.now(UTC)) -> SendMachine:
    """The machine over these connectors."""
    return SendMachine(store, cast(Registry, Edges(*edges)), SERVICE, clock)


def a_send() -> Send:
    """A first send."""
    own_id = new_id("gordnotify")
    return Send(
        record_id=new_id("rcd"),
        own_id=own_id,
        source=NOTIFICATION_SOURCE,
        delivery_id=own_id,
        actor=("cavra-local", "olga", "olga"),
    )


async def sent(machine: SendMachine, *providers: str) -> dict[str, tuple[str, str]]:
    """(outcome, reason) at each provider, as recorded."""
    job = First(Plan(), a_send(), providers, lambda entries, provider: EVENT, Limits(0, 1.0))
    entries = await machine.first(job)
    record = ConnectorDelivery.read(entries[-1].canonical)
    return {one.provider: (one.outcome, one.error) for one in record.deliveries}


async def test_a_fault_of_ours_at_one_provider_is_recorded_beside_the_outcomes_of_the_others(
    store: SqliteStore,
) -> None:
    steps = ("destination", "render", "send")
    edges = [Edge(step, step) for step in steps]
    recorded = await sent(machine(store, *edges, Edge("fine")), *steps, "nowhere", "fine")
    fault = ("failed", "connector_fault")
    assert recorded == {**dict.fromkeys((*steps, "nowhere"), fault), "fine": ("delivered", "")}


async def test_what_was_delivered_while_the_store_could_not_write_is_recorded_delivered(
    store: SqliteStore, tmp_path: Path
) -> None:
    await store._connections[0].execute_fetchall("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "delivery.sqlite3", isolation_level=None)
    readings: list[datetime] = []

    class Locking(Edge):
        """Takes the store's lock as it takes the message."""

        async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
            other.execute("BEGIN IMMEDIATE")
            readings.clear()
            return await super().send(message, destination, timeout)

    def clock() -> datetime:
        readings.append(datetime.now(UTC))
        if other.in_transaction and len(readings) == 4:
            # After the send's end and two tries to record it, the third finds the store free.
            other.execute("ROLLBACK")
        return readings[-1]

    assert await sent(machine(store, Locking("hook"), clock=clock), "hook") == {"hook": ("delivered", "")}
    assert not other.in_transaction
    other.close()


@pytest.mark.parametrize("batched", [False, True], ids=["alone", "in a batch"])
async def test_a_send_under_way_is_not_taken_for_one_that_was_cut_short(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, batched: bool
) -> None:
    looks: list[int] = []

    async def look(point: str = "") -> None:
        looks.append(await running.recover())

    class Looked(Edge):
        """Takes a message while somebody looks for what was cut short."""

        async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
            await look()
            return await super().send(message, destination, timeout)

    running = machine(store, Looked("hook"))
    monkeypatch.setattr(sends, "fault", look)
    jobs = [First(Plan(), a_send(), ["hook"], lambda *_: EVENT, Limits(0, 1.0)) for _ in range(2)]
    if batched:
        waiting = await running.run("batch", lambda: running.firsts(jobs))
        entries = await asyncio.gather(*waiting)
    else:
        entries = [(await running.run(job.send.own_id, partial(running.first, job)))[-1] for job in jobs]
    assert [ConnectorDelivery.read(entry.canonical).success for entry in entries] == [True, True]
    assert set(looks) == {0}
    assert len(looks) == (2 + 2 * 3 if batched else 2 * 5)


async def test_a_send_whose_task_died_is_recorded_once_and_not_sent_again(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: Any) -> Any:
        raise OSError("a fault of ours")

    running = machine(store, Edge("hook"))
    job = First(Plan(), a_send(), ["hook"], lambda *_: EVENT, Limits(0, 1.0))
    with monkeypatch.context() as patch:
        patch.setattr(SendMachine, "_settle", broken)
        with pytest.raises(OSError, match="a fault of ours"):
            await running.run(job.send.own_id, lambda: running.first(job))
    assert sorted(await asyncio.gather(running.recover(), running.recover())) == [0, 1]
    row = await store.row("record", id=job.send.record_id)
    assert row is not None
    [part] = ConnectorDelivery.read(row["canonical"]).deliveries
    assert (part.outcome, part.error) == ("failed", "outcome_unknown")
    assert await running.recover() == 0
