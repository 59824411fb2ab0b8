"""The EvidenceLog that every service serves over its own store."""

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra.evidence.v1 import evidence_pb2_grpc as rpc
from cavra_evidence.index import FILTERS
from cavra_evidence.times import text
from cavra_verify.bundle import MOST_EARLIER
from cavra_verify.merkle import consistency_path, inclusion_path
from cavra_verify.tiles import HEIGHT, MAX_LEVEL, WIDTH, Tile

from cavra_service.checkpoints import Checkpoints, LogRefused, Signed
from cavra_service.errors import Refused
from cavra_service.server import Servicer
from cavra_service.store import listing, tree
from cavra_service.store.protocol import Store
from cavra_service.trace_parts import proven, trace_part
from cavra_service.wire import from_timestamp, record_of_row

_PAGE: Final = 500
_KEYS_PAGE: Final = 10_500
_BATCH: Final = 500
_WATCH_BATCH: Final = 200
_WATCH_POLL_SECONDS: Final = 1.0
_MAX_INDEX: Final = 2**62
_LONGEST_ID: Final = 128


def evidence_servicer(store: Store, checkpoints: Checkpoints) -> Servicer:
    """The EvidenceLog over `store`, to be served."""
    return Servicer(
        "cavra.evidence.v1.EvidenceLog",
        rpc.add_EvidenceLogServicer_to_server,
        EvidenceLog(store, checkpoints),
    )


class EvidenceLog(rpc.EvidenceLogServicer):
    """Reads alone: nothing here changes a record."""

    def __init__(self, store: Store, checkpoints: Checkpoints) -> None:
        self._store = store
        self._checkpoints = checkpoints

    async def GetRecord(self, request: pb.GetRecordRequest, context: Any) -> pb.GetRecordResponse:
        """See the contract."""
        row = await self._store.row("record", id=request.id)
        if row is None:
            raise Refused("unknown_record", "this log holds no such record", "id")
        return pb.GetRecordResponse(record=record_of_row(row, self._store.origin))

    async def BatchGetRecords(
        self, request: pb.BatchGetRecordsRequest, context: Any
    ) -> pb.BatchGetRecordsResponse:
        """See the contract."""
        if not 1 <= len(request.ids) <= _BATCH:
            raise Refused("invalid_value", f"1 to {_BATCH} ids", "ids")
        rows = [await self._store.row("record", id=record_id) for record_id in dict.fromkeys(request.ids)]
        records = [record_of_row(row, self._store.origin) for row in rows if row is not None]
        return pb.BatchGetRecordsResponse(records=records)

    async def ListRecords(self, request: pb.ListRecordsRequest, context: Any) -> pb.ListRecordsResponse:
        """See the contract."""
        filters = await listing.rarest_first(self._store, _filters(request))
        first = await self._index_at(request, "since") or 0
        until = await self._index_at(request, "until")
        before = _MAX_INDEX if until is None else until
        if request.page_token:
            before = min(before, _index_of(request.page_token))
        limit = _limit(request)
        rows, following = await listing.page(
            self._store, filters, first=first, before=before, limit=limit, keys_only=request.keys_only
        )
        response = pb.ListRecordsResponse(
            records=[record_of_row(row, self._store.origin) for row in rows],
            next_page_token="" if following is None or following <= first else _token_of(following),
            resume_tokens=[_token_of(row["idx"]) for row in rows],
        )
        if request.with_total:
            response.total, exact = await listing.total(self._store, filters, first=first, before=until)
            response.total_relation = pb.TOTAL_RELATION_EXACT if exact else pb.TOTAL_RELATION_GTE
        return response

    async def WatchRecords(
        self, request: pb.WatchRecordsRequest, context: Any
    ) -> AsyncIterator[pb.WatchRecordsResponse]:
        """See the contract."""
        following = (await tree.frontier(self._store)).size if request.from_index < 0 else request.from_index
        while True:
            rows = await self._store.rows("records_page", from_index=following, limit=_WATCH_BATCH)
            if rows:
                following = rows[-1]["idx"] + 1
                yield pb.WatchRecordsResponse(
                    records=[record_of_row(row, self._store.origin) for row in rows]
                )
            else:
                await self._store.wait_beyond(following, _WATCH_POLL_SECONDS)

    async def GetCounters(self, request: pb.GetCountersRequest, context: Any) -> pb.GetCountersResponse:
        """See the contract."""
        rows = await self._store.rows("counters", prefix=request.prefix, after=request.prefix + "\U0010ffff")
        counters = {row["name"]: row["value"] for row in rows if row["name"] is not None}
        return pb.GetCountersResponse(counters=counters, tree_size=rows[0]["size"])

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        """See the contract."""
        signed = self._checkpoints.published if request.published else await self._fresh()
        return pb.GetCheckpointResponse(
            note=signed.note,
            origin=self._store.origin,
            tree_size=signed.frontier.size,
            root_hash=signed.frontier.root(),
            public_key=self._store.signer.public,
        )

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, context: Any
    ) -> pb.GetInclusionProofResponse:
        """See the contract."""
        await self._check_size(request.tree_size, "tree_size")
        if not 0 <= request.index < request.tree_size:
            raise Refused("invalid_index", "0 to tree_size - 1", "index")
        path = inclusion_path(request.index, request.tree_size)
        leaf, whole = (request.index, request.index + 1), (0, request.tree_size)
        hashes = await tree.hashes(self._store, [*path, leaf, whole])
        return pb.GetInclusionProofResponse(hashes=hashes[:-2], leaf_hash=hashes[-2], root_hash=hashes[-1])

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Any
    ) -> pb.GetConsistencyProofResponse:
        """See the contract."""
        await self._check_size(request.second_size, "second_size")
        if not 1 <= request.first_size <= request.second_size:
            raise Refused("invalid_tree_size", "1 to second_size", "first_size")
        path = consistency_path(request.first_size, request.second_size)
        hashes = await tree.hashes(self._store, [*path, (0, request.first_size), (0, request.second_size)])
        return pb.GetConsistencyProofResponse(
            hashes=hashes[:-2], first_root_hash=hashes[-2], second_root_hash=hashes[-1]
        )

    async def GetTile(self, request: pb.GetTileRequest, context: Any) -> pb.GetTileResponse:
        """See the contract."""
        first, last = self._published(request.level, request.index, request.width)
        return pb.GetTileResponse(
            hashes=b"".join(await tree.tile(self._store, HEIGHT * request.level, first, last))
        )

    async def GetEntries(self, request: pb.GetEntriesRequest, context: Any) -> pb.GetEntriesResponse:
        """See the contract."""
        first, last = self._published(0, request.index, request.width)
        rows = await self._store.rows("entries", first=first, last=last)
        return pb.GetEntriesResponse(entries=[row["canonical"] for row in rows])

    async def GetTracePart(
        self, request: pb.GetTracePartRequest, context: Any
    ) -> AsyncIterator[pb.GetTracePartResponse]:
        """See the contract."""
        if not 1 <= len(request.trace_id) <= _LONGEST_ID:
            raise Refused("invalid_value", f"1 to {_LONGEST_ID} characters", "trace_id")
        if len(request.earlier_sizes) > MOST_EARLIER:
            raise Refused("invalid_value", f"at most {MOST_EARLIER} sizes", "earlier_sizes")
        signed = await self._fresh()
        if not all(1 <= size <= signed.frontier.size for size in request.earlier_sizes):
            raise Refused("invalid_tree_size", "1 to the log's size", "earlier_sizes")
        async for piece in trace_part(self._store, signed, request.trace_id, request.earlier_sizes):
            yield piece

    async def GetProvenRecords(
        self, request: pb.GetProvenRecordsRequest, context: Any
    ) -> pb.GetProvenRecordsResponse:
        """See the contract."""
        if not 1 <= len(request.ids) <= _BATCH:
            raise Refused("invalid_value", f"1 to {_BATCH} ids", "ids")
        await self._check_size(request.tree_size, "tree_size")
        asked = [{"id": record_id} for record_id in dict.fromkeys(request.ids)]
        found = [row for rows in await self._store.each("record", asked) for row in rows]
        below = [row for row in found if row["idx"] < request.tree_size]
        return pb.GetProvenRecordsResponse(records=await proven(self._store, below, request.tree_size))

    async def _fresh(self) -> Signed:
        try:
            return await self._checkpoints.fresh()
        except LogRefused:
            raise Refused("log_refused", "the log is not what it signed, and signs nothing more") from None

    def _published(self, level: int, index: int, width: int) -> tuple[int, int]:
        """The range of a tile that the published checkpoint covers."""
        tile = Tile(level, index, width)
        known = 0 <= level <= MAX_LEVEL and index >= 0 and 1 <= width <= WIDTH
        if not known or not tile.fits(self._checkpoints.published.frontier.size):
            raise Refused("unknown_tile", "the published log has no such tile")
        return index * WIDTH, index * WIDTH + width

    async def _check_size(self, size: int, field: str) -> None:
        if not 1 <= size <= (await tree.frontier(self._store)).size:
            raise Refused("invalid_tree_size", "1 to the log's size", field)

    async def _index_at(self, request: pb.ListRecordsRequest, bound: str) -> int | None:
        """The first index not before a moment: as records are in order of time, a moment is an index."""
        if not request.HasField(bound):
            return None
        moment = text(from_timestamp(getattr(request, bound), bound))
        row = await self._store.row("first_index_since", moment=moment)
        return _MAX_INDEX if row is None else row["idx"]


def _filters(request: pb.ListRecordsRequest) -> list[tuple[str, str]]:
    filters = list(dict.fromkeys((one.name, one.value) for one in request.filters))
    if len(filters) > len(FILTERS):
        raise Refused("invalid_filter", f"at most {len(FILTERS)} filters", "filters")
    for name, _ in filters:
        if name not in FILTERS:
            raise Refused("invalid_filter", "not an indexed name", "filters")
    return filters


def _limit(request: pb.ListRecordsRequest) -> int:
    most = _KEYS_PAGE if request.keys_only else _PAGE
    if not 0 <= request.page_size <= most:
        raise Refused("invalid_value", f"0 to {most}", "page_size")
    return request.page_size or 50


def _token_of(index: int) -> str:
    return base64.urlsafe_b64encode(f"i{index}".encode()).decode().rstrip("=")


def _index_of(token: str) -> int:
    try:
        decoded = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        if decoded[:1] == "i" and decoded[1:].isascii() and decoded[1:].isdigit() and len(decoded) < 20:
            return int(decoded[1:])
    except (binascii.Error, ValueError):
        pass
    raise Refused("invalid_page_token", "not a token of this log", "page_token")
