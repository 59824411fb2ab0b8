"""The tries of one send: again only where a further try cannot deliver twice."""

import asyncio
from dataclasses import dataclass
from secrets import SystemRandom
from typing import Final

import structlog

from cavra_delivery.connectors.base import CONNECTOR_FAULT, Answer, Connector, Destination, Message

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0

_random = SystemRandom()
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one send may go on."""

    retries: int = 2
    """Further tries after the first."""
    timeout_seconds: float = 10.0
    """Of one try."""


async def send(
    connector: Connector, destination: Destination, message: Message, limits: Limits
) -> tuple[Answer, int]:
    """(the last answer, how many tries it took). Waits between tries grow, with jitter, and heed Retry-After up to 2 s."""
    tries = 0
    while True:
        answer = await _try(connector, destination, message, limits.timeout_seconds)
        tries += 1
        if not answer.again or tries > limits.retries:
            return answer, tries
        await asyncio.sleep(pause_seconds(tries, answer.retry_after_seconds))


async def _try(connector: Connector, destination: Destination, message: Message, timeout: float) -> Answer:
    try:
        return await connector.send(message, destination, timeout)
    except Exception as error:
        # A connector's own fault is an outcome too: others are sent to at the same time, and all of it is to be recorded.
        log.error("connector_failed", connector=connector.name, error=type(error).__name__, exc_info=error)
        return Answer(CONNECTOR_FAULT, may_have_arrived=True)


def pause_seconds(tries: int, retry_after: float | None) -> float:
    """How long to wait after `tries` tries: at least half of the doubling pause, so that many senders do not come back at once."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 10))
    return min(LONGEST_PAUSE_SECONDS, max(_random.uniform(longest / 2, longest), retry_after or 0.0))
