"""What every store adapter must do. An adapter's test class inherits these tests and says how a store is opened."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cavra_evidence.draft import Cause
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry, RecordTooLarge, UnknownCause
from cavra_service.store.protocol import Commit, Conflict, Statement, Store, StoreClosed, companion
from cavra_verify.canonical import parse

from tests.support.ledger import audited, gauge
from tests.support.records import draft, record

Open = Callable[[], Awaitable[Store]]
"""Opens the store of one test once more: the same data each time."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


def add(item: str, *, records: int = 1) -> Commit:
    """A command that adds an item, and says so in records."""
    return Commit(
        [draft() for _ in range(records)], [Statement("insert_item", {"id": item})], {"open_items": 1}
    )


def touch(item: str, version: int) -> Commit:
    """A command that was decided on `version` of an item."""
    return Commit([draft()], [Statement("touch_item", {"id": item, "version": version}, expect=1)])


async def names(store: Store) -> list[str]:
    """The items, in the order they were added."""
    return [row["id"] for row in await store.rows("items")]


class StoreConformance:
    """The suite. The class that inherits it has the fixtures `open_store` and `clock`."""

    async def test_a_commit_writes_records_state_and_gauges(self, open_store: Open) -> None:
        store = await open_store()
        entries = await store.commit(add("a", records=2))
        assert (await audited(store)).ids == [entry.id for entry in entries]
        assert await names(store) == ["a"]
        assert await gauge(store, "open_items") == 1

    async def test_a_command_without_records_changes_state_alone(self, open_store: Open) -> None:
        store = await open_store()
        assert await store.commit(Commit(statements=[Statement("insert_item", {"id": "a"})])) == []
        assert await names(store) == ["a"]
        assert (await audited(store)).ids == []

    async def test_a_command_that_was_decided_on_an_old_version_leaves_nothing(
        self, open_store: Open
    ) -> None:
        store = await open_store()
        await store.commit(add("a"))
        before = await audited(store)
        stale = Commit(
            [draft()],
            [
                Statement("insert_item", {"id": "b"}),
                Statement("touch_item", {"id": "a", "version": 7}, expect=1),
            ],
            {"open_items": 1},
        )
        with pytest.raises(Conflict):
            await store.commit(stale)
        assert await audited(store) == before
        assert await names(store) == ["a"]
        assert await gauge(store, "open_items") == 1

    async def test_a_row_that_exists_already_is_a_conflict_and_leaves_nothing(self, open_store: Open) -> None:
        store = await open_store()
        await store.commit(add("a"))
        before = await audited(store)
        with pytest.raises(Conflict):
            await store.commit(add("a"))
        assert await audited(store) == before
        assert await gauge(store, "open_items") == 1

    async def test_a_record_id_serves_once(self, open_store: Open) -> None:
        store = await open_store()
        made = draft()
        await store.commit(Commit([made]))
        before = await audited(store)
        with pytest.raises(Conflict):
            await store.commit(Commit([made], [Statement("insert_item", {"id": "a"})]))
        assert await audited(store) == before
        assert await names(store) == []

    async def test_one_version_is_taken_by_one_of_many(self, open_store: Open) -> None:
        store = await open_store()
        await store.commit(add("a"))
        results = await asyncio.gather(
            *(store.commit(touch("a", 0)) for _ in range(20)), return_exceptions=True
        )
        assert sum(isinstance(result, list) for result in results) == 1
        assert sum(isinstance(result, Conflict) for result in results) == 19
        assert len((await audited(store)).ids) == 2

    async def test_a_command_that_fails_leaves_the_others_of_its_group_untouched(
        self, open_store: Open
    ) -> None:
        store = await open_store()
        made = draft()
        await store.commit(Commit([made], [Statement("insert_item", {"id": "a"})]))
        route = record("audit_package").routes[0]  # type: ignore[attr-defined]
        large = [type(route)(**{**route.model_dump(), "notes": "\u00e9" * 2_000})] * 50
        faulty = [
            add("a"),
            touch("a", 3),
            Commit(
                [draft(), draft(causes=(Cause(new_id("rcd"), made.record.KIND.kind),))], add("x").statements
            ),
            Commit([draft("audit_package", routes=large)], add("y").statements),
            Commit([made], add("z").statements),
            Commit([draft()], [Statement("no_such_block")]),
            Commit([draft()], [Statement("insert_item", {"wrong": "name"})]),
        ]
        sound = [add(f"item-{number:02}") for number in range(30)]
        mixed = [command for pair in zip(sound, faulty, strict=False) for command in pair] + sound[
            len(faulty) :
        ]
        results = await asyncio.gather(*(store.commit(command) for command in mixed), return_exceptions=True)
        failed = [result for command, result in zip(mixed, results, strict=True) if command in faulty]
        assert [type(result) for result in failed[:4]] == [Conflict, Conflict, UnknownCause, RecordTooLarge]
        assert all(isinstance(result, Exception) for result in failed)
        assert await names(store) == ["a", *(f"item-{number:02}" for number in range(30))]
        assert len((await audited(store)).ids) == 31
        assert await gauge(store, "open_items") == 30

    async def test_what_was_acknowledged_is_there_after_reopening(self, open_store: Open) -> None:
        store = await open_store()
        await asyncio.gather(*(store.commit(add(f"item-{number:02}")) for number in range(25)))
        before = await audited(store)
        await store.close()
        again = await open_store()
        assert await audited(again) == before
        await again.commit(add("later"))
        assert (await audited(again)).ids[:25] == before.ids

    async def test_log_order_is_commit_order(self, open_store: Open) -> None:
        store = await open_store()
        submitted = [f"item-{number:03}" for number in range(300)]
        results = await asyncio.gather(*(store.commit(add(item)) for item in submitted))
        assert [entries[0].index for entries in results] == list(range(300))
        assert await names(store) == submitted

    async def test_every_read_sees_a_commit_that_has_returned(self, open_store: Open) -> None:
        store = await open_store()
        for number in range(30):
            (entry,) = await store.commit(add(f"item-{number}"))
            rows = await asyncio.gather(*(store.row("record", id=entry.id) for _ in range(8)))
            assert all(row is not None and row["canonical"] == entry.canonical for row in rows)

    async def test_many_reads_of_one_trip_answer_in_the_order_they_were_asked(self, open_store: Open) -> None:
        store = await open_store()
        entries = await store.commit(add("a", records=3))
        asked = [entries[2].id, "rcd-unknown", entries[0].id, entries[2].id]
        found = await store.each("record", [{"id": one} for one in asked])
        assert [[row["id"] for row in rows] for rows in found] == [
            [asked[0]],
            [],
            [asked[2]],
            [asked[3]],
        ]
        assert await store.each("record", []) == []

    async def test_closing_finishes_what_was_begun_and_refuses_what_comes_later(
        self, open_store: Open
    ) -> None:
        store = await open_store()
        begun = [asyncio.create_task(store.commit(add(f"item-{number:03}"))) for number in range(200)]
        await asyncio.sleep(0)  # Each has handed its command over.
        await store.close()
        acknowledged = [entries[0].id for entries in await asyncio.gather(*begun)]
        with pytest.raises(StoreClosed):
            await store.commit(add("late"))
        with pytest.raises(StoreClosed):
            await store.rows("items")
        again = await open_store()
        assert (await audited(again)).ids == acknowledged
        assert "late" not in await names(again)

    async def test_closing_twice_is_closing(self, open_store: Open) -> None:
        store = await open_store()
        await store.close()
        await store.close()

    async def test_two_writers_interleave_without_a_fork(self, open_store: Open) -> None:
        first, second = await open_store(), await open_store()
        trace = new_id("gordackdelivery")
        await first.commit(add("shared"))

        async def move_forty_times(store: Store) -> None:
            moved = 0
            while moved < 40:
                row = await store.row("item", id="shared")
                assert row is not None
                command = Commit([draft(traces=(trace,))], touch("shared", row["version"]).statements)
                with suppress(Conflict):
                    await store.commit(command)
                    moved += 1

        await asyncio.gather(move_forty_times(first), move_forty_times(second))
        row = await second.row("item", id="shared")
        assert row is not None
        assert row["version"] == 80
        assert await audited(first) == await audited(second)
        assert len((await audited(first)).ids) == 81

    async def test_counters_add_up_over_many_writers(self, open_store: Open) -> None:
        stores = [await open_store(), await open_store()]
        commands = [
            Commit(
                [draft(provider=f"p{number % 3}", by=f"user{number % 5}")],
                gauges={"open": (-1) ** number * number},
            )
            for number in range(120)
        ]
        await asyncio.gather(*(stores[number % 2].commit(command) for number, command in enumerate(commands)))
        await audited(stores[0])
        assert await gauge(stores[0], "open") == sum((-1) ** number * number for number in range(120))

    async def test_a_cause_and_a_chain_reach_back_over_commits_and_processes(self, open_store: Open) -> None:
        trace = new_id("gordackdelivery")
        first = await open_store()
        (plan,) = await first.commit(Commit([draft("retry_plan", traces=(trace,))]))
        second = await open_store()
        (ack,) = await second.commit(Commit([draft(traces=(trace,), causes=(Cause(plan.id, plan.kind),))]))
        document = parse(ack.canonical)
        assert document["causes"][0]["record_hash"] == plan.record_hash.hex()
        assert document["chains"][trace] == {"seq": 1, "prev": plan.record_hash.hex()}

    async def test_a_clock_that_steps_back_does_not_reorder_the_log(
        self, open_store: Open, clock: Clock
    ) -> None:
        store = await open_store()
        (before,) = await store.commit(add("a"))
        clock.now -= timedelta(hours=3)
        await store.close()
        again = await open_store()
        (after,) = await again.commit(add("b"))
        assert after.created_at == before.created_at
        await audited(again)

    async def test_a_reader_who_waits_is_woken_by_a_commit(self, open_store: Open) -> None:
        store = await open_store()
        waiting = [asyncio.create_task(store.wait_beyond(0, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        await store.commit(add("a"))
        await asyncio.wait_for(asyncio.gather(*waiting), 10)

    async def test_nobody_waits_for_what_is_there(self, open_store: Open) -> None:
        store = await open_store()
        await store.commit(add("a"))
        assert await asyncio.wait_for(store.wait_beyond(0, 60), 10)

    async def test_waiting_ends_with_its_time(self, open_store: Open) -> None:
        store = await open_store()
        assert not await asyncio.wait_for(store.wait_beyond(0, 0.01), 10)

    async def test_a_caller_who_goes_away_does_not_undo_the_command(self, open_store: Open) -> None:
        store = await open_store()
        caller = asyncio.create_task(store.commit(add("a")))
        await asyncio.sleep(0)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await store.commit(add("b"))
        assert await names(store) == ["a", "b"]

    async def test_entries_are_what_a_reader_gets(self, open_store: Open) -> None:
        store = await open_store()
        entries: list[Entry] = await store.commit(Commit([draft("closure"), draft("retry_ack")]))
        for entry in entries:
            row = await store.row("record", id=entry.id)
            assert row is not None
            found = (
                row["idx"],
                row["kind"],
                row["created_at"],
                row["canonical"],
                row["record_hash"],
                row["signature"],
                row["key_id"],
            )
            assert found == (
                entry.index, entry.kind, entry.created_at, entry.canonical, entry.record_hash, entry.signature, entry.key_id,
            )  # fmt: skip

    async def test_a_companion_goes_with_every_commit_of_its_context_or_neither_is_written(
        self, open_store: Open
    ) -> None:
        store = await open_store()
        await store.commit(add("a"))
        before = companion.set(lambda drafts: touch("a", len(drafts) - 1).statements[0])
        try:
            await asyncio.create_task(store.commit(add("b")))
            with pytest.raises(Conflict):
                await store.commit(add("c"))
        finally:
            companion.reset(before)
        await store.commit(add("d"))
        assert await names(store) == ["a", "b", "d"]
        assert len((await audited(store)).ids) == 3
