"""The merge of several logs, each newest first, into one list, and the place where it can be taken up again."""

import base64
import binascii
import json
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cavra_evidence.refusal import Refusal

Key = tuple[int, int, str, int]
"""(seconds, nanoseconds, origin, index): by this, descending, history is ordered. Within one log it falls with the index."""

_MAX_CURSOR = 1024


def moment(key: Key) -> datetime:
    """When the record of a key was committed. Raises Refusal `invalid_page_token` for a key of no record."""
    try:
        return datetime.fromtimestamp(key[0], UTC) + timedelta(microseconds=key[1] // 1000)
    except (OverflowError, OSError, ValueError):
        raise _invalid() from None


@dataclass(slots=True)
class Item:
    """A record that a log offers."""

    key: Key
    record: Any
    token: str
    """Continues right after this record in its log."""


@dataclass(slots=True)
class Stream:
    """One log's part of a merge."""

    name: str
    position: str = ""
    """Token that continues after what was taken; empty at the beginning."""
    more: bool = True
    """Whether the log may hold more than what is waiting."""
    fetched: str = ""
    """Token that continues after what was fetched."""
    waiting: deque[Item] = field(default_factory=deque)
    down: bool = False
    """Whether the log could not be asked: what it holds stays unread."""

    def __post_init__(self) -> None:
        self.fetched = self.position

    def offer(self, items: Iterable[Item], following: str) -> None:
        """Take in a page of the log; `following` continues after it, empty at the log's end."""
        self.waiting.extend(items)
        self.more = bool(following)
        self.fetched = following
        self._pass()

    def pop(self) -> Item:
        """The newest record that waits."""
        item = self.waiting.popleft()
        self.position = item.token
        self._pass()
        return item

    def _pass(self) -> None:
        if not self.waiting and self.fetched:
            self.position = self.fetched  # A page may end far below its last match.

    @property
    def hungry(self) -> bool:
        """Nothing waits, and the log may hold more: nobody may be taken before it is asked."""
        return not self.waiting and self.more

    @property
    def done(self) -> bool:
        """The log has nothing left to give now."""
        return not self.waiting and not self.more

    @property
    def resumption(self) -> str | None:
        """Token to take it up with later; None when there is nothing left."""
        return None if self.done and not self.down else self.position

    @classmethod
    def resumed(cls, name: str, resumption: str | None) -> "Stream":
        """The stream as its resumption says."""
        return cls(name, resumption or "", more=resumption is not None)


def drain(streams: Sequence[Stream], taken: list[Item], limit: int, below: Key | None) -> None:
    """Move the newest records into `taken` until it holds `limit`, a stream is hungry, or all are done.

    Records at or above `below` were committed after the walk began: they are passed over.
    """
    while len(taken) < limit and not any(stream.hungry for stream in streams):
        offering = [stream for stream in streams if stream.waiting]
        if not offering:
            return
        item = max(offering, key=lambda stream: stream.waiting[0].key).pop()
        if below is None or item.key < below:
            taken.append(item)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a walk through history stands."""

    below: Key
    """Key of the last record that was served."""
    positions: dict[str, str | None]
    """Per log the token to continue with; None when it is done."""

    def text(self) -> str:
        """As the opaque `next_cursor`."""
        document = json.dumps([*self.below, self.positions], separators=(",", ":"))
        return base64.urlsafe_b64encode(document.encode()).decode().rstrip("=")

    @classmethod
    def of(cls, text: str, names: Sequence[str]) -> "Cursor":
        """The cursor that `text` holds. Raises Refusal `invalid_page_token` for anything that is none of ours."""
        try:
            if len(text) > _MAX_CURSOR:
                raise ValueError("too long")
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            seconds, nanos, origin, index, positions = json.loads(base64.urlsafe_b64decode(padded))
        except (binascii.Error, ValueError, TypeError, RecursionError):
            raise _invalid() from None
        if not (
            all(type(number) is int for number in (seconds, nanos, index))
            and isinstance(origin, str)
            and isinstance(positions, dict)
            and positions.keys() == set(names)
            and all(
                token is None or (isinstance(token, str) and token.isascii()) for token in positions.values()
            )
        ):
            raise _invalid()
        return cls((seconds, nanos, origin, index), positions)


def _invalid() -> Refusal:
    return Refusal("invalid_page_token", "not a cursor of this history", "cursor")
