"""What the console offers, in the order of the operator's flow: each entry's name, page and operation of the API."""

from dataclasses import dataclass
from typing import Final

from cavra_gateway.access import ROLES
from cavra_gateway.console.session import PATH, Visitor


@dataclass(frozen=True, slots=True)
class Entry:
    """One page."""

    title: str
    path: str
    icon: str
    operation: str = ""
    """The operation that its form runs; empty for a page that only reads."""
    step: int = 0
    """Its place in the flow; 0 for what is no step."""

    @property
    def href(self) -> str:
        """Where it is."""
        return PATH + self.path

    def refusal(self, visitor: Visitor) -> str:
        """Why `visitor` may not run it; empty when they may."""
        if not self.operation or visitor.may(self.operation):
            return ""
        roles = " or ".join(sorted(ROLES[self.operation] - {"service"}))
        return f"Needs the role {roles}"


INBOX: Final = Entry("Inbox", "/", "inbox")
FLOW: Final = (
    Entry("Deliver Audit", "/deliver-audit", "send", "deliver_audit", 1),
    Entry("Plan Audit Retry", "/plan-audit-retry", "plan", "plan_retries", 2),
    Entry("Ack Retry", "/ack-retry", "ack", "acknowledge_retry", 3),
    Entry("Plan Retry Approval", "/plan-retry-approval", "list", "plan_approval", 4),
    Entry("Approve Retry", "/approve-retry", "approve", "decide_approval", 5),
    Entry("Execute Retry", "/execute-retry", "run", "run_worker", 6),
    Entry("Recovery Playbook", "/recovery-playbook", "book", "create_playbook", 7),
    Entry("Close Recovery", "/close-recovery", "close", "close_recovery", 8),
)
EVIDENCE: Final = (
    Entry("Trace", "/trace", "trace"),
    Entry("History", "/history", "history"),
    Entry("Dashboard", "/dashboard", "chart"),
)
"""Shown as soon as their pages are served."""
