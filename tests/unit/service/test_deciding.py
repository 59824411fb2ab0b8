"""Commands that decide again when what they read has changed."""

import asyncio
from typing import Any, cast

import pytest
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Conflict, Store


class Versioned:
    """A value that is moved only by who read its newest version."""

    def __init__(self) -> None:
        self.version = 0

    async def bump(self) -> int:
        """Read, let others run, move."""
        read = self.version
        await asyncio.sleep(0)
        if read != self.version:
            raise Conflict
        self.version += 1
        return self.version


async def test_any_number_of_commands_on_one_thing_each_get_their_turn() -> None:
    value = Versioned()
    store = cast(Store, value)
    results = await asyncio.gather(*(decided(store, "one", value.bump) for _ in range(60)))
    assert sorted(results) == list(range(1, 61))


async def test_commands_on_other_things_do_not_wait() -> None:
    store, held, done = cast(Store, Versioned()), asyncio.Event(), asyncio.Event()

    async def finish() -> None:
        done.set()

    waiting = asyncio.create_task(decided(store, "one", held.wait))
    await decided(store, "other", finish)
    assert done.is_set()
    assert not waiting.done()
    held.set()
    await waiting


async def test_a_command_that_never_wins_is_refused_after_six_tries() -> None:
    tries = 0

    async def beaten() -> Any:
        nonlocal tries
        tries += 1
        raise Conflict

    with pytest.raises(Conflict):
        await decided(cast(Store, Versioned()), "one", beaten)
    assert tries == 6
