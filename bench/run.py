"""Runs the benches and prints one table. `python bench/run.py [name ...]` runs those named of BENCHES."""

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

BENCHES = (
    "codec",
    "store",
    "log",
    "rpc",
    "delivery",
    "execution",
    "gateway",
    "console",
    "verify",
    "public_safe",
)


def main(names: list[str]) -> None:
    """One line a figure."""
    print(f"{'bench':<11} {'figure':<52} {'measured':>12} {'unit':<10} target")
    for name in names or BENCHES:
        for row in import_module(f"bench.bench_{name}").rows():
            measured = f"{row.figure:,.0f}" if row.figure >= 100 else f"{row.figure:,.2f}"
            print(f"{name:<11} {row.name:<52} {measured:>12} {row.unit:<10} {row.target}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
