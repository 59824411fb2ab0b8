"""The demo, run once with the README's own command."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def environment(**more: str) -> dict[str, str]:
    """What a newcomer's shell has: nothing of CAVRA, and nothing of the make that may run these tests."""
    dropped = ("CAVRA_", "MAKE", "MFLAGS", "ARGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)} | more


def make(*arguments: str) -> str:
    """What `make` prints; fails where it does."""
    done = subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def demo() -> list[str]:
    """The lines that `make demo` prints."""
    return make("demo").splitlines()
