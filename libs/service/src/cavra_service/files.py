"""Small files that must be whole after any crash."""

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write so that nobody else ever can read it, whole or not at all, and durable on return."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(path, data, 0o600)


def write_public(path: Path, data: bytes) -> None:
    """Write for all to read, whole or not at all, and durable on return."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, data, 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    # The new name is durable only once its folder is.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
