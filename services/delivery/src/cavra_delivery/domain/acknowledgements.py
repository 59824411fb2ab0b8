"""Acknowledgements of notifications: one covers all routes that a plan delivered to one provider."""

from dataclasses import dataclass, replace
from datetime import datetime

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.delivery import NotificationAck
from cavra_evidence.times import text
from cavra_verify.kinds import BY_NOUN
from cavra_verify.secret_rules import SCANNED_CONTROL


@dataclass(frozen=True, slots=True)
class Notice:
    """What is acknowledged as one. The state is empty until the first acknowledgement."""

    plan_id: str
    provider: str
    schedule_id: str
    acknowledgement_state: str
    version: int


@dataclass(frozen=True, slots=True)
class Said:
    """What an operator says to a notice."""

    state: str
    external_ref: str
    notes: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A notice and the acknowledgement that counts for it now."""

    before: Notice
    after: Notice
    ack: NotificationAck
    draft: Draft

    @property
    def outstanding_delta(self) -> int:
        """By how much the outstanding acknowledgements move: only the first one takes a notice off."""
        return 0 if self.before.acknowledgement_state else -1


def acknowledge(notice: Notice, said: Said, actor: Actor, ack_id: str, now: datetime) -> Acknowledged:
    """Acknowledge a notice, for the first time or again: the newest counts.

    Raises pydantic.ValidationError for a reference or notes that no record may hold.
    """
    ack = NotificationAck(
        acknowledgement_id=ack_id,
        schedule_id=notice.schedule_id,
        plan_id=notice.plan_id,
        provider=notice.provider,
        acknowledged_by=actor.name,
        acknowledgement_state=said.state,
        acknowledged_at=text(now),
        external_ref=said.external_ref,
        notes=said.notes,
        controls=["notes_scanned", SCANNED_CONTROL],
    )
    plan = Cause(notice.plan_id, BY_NOUN["notification_plan"].kind)
    after = replace(notice, acknowledgement_state=said.state, version=notice.version + 1)
    return Acknowledged(notice, after, ack, Draft(ack, actor, (plan,), (notice.plan_id,)))
