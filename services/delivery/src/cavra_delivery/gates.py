"""The gate in front of each connector: its circuit, how many sends pass at the same time, and how fast they follow each other."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from cavra_service.runtime import utc_now
from cavra_service.store.protocol import Statement, Store

from cavra_delivery.connectors.base import CONNECTOR_FAULT, Answer, Destination, NotConfigured
from cavra_delivery.connectors.registry import Registry, fingerprint
from cavra_delivery.domain.circuits import Circuit, State, answered
from cavra_delivery.domain.pace import turn
from cavra_delivery.store.circuits import circuit_statement, stored_circuits

BUSY: Final = "connector_busy"
"""Reason of a send whose turn did not come in time: nothing was sent."""
LONGEST_WAIT_SECONDS: Final = 30.0
"""For a turn. What waits longer is recorded as failed, rather than wait into a restart."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Gate:
    """What is known of one connector."""

    circuit: Circuit
    kept: Circuit
    """As it stands in the store."""
    room: asyncio.Semaphore
    most: int
    due: float = 0.0
    probe: asyncio.Event | None = None
    """Set when the send that probes the receiver has ended."""


class Gates:
    """The gates by connector. Clocks and waiting are the caller's to give."""

    def __init__(
        self,
        registry: Registry,
        key: bytes,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`key`: the installation's fingerprint key."""
        self._registry = registry
        self._key = key
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._gates: dict[str, _Gate] = {}
        self._stored: dict[str, Circuit] = {}

    async def load(self, store: Store) -> None:
        """Take up the circuits as they were kept."""
        self._stored = await stored_circuits(store)

    def circuit(self, provider: str) -> tuple[State, Circuit]:
        """A connector's circuit, and in which state it is now."""
        circuit = self._gate(provider).circuit
        if circuit.gone:
            circuit = circuit.at(self.here(provider))
        return circuit.state(self._registry.rules(provider).circuit, self._clock()), circuit

    def here(self, provider: str) -> str:
        """Fingerprint of where a connector sends now; empty when it can't."""
        try:
            return fingerprint(self._key, self._registry.find(provider).destination()).hex()
        except NotConfigured:
            return ""

    def not_closed(self) -> dict[str, State]:
        """State of each configured connector's circuit that is not closed."""
        states = {name: self.circuit(name)[0] for name in self._registry.all()}
        return {name: state for name, state in states.items() if state != "closed"}

    @asynccontextmanager
    async def passing(self, provider: str) -> AsyncIterator[bool]:
        """Whether the circuit lets a send pass, which then lasts as long as the context. While one probes the receiver, others wait for
        what it finds."""
        gate, probing = self._gate(provider), False
        while (state := self.circuit(provider)[0]) == "half_open":
            if gate.probe is None:
                gate.probe, probing = asyncio.Event(), True
                break
            await gate.probe.wait()
        try:
            yield probing or state == "closed"
        finally:
            if probing and gate.probe is not None:
                gate.probe.set()
                gate.probe = None

    @asynccontextmanager
    async def turn(self, provider: str) -> AsyncIterator[bool]:
        """Whether the send's turn came in time; it then lasts as long as the context."""
        gate = self._gate(provider)
        room = gate.room
        if not await _entered(room):
            yield False
            return
        try:
            yield await self._in_pace(provider, gate)
        finally:
            room.release()

    async def _in_pace(self, provider: str, gate: _Gate) -> bool:
        pace = self._registry.rules(provider).pace
        if pace is None:
            return True
        wait, due = turn(pace, gate.due, self._monotonic())
        if wait > LONGEST_WAIT_SECONDS:
            return False
        gate.due = due
        if wait:
            await self._sleep(wait)
        return True

    def answered(self, provider: str, answer: Answer, destination: Destination) -> None:
        """Count what a send there came to. A fault of ours says nothing about the receiver."""
        if answer.reason == CONNECTOR_FAULT:
            return
        gate, rule, now = self._gate(provider), self._registry.rules(provider).circuit, self._clock()
        before, gone = gate.circuit, ""
        if before.gone or answer.gone:
            here = fingerprint(self._key, destination).hex()
            before, gone = before.at(here), here if answer.gone else ""
        gate.circuit = answered(before, rule, answer.delivered, now, gone)
        if gate.circuit.opened_at != before.opened_at:
            state = "closed" if gate.circuit.opened_at is None else "open"
            log.warning("connector_circuit", connector=provider, state=state, gone=answer.gone)

    def unkept(self, providers: Iterable[str]) -> list[tuple[Statement, Callable[[], None]]]:
        """What of these circuits is to be committed, each with what to call once it is."""
        gates = [(name, self._gates[name]) for name in dict.fromkeys(providers) if name in self._gates]
        return [
            (circuit_statement(name, gate.circuit), _keeper(gate))
            for name, gate in gates
            if gate.circuit != gate.kept
        ]

    def _gate(self, provider: str) -> _Gate:
        most = self._registry.rules(provider).most_at_once
        gate = self._gates.get(provider)
        if gate is None:
            circuit = self._stored.get(provider, Circuit())
            gate = self._gates[provider] = _Gate(circuit, circuit, asyncio.Semaphore(most), most)
        elif gate.most != most:
            # Those who are inside leave by the room that they entered.
            gate.room, gate.most = asyncio.Semaphore(most), most
        return gate


async def _entered(room: asyncio.Semaphore) -> bool:
    if not room.locked():
        return await room.acquire()
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_WAIT_SECONDS):
            return await room.acquire()
    return False


def _keeper(gate: _Gate) -> Callable[[], None]:
    circuit = gate.circuit

    def keep() -> None:
        gate.kept = circuit

    return keep
