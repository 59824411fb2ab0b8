"""What design and contract say of approvals, in as few words as it takes: the model that the running services are compared with.

Written from the specification; where that is silent it predicts what the product does, so that a change of it is noticed.
Where several refusals hold at once the specification names no order, so the model gives all of them.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import Final, Literal

Key = tuple[str, str, str]
"""(delivery_id, audit_id, provider)"""
Verb = Literal["approved", "denied", "deferred", "expired", "revoked"]

LIVE: Final = ("open", "approved")
SATISFYING: Final = ("accepted", "resolved")
LONGEST_MINUTES: Final = 240
CEILING: Final = 5
"""The installation's longest expiry and most attempts."""
_RECORDED: Final = {
    "settled": "approval_used",
    "claimed": "approval_used",
    "expired": "approval_expired",
    "changed": "content_changed",
}
_UNUSABLE: Final = {
    "open": "approval_pending",
    "claimed": "execution_under_way",
    "settled": "approval_used",
    "denied": "approval_denied",
    "revoked": "approval_revoked",
    "expired": "approval_expired",
    "changed": "content_changed",
}


class Differs(AssertionError):
    """What a service said or did is not what the model says."""


def expect(found: object, wanted: object, about: str) -> None:
    """Raise Differs unless they are the same."""
    if found != wanted:
        raise Differs(f"{about}: got {found!r}, expected {wanted!r}")


@dataclass
class Plan:
    """A retry plan."""

    index: int
    author: str
    items: dict[Key, tuple[int, str]]
    """Failure -> (the attempt that was planned, action)."""


@dataclass
class Ack:
    """The newest acknowledgement of a failure."""

    plan: Plan
    person: str
    attempt: int
    state: str


@dataclass
class Item:
    """Consent to one attempt."""

    digest: str
    attempt: int
    edition: int
    content: object
    ack: Ack
    opener: str
    required: int
    expires_at: int
    state: str = "open"
    votes: list[tuple[str, str]] = field(default_factory=list)

    def at(self, now: int) -> str:
        """The state at a minute."""
        return "expired" if self.state in LIVE and now >= self.expires_at else self.state

    @property
    def approvers(self) -> set[str]:
        """Who approved."""
        return {who for who, verb in self.votes if verb == "approved"}


@dataclass
class Failure:
    """A failed delivery with its retries."""

    failed_at: int
    state: Literal["open", "unknown", "closed"] = "open"
    attempts: int = 1
    failures: int = 1
    edition: int = 1
    """Which of its failed attempts is the newest."""
    in_flight: bool = False
    ack: Ack | None = None
    item: Item | None = None
    """The newest one."""

    def begin(self) -> None:
        """Another attempt is under way."""
        self.attempts, self.failures, self.in_flight = self.attempts + 1, self.failures + 1, True

    def end(self, status: str, now: int) -> None:
        """It has an outcome."""
        self.in_flight = False
        if status == "delivered":
            self.state, self.failures = "closed", self.failures - 1
        else:
            self.state = "unknown" if status == "unknown" else "open"
            self.failed_at, self.edition = now, self.edition + 1


@dataclass
class Model:
    """The whole installation."""

    required: int
    """The installation's quorum."""
    now: int = 0
    """Minutes since the beginning."""
    failures: dict[Key, Failure] = field(default_factory=dict)
    """Oldest first."""
    destinations: dict[str, tuple[str, str, str] | None] = field(default_factory=dict)
    """Provider -> (path, kind, template version) of what would be sent; None while it is not configured."""
    packages: Counter[str] = field(default_factory=Counter)
    """Audit package -> how often it was tampered with."""
    plans: dict[str, Plan] = field(default_factory=dict)
    approvals: dict[str, tuple[str, dict[Key, Item | None]]] = field(default_factory=dict)
    """Approval plan -> its author, and what it lists."""
    digests: set[str] = field(default_factory=set)
    refusals: set[tuple[str, str, str]] = field(default_factory=set)
    """(digest, person, reason) of each recorded one."""
    executions: dict[str, tuple[Key, str, str]] = field(default_factory=dict)
    """Execution -> failure, executor, status (claimed, or how it ended)."""
    resolved: dict[str, str] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)
    """Resolutions that delivery has not heard of."""
    counts: Counter[str] = field(default_factory=Counter)
    """Records of the retry log, by noun."""
    requests: int = 0
    """What the receiver has been sent."""
    down: bool = False
    """Whether delivery is down."""

    @property
    def newest(self) -> Plan | None:
        """The newest retry plan."""
        return max(self.plans.values(), key=lambda plan: plan.index, default=None)

    def content(self, key: Key) -> object:
        """What would be sent where for a failure now; None while nothing can be."""
        destination = self.destinations[key[2]]
        return None if destination is None else (destination, self.packages[key[1]])

    def judge(self, most: int, immediate: bool) -> dict[Key, tuple[str, str]]:
        """Open failure -> (action, reason) of a retry plan."""
        return {
            key: self._judged(one, most, immediate)
            for key, one in self.failures.items()
            if one.state != "closed"
        }

    def _judged(self, one: Failure, most: int, immediate: bool) -> tuple[str, str]:
        delay = 0 if immediate else ceil(15 * 2 ** (one.failures - 1))
        if one.state == "unknown":
            return "suppress", "outcome_unknown"
        if one.in_flight:
            return "wait", "in_flight"
        if one.failures >= most:
            return "suppress", "max_retry_attempts_reached"
        if self.now < one.failed_at + delay:
            return "wait", "retry_delay_pending"
        return "retry", "retry_delay_elapsed" if delay else "immediate_retry_allowed"

    def candidates(self) -> list[Key]:
        """What an approval plan lists: the open failures that the newest retry plan would retry, now or later."""
        listed = self.newest.items if self.newest else {}
        return [
            key
            for key, (_, action) in listed.items()
            if action != "suppress" and self.failures[key].state != "closed"
        ]

    def unchanged(self, one: Failure, item: Item, content: object) -> bool:
        """Whether an item is still about what is there now."""
        return (
            one.state != "closed"
            and (item.attempt, item.edition) == (one.attempts + 1, one.edition)
            and content in (None, item.content)
        )

    def enter(self, key: Key, opener: str, required: int, minutes: int) -> tuple[Item | None, bool]:
        """The item that an approval plan serves for a failure, and whether it is new: its digest is not known yet."""
        one, content = self.failures[key], self.content(key)
        last, ack = one.item, one.ack
        if last is not None and last.state == "claimed":
            return last, False
        if last is not None and last.state in LIVE:
            if last.at(self.now) == "expired":
                last.state = "expired"
            elif not self.unchanged(one, last, content):
                last.state = "changed"
            else:
                return last, False
        reviewed = (
            ack is not None
            and ack.state in SATISFYING
            and ack.attempt == one.attempts + 1
            and (last is None or ack.plan.index > last.ack.plan.index)
        )
        if ack is None or not reviewed or content is None or one.in_flight or one.state == "unknown":
            return None, False
        expires_at = self.now + minutes
        one.item = Item("", ack.attempt, one.edition, content, ack, opener, required, expires_at)
        return one.item, True

    def vote_refusals(
        self, key: Key, author: str, item: Item, vote: tuple[str, Verb], digest: str
    ) -> set[str]:
        """Every reason why a decision must be refused; none: it must be taken."""
        who, verb = vote
        state = item.state if verb == "expired" else item.at(self.now)
        found = set()
        if state not in LIVE:
            return {"item_closed"}
        if digest not in ("", item.digest):
            found.add("content_changed")
        if verb == "revoked":
            return found
        earlier = {cast for voter, cast in item.votes if voter == who}
        if earlier - {"deferred"} or verb in earlier:
            found.add("invalid_transition")
        if state == "approved" and verb in ("approved", "deferred"):
            found.add("invalid_transition")
        if verb == "approved":
            ack = self.failures[key].ack
            taken_back = ack is None or ack.state not in SATISFYING or ack.attempt != item.attempt
            involved = {item.ack.plan.author, item.ack.person, item.opener, author}
            if ack is None or taken_back:
                found.add("acknowledgement_required")
            else:
                involved |= {ack.plan.author, ack.person}
            if who in involved:
                found.add("self_approval")
        return found

    def vote(self, item: Item, who: str, verb: Verb) -> str:
        """The item's state after a decision that was taken."""
        item.votes.append((who, verb))
        if verb == "approved":
            item.state = "approved" if len(item.approvers) >= item.required else "open"
        elif verb != "deferred":
            item.state = verb
        return item.state

    def refused(self, item: Item, who: str, reason: str) -> None:
        """A decision was refused: some refusals are records, once for each person and reason."""
        recorded = {"self_approval": "self_approval", "content_changed": "content_changed"}.get(reason)
        if reason == "item_closed":
            recorded = _RECORDED.get(item.at(self.now))
        if recorded:
            self.refusals.add((item.digest, who, recorded))

    def floored(self, who: str) -> None:
        """Weaker approval was asked for: that is recorded with each item that may still be decided on."""
        items = [one.item for one in self.failures.values() if one.item]
        self.refusals |= {(item.digest, who, "policy_floor") for item in items if item.at(self.now) in LIVE}

    def run(
        self, who: str, judged: dict[Key, tuple[str, str]], most: int
    ) -> tuple[list[Key], dict[Key, str]]:
        """What a live run takes, and why it leaves the rest."""
        taken: list[Key] = []
        left: dict[Key, str] = {}
        for key, (action, why) in judged.items():
            one = self.failures[key]
            full, item = len(taken) == most, one.item
            reason = self._unusable(one, item, who)
            content = self.content(key) if action == "retry" else None
            if item is not None and not reason and not full and not self.unchanged(one, item, content):
                item.state, reason = "changed", "content_changed"
            if action != "retry" or reason or full:
                left[key] = why if action != "retry" else reason or "max_retry_deliveries"
            else:
                taken.append(key)
        return taken, left

    def _unusable(self, one: Failure, item: Item | None, who: str) -> str:
        if item is not None and item.state not in (*LIVE, "claimed") and item.attempt != one.attempts + 1:
            item = None
        if item is None:
            return "approval_required"
        state = item.at(self.now)
        if state == "approved":
            return "self_execution" if who in item.approvers else ""
        return _UNUSABLE[state]

    def claimed(self, execution_id: str, key: Key, who: str) -> None:
        """A run took an item."""
        item = self.failures[key].item
        if item is None or item.at(self.now) != "approved":
            raise Differs(f"an item was claimed that is {item and item.at(self.now)}")
        item.state = "claimed"
        self.executions[execution_id] = (key, who, "claimed")
        self.counts["retry_intent"] += 1

    def settled(self, execution_id: str, status: str) -> None:
        """An execution has its record."""
        key, who, _ = self.executions[execution_id]
        self.executions[execution_id] = (key, who, status)
        self.counts["execution_record"] += 1
        for item in self._items(key):
            if item.state == "claimed":
                item.state = "settled"

    def _items(self, key: Key) -> Iterable[Item]:
        item = self.failures[key].item
        return () if item is None else (item,)

    def told(self, execution_id: str) -> None:
        """Delivery has heard what became of an unknown execution."""
        one = self.failures[self.executions[execution_id][0]]
        one.state = "closed" if self.resolved[execution_id] == "delivered" else "open"
