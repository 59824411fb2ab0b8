"""Route decisions as they are kept, found and counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Final

DELIVER: Final = "deliver"
SUPPRESS: Final = "suppress"
CATEGORIES: Final = (DELIVER, "maintenance_window", "owner_calendar", "healthy_schedule", "other")
"""Why a route was delivered or suppressed. All but the first are suppressions."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route decision of a notification plan."""

    route_id: str
    created_at: datetime
    plan_id: str
    schedule_id: str
    alert_level: str
    provider: str
    owner: str
    escalation_owner: str
    category: str
    reason: str
    acknowledgement_minutes: int
    window_id: str
    window_reason: str
    owner_available: bool
    owner_reason: str
    next_due_at: datetime | None

    @property
    def action(self) -> str:
        """deliver or suppress."""
        return DELIVER if self.category == DELIVER else SUPPRESS


@dataclass(frozen=True, slots=True)
class DeliveredRoute:
    """A delivered route and its newest acknowledgement; the acknowledgement's fields are empty while it waits."""

    route: Route
    acknowledgement_state: str = ""
    acknowledgement_id: str = ""
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    external_ref: str = ""
    notes: str = ""


@dataclass(frozen=True, slots=True)
class RouteFilter:
    """Which routes are meant; empty fields match all."""

    schedule_id: str = ""
    provider: str = ""
    owner: str = ""
    action: str = ""
    category: str = ""

    @property
    def contradictory(self) -> bool:
        """Whether no route can match, since the category is of the other action."""
        return bool(self.action and self.category) and (self.action == DELIVER) != (self.category == DELIVER)

    @property
    def key(self) -> str:
        """The one key under which all matching routes are found."""
        return _key(self.schedule_id, self.provider, self.category or self.action, self.owner)

    def matches(self, count: "RouteCount") -> bool:
        """Whether the routes behind a count match."""
        action = DELIVER if count.category == DELIVER else SUPPRESS
        return all(
            wanted in ("", found)
            for wanted, found in (
                (self.schedule_id, count.schedule_id),
                (self.provider, count.provider),
                (self.owner, count.owner),
                (self.action, action),
                (self.category, count.category),
            )
        )


def keys_of(route: Route) -> list[str]:
    """Every key under which a route is found: one for each combination of filters that it matches."""
    kinds = dict.fromkeys(("", route.action, route.category))
    return [
        _key(*parts)
        for parts in product(("", route.schedule_id), ("", route.provider), kinds, ("", route.owner))
    ]


def _key(schedule_id: str, provider: str, kind: str, owner: str) -> str:
    # The owner stands last: it alone may hold the separator.
    return f"{schedule_id}|{provider}|{kind}|{owner}"


@dataclass(frozen=True, slots=True)
class RouteCount:
    """How many routes there are of one make."""

    schedule_id: str
    provider: str
    owner: str
    category: str
    acknowledgement_state: str
    count: int


@dataclass(frozen=True, slots=True)
class Trend:
    """Suppressions, counted."""

    total: int
    alert_level: str
    by_category: Counter[str]
    by_owner: Counter[str]
    by_provider: Counter[str]
    by_schedule: Counter[str]


def suppression_trend(counts: Iterable[RouteCount]) -> Trend:
    """Why routes were suppressed. It is a warning when anything was suppressed although something was due or forced."""
    categories, owners, providers, schedules = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for one in counts:
        if one.category == DELIVER:
            continue
        categories[one.category] += one.count
        owners[one.owner] += one.count
        providers[one.provider] += one.count
        schedules[one.schedule_id] += one.count
    due = categories.total() - categories["healthy_schedule"]
    level = "warning" if due else "healthy"
    return Trend(categories.total(), level, categories, owners, providers, schedules)
