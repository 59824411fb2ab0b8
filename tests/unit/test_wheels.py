"""What is built for others holds all that its package has: code, contracts, SQL, templates, what pages load."""

from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = sorted(
    one.parent for place in ("protos", "libs/*", "services/*") for one in ROOT.glob(f"{place}/pyproject.toml")
)


def files(folder: Path) -> set[str]:
    """The files below a folder, as a wheel names them."""
    found = (one for one in folder.rglob("*") if one.is_file() and "__pycache__" not in one.parts)
    return {one.relative_to(folder).as_posix() for one in found}


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda one: one.name)
def test_a_wheel_holds_every_file_of_its_package(distribution: Path, tmp_path: Path) -> None:
    source = distribution / "src"
    own = files(source) if source.is_dir() else {f"cavra/{name}" for name in files(distribution / "cavra")}
    (built,) = WheelBuilder(str(distribution)).build(directory=str(tmp_path), versions=["standard"])
    with ZipFile(built) as wheel:
        assert {name for name in wheel.namelist() if ".dist-info/" not in name} == own
