"""Configuration documents: JSON or YAML files that are looked at on every use and read again when they change."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import yaml

MAX_BYTES: Final = 1024 * 1024
"""A larger file is not read."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as read: its content, or one sentence why there is none."""

    content: dict[str, Any] | None
    problem: str = ""


class DocumentFile:
    """One file. `read` costs a stat while the file stays as it is."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._document = Document(None, "no file is configured")

    @property
    def name(self) -> str:
        """The file's name without its folder; empty when none is configured."""
        return "" if self._path is None else self._path.name

    def read(self) -> Document:
        """The document as it is now. A problem is told in words of ours: a parser's own may quote the file."""
        if self._path is None:
            return self._document
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                self._document, self._stamp = _parse(self._path, status.st_size), stamp
        except OSError as error:
            self._document, self._stamp = (
                Document(None, f"the file cannot be read ({type(error).__name__})"),
                None,
            )
        return self._document


def _parse(path: Path, size: int) -> Document:
    if size > MAX_BYTES:
        return Document(None, f"the file is larger than {MAX_BYTES} bytes")
    data = path.read_bytes()
    try:
        content = orjson.loads(data) if path.suffix == ".json" else yaml.safe_load(data)
    except (orjson.JSONDecodeError, yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        return Document(None, f"the file is no valid JSON or YAML ({type(error).__name__})")
    if not isinstance(content, dict):
        return Document(None, "the file holds no mapping")
    return Document(content)
