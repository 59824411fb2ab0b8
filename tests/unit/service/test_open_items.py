"""What delivery and retry call open in their heartbeats is what is: failures and sends, items and executions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from cavra_evidence.records.log import LogHeartbeat
from cavra_retry.bootstrap import start
from cavra_service.heartbeat import Heartbeat
from cavra_service.keeping import service_actor
from cavra_service.runtime import open_store, utc_now
from cavra_service.settings import Settings
from cavra_service.store.protocol import Store
from cavra_verify.canonical import parse
from cavra_verify.kinds import BY_NOUN

from tests.support import naive_merkle
from tests.support.chain import Chain, execution
from tests.support.forger import Forger
from tests.support.installation import Installation
from tests.support.ledger import all_records
from tests.support.receiver import Receiver


class Watch:
    """Another process of a service, which makes heartbeats of its log when a test says so."""

    def __init__(self, store: Store, settings: Settings, service: str) -> None:
        self._store = store
        self._late = timedelta(0)
        actor = service_actor(settings, service)
        self._heart = Heartbeat(store, settings, actor, lambda: utc_now() + self._late)

    async def beat(self) -> tuple[int, str]:
        """(open items, root over them) as the log tells it now."""
        self._late += timedelta(days=1)
        assert await self._heart.beat()
        record = LogHeartbeat.read((await all_records(self._store))[-1]["canonical"])
        return record.open_count, record.open_root

    async def named(self, noun: str, field: str) -> str:
        """A field of the newest record of a kind."""
        kind = BY_NOUN[noun]
        found = [row for row in await all_records(self._store) if row["kind"] == kind.kind]
        return str(parse(found[-1]["canonical"])[kind.key][field])


@asynccontextmanager
async def watched(settings: Settings, service: str) -> AsyncIterator[Watch]:
    store = await open_store(settings, service, [f"cavra_{service}.store"])
    try:
        yield Watch(store, settings, service)
    finally:
        await store.close()


def told(*names: str) -> tuple[int, str]:
    """What a heartbeat says when these are open."""
    leaves = [naive_merkle.leaf(name.encode()) for name in sorted(names)]
    return len(names), naive_merkle.root(leaves).hex()


async def test_what_is_open_is_told_from_the_failure_to_the_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.yaml"))
    installation = Installation(tmp_path / "data")
    chain = Chain(installation, "", tmp_path)
    async with Receiver(503) as receiver, installation.running("delivery"):
        chain.settings = installation.settings
        chain.connect(url=f"{receiver.url}/hook")
        async with (
            start(chain.settings, chain.clock) as retry_address,
            installation.channel(retry_address) as channel,
            watched(chain.settings, "delivery") as delivery,
            watched(chain.settings, "retry") as retry,
        ):
            chain.use(channel)
            assert (await delivery.beat(), await retry.beat()) == (told(), told())
            failed = await chain.deliver()
            failure = f"failure/{failed.delivery_plan.id}/{failed.audit_package.id}/hook"
            assert (await delivery.beat(), await retry.beat()) == (told(failure), told())
            await chain.approved()
            [row] = Forger(chain.settings, "retry").rows("SELECT item_id FROM approval_items")
            item = f"item/{row['item_id']}"
            assert (await delivery.beat(), await retry.beat()) == (told(failure), told(item))
            receiver.hold, receiver.status = asyncio.Event(), 200
            running = asyncio.create_task(chain.live())
            await receiver.wait_for(2)
            claim = f"execution/{await retry.named('retry_intent', 'execution_id')}"
            assert await retry.beat() == told(item, claim)
            under_way = await delivery.beat()
            receiver.hold.set()
            ended = execution(await running)
            assert ended["execution_status"] == "delivered"
            assert under_way == told(failure, f"send/{ended['delivery_metadata_id']}")
            assert (await delivery.beat(), await retry.beat()) == (told(), told())
