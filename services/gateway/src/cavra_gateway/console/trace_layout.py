"""The picture of a chain, as coordinates alone: time flows down, one column per service, one row per record, an arrow for each cause."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

COLUMNS: Final = ("delivery", "retry", "recovery")
"""The logs, in the order of the flow."""

WIDTH: Final = 240
HEIGHT: Final = 58
"""Of a record's box, in pixels."""

_ROW: Final = 78
_HEAD: Final = 14
_MARGIN: Final = 16
_LANE: Final = 8
_MOST_LANES: Final = 14
"""Lanes of one gutter; of a chain that needs more, some share one."""
_PORT: Final = 11
"""How far below its middle arrows leave a box; as far above it they enter."""
_BEND: Final = 6
_HEAD_LENGTH: Final = 7
"""Of an arrow's head, which is drawn beyond its line."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A record as far as its place matters."""

    id: str
    log: str
    """Whose column it stands in; any other name stands in the first."""
    causes: tuple[str, ...]
    """Ids of what it rests on. One that is not in the picture gets no arrow."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where a record stands."""

    id: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """From a cause to what rests on it."""

    source: str
    target: str
    path: str
    """SVG path data, with room for a head at its end."""


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it, in pixels."""

    width: int
    height: int
    columns: tuple[int, ...]
    """Left edge of each of COLUMNS."""
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


@dataclass(slots=True)
class _Bus:
    """The vertical line in a gutter by which all arrows of one side reach one box."""

    gutter: int
    first: int
    last: int
    """Rows that it spans."""
    lane: int = 0


def layout(facts: Sequence[Fact]) -> Picture:
    """Place `facts`, which are in causal order, each in a row of its own.

    As no row holds two boxes, an arrow leaves its cause's row sideways without meeting another box, goes down a lane of the gutter beside
    its target, and enters. Arrows into one box from one side share that lane; neighbours of one column are joined directly.
    """
    rows = {fact.id: row for row, fact in enumerate(facts)}
    columns = {fact.id: _column(fact.log) for fact in facts}
    edges = [
        (cause, fact.id)
        for fact in facts
        for cause in dict.fromkeys(fact.causes)
        if cause in rows and cause != fact.id
    ]
    buses = _buses(edges, rows, columns)
    lanes = _assign_lanes(list(buses.values()))
    lefts = _lefts(lanes)
    boxes = {fact.id: Box(fact.id, lefts[columns[fact.id]], _HEAD + rows[fact.id] * _ROW) for fact in facts}
    arrows = []
    for source, target in edges:
        bus = buses.get((target, _gutter(columns[source], columns[target])))
        if bus is None or _adjacent(source, target, rows, columns):
            path = _straight(boxes[source], boxes[target])
        else:
            path = _elbow(boxes[source], boxes[target], _lane_x(bus, lefts, lanes))
        arrows.append(Arrow(source, target, path))
    width = lefts[-1] + WIDTH + _gutter_width(lanes[-1]) + _MARGIN
    height = 2 * _HEAD + len(facts) * _ROW
    return Picture(width, height, tuple(lefts), tuple(boxes.values()), tuple(arrows))


def _column(log: str) -> int:
    return COLUMNS.index(log) if log in COLUMNS else 0


def _gutter(source: int, target: int) -> int:
    """The gutter by which an arrow reaches its target: number n is left of column n."""
    return target if source < target else target + 1


def _adjacent(source: str, target: str, rows: dict[str, int], columns: dict[str, int]) -> bool:
    return columns[source] == columns[target] and rows[target] == rows[source] + 1


def _buses(
    edges: Sequence[tuple[str, str]], rows: dict[str, int], columns: dict[str, int]
) -> dict[tuple[str, int], _Bus]:
    buses: dict[tuple[str, int], _Bus] = {}
    for source, target in edges:
        if _adjacent(source, target, rows, columns):
            continue
        gutter = _gutter(columns[source], columns[target])
        bus = buses.setdefault((target, gutter), _Bus(gutter, rows[target], rows[target]))
        bus.first = min(bus.first, rows[source])
        bus.last = max(bus.last, rows[source])
    return buses


def _assign_lanes(buses: Sequence[_Bus]) -> list[int]:
    """Give each bus the first lane of its gutter that is free in its rows; how many lanes each gutter has."""
    count = [0] * (len(COLUMNS) + 1)
    ends: list[list[int]] = [[] for _ in count]
    for bus in sorted(buses, key=lambda bus: (bus.first, bus.last)):
        taken = ends[bus.gutter]
        free = next((lane for lane, end in enumerate(taken) if end < bus.first), None)
        if free is None and len(taken) < _MOST_LANES:
            free = len(taken)
            taken.append(bus.last)
        elif free is None:
            free = min(range(_MOST_LANES), key=taken.__getitem__)
        bus.lane = free
        taken[free] = max(taken[free], bus.last)
        count[bus.gutter] = max(count[bus.gutter], free + 1)
    return count


def _gutter_width(lanes: int) -> int:
    return 2 * _MARGIN + _LANE * max(0, lanes - 1) if lanes else _MARGIN


def _lefts(lanes: Sequence[int]) -> list[int]:
    lefts, x = [], 0
    for column in range(len(COLUMNS)):
        x += _gutter_width(lanes[column])
        lefts.append(x)
        x += WIDTH
    return lefts


def _lane_x(bus: _Bus, lefts: Sequence[int], lanes: Sequence[int]) -> int:
    """Lanes are counted away from the box that they lead to, where that is the column on the gutter's right."""
    if bus.gutter < len(lefts):
        return lefts[bus.gutter] - _gutter_width(lanes[bus.gutter]) + _MARGIN + _LANE * bus.lane
    return lefts[-1] + WIDTH + _MARGIN + _LANE * bus.lane


def _straight(source: Box, target: Box) -> str:
    middle = source.x + WIDTH // 2
    return f"M{middle} {source.y + HEIGHT}V{target.y - _HEAD_LENGTH}"


def _elbow(source: Box, target: Box, lane: int) -> str:
    """Out of the source sideways, along the lane, into the target's side."""
    leaving = source.x if lane < source.x else source.x + WIDTH
    entering = target.x - _HEAD_LENGTH if lane < target.x else target.x + WIDTH + _HEAD_LENGTH
    begin, end = source.y + HEIGHT // 2 + _PORT, target.y + HEIGHT // 2 - _PORT
    down = _BEND if end > begin else -_BEND
    into = _BEND if lane > leaving else -_BEND
    out = _BEND if entering > lane else -_BEND
    return (
        f"M{leaving} {begin}H{lane - into}Q{lane} {begin} {lane} {begin + down}"
        f"V{end - down}Q{lane} {end} {lane + out} {end}H{entering}"
    )
