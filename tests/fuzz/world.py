"""A whole installation to be fuzzed: four real services, real stores, a real receiver, and an eye on every log."""

import asyncio
import sqlite3
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import orjson
import pytest
from cavra_gateway.settings import GatewaySettings
from cavra_service.errors import REASONS
from cavra_service.identity import ServiceToken
from cavra_verify.kinds import BY_NOUN
from structlog.testing import capture_logs
from yarl import URL

from tests.support.installation import Installation
from tests.support.receiver import Receiver

R: Final = "/runtime/go-pilot/rollback-drill-notifications"
AD: Final = R + "/acknowledgements/audit-delivery"
SERVICES: Final = ("delivery", "retry", "recovery")
PEOPLE: Final = {
    "olga": ("operator",),
    "oscar": ("operator",),
    "anna": ("approver",),
    "axel": ("auditor",),
    "max": ("operator", "approver"),
}
SCHEDULE: Final = "production-rollback"

_REFUSAL: Final = BY_NOUN["retry_refusal"].kind
_BY_ITSELF: Final = ("-log-heartbeat", "-log-key", "-log-audit")
"""How the kinds end that a service writes on a timer, whatever is asked of it meanwhile."""

_CACHES: Final = {"idempotency_keys", "checkpoints"}
"""Tables that are no state: what is answered to a key that comes again, and what a log signs of itself on a timer."""
_OF_A_RECORD: Final = {
    "records", "terms", "counters", "nodes", "chain_heads", "log_state", "refusals",
}  # fmt: skip
"""Tables that a record is written to, as the one that says what was refused."""


class Store:
    """One service's database, read past the service."""

    def __init__(self, path: Path) -> None:
        self.file = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
        tables = self.file.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        self._tables = {name for (name,) in tables} - _CACHES
        self._version = 0
        self._hashes: dict[str, int] = {}
        self.size = 0
        self.changed()
        self.grown()

    def changed(self) -> set[str]:
        """Tables whose rows are others than at the last look, but for caches."""
        # Whether anybody wrote is known at once, so that every request can be held to what it wrote.
        ((version,),) = self.file.execute("PRAGMA data_version")
        if version == self._version:
            return set()
        before, self._version = self._hashes, version
        self.file.execute("BEGIN")
        self._hashes = {
            name: hash(tuple(self.file.execute(f"SELECT * FROM {name}"))) for name in self._tables
        }
        self.file.execute("COMMIT")
        return {name for name in self._tables if self._hashes[name] != before.get(name)}

    def grown(self) -> list[tuple[str, dict[str, Any]]]:
        """(kind, envelope) of every record since the last look, but for those that a service writes on a timer."""
        ((size,),) = self.file.execute("SELECT size FROM log_state")
        if size == self.size:
            return []
        rows = self.file.execute("SELECT kind, canonical FROM records WHERE idx >= ?", (self.size,))
        self.size = size
        return [(kind, orjson.loads(raw)) for kind, raw in rows if not kind.endswith(_BY_ITSELF)]


class Logs:
    """The three stores and their evidence logs."""

    def __init__(self, folder: Path) -> None:
        self._stores = {name: Store(folder / f"{name}.sqlite3") for name in SERVICES}
        self._refusals: set[tuple[str, ...]] = set()

    def close(self) -> None:
        """Let go of the files."""
        for store in self._stores.values():
            store.file.close()

    def grown(self) -> list[tuple[str, dict[str, Any]]]:
        """(kind, envelope) of every record since the last look, which may have changed everything."""
        for store in self._stores.values():
            store.changed()
        return [record for store in self._stores.values() for record in store.grown()]

    def unchanged(self, reason: str) -> None:
        """Fail unless a request that was refused for `reason` wrote nothing, or the one record that says so, once."""
        for name, store in self._stores.items():
            changed, size = store.changed(), store.size
            for kind, envelope in store.grown():
                assert kind == _REFUSAL, f"a request was refused ({reason}) and wrote a {kind}"
                self._tells(envelope)
            if store.size != size:
                changed -= _OF_A_RECORD
            assert not changed, f"a request was refused ({reason}) and wrote into {name}: {sorted(changed)}"

    def _tells(self, envelope: dict[str, Any]) -> None:
        said = envelope["retry_refusal"]
        same = ("reason", "delivery_id", "audit_id", "provider", "item_digest", "named_digest")
        who = (envelope["actor"]["iss"], envelope["actor"]["sub"])
        told = (*who, *(str(said[name]) for name in same), str(said["attempt_number"]))
        assert told not in self._refusals, f"the same refusal was recorded twice: {told}"
        self._refusals.add(told)

    def state(self) -> dict[str, list[str]]:
        """Everything that the stores hold, but for what a log signs on a timer."""
        return {
            name: [line for line in store.file.iterdump() if "checkpoint" not in line[:60]]
            for name, store in self._stores.items()
        }


class World:
    """The installation, up: people who ask, what they were answered, and the ids that they learned from it."""

    def __init__(self, folder: Path) -> None:
        self.installation = Installation(
            folder / "data", call_timeout_seconds=60, heartbeat_change_seconds=3600
        )
        settings = GatewaySettings(
            **self.installation.settings.model_dump(), rate_limit_per_second=0, failed_logins_per_second=0
        )
        self.installation.settings = settings
        self.tokens = {name: self.installation.token(name, *roles) for name, roles in PEOPLE.items()}
        self.tokens["service"] = ServiceToken(settings, "retry")()
        self.loop = asyncio.get_running_loop()
        self.url = ""
        self.statuses: Counter[int] = Counter()
        self.reasons: Counter[str] = Counter()
        self.known: dict[str, deque[str]] = {"schedule_id": deque([SCHEDULE])}
        """Values of fields `..._id` and a few others that are worth asking with, newest last."""
        self.http: aiohttp.ClientSession
        self.logs: Logs

    @property
    def sent(self) -> int:
        """How many requests were judged."""
        return sum(self.statuses.values())

    def headers(self, person: str) -> dict[str, str]:
        """What a person's requests carry."""
        return {"authorization": f"Bearer {self.tokens[person]}"}

    async def ask(
        self, method: str, where: str | URL, person: str = "olga", **options: Any
    ) -> tuple[int, Any]:
        """(status, answer) of a request to a path or a URL, judged."""
        url = self.url + where if isinstance(where, str) else where
        headers = {**self.headers(person), **options.pop("headers", {})}
        async with self.http.request(method, url, headers=headers, **options) as response:
            body = await response.read()
        self.judge(
            response.status, response.headers, body, f"{person}: {method} {where} {headers.keys()} {options}"
        )
        return response.status, orjson.loads(body) if response.content_type.endswith(
            "json"
        ) and body else None

    async def send(self, request: bytes) -> int:
        """The status of the answer to these bytes, judged."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        writer.close()
        self.judge(status, headers, body, repr(request))
        return status

    async def leave(self, request: bytes) -> None:
        """Send these bytes and go, as a caller does that dies; returns once the gateway has seen it."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        await writer.drain()
        writer.write_eof()
        await reader.read()
        writer.close()

    async def post(self, person: str, path: str, **body: Any) -> Any:
        """The answer of a command that must succeed."""
        status, answer = await self.ask("POST", path, person, json=body)
        assert status == 200, answer
        return answer

    def judge(self, status: int, headers: Mapping[str, str], body: bytes, asked: str) -> None:
        """Fail unless this is an answer that the contract allows, and what was refused wrote nothing."""
        what = f"{asked[:2000]} -> {status} {body[:500]!r}"
        assert status < 500, what
        self.statuses[status] += 1
        if status < 400:
            self.logs.grown()
            if body and headers["content-type"] == "application/json":
                self.learn(orjson.loads(body))
            return
        assert headers["content-type"] == "application/problem+json", what
        if body:  # An answer to HEAD has none.
            problem = orjson.loads(body)
            assert problem["reason"] in REASONS, what
            assert problem["status"] == status, what
            assert problem.keys() == {"type", "title", "status", "detail", "reason", "field"}, what
            self.reasons[problem["reason"]] += 1
        self.logs.unchanged(what)

    def learn(self, answer: Any) -> None:
        """Keep the ids of an answer."""
        if isinstance(answer, list):
            for item in answer[:10]:
                self.learn(item)
        elif isinstance(answer, dict):
            for name, value in answer.items():
                if isinstance(value, str) and value and (name.endswith(("_id", "_digest", "_cursor"))):
                    self.known.setdefault(name, deque(maxlen=8)).append(value)
                elif isinstance(value, dict | list):
                    self.learn(value)

    def newest(self, name: str) -> str:
        """The newest id that a field of this name may hold; for `id` and references, of any kind."""
        known = self.known.get(name.removesuffix("s"))
        if known is None:
            known = self.known["execution_id" if len(name) > 3 else "session_id"]
        return known[-1]

    async def lived_in(self) -> Self:
        """A drill that was notified, a failed delivery on its way to a retry, and the other one recovered."""
        await self.post("olga", R + "/deliver", force=True)
        await self.post("olga", f"{R}/{SCHEDULE}/acknowledgements", provider="webhook")
        await self.post("olga", AD + "/worker-health-alerts/deliver", force=True)
        for _ in range(2):
            await self.post("olga", AD, delivery_provider="broken", retries=0)
        plan = await self.post("olga", AD + "/retry-plan", retry_policy={"allow_immediate_retry": True})
        plan_id = plan["plan"]["retry_plan_id"]
        for item in plan["plan"]["retry_decisions"]:
            key = {name: item[name] for name in ("provider", "delivery_id", "audit_id")}
            await self.post("oscar", f"{AD}/retry-plans/{plan_id}/acknowledgements", **key)
        approval = await self.post("olga", AD + "/retry-execution-approval-plan")
        (first, _) = approval["plan"]["approval_decisions"]
        key = {name: first[name] for name in ("provider", "delivery_id", "audit_id")}
        approval_id = approval["plan"]["approval_plan_id"]
        await self.post("anna", f"{AD}/retry-execution-approval-plans/{approval_id}/decisions", **key)
        await self.post(
            "olga", AD + "/worker-run", execute=True, retry_policy={"allow_immediate_retry": True}, retries=0
        )
        await self.post("olga", AD + "/connector-recovery-playbook", min_failure_count=1)
        return self


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """A world in which something has happened already. What it is asked from then on is counted."""
    async with AsyncExitStack() as stack:
        logged = stack.enter_context(capture_logs())
        receiver = await stack.enter_async_context(Receiver())
        refusing = await stack.enter_async_context(Receiver(400))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, document in files(receiver.url, refusing.url).items():
            (folder / name).write_bytes(orjson.dumps(document))
        environment.setenv("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", str(folder / "schedule.json"))
        environment.setenv("CAVRA_CONNECTOR_CONFIG", str(folder / "connectors.json"))
        world = World(folder)
        for name in SERVICES:
            await stack.enter_async_context(world.installation.running(name))
        world.url = await stack.enter_async_context(world.installation.running("gateway"))
        world.http = await stack.enter_async_context(aiohttp.ClientSession())
        world.logs = Logs(folder / "data")
        stack.callback(world.logs.close)
        await world.lived_in()
        world.statuses.clear()
        world.reasons.clear()
        yield world
    assert [entry for entry in logged if entry["log_level"] == "error"] == []


def files(receiver: str, refusing: str) -> dict[str, Any]:
    """What an operator would have written: a schedule that is due, a connector that works and one that never does."""
    schedule = {
        "schedule_id": SCHEDULE,
        "status": "active",
        "environment": "production",
        "interval_days": 30,
        "next_due_at": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
        "owners": ["platform"],
        "notification_providers": ["webhook", "broken"],
    }
    works = {"kind": "webhook", "url": receiver, "allow_private_networks": True}
    broken = {"kind": "webhook", "url": refusing, "allow_private_networks": True, "circuit_failures": 0}
    return {
        "schedule.json": schedule,
        "connectors.json": {"connectors": {"webhook": works, "broken": broken}},
    }


@contextmanager
def in_a_thread(folder: Path) -> Iterator[World]:
    """As `running`, beside a caller that blocks."""
    ready, found = threading.Event(), list[World]()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        try:
            async with running(folder) as world:
                found.append(world)
                ready.set()
                await stop.wait()
        finally:
            ready.set()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        ready.wait(30)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
