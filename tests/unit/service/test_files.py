"""Small files are whole, whoever writes them at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE

import pytest
from cavra_service.files import write_private, write_public


def test_two_writers_of_one_process_both_succeed_and_one_of_them_is_read(tmp_path: Path) -> None:
    contents = [bytes([65 + at]) * 20_000 for at in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(10):
            list(pool.map(lambda data: write_private(tmp_path / "head", data), contents))
            assert (tmp_path / "head").read_bytes() in contents
    assert [one.name for one in tmp_path.iterdir()] == ["head"]


def test_a_private_file_is_the_owners_alone_and_a_public_one_is_everybodys(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"1")
    write_public(tmp_path / "pub", b"2")
    assert (S_IMODE((tmp_path / "key").stat().st_mode), S_IMODE((tmp_path / "pub").stat().st_mode)) == (
        0o600,
        0o644,
    )


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_private(tmp_path / "taken", b"1")
    assert [one.name for one in tmp_path.iterdir()] == ["taken"]
