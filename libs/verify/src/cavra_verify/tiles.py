"""Tiles (C2SP tlog-tiles): where each hash of a log and each entry stands, how a tile is named, and how entries are framed."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 8
"""Levels of the tree that one level of tiles spans."""
WIDTH: Final = 1 << HEIGHT
"""Hashes of a full tile, entries of a full bundle."""
MAX_LEVEL: Final = 63
_MOST_ENTRY_BYTES: Final = 0xFFFF

_NUMBER: Final = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_LEVEL: Final = re.compile(r"0|[1-9][0-9]?")


class TileError(ValueError):
    """A path names no tile, or bytes are no entry bundle; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The hashes index * 256 to index * 256 + width - 1 of a level; each is the root of 256**level entries."""

    level: int
    index: int
    width: int = WIDTH

    @property
    def number(self) -> str:
        """The end of its path, e.g. "x001/x234/067" or "005.p/12"; that of an entry bundle likewise."""
        groups = [f"{self.index % 1000:03}"]
        rest = self.index // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        return "/".join(groups) + (f".p/{self.width}" if self.width < WIDTH else "")

    @property
    def path(self) -> str:
        """Its path below a log's prefix, e.g. "tile/0/x001/x234/067"."""
        return f"tile/{self.level}/{self.number}"

    def fits(self, size: int) -> bool:
        """Whether a log of `size` entries has all of its hashes."""
        return self.index * WIDTH + self.width <= size >> HEIGHT * self.level


def numbered(text: str, level: int = 0) -> Tile:
    """The tile of a level whose path ends so. Raises TileError for anything but the one spelling of a number."""
    found = _NUMBER.fullmatch(text)
    if found is None or text.startswith("x000/"):
        raise TileError("expected a tile's number in groups of three digits")
    index, width = int(re.sub("[x/]", "", found[1]) + found[2]), int(found[3] or WIDTH)
    if found[3] and width >= WIDTH:
        raise TileError(f"expected a partial width of 1 to {WIDTH - 1}")
    return Tile(level, index, width)


def level_of(text: str) -> int:
    """A tile's level. Raises TileError for anything but 0 to 63."""
    if not _LEVEL.fullmatch(text) or int(text) > MAX_LEVEL:
        raise TileError(f"expected a level of 0 to {MAX_LEVEL}")
    return int(text)


def tiles_of(size: int) -> Iterator[Tile]:
    """Every tile of a log of `size` entries; on each level the last may be partial, and none is empty."""
    level, hashes = 0, size
    while hashes:
        yield from (Tile(level, index) for index in range(hashes // WIDTH))
        if hashes % WIDTH:
            yield Tile(level, hashes // WIDTH, hashes % WIDTH)
        level, hashes = level + 1, hashes // WIDTH


def bundled(entries: Sequence[bytes]) -> bytes:
    """An entry bundle: each entry behind its length, a big-endian uint16. Raises TileError for one of more than 65,535 bytes."""
    if any(len(entry) > _MOST_ENTRY_BYTES for entry in entries):
        raise TileError(f"expected entries of at most {_MOST_ENTRY_BYTES} bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(bundle: bytes) -> list[bytes]:
    """The entries of a bundle. Raises TileError for bytes that end within one."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle):
        start = at + 2
        at = start + int.from_bytes(bundle[at:start], "big")
        if start > len(bundle) or at > len(bundle):
            raise TileError("got an entry bundle that ends within an entry")
        entries.append(bundle[start:at])
    return entries
