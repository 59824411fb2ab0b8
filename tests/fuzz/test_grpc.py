"""Every RPC, asked with messages of its type that nobody would send, with bytes that are none, and with odd metadata."""

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cavra_service.roles import REQUIRED
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz import messages
from tests.fuzz.messages import RPCS, Rpc
from tests.fuzz.shares import BYTES, MESSAGES, MESSAGES_SENT, METADATA
from tests.fuzz.wire import Wire, calling
from tests.fuzz.world import PEOPLE, World, in_a_thread, running

_WATCHES = 8
_PARTS = len(MESSAGES_SENT)


def _bearer(world: World, rpc: Rpc) -> tuple[str, str]:
    """Someone who may ask for it."""
    required = REQUIRED[rpc.path]
    person = next((name for name, roles in PEOPLE.items() if required & set(roles)), "service")
    return ("authorization", f"Bearer {world.tokens[person]}")


@contextmanager
def _threaded(folder: Path) -> Iterator[tuple[World, Wire, Any]]:
    """A world, its wire, and what waits for work in its event loop: hypothesis calls what does not wait itself."""
    with in_a_thread(folder) as world:

        def wait(work: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(work, world.loop).result(90)

        manager = calling(world)
        yield world, wait(manager.__aenter__()), wait
        wait(manager.__aexit__(None, None, None))


def _asking(rpc: Rpc, ask: Callable[[Any], None]) -> Callable[[], None]:
    """Calls `ask` with many descriptions of the RPC's request, the same ones every time."""
    watched = rpc.path.endswith("WatchRecords")
    settled = settings(
        max_examples=_WATCHES if watched else MESSAGES if rpc.request.DESCRIPTOR.fields else 1,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    asked: Callable[[], None] = settled(given(messages.fields(rpc.request.DESCRIPTOR))(ask))
    return asked


@pytest.mark.parametrize("part", range(_PARTS))
def test_no_message_is_too_odd_to_be_answered_with_a_reason(tmp_path: Path, part: int) -> None:
    with _threaded(tmp_path) as (world, wire, wait):
        for rpc in RPCS[part::_PARTS]:

            def ask(described: Any) -> None:
                request = messages.message(rpc, described, world.newest).SerializeToString()  # noqa: B023 asked at once
                wait(wire.ask(rpc, request, [_bearer(world, rpc)]))  # noqa: B023

            _asking(rpc, ask)()
        assert wire.sent >= MESSAGES_SENT[part]


async def test_bytes_that_are_no_message_get_a_reason(tmp_path: Path) -> None:
    rng = random.Random(5)
    async with running(tmp_path) as world, calling(world) as wire:
        for rpc in RPCS:
            before = world.logs.state()
            for _ in range(BYTES):
                # A wire type that there is none of, a text that ends too early, a number that never ends.
                start = rng.choice((b"\x0f", b"\x0a\x7f", b"\xff" * 11))
                assert (
                    await wire.ask(rpc, start + rng.randbytes(rng.randrange(40)), [_bearer(world, rpc)])
                    is None
                )
            assert world.logs.state() == before
        assert wire.sent == BYTES * len(RPCS)
        assert wire.reasons["invalid_body"] == wire.sent


async def test_no_metadata_is_too_odd(tmp_path: Path) -> None:
    rng = random.Random(6)
    keys = ("", " ", "k", "a b", "x" * 128, "x" * 129, "~", "k,k", " k")
    async with running(tmp_path) as world, calling(world) as wire:
        for rpc in RPCS:
            for _ in range(METADATA):
                metadata: list[tuple[str, str | bytes]] = [_bearer(world, rpc)] if rng.random() < 0.8 else []
                for _ in range(rng.choice((1, 1, 2))):
                    odd: tuple[str, str | bytes] = rng.choice(
                        (
                            ("idempotency-key", rng.choice(keys)),
                            ("idempotency-key-bin", rng.randbytes(8)),
                            ("cavra-on-behalf-of-bin", rng.randbytes(rng.randrange(30))),
                            ("cavra-on-behalf-of-bin", b"\x0a\x01a\x12\x01b\x1a\x01c"),
                            ("cavra-on-behalf-of", "olga"),
                            (
                                "authorization",
                                rng.choice(("", "Bearer", "bearer x.y.z", "Basic YTpi", "x" * 9000)),
                            ),
                            ("authorization-bin", b"\xff"),
                            ("x-forwarded-user", "root"),
                            ("x", "y" * rng.choice((1, 8000))),
                        )
                    )
                    metadata.append(odd)
                await wire.ask(rpc, b"", metadata)
        assert wire.sent == METADATA * len(RPCS)
