"""What changes, told to every open console as soon as it is committed: one watcher of the three logs serves them all."""

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_KIND

from cavra_gateway.services import DOWN, NAMES
from cavra_gateway.session import Session

MOST_READERS: Final = 256
"""Streams of one gateway at once."""

_KEPT: Final = 512
"""Changes that are kept for those who come back."""
_MOST_TRACES: Final = 200
"""Traces that one message names; of more it says that there are many."""
_HEARTBEAT_SECONDS: Final = 15.0
_PAUSE_SECONDS: Final = 0.1
"""Between two messages to one reader: what comes meanwhile goes into one."""
_AGAIN_SECONDS: Final = 1.0
_WATCH_SECONDS: Final = 300.0
_SIZE: Final = pb.GetCountersRequest(prefix="gauge:")
"""Asks for a log's size; the few gauges come along."""
_POSITION: Final = re.compile(r"^[a-z]{1,16}:[0-9]{1,15}$")

Positions = dict[str, int]
"""By service, the index that its log's next record has."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one answer of a watched log brought, or that a log is there or not."""

    service: str
    before: int
    after: int
    """Positions in its log."""
    nouns: frozenset[str] = frozenset()
    traces: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Message:
    """What a console is told."""

    positions: Positions
    sources: Mapping[str, str]
    nouns: frozenset[str] = frozenset()
    traces: frozenset[str] = frozenset()
    reset: bool = False
    """Anything may have changed: what the reader has seen is not connected to what is known."""

    def text(self) -> str:
        """As an event of a stream; its id is where the reader then stands."""
        many = self.reset or len(self.traces) > _MOST_TRACES
        data = {
            "reset": self.reset,
            "sources": self.sources,
            "nouns": sorted(self.nouns),
            "traces": [] if many else sorted(self.traces),
            "many": many,
        }
        where = ",".join(f"{name}:{at}" for name, at in sorted(self.positions.items()))
        return f"id: {where}\nevent: change\ndata: {orjson.dumps(data).decode()}\n\n"


def positions_of(text: str) -> Positions:
    """Where the reader of an event id stands; empty for what is none."""
    parts = text.split(",") if text else []
    if len(parts) > len(NAMES) or not all(_POSITION.match(part) for part in parts):
        return {}
    return {name: int(at) for name, _, at in (part.partition(":") for part in parts)}


class Ring:
    """The latest changes, and who has missed which of them."""

    def __init__(self, most: int = _KEPT) -> None:
        self._changes: deque[Change] = deque(maxlen=most)
        self.number = 0
        """Changes so far."""
        self.positions: Positions = {}
        self.sources: dict[str, str] = {}

    def add(self, change: Change) -> None:
        """Keep a change."""
        self._changes.append(change)
        self.number += 1
        self.positions[change.service] = change.after

    def since(self, number: int) -> Message:
        """What came after so many changes."""
        missed = self.number - number
        if missed > len(self._changes):
            return self._message((), reset=True)
        return self._message(list(self._changes)[len(self._changes) - missed :])

    def resumed(self, seen: Positions) -> Message:
        """What somebody has missed who stood at `seen`; nobody has seen anything at {}: they have just loaded what they show."""
        if not seen:
            return self._message(())
        missed = []
        reach = dict(self.positions)
        for change in reversed(self._changes):
            if seen.get(change.service, -1) >= change.after and change.before <= change.after:
                continue
            missed.append(change)
            reach[change.service] = change.before
        connected = all(seen.get(name) is not None and seen[name] >= at for name, at in reach.items())
        ahead = any(at > self.positions.get(name, at) for name, at in seen.items())
        return self._message(missed, reset=not connected or ahead)

    def _message(self, changes: Sequence[Change], reset: bool = False) -> Message:
        return Message(
            dict(self.positions),
            dict(self.sources),
            frozenset(noun for change in changes for noun in change.nouns),
            frozenset(trace for change in changes for trace in change.traces),
            reset or any(change.after < change.before for change in changes),
        )


@dataclass(slots=True)
class Feed:
    """One gateway's watcher and its readers. It watches while somebody reads, by the token of one who does."""

    ring: Ring = field(default_factory=Ring)
    _readers: list[Session] = field(default_factory=list)
    _watching: list[asyncio.Task[None]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _closed: bool = False

    def admit(self) -> None:
        """Raises Refused when there are as many readers as one gateway serves, or it is stopping."""
        if self._closed:
            raise Refused("service_unavailable", "the gateway is stopping")
        if len(self._readers) >= MOST_READERS:
            raise Refused("resource_exhausted", f"at most {MOST_READERS} consoles follow at once")

    async def follow(self, session: Session, seen: str) -> AsyncIterator[Message | None]:
        """What changes, from where the reader stands; None as a sign of life. It ends with the reader's token, or the gateway."""
        self._readers.append(session)
        try:
            if not self._watching:
                self.ring = Ring()
                self._watching = [asyncio.create_task(self._watch(name)) for name in NAMES]
            while len(self.ring.sources) < len(NAMES) and not self._closed:
                await self._news()
            number = self.ring.number
            yield self.ring.resumed(positions_of(seen))
            sources = dict(self.ring.sources)
            while not self._closed and time.time() < session.identity.expires_at:
                if self.ring.number == number and self.ring.sources == sources:
                    if not await self._news():
                        yield None
                    continue
                message, number = self.ring.since(number), self.ring.number
                sources = dict(self.ring.sources)
                yield message
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            self._readers.remove(session)
            if not self._readers:
                self._stop()

    def close(self) -> None:
        """End every stream: the gateway stops."""
        self._closed = True
        self._stop()
        self._tell()

    def _stop(self) -> None:
        for task in self._watching:
            task.cancel()
        self._watching = []

    async def _news(self) -> bool:
        """Whether anything happened before the next heartbeat."""
        changed = self._changed
        try:
            async with asyncio.timeout(_HEARTBEAT_SECONDS):
                await changed.wait()
        except TimeoutError:
            return False
        return True

    def _tell(self) -> None:
        self._changed, changed = asyncio.Event(), self._changed
        changed.set()

    def _source(self, name: str, state: str) -> None:
        if self.ring.sources.get(name) != state:
            self.ring.sources[name] = state
            self._tell()

    async def _watch(self, name: str) -> None:
        """Follow one log for ever: from where it was left, when it comes back."""
        while True:
            try:
                await self._follow_log(name, self._readers[-1])
            except Refused as refused:
                # A token that ended, or lost its role, says nothing of the log: another reader's is tried.
                if refused.reason in DOWN:
                    self._source(name, "unavailable")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow_log(self, name: str, session: Session) -> None:
        log, ring = session.services.logs[name], self.ring
        seconds = session.gateway.settings.read_timeout_seconds
        size = (await session.caller.unary(log.GetCounters, _SIZE, timeout=seconds)).tree_size
        known = ring.positions.setdefault(name, size)
        if size < known:  # Not the log that it was.
            ring.add(Change(name, known, size))
        self._source(name, "ok")
        request = pb.WatchRecordsRequest(from_index=ring.positions[name])
        try:
            async for answer in session.caller.stream(log.WatchRecords, request, timeout=_WATCH_SECONDS):
                ring.add(change_of(name, answer.records))
                self._tell()
        except Refused as refused:
            if refused.reason != "deadline_exceeded":  # It has watched long enough by this token.
                raise


def change_of(service: str, records: Sequence[pb.Record]) -> Change:
    """What some records, oldest first, change."""
    nouns = {BY_KIND[record.kind].noun for record in records if record.kind in BY_KIND}
    traces = {trace for record in records for trace in _traces(record)}
    return Change(service, records[0].index, records[-1].index + 1, frozenset(nouns), frozenset(traces))


def _traces(record: pb.Record) -> list[str]:
    try:
        found: list[str] = orjson.loads(record.canonical)["trace_ids"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return []  # What is no record moves no trace; who opens it is told.
    return found
