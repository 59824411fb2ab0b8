"""Typed reads and statements of the recoveries."""

from collections.abc import Iterable, Mapping

from cavra_evidence.records.recovery import Closure
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import moment, text
from cavra_service.store.protocol import Row, Statement, Store
from cavra_verify.signatures import RECORD_TYPE, verify_signature

from cavra_recovery.domain.closures import LIVE, Recovery
from cavra_recovery.domain.playbooks import ProviderFailures


async def load(store: Store, playbook_id: str, provider: str) -> Recovery | None:
    """The recovery of one provider of one playbook, if there is one.

    Raises Refusal `evidence_mismatch` when it is not where its latest signed closure left it: a row alone closes nothing.
    """
    row = await store.row("recovery", playbook_id=playbook_id, provider=provider, kind=Closure.KIND.kind)
    if row is None:
        return None
    left = ("", "open")
    if row["signed_id"] is not None:
        closure = _closure(store, row)
        left = (closure.closure_id, closure.closure_state)
    if left != (row["closure_id"], row["state"]):
        raise _mismatch()
    return Recovery(
        playbook_id=row["playbook_id"],
        provider=row["provider"],
        state=row["state"],
        version=row["version"],
        superseded=bool(row["superseded"]),
        last_failure_at=moment(row["last_failure_at"]),
        last_failure_index=row["last_failure_index"],
        trace_ids=tuple(row["trace_ids"].split()),
        closure_id=row["closure_id"],
    )


def _closure(store: Store, row: Row) -> Closure:
    """The closure under a recovery's row, if this service signed it about that recovery."""
    try:
        verify_signature(store.signer.public, row["signature"], RECORD_TYPE, row["canonical"])
        closure = Closure.read(row["canonical"])
    except (ValueError, TypeError):
        raise _mismatch() from None
    if (closure.playbook_id, closure.provider) != (row["playbook_id"], row["provider"]):
        raise _mismatch()
    return closure


def _mismatch() -> Refusal:
    return Refusal("evidence_mismatch", "it is not where a signed closure left it", "playbook_id")


async def count_live(store: Store, providers: Iterable[str]) -> dict[tuple[str, str], int]:
    """How many recoveries of each provider are in each state that a newer playbook supersedes."""
    counts = {}
    for provider in providers:
        for state in LIVE:
            row = await store.row("count_recoveries", provider=provider, state=state)
            counts[provider, state] = 0 if row is None else row["n"]
    return counts


def supersede(live: Mapping[tuple[str, str], int]) -> list[Statement]:
    """Supersede exactly what was counted: one more or less, and the playbook is decided again."""
    return [
        Statement("supersede_recoveries", {"provider": provider, "state": state}, expect=count)
        for (provider, state), count in live.items()
    ]


def open_(playbook_id: str, failures: ProviderFailures) -> Statement:
    """Begin the recovery of a provider."""
    return Statement(
        "open_recovery",
        {
            "playbook_id": playbook_id,
            "provider": failures.provider,
            "last_failure_at": text(failures.latest_failure_at),
            "last_failure_index": failures.latest_failure_index,
            "trace_ids": " ".join(failures.delivery_ids),
        },
    )


def move(recovery: Recovery, state: str, closure_id: str) -> Statement:
    """Move `recovery` unless somebody else has."""
    return Statement(
        "move_recovery",
        {
            "playbook_id": recovery.playbook_id,
            "provider": recovery.provider,
            "version": recovery.version,
            "state": state,
            "closure_id": closure_id,
        },
        expect=1,
    )
