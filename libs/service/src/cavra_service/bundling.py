"""Collecting a bundle by gRPC: one trace's records, with those they name as causes, out of all logs and with proofs of each."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_verify.bundle import (
    MOST_BYTES,
    Bundle,
    Earlier,
    LogPart,
    Shown,
    SignedHead,
    build,
    causes_to_add,
)

from cavra_service.client import Caller
from cavra_service.errors import Refused

_BATCH: Final = 500
_ROUNDS: Final = 8
"""How often a log is asked anew because another one, asked later, knew more."""


@dataclass(slots=True)
class _Part:
    end: pb.TraceEnd
    trace: list[pb.ProvenRecord]
    causes: dict[str, pb.ProvenRecord] = field(default_factory=dict)
    """Records of other traces that those of this one name, by id."""


async def collected(
    caller: Caller, logs: Mapping[str, Any], trace_id: str, since: Mapping[str, Sequence[int]]
) -> bytes:
    """The file of a trace's bundle at the heads of this moment.

    `logs`: the EvidenceLog stub of each service, of all whose logs a verdict is to be on; `since`: by service, sizes from which consistency
    is shown. Nothing is ever left out of it silently. Raises Refused: `unknown_trace`, `trace_too_long`, `invalid_tree_size`;
    `service_unavailable` when a service is down; `log_refused` when a log is not what it signed.
    """
    parts = await _Collection(caller, logs, trace_id, since).parts()
    return await asyncio.to_thread(_built, trace_id, parts)


class _Collection:
    def __init__(
        self, caller: Caller, logs: Mapping[str, Any], trace_id: str, since: Mapping[str, Sequence[int]]
    ) -> None:
        self._caller = caller
        self._logs = logs
        self._trace_id = trace_id
        self._since = since

    async def parts(self) -> dict[str, _Part]:
        """All parts: whatever a record names that an older head does not cover yet is asked for at a newer one."""
        parts: dict[str, _Part] = {}
        stale, nowhere = list(self._logs), set[str]()
        for _ in range(_ROUNDS):
            fresh = await asyncio.gather(*(self._part(name) for name in stale))
            parts.update(zip(stale, fresh, strict=True))
            if not any(part.trace for part in parts.values()):
                raise Refused("unknown_trace", "no log holds a record of such a trace", "trace_id")
            named = await asyncio.to_thread(_causes, self._trace_id, parts)
            await asyncio.gather(*(self._add(name, parts[name], ids) for name, ids in named.items()))
            # A cause is older than what names it: a head signed after that was read covers it, if it is anywhere.
            lacking = {name: set(ids) - parts[name].causes.keys() for name, ids in named.items()}
            stale = [name for name, ids in lacking.items() if ids - nowhere]
            nowhere |= {one for ids in lacking.values() for one in ids}
            if not stale:
                return parts
        raise Refused("conflict", "the trace grew while it was read; try again")

    async def _part(self, name: str) -> _Part:
        sizes = self._since.get(name, ())
        request = pb.GetTracePartRequest(trace_id=self._trace_id, earlier_sizes=sizes)
        pieces = [piece async for piece in self._caller.stream(self._logs[name].GetTracePart, request)]
        return _Part(pieces[0].end, [one for piece in pieces for one in piece.records])

    async def _add(self, name: str, part: _Part, ids: Sequence[str]) -> None:
        size = part.end.tree_size
        wanted = [one for one in ids if one not in part.causes] if size else []
        for first in range(0, len(wanted), _BATCH):
            request = pb.GetProvenRecordsRequest(ids=wanted[first : first + _BATCH], tree_size=size)
            found = await self._caller.unary(self._logs[name].GetProvenRecords, request)
            part.causes.update((one.record.id, one) for one in found.records)


def _causes(trace_id: str, parts: Mapping[str, _Part]) -> dict[str, list[str]]:
    records = [one.record.canonical for part in parts.values() for one in part.trace]
    try:
        return causes_to_add(records, trace_id)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _no_record() from None


def _built(trace_id: str, parts: Mapping[str, _Part]) -> bytes:
    try:
        data = build(Bundle(trace_id, tuple(_log_part(part) for part in parts.values())))
    except ValueError:
        raise _no_record() from None
    if len(data) > MOST_BYTES:
        raise Refused("trace_too_long", f"its bundle would exceed {MOST_BYTES} bytes", "trace_id")
    return data


def _log_part(part: _Part) -> LogPart:
    end = part.end
    head = SignedHead(end.tree_size, end.count, end.record_hash.hex(), end.signature)
    earlier = tuple(Earlier(one.size, one.root_hash, tuple(one.hashes)) for one in end.earlier)
    records = tuple(_shown(one) for one in (*part.trace, *part.causes.values()))
    return LogPart(end.origin, end.note, head, records, earlier)


def _shown(one: Any) -> Shown:
    return Shown(one.record.index, one.record.canonical, one.record.signature, tuple(one.hashes))


def _no_record() -> Refused:
    return Refused("log_refused", "a log holds bytes that are no record")
