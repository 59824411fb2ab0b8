"""Settings of the retry service: the installation's approval policy, which a request may only tighten."""

from cavra_service.settings import Settings
from pydantic import Field


class RetrySettings(Settings):
    """What the retry service needs to know. Each field is the environment variable CAVRA_<NAME>."""

    approval_required_approvals: int = Field(1, ge=1, le=10)
    """Distinct approvers that an item takes at least."""
    approval_expires_in_minutes: int = Field(240, ge=1, le=10_080)
    """Minutes that an item stays approvable and usable at most."""
    approval_separation_of_duties: bool = True
    """Whether planner, acknowledger, approver and executor must differ."""
    approval_require_retry_ack: bool = True
    """Whether an item needs an acknowledged retry plan."""
    approval_max_attempts: int = Field(20, ge=1, le=20)
    """Failures from which nothing is retried, whatever a request's policy says."""
    worker_interval_seconds: float = Field(60.0, gt=0)
    """Seconds between two looks of the worker for what is approved and due, where `worker_enabled`."""
