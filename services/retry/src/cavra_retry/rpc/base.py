"""What all RPCs of this service share: the parts they work with, and how a request's fields are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.refusal import Refusal
from cavra_service.keys import ServiceKeys
from cavra_service.store.protocol import Store

from cavra_retry.alerts import Alerts
from cavra_retry.domain.policy import RetryPolicy
from cavra_retry.execution import Executor
from cavra_retry.peer import Delivery, Sending
from cavra_retry.resolutions import Resolver
from cavra_retry.settings import RetrySettings
from cavra_retry.store.standings import Standings
from cavra_retry.tasks import OwnedTasks

T = TypeVar("T")

_SENDING: Final = Sending()


@dataclass(frozen=True, slots=True)
class Parts:
    """What the service is made of."""

    store: Store
    delivery: Delivery
    settings: RetrySettings
    keys: ServiceKeys
    """This service's own."""
    standings: Standings
    executor: Executor
    resolver: Resolver
    alerts: Alerts
    tasks: OwnedTasks
    clock: Callable[[], datetime]


class Topic:
    """A group of RPCs over the same parts."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts


def optional(message: Any, field: str) -> Any:
    """An optional field's value; None when it is unset."""
    return getattr(message, field) if message.HasField(field) else None


def bounded(message: Any, field: str, default: int, low: int, high: int) -> int:
    """An optional whole number. Refuses `invalid_value` outside low to high."""
    value: int = getattr(message, field) if message.HasField(field) else default
    if not low <= value <= high:
        raise Refusal("invalid_value", f"{low} to {high}", field)
    return value


def required(message: Any, field: str) -> str:
    """A text that must not be empty."""
    value: str = getattr(message, field)
    if not value:
        raise Refusal("invalid_value", "must not be empty", field)
    return value


def member(table: Mapping[int, T], value: int, field: str) -> T:
    """What an enum's value stands for. Refuses `invalid_value` for numbers that the contract does not have."""
    if value not in table:
        raise Refusal("invalid_value", "not a value of this enum", field)
    return table[value]


def only(found: Sequence[T]) -> T:
    """The one item that matches. Refuses `unknown_item` for none, `ambiguous_item` for several."""
    if not found:
        raise Refusal("unknown_item", "the plan has no such item", "provider")
    if len(found) > 1:
        raise Refusal("ambiguous_item", "several items match: name delivery_id and audit_id", "provider")
    return found[0]


def retry_policy(policy: pb.RetryPolicy, settings: RetrySettings) -> RetryPolicy:
    """The policy of a request under the installation's attempt ceiling."""
    return RetryPolicy.of(
        max_retry_attempts=optional(policy, "max_retry_attempts"),
        retry_delay_minutes=optional(policy, "retry_delay_minutes"),
        backoff_multiplier=optional(policy, "backoff_multiplier"),
        allow_immediate_retry=policy.allow_immediate_retry,
        attempt_ceiling=settings.approval_max_attempts,
    )


def sending(message: Any) -> Sending:
    """How sends are tried, as a request says."""
    return Sending(
        bounded(message, "retries", _SENDING.retries, 0, 10),
        bounded(message, "timeout_seconds", _SENDING.timeout_seconds, 1, 120),
    )
