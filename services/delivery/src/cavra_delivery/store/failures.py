"""Sends, attempts and failures: statements that keep them, reads that give them back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
from cavra_evidence.draft import Cause
from cavra_evidence.records.delivery import ProviderDelivery
from cavra_evidence.times import moment, text
from cavra_service.store.protocol import Row, Statement, Store
from cavra_verify.kinds import BY_NOUN

from cavra_delivery.domain.deliveries import Send
from cavra_delivery.domain.failures import Failure

Key = tuple[str, str, str]
"""(delivery_id, audit_id, provider)."""


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """A failure with the records it names, hashes included."""

    failure: Failure
    latest_record: Cause
    original_record: Cause


@dataclass(frozen=True, slots=True)
class Execution:
    """What is known of an execution that began or was fenced."""

    fenced_reason: str
    """Why it never begins; empty when it began."""
    record_id: str
    own_id: str
    """The retry's own delivery plan."""
    outcome: str
    """Empty while the attempt is under way."""


def begin_statements(send: Send, providers: Iterable[str], now: datetime) -> list[Statement]:
    """The durable rows that stand before any byte goes out."""
    frame = send.model_dump_json()
    statements = [
        Statement("insert_send", {"record_id": send.record_id, "own_id": send.own_id, "frame": frame})
    ]
    if send.is_retry:
        statements.append(_execution(send.execution_id, "", now))
    for provider in providers:
        params = {
            "record_id": send.record_id,
            "provider": provider,
            "delivery_id": send.delivery_id,
            "audit_id": send.audit_id,
            "attempt_number": send.attempt_number,
            "execution_id": send.execution_id or None,
            "begun_at": text(now),
        }
        statements.append(Statement("insert_attempt", params))
    return statements


def fence_statement(execution_id: str, reason: str, now: datetime) -> Statement:
    """No attempt of this execution ever begins; a Conflict when one has, or when it is fenced already."""
    return _execution(execution_id, reason, now)


def _execution(execution_id: str, fenced_reason: str, now: datetime) -> Statement:
    params = {"execution_id": execution_id, "fenced_reason": fenced_reason, "served_at": text(now)}
    return Statement("insert_execution", params)


def settle_statements(send: Send, deliveries: Sequence[ProviderDelivery], now: datetime) -> list[Statement]:
    """What a send's outcome leaves beside its record."""
    statements = [Statement("settle_send", {"record_id": send.record_id}, expect=1)]
    for one in deliveries:
        params = {
            "record_id": send.record_id,
            "provider": one.provider,
            "outcome": one.outcome,
            "settled_at": text(now),
        }
        statements.append(Statement("settle_attempt", params, expect=1))
        if send.counts_for_playbooks and not one.success:
            failed = {
                "provider": one.provider,
                "failed_at": text(now),
                "record_id": send.record_id,
                "status_code": one.status_code or 0,
                "reason": one.error,
                "delivery_id": send.delivery_id,
            }
            statements.append(Statement("insert_failed_delivery", failed))
    return statements


def failure_statement(failure: Failure) -> Statement:
    """Keep a failure as it is now: a new one, or the next version of what was decided on."""
    params = {
        "delivery_id": failure.delivery_id,
        "audit_id": failure.audit_id,
        "provider": failure.provider,
        "state": failure.state,
        "in_flight": int(failure.in_flight),
        "failure_count": failure.failure_count,
        "attempt_count": failure.attempt_count,
        "status_codes": orjson.dumps(failure.status_codes).decode(),
        "latest_failed_at": text(failure.latest_failed_at),
        "latest_delivery_id": failure.latest_delivery_id,
        "latest_record_id": failure.latest_record_id,
        "version": failure.version,
    }
    if failure.version:
        return Statement("update_failure", params, expect=1)
    params |= {
        "first_failed_at": text(failure.first_failed_at),
        "original_record_id": failure.original_record_id,
    }
    return Statement("insert_failure", params)


async def find_failure(store: Store, key: Key) -> StoredFailure | None:
    """One failure, open or not."""
    return (await find_failures(store, [key]))[0]


async def find_failures(store: Store, keys: Sequence[Key]) -> list[StoredFailure | None]:
    """Failures, open or not; None for a key without one."""
    found = await store.each("failure", [_place(key) for key in keys])
    return [failure_of(rows[0]) if rows else None for rows in found]


def _place(key: Key) -> dict[str, str]:
    return {"delivery_id": key[0], "audit_id": key[1], "provider": key[2]}


async def open_failures(
    store: Store, provider: str, after: Key, limit: int
) -> tuple[list[StoredFailure], int]:
    """(open failures after (first_failed_at, delivery_id, provider), oldest first; how many there are in all)."""
    place = {
        "first_failed_at": after[0],
        "delivery_id": after[1],
        "provider": provider or after[2],
        "limit": limit,
    }
    if provider:
        rows = await store.rows("open_failures_of_provider", **place)
        count = await store.row("count_open_failures_of_provider", provider=provider)
        total = 0 if count is None else count["n"]
    else:
        rows = await store.rows("open_failures", **place)
        count = await store.row("counter", name="gauge:open_failures")
        total = 0 if count is None else count["value"]
    return [failure_of(row) for row in rows], total


async def find_execution(store: Store, execution_id: str) -> Execution | None:
    """What is known of an execution, or None for one that was never heard of."""
    return (await find_executions(store, [execution_id]))[0]


async def find_executions(store: Store, execution_ids: Sequence[str]) -> list[Execution | None]:
    """As `find_execution`, of each."""
    found = await store.each("execution", [{"execution_id": one} for one in execution_ids])
    return [_execution_of(rows[0]) if rows else None for rows in found]


def _execution_of(row: Row) -> Execution:
    return Execution(row["fenced_reason"], row["record_id"] or "", row["own_id"] or "", row["outcome"] or "")


async def original_outcomes(store: Store, keys: Sequence[Key]) -> list[str]:
    """Outcome of each delivery's first attempt; empty when there was none."""
    found = await store.each("attempt", [{**_place(key), "attempt_number": 1} for key in keys])
    return [rows[0]["outcome"] if rows else "" for rows in found]


async def settled_send(store: Store, own_id: str) -> str:
    """Id of the record of the send that carries out a plan; empty when there is none (yet)."""
    row = await store.row("send_by_own_id", own_id=own_id)
    return row["record_id"] if row is not None and row["state"] == "settled" else ""


async def begun_sends(store: Store) -> list[tuple[Send, dict[str, datetime]]]:
    """Sends without an outcome, each with when it began at each provider."""
    found = []
    for row in await store.rows("sends_begun"):
        attempts = await store.rows("attempts_of_send", record_id=row["record_id"])
        begun = {attempt["provider"]: moment(attempt["begun_at"]) for attempt in attempts}
        found.append((Send.model_validate_json(row["frame"]), begun))
    return found


@dataclass(frozen=True, slots=True)
class FailureSummary:
    """Failed connector deliveries of one provider."""

    provider: str
    count: int
    latest_at: datetime
    status_codes: list[int]
    reasons: list[str]
    delivery_ids: list[str]
    records: list[Cause]
    latest_index: int


async def summarize(store: Store, since: datetime, provider: str, limit: int) -> list[FailureSummary]:
    """Failed connector deliveries per provider, by name. `limit` bounds ids and records; the latest record is always among them."""
    names = [provider] if provider else await _failed_providers(store)
    summaries = [await _summary(store, name, text(since), limit) for name in names]
    return [summary for summary in summaries if summary is not None]


async def _failed_providers(store: Store) -> list[str]:
    names, after = [], ""
    while (row := await store.row("failed_providers", after=after)) is not None and row["provider"]:
        after = row["provider"]
        names.append(after)
    return names


async def _summary(store: Store, provider: str, since: str, limit: int) -> FailureSummary | None:
    place = {"provider": provider, "since": since}
    row = await store.row("failed_summary", **place)
    latest = await store.row("failed_record_latest", **place)
    if row is None or latest is None:
        return None
    codes = await store.rows("failed_codes", **place)
    ids = await store.rows("failed_delivery_ids", **place, limit=limit)
    oldest = {_cause(one): None for one in await store.rows("failed_records_oldest", **place, limit=limit)}
    newest = _cause(latest)
    records = list(oldest) if newest in oldest else [*list(oldest)[: limit - 1], newest]
    return FailureSummary(
        provider,
        row["n"],
        moment(row["latest"]),
        sorted({one["status_code"] for one in codes if one["status_code"]}),
        sorted({one["reason"] for one in codes}),
        [one["delivery_id"] for one in ids],
        records,
        latest["idx"],
    )


def _cause(row: Row) -> Cause:
    return Cause(row["id"], row["kind"], bytes(row["record_hash"]).hex())


def failure_of(row: Row) -> StoredFailure:
    """A failure from its row and the hashes beside it."""
    failure = Failure(
        row["delivery_id"],
        row["audit_id"],
        row["provider"],
        row["state"],
        bool(row["in_flight"]),
        row["failure_count"],
        row["attempt_count"],
        tuple(orjson.loads(row["status_codes"])),
        moment(row["first_failed_at"]),
        moment(row["latest_failed_at"]),
        row["latest_delivery_id"],
        row["latest_record_id"],
        row["original_record_id"],
        row["version"],
    )
    kind = BY_NOUN["connector_delivery"].kind
    return StoredFailure(
        failure,
        Cause(failure.latest_record_id, kind, bytes(row["latest_record_hash"]).hex()),
        Cause(failure.original_record_id, kind, bytes(row["original_record_hash"]).hex()),
    )
