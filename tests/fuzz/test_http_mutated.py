"""Thousands of requests to every route that are right but for a few places."""

import random
from pathlib import Path

import pytest

from tests.fuzz.routes import Asked
from tests.fuzz.shares import MUTATED
from tests.fuzz.world import running

_PARTS, _EACH = MUTATED


@pytest.mark.parametrize("part", range(_PARTS))
async def test_a_request_that_is_wrong_in_places_is_refused_and_writes_nothing(
    part: int, tmp_path: Path
) -> None:
    rng = random.Random(part)
    async with running(tmp_path) as world:
        for _ in range(_EACH):
            asked = Asked.some(world, rng)
            await world.ask(asked.method, asked.url, asked.person, headers=asked.headers, data=asked.data)
        assert world.sent == _EACH
        assert len(world.reasons) >= 12, "the requests do not get far enough to be refused for many reasons"
