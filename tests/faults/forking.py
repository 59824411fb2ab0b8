"""A program that has imported the services, and forks a `cavra` process as often as it is asked on its standard input."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

RUNS: Final = 1000
"""Answer about a child that has not ended: no exit status."""


def main() -> None:
    """Answer each order: the id of a new process, or how one ended."""
    cavra: Any = import_module("cavra_cli.main")
    faults: Any = import_module("cavra_service.faults")
    for service in ("delivery", "retry"):
        import_module(f"cavra_{service}.bootstrap")
    for line in sys.stdin:
        order = json.loads(line)
        if "wait" in order:
            pid, status = os.waitpid(order["wait"], os.WNOHANG)
            _answer(os.waitstatus_to_exitcode(status) if pid else RUNS)
        elif pid := os.fork():
            _answer(pid)
        else:
            _become(order)
            # A process of its own reads this as it imports it.
            faults._ORDER = Path(os.environ["CAVRA_FAULT"])
            cavra.main()
            return


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _become(order: dict[str, Any]) -> None:
    """Have the streams, arguments and environment that a process of its own would have."""
    streams = (
        (1, order["stdout"], os.O_WRONLY),
        (2, order["stderr"], os.O_WRONLY | os.O_APPEND | os.O_CREAT),
    )
    for number, path, mode in streams:
        opened = os.open(path, mode, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.update(order["environment"])
    sys.argv[1:] = order["arguments"]


if __name__ == "__main__":
    main()
