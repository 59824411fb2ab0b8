"""What fails in the stories of approvals, at which step, and what the services make of it when they are back."""

from typing import Final

from tests.model.commands import Deliver, Run, sent
from tests.model.house import PROVIDERS
from tests.model.machine import EITHER, MOODS, PEOPLE, Held, Machine, gone, settled, step
from tests.model.reference import CEILING, Failure, expect

LATE: Final = ("retry.before_claim", "retry.claimed", "retry.permitted", "retry.answered", "retry.executed")
SETTLING: Final = (
    "delivery.settle.before_fence",
    "delivery.settle.fenced",
    "retry.reconcile.answered",
    "retry.reconcile.executed",
)
STEPS: Final = ("before_attempt", "attempted", "answered", "recorded")


class Faults(Machine):
    """Crashes, and receivers that keep waiting."""

    @step(1, at=EITHER)
    def restart_retry(self, at: int) -> None:
        """It settles what it can when it is back."""
        self.do(self.house.restart_retry(at))
        if self.held and self.held.run and self.held.at == at:
            run, self.held.run = self.held.run, None
            self.do(gone(run))
        self.reconciled()

    @step(1, when=lambda self: not self.model.down and self.crashes < 3)
    def crash_delivery(self) -> None:
        self.crashes += 1
        self.lose_delivery()
        if self.held:
            held, self.held = self.held, None
            held.answer.set()
            self.lost.append(held.key)
            self.pending[held.execution_id] = "unknown"
            if held.run:
                self.do(gone(held.run))

    def lose_delivery(self) -> None:
        """Delivery is down."""
        self.do(self.house.crash_delivery())
        self.model.packages.clear()
        self.model.down = True

    @step(6, when=lambda self: self.model.down)
    def mend_delivery(self) -> None:
        """It records what was cut short; then both retry services start anew."""
        self.do(self.house.start_delivery())
        self.model.down = False
        for key in self.lost:
            self.model.failures[key].end("unknown", self.model.now)
        self.lost.clear()
        found = self.do(self.house.failures())
        fresh = [key for key in found if key not in self.model.failures]
        expect(
            [key[2] for key in fresh],
            [provider for provider, _ in self.surprises],
            "first sends that crashed",
        )
        for key, (_, recorded_at) in zip(fresh, self.surprises, strict=True):
            self.model.failures[key] = Failure(self.model.now if recorded_at is None else recorded_at)
        self.surprises.clear()
        for at in (0, 1):
            self.do(self.house.restart_retry(at))
        self.reconciled()

    @step(
        1,
        when=lambda self: len(self.model.failures) < 3 and (not self.model.down) and (not self.held),
        each="step",
        who=PEOPLE,
        provider=PROVIDERS,
        step=STEPS,
        mood=MOODS,
    )
    def deliver_and_crash(self, who: str, provider: str, step: str, mood: str) -> None:
        if self.model.destinations[provider] is None:
            return
        self.be(mood)
        answer = self.do(self.struck(f"delivery.first.{step}", Deliver(who, 0, provider, mood)))
        self.lose_delivery()
        self.do(gone(answer))
        self.model.requests += step in ("answered", "recorded")
        if step in ("attempted", "answered") or (step == "recorded" and mood != "delivered"):
            self.surprises.append((provider, self.model.now if step == "recorded" else None))

    @step(
        2,
        sends=True,
        each="point",
        who=PEOPLE,
        at=EITHER,
        point=LATE,
        mood=MOODS,
    )
    def run_and_crash_retry(self, who: str, at: int, point: str, mood: str) -> None:
        who, key = self.would_send(who)
        self.be(mood)
        self.do(self.struck(point, Run(who, at, True, CEILING, True, 1, mood)))
        if point != "retry.before_claim":
            execution_id = self.claim(who)
            if point in ("retry.answered", "retry.executed"):
                sent(self.model, key, mood)
            if point == "retry.executed":
                self.model.settled(execution_id, mood)
            else:
                self.pending[execution_id] = mood if point == "retry.answered" else "skipped"
        self.restart_retry(at=at)
        self.learn(exact=False)

    @step(
        2,
        when=lambda self: not self.held and not self.pending,
        sends=True,
        each="point",
        who=PEOPLE,
        at=EITHER,
        point=SETTLING,
    )
    def crash_again_while_settling(self, who: str, at: int, point: str) -> None:
        """A run that crashed is settled by who starts next, and that is cut short, too."""
        who, _ = self.would_send(who)
        self.do(self.struck("retry.claimed", Run(who, at, True, CEILING, True, 1, "failed")))
        self.pending[self.claim(who)] = "skipped"
        self.do(self.house.restart_retry_until(at, point))
        if point.startswith("delivery"):
            self.lose_delivery()
        self.restart_retry(at=at)
        self.learn(exact=False)

    @step(
        2,
        when=lambda self: not self.held,
        sends=True,
        each="step",
        who=PEOPLE,
        at=EITHER,
        step=STEPS,
        mood=MOODS,
    )
    def run_and_crash_delivery(self, who: str, at: int, step: str, mood: str) -> None:
        who, key = self.would_send(who)
        self.be(mood)
        run = self.do(self.struck(f"delivery.retry.{step}", Run(who, at, True, CEILING, True, 1, mood)))
        execution_id = self.claim(who)
        self.lose_delivery()
        self.do(gone(run))
        if step == "recorded":
            sent(self.model, key, mood)
        elif step != "before_attempt":
            self.model.failures[key].begin()
            self.model.requests += step == "answered"
            self.lost.append(key)
        ends = {"before_attempt": "skipped", "recorded": mood}
        self.pending[execution_id] = ends.get(step, "unknown")
        self.learn(exact=False)

    @step(
        2,
        when=lambda self: not self.held,
        sends=True,
        who=PEOPLE,
        at=EITHER,
    )
    def run_and_hold(self, who: str, at: int) -> None:
        """The receiver keeps a retry waiting."""
        who, key = self.would_send(who)
        command = Run(who, at, True, CEILING, True, 1, "")
        answer, run = self.do(self.holding(command))
        execution_id = self.claim(who)
        self.model.requests += 1
        self.model.failures[key].begin()
        self.held = Held(execution_id, key, answer, run, at)

    @step(3, when=lambda self: self.held, mood=MOODS)
    def answer(self, mood: str) -> None:
        """The receiver answers at last."""
        assert self.held
        held, self.held = self.held, None
        self.be(mood)
        held.answer.set()
        if held.run:
            self.do(settled(held.run))
            self.model.settled(held.execution_id, mood)
        else:
            self.do(self.house.until(lambda: self.landed(held.key)))
            self.pending[held.execution_id] = mood
        self.model.failures[held.key].end(mood, self.model.now)
        self.learn(exact=False)
