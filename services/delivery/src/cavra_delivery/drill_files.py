"""The drill schedule and history files of an installation."""

from dataclasses import dataclass
from datetime import datetime

from cavra_delivery.documents import DocumentFile
from cavra_delivery.domain.history import History, judge_history
from cavra_delivery.domain.schedule import Schedule, judge_schedule
from cavra_delivery.settings import DeliverySettings


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Both files as they stand at a moment."""

    mode: str
    file_name: str
    schedule: Schedule
    history: History


class DrillFiles:
    """Reads the files at each use."""

    def __init__(self, settings: DeliverySettings) -> None:
        self._mode = settings.go_backend_mode.strip().lower() or "promoted"
        self._schedule = DocumentFile(settings.go_rollback_drill_schedule)
        self._history = DocumentFile(settings.go_rollback_drill_history)

    def report(self, now: datetime) -> DrillReport:
        """What the files say at `now`."""
        schedule = self.schedule(now)
        document = self._history.read()
        history = judge_history(document.content, document.problem, schedule.interval_days, now)
        return DrillReport(self._mode, self._schedule.name, schedule, history)

    def schedule(self, now: datetime) -> Schedule:
        """What the schedule says at `now`; in another mode than "promoted" it says nothing."""
        if self._mode != "promoted":
            return Schedule(None, "the schedule is not used in this mode", applies=False)
        document = self._schedule.read()
        return judge_schedule(document.content, document.problem, now)
