"""Small files that must be whole after any crash."""

import os
from pathlib import Path
from tempfile import mkstemp


def write_private(path: Path, data: bytes) -> None:
    """Write so that nobody else ever can read it, whole or not at all, and durable on return."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(path, data, 0o600)


def write_public(path: Path, data: bytes) -> None:
    """Write for all to read, whole or not at all, and durable on return."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, data, 0o644)


def _write(path: Path, data: bytes, mode: int) -> None:
    # A name of its own: writers of one file may share a process, or have the same number in containers of their own.
    descriptor, temporary = mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    # The new name is durable only once its folder is.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
