"""The machine that tells stories of approvals: services and model side by side, and what must hold after each step."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import wraps
from itertools import permutations
from random import Random
from typing import Any, ClassVar, Final, TypeVar

from cavra_verify.kinds import BY_NOUN
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.model.commands import Command, Deliver, Run, Seen, key_of
from tests.model.house import House
from tests.model.oracle import Oracle
from tests.model.reference import CEILING, Differs, Key, Model, Plan, expect

T = TypeVar("T")
PEOPLE: Final = ("ada", "bea", "cal", "dan", "eve", "fay", "gil")
MOODS: Final = ("delivered", "failed", "failed", "unknown", "unknown")
"""What the receiver makes of a request: takes it, refuses it, or reads it and hangs up."""
EITHER: Final = (0, 1)
_MISSING: Final = 8
_OFTEN: Final = 2
"""How much likelier a step is of which some kind was not taken so often yet."""


@dataclass
class Held:
    """A retry whose receiver has not answered yet."""

    execution_id: str
    key: Key
    answer: asyncio.Event
    run: "asyncio.Task[Seen] | None"
    """Who waits for it; None since its service crashed."""
    at: int


@dataclass(frozen=True)
class Step:
    """Something that may happen."""

    weight: int
    when: Callable[[Any], Any]
    choices: dict[str, Sequence[Any]]
    """What each parameter may be."""
    each: str
    """The parameter of which every value is a kind of step of its own; empty for none."""
    sends: bool
    """Whether it takes a retry that is approved and can be sent."""

    def kinds(self, name: str) -> dict[Any, str]:
        """Value of that parameter -> the kind's name."""
        return {value: f"{name} {value}" for value in self.choices[self.each]} if self.each else {None: name}


def step(
    weight: int,
    when: Callable[[Any], Any] = lambda _: True,
    each: str = "",
    sends: bool = False,
    **choices: Sequence[Any],
) -> Callable[[Callable[..., None]], Any]:
    """Let a method be a step of the stories, so often, when this holds, with any of these values."""

    def marked(function: Any) -> Any:
        function.step = Step(weight, when, choices, each, sends)
        return function

    return marked


def telling(function: Callable[..., None]) -> Callable[..., None]:
    """Whatever it raises tells what happened before: what depends on who is faster does not happen a second time."""

    @wraps(function)
    def told(self: "Machine", **drawn: Any) -> None:
        try:
            function(self, **drawn)
        except Exception as error:
            error.add_note("\n".join(["What happened:", *self.story]))
            raise

    return told


class Machine(RuleBasedStateMachine):
    """Services and model, without the rules."""

    taken: ClassVar[Counter[str]] = Counter()
    """Kinds of steps that all stories have come to."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model: Model
        self.house: House
        self.oracle: Oracle
        self.folder = tempfile.TemporaryDirectory()
        self.chance: Random
        self.story: list[str] = []
        self.crashes = 0
        """Of delivery with nothing special under way: too many of them leave no time for the rest."""
        self.held: Held | None = None
        self.pending: dict[str, str] = {}
        """Executions without a record -> the status that reconciling gives them."""
        self.lost: list[Key] = []
        """Retries that delivery, which is down, will find cut short."""
        self.surprises: list[tuple[str, int | None]] = []
        """First sends that failed while delivery crashed: provider, and the minute in which that was recorded, if it was."""

    @rule(chance=st.integers(0, 2**64 - 1))
    @telling
    def go_on(self, chance: int) -> None:
        """One step. It is chosen by a single number, because after a race the same numbers may lead elsewhere."""
        self.chance = Random(f"{chance} {len(self.story)}")
        able = {
            name: one
            for name, one in self.steps().items()
            if one.when(self) and (not one.sends or self.may_send())
        }
        (name,) = self.chance.choices(list(able), [self._weight(*one) for one in able.items()])
        chosen = able[name]
        drawn = {key: self.chance.choice(values) for key, values in chosen.choices.items()}
        kinds = chosen.kinds(name)
        if chosen.each:
            drawn[chosen.each] = min(kinds, key=lambda value: self.taken[kinds[value]])
        self.story.append(f"  {name}({', '.join(f'{key}={value!r}' for key, value in drawn.items())})")
        if chosen.sends and not self.executors():
            self.get_ready()
            if not self.executors():
                return
        getattr(self, name)(**drawn)
        self.taken[kinds[drawn.get(chosen.each)]] += 1

    @classmethod
    def steps(cls) -> dict[str, Step]:
        """All that may happen, by name."""
        return {
            name: one.step
            for kind in reversed(cls.__mro__)
            for name, one in vars(kind).items()
            if hasattr(one, "step")
        }

    def _weight(self, name: str, step: Step) -> int:
        """What has not happened yet is worth more: the profile is small, and some things are seldom possible."""
        missing = any(self.taken[kind] < _OFTEN for kind in step.kinds(name).values())
        return step.weight * (_MISSING if missing else 1)

    def teardown(self) -> None:
        """Stop everything."""
        try:
            if hasattr(self, "house"):
                if self.held:
                    self.held.answer.set()
                self.do(self.house.close())
        finally:
            self.runner.close()
            self.folder.cleanup()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on this installation's loop."""
        return self.runner.run(work)

    def be(self, mood: str) -> None:
        """How the receiver is from now on."""
        self.house.receiver.status = 200 if mood == "delivered" else 503
        self.house.receiver.hangs_up = mood == "unknown"

    def command(self, command: Command) -> Seen:
        """One command, and the model after it."""
        if isinstance(command, Run | Deliver):
            self.be(command.mood)
        seen = self.do(command.ask(self.house))
        command.explain(self.model, seen)
        self.learn()
        return seen

    def learn(self, exact: bool = True) -> None:
        """Read what was recorded. Unless `exact`, how many plans and runs there are is taken from there."""
        new = self.do(self.house.read("retry"))
        for document in new:
            if document["metadata_kind"] == BY_NOUN["retry_plan"].kind:
                self._learn_plan(document)
        if not exact:
            for noun in ("retry_plan", "worker_run"):
                self.model.counts[noun] = len(self.house.of_kind("retry", noun))
        self.oracle.look(new)

    def _learn_plan(self, document: dict[str, Any]) -> None:
        decisions = document[BY_NOUN["retry_plan"].key]["retry_decisions"]
        judged = {key_of(one): (one["retry_count"] + 1, one["action"]) for one in decisions}
        index = self.model.newest.index + 1 if self.model.newest else 0
        self.model.plans[document["session_id"]] = Plan(index, document["actor"]["sub"], judged)

    async def landed(self, key: Key) -> bool:
        """Whether delivery has the outcome of what was under way."""
        found = (await self.house.failures()).get(key)
        return found is None or not found.in_flight

    async def holding(self, command: Run) -> tuple[asyncio.Event, "asyncio.Task[Seen]"]:
        """A run whose request is kept waiting: the event that lets it go on."""
        receiver = self.house.receiver
        receiver.hold = answer = asyncio.Event()
        run = asyncio.create_task(command.ask(self.house))
        await receiver.wait_for(self.model.requests + 1)
        receiver.hold = None
        return answer, run

    async def struck(self, point: str, command: Command) -> "asyncio.Task[Seen]":
        """A command that comes as far as the point."""
        strike = self.house.strike(point)
        task = asyncio.create_task(command.ask(self.house))
        reached = asyncio.create_task(strike.reached.wait())
        await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
        if not reached.done():
            reached.cancel()
            raise Differs(f"{command} did not come to {point}: {task}")
        return task

    def may_send(self) -> bool:
        """Whether a retry of some failure could be sent, once it is approved."""
        return not self.model.down and any(
            one.state == "open"
            and not one.in_flight
            and one.failures < CEILING
            and self.model.destinations[key[2]]
            for key, one in self.model.failures.items()
        )

    def get_ready(self) -> None:
        """Have something approved."""
        raise NotImplementedError

    def executors(self) -> dict[str, Key]:
        """Who could run one retry that is sent now, and the failure that would be."""
        found = {}
        for who in PEOPLE:
            ahead = deepcopy(self.model)
            taken, _ = ahead.run(who, ahead.judge(CEILING, True), 1)
            if taken and self.model.destinations[taken[0][2]] is not None:
                found[who] = taken[0]
        return found

    def would_send(self, who: str) -> tuple[str, Key]:
        """This person, or another one, if they may not; and the failure that is sent."""
        able = self.executors()
        return (who, able[who]) if who in able else next(iter(able.items()))

    def claim(self, who: str) -> str:
        """The model after a run of one that has claimed: the execution."""
        taken, _ = self.model.run(who, self.model.judge(CEILING, True), 1)
        self.learn(exact=False)
        intent = self.house.of_kind("retry", "retry_intent")[-1][BY_NOUN["retry_intent"].key]
        expect([key_of(intent)], taken, "what a run took before a crash")
        execution_id: str = intent["execution_id"]
        self.model.claimed(execution_id, taken[0], who)
        return execution_id

    def reconciled(self) -> None:
        """The model after a retry service has started: with delivery up, everything has its record."""
        if self.model.down:
            return
        waiting = set(self.pending)

        async def recorded() -> bool:
            await self.house.read("retry")
            found = self.house.of_kind("retry", "execution_record")
            return waiting <= {one["session_id"] for one in found}

        before = len(self.house.records["retry"])
        self.do(self.house.until(recorded))
        self.oracle.look([document for _, document in self.house.records["retry"][before:]])
        for execution_id, status in self.pending.items():
            (found,) = [
                one
                for one in self.house.of_kind("retry", "execution_record")
                if one["session_id"] == execution_id
            ]
            expect(found["execution_status"], status, "what reconciling recorded")
            self.model.settled(execution_id, status)
        self.pending.clear()
        for execution_id in self.model.untold:
            key = self.model.executions[execution_id][0]
            self.do(self.house.until(lambda key=key: self.heard(key)))  # type: ignore[misc]
            self.model.told(execution_id)
        self.model.untold.clear()

    async def heard(self, key: Key) -> bool:
        """Whether delivery knows what became of an unknown."""
        found = (await self.house.failures()).get(key)
        return found is None or not found.outcome_unknown

    def unresolved(self) -> list[str]:
        """Executions whose outcome nobody knows or has told."""
        return [
            one
            for one, (_, _, status) in self.model.executions.items()
            if status == "unknown" and one not in self.model.resolved
        ]

    def failure(self, at: int) -> Key:
        """One of the failures."""
        return list(self.model.failures)[at % len(self.model.failures)]

    @invariant()
    @telling
    def records_are_those_of_the_model(self) -> None:
        if not hasattr(self, "house"):
            return
        self.learn()
        self.model.counts["retry_refusal"] = len(self.model.refusals)
        found = {noun: len(self.house.of_kind("retry", noun)) for noun in self.model.counts}
        expect(found, dict(self.model.counts), "records in the retry log")
        self.oracle.judge()
        expect(len(self.house.receiver.received), self.model.requests, "requests that the receiver got")
        if not (self.held or self.pending or self.model.down):
            self.oracle.settled()

    @invariant()
    @telling
    def failures_are_those_of_the_model(self) -> None:
        if not hasattr(self, "house") or self.model.down:
            return
        found = {
            key: (one.next_attempt_number - 1, one.failure_count, one.in_flight, one.outcome_unknown)
            for key, one in self.do(self.house.failures()).items()
        }
        wanted = {
            key: (one.attempts, one.failures, one.in_flight, one.state == "unknown")
            for key, one in self.model.failures.items()
            if one.state != "closed"
        }
        expect(found, wanted, "open failures")


def newest(found: Sequence[T], back: int) -> T:
    """One of them, the newest most often."""
    return found[-1 - (back % len(found) if back % 3 == 0 else 0)]


async def together(asked: Sequence[Awaitable[Seen]]) -> list[Seen]:
    """All of them at once."""
    return list(await asyncio.gather(*asked))


async def gone(run: "asyncio.Task[Seen]") -> None:
    """The end of a call to a service that went away, whatever it is."""
    await asyncio.gather(run, return_exceptions=True)


async def settled(run: "asyncio.Task[Seen]") -> Seen:
    """The answer of a run."""
    seen = await run
    expect(seen.refused, "", "a run that was held")
    return seen


def explained(model: Model, found: Sequence[tuple[Command, Seen]]) -> Model:
    """The model after commands that were asked at once, in an order that explains what was seen."""
    why = []
    for order in permutations(found):
        after = deepcopy(model)
        try:
            for command, seen in order:
                command.explain(after, seen, alone=False)
        except Differs as differs:
            why.append(str(differs))
        else:
            return after
    raise Differs("\n".join(["no order explains this:", *map(str, found), "because:", *why]))
