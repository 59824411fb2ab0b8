"""When Python looks for garbage in a service."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THRESHOLDS: Final = (20_000, 20, 50)
"""New objects between two looks at the young, and how many looks come before one at the older. By default it is 700: a call that makes
ten thousand short-lived objects, all of which reference counts free, would be walked a dozen times. A tenth of a service's time went
there."""


_running = 0
_before = gc.get_threshold()


@contextmanager
def looked_for_rarely() -> Iterator[None]:
    """While open: what stands at the start stays and is not walked again, and what comes is walked seldom.

    For each service of a process, in whatever order they stop: the last one leaves everything as the first one found it.
    """
    global _running, _before  # noqa: PLW0603 it is the process's collector
    if not _running:
        _before = gc.get_threshold()
    _running += 1
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        _running -= 1
        if not _running:
            gc.set_threshold(*_before)
            gc.unfreeze()
