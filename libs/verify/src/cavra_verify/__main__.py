"""`cavra-verify`: a bundle and a policy in, a verdict out."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cavra_verify.bundle import MOST_BYTES
from cavra_verify.policy import PolicyError, read_policy
from cavra_verify.verify import NOT_CHECKED, Verdict, verify

_MARKS = {"holds": "holds    ", "refuted": "REFUTED  ", "unchecked": "unchecked"}
_VERDICTS = {"holds": "VERIFIED", "refuted": "REFUTED", "unchecked": "COULD NOT CHECK"}


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
    text = json.dumps(verdict.document(), indent=2) if asked.json else told(verdict)
    sys.stdout.write(text + "\n")
    return verdict.exit_code


def told(verdict: Verdict) -> str:
    """The verdict for people."""
    lines = [f"Trace {_harmless(verdict.trace_id) or '(unreadable)'}", ""]
    for judged in verdict.claims:
        lines.append(f"  {_MARKS[judged.status]}  {judged.name:<12}  {judged.says}")
        lines += [f"{'':<27}{_harmless(detail)}" for detail in judged.details]
    lines += ["", "Shown:"]
    lines += [
        f"  {_harmless(origin)}: {count} records of the trace, complete up to size {size}"
        for origin, count, size in verdict.heads
    ]
    lines += ["", "Not checked:", *(f"  - {one}" for one in NOT_CHECKED), "", _VERDICTS[verdict.status]]
    return "\n".join(lines)


def _harmless(text: str) -> str:
    """`text` without what a terminal would obey: a forged record's words are printed as they are told, and are not to add a line."""
    return text.encode("unicode_escape").decode("ascii")


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
