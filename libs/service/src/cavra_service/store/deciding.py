"""Commands that decide on what they read: in turns, and decided again when it has changed before they could commit."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from cavra_service.store.protocol import Conflict, Store

T = TypeVar("T")

_TRIES: Final = 6
"""How often a command decides before its caller is told of the conflict."""

_turns: WeakKeyDictionary[Store, WeakValueDictionary[str, asyncio.Lock]] = WeakKeyDictionary()


async def decided(store: Store, subject: str, command: Callable[[], Awaitable[T]]) -> T:
    """What `command` (load, decide, commit to `store`) returns; run again from its start after a Conflict.

    Commands of this process on one `subject` take turns, so that of any number at once each is decided on what the one before it left;
    those on other subjects go on beside them and share their commits. Raises Conflict when writers of other subjects or processes were
    faster six times.
    """
    locks = _turns.setdefault(store, WeakValueDictionary())
    async with locks.setdefault(subject, asyncio.Lock()):
        for _ in range(_TRIES - 1):
            try:
                return await command()
            except Conflict:
                continue
        return await command()
