"""The RecoveryService: decode, load, ask the peers, decide, commit, encode."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from cavra.recovery.v1 import recovery_pb2 as pb
from cavra.recovery.v1 import recovery_pb2_grpc as rpc
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.recovery import Playbook
from cavra_evidence.times import moment
from cavra_service.errors import Refused
from cavra_service.identity import caller
from cavra_service.keys import ServiceKeys
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import record_of_entry, record_of_row, timestamp
from cavra_verify.kinds import BY_NOUN

from cavra_recovery.domain import closures, playbooks
from cavra_recovery.domain.closures import ClosureRequest, Evidence, Recovery
from cavra_recovery.domain.references import Reference, check_steps, read_references, unresolved
from cavra_recovery.genuine import genuine
from cavra_recovery.peers import Peers
from cavra_recovery.store import recoveries

T = TypeVar("T")

_LISTED: Final = 100
_MOST_LISTED: Final = 500
_ORDER: Final = ("resolved", "mitigated", "deferred", "escalated", "reopened")
"""In which the states that a recovery may move to are listed."""

_STATES: Final = {
    pb.CLOSURE_STATE_UNSPECIFIED: "resolved",
    pb.CLOSURE_STATE_RESOLVED: "resolved",
    pb.CLOSURE_STATE_MITIGATED: "mitigated",
    pb.CLOSURE_STATE_DEFERRED: "deferred",
    pb.CLOSURE_STATE_ESCALATED: "escalated",
    pb.CLOSURE_STATE_REOPENED: "reopened",
}


class RecoveryService(rpc.RecoveryServiceServicer):
    """Playbooks and closures over one store."""

    def __init__(self, store: Store, peers: Peers, keys: ServiceKeys, clock: Callable[[], datetime]) -> None:
        """`keys`: this service's own, by which it checks what it signed itself."""
        self._store = store
        self._peers = peers
        self._keys = keys
        self._clock = clock

    async def CreatePlaybook(
        self, request: pb.CreatePlaybookRequest, context: Any
    ) -> pb.CreatePlaybookResponse:
        """See the contract."""
        least = _within(request, "min_failure_count", 2, 1_000)
        hours = _within(request, "lookback_hours", 24, 8_760)
        now = self._clock()
        selection = playbooks.select(await self._peers.failures(now - timedelta(hours=hours)), least)
        failed = await self._peers.records("delivery", selection.record_ids)
        causes = [evidence.cause for evidence in failed.values()]
        playbook_id = new_id(BY_NOUN["playbook"].prefix)
        draft = playbooks.compose(selection, causes, playbook_id, hours, least, caller().actor, now)

        async def decide() -> list[Entry]:
            live = await recoveries.count_live(self._store, [one.provider for one in selection.providers])
            opened = [recoveries.open_(playbook_id, failures) for failures in selection.providers]
            gauges = closures.opened(len(opened), live)
            return await self._store.commit(Commit([draft], [*recoveries.supersede(live), *opened], gauges))

        (entry,) = await decided(self._store, "playbooks", decide)
        return pb.CreatePlaybookResponse(playbook=record_of_entry(entry, self._store.origin))

    async def CloseRecovery(self, request: pb.CloseRecoveryRequest, context: Any) -> pb.CloseRecoveryResponse:
        """See the contract."""
        asked = _closure_request(request)
        references = read_references(asked.verification_refs)
        recovery = await self._load(request.playbook_id, request.provider)
        closures.check_transition(recovery, asked.state)
        evidence = await self._evidence(recovery, asked, references)
        last_failure = await self._last_failure(recovery, asked, evidence)
        closure_id = new_id(BY_NOUN["closure"].prefix)

        async def decide() -> list[Entry]:
            current = await self._load(request.playbook_id, request.provider)
            draft = closures.close(
                current, asked, evidence, last_failure, closure_id, caller().actor, self._clock()
            )
            moved = closures.moved(current.state, asked.state)
            return await self._store.commit(
                Commit([draft], [recoveries.move(current, asked.state, closure_id)], moved)
            )

        subject = f"{request.playbook_id}/{request.provider}"
        (entry,) = await decided(self._store, subject, decide)
        return pb.CloseRecoveryResponse(closure=record_of_entry(entry, self._store.origin))

    async def ListRecoveries(
        self, request: pb.ListRecoveriesRequest, context: Any
    ) -> pb.ListRecoveriesResponse:
        """See the contract."""
        if not 0 <= request.limit <= _MOST_LISTED:
            raise Refused("invalid_value", f"0 to {_MOST_LISTED}", "limit")
        limit = request.limit or _LISTED
        if request.playbook_id:
            rows = await self._store.rows(
                "recoveries_of_playbook", playbook_id=request.playbook_id, limit=limit
            )
        else:
            rows = await self._store.rows("live_recoveries", limit=limit)
        return pb.ListRecoveriesResponse(
            recoveries=[
                pb.Recovery(
                    playbook_id=row["playbook_id"],
                    provider=row["provider"],
                    state=row["state"],
                    superseded=bool(row["superseded"]),
                    last_failure_at=timestamp(moment(row["last_failure_at"])),
                    closure_id=row["closure_id"],
                    next_states=[]
                    if row["superseded"]
                    else sorted(closures.TRANSITIONS[row["state"]], key=_ORDER.index),
                )
                for row in rows
            ]
        )

    async def _load(self, playbook_id: str, provider: str) -> Recovery:
        recovery = await recoveries.load(self._store, playbook_id, provider)
        if recovery is not None:
            return recovery
        if await self._playbook(playbook_id) is None:
            raise Refused("unknown_playbook", "no playbook has this id", "playbook_id")
        raise Refused("unknown_provider", "the playbook does not name this provider", "provider")

    async def _playbook(self, playbook_id: str) -> bytes | None:
        """Canonical bytes of a playbook, if the log holds it."""
        row = await self._store.row("record", id=playbook_id)
        return None if row is None or row["kind"] != Playbook.KIND.kind else row["canonical"]

    async def _evidence(
        self, recovery: Recovery, asked: ClosureRequest, references: list[Reference]
    ) -> list[Evidence]:
        """The records that the references name, and for a resolution the deliveries of the executions among them."""
        await self._check_steps(recovery, references)
        evidence = []
        for service in ("recovery", "delivery", "retry"):
            evidence += await self._resolve(
                service, [one for one in references if one.kind and one.kind.log == service]
            )
        if asked.state == "resolved":
            deliveries = [closures.delivery_of(one, recovery.provider) for one in evidence]
            evidence += (await self._peers.records("delivery", [one for one in deliveries if one])).values()
        return evidence

    async def _resolve(self, service: str, references: list[Reference]) -> list[Evidence]:
        ids = [reference.record_id for reference in references]
        found = await (self._own_records(ids) if service == "recovery" else self._peers.records(service, ids))
        for reference in references:
            if reference.record_id not in found:
                raise unresolved(reference.field)
        return list(found.values())

    async def _own_records(self, ids: list[str]) -> dict[str, Evidence]:
        rows = [await self._store.row("record", id=one) for one in ids]
        records = [record_of_row(row, self._store.origin) for row in rows if row is not None]
        return genuine(records, "recovery", self._keys)

    async def _check_steps(self, recovery: Recovery, references: list[Reference]) -> None:
        if not any(reference.step_id for reference in references):
            return
        canonical = await self._playbook(recovery.playbook_id)
        items = Playbook.read(canonical or b"").provider_playbooks
        steps = [
            step.step_id
            for item in items
            if item.provider == recovery.provider
            for step in item.recovery_steps
        ]
        check_steps(references, steps)

    async def _last_failure(self, recovery: Recovery, asked: ClosureRequest, evidence: list[Evidence]) -> int:
        """Where the provider's last failure stands in delivery's log: asked anew only when a resolution hangs on it."""
        known = recovery.last_failure_index
        if asked.state != "resolved" or closures.accepted_index(evidence, recovery.provider) <= known:
            return known
        since = await self._peers.failures(recovery.last_failure_at, recovery.provider)
        return max([known, *(failures.latest_failure_index for failures in since)])


def _closure_request(request: pb.CloseRecoveryRequest) -> ClosureRequest:
    if request.closure_state not in _STATES:
        raise Refused("invalid_value", "no such closure state", "closure_state")
    if not request.provider:
        raise Refused("invalid_value", "a provider is needed", "provider")
    return ClosureRequest(
        _STATES[request.closure_state],
        request.external_ref,
        request.notes,
        tuple(request.verification_refs),
    )


def _within(request: pb.CreatePlaybookRequest, field: str, default: int, most: int) -> int:
    value: int = getattr(request, field) if request.HasField(field) else default
    if not 1 <= value <= most:
        raise Refused("invalid_value", f"1 to {most}", field)
    return value
