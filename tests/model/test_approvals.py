"""Approvals under random people, times, changes and crashes: the running services against a model of the specification.

CAVRA_MODEL_EXAMPLES and CAVRA_MODEL_STEPS ask for more and longer stories, each time others.
"""

import os
from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from tests.model.commands import (
    Acknowledge,
    Command,
    Decide,
    Deliver,
    PlanApproval,
    PlanRetries,
    Resolve,
    Run,
)
from tests.model.faults import Faults
from tests.model.house import PROVIDERS, House
from tests.model.machine import (
    EITHER,
    MOODS,
    PEOPLE,
    explained,
    newest,
    step,
    together,
)
from tests.model.oracle import Oracle
from tests.model.reference import CEILING, LIVE, Model, Verb

_EXAMPLES: Final = int(os.environ.get("CAVRA_MODEL_EXAMPLES", "0"))
_STEPS: Final = int(os.environ.get("CAVRA_MODEL_STEPS", "80"))

WHICH: Final = range(61)
MINUTES: Final = (1, 14, 15, 30, 59, 60, 61, 240)
ATTEMPTS: Final = (2, 2, 3, CEILING, CEILING, CEILING, CEILING + 1)
VERBS: Final[tuple[Verb, ...]] = ("approved", "approved", "denied", "deferred", "expired", "revoked")


class Approvals(Faults):
    """People, time, faults."""

    @initialize(required=st.sampled_from([1, 1, 2, 3]), failed=st.integers(0, 3))
    def open(self, required: int, failed: int) -> None:
        """A new installation, in which some deliveries failed already."""
        self.story.append(f"  open(required={required}, failed={failed})")
        self.model = Model(required, destinations={name: (f"/{name}", "webhook", "1") for name in PROVIDERS})
        self.house = House(Path(self.folder.name), required)
        self.oracle = Oracle(self.house)
        self.do(self.house.open())
        for at in range(failed):
            self.command(Deliver("ada", 0, PROVIDERS[at % 2], "failed"))

    # People.

    @step(
        2,
        when=lambda self: len(self.model.failures) < 3 and (not self.model.down),
        who=PEOPLE,
        at=EITHER,
        provider=PROVIDERS,
        mood=MOODS,
    )
    def deliver(self, who: str, at: int, provider: str, mood: str) -> None:
        if self.model.destinations[provider] is not None:
            self.command(Deliver(who, at, provider, mood))

    @step(1, who=PEOPLE, at=EITHER, most=ATTEMPTS, immediate=(False, True))
    def plan(self, who: str, at: int, most: int, immediate: bool) -> None:
        self.command(PlanRetries(who, at, most, immediate))

    @step(
        2,
        when=lambda self: self.model.plans and self.model.failures,
        who=PEOPLE,
        at=EITHER,
        plan=WHICH,
        failure=WHICH,
        state=(
            "accepted",
            "accepted",
            "resolved",
            "deferred",
            "escalated",
            "dismissed",
        ),
    )
    def acknowledge(self, who: str, at: int, plan: int, failure: int, state: str) -> None:
        plan_id = newest(list(self.model.plans), plan)
        self.command(Acknowledge(who, at, plan_id, self.failure(failure), state))

    @step(
        4,
        who=PEOPLE,
        at=EITHER,
        more=(
            -1,
            0,
            0,
            0,
            1,
        ),
        minutes=MINUTES,
    )
    def plan_approval(self, who: str, at: int, more: int, minutes: int) -> None:
        self.command(PlanApproval(who, at, max(1, self.model.required + more), minutes))

    @step(
        4,
        when=lambda self: self.model.approvals and self.model.failures,
        who=PEOPLE,
        at=EITHER,
        plan=WHICH,
        failure=WHICH,
        verb=VERBS,
        digest="-=!",
    )
    def decide(self, who: str, at: int, plan: int, failure: int, verb: Verb, digest: str) -> None:
        self.command(self.decision(who, at, plan, failure, verb, digest))

    def decision(self, who: str, at: int, plan: int, failure: int, verb: Verb, digest: str) -> Decide:
        """A decision that names no digest (-), the right one (=) or another (!)."""
        plan_id = newest(list(self.model.approvals), plan)
        listed = self.model.approvals[plan_id][1]
        live = [key for key, item in listed.items() if item and item.at(self.model.now) in LIVE]
        keys = (live if failure % 4 else None) or list(listed) or list(self.model.failures)
        key = keys[failure % len(keys)]
        item = listed.get(key)
        named = {"-": "", "=": item.digest if item else "", "!": "0" * 64}[digest]
        return Decide(who, at, plan_id, key, verb, named)

    @step(
        4,
        who=PEOPLE,
        at=EITHER,
        execute=(True, True, False),
        most=ATTEMPTS,
        immediate=(True, True, False),
        cap=(1, 2, 3),
        mood=MOODS,
    )
    def run(self, **asked: Any) -> None:
        self.command(Run(**asked))

    @step(
        3,
        sends=True,
        who=PEOPLE,
        at=EITHER,
        cap=(1, 2, 3),
        mood=MOODS,
    )
    def run_approved(self, who: str, at: int, cap: int, mood: str) -> None:
        who, _ = self.would_send(who)
        self.command(Run(who, at, execute=True, most=CEILING, immediate=True, cap=cap, mood=mood))

    @step(
        1,
        when=lambda self: self.model.executions,
        who=PEOPLE,
        at=EITHER,
        execution=WHICH,
        outcome=(
            "delivered",
            "not_delivered",
        ),
    )
    def resolve(self, who: str, at: int, execution: int, outcome: str) -> None:
        self.command(Resolve(who, at, newest(list(self.model.executions), execution), outcome))

    @step(
        8,
        when=lambda self: self.unresolved(),
        who=PEOPLE,
        at=EITHER,
        unknown=WHICH,
        outcome=("delivered", "not_delivered"),
    )
    def resolve_unknown(self, who: str, at: int, unknown: int, outcome: str) -> None:
        """Who executed tries first."""
        execution_id = newest(self.unresolved(), unknown)
        executor = self.model.executions[execution_id][1]
        self.command(Resolve(executor, at, execution_id, outcome))
        self.command(Resolve(who, at, execution_id, outcome))

    @step(2, sends=True, at=EITHER, early=(0, 1))
    def run_at_the_end(self, at: int, early: int) -> None:
        """Who could have run an approval comes in its last minute, or when it has just ended."""
        who, key = next(iter(self.executors().items()))
        item = self.model.failures[key].item
        assert item
        self.wait(max(0, item.expires_at - self.model.now - early))
        self.command(Run(who, at, True, CEILING, True, 3, "failed"))

    @step(5, when=lambda self: self.model.failures and (not self.model.down), at=EITHER, shift=WHICH)
    def review_all(self, at: int, shift: int) -> None:
        """Three people bring every failure to its approvers, as far as the rules allow."""
        planner, reviewer, scheduler = rotated(shift)[:3]
        self.command(PlanRetries(planner, at, CEILING, True))
        plan_id = max(self.model.plans, key=lambda one: self.model.plans[one].index)
        for key in self.model.plans[plan_id].items:
            self.command(Acknowledge(reviewer, at, plan_id, key, "accepted"))
        self.command(PlanApproval(scheduler, at, self.model.required, 60))

    @step(5, when=lambda self: self.model.approvals, at=EITHER, shift=WHICH)
    def approve_all(self, at: int, shift: int) -> None:
        """Everybody tries to approve all that is open until it is approved, or twice: those too who may not."""
        plan_id, (_, items) = list(self.model.approvals.items())[-1]
        for key, item in items.items():
            for who in [one for person in rotated(shift) for one in [person] * (1 + shift % 2)]:
                if item and item.at(self.model.now) == "open":
                    self.command(Decide(who, at, plan_id, key, "approved", item.digest))

    def get_ready(self) -> None:
        """See Machine."""
        shift = self.chance.choice(WHICH)
        self.review_all(0, shift)
        self.approve_all(0, shift + 3)

    @step(
        4,
        sends=True,
        mood=("delivered", "failed"),
        cap=(1, 2, 3),
    )
    def race(self, mood: str, cap: int) -> None:
        """Several workers are after the same approvals, and perhaps somebody takes one back."""
        commands: list[Command] = [
            Run(who, at % 2, execute=True, most=CEILING, immediate=True, cap=cap, mood=mood)
            for at, who in enumerate(list(self.executors())[:3])
        ]
        if self.chance.choice((False, True)):
            commands.append(self.decision(self.chance.choice(PEOPLE), 1, 0, 1, "revoked", "-"))
        self.all_at_once(commands, mood)

    @step(
        3,
        when=lambda self: self.model.approvals and self.model.failures,
        mood=(
            "delivered",
            "failed",
        ),
    )
    def at_once(self, mood: str) -> None:
        """Several at the same time."""
        commands: list[Command] = []
        chosen = self.chance.choice
        for _ in range(chosen((2, 3, 4))):
            who, at = chosen(PEOPLE), chosen(EITHER)
            if chosen((False, True)):
                cap = chosen((1, 2, 3))
                commands.append(Run(who, at, execute=True, most=CEILING, immediate=True, cap=cap, mood=mood))
            else:
                commands.append(self.decision(who, at, 0, chosen(WHICH), chosen(VERBS), chosen("-=")))
        self.all_at_once(commands, mood)

    def all_at_once(self, commands: list[Command], mood: str) -> None:
        """Some order of them must explain all that was seen."""
        self.be(mood)
        seen = self.do(together([command.ask(self.house) for command in commands]))
        self.model = explained(self.model, list(zip(commands, seen, strict=True)))
        self.learn(exact=False)

    # What changes around them.

    @step(2, minutes=MINUTES)
    def wait(self, minutes: int) -> None:
        self.model.now += minutes
        self.house.pass_time(minutes)

    @step(
        1,
        provider=PROVIDERS,
        path=(
            "/moved",
            "",
        ),
        kind=(
            "webhook",
            "slack",
        ),
        there=(
            True,
            True,
            False,
        ),
    )
    def reconfigure(self, provider: str, path: str, kind: str, there: bool) -> None:
        made = (path or f"/{provider}", kind, self.template) if there else None
        self.model.destinations[provider] = made
        self.configure()

    @step(
        1,
        version=(
            "1",
            "2",
        ),
    )
    def change_template(self, version: str) -> None:
        for name, made in self.model.destinations.items():
            if made is not None:
                self.model.destinations[name] = (*made[:2], version)
        self.template = version
        self.configure()

    template = "1"

    def configure(self) -> None:
        """Write the connector file as the model has it."""
        made = self.model.destinations
        self.house.connect({name: one and one[:2] for name, one in made.items()}, self.template)

    @step(1, when=lambda self: self.model.failures and (not self.model.down), failure=WHICH)
    def tamper(self, failure: int) -> None:
        key = self.failure(failure)
        self.house.tamper(key[1])
        self.model.packages[key[1]] += 1


def rotated(shift: int) -> list[str]:
    """The people, beginning with another one."""
    return [PEOPLE[(at + shift) % len(PEOPLE)] for at in range(len(PEOPLE))]


PROFILE: Final = settings(
    max_examples=_EXAMPLES or 8,
    stateful_step_count=_STEPS,
    derandomize=not _EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),
)


def test_the_services_do_what_the_model_says_whatever_happens() -> None:
    Approvals.taken.clear()
    run_state_machine_as_test(Approvals, settings=PROFILE)
    kinds = {kind for name, one in Approvals.steps().items() for kind in one.kinds(name).values()}
    assert _EXAMPLES or kinds <= Approvals.taken.keys(), "some things happened in no story"
