"""`cavra-verify`: a bundle and a policy in, a verdict out."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cavra_verify.bundle import MOST_BYTES
from cavra_verify.policy import PolicyError, read_policy
from cavra_verify.telling import verdict_text
from cavra_verify.verify import verify


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify one file; 0 verified, 1 refuted, 2 could not check."""
    asked = _parser().parse_args(arguments)
    try:
        policy = read_policy(_contents(asked.policy, MOST_BYTES))
        since = [_contents(path, 64 * 1024).decode() for path in asked.since]
        data = _contents(asked.file, MOST_BYTES + 1)
    except (OSError, PolicyError, UnicodeDecodeError) as error:
        sys.stderr.write(f"cavra-verify: {error}\n")
        return 2
    verdict = verify(data, policy, since)
    text = json.dumps(verdict.document(), indent=2) if asked.json else verdict_text(verdict)
    sys.stdout.write(text + "\n")
    return verdict.exit_code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cavra-verify",
        description="Check, offline and by keys that you pinned, what a bundle of CAVRA evidence claims.",
        epilog="Exit status: 0 verified, 1 refuted, 2 could not check.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the bundle")
    parser.add_argument("--policy", type=Path, required=True, help="your policy: logs, keys, issuers, floors")
    parser.add_argument(
        "--since",
        type=Path,
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="a signed checkpoint that you kept; may be given several times",
    )
    parser.add_argument("--json", action="store_true", help="print the verdict for programs")
    return parser


def _contents(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most)


if __name__ == "__main__":
    sys.exit(main())
