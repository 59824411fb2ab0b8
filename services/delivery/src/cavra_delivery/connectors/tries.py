"""The tries of one send: again only where a further try cannot deliver twice."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from secrets import SystemRandom

import structlog

from cavra_delivery.connectors.base import CONNECTOR_FAULT, Answer, Connector, Destination, Message
from cavra_delivery.connectors.pauses import pause_seconds

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
    connector: Connector,
    destination: Destination,
    message: Message,
    limits: Limits,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> tuple[Answer, int]:
    """(the last answer, how many tries it took).

    Another try is made where no byte was written or the receiver said that it did not take the message; where it may have, only if it
    takes a message id once. What an earlier try may have brought about stays said.
    """
    tries, may_have_arrived = 0, False
    while True:
        answer = await _try(connector, destination, message, limits.timeout_seconds)
        tries += 1
        may_have_arrived |= answer.may_have_arrived
        again = connector.deduplicates if answer.may_have_arrived else answer.again
        pause = pause_seconds(tries, answer.retry_after_seconds, _random.uniform) if again else None
        if answer.delivered or pause is None or tries > limits.retries:
            if may_have_arrived and not answer.delivered:
                answer = replace(answer, may_have_arrived=True)
            return answer, tries
        await sleep(pause)


async def _try(connector: Connector, destination: Destination, message: Message, timeout: float) -> Answer:
    try:
        return await connector.send(message, destination, timeout)
    except Exception as error:
        # A connector's own fault is an outcome too: others are sent to at the same time, and all of it is to be recorded.
        log.error("connector_failed", connector=connector.name, error=type(error).__name__, exc_info=error)
        return Answer(CONNECTOR_FAULT, may_have_arrived=True)
