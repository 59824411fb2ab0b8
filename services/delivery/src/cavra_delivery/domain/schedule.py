"""The drill schedule: the file's shape, what it says now, and which routes it makes.

    schedule_id: production-rollback
    status: active
    interval_days: 30
    next_due_at: 2026-12-01T09:00:00Z
    owners: [platform, payments]
    notification_providers: [webhook, splunk]
    owner_routes:                     # optional; an owner without an entry has a route to every provider
      payments: {providers: [webhook], acknowledgement_minutes: 30, escalation_owner: cto}
    maintenance_windows:
      - {window_id: freeze, start_at: 2026-12-20T00:00:00Z, end_at: 2027-01-02T00:00:00Z, reason: Year end}
    owner_calendars:
      platform: {available: true, unavailable: [{start_at: ..., end_at: ..., reason: Holiday}]}
    runbook_ref: https://runbooks.example/rollback

`owner_routes` may also be a list of `{provider, owner, acknowledgement_minutes, escalation_owner}`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from cavra_evidence.records.base import (
    ExternalId,
    OptionalLabel,
    OptionalName,
    OptionalPerson,
    Person,
    Provider,
)
from pydantic import Field, ValidationError

from cavra_delivery.domain.shapes import FilePart, Moment, Text, complaint

DUE_SOON_DAYS: Final = 14
DEFAULT_ACKNOWLEDGEMENT_MINUTES: Final = 60
MOST_NAMES: Final = 50
"""Most providers, and most owners, of one schedule: what a record can list."""

Minutes = Annotated[int, Field(ge=1, le=525_600)]


class OwnerRule(FilePart):
    """How one owner is told. No providers means all of the file's."""

    providers: Annotated[tuple[Provider, ...], Field(max_length=MOST_NAMES)] = ()
    acknowledgement_minutes: Minutes = DEFAULT_ACKNOWLEDGEMENT_MINUTES
    escalation_owner: OptionalPerson = ""


class ListedRoute(FilePart):
    """One owner's route through one provider."""

    provider: Provider
    owner: Person
    acknowledgement_minutes: Minutes = DEFAULT_ACKNOWLEDGEMENT_MINUTES
    escalation_owner: OptionalPerson = ""


class Window(FilePart):
    """A time in which every route is suppressed: start_at <= now < end_at."""

    window_id: ExternalId
    start_at: Moment
    end_at: Moment
    reason: OptionalLabel = ""


class Absence(FilePart):
    """A time in which an owner is away: start_at <= now < end_at."""

    start_at: Moment
    end_at: Moment
    reason: OptionalLabel = ""


class Calendar(FilePart):
    """When an owner can be told. `available: false` means not at all."""

    available: bool = True
    reason: OptionalLabel = ""
    unavailable: Annotated[tuple[Absence, ...], Field(max_length=100)] = ()


OwnerRoutes = (
    Annotated[dict[Person, OwnerRule], Field(max_length=MOST_NAMES)]
    | Annotated[tuple[ListedRoute, ...], Field(max_length=500)]
)


class RoutingFields(FilePart):
    """What of the file says who is told when; a notification may override each."""

    owner_routes: OwnerRoutes = Field(default_factory=dict)
    maintenance_windows: Annotated[tuple[Window, ...], Field(max_length=100)] = ()
    owner_calendars: dict[Person, Calendar] = Field(default_factory=dict, max_length=MOST_NAMES)


class ScheduleFile(RoutingFields):
    """The drill schedule file."""

    schema_version: OptionalName = ""
    schedule_id: ExternalId
    environment: OptionalLabel = ""
    status: OptionalName = ""
    interval_days: Any = None
    next_due_at: Moment
    owners: Annotated[tuple[Person, ...], Field(max_length=MOST_NAMES)] = ()
    notification_providers: Annotated[tuple[Provider, ...], Field(max_length=MOST_NAMES)] = ()
    runbook_ref: Text = ""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """One route that a schedule makes."""

    provider: str
    owner: str
    acknowledgement_minutes: int
    escalation_owner: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """The schedule as it stands at a moment. Without a file, `message` says why."""

    file: ScheduleFile | None
    message: str = ""
    rules: Sequence[RouteRule] = ()
    """The routes that the file makes."""
    days_until_due: int = 0
    stale: bool = False
    due_soon: bool = False
    applies: bool = True
    """Whether the backend's mode uses the schedule at all."""

    @property
    def active(self) -> bool:
        """Whether the file says so."""
        return self.file is not None and self.file.status == "active"

    @property
    def cadence_valid(self) -> bool:
        """Whether interval_days is a positive whole number."""
        days = None if self.file is None else self.file.interval_days
        return type(days) is int and 1 <= days <= 36_500

    @property
    def interval_days(self) -> int:
        """Days between drills; 0 when the file gives none."""
        return self.file.interval_days if self.file is not None and self.cadence_valid else 0

    @property
    def providers(self) -> list[str]:
        """Every provider that the file names, in its order."""
        listed = [] if self.file is None else self.file.notification_providers
        return list(dict.fromkeys([*listed, *(rule.provider for rule in self.rules)]))

    @property
    def owners(self) -> list[str]:
        """Every owner that the file names, in its order."""
        listed = [] if self.file is None else self.file.owners
        return list(dict.fromkeys([*listed, *(rule.owner for rule in self.rules)]))

    @property
    def status(self) -> str:
        """ready, due_soon or needs_attention."""
        if not self.applies:
            return "ready"
        if self.stale or not (self.active and self.cadence_valid and self.rules):
            return "needs_attention"
        return "due_soon" if self.due_soon else "ready"

    @property
    def alert_level(self) -> str:
        """healthy, warning or critical."""
        return {"ready": "healthy", "due_soon": "warning", "needs_attention": "critical"}[self.status]


def judge_schedule(content: Mapping[str, Any] | None, problem: str, now: datetime) -> Schedule:
    """What a schedule document says at `now`; without content, `problem` says why there is none."""
    if content is None:
        return Schedule(None, problem)
    try:
        file = ScheduleFile.model_validate(content)
    except ValidationError as error:
        return Schedule(None, complaint(error))
    rules = route_rules(file, file.owner_routes)
    if len({rule.provider for rule in rules}) > MOST_NAMES:
        return Schedule(None, f"it names more than {MOST_NAMES} providers")
    left = file.next_due_at - now
    return Schedule(
        file,
        rules=rules,
        days_until_due=left // timedelta(days=1),
        stale=left < timedelta(0),
        due_soon=timedelta(0) <= left <= timedelta(days=DUE_SOON_DAYS),
    )


def route_rules(file: ScheduleFile, owner_routes: OwnerRoutes) -> list[RouteRule]:
    """The routes of a file under some `owner_routes` (its own, or a notification's)."""
    rules: dict[tuple[str, str], RouteRule] = {}
    if isinstance(owner_routes, tuple):
        for listed in owner_routes:
            rule = RouteRule(
                listed.provider, listed.owner, listed.acknowledgement_minutes, listed.escalation_owner
            )
            rules[rule.owner, rule.provider] = rule
    else:
        for owner, own in owner_routes.items():
            for provider in own.providers or file.notification_providers:
                rules[owner, provider] = RouteRule(
                    provider, owner, own.acknowledgement_minutes, own.escalation_owner
                )
    ruled = {owner for owner, _ in rules}
    for owner in file.owners:
        for provider in file.notification_providers if owner not in ruled else ():
            rules[owner, provider] = RouteRule(provider, owner, DEFAULT_ACKNOWLEDGEMENT_MINUTES, "")
    return list(rules.values())


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the schedule report."""

    id: str
    status: str
    """pass, warn or fail."""
    message: str


def checks(schedule: Schedule) -> list[Check]:
    """What was checked of a schedule, the fatal first."""
    if not schedule.applies:
        return [Check("schedule_used", "warn", "The drill schedule is not used in this mode.")]
    if schedule.file is None:
        return [Check("schedule_valid", "fail", f"There is no valid schedule: {schedule.message}.")]
    due = "fail" if schedule.stale else "warn" if schedule.due_soon else "pass"
    return [
        Check("schedule_valid", "pass", "The schedule has the documented shape."),
        _check("schedule_active", schedule.active, "The schedule is active.", "Its status is not active."),
        _check(
            "cadence_valid", schedule.cadence_valid, "interval_days is valid.", "interval_days is not valid."
        ),
        _check("notification_routes", bool(schedule.rules), "There are routes.", "No owner has a provider."),
        Check("drill_due", due, f"The next drill is due in {schedule.days_until_due} days."),
    ]


def _check(name: str, held: bool, good: str, bad: str) -> Check:
    return Check(name, "pass" if held else "fail", good if held else bad)
