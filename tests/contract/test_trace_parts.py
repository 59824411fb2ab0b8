"""A log's part of a bundle over gRPC: its signed word on where a trace ends, proofs to one head, and nothing that it cannot show."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_evidence.log import Entry
from cavra_service import trace_parts
from cavra_service.errors import Refused
from cavra_service.evidence_log import EvidenceLog
from cavra_service.store.protocol import Commit
from cavra_verify.heads import TRACE_HEAD_TYPE, TraceHead
from cavra_verify.merkle import verify_consistency, verify_inclusion
from cavra_verify.signatures import open_sole_checkpoint, verify_signature

from tests.support.evidence_server import EvidenceServer, evidence_server
from tests.support.forger import Forger
from tests.support.records import draft

ORIGIN = "cavra.local/retry"
OURS, OTHER = (f"gordackdelivery-01a2000000000000000000000a{end}" for end in ("01", "02"))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EvidenceServer]:
    async with evidence_server(tmp_path) as running:
        yield running


async def written(server: EvidenceServer, *traces: Sequence[str]) -> list[Entry]:
    """A record for each of these sets of traces."""
    return await server.store.commit(Commit([draft(traces=tuple(one)) for one in traces]))


async def part(server: EvidenceServer, **asked: Any) -> tuple[pb.TraceEnd, list[pb.ProvenRecord], int]:
    """(end, records, number of pieces)."""
    request = pb.GetTracePartRequest(**{"trace_id": OURS, **asked})
    pieces = [piece async for piece in server.auditor.stream(server.stub.GetTracePart, request)]
    assert [piece.HasField("end") for piece in pieces] == [True, *[False] * (len(pieces) - 1)]
    return pieces[0].end, [one for piece in pieces for one in piece.records], len(pieces)


def check(server: EvidenceServer, end: pb.TraceEnd, records: Sequence[pb.ProvenRecord]) -> None:
    """All of it is signed by the log, and leads to its head."""
    public = server.store.signer.public
    head = open_sole_checkpoint(end.note, ORIGIN, public)
    assert (head.size, end.origin) == (end.tree_size, ORIGIN)
    said = TraceHead(ORIGIN, OURS, end.tree_size, end.count, end.record_hash.hex())
    verify_signature(public, end.signature, TRACE_HEAD_TYPE, said.payload)
    for one in records:
        verify_inclusion(one.record.record_hash, one.record.index, head.size, list(one.hashes), head.root)
    for earlier in end.earlier:
        verify_consistency(earlier.size, head.size, list(earlier.hashes), earlier.root_hash, head.root)


async def test_a_part_holds_the_records_of_its_trace_and_where_they_end(
    server: EvidenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_parts, "_PIECE", 2)
    entries = await written(server, [OURS], [OTHER], [OURS, OTHER], [], [OURS], [OTHER])
    end, records, pieces = await part(server, earlier_sizes=[5, 1, 6])
    check(server, end, records)
    assert [one.record.index for one in records] == [0, 2, 4]
    assert [one.record.canonical for one in records] == [entries[at].canonical for at in (0, 2, 4)]
    assert (end.tree_size, end.count, end.record_hash) == (6, 3, entries[4].record_hash)
    assert ([one.size for one in end.earlier], pieces) == ([5, 1, 6], 3)


async def test_what_is_written_behind_the_head_is_not_in_the_part(
    server: EvidenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(server, [OURS], [OURS])
    sign = EvidenceLog._fresh

    async def slowly(log: EvidenceLog) -> Any:
        signed = await sign(log)
        await written(server, [OURS], [OURS])
        return signed

    monkeypatch.setattr(EvidenceLog, "_fresh", slowly)
    end, records, _ = await part(server)
    check(server, end, records)
    assert (end.tree_size, end.count, len(records)) == (2, 2, 2)


async def test_a_log_without_a_record_of_it_says_so(server: EvidenceServer) -> None:
    for size in (0, 1):
        end, records, _ = await part(server)
        check(server, end, records)
        assert (end.tree_size, end.count, end.record_hash, records) == (size, 0, b"", [])
        await written(server, [OTHER])


async def test_records_are_proven_in_a_tree_of_the_size_that_is_asked_for(server: EvidenceServer) -> None:
    entries = await written(server, [OURS], [OTHER], [OTHER], [OTHER])
    end, _, _ = await part(server)
    late, *_ = await written(server, [OTHER])
    ids = [entries[2].id, "rcd-unknown", late.id, entries[1].id, entries[2].id]
    request = pb.GetProvenRecordsRequest(ids=ids, tree_size=end.tree_size)
    found = (await server.auditor.unary(server.stub.GetProvenRecords, request)).records
    check(server, end, found)
    assert [one.record.index for one in found] == [2, 1]


@pytest.mark.parametrize(
    ("asked", "reason", "field"),
    [
        ({"trace_id": ""}, "invalid_value", "trace_id"),
        ({"trace_id": "x" * 129}, "invalid_value", "trace_id"),
        ({"earlier_sizes": [0]}, "invalid_tree_size", "earlier_sizes"),
        ({"earlier_sizes": [-1]}, "invalid_tree_size", "earlier_sizes"),
        ({"earlier_sizes": [2]}, "invalid_tree_size", "earlier_sizes"),
        ({"earlier_sizes": [2**62]}, "invalid_tree_size", "earlier_sizes"),
        ({"earlier_sizes": [1] * 9}, "invalid_value", "earlier_sizes"),
    ],
)
async def test_a_part_that_cannot_be_is_refused(
    server: EvidenceServer, asked: dict[str, Any], reason: str, field: str
) -> None:
    await written(server, [OURS])
    with pytest.raises(Refused) as refused:
        await part(server, **asked)
    assert (refused.value.reason, refused.value.field) == (reason, field)


@pytest.mark.parametrize(
    ("ids", "size", "reason", "field"),
    [
        ([], 1, "invalid_value", "ids"),
        (["x"] * 501, 1, "invalid_value", "ids"),
        (["x"], 0, "invalid_tree_size", "tree_size"),
        (["x"], 2, "invalid_tree_size", "tree_size"),
        (["x"], -1, "invalid_tree_size", "tree_size"),
    ],
)
async def test_records_in_a_tree_that_is_not_there_are_refused(
    server: EvidenceServer, ids: list[str], size: int, reason: str, field: str
) -> None:
    await written(server, [OURS])
    with pytest.raises(Refused) as refused:
        await server.auditor.unary(
            server.stub.GetProvenRecords, pb.GetProvenRecordsRequest(ids=ids, tree_size=size)
        )
    assert (refused.value.reason, refused.value.field) == (reason, field)


async def test_a_trace_of_more_records_than_a_bundle_takes_is_refused(
    server: EvidenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_parts, "MOST_RECORDS", 3)
    await written(server, [OURS], [OURS], [OURS])
    assert len((await part(server))[1]) == 3
    await written(server, [OURS])
    with pytest.raises(Refused) as refused:
        await part(server)
    assert refused.value.reason == "trace_too_long"


@pytest.mark.parametrize(
    "forgery",
    [
        "DELETE FROM terms WHERE name = 'trace' AND idx = 4",
        "DELETE FROM terms WHERE name = 'trace' AND idx = 0",
        "UPDATE chain_heads SET record_hash = 'x'",
        "DELETE FROM nodes WHERE level = 1 AND idx = 1",
    ],
    ids=["its last record is hidden", "its first record is hidden", "its end is another", "a node is gone"],
)
async def test_a_log_that_lacks_a_part_of_itself_shows_nothing(server: EvidenceServer, forgery: str) -> None:
    await written(server, [OURS], [OTHER], [OURS], [OTHER], [OURS])
    await part(server)
    Forger(server.installation.settings, "retry").sql(forgery)
    with pytest.raises(Refused) as refused:
        await part(server)
    assert refused.value.reason == "log_refused"
