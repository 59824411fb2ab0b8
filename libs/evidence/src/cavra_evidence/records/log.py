"""Records by which a log speaks of itself: its keys, what is open, and what it lost. Every service's log may hold them."""

from typing import Literal

from cavra_evidence.records.base import (
    Count,
    Hash,
    Id,
    Name,
    OptionalHash,
    OptionalName,
    Reason,
    Record,
    Time,
)


class LogKey(Record, noun="log_key"):
    """By which key a log speaks from here on, or no more. Signed by the key that was good until then."""

    key_record_id: Id
    recorded_at: Time
    event: Literal["established", "rotated", "revoked"]
    """Established: the log's first key, good from index 0. Rotated: good for what follows this record, and the one before it no more.
    Revoked: what it signed at `from_index` or later does not count."""
    key_id: Name
    public_key: Hash
    """Raw Ed25519 public key, hex."""
    previous_key_id: OptionalName
    """Of a rotation: whose place it takes."""
    from_index: Count
    """Of a revocation; else 0."""
    reason: Reason


class LogHeartbeat(Record, noun="log_heartbeat"):
    """What was open when the log had `tree_size` records, so that silence and unfinished work show."""

    heartbeat_id: Id
    generated_at: Time
    trigger: Literal["changed", "interval"]
    interval_seconds: Count
    """A log that says nothing for longer was silent."""
    tree_size: Count
    open_count: Count
    open_root: Hash
    """RFC 6962 root over the names of the open items, sorted by their bytes."""


class LogLoss(Record, noun="log_loss"):
    """An operator let a log go on that does not extend its last checkpoint."""

    loss_id: Id
    recorded_at: Time
    reason: Reason
    finding: Literal["older", "rewritten", "checkpoint_missing"]
    signed_size: Count
    """Of the checkpoint that is given up; 0 when it is missing."""
    signed_root: OptionalHash
    kept_size: Count
    """Records that the store held."""
    kept_root: Hash


class LogAudit(Record, noun="log_audit"):
    """A service replayed its own log from the first record on. What other logs say is not in this: `cavra audit` holds them together."""

    report_id: Id
    audited_at: Time
    status: Literal["verified", "refuted"]
    tree_size: Count
    """Of the checkpoint that the records were replayed up to."""
    tree_root: Hash
    record_count: Count
    """Records that were read; fewer than `tree_size` where some are missing."""
    trace_count: Count
    violation_count: Count
    gap_count: Count
