"""A command that is sent again with its key runs once: what is kept, what a crash leaves, and whose a key is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2
from cavra.evidence.v1 import evidence_pb2
from cavra.recovery.v1 import recovery_pb2
from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.draft import Draft
from cavra_service.errors import Refused
from cavra_service.idempotency import Asked, Keys, beside, checked
from cavra_service.resumption import RECORDS, answer_of_records
from cavra_service.roles import REQUIRED
from cavra_service.store.listing import listing_blocks
from cavra_service.store.protocol import Commit, Conflict
from cavra_service.store.sql import blocks, migrations
from cavra_service.store.sqlite import SqliteStore
from cavra_service.wire import record_of_entry

from tests.support.ledger import audited
from tests.support.log import SIGNER
from tests.support.records import actor, draft

CONTRACTS = (delivery_pb2, recovery_pb2, pb)
METHOD = "/cavra.retry.v1.RetryService/AcknowledgeRetry"
RUN = "/cavra.retry.v1.RetryService/RunWorker"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """A store, the keys in it, and commands that append records."""

    def __init__(self, store: SqliteStore, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.keys = Keys(store, clock)
        self.before: list[Keys] = []

    async def write(self, *drafts: Draft) -> Any:
        """Appends, by default an acknowledgement, and answers with the first record."""
        entries = await self.store.commit(Commit(drafts or [draft()]))
        return pb.AcknowledgeRetryResponse(acknowledgement=record_of_entry(entries[0], self.store.origin))

    async def ask(
        self,
        command: Callable[[], Awaitable[Any]] | None = None,
        *,
        key: str = "key",
        who: str = "alice",
        plan: str = "p",
        method: str = METHOD,
    ) -> bytes:
        """The answer to one request; `plan` is what its body says."""
        request = pb.AcknowledgeRetryRequest(retry_plan_id=plan)
        return await self.keys.answer(Asked.of(actor(who), method, key, request), command or self.write)

    async def refused(self, asking: Awaitable[bytes]) -> str:
        """The reason of a request that must be refused."""
        with pytest.raises(Refused) as refused:
            await asking
        return refused.value.reason

    def restart(self) -> None:
        """What a process that comes back knows of its keys: what is in the store."""
        # Work that a dead process leaves behind is held here: a task that nobody holds may be collected while it waits.
        self.before.append(self.keys)
        self.keys = Keys(self.store, self.clock)

    async def close(self) -> None:
        """End what stands still since a restart."""
        for keys in [*self.before, self.keys]:
            await keys.close(0)

    async def size(self) -> int:
        """How many records there are."""
        return len((await audited(self.store)).ids)

    async def rows(self) -> int:
        """How many keys the store holds."""
        return len(await self.store.rows("all_keys"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    clock = Clock()
    own = {"all_keys": "SELECT id FROM idempotency_keys"}
    store = await SqliteStore.open(
        tmp_path / "store.sqlite3",
        queries={**blocks("cavra_service.store"), **listing_blocks(), **own},
        migrations=migrations("cavra_service.store"),
        origin="cavra.test/retry",
        signer=SIGNER,
        clock=clock,
    )
    desk = Desk(store, clock)
    yield desk
    await desk.close()
    await store.close()


async def test_a_repeat_is_answered_with_the_bytes_of_the_first_result(desk: Desk) -> None:
    first = await desk.ask()
    assert await desk.ask() == first
    desk.restart()
    assert await desk.ask() == first
    assert await desk.size() == 1


@pytest.mark.parametrize("other", [{"who": "bob"}, {"key": "key2"}, {"method": RUN}])
async def test_another_person_key_or_rpc_is_another_command(desk: Desk, other: dict[str, str]) -> None:
    assert await desk.ask() != await desk.ask(**other)  # type: ignore[arg-type]  # none of them is the command
    assert await desk.size() == 2


async def test_a_key_serves_one_request(desk: Desk) -> None:
    await desk.ask()
    assert await desk.refused(desk.ask(plan="q")) == "idempotency_key_reused"
    assert await desk.size() == 1


async def test_a_repeat_while_the_first_runs_is_told_so(desk: Desk) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        begun.set()
        await go_on.wait()
        return await desk.write()

    first = asyncio.create_task(desk.ask(slow))
    await begun.wait()
    assert await desk.refused(desk.ask()) == "in_progress"
    assert await desk.refused(desk.ask(plan="q")) == "idempotency_key_reused"
    go_on.set()
    answer = await first
    assert await desk.ask() == answer
    assert await desk.size() == 1


async def test_of_many_at_once_one_runs(desk: Desk) -> None:
    results = await asyncio.gather(*(desk.ask() for _ in range(20)), return_exceptions=True)
    answers = {result for result in results if isinstance(result, bytes)}
    reasons = {result.reason for result in results if isinstance(result, Refused)}
    assert (len(answers), reasons | {"in_progress"}) == (1, {"in_progress"})
    assert await desk.size() == 1


async def test_a_caller_who_goes_away_ends_the_waiting_and_not_the_command(desk: Desk) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow() -> Any:
        begun.set()
        await go_on.wait()
        return await desk.write()

    first = asyncio.create_task(desk.ask(slow))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    await desk.keys.close(10)
    answer = await desk.ask()
    assert pb.AcknowledgeRetryResponse.FromString(answer).acknowledgement.id
    assert await desk.size() == 1


async def test_a_refusal_gives_the_key_back(desk: Desk) -> None:
    async def refuse() -> Any:
        raise Refused("unknown_plan", "no such plan")

    assert await desk.refused(desk.ask(refuse)) == "unknown_plan"
    assert await desk.rows() == 0
    await desk.ask(plan="corrected")
    assert await desk.size() == 1


async def test_a_refusal_that_is_a_record_itself_gives_the_key_back_too(desk: Desk) -> None:
    async def refuse_and_record() -> Any:
        await desk.write()
        raise Refused("self_approval", "not you")

    assert await desk.refused(desk.ask(refuse_and_record)) == "self_approval"
    assert await desk.rows() == 0


async def test_a_command_that_broke_before_it_wrote_runs_again(desk: Desk) -> None:
    async def fail() -> Any:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await desk.ask(fail)
    await desk.ask()
    assert await desk.size() == 1


async def test_a_command_that_broke_after_it_wrote_is_answered_with_what_it_wrote(desk: Desk) -> None:
    written = []

    async def fail_late() -> Any:
        written.append(await desk.write())
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await desk.ask(fail_late)
    answer = await desk.ask()
    assert pb.AcknowledgeRetryResponse.FromString(answer) == written[0]
    assert await desk.ask() == answer
    assert await desk.size() == 1


class Cut:
    """A command that stops for good at one place, as if its process had died there."""

    def __init__(self, desk: Desk, *before: Draft) -> None:
        self.desk = desk
        self.before = before
        self.there = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> Any:
        if self.before:
            await self.desk.write(*self.before)
        self.there.set()
        await self.go_on.wait()
        return await self.desk.write()


async def test_a_crash_before_the_first_commit_runs_the_command_again(desk: Desk) -> None:
    died = Cut(desk)
    first = asyncio.create_task(desk.ask(died))
    await died.there.wait()
    desk.restart()
    answer = await desk.ask()
    died.go_on.set()
    with pytest.raises(Conflict):  # Had it only been slow, it would write nothing any more.
        await first
    assert await desk.ask() == answer
    assert await desk.size() == 1


async def test_a_crash_after_the_commit_is_answered_from_its_record(desk: Desk) -> None:
    made = draft()
    died = Cut(desk, made)
    first = asyncio.create_task(desk.ask(died))
    await died.there.wait()
    desk.restart()
    answer = pb.AcknowledgeRetryResponse.FromString(await desk.ask())
    assert answer.acknowledgement.id == made.record.record_id
    assert await desk.size() == 1
    first.cancel()


async def test_what_no_record_says_is_kept_with_the_records_and_not_by_a_run_that_came_to_nothing(
    desk: Desk,
) -> None:
    bulk = "/cavra.delivery.v1.DeliveryService/BatchAcknowledgeDrills"

    async def say(bulk_id: str, *written: Draft) -> Any:
        beside(delivery_pb2.BatchAcknowledgeDrillsResponse(bulk_id=bulk_id))
        await desk.store.commit(Commit(written))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await desk.ask(lambda: say("lost", draft("retry_plan")), method=bulk)
    ack = draft("notification_ack")
    with pytest.raises(RuntimeError):
        await desk.ask(lambda: say("kept", ack), method=bulk)
    answer = delivery_pb2.BatchAcknowledgeDrillsResponse.FromString(await desk.ask(method=bulk))
    assert (answer.bulk_id, [one.id for one in answer.acknowledgements]) == ("kept", [ack.record.record_id])


async def test_without_a_key_nothing_is_kept_beside_the_records(desk: Desk) -> None:
    beside(delivery_pb2.BatchAcknowledgeDrillsResponse(bulk_id="nowhere"))
    await desk.write()
    assert await desk.rows() == 0


async def test_a_run_that_had_only_planned_runs_again_and_one_that_had_claimed_does_not(desk: Desk) -> None:
    plan, run = draft("retry_plan"), draft("worker_run")
    for died in (Cut(desk, plan), Cut(desk, draft("retry_plan"), run)):
        lost = asyncio.create_task(desk.ask(died, method=RUN))
        await died.there.wait()
        desk.restart()
        lost.cancel()
    answer = pb.RunWorkerResponse.FromString(await desk.ask(method=RUN))
    assert answer.run.id == run.record.record_id
    assert answer.retry_plan.id != plan.record.record_id
    assert await desk.size() == 3


async def test_what_stops_at_closing_is_resumed(desk: Desk) -> None:
    died = Cut(desk)
    first = asyncio.create_task(desk.ask(died))
    await died.there.wait()
    await desk.keys.close(0)
    with pytest.raises(asyncio.CancelledError):
        await first
    desk.restart()
    await desk.ask()
    assert await desk.size() == 1


async def test_a_key_is_kept_for_a_day(desk: Desk) -> None:
    first = await desk.ask()
    desk.clock.now += timedelta(hours=24) - timedelta(microseconds=1)
    assert await desk.ask() == first
    desk.clock.now += timedelta(microseconds=1)
    assert await desk.ask(plan="q") != first
    assert (await desk.size(), await desk.rows()) == (2, 1)


async def test_what_has_expired_is_removed_a_little_at_a_time(desk: Desk) -> None:
    await asyncio.gather(*(desk.ask(key=f"key{number}") for number in range(100)))
    desk.clock.now += timedelta(hours=25)
    await desk.ask(key="later")
    assert await desk.rows() == 100 - 64 + 1
    await desk.ask(key="and later")
    assert await desk.rows() == 2


async def test_the_store_holds_no_key_and_no_request(desk: Desk, tmp_path: Path) -> None:
    await desk.ask(key="key-of-alice", plan="plan-of-alice")
    files = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite3*"))  # noqa: ASYNC240 a test may block
    assert b"key-of-alice" not in files
    assert b"plan-of-alice" not in files


@pytest.mark.parametrize("key", ["k", "a b", "~" * 128, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
def test_a_key_is_printable_text(key: str) -> None:
    assert checked([key]) == key
    assert checked([]) == ""


@pytest.mark.parametrize(
    "sent", [[""], [" "], ["a "], [" a"], ["x" * 129], ["caf\u00e9"], ["a\tb"], ["a\n"], [b"a"], ["a", "a"]]
)
def test_what_is_no_key_is_refused(sent: list[str | bytes]) -> None:
    with pytest.raises(Refused) as refused:
        checked(sent)
    assert (refused.value.reason, refused.value.field) == ("invalid_value", "idempotency-key")


def test_every_command_of_a_person_takes_a_key() -> None:
    people = {
        name
        for name, roles in REQUIRED.items()
        if roles & {"operator", "approver"} and "auditor" not in roles and not name.startswith("/grpc.")
    }
    streams = {"/cavra.delivery.v1.DeliveryService/DeliverAudits"}
    assert people - streams == RECORDS.keys()


@pytest.mark.parametrize("method", RECORDS)
def test_the_records_of_an_answer_are_fields_of_its_response(method: str) -> None:
    service, _, name = method.removeprefix("/").rpartition("/")
    found = {
        one.full_name: one for contract in CONTRACTS for one in contract.DESCRIPTOR.services_by_name.values()
    }
    fields = found[service].methods_by_name[name].output_type.fields_by_name
    for field in RECORDS[method]:
        assert fields[field].message_type.full_name == evidence_pb2.Record.DESCRIPTOR.full_name


async def test_an_answer_from_records_says_beside_them_what_they_say(desk: Desk) -> None:
    decision, plan = draft("approval_decision"), draft("health_alert_plan")
    acks = [draft("notification_ack"), draft("notification_ack")]
    written = [entry.id for entry in await desk.store.commit(Commit([decision, plan, *acks]))]
    retry, delivery = "/cavra.retry.v1.RetryService/", "/cavra.delivery.v1.DeliveryService/"
    decided = await answer_of_records(desk.store, retry + "DecideApproval", written)
    assert decided.item_state == decision.record.item_state  # type: ignore[attr-defined]
    alerted = await answer_of_records(desk.store, retry + "DeliverHealthAlert", written)
    assert alerted.success == (not plan.record.selected_providers)  # type: ignore[attr-defined]
    bulk = await answer_of_records(desk.store, delivery + "BatchAcknowledgeDrills", written)
    assert [one.id for one in bulk.acknowledgements] == [one.record.record_id for one in acks]
    assert await answer_of_records(desk.store, retry + "PlanApproval", written) is None
