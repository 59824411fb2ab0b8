"""The drill history: the optional file's shape and what its latest drill shows.

environment: production
drills:
  - {drill_id: d-1, status: passed, target_mode: fallback, executed_at: 2026-11-01T09:00:00Z, fallback_verified: true,
     recovery_minutes: 12, max_recovery_minutes: 30, evidence_refs: [OPS-12], runbook_ref: ""}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field, ValidationError

from cavra_delivery.domain.schedule import Check
from cavra_delivery.domain.shapes import FilePart, Moment, Text, complaint

Minutes = Annotated[int, Field(ge=0, le=525_600)]


class Drill(FilePart):
    """One drill that was made."""

    drill_id: Text
    status: Text = ""
    target_mode: Text = ""
    executed_at: Moment
    fallback_verified: bool = False
    recovery_minutes: Minutes = 0
    max_recovery_minutes: Minutes = 0
    runbook_ref: Text = ""
    evidence_refs: Annotated[tuple[Text, ...], Field(max_length=50)] = ()


class HistoryFile(FilePart):
    """The drill history file."""

    schema_version: Text = ""
    environment: Text = ""
    runbook_ref: Text = ""
    drills: Annotated[tuple[Drill, ...], Field(max_length=10_000)] = ()


@dataclass(frozen=True, slots=True)
class History:
    """The history as it stands at a moment. Without a file, `message` says why."""

    file: HistoryFile | None
    message: str = ""
    latest: Drill | None = None
    age_days: int = 0
    fresh: bool = False
    """Whether the latest drill is younger than the schedule's interval."""

    @property
    def recovery_sla_met(self) -> bool:
        """Whether the latest drill recovered within the minutes it may take."""
        return self.latest is not None and self.latest.recovery_minutes <= self.latest.max_recovery_minutes


def judge_history(
    content: Mapping[str, Any] | None, problem: str, interval_days: int, now: datetime
) -> History:
    """What a history document says at `now`; without content, `problem` says why there is none."""
    if content is None:
        return History(None, problem)
    try:
        file = HistoryFile.model_validate(content)
    except ValidationError as error:
        return History(None, complaint(error))
    latest = max(file.drills, key=lambda drill: drill.executed_at, default=None)
    if latest is None:
        return History(file, "the file names no drill")
    age = max(now - latest.executed_at, timedelta(0))
    return History(file, "", latest, age.days, age < timedelta(days=interval_days))


def history_check(history: History) -> Check:
    """The history's line in the report: it never decides the status, since the file is optional."""
    if history.latest is None:
        return Check("drill_history", "warn", f"No past drill is known: {history.message}.")
    if not history.fresh:
        return Check("drill_history", "warn", f"The latest drill is {history.age_days} days old.")
    return Check("drill_history", "pass", "The latest drill is younger than the interval.")
