"""What a claim is, and what becomes of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from cavra_verify.chain import Chain

Status = Literal["holds", "refuted", "unchecked"]


class Unchecked(Exception):
    """The claim cannot be decided on what is given; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One thing that is to be true of a chain."""

    name: str
    """Short and stable: what `--json` and other programs go by."""
    says: str
    """The claim as a sentence."""
    against: Callable[[Chain], Iterator[str]]
    """Yields what refutes it, each "got this, expected that"; nothing when it holds. Raises Unchecked."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one claim."""

    name: str
    says: str
    status: Status
    details: tuple[str, ...]
    """What refutes it, or why it is unchecked; empty when it holds."""


_MOST_DETAILS = 20


def judge(claim: Claim, chain: Chain) -> Judged:
    """Decide one claim."""
    try:
        details = list(claim.against(chain))
    except Unchecked as reason:
        return Judged(claim.name, claim.says, "unchecked", (str(reason),))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        # Bytes that are canonical and signed may still lack what their kind must have: that is for the claim to say, not to crash on.
        details = [f"got a record without the shape of its kind ({type(error).__name__}: {error!s:.80})"]
    if len(details) > _MOST_DETAILS:
        details[_MOST_DETAILS:] = [f"and {len(details) - _MOST_DETAILS} more"]
    return Judged(claim.name, claim.says, "refuted" if details else "holds", tuple(details))
