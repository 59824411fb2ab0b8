"""A log speaks of itself: by which keys, what is open, and what was lost."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cavra_evidence.records.log import LogHeartbeat, LogKey, LogLoss
from cavra_service.checkpoints import LogRefused
from cavra_service.heartbeat import Heartbeat, open_root
from cavra_service.identity import load_signer
from cavra_service.keeping import alone, held, log_kept, service_actor
from cavra_service.keys import KeyListError, ServiceKeys, TrustedKey, key_records, read_keys, trusted
from cavra_service.maintenance import accept_loss, revoke, rotate
from cavra_service.runtime import open_store, utc_now
from cavra_service.settings import Settings
from cavra_service.store.protocol import Commit, Statement, Store
from cavra_verify.signatures import SignatureError, open_checkpoint

from tests.support import naive_merkle
from tests.support.installation import Installation
from tests.support.ledger import all_records, audited
from tests.support.log import NOW
from tests.support.records import draft

RECOVERY = "recovery"


class Clock:
    """A clock that a test moves."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Installation(tmp_path, heartbeat_change_seconds=30).settings


@asynccontextmanager
async def running(settings: Settings, clock: Callable[[], datetime] | None = None) -> AsyncIterator[Store]:
    store = await open_store(settings, RECOVERY, ["cavra_recovery.store"])
    try:
        async with log_kept(store, settings, RECOVERY, clock=clock or Clock()):
            yield store
    finally:
        await store.close()


def signed(store: Store) -> Commit:
    """A record that is signed."""
    return Commit([draft("closure")])


def recovery(name: str) -> Statement:
    row: dict[str, Any] = {"playbook_id": name, "provider": "webhook", "state": "open", "version": 1}
    row |= {
        "superseded": 0,
        "last_failure_at": "",
        "last_failure_index": 0,
        "trace_ids": "",
        "closure_id": "",
    }
    return Statement("open_recovery", row)


async def heartbeats(store: Store) -> list[LogHeartbeat]:
    kind = LogHeartbeat.KIND.kind
    return [LogHeartbeat.read(row["canonical"]) for row in await all_records(store) if row["kind"] == kind]


async def test_a_log_begins_with_its_first_key_and_a_heartbeat(settings: Settings) -> None:
    async with running(settings) as store:
        kinds = [row["kind"] for row in await all_records(store)]
        [(index, key)] = await key_records(store)
        assert kinds == [LogKey.KIND.kind, LogHeartbeat.KIND.kind]
        assert (index, key.event, key.public_key) == (0, "established", store.signer.public.hex())
    async with running(settings) as store:
        assert len(await all_records(store)) == 2, "a restart is no news"
        await audited(store)


async def test_a_heartbeat_tells_a_change_of_what_is_open_and_nothing_else(settings: Settings) -> None:
    clock = Clock()
    async with running(settings, clock) as store:
        heart = Heartbeat(store, settings, service_actor(settings, RECOVERY), clock)
        assert not await heart.beat()
        await store.commit(Commit([draft()], [recovery("gordackrecovery-b"), recovery("gordackrecovery-a")]))
        assert not await heart.beat(), "too soon after the last one"
        clock.now += timedelta(seconds=30)
        assert await heart.beat()
        clock.now += timedelta(seconds=30)
        assert not await heart.beat()
        await store.commit(signed(store))
        assert not await heart.beat(), "a record changed nothing that is open"
        first, second = await heartbeats(store)
    names = [b"recovery/gordackrecovery-a/webhook", b"recovery/gordackrecovery-b/webhook"]
    assert (first.open_count, first.open_root) == (0, naive_merkle.root([]).hex())
    assert (second.trigger, second.open_count, second.tree_size) == ("changed", 2, 3)
    assert second.open_root == naive_merkle.root([naive_merkle.leaf(name) for name in names]).hex()


async def test_a_heartbeat_comes_every_interval_though_nothing_changed(settings: Settings) -> None:
    clock = Clock()
    async with running(settings, clock) as store:
        heart = Heartbeat(store, settings, service_actor(settings, RECOVERY), clock)
        clock.now += timedelta(seconds=settings.heartbeat_seconds - 1)
        assert not await heart.beat()
        clock.now += timedelta(seconds=1)
        assert await heart.beat()
        assert [beat.trigger for beat in await heartbeats(store)] == ["interval", "interval"]


async def test_load_does_not_double_the_records(tmp_path: Path) -> None:
    settings = Installation(tmp_path, heartbeat_change_seconds=3600).settings
    async with running(settings) as store:
        for number in range(20):
            await store.commit(Commit([draft()], [recovery(f"gordackrecovery-{number}")]))
        assert len(await heartbeats(store)) == 1


async def test_two_processes_of_a_service_beat_once_between_them(settings: Settings) -> None:
    stores = [await open_store(settings, RECOVERY, ["cavra_recovery.store"]) for _ in range(2)]
    clock, actor = Clock(), service_actor(settings, RECOVERY)
    hearts = [Heartbeat(store, settings, actor, clock) for store in stores]
    try:
        for beats in (1, 2):
            assert sorted(await asyncio.gather(*(heart.beat() for heart in hearts))) == [False, True]
            assert len(await heartbeats(stores[0])) == beats
            clock.now += timedelta(seconds=settings.heartbeat_seconds)
    finally:
        for store in stores:
            await store.close()


def test_the_root_of_what_is_open_does_not_depend_on_its_order() -> None:
    assert open_root(["b", "a", "c"]) == open_root(["c", "b", "a"])
    assert open_root(["a", "b"]) != open_root(["a"])


async def test_a_rotation_is_named_by_the_key_before_it(settings: Settings) -> None:
    async with running(settings) as store:
        old = store.signer
        (before,) = await store.commit(signed(store))
    new = await rotate(settings, RECOVERY)
    list_ = settings.identity / "trust" / "recovery.pub"
    first, second = read_keys(list_)
    async with running(settings) as store:
        assert store.signer.key_id == new != old.key_id
        (index, _), (at, record) = await key_records(store)
        row = (await all_records(store))[at]
        (after,) = await store.commit(signed(store))
        ledger = await audited(store)
    assert (index, at, record.event, record.previous_key_id) == (0, 3, "rotated", old.key_id)
    assert row["key_id"] == old.key_id
    assert (first, second) == (TrustedKey(old.public, 0, at + 1), TrustedKey(store.signer.public, at + 1))
    keys = ServiceKeys(list_)
    for entry in (before, after):
        keys.verify(entry.signature, entry.canonical, entry.index)
        keys.verify(entry.signature, entry.canonical, None)
    with pytest.raises(SignatureError):
        keys.verify(before.signature, before.canonical, after.index)
    with pytest.raises(SignatureError):
        keys.verify(after.signature, after.canonical, before.index)
    note = settings.checkpoint_path(RECOVERY).read_text()
    assert open_checkpoint(note, store.origin, store.signer.public).size == len(ledger.ids)


async def test_who_holds_a_list_sees_a_rotation_without_a_restart(settings: Settings) -> None:
    async with running(settings):
        pass
    keys = ServiceKeys(settings.identity / "trust" / "recovery.pub")
    before = keys.now
    await rotate(settings, RECOVERY)
    assert keys.now == load_signer(settings, RECOVERY).public != before


async def test_preparing_an_installation_again_keeps_the_list_of_keys(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    async with running(installation.settings):
        pass
    await rotate(installation.settings, RECOVERY)
    before = read_keys(installation.settings.identity / "trust" / "recovery.pub")
    installation.issuer.prepare()
    assert read_keys(installation.settings.identity / "trust" / "recovery.pub") == before
    assert len(before) == 2


@pytest.mark.parametrize("step", ["append_key", "_list", "write_private"])
async def test_a_rotation_cut_short_is_ended_by_doing_it_again(
    settings: Settings, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings):
        pass

    def cut(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"cavra_service.maintenance.{step}", cut)
        with pytest.raises(KeyboardInterrupt):
            await rotate(settings, RECOVERY)
    if step != "append_key":
        with pytest.raises(LogRefused, match="cavra key rotate recovery"):
            async with running(settings):
                pass
    await rotate(settings, RECOVERY)
    async with running(settings) as store:
        assert [record.event for _, record in await key_records(store)] == ["established", "rotated"]
    assert not (settings.identity / RECOVERY / "next.pem").exists()


async def test_a_swapped_key_is_refused(settings: Settings) -> None:
    async with running(settings):
        pass
    (settings.identity / RECOVERY / "signing.pem").unlink()
    settings.checkpoint_path(RECOVERY).read_text()
    with pytest.raises(LogRefused, match="names another key"):
        async with running(settings):
            pass


async def test_what_a_revoked_key_signed_afterwards_does_not_count(settings: Settings) -> None:
    async with running(settings) as store:
        old = store.signer
        entries = [(await store.commit(signed(store)))[0] for _ in range(2)]
    with pytest.raises(LogRefused, match="rotate it first"):
        await revoke(settings, RECOVERY, old.key_id, 0, "key_compromised")
    await rotate(settings, RECOVERY)
    with pytest.raises(LogRefused, match="never spoke by key"):
        await revoke(settings, RECOVERY, "0" * 16, 0, "key_compromised")
    await revoke(settings, RECOVERY, old.key_id, entries[1].index, "key_compromised")
    keys = ServiceKeys(settings.identity / "trust" / "recovery.pub")
    keys.verify(entries[0].signature, entries[0].canonical, entries[0].index)
    with pytest.raises(SignatureError):
        keys.verify(entries[1].signature, entries[1].canonical, entries[1].index)
    with pytest.raises(SignatureError):
        keys.verify(entries[0].signature, entries[0].canonical, None)
    async with running(settings) as store:
        records = await key_records(store)
        assert records[-1][1].event == "revoked"
        assert trusted(records)[0].until_index == entries[1].index


@pytest.mark.parametrize(
    "text", ["", "zz", "00" * 31, "00" * 32 + " x", "00" * 32 + " 1 2 3", "00" * 32 + " revoked"]
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "retry.pub"
    path.write_text(text)
    with pytest.raises(KeyListError):
        read_keys(path)


async def test_a_loss_is_accepted_on_command_and_stays_visible(settings: Settings) -> None:
    async with running(settings) as store:
        await store.commit(signed(store))
    back_up = settings.data_dir / "back-up"
    shutil.copy(settings.store_path(RECOVERY), back_up)
    async with running(settings) as store:
        await store.commit(signed(store))
        lost = (await audited(store)).root
    with pytest.raises(LogRefused, match="no loss to accept"):
        await accept_loss(settings, RECOVERY, "disk_failure")
    shutil.copy(back_up, settings.store_path(RECOVERY))
    with pytest.raises(LogRefused, match="older than its last checkpoint"):
        async with running(settings):
            pass
    told = await accept_loss(settings, RECOVERY, "disk_failure")
    async with running(settings) as store:
        await audited(store)
        loss = LogLoss.read((await all_records(store))[-1]["canonical"])
    assert told == loss
    assert (loss.finding, loss.reason, loss.signed_size, loss.kept_size) == ("older", "disk_failure", 4, 3)
    assert loss.signed_root == lost.hex()
    [aside] = settings.checkpoint_path(RECOVERY).parent.glob("checkpoint.lost-*")
    assert open_checkpoint(aside.read_text(), store.origin, store.signer.public).root == lost


async def test_commands_wait_for_a_service_to_stop_and_it_for_them(settings: Settings) -> None:
    async with running(settings):
        with pytest.raises(LogRefused, match="the service is running"):
            await rotate(settings, RECOVERY)
    with (
        held(settings.checkpoint_path(RECOVERY).parent, shared=False),
        pytest.raises(LogRefused, match="a command that changes its log"),
    ):
        async with running(settings):
            pass


async def test_a_service_keeps_beating_until_it_stops(tmp_path: Path) -> None:
    settings = Installation(tmp_path, heartbeat_change_seconds=0.05).settings
    async with running(settings, utc_now) as store:
        await store.commit(Commit([draft()], [recovery("gordackrecovery-a")]))
        async with asyncio.timeout(20):
            while len(await heartbeats(store)) < 2:
                await store.wait_beyond(10**9, 0.05)


async def test_a_store_that_one_process_may_serve_is_waited_for(tmp_path: Path) -> None:
    async with AsyncExitStack() as first:
        await first.enter_async_context(alone(tmp_path / "store.sqlite3", 0))
        with pytest.raises(LogRefused, match=r"store.sqlite3 is in use"):
            async with alone(tmp_path / "store.sqlite3", 0):
                pass
        async with alone(tmp_path / "other.sqlite3", 0):
            pass
        waiting = alone(tmp_path / "store.sqlite3", 60)
        taking = asyncio.create_task(waiting.__aenter__())
        await asyncio.sleep(0)
        assert not taking.done()
    await taking
    await waiting.__aexit__(None, None, None)
