"""The signatures of a log's records, checked many at a time and on several cores: Ed25519 runs outside of the interpreter's lock."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Final

from cavra_verify.policy import PinnedLog
from cavra_verify.reconciliation import Findings
from cavra_verify.signatures import RECORD_TYPE, SignatureError, verify_signature

_AT_ONCE: Final = 4096
"""Records that wait for each other: some megabytes."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A record that has to be signed."""

    log: PinnedLog
    index: int
    data: bytes
    signature: bytes
    told: str
    """What it is called in a finding."""


class SignatureChecks:
    """Takes signed records one after another. They are checked while nothing else is done, so that no core waits for another's lock."""

    def __init__(self, violations: Findings, jobs: int) -> None:
        """`jobs`: threads, at least 1."""
        self._violations = violations
        self._jobs = jobs
        self._waiting: list[Signed] = []

    def add(self, record: Signed) -> None:
        """One more."""
        self._waiting.append(record)
        if len(self._waiting) == _AT_ONCE:
            self.finish()

    def finish(self) -> None:
        """Check those that wait."""
        waiting, self._waiting = self._waiting, []
        parts = [waiting[job :: self._jobs] for job in range(self._jobs)]
        with ThreadPoolExecutor(self._jobs) as pool:
            for told in chain.from_iterable(pool.map(_unsigned, parts)):
                self._violations.add(f"{told} with a signature by no key that is good there")


def _unsigned(records: Sequence[Signed]) -> list[str]:
    return [record.told for record in records if not _is_signed(record)]


def _is_signed(record: Signed) -> bool:
    for key in record.log.keys:
        if key.revoked or not key.signs_record(record.index):
            continue
        try:
            verify_signature(key.public, record.signature, RECORD_TYPE, record.data)
        except SignatureError:
            continue
        return True
    return False
