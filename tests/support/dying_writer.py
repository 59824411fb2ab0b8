"""Writers that die: each at one step later than the one before, until one lives. `python -m tests.support.dying_writer FOLDER`.

A step is a statement to the engine, or a call that opens, syncs or renames the file of a checkpoint. Prints how many steps there are.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from cavra_service.checkpoints import Checkpoints
from cavra_service.store.protocol import Commit, Statement

from tests.support.log import SIGNER
from tests.support.records import draft
from tests.support.store_writer import open_file

ROUNDS = 2


class Death:
    """Counts steps, and ends this process at one of them, without a word. What it wrote and did not sync, the kernel still has."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **more: Any) -> Any:
            self.step()
            return call(*args, **more)

        return counted


async def _live(folder: Path, death: Death) -> None:
    acknowledged = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    store = await open_file(folder / "store.sqlite3")
    await store._connections[0].set_trace_callback(lambda _: death.step())
    os.open, os.fsync, os.replace = (death.before(call) for call in (os.open, os.fsync, os.replace))
    checkpoints = Checkpoints(store, folder / "checkpoint", [SIGNER.public])
    await checkpoints.resume()
    for number in range(ROUNDS):
        await store.commit(
            Commit([draft(), draft("closure")], [Statement("insert_item", {"id": f"{number}"})])
        )
        os.write(acknowledged, f"item {number}\n".encode())
        signed = await checkpoints.fresh()
        os.write(acknowledged, f"signed {signed.frontier.size}\n".encode())
    await store.close()


def _die(folder: Path, at: int) -> bool:
    """Whether a writer died at its step `at`."""
    folder.mkdir()
    # Nothing of this process runs in a thread yet, so a copy of it is whole.
    child = os.fork()
    if child == 0:
        asyncio.run(_live(folder, Death(at)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if not died and status:
        raise SystemExit(f"the writer of step {at} failed")
    return died


if __name__ == "__main__":
    lived = next(at for at in count(1) if not _die(Path(sys.argv[1]) / f"{at:03}", at))
    sys.stdout.write(f"{lived - 1}\n")
