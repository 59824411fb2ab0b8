"""Values of the retry service's domain for tests: each with a default that a test overrides where it matters."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cavra_evidence.draft import Actor, Cause
from cavra_evidence.ids import new_id
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_evidence.records.retry import ItemPolicy
from cavra_retry.domain.failures import Content, Failure, FailureKey
from cavra_retry.domain.items import Decision, Item, Review, Verb
from cavra_retry.domain.plans import Acknowledgement, PlanItem

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
FAILED_AT = NOW - timedelta(hours=1)
CONTENT = Content("a" * 64, "b" * 64, "c" * 64)


def person(name: str) -> tuple[str, str]:
    """Someone of the local issuer."""
    return ("cavra-local", name)


def actor(name: str) -> Actor:
    """The same, as who acts."""
    return Actor("cavra-local", name, name)


def failure(provider: str = "hook", **more: Any) -> Failure:
    """An open failure of one attempt, an hour old."""
    count = more.get("failure_count", 1)
    value = Failure(
        key=FailureKey(new_id("gordackdelivery"), new_id("gordackaudit"), provider),
        open=True,
        failure_count=count,
        next_attempt_number=count + 1,
        first_failed_at=FAILED_AT,
        latest_failed_at=FAILED_AT,
        latest_delivery_id=new_id("gordackdelivery"),
        failed_status_codes=(503,) * count,
        latest_record=Cause(new_id("rcd"), ConnectorDelivery.KIND.kind, "d" * 64),
    )
    return replace(value, **more)


def ack(about: Failure, **more: Any) -> Acknowledgement:
    """rita accepted what paula planned."""
    value = Acknowledgement(
        new_id("gordackretryack"),
        new_id("gordackretry"),
        "e" * 64,
        10,
        person("paula"),
        about.next_attempt_number,
        "accepted",
        person("rita"),
    )
    return replace(value, **more)


def plan_item(about: Failure, **more: Any) -> PlanItem:
    """The failure as a retry plan lists it."""
    value = PlanItem(
        new_id("gordackretry"),
        "e" * 64,
        10,
        person("paula"),
        about.key,
        about.next_attempt_number,
        "retry",
        None,
    )
    return replace(value, **more)


def decision(name: str, state: Verb = "approved") -> Decision:
    """A decision of `name`."""
    return Decision(
        new_id("gordackretryapprovaldecision"),
        state,
        person(name),
        name,
        "2026-11-23T09:00:00.000000+00:00",
    )


def item(about: Failure, **more: Any) -> Item:
    """An open item: paula planned, rita acknowledged, sam made the approval plan; it expires in four hours."""
    review = Review(
        new_id("gordackretry"), "e" * 64, 10, person("paula"), new_id("gordackretryack"), person("rita")
    )
    policy = ItemPolicy(required_approvals=1, separation_of_duties=True, require_retry_ack=True)
    value = Item(
        item_id=new_id("gordackretryitem"),
        key=about.key,
        attempt_number=about.next_attempt_number,
        generation=0,
        state="open",
        version=0,
        review=review,
        opened_plan_id=new_id("gordackretryapproval"),
        opener=person("sam"),
        failed=about.latest_record,
        content=CONTENT,
        policy=policy,
        expires_at=NOW + timedelta(hours=4),
    )
    return replace(value, **more)
