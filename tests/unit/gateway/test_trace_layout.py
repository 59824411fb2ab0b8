"""The picture of a chain, as coordinates."""

import re
from itertools import combinations, pairwise

import pytest
from cavra_gateway.console.trace_layout import COLUMNS, HEIGHT, WIDTH, Fact, Picture, layout

CHAIN = (
    Fact("package", "delivery", ()),
    Fact("plan", "delivery", ("package",)),
    Fact("failed", "delivery", ("plan", "package")),
    Fact("review", "retry", ("failed",)),
    Fact("ack", "retry", ("review",)),
    Fact("approval", "retry", ("review", "ack")),
    Fact("decision", "retry", ("approval", "review", "ack")),
    Fact("intent", "retry", ("decision", "review", "ack", "failed")),
    Fact("sent", "delivery", ("intent", "package")),
    Fact("execution", "retry", ("intent", "sent", "decision")),
    Fact("playbook", "recovery", ("failed",)),
    Fact("closure", "recovery", ("playbook", "execution", "sent")),
)


def long_chain(size: int) -> tuple[Fact, ...]:
    """`size` records over all logs, each resting on the one before it, one far back and the first."""
    return tuple(
        Fact(
            f"r{n}",
            COLUMNS[n * 7 % 3],
            tuple(dict.fromkeys(f"r{c}" for c in (n - 1, n // 2, 0) if 0 <= c < n)),
        )
        for n in range(size)
    )


def points(path: str) -> list[tuple[float, float]]:
    """The corners of a path of M, H, V and Q."""
    x = y = 0.0
    found = []
    for command, numbers in re.findall(r"([MHVQ])([^MHVQ]*)", path):
        values = [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", numbers)]
        if command == "H":
            x = values[0]
        elif command == "V":
            y = values[0]
        else:
            x, y = values[-2:]
        found.append((x, y))
    return found


def crossed(picture: Picture) -> list[tuple[str, str, str]]:
    """(source, target, box) wherever an arrow runs through a box, be it one that it joins."""
    return [
        (arrow.source, arrow.target, box.id)
        for arrow in picture.arrows
        for (x1, y1), (x2, y2) in pairwise(points(arrow.path))
        for box in picture.boxes
        if max(x1, x2) > box.x
        and min(x1, x2) < box.x + WIDTH
        and max(y1, y2) > box.y
        and min(y1, y2) < box.y + HEIGHT
    ]


def test_every_record_has_a_box_in_its_services_column_and_time_flows_down() -> None:
    picture = layout(CHAIN)
    assert [box.id for box in picture.boxes] == [fact.id for fact in CHAIN]
    assert [box.x for box in picture.boxes] == [picture.columns[COLUMNS.index(fact.log)] for fact in CHAIN]
    assert all(above.y + HEIGHT < below.y for above, below in pairwise(picture.boxes))


def test_every_cause_has_an_arrow_and_nothing_else_has() -> None:
    arrows = [(arrow.source, arrow.target) for arrow in layout(CHAIN).arrows]
    assert arrows == [(cause, fact.id) for fact in CHAIN for cause in fact.causes]


@pytest.mark.parametrize("chain", [CHAIN, long_chain(60)], ids=["flow", "long"])
def test_no_arrow_runs_through_a_record(chain: tuple[Fact, ...]) -> None:
    assert crossed(layout(chain)) == []


@pytest.mark.parametrize("chain", [CHAIN, long_chain(500)], ids=["flow", "of 500"])
def test_everything_lies_within_the_picture(chain: tuple[Fact, ...]) -> None:
    picture = layout(chain)
    corners = [corner for arrow in picture.arrows for corner in points(arrow.path)]
    corners += [(box.x + WIDTH, box.y + HEIGHT) for box in picture.boxes]
    assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in corners)


def test_an_arrow_ends_at_its_records_edge_with_room_for_its_head() -> None:
    picture = layout(CHAIN)
    boxes = {box.id: box for box in picture.boxes}
    for arrow in picture.arrows:
        x, y = points(arrow.path)[-1]
        box = boxes[arrow.target]
        beside = min(abs(x - box.x), abs(x - box.x - WIDTH)) == 7 and box.y < y < box.y + HEIGHT
        above = y == box.y - 7 and box.x < x < box.x + WIDTH
        assert beside or above, arrow


def test_arrows_into_different_records_run_in_lanes_of_their_own_while_they_run_side_by_side() -> None:
    verticals: dict[str, set[tuple[float, float, float]]] = {}
    for arrow in layout(CHAIN).arrows:
        for (x1, y1), (x2, y2) in pairwise(points(arrow.path)):
            if x1 == x2 and abs(y1 - y2) > 20:
                verticals.setdefault(arrow.target, set()).add((x1, min(y1, y2), max(y1, y2)))
    for one, other in combinations(verticals, 2):
        for x1, top1, bottom1 in verticals[one]:
            for x2, top2, bottom2 in verticals[other]:
                assert x1 != x2 or bottom1 <= top2 or bottom2 <= top1, (one, other)


def test_a_cause_outside_the_picture_and_a_record_that_names_itself_get_no_arrow() -> None:
    picture = layout((Fact("a", "retry", ("gone", "a")), Fact("b", "nowhere", ("a",))))
    assert [(arrow.source, arrow.target) for arrow in picture.arrows] == [("a", "b")]
    assert picture.boxes[1].x == picture.columns[0]


def test_records_that_name_each_other_are_drawn_all_the_same() -> None:
    picture = layout((Fact("a", "retry", ("b",)), Fact("b", "retry", ("a",))))
    assert {(arrow.source, arrow.target) for arrow in picture.arrows} == {("a", "b"), ("b", "a")}


def test_nothing_has_an_empty_picture() -> None:
    picture = layout(())
    assert (picture.boxes, picture.arrows) == ((), ())


def test_the_picture_of_a_long_chain_is_no_wider_than_its_lanes_may_be() -> None:
    assert layout(long_chain(500)).width < 3 * WIDTH + 4 * 150
