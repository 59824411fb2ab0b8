"""Paths, geometry and framing of tiles, with the examples of C2SP tlog-tiles."""

import pytest
from cavra_verify.tiles import Tile, TileError, bundled, level_of, numbered, tiles_of, unbundled
from hypothesis import given
from hypothesis import strategies as st


def test_the_specifications_example_of_a_path() -> None:
    assert Tile(0, 1_234_067).path == "tile/0/x001/x234/067"
    assert numbered("x001/x234/067") == Tile(0, 1_234_067)


def test_the_specifications_example_of_seventy_thousand_entries() -> None:
    tiles = list(tiles_of(70_000))
    assert [tile for tile in tiles if tile.level == 0][:273] == [Tile(0, index) for index in range(273)]
    assert tiles[273:] == [Tile(0, 273, 112), Tile(1, 0), Tile(1, 1, 17), Tile(2, 0, 1)]


def test_the_specifications_example_of_one_full_tile() -> None:
    assert list(tiles_of(256)) == [Tile(0, 0), Tile(1, 0, 1)]


@given(st.integers(0, 10**15), st.integers(1, 256), st.integers(0, 63))
def test_a_path_names_one_tile(index: int, width: int, level: int) -> None:
    tile = Tile(level, index, width)
    assert numbered(tile.number, level_of(str(level))) == tile


@pytest.mark.parametrize(
    "text",
    ["", "5", "05", "0005", "x005", "x000/005", "x001/5", "001/005", "005.p/0", "005.p/256", "005.p/01", "005.p/",
     "005.p", "x1/005", "\u0660\u0660\u0665", "005\n", "-05", "x001x002/003"],
)  # fmt: skip
def test_what_names_no_tile_is_refused(text: str) -> None:
    with pytest.raises(TileError):
        numbered(text)


@pytest.mark.parametrize("text", ["", "00", "01", "64", "-1", "x", "100"])
def test_what_is_no_level_is_refused(text: str) -> None:
    with pytest.raises(TileError):
        level_of(text)


@given(st.integers(0, 200_000))
def test_a_log_has_its_tiles_and_none_wider(size: int) -> None:
    for tile in tiles_of(size):
        assert tile.fits(size)
        if tile.width < 256:
            assert not Tile(tile.level, tile.index, tile.width + 1).fits(size)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_entries_come_out_of_a_bundle_as_they_went_in(entries: list[bytes]) -> None:
    assert unbundled(bundled(entries)) == entries


@pytest.mark.parametrize("bundle", [b"\x00", b"\x00\x01", b"\x00\x02a", b"\x00\x01a\x00"])
def test_a_cut_bundle_is_refused(bundle: bytes) -> None:
    with pytest.raises(TileError):
        unbundled(bundle)


def test_an_entry_too_long_for_its_frame_is_refused() -> None:
    with pytest.raises(TileError):
        bundled([bytes(65_536)])
