"""An installation that a test drives step by step: delivery, two retry services on one store, a receiver, and time that stands still."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import cavra_delivery.bootstrap
import cavra_retry.bootstrap
import cavra_service.client
import orjson
import yaml
from aiohttp import web
from cavra.delivery.v1 import delivery_pb2 as delivery
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.retry.v1.retry_pb2_grpc import RetryServiceStub
from cavra_delivery.connectors.forms.form import Form
from cavra_delivery.settings import DeliverySettings
from cavra_evidence.log import Entry
from cavra_retry.execution import Executor
from cavra_retry.settings import RetrySettings
from cavra_service.store.protocol import Commit, Store, StoreClosed
from cavra_verify.kinds import BY_KIND
from cavra_verify.merkle import leaf_hash

from tests.model.reference import CEILING, LONGEST_MINUTES
from tests.support.installation import Installation
from tests.support.receiver import Receiver

PROVIDERS: Final = ("desk", "hook")
_PATIENCE: Final = 20.0
"""Seconds in which everything that is waited for has long happened."""
_MODULES: Final = (
    cavra_delivery.retries,
    cavra_delivery.sends,
    cavra_delivery.rpc.failures,
    cavra_retry.execution,
    cavra_retry.resolutions,
)


class Moody(Receiver):
    """Can also read a request and hang up without an answer, and keep single requests waiting."""

    def __init__(self) -> None:
        super().__init__(503)
        self.hangs_up = False

    async def _answer(self, request: web.Request) -> web.Response:
        response = await super()._answer(request)
        if self.hangs_up and request.transport is not None:
            request.transport.abort()
        return response


class Clock:
    """Stands in for `datetime` where services ask for the time."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self, _: tzinfo) -> datetime:
        """The test's time."""
        return self.time


@dataclass
class Running:
    """One service of the installation."""

    stack: AsyncExitStack
    stores: list[Store]
    stub: Any
    log: Any


@dataclass
class Strike:
    """A step of the machine that a service does not survive."""

    point: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)


class House:
    """The installation. `retries` are the two retry services."""

    def __init__(self, folder: Path, required: int) -> None:
        self.clock = Clock()
        self.receiver = Moody()
        self.installation = Installation(folder / "data", drain_seconds=0)
        self._config = folder / "connectors.yaml"
        self._required = required
        self._callers: dict[tuple[str, str], Any] = {}
        self._stack = AsyncExitStack()
        self._opened: list[Store] = []
        self._ports: dict[str, int] = {}
        self._untampered: dict[str, tuple[bytes, bytes]] = {}
        self._strike: Strike | None = None
        self.delivery: Running | None = None
        self.retries: list[Running] = []
        self.records: dict[str, list[tuple[evidence.Record, dict[str, Any]]]] = {"retry": [], "delivery": []}
        """Both logs as far as they were read."""

    async def open(self) -> None:
        """Start everything."""
        stack = self._stack
        stack.enter_context(patch("cavra_service.runtime.datetime", self.clock))
        for module in (cavra_delivery.bootstrap, cavra_retry.bootstrap):
            stack.enter_context(patch.object(module, "open_store", self._remembering(module.open_store)))
        for module in _MODULES:
            if hasattr(module, "fault"):
                stack.enter_context(patch.object(module, "fault", self._fault))
        # Reconciling settles what the look before saw: a start looks twice, and then nobody looks before the test is over.
        stack.enter_context(patch.object(Executor, "reconcile", _twice(Executor.reconcile)))
        # Who starts again is connected to anew: channels would share how long they wait after a failure.
        options = (*cavra_service.client.OPTIONS, ("grpc.use_local_subchannel_pool", 1))
        stack.enter_context(patch("cavra_service.client.OPTIONS", options))
        stack.callback(setattr, Form, "template_version", Form.template_version)
        await stack.enter_async_context(self.receiver)
        self.connect({})
        await self.start_delivery()
        for at in (0, 1):
            self.retries.append(await self._start_retry(at))

    async def close(self) -> None:
        """Stop everything."""
        self.restore()
        for running in (*self.retries, *([self.delivery] if self.delivery else [])):
            await running.stack.aclose()
        await self._stack.aclose()

    def _remembering(self, open_store: Callable[..., Any]) -> Callable[..., Any]:
        async def opening(*args: Any) -> Store:
            self._opened.append(await open_store(*args))
            return self._opened[-1]

        return opening

    async def _fault(self, point: str) -> None:
        if self._strike is not None and self._strike.point == point:
            strike, self._strike = self._strike, None
            strike.reached.set()
            await asyncio.Event().wait()

    def strike(self, point: str) -> Strike:
        """Who comes to this step first goes no further."""
        self._strike = Strike(point)
        return self._strike

    def unstrike(self) -> None:
        """Forget a strike that nobody met."""
        self._strike = None

    def connect(self, destinations: dict[str, Any], template: str = "1") -> None:
        """Configure each provider: (path, kind), None for one without its URL."""
        Form.template_version = template
        entries = {}
        for name in PROVIDERS:
            made = destinations.get(name, (f"/{name}", "webhook"))
            path, kind = made or ("", "webhook")
            target = {"url": self.receiver.url + path} if made else {"url_env": "CAVRA_TEST_MISSING_URL"}
            entries[name] = {"kind": kind, "allow_private_networks": True, "circuit_failures": 0, **target}
        self._config.write_text(yaml.safe_dump({"connectors": entries}))

    async def start_delivery(self) -> None:
        """Start the delivery service; it records first what a crash left behind."""
        known = self.installation.settings.model_dump()
        known["delivery_port"] = self._ports.get("delivery", 0)
        settings = DeliverySettings(**known, connector_config=self._config)
        self.delivery = await self._start("delivery", cavra_delivery.bootstrap, settings, DeliveryServiceStub)

    async def _start_retry(self, at: int) -> Running:
        known = self.installation.settings.model_dump()
        known["delivery_address"] = f"127.0.0.1:{self._ports['delivery']}"
        known["reconcile_interval_seconds"] = 3600
        known["retry_port"] = self._ports.get(f"retry {at}", 0)
        settings = RetrySettings(
            **known,
            approval_required_approvals=self._required,
            approval_expires_in_minutes=LONGEST_MINUTES,
            approval_max_attempts=CEILING,
        )
        return await self._start(f"retry {at}", cavra_retry.bootstrap, settings, RetryServiceStub)

    async def _start(self, name: str, module: Any, settings: Any, stub: Any) -> Running:
        self._opened.clear()
        stack = AsyncExitStack()
        address = await stack.enter_async_context(module.start(settings))
        self._ports[name] = int(address.rpartition(":")[2])
        channel = await stack.enter_async_context(self.installation.channel(address))
        return Running(stack, list(self._opened), stub(channel), EvidenceLogStub(channel))

    async def crash_delivery(self) -> None:
        """End delivery without another write. Its store is put in order."""
        if self.delivery is not None:
            self.restore()
            gone, self.delivery = self.delivery, None
            await _crash(gone)

    async def restart_retry(self, at: int) -> None:
        """End a retry service without another write, and start it again."""
        await _crash(self.retries[at])
        self.retries[at] = await self._start_retry(at)

    async def restart_retry_until(self, at: int, point: str) -> None:
        """As `restart_retry`; what it begins at its start comes as far as the point."""
        strike = self.strike(point)
        await self.restart_retry(at)
        await asyncio.wait_for(strike.reached.wait(), _PATIENCE)

    async def call(self, running: Running, method: str, request: Any, who: str, role: str) -> Any:
        """One call as somebody."""
        if (who, role) not in self._callers:
            self._callers[who, role] = self.installation.caller(who, role)
        return await self._callers[who, role].unary(getattr(running.stub, method), request)

    async def read(self, service: str) -> list[dict[str, Any]]:
        """The envelopes that a log has got since it was read last."""
        running = self.retries[0] if service == "retry" else self.delivery
        known = self.records[service]
        if running is None:
            return []
        new = await self._from(running, len(known))
        known += new
        return [document for _, document in new]

    async def _from(self, running: Running, index: int) -> list[tuple[evidence.Record, dict[str, Any]]]:
        caller = self.installation.caller("axel", "auditor")
        size = (
            await caller.unary(running.log.GetCounters, evidence.GetCountersRequest(prefix="-"))
        ).tree_size
        found: list[tuple[evidence.Record, dict[str, Any]]] = []
        if size < index:
            raise AssertionError(f"the log shrank from {index} to {size} records")
        if size == index:
            return found
        request = evidence.WatchRecordsRequest(from_index=index)
        async for response in caller.stream(running.log.WatchRecords, request):
            found += [(record, orjson.loads(record.canonical)) for record in response.records]
            if index + len(found) >= size:
                break
        return found

    async def unchanged(self) -> None:
        """Assert that the retry log still begins with every record that was ever seen in it."""
        again = await self._from(self.retries[0], 0)
        before = self.records["retry"]
        assert [one.canonical for one, _ in again[: len(before)]] == [one.canonical for one, _ in before]

    def of_kind(self, service: str, noun: str) -> list[dict[str, Any]]:
        """Envelopes of one kind, oldest first."""
        return [document for record, document in self.records[service] if BY_KIND[record.kind].noun == noun]

    async def failures(self) -> dict[tuple[str, str, str], Any]:
        """Delivery's failures that are not closed."""
        assert self.delivery is not None
        request = delivery.ListFailuresRequest(page_size=500)
        answer = await self.call(self.delivery, "ListFailures", request, "service:retry", "service")
        return {(one.key.delivery_id, one.key.audit_id, one.key.provider): one for one in answer.failures}

    async def until(self, happened: Callable[[], Any]) -> None:
        """Return once an awaited look finds something."""
        async with asyncio.timeout(_PATIENCE):
            while not await happened():
                pass

    def tamper(self, audit_id: str) -> None:
        """Change an audit package in delivery's store, as who has the database can."""
        with self._delivery_database() as database:
            query = "SELECT canonical, record_hash FROM records WHERE id = ?"
            found = database.execute(query, (audit_id,)).fetchone()
            self._untampered.setdefault(audit_id, found)
            document = orjson.loads(found[0])
            document["acknowledgement_audit_package"]["generated_by"] += "x"
            changed = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
            _put(database, audit_id, (changed, leaf_hash(changed)))

    def restore(self) -> None:
        """Put back what was tampered with: otherwise delivery would not start."""
        with self._delivery_database() as database:
            for audit_id, kept in self._untampered.items():
                _put(database, audit_id, kept)
        self._untampered.clear()

    def _delivery_database(self) -> AbstractContextManager[sqlite3.Connection]:
        path = self.installation.settings.store_path("delivery")
        return closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None))

    def pass_time(self, minutes: int) -> None:
        """Later."""
        self.clock.time += timedelta(minutes=minutes)


def _twice(job: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def done(of: Any) -> None:
        await job(of)
        await job(of)

    return done


async def _crash(running: Running) -> None:
    async def dead(commit: Commit) -> list[Entry]:
        raise StoreClosed

    for store in running.stores:
        setattr(store, "commit", dead)  # noqa: B010 a method elsewhere
    await running.stack.aclose()


def _put(database: sqlite3.Connection, audit_id: str, record: tuple[bytes, bytes]) -> None:
    database.execute("UPDATE records SET canonical = ?, record_hash = ? WHERE id = ?", (*record, audit_id))
