"""The merge of several logs is what sorting all their records at once would give."""

from typing import Any

import pytest
from cavra_evidence.refusal import Refusal
from cavra_gateway.domain.merge import Cursor, Item, Key, Stream, drain
from hypothesis import given
from hypothesis import strategies as st

LOGS = ("a", "b", "c")

# Per log: pages of its records, newest first; times that recur within and across logs, and empty pages.
pages = st.lists(st.lists(st.integers(0, 4), max_size=4), max_size=4)
logs = st.fixed_dictionaries(dict.fromkeys(LOGS, pages))


class Log:
    """A log that serves its records in pages of its own choice."""

    def __init__(self, name: str, sizes: list[list[int]]) -> None:
        times = sorted((time for page in sizes for time in page), reverse=True)
        keys: list[Key] = [(time, 0, name, len(times) - 1 - at) for at, time in enumerate(times)]
        self.items = [Item(key, key, str(at + 1)) for at, key in enumerate(keys)]
        ends = [sum(len(page) for page in sizes[: n + 1]) for n in range(len(sizes))]
        self.ends = [end for end in ends if end < len(self.items)]

    def feed(self, stream: Stream) -> None:
        """Answer with the next page: it may be short, or empty, although there is more."""
        at = int(stream.fetched or 0)
        end = next((one for one in self.ends if one > at), len(self.items))
        stream.offer(self.items[at:end], str(end) if end < len(self.items) else "")


def walk(served: dict[str, Log], streams: list[Stream], limit: int, below: Key | None) -> list[Item]:
    taken: list[Item] = []
    while True:
        for stream in streams:
            if stream.hungry:
                served[stream.name].feed(stream)
        drain(streams, taken, limit, below)
        if len(taken) == limit or all(stream.done for stream in streams):
            return taken


@given(logs, st.integers(1, 7))
def test_pages_by_cursor_are_slices_of_the_sorted_whole(contents: dict[str, Any], limit: int) -> None:
    served = {name: Log(name, sizes) for name, sizes in contents.items()}
    whole = sorted((item.key for log in served.values() for item in log.items), reverse=True)
    streams, below, found = [Stream(name) for name in LOGS], None, []
    while True:
        page = [item.key for item in walk(served, streams, limit, below)]
        found += page
        if all(stream.done for stream in streams):
            break
        assert len(page) == limit
        cursor = Cursor(page[-1], {stream.name: stream.resumption for stream in streams})
        resumed = Cursor.of(cursor.text(), LOGS)
        assert resumed == cursor
        below = resumed.below
        streams = [Stream.resumed(name, resumed.positions[name]) for name in LOGS]
    assert found == whole


@given(logs, st.integers(1, 9))
def test_what_is_committed_after_the_walk_began_stays_out_of_it(contents: dict[str, Any], limit: int) -> None:
    served = {name: Log(name, sizes) for name, sizes in contents.items()}
    whole = sorted((item.key for log in served.values() for item in log.items), reverse=True)
    below = whole[limit - 1] if len(whole) >= limit else None
    taken = walk(served, [Stream(name) for name in LOGS], 100, below)
    assert [item.key for item in taken] == (whole if below is None else whole[limit:])


@pytest.mark.parametrize(
    "text",
    ["", "x", "W10", "WzEsMiwiYSIsMyx7fV0", "é", "A" * 2000, "bnVsbA", "WzEsIDIsICJhIiwgMywgeyJhIjoxfV0"],
)
def test_a_cursor_of_somebody_elses_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        Cursor.of(text, LOGS)
    assert (refused.value.reason, refused.value.field) == ("invalid_page_token", "cursor")
