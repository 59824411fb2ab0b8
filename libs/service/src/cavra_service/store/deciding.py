"""Commands that decide on what they read: decided again when it has changed before they could commit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from cavra_service.store.protocol import Conflict, Store

T = TypeVar("T")

_AGAIN: Final = 5
"""How often a command decides again before its caller is told to: other processes may win each time."""

_queues: WeakKeyDictionary[Store, asyncio.Lock] = WeakKeyDictionary()


async def decided(store: Store, command: Callable[[], Awaitable[T]]) -> T:
    """What `command` (load, decide, commit to `store`) returns; run again from its start after a Conflict.

    Commands that met a conflict queue up behind each other: of any number at once on one thing, each gets its turn. Raises Conflict when
    writers outside this process were faster six times.
    """
    try:
        return await command()
    except Conflict:
        pass
    async with _queues.setdefault(store, asyncio.Lock()):
        for _ in range(_AGAIN - 1):
            try:
                return await command()
            except Conflict:
                continue
        return await command()
