"""How many parts a record can list and stay within its bounds."""

from collections.abc import Iterable
from typing import Final

from cavra_verify.grammar import BOUNDS

_LIST_BUDGET: Final = 44 * 1024
"""Bytes that a record's lists may take: its bound less room for the envelope."""

CAUSE_BYTES: Final = 230
"""Bytes that one cause takes in the envelope."""
TRACE_BYTES: Final = 230
"""Bytes that one trace id takes in the envelope: in `trace_ids` and as a chain."""


def fitting(sizes: Iterable[int]) -> int:
    """How many parts, from the first on, a record can list: at most 50, and no more than fit its bytes. `sizes` are in bytes."""
    used = count = 0
    for size in sizes:
        used += size
        if count == BOUNDS["items"] or used > _LIST_BUDGET:
            break
        count += 1
    return count
