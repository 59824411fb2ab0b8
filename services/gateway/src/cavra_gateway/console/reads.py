"""What pages show before anything is done: the services' own answers, several at once, a service that is down left out and said."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from cavra.delivery.v1 import delivery_pb2
from cavra.recovery.v1 import recovery_pb2
from cavra.retry.v1 import retry_pb2
from cavra_service.errors import Refused
from cavra_service.wire import timestamp
from cavra_verify.kinds import BY_NOUN

from cavra_gateway.console.sends import part_of
from cavra_gateway.console.session import Visitor
from cavra_gateway.history import history
from cavra_gateway.queries import HistoryQuery
from cavra_gateway.records import Json, full
from cavra_gateway.services import DOWN

T = TypeVar("T")

_MOST_WORK: Final = 200
"""The most that one answer lists."""
MOST_RECOVERIES: Final = 500
"""As many are listed: there may be more."""


@dataclass(frozen=True, slots=True)
class Work:
    """The open failures by the step that comes next."""

    items: list[Any]
    """cavra.retry.v1.WorkItem, oldest failure first."""
    total: int
    """All open failures."""
    policy: Any
    """The installation's cavra.retry.v1.ApprovalPolicy."""
    attempt_ceiling: int

    def at(self, *steps: str) -> list[Any]:
        """Those whose next step is one of these."""
        wanted = {retry_pb2.WorkStep.Value(f"WORK_STEP_{step.upper()}") for step in steps}
        return [item for item in self.items if item.step in wanted]

    @property
    def omitted(self) -> int:
        """Open failures beyond those listed."""
        return self.total - len(self.items)


def step_of(item: Any) -> str:
    """A work item's next step, by name."""
    return retry_pb2.WorkStep.Name(item.step).removeprefix("WORK_STEP_").lower()


def whole(work: Work) -> dict[str, Any]:
    """What a page about all of it is shown with."""
    return {"about": [work.total, *facts(work.items)], "work_": work, "step_of": step_of}


async def work(visitor: Visitor) -> Work:
    """What comes next for each open failure, as the visitor meets it. Raises Refused."""
    session = visitor.session
    answer = await session.call(session.services.retry.ListWork, retry_pb2.ListWorkRequest(limit=_MOST_WORK))
    return Work(list(answer.items), answer.total, answer.policy, answer.attempt_ceiling)


async def connectors(visitor: Visitor) -> list[Any]:
    """The configured connectors. Raises Refused."""
    session = visitor.session
    request = delivery_pb2.ListConnectorsRequest()
    return list((await session.call(session.services.delivery.ListConnectors, request)).connectors)


async def addresses(visitor: Visitor) -> dict[str, str]:
    """Fingerprint of a destination -> its address, of each that a connector sends to now. Empty while delivery can't say."""
    session = visitor.session
    answer = await session.read(
        session.services.delivery.ListConnectors, delivery_pb2.ListConnectorsRequest()
    )
    known = answer.connectors if answer is not None else ()
    return {one.destination_fingerprint: one.address for one in known if one.address}


async def failing(visitor: Visitor, hours: int) -> list[Any]:
    """Failed connector deliveries of the last hours, per provider. Raises Refused."""
    session, since = visitor.session, datetime.now(UTC) - timedelta(hours=hours)
    request = delivery_pb2.SummarizeFailuresRequest(since=timestamp(since))
    return list((await session.call(session.services.delivery.SummarizeFailures, request)).providers)


async def recoveries(visitor: Visitor, playbook_id: str = "") -> list[Any]:
    """Recoveries that are not over, or all those of one playbook. Raises Refused."""
    session = visitor.session
    request = recovery_pb2.ListRecoveriesRequest(playbook_id=playbook_id, limit=MOST_RECOVERIES)
    return list((await session.call(session.services.recovery.ListRecoveries, request)).recoveries)


async def records(visitor: Visitor, **query: Any) -> list[Json]:
    """Envelopes of the records that match, newest first. Raises Refused."""
    items: list[Json] = (await history(visitor.session, HistoryQuery(**query)))["items"]
    return items


async def record_of(visitor: Visitor, noun: str, **query: Any) -> Json | None:
    """The full record of one kind that matches; None when there is none. Raises Refused."""
    found = await records(visitor, metadata_kind=BY_NOUN[noun].kind, limit=1, **query)
    return full(found[0]) if found else None


async def verifications(visitor: Visitor, provider: str) -> list[Json]:
    """Envelopes of what a provider took: delivered executions and deliveries, newest first. Raises Refused."""
    executed, delivered, failed = await asyncio.gather(
        records(visitor, execution_status="delivered", provider=provider, limit=10),
        records(visitor, delivery_success=True, provider=provider, limit=10),
        records(visitor, delivery_success=False, provider=provider, limit=50),
    )
    # It may have taken what another of the same delivery did not.
    taken = [one for one in failed if part_of(one, provider).get("outcome") == "delivered"][:10]
    return sorted([*executed, *delivered, *taken], key=lambda one: str(one["created_at"]), reverse=True)


def facts(items: Iterable[Any]) -> list[Any]:
    """Work items without the newest plan that lists them: each run makes one, and where that is not shown nothing has changed by it."""
    found = []
    for item in items:
        found.append(retry_pb2.WorkItem())
        found[-1].CopyFrom(item)
        found[-1].ClearField("retry_plan_id")
    return found


def key_text(item: Any) -> str:
    """Names a failure and its plan in a form."""
    return " ".join((item.retry_plan_id, item.delivery_id, item.audit_id, item.provider))


def chosen_keys(texts: list[str]) -> list[Mapping[str, str]]:
    """What `key_text` named. What is none is left out."""
    names = ("retry_plan_id", "delivery_id", "audit_id", "provider")
    parts = [text.split(" ") for text in texts]
    return [dict(zip(names, one, strict=True)) for one in parts if len(one) == len(names)]


async def unless_down(asked: Awaitable[T]) -> T | None:
    """The answer; None when its service could not give one."""
    try:
        return await asked
    except Refused as refused:
        if refused.reason in DOWN:
            return None
        raise
