"""Generates the Python code of every contract under protos/ into the folder given as the only argument."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

PROTOS = Path(__file__).resolve().parent.parent / "protos"


def generate(target: Path) -> None:
    """Write `_pb2.py`, `_pb2.pyi`, `_pb2_grpc.py` and `_pb2_grpc.pyi` below `target`, at each proto's own path.

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
            f"--mypy_grpc_out={target}",
            *sources,
        ],
        check=True,
    )


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
