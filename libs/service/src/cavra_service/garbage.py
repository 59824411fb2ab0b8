"""When Python looks for garbage in a service."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THRESHOLDS: Final = (20_000, 20, 50)
"""New objects between two looks at the young, and how many looks come before one at the older. By default it is 700: a call that makes
ten thousand short-lived objects, all of which reference counts free, would be walked a dozen times. A tenth of a service's time went
there."""


@contextmanager
def looked_for_rarely() -> Iterator[None]:
    """While open: what stands at the start stays and is not walked again, and what comes is walked seldom."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
