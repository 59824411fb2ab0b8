"""The picture of the chain says what a real trace says."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cavra_verify.kinds import BY_NOUN

from tests.contract.docs.conftest import ROOT

PATH = ROOT / "docs" / "diagrams" / "go-backend-rollback-drill-live-retry-closure-evidence.svg"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def picture() -> ET.Element:
    """The picture, which is well-formed."""
    return ET.fromstring(Path(PATH).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trace(demo: list[str]) -> dict[str, tuple[str, list[str]]]:
    """Number -> (noun, numbers of its causes) of each record that the demo shows."""
    rows = [re.match(r" ?(\d+)  \S+  (\S+) .* [0-9a-f]{8}  ([\d -]+)$", line) for line in demo]
    found = {row[1]: (row[2], row[3].replace("-", "").split()) for row in rows if row}
    assert found, demo
    return found


def boxes(picture: ET.Element) -> dict[str, list[ET.Element]]:
    """Noun -> its boxes."""
    found: dict[str, list[ET.Element]] = {}
    for group in picture.iter(SVG + "g"):
        first, *nouns = group.get("class", "").split()
        if first == "record":
            [noun] = nouns
            found.setdefault(noun, []).append(group)
    return found


def test_every_kind_in_the_trace_has_a_box_and_no_box_is_without_one(
    picture: ET.Element, trace: dict[str, tuple[str, list[str]]]
) -> None:
    assert boxes(picture).keys() == {noun for noun, _ in trace.values()}


def test_every_box_bears_its_prefix_stands_in_its_log_and_is_sealed_if_it_is_signed(
    picture: ET.Element,
) -> None:
    for noun, groups in boxes(picture).items():
        kind = BY_NOUN[noun]
        for group in groups:
            texts = " ".join("".join(text.itertext()) for text in group.iter(SVG + "text"))
            assert f"{kind.prefix}-…" in texts
            [rectangle] = group.iter(SVG + "rect")
            log = rectangle.get("class", "").split()[1]
            assert log in (kind.log, "bad"), "a failed delivery alone is drawn in another colour"
            assert (next(group.iter(SVG + "use"), None) is not None) is kind.signed


def test_every_arrow_is_a_cause_that_a_record_names(
    picture: ET.Element, trace: dict[str, tuple[str, list[str]]]
) -> None:
    named = {(noun, trace[number][0]) for noun, numbers in trace.values() for number in numbers}
    drawn = {
        (arrow.get("data-from"), arrow.get("data-to"))
        for arrow in picture.iter(SVG + "path")
        if arrow.get("class") == "cause"
    }
    assert drawn <= named
    assert {noun for noun, _ in drawn} == {noun for noun, _ in trace.values()} - {"notification_plan"}


def test_the_picture_brings_its_own_ground_so_that_it_reads_on_any_page(picture: ET.Element) -> None:
    ground = picture.find(SVG + "rect")
    assert ground is not None
    assert (ground.get("class"), ground.get("width"), ground.get("height")) == (
        "ground", picture.get("width"), picture.get("height"),
    )  # fmt: skip
