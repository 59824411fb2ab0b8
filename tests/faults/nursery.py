"""Services that start without importing anything: tests of crashes start a lot of them, and most of a start is imports."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, Final, cast

from tests.faults.forking import RUNS
from tests.flow.processes.running import Home, Process

_ROOT: Final = Path(__file__).parents[2]


class Nursery:
    """The process that forks. `folder`: for the pipes by which its children are heard."""

    def __init__(self, folder: Path) -> None:
        self._pipe = folder / "stdout"
        self._turn = threading.Lock()
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("CAVRA_")}
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forking"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=foreign,
        )

    def ask(self, **order: Any) -> int:
        """What it answers."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        with self._turn:
            self._popen.stdin.write(json.dumps(order) + "\n")
            self._popen.stdin.flush()
            return int(self._popen.stdout.readline())

    def fork(self, arguments: tuple[str, ...], environment: dict[str, str], log: Path) -> "Child":
        """Another `cavra` process."""
        os.mkfifo(self._pipe)
        pid = self.ask(arguments=arguments, environment=environment, stdout=str(self._pipe), stderr=str(log))
        stdout = self._pipe.open()
        self._pipe.unlink()
        return Child(self, pid, stdout)

    def close(self) -> None:
        """End it."""
        assert self._popen.stdout is not None
        self._popen.kill()
        self._popen.communicate()


class Child:
    """What `Process` needs of a Popen."""

    def __init__(self, nursery: Nursery, pid: int, stdout: IO[str]) -> None:
        self.stdout = stdout
        self._nursery = nursery
        self._pid = pid
        self._status = RUNS

    def send_signal(self, number: int) -> None:
        """As Popen's. Nobody else gets this id before the nursery was asked how it ended."""
        if self._status == RUNS:
            os.kill(self._pid, number)

    def kill(self) -> None:
        """As Popen's."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float = 30.0) -> int:
        """As Popen's, which looks again and again as well."""
        last = time.monotonic() + timeout
        while self._status == RUNS:
            self._status = self._nursery.ask(wait=self._pid)
            if self._status == RUNS:
                if time.monotonic() > last:
                    raise TimeoutError("a process does not end")
                time.sleep(0.002)
        return self._status


class Forked(Process):
    """A `cavra` process of a nursery's."""

    def __init__(self, child: Child, log: Path) -> None:
        self._popen = cast("subprocess.Popen[str]", child)
        self.printed: list[str] = []
        self.addresses: dict[str, str] = {}
        self._log = log


class WarmHome(Home):
    """A home whose processes start at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._nursery = Nursery(folder)

    def start(self, *arguments: str, **environment: str) -> Process:
        """See Home."""
        child = self._nursery.fork(arguments, {**self.environment, **environment}, self.log)
        process = Forked(child, self.log)
        self._started.append(process)
        return process

    def close(self) -> None:
        """See Home."""
        super().close()
        self._nursery.close()
