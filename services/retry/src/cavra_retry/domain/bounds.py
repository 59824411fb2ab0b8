"""How many parts a record lists: at most 50, and never more than fit into its 48 KiB."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cavra_evidence.draft import Cause
from cavra_evidence.records.base import Part
from cavra_verify.grammar import BOUNDS

P = TypeVar("P")
S = TypeVar("S", bound=Part)

_ENVELOPE_BYTES: Final = 3 * 1024
_TRACE_BYTES: Final = 210
_CAUSE_BYTES: Final = 104


def listed(
    parts: Sequence[P],
    show: Callable[[P], tuple[S, Sequence[Cause]]],
    rank: Callable[[P], int],
    *,
    taken: int = 0,
) -> list[tuple[P, S]]:
    """Those of `parts` (oldest first) that one record lists beside what takes `taken` bytes of it, as it shows them, in the same order.

    Where not all fit, those of a lower rank stay: what nobody can act on must not push out what waits for somebody. `show` gives what the
    record says of a part and the causes it names for it; it is asked for no more parts than a record could list.
    """
    chosen: dict[int, S] = {}
    named: set[Cause] = set()
    room = BOUNDS["record_bytes"] - _ENVELOPE_BYTES - taken
    ranks = list(map(rank, parts))
    # Sorting what has few ranks takes one look at each.
    for index in sorted(range(len(parts)), key=ranks.__getitem__)[: BOUNDS["items"]]:
        shown, causes = show(parts[index])
        room -= encoded_size(shown, [cause for cause in causes if cause not in named])
        if room < 0:
            break
        named.update(causes)
        chosen[index] = shown
    return [(parts[index], chosen[index]) for index in sorted(chosen)]


def encoded_size(part: Part, causes: Sequence[Cause]) -> int:
    """Bytes that a part takes in its record, with its causes, its trace id and that trace's chain."""
    named = sum(len(cause.id) + len(cause.kind) + _CAUSE_BYTES for cause in causes)
    return len(part.model_dump_json().encode()) + named + _TRACE_BYTES


def traces(delivery_ids: Sequence[str]) -> tuple[str, ...]:
    """The trace ids of a record about these deliveries: each once, at most 50."""
    return tuple(dict.fromkeys(delivery_ids))[: BOUNDS["items"]]
