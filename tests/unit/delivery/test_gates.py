"""Circuits, rates and room of connectors, on clocks that a test moves."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from cavra_delivery.connectors.base import Answer, Destination, NotConfigured
from cavra_delivery.connectors.registry import Registry, Rules
from cavra_delivery.domain.circuits import Circuit, CircuitRule, State, answered
from cavra_delivery.domain.pace import Pace, turn
from cavra_delivery.gates import LONGEST_WAIT_SECONDS, Gates

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
RULE = CircuitRule(failures=10, open_seconds=60)
TAKEN, LOST = Answer(status_code=200), Answer("server_error", 503)
GONE = Answer("rejected", 410, gone=True)
HERE, THERE = (Destination({"path": path}, path) for path in ("/here", "/there"))
NOWHERE = Destination({}, "")


def after(circuit: Circuit, outcomes: str, at: float = 0, rule: CircuitRule = RULE) -> Circuit:
    """After sends that were delivered (+) or failed (-), so many seconds after the start."""
    for outcome in outcomes:
        circuit = answered(circuit, rule, outcome == "+", START + timedelta(seconds=at))
    return circuit


@pytest.mark.parametrize(
    ("outcomes", "seconds", "state"),
    [
        ("", 0, "closed"),
        ("-" * 9, 0, "closed"),
        ("-" * 10, 0, "open"),
        ("-" * 10, 59.9, "open"),
        ("-" * 10, 60, "half_open"),
        ("-" * 10, 10_000, "half_open"),
        ("-" * 9 + "+" + "-" * 9, 0, "closed"),
        ("-" * 10 + "+", 0, "closed"),
    ],
)
def test_ten_failures_in_a_row_open_a_circuit_for_a_minute(
    outcomes: str, seconds: float, state: State
) -> None:
    assert after(Circuit(), outcomes).state(RULE, START + timedelta(seconds=seconds)) == state


def test_a_probe_that_fails_opens_the_circuit_for_another_minute_and_one_that_is_taken_closes_it() -> None:
    opened = after(Circuit(), "-" * 10)
    again = after(opened, "-", at=70)
    assert again.state(RULE, START + timedelta(seconds=129)) == "open"
    assert again.state(RULE, START + timedelta(seconds=130)) == "half_open"
    assert after(again, "+", at=130) == Circuit()


def test_sends_that_began_before_a_circuit_opened_do_not_keep_it_open() -> None:
    late = after(after(Circuit(), "-" * 10), "-" * 5, at=50)
    assert late.state(RULE, START + timedelta(seconds=60)) == "half_open"


def test_a_circuit_without_a_threshold_never_opens() -> None:
    rule = CircuitRule(failures=0)
    assert after(Circuit(), "-" * 500, rule=rule).state(rule, START) == "closed"


def test_a_pace_of_two_a_second_lets_one_pass_each_half_second_and_a_burst_after_a_pause() -> None:
    due, waits = 0.0, []
    for _ in range(4):
        wait, due = turn(Pace(2), due, 100.0)
        waits.append(wait)
    assert waits == [0.0, 0.5, 1.0, 1.5]
    due, waits = 0.0, []
    for now in (100.0, 100.0, 100.0, 100.0, 110.0, 110.0, 110.0):
        wait, due = turn(Pace(2, burst=3), due, now)
        waits.append(wait)
    assert waits == [0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]


class Configuration:
    """Rules of every connector, and where each of them sends."""

    def __init__(self, rules: Rules) -> None:
        self.one = rules
        self.here = HERE

    def find(self, name: str) -> "Configuration":
        """The connector. Raises NotConfigured while it sends nowhere."""
        if not self.here.url:
            raise NotConfigured
        return self

    def destination(self) -> Destination:
        """Where it sends."""
        return self.here

    def rules(self, name: str) -> Rules:
        """Them."""
        return self.one


class Clock:
    """Moved by the test, and by whoever sleeps on it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.slept.append(seconds)


def gates(clock: Clock, rules: Rules) -> Gates:
    """Gates over one configuration."""
    return gates_of(clock, Configuration(rules))


def gates_of(clock: Clock, configuration: Configuration) -> Gates:
    """Gates over a configuration that changes."""
    registry = cast(Registry, configuration)
    return Gates(registry, b"key", clock.now, clock.monotonic, clock.sleep)


async def passes(made: Gates, answer: Answer | None = None) -> bool:
    """Whether a send passes, which then has this answer."""
    async with made.passing("webhook") as open_:
        if open_ and answer is not None:
            made.answered("webhook", answer, HERE)
        return open_


async def test_while_one_send_probes_the_receiver_the_others_wait_for_what_it_finds() -> None:
    for answer, expected in ((TAKEN, True), (LOST, False)):
        clock = Clock()
        made = gates(clock, Rules(RULE))
        for _ in range(10):
            assert await passes(made, LOST)
        assert not await passes(made)
        clock.seconds = 60
        async with made.passing("webhook") as probing:
            assert probing
            waiting = [asyncio.create_task(passes(made)) for _ in range(5)]
            done, _ = await asyncio.wait(waiting, timeout=0)
            assert not done
            made.answered("webhook", answer, HERE)
        assert await asyncio.gather(*waiting) == [expected] * 5


async def test_a_probe_that_sends_nothing_leaves_the_probe_to_the_next() -> None:
    clock = Clock()
    made = gates(clock, Rules(RULE))
    for _ in range(10):
        await passes(made, LOST)
    clock.seconds = 60
    assert await passes(made)
    assert await passes(made)
    assert made.circuit("webhook")[0] == "half_open"


async def test_a_receiver_that_is_gone_is_left_alone_for_good_and_another_place_is_not() -> None:
    clock, configuration = Clock(), Configuration(Rules(RULE))
    made = gates_of(clock, configuration)
    assert await passes(made, LOST)
    assert await passes(made, GONE)
    for clock.seconds in (0, 60, 10_000_000):
        assert not await passes(made)
    configuration.here = NOWHERE
    assert made.circuit("webhook") == ("closed", Circuit())
    configuration.here = THERE
    assert await passes(made)
    configuration.here = HERE
    assert not await passes(made), "nothing was sent elsewhere: it is still gone"
    configuration.here = THERE
    made.answered("webhook", LOST, THERE)
    assert made.circuit("webhook") == ("closed", Circuit(1))


async def test_a_receiver_that_is_gone_is_tried_again_by_who_takes_its_circuit_away() -> None:
    configuration = Configuration(Rules(RULE))
    made = gates_of(Clock(), configuration)
    assert await passes(made, GONE)
    configuration.one = Rules(CircuitRule(failures=0))
    assert await passes(made, LOST)
    configuration.one = Rules(RULE)
    assert not await passes(made)
    configuration.one = Rules(CircuitRule(failures=0))
    assert await passes(made, TAKEN)
    configuration.one = Rules(RULE)
    assert made.circuit("webhook") == ("closed", Circuit())


async def test_what_the_old_place_says_after_a_change_is_not_held_against_the_new_one() -> None:
    configuration = Configuration(Rules(RULE))
    made = gates_of(Clock(), configuration)
    configuration.here = THERE
    made.answered("webhook", GONE, HERE)
    assert await passes(made)


async def test_a_fault_of_ours_says_nothing_about_the_receiver() -> None:
    made = gates(Clock(), Rules(RULE))
    for _ in range(20):
        assert await passes(made, Answer("connector_fault", may_have_arrived=True))
    assert made.circuit("webhook") == ("closed", Circuit())


async def test_a_send_whose_turn_would_come_too_late_is_not_kept_waiting() -> None:
    clock = Clock()
    made = gates(clock, Rules(RULE, Pace(0.1)))
    came = []
    for _ in range(6):
        async with made.turn("webhook") as one:
            came.append(one)
    assert came == [True] * 4 + [False] * 2
    assert clock.slept == [10.0, 20.0, LONGEST_WAIT_SECONDS]


async def test_no_more_sends_are_under_way_at_once_than_a_connector_allows() -> None:
    made = gates(Clock(), Rules(RULE, None, 2))

    async def send() -> bool:
        async with made.turn("webhook") as came:
            return came

    async with AsyncExitStack() as stack:
        assert await stack.enter_async_context(made.turn("webhook"))
        assert await stack.enter_async_context(made.turn("webhook"))
        third = asyncio.create_task(send())
        done, _ = await asyncio.wait([third], timeout=0)
        assert not done
    assert await third
