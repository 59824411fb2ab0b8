"""The recovery service on a free port, with peers whose history the test writes."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.recovery.v1 import recovery_pb2 as pb
from cavra.recovery.v1.recovery_pb2_grpc import RecoveryServiceStub
from cavra_service.errors import Refused

from tests.support.fake_peers import FakePeers
from tests.support.installation import Installation


class Recovery:
    """Calls recovery as an operator."""

    def __init__(self, channel: Any, installation: Installation, peers: FakePeers) -> None:
        self._stub = RecoveryServiceStub(channel)
        self._log = EvidenceLogStub(channel)
        self._caller = installation.caller("oscar", "operator")
        self.installation = installation
        self.peers = peers

    async def playbook(self, **request: Any) -> dict[str, Any]:
        """A new playbook's envelope."""
        asked = pb.CreatePlaybookRequest(**request)
        return _envelope((await self._caller.unary(self._stub.CreatePlaybook, asked)).playbook)

    async def failing(self, provider: str = "splunk") -> str:
        """Id of a playbook that names `provider`, which has failed twice."""
        for _ in range(2):
            await self.peers.deliver(provider, "timeout")
        return str((await self.playbook())["session_id"])

    async def close(self, playbook_id: str, state: str = "", provider: str = "splunk", **request: Any) -> Any:
        """A new closure's envelope."""
        asked = pb.CloseRecoveryRequest(
            playbook_id=playbook_id,
            provider=provider,
            closure_state=f"CLOSURE_STATE_{state.upper() or 'UNSPECIFIED'}",
            **request,
        )
        return await self.send(asked)

    async def send(self, asked: pb.CloseRecoveryRequest) -> Any:
        """The envelope of the closure that a request leads to."""
        return _envelope((await self._caller.unary(self._stub.CloseRecovery, asked)).closure)

    async def listed(self, **request: Any) -> list[pb.Recovery]:
        """Recoveries."""
        asked = pb.ListRecoveriesRequest(**request)
        return list((await self._caller.unary(self._stub.ListRecoveries, asked)).recoveries)

    async def refused(self, call: Any, reason: str, field: str = "") -> None:
        """`call` is refused with this reason and field, and the log has not grown."""
        before = await self.counters()
        with pytest.raises(Refused) as refused:
            await call
        assert (refused.value.reason, refused.value.field) == (reason, field)
        assert await self.counters() == before

    async def counters(self) -> dict[str, int]:
        """Every counter that is not zero, and the log's size."""
        response = await self._caller.unary(self._log.GetCounters, evidence.GetCountersRequest())
        return {"size": response.tree_size, **{name: n for name, n in response.counters.items() if n}}

    async def gauges(self) -> dict[str, int]:
        """The gauges that are not zero."""
        prefix = "gauge:recovery_"
        return {
            name.removeprefix(prefix): n
            for name, n in (await self.counters()).items()
            if name.startswith(prefix)
        }

    async def records(self, **filters: str) -> list[Any]:
        """Envelopes of the log's records, newest first."""
        asked = evidence.ListRecordsRequest(
            filters=[evidence.Filter(name=name, value=value) for name, value in filters.items()],
            page_size=500,
        )
        return [_envelope(one) for one in (await self._caller.unary(self._log.ListRecords, asked)).records]


def _envelope(record: evidence.Record) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(record.canonical)
    return document


@pytest.fixture
async def recovery(tmp_path: Path) -> AsyncIterator[Recovery]:
    """Recovery and its peers, running."""
    installation = Installation(tmp_path)
    async with (
        FakePeers(installation) as peers,  # type: ignore[abstract] # the stubs call unimplemented RPCs abstract
        installation.running("recovery") as address,
        installation.channel(address) as channel,
    ):
        yield Recovery(channel, installation, peers)
