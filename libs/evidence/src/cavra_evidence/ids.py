"""Record ids: a kind's prefix and a unique, time-ordered suffix."""

import secrets
import threading
import time

_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """`prefix-` and 28 hex digits: 48 bits of milliseconds, 16 bits that count within one, 48 random bits.

    Ids made by one process sort in the order they were made, also when the clock steps back.
    """
    global _last  # noqa: PLW0603 uniqueness is a matter of the whole process
    with _lock:
        _last = max(time.time_ns() // 1_000_000 << 16, _last + 1)
        stamp = _last
    return f"{prefix}-{stamp:016x}{secrets.token_hex(6)}"
