"""How many parts a record can list and stay within its bounds."""

from collections.abc import Iterable
from typing import Final

from cavra_verify.grammar import BOUNDS

_ENVELOPE_BYTES: Final = 2 * 1024
"""Room for what stands around a record in its envelope."""

_REST_BYTES: Final = 2 * 1024
"""Room for a record's own fields beside its list, when they are short."""

CAUSE_BYTES: Final = 230
"""Bytes that one cause takes in the envelope."""
TRACE_BYTES: Final = 230
"""Bytes that one trace id takes in the envelope: in `trace_ids` and as a chain."""


def fitting(sizes: Iterable[int], rest: int = _REST_BYTES) -> int:
    """How many parts, from the first on, a record can list: at most 50, and no more than fit its bytes beside the `rest` of it.
    All sizes are in bytes."""
    left = BOUNDS["record_bytes"] - _ENVELOPE_BYTES - rest
    count = 0
    for size in sizes:
        left -= size
        if count == BOUNDS["items"] or left < 0:
            break
        count += 1
    return count
