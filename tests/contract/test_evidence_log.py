"""EvidenceLog over gRPC: every answer equals that of a plain list of records, and every refusal names its reason and field."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_evidence.ids import new_id
from cavra_evidence.index import FILTERS
from cavra_evidence.log import Entry
from cavra_evidence.times import moment
from cavra_service import evidence_log
from cavra_service.errors import Refused
from cavra_service.store import listing
from cavra_service.store.protocol import Commit
from cavra_service.wire import timestamp
from cavra_verify.kinds import BY_NOUN, KINDS
from cavra_verify.merkle import leaf_hash, verify_consistency, verify_inclusion
from cavra_verify.signatures import open_checkpoint
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import naive_merkle
from tests.support.evidence_server import EvidenceServer, evidence_server
from tests.support.records import draft

START = datetime(2026, 11, 23, tzinfo=UTC)
SIZE = 260


@dataclass(slots=True)
class SteppingClock:
    """Runs on by random steps, and often stands still."""

    moments: random.Random
    now: datetime = START

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=self.moments.choice([0, 0, 0, 1, 30]))
        return self.now


@dataclass(frozen=True, slots=True)
class History:
    """A served log and what is in it."""

    server: EvidenceServer
    entries: list[Entry]

    async def call(self, method: str, request: Any) -> Any:
        return await self.server.auditor.unary(getattr(self.server.stub, method), request)


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    values = random.Random(2)
    traces = [new_id("gordackdelivery") for _ in range(6)]
    entries: list[Entry] = []
    async with evidence_server(tmp_path, SteppingClock(values)) as server:
        while len(entries) < SIZE:
            drafts = []
            for _ in range(values.randint(1, 5)):
                kind = values.choice(KINDS)
                varied = {
                    "provider": values.choice(["webhook", "jira", "splunk"]),
                    "alert_level": values.choice(["healthy", "warning", "critical"]),
                }
                fields: dict[str, Any] = {name: value for name, value in varied.items() if name in kind.top}
                named = tuple(values.sample(traces, values.randint(0, 2)))
                drafts.append(draft(kind.noun, by=values.choice(["alice", "bob"]), traces=named, **fields))
            entries += await server.store.commit(Commit(drafts))
        yield History(server, entries)


def matching(
    entries: list[Entry], filters: list[tuple[str, str]], since: datetime | None, until: datetime | None
) -> list[Entry]:
    """What a list of records answers."""
    wanted = set(filters) or {("history", "all")}
    return [
        entry
        for entry in reversed(entries)
        if wanted <= set(entry.terms)
        and (since is None or moment(entry.created_at) >= since)
        and (until is None or moment(entry.created_at) < until)
    ]


def asked(
    filters: list[tuple[str, str]], since: datetime | None, until: datetime | None, **more: Any
) -> pb.ListRecordsRequest:
    return pb.ListRecordsRequest(
        filters=[pb.Filter(name=name, value=value) for name, value in filters],
        since=timestamp(since),
        until=timestamp(until),
        **more,
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[int], list[tuple[int, int]], float | None, float | None]:
    """Which records' terms to filter by, terms of nothing, and bounds in time as fractions of the whole."""
    own = draw(st.lists(st.tuples(st.integers(0, SIZE - 1), st.integers(0, 12)), max_size=3))
    same: bool = draw(st.booleans())
    if own and same:
        own = [(own[0][0], term) for _, term in own]  # Terms of one record: it at least matches.
    other = draw(st.lists(st.integers(0, 3), max_size=1))
    bounds = draw(st.tuples(st.none() | st.floats(-0.1, 1.1), st.none() | st.floats(-0.1, 1.1)))
    return other, own, *bounds


def read(
    question: Any, entries: list[Entry]
) -> tuple[list[tuple[str, str]], datetime | None, datetime | None]:
    other, own, since, until = question
    unknown = [
        ("provider", "nobody"),
        ("run_id", "x"),
        ("metadata_kind", BY_NOUN["retry_intent"].kind),
        ("dry_run", "true"),
    ]
    filters = [entries[record].terms[term % len(entries[record].terms)] for record, term in own]
    filters = [one for one in filters if one[0] != "history"] + [unknown[number] for number in other]
    span = moment(entries[-1].created_at) - START
    moments = [None if share is None else START + share * span for share in (since, until)]
    return list(dict.fromkeys(filters)), moments[0], moments[1]


async def all_pages(
    history: History, request: pb.ListRecordsRequest
) -> tuple[list[pb.Record], list[str], pb.ListRecordsResponse]:
    records: list[pb.Record] = []
    tokens: list[str] = []
    first: pb.ListRecordsResponse | None = None
    while True:
        page = await history.call("ListRecords", request)
        first = first or page
        records += page.records
        tokens += page.resume_tokens
        if not page.next_page_token:
            return records, tokens, first
        request.page_token = page.next_page_token


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=questions(),
    page_size=st.integers(1, 40),
    window=st.sampled_from([1, 7, 20_000]),
    count_limit=st.sampled_from([5, 10_000]),
    count_window=st.sampled_from([3, 50_000]),
)
async def test_pages_of_any_filters_are_those_of_a_plain_list(
    history: History, question: Any, page_size: int, window: int, count_limit: int, count_window: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(listing, "WINDOW", window)
        patched.setattr(listing, "COUNT_LIMIT", count_limit)
        patched.setattr(listing, "COUNT_WINDOW", count_window)
        filters, since, until = read(question, history.entries)
        expected = matching(history.entries, filters, since, until)
        request = asked(filters, since, until, page_size=page_size, with_total=True)
        records, tokens, first = await all_pages(history, request)
        assert [record.id for record in records] == [entry.id for entry in expected]
        assert [record.canonical for record in records] == [entry.canonical for entry in expected]
        assert len(first.records) <= page_size
        if first.total_relation == pb.TOTAL_RELATION_EXACT:
            assert first.total == len(expected)
        elif count_window == 3 and len(filters) > 1:
            assert first.total <= min(3, len(expected))
        else:
            assert first.total == count_limit < len(expected)
        if len(filters) <= 1 and since is None and until is None:
            assert first.total_relation == pb.TOTAL_RELATION_EXACT
        for at in range(0, len(tokens), 1 + len(tokens) // 3):
            rest = asked(filters, since, until, page_size=500, page_token=tokens[at], keys_only=True)
            resumed, _, _ = await all_pages(history, rest)
            assert [record.id for record in resumed] == [entry.id for entry in expected[at + 1 :]]


async def test_keys_alone_are_the_same_records_without_their_bytes(history: History) -> None:
    whole = await history.call("ListRecords", pb.ListRecordsRequest(page_size=100))
    keys = await history.call("ListRecords", pb.ListRecordsRequest(page_size=100, keys_only=True))
    assert not any(record.canonical or record.signature for record in keys.records)
    for one, other in zip(whole.records, keys.records, strict=True):
        assert (one.id, one.index, one.record_hash, one.created_at) == (
            other.id,
            other.index,
            other.record_hash,
            other.created_at,
        )


async def test_a_list_has_fifty_records_and_no_total_unless_asked(history: History) -> None:
    page = await history.call("ListRecords", pb.ListRecordsRequest())
    assert len(page.records) == 50
    assert (page.total, page.total_relation) == (0, pb.TOTAL_RELATION_UNSPECIFIED)


async def test_internal_records_are_listed_by_kind_and_trace_alone(history: History) -> None:
    kind = BY_NOUN["retry_intent"].kind
    intents = [entry.id for entry in reversed(history.entries) if entry.kind == kind]
    everything = await history.call("ListRecords", pb.ListRecordsRequest(page_size=500))
    assert intents
    assert not {record.id for record in everything.records} & set(intents)
    asked_for = await history.call("ListRecords", asked([("metadata_kind", kind)], None, None, page_size=500))
    assert [record.id for record in asked_for.records] == intents


async def test_a_record_is_served_as_it_was_committed(history: History) -> None:
    for entry in history.entries[::17]:
        record = (await history.call("GetRecord", pb.GetRecordRequest(id=entry.id))).record
        assert (record.id, record.kind, record.index) == (entry.id, entry.kind, entry.index)
        assert (record.canonical, record.signature, record.key_id) == (
            entry.canonical,
            entry.signature,
            entry.key_id,
        )
        assert record.record_hash == leaf_hash(record.canonical)
        assert record.origin == "cavra.local/retry"
        assert record.created_at.ToDatetime(UTC) == moment(entry.created_at)


async def test_records_come_in_the_order_asked_and_unknown_ones_are_left_out(history: History) -> None:
    ids = [history.entries[number].id for number in (9, 3, 200, 3)]
    response = await history.call(
        "BatchGetRecords", pb.BatchGetRecordsRequest(ids=[ids[0], "rcd-unknown", *ids[1:]])
    )
    assert [record.id for record in response.records] == list(dict.fromkeys(ids))


@pytest.mark.parametrize(
    "prefix", ["", "provider=", "provider=w", "metadata_kind=", "nothing", "\U0010ffff", "\ud7ff"]
)
async def test_counters_are_those_of_the_records(history: History, prefix: str) -> None:
    response = await history.call("GetCounters", pb.GetCountersRequest(prefix=prefix))
    expected: dict[str, int] = {}
    for entry in history.entries:
        for name, value in entry.counted:
            expected[f"{name}={value}"] = expected.get(f"{name}={value}", 0) + 1
    assert dict(response.counters) == {
        name: count for name, count in expected.items() if name.startswith(prefix)
    }
    assert response.tree_size == len(history.entries)


async def test_the_checkpoint_is_signed_and_names_the_root_of_all_records(history: History) -> None:
    response = await history.call("GetCheckpoint", pb.GetCheckpointRequest())
    pinned = history.server.store.signer.public
    checkpoint = open_checkpoint(response.note, "cavra.local/retry", pinned)
    assert checkpoint.size == response.tree_size == len(history.entries)
    assert (
        checkpoint.root
        == response.root_hash
        == naive_merkle.root([entry.record_hash for entry in history.entries])
    )


async def test_inclusion_is_proven_at_every_size(history: History) -> None:
    leaves = [entry.record_hash for entry in history.entries]
    for size in (1, 2, 3, 64, 65, 127, 200, len(leaves)):
        for index in {0, size // 3, size - 1}:
            proof = await history.call(
                "GetInclusionProof", pb.GetInclusionProofRequest(index=index, tree_size=size)
            )
            assert list(proof.hashes) == naive_merkle.inclusion(index, leaves[:size])
            verify_inclusion(leaves[index], index, size, list(proof.hashes), naive_merkle.root(leaves[:size]))
            assert (proof.leaf_hash, proof.root_hash) == (leaves[index], naive_merkle.root(leaves[:size]))


async def test_a_later_log_is_proven_to_extend_an_earlier_one(history: History) -> None:
    leaves = [entry.record_hash for entry in history.entries]
    for first, second in [
        (1, 1),
        (1, 2),
        (3, 7),
        (64, 65),
        (100, 200),
        (200, len(leaves)),
        (len(leaves), len(leaves)),
    ]:
        proof = await history.call(
            "GetConsistencyProof", pb.GetConsistencyProofRequest(first_size=first, second_size=second)
        )
        roots = naive_merkle.root(leaves[:first]), naive_merkle.root(leaves[:second])
        assert (proof.first_root_hash, proof.second_root_hash) == roots
        verify_consistency(first, second, list(proof.hashes), *roots)


TOO_MANY = [pb.Filter(name="provider", value=str(number)) for number in range(len(FILTERS) + 1)]


@pytest.mark.parametrize(
    ("method", "request_", "reason", "field"),
    [
        ("GetRecord", pb.GetRecordRequest(id="rcd-unknown"), "unknown_record", "id"),
        ("GetRecord", pb.GetRecordRequest(), "unknown_record", "id"),
        ("BatchGetRecords", pb.BatchGetRecordsRequest(), "invalid_value", "ids"),
        ("BatchGetRecords", pb.BatchGetRecordsRequest(ids=["x"] * 501), "invalid_value", "ids"),
        ("ListRecords", asked([("owner", "x")], None, None), "invalid_filter", "filters"),
        ("ListRecords", asked([("history", "all")], None, None), "invalid_filter", "filters"),
        ("ListRecords", pb.ListRecordsRequest(filters=TOO_MANY), "invalid_filter", "filters"),
        ("ListRecords", pb.ListRecordsRequest(page_size=501), "invalid_value", "page_size"),
        ("ListRecords", pb.ListRecordsRequest(page_size=-1), "invalid_value", "page_size"),
        (
            "ListRecords",
            pb.ListRecordsRequest(page_size=10_501, keys_only=True),
            "invalid_value",
            "page_size",
        ),
        ("ListRecords", pb.ListRecordsRequest(page_token="!"), "invalid_page_token", "page_token"),
        ("ListRecords", pb.ListRecordsRequest(page_token="\u00e9"), "invalid_page_token", "page_token"),
        ("ListRecords", pb.ListRecordsRequest(page_token="aS01"), "invalid_page_token", "page_token"),
        ("ListRecords", pb.ListRecordsRequest(page_token="x" * 500), "invalid_page_token", "page_token"),
        ("ListRecords", pb.ListRecordsRequest(since=Timestamp(seconds=10**18)), "invalid_value", "since"),
        ("ListRecords", pb.ListRecordsRequest(until=Timestamp(nanos=-1)), "invalid_value", "until"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(), "invalid_tree_size", "tree_size"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(tree_size=10**9), "invalid_tree_size", "tree_size"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(tree_size=-1), "invalid_tree_size", "tree_size"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(index=5, tree_size=5), "invalid_index", "index"),
        ("GetInclusionProof", pb.GetInclusionProofRequest(index=-1, tree_size=5), "invalid_index", "index"),
        (
            "GetConsistencyProof",
            pb.GetConsistencyProofRequest(first_size=1),
            "invalid_tree_size",
            "second_size",
        ),
        (
            "GetConsistencyProof",
            pb.GetConsistencyProofRequest(second_size=3),
            "invalid_tree_size",
            "first_size",
        ),
        (
            "GetConsistencyProof",
            pb.GetConsistencyProofRequest(first_size=4, second_size=3),
            "invalid_tree_size",
            "first_size",
        ),
    ],
)
async def test_a_bad_question_is_refused(
    tmp_path: Path, method: str, request_: Any, reason: str, field: str
) -> None:
    async with evidence_server(tmp_path) as server:
        await server.store.commit(Commit([draft() for _ in range(6)]))
        with pytest.raises(Refused) as refused:
            await server.auditor.unary(getattr(server.stub, method), request_)
    assert (refused.value.reason, refused.value.field) == (reason, field)


async def test_an_empty_log_answers(tmp_path: Path) -> None:
    async with evidence_server(tmp_path) as server:
        page = await server.auditor.unary(server.stub.ListRecords, pb.ListRecordsRequest(with_total=True))
        assert (list(page.records), page.total, page.total_relation) == ([], 0, pb.TOTAL_RELATION_EXACT)
        checkpoint = await server.auditor.unary(server.stub.GetCheckpoint, pb.GetCheckpointRequest())
        assert (checkpoint.tree_size, checkpoint.root_hash) == (0, naive_merkle.root([]))


async def test_a_watch_sends_what_is_there_then_what_comes_and_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_log, "_WATCH_POLL_SECONDS", 3_600.0)  # Only a commit can wake it.
    monkeypatch.setattr(evidence_log, "_WATCH_BATCH", 4)
    async with evidence_server(tmp_path) as server:
        entries = await server.store.commit(Commit([draft() for _ in range(10)]))

        async def watched(from_index: int, until: int) -> list[int]:
            found: list[int] = []
            async for response in server.auditor.stream(
                server.stub.WatchRecords, pb.WatchRecordsRequest(from_index=from_index)
            ):
                found += [record.index for record in response.records]
                if len(found) == 10 - from_index and until > 10:
                    entries.extend(await server.store.commit(Commit([draft()])))
                if found[-1] == until - 1:
                    return found
            return found

        assert await watched(0, 11) == list(range(11))
        assert await watched(7, 11) == [7, 8, 9, 10]


async def test_a_watch_from_now_on_sends_only_what_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence_log, "_WATCH_POLL_SECONDS", 3_600.0)
    async with evidence_server(tmp_path) as server:
        await server.store.commit(Commit([draft() for _ in range(3)]))
        wait_beyond = server.store.wait_beyond

        async def commit_once_waited_for(size: int, timeout: float) -> bool:
            if timeout != 3_600.0:  # Checkpoints wait too.
                return await wait_beyond(size, timeout)
            monkeypatch.setattr(server.store, "wait_beyond", wait_beyond)
            await server.store.commit(Commit([draft()]))
            return True

        monkeypatch.setattr(server.store, "wait_beyond", commit_once_waited_for)
        async for response in server.auditor.stream(
            server.stub.WatchRecords, pb.WatchRecordsRequest(from_index=-1)
        ):
            assert [record.index for record in response.records] == [3]
            break
