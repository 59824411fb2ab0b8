"""Generates the Python code of the contracts beside their .proto files; with --check says what is stale."""

import argparse
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

PROTOS = Path(__file__).resolve().parent.parent / "protos"
GENERATED = ("cavra/**/*_pb2*.py", "cavra/**/*_pb2*.pyi")


def generate(target: Path) -> None:
    """Write the message and service modules and their type stubs below `target`, at each proto's own path.

    Raises subprocess.CalledProcessError when protoc refuses a file; protoc says why on stderr.
    """
    sources = sorted(path.relative_to(PROTOS).as_posix() for path in PROTOS.glob("cavra/**/*.proto"))
    # The compiler's own copy of google/protobuf lies inside the grpc_tools package.
    well_known = files("grpc_tools").joinpath("_proto")
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{well_known}"),
            *(f"--python_out={target}", f"--pyi_out={target}", f"--grpc_python_out={target}"),
            # Plugins are looked up on PATH, which need not hold the environment of this interpreter.
            f"--plugin=protoc-gen-mypy_grpc={Path(sys.executable).parent / 'protoc-gen-mypy_grpc'}",
            f"--mypy_grpc_out=quiet:{target}",
            *sources,
        ],
        check=True,
    )


def stale(fresh: Path) -> list[str]:
    """Name the generated files that differ between protos/ and `fresh`, or stand in only one of them."""
    names = {
        path.relative_to(root).as_posix()
        for root in (PROTOS, fresh)
        for glob in GENERATED
        for path in root.glob(glob)
    }
    return sorted(name for name in names if _content(PROTOS / name) != _content(fresh / name))


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def main() -> int:
    """Generate in place, or check; the exit status is 1 when the check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, fail when protos/ is out of date"
    )
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        differences = stale(fresh)
        if parser.parse_args().check:
            for name in differences:
                print(f"protos/{name} is out of date: run make proto", file=sys.stderr)
            return 1 if differences else 0
        # Only what changed is written, so that an unchanged contract keeps its time stamp.
        for name in differences:
            if (fresh / name).exists():
                (PROTOS / name).write_bytes((fresh / name).read_bytes())
            else:
                (PROTOS / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
