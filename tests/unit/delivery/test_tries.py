"""The tries of one send: again only where that can't deliver twice, after pauses that spread and that heed the receiver."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cavra_delivery.connectors.base import Answer, Destination, Event, Message, Rendered, Response
from cavra_delivery.connectors.judging import by_status
from cavra_delivery.connectors.pauses import LONGEST_PAUSE_SECONDS, pause_seconds, retry_after_seconds
from cavra_delivery.connectors.tries import Limits, send

NOW = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
MESSAGE = Message("msg-1", Rendered(b""))


class Scripted:
    """A connector whose answers are given: the edge of the network."""

    name = kind = "webhook"

    def __init__(self, *answers: Answer, deduplicates: bool = False) -> None:
        self.answers = list(answers)
        self.deduplicates = deduplicates
        self.slept: list[float] = []

    def render(self, event: Event, message_id: str) -> Rendered:
        """Nothing."""
        return Rendered(b"")

    def destination(self) -> Destination:
        """Nowhere."""
        return Destination({}, "")

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """The next answer."""
        return self.answers.pop(0)

    async def sleep(self, seconds: float) -> None:
        """No time passes."""
        self.slept.append(seconds)

    async def sent(self, retries: int) -> tuple[Answer, int]:
        """Sent with so many further tries."""
        return await send(self, self.destination(), MESSAGE, Limits(retries, 1.0), self.sleep)


AGAIN, NEVER, TAKEN = (
    Answer("server_error", 503, again=True),
    Answer("rejected", 400),
    Answer(status_code=200),
)
LOST = Answer("timeout", may_have_arrived=True)
REFUSED = Answer("connect", again=True)


@pytest.mark.parametrize(
    ("answers", "retries", "expected"),
    [
        ([TAKEN], 2, (TAKEN, 1)),
        ([NEVER, TAKEN], 2, (NEVER, 1)),
        ([AGAIN, TAKEN], 2, (TAKEN, 2)),
        ([AGAIN, AGAIN], 1, (AGAIN, 2)),
        ([AGAIN], 0, (AGAIN, 1)),
        ([AGAIN, NEVER, TAKEN], 5, (NEVER, 2)),
        ([LOST, TAKEN], 5, (LOST, 1)),
        ([REFUSED, LOST, TAKEN], 5, (LOST, 2)),
    ],
)
async def test_a_send_tries_again_while_it_may_and_as_often_as_it_is_told(
    answers: list[Answer], retries: int, expected: tuple[Answer, int]
) -> None:
    scripted = Scripted(*answers)
    assert await scripted.sent(retries) == expected
    assert len(scripted.slept) == expected[1] - 1


async def test_what_may_have_arrived_is_sent_again_where_the_receiver_takes_a_message_once() -> None:
    assert await Scripted(LOST, TAKEN, deduplicates=True).sent(2) == (TAKEN, 2)
    answer, tries = await Scripted(LOST, REFUSED, deduplicates=True).sent(1)
    assert (answer.reason, answer.may_have_arrived, tries) == ("connect", True, 2), (
        "the first try may have arrived, whatever came of the second"
    )


@pytest.mark.parametrize("status", [*range(200, 600, 1)])
def test_only_what_the_receiver_did_not_take_for_now_is_tried_again(status: int) -> None:
    answer = by_status(Response(status))
    assert answer.again == (status in (408, 425, 429) or status >= 500)
    assert not answer.may_have_arrived


async def test_a_connector_that_breaks_is_an_outcome_and_not_tried_again() -> None:
    answer, tries = await Scripted().sent(2)
    assert (answer.reason, answer.may_have_arrived, tries) == ("connector_fault", True, 1)


def lowest(low: float, high: float) -> float:
    """A draw."""
    return low


def highest(low: float, high: float) -> float:
    """The other one."""
    return high


@pytest.mark.parametrize(
    ("tries", "asked", "least", "most"),
    [
        (1, None, 0.0, 0.1),
        (2, None, 0.0, 0.2),
        (3, None, 0.0, 0.4),
        (20, None, 0.0, LONGEST_PAUSE_SECONDS),
        (10_000, None, 0.0, LONGEST_PAUSE_SECONDS),
        (1, 1.5, 1.5, 1.5),
        (1, 0.0, 0.0, 0.1),
        (1, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS),
        (1, 3600.0, None, None),
        (1, 1e15, None, None),
    ],
)
def test_pauses_double_with_full_jitter_and_a_receiver_that_asks_for_more_is_left_alone(
    tries: int, asked: float | None, least: float | None, most: float | None
) -> None:
    assert (pause_seconds(tries, asked, lowest), pause_seconds(tries, asked, highest)) == (least, most)


async def test_a_receiver_that_asks_for_an_hour_is_not_tried_again_in_this_call() -> None:
    scripted = Scripted(Answer("rate_limited", 429, again=True, retry_after_seconds=3600.0), TAKEN)
    answer, tries = await scripted.sent(5)
    assert (answer.reason, tries, scripted.slept) == ("rate_limited", 1, [])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 2 ", 2.0),
        ("9" * 400, float("9" * 16)),
        ("Mon, 23 Nov 2026 08:00:02 GMT", 2.0),
        ("Mon, 23 Nov 2026 07:59:00 GMT", 0.0),
        ("Monday, 23-Nov-26 08:00:03 GMT", 3.0),
        ("Mon Nov 23 08:00:04 2026", 4.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
        ("Mon, 99 Nov 2026 08:00:02 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, seconds: Any) -> None:
    assert retry_after_seconds(text, NOW) == seconds
