"""The audit: whole logs replayed record by record, and what they say of each other reconciled from both sides.

A bundle shows one chain and proves that it stands in the logs; only a replay shows that nothing else stands there.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from cavra_verify.canonical import CanonicalError
from cavra_verify.chain import opened
from cavra_verify.kinds import BY_KIND, BY_NOUN, Kind
from cavra_verify.merkle import Frontier, leaf_hash
from cavra_verify.policy import PinnedLog, Policy
from cavra_verify.pulse import Beat, Pulse
from cavra_verify.reconciliation import Findings, Reconciliation, moment
from cavra_verify.shapes import Shapes
from cavra_verify.signature_checks import SignatureChecks, Signed
from cavra_verify.signatures import SignatureError

AUDIT_SCHEMA: Final = "cavra.audit-report.v1"
_MOST_LISTED: Final = 200

Entry = tuple[int, bytes, bytes]
"""(index, canonical bytes, signature); the signature is empty on a kind that is not signed."""

_HEARTBEAT: Final = BY_NOUN["log_heartbeat"].kind
_LOSS: Final = BY_NOUN["log_loss"].kind
_NEVER: Final = "0001-01-01T00:00:00+00:00"


@dataclass(frozen=True, slots=True)
class LogReport:
    """One log in numbers."""

    origin: str
    tree_size: int
    """Size of its signed checkpoint: records beyond it are not looked at. 0 when no pinned key signed it."""
    records: int
    traces: int
    kinds: Mapping[str, int]
    """Records by noun."""
    unchecked_causes: int
    """Causes in logs that were not replayed."""
    last_beat: Beat | None
    """Its newest heartbeat; None where it has none."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an audit found."""

    logs: tuple[LogReport, ...]
    violations: Findings
    gaps: Findings
    """Indexes and links that are missing, and losses that somebody accepted."""
    silences: Findings
    """When logs had no heartbeat for longer than they said: a service that was stopped has none either, so these refute nothing."""
    intents: int
    executions: int
    open_intents: tuple[str, ...]
    """Executions that were begun shortly before the heads and have no end up to them, at most 200: not wrong, but to be looked at."""
    unreconciled: tuple[str, ...]
    """Services whose logs were not replayed, so that nothing was held against them."""

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 violations or gaps, 2 a log that the policy pins was not replayed."""
        if self.violations.count or self.gaps.count:
            return 1
        return 2 if self.unreconciled else 0

    def document(self) -> dict[str, Any]:
        """The report for programs."""
        return {
            "schema_version": AUDIT_SCHEMA,
            "status": ("verified", "refuted", "unchecked")[self.exit_code],
            "logs": [
                {
                    "origin": one.origin,
                    "tree_size": one.tree_size,
                    "records": one.records,
                    "traces": one.traces,
                    "kinds": dict(one.kinds),
                    "unchecked_causes": one.unchecked_causes,
                    "last_heartbeat": one.last_beat and _beat_document(one.last_beat),
                }
                for one in self.logs
            ],
            "violation_count": self.violations.count,
            "violations": list(self.violations.listed),
            "gap_count": self.gaps.count,
            "gaps": list(self.gaps.listed),
            "silence_count": self.silences.count,
            "silences": list(self.silences.listed),
            "intents": self.intents,
            "executions": self.executions,
            "open_intents": list(self.open_intents),
            "unreconciled": list(self.unreconciled),
        }


def _beat_document(beat: Beat) -> dict[str, Any]:
    return {
        "at": beat.at.isoformat(),
        "interval_seconds": beat.interval_seconds,
        "open_count": beat.open_count,
        "open_root": beat.open_root,
    }


@dataclass(slots=True)
class _Replayed:
    """What of a log has to be remembered: about 150 bytes a record, and 250 a trace."""

    log: PinnedLog
    settled: int
    """Up to here other logs are to hold what this one names."""
    pulse: Pulse
    size: int = 0
    records: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    hashes: set[bytes] = field(default_factory=set)
    heads: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Trace -> (records so far, hash of the newest)."""
    elsewhere: dict[str, set[bytes]] = field(default_factory=dict)
    """Service -> hashes of its records that are named here."""
    last_created_at: str = ""


class Audit:
    """Replays one log after another, then holds them against each other."""

    def __init__(self, policy: Policy, *, signatures: bool = True, jobs: int = 1) -> None:
        """`signatures`: whether each signed record's own signature is checked too, by `jobs` threads, each on a core of its own.

        The checkpoint's always is and covers the same bytes; but who appends to a running service's database, without its key, has the
        service sign a checkpoint over that, and only the record's own signature tells.
        """
        self._policy = policy
        self._signatures = signatures
        self._shapes = Shapes()
        self._logs: dict[str, _Replayed] = {}
        self._violations = Findings()
        self._gaps = Findings()
        self._silences = Findings()
        self._retries = Reconciliation(self._violations)
        self._signed = SignatureChecks(self._violations, jobs)

    def replay(
        self,
        origin: str,
        entries: Iterable[Entry],
        checkpoint: str,
        since: Sequence[str] = (),
        settled: int | None = None,
    ) -> None:
        """Read one log from its first record up to its signed checkpoint.

        `since` are checkpoints of the same log that the auditor kept: the log must have had their roots at their sizes. Logs that grow
        meanwhile are of different moments: only records below `settled` (all, if it is not given) are held against other logs, so it is
        a size that this one had before any of the checkpoints was made. Raises KeyError for an origin that the policy does not pin; all
        else is a finding.
        """
        log = self._policy.logs[origin]
        state = self._logs[origin] = _Replayed(
            log, 2**63 if settled is None else settled, Pulse(origin, self._silences)
        )
        try:
            head = opened(checkpoint, log)
            kept = {one.size: one.root for one in (opened(note, log) for note in since)}
        except SignatureError as error:
            self._violations.add(f"{origin}: {error}")
            return
        state.size = head.size
        kept[head.size] = head.root
        self._read(state, entries, kept)
        self._signed.finish()

    def _read(self, state: _Replayed, entries: Iterable[Entry], kept: Mapping[int, bytes]) -> None:
        """Read a log up to the size that is signed; `kept` are its roots by size."""
        origin, roots = state.log.origin, list[bytes]()
        for index, data, signature in entries:
            if index >= state.size:
                break
            if index != state.records:
                self._gaps.add(f"{origin}: got record {index}, expected {state.records}")
                return
            digest = leaf_hash(data)
            _grow(roots, index, digest)
            state.records += 1
            if state.records in kept:
                self._compare(state, roots, kept[state.records])
            self._record(state, index, data, signature, digest)
        if state.records != state.size:
            self._gaps.add(f"{origin}: got {state.records} records, expected {state.size}")

    def found(self, violation: str) -> None:
        """Add what whoever reads the logs found by itself, such as a log that refuses to sign."""
        self._violations.add(violation)

    def _compare(self, state: _Replayed, roots: Sequence[bytes], expected: bytes) -> None:
        root = Frontier(state.records, tuple(roots)).root()
        if root != expected:
            self._violations.add(
                f"{state.log.origin}: got root {root.hex()} at {state.records}, expected {expected.hex()}"
            )

    def _record(self, state: _Replayed, index: int, data: bytes, signature: bytes, digest: bytes) -> None:
        where = f"{state.log.origin} {index}"
        try:
            document = self._shapes.parse(data)
            kind = BY_KIND[document["metadata_kind"]]
            self._links(state, index, document, digest)
            self._checks(state, where, document, kind)
            self._tells(state, index, where, document, kind.kind)
        except CanonicalError as error:
            self._violations.add(f"{where}: {error}")
            return
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self._violations.add(f"{where}: got a record without the shape of its kind ({error!s:.80})")
            return
        told = f"{where}: got {kind.noun} {document['session_id']}"
        if kind.signed and self._signatures:
            self._signed.add(Signed(state.log, index, data, signature, told))
        if signature and not kind.signed:
            self._violations.add(f"{told} with a signature, expected none on this kind")

    def _checks(self, state: _Replayed, where: str, document: Mapping[str, Any], kind: Kind) -> None:
        state.kinds[kind.noun] += 1
        if kind.noun not in state.log.kinds:
            self._violations.add(f"{where}: got a {kind.noun}, which this log may not hold")
        if document[kind.key][kind.id_field] != document["session_id"]:
            self._violations.add(f"{where}: got another id in the record than in its envelope")
        if document["created_at"] < state.last_created_at:
            self._violations.add(
                f"{where}: got {document['created_at']}, expected a time not before the last"
            )
        state.last_created_at = document["created_at"]

    def _links(self, state: _Replayed, index: int, document: Mapping[str, Any], digest: bytes) -> None:
        own, hashes = state.log.service, state.hashes
        for cause in document["causes"]:
            service, named = BY_KIND[cause["kind"]].log, bytes.fromhex(cause["record_hash"])
            if service in ("", own):
                if named not in hashes:
                    self._violations.add(
                        f"{state.log.origin} {index}: got cause {cause['id']}, expected an earlier record"
                    )
            elif index < state.settled:
                state.elsewhere.setdefault(service, set()).add(named)
        hashes.add(digest)
        chains, heads = document["chains"], state.heads
        if len(chains) != len(document["trace_ids"]):
            self._violations.add(f"{state.log.origin} {index}: got links for other traces than it names")
        for trace in document["trace_ids"]:
            seq, prev = heads.get(trace, (0, ""))
            link = chains[trace]
            if link["seq"] != seq or link["prev"] != prev:
                self._gaps.add(
                    f"{state.log.origin} {index}: got link {link['seq']} of {trace}, expected {seq}"
                )
            heads[trace] = (seq + 1, digest.hex())

    def _tells(self, state: _Replayed, index: int, where: str, document: dict[str, Any], kind: str) -> None:
        """What some kinds say beyond their own chain: of retries, and of the log itself."""
        if index == 0:
            state.pulse.begin(document)
        if kind in _RECONCILED:
            _RECONCILED[kind](self._retries, document, where, index < state.settled)
        elif kind == _HEARTBEAT:
            state.pulse.beat(document, index)
        elif kind == _LOSS:
            self._loss(document["log_loss"], where)

    def _loss(self, body: Mapping[str, Any], where: str) -> None:
        self._gaps.add(
            f"{where}: got a loss that somebody accepted ({body['finding']}): {body['signed_size']} records were signed,"
            f" {body['kept_size']} kept"
        )

    def report(self, now: datetime | None = None) -> Report:
        """What was found, with the logs held against each other. To be asked for once.

        `now`: until when every log is to have been heard of, by the auditor's clock; left out, until the newest record of any.
        """
        ends = self._ends()
        self._retries.reconcile(ends)
        for state in self._logs.values():
            if ends:
                state.pulse.until(max([*ends.values(), *([now] if now else [])]))
        replayed = {state.log.service for state in self._logs.values()}
        missing = {log.service for log in self._policy.logs.values()} - replayed
        return Report(
            tuple(self._log_report(state) for state in self._logs.values()),
            self._violations,
            self._gaps,
            self._silences,
            len(self._retries.intents),
            len(self._retries.executions),
            tuple(self._retries.open_intents[:_MOST_LISTED]),
            tuple(sorted(missing)),
        )

    def _ends(self) -> dict[str, datetime]:
        """When each service's log, as far as it was replayed, was last written."""
        ends = {}
        for state in self._logs.values():
            try:
                ends[state.log.service] = moment(state.last_created_at or _NEVER)
            except ValueError as error:
                self._violations.add(f"{state.log.origin}: got an end at no time ({error!s:.80})")
                ends[state.log.service] = moment(_NEVER)
        return ends

    def _log_report(self, state: _Replayed) -> LogReport:
        hashes = {one.log.service: one.hashes for one in self._logs.values()}
        unchecked = 0
        for service, named in state.elsewhere.items():
            if service not in hashes:
                unchecked += len(named)
                continue
            for one in named - hashes[service]:
                self._violations.add(
                    f"{state.log.origin}: got cause {one.hex()}, expected it in the log of {service}"
                )
        return LogReport(
            state.log.origin,
            state.size,
            state.records,
            len(state.heads),
            dict(state.kinds),
            unchecked,
            state.pulse.last,
        )


_RECONCILED: Final = {
    BY_NOUN["retry_intent"].kind: Reconciliation.intent,
    BY_NOUN["execution_record"].kind: Reconciliation.execution,
    BY_NOUN["connector_delivery"].kind: Reconciliation.delivery,
}


def _grow(roots: list[bytes], index: int, node: bytes) -> None:
    """Add one leaf to the roots of complete subtrees: `merkle.Frontier.append` without what a replay throws away."""
    while index & 1:
        node = sha256(b"\x01" + roots.pop() + node).digest()
        index >>= 1
    roots.append(node)
