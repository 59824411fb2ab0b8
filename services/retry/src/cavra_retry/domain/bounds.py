"""How many parts a record lists: at most 50, and never more than fit into its 48 KiB."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cavra_evidence.draft import Cause
from cavra_evidence.records.base import Part
from cavra_verify.grammar import BOUNDS

P = TypeVar("P")

_ENVELOPE_BYTES: Final = 3 * 1024
_TRACE_BYTES: Final = 210
_CAUSE_BYTES: Final = 104


def listed(
    parts: Sequence[P], size: Callable[[P], int], preferred: Callable[[P], bool], *, taken: int = 0
) -> list[P]:
    """Those of `parts` (oldest first) that one record lists beside what takes `taken` bytes of it, in the same order.

    Where not all fit, preferred ones stay: what nobody can act on must not push out what waits for somebody.
    """
    chosen: set[int] = set()
    room = BOUNDS["record_bytes"] - _ENVELOPE_BYTES - taken
    for index in sorted(range(len(parts)), key=lambda index: not preferred(parts[index])):
        room -= size(parts[index])
        if room < 0 or len(chosen) == BOUNDS["items"]:
            break
        chosen.add(index)
    return [part for index, part in enumerate(parts) if index in chosen]


def encoded_size(part: Part, causes: Sequence[Cause]) -> int:
    """Bytes that a part takes in its record, with its causes, its trace id and that trace's chain."""
    named = sum(len(cause.id) + len(cause.kind) + _CAUSE_BYTES for cause in causes)
    return len(part.model_dump_json().encode()) + named + _TRACE_BYTES


def traces(delivery_ids: Sequence[str]) -> tuple[str, ...]:
    """The trace ids of a record about these deliveries: each once, at most 50."""
    return tuple(dict.fromkeys(delivery_ids))[: BOUNDS["items"]]
