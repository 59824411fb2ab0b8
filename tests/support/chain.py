"""The retry desk over a real delivery service: from a failed delivery to its retry, with a receiver of the test's own."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from cavra.delivery.v1 import delivery_pb2 as delivery
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.retry.v1 import retry_pb2 as pb

from tests.support.installation import Installation
from tests.support.retry_desk import RetryDesk, envelope

IMMEDIATE = pb.RetryPolicy(allow_immediate_retry=True)


class Chain(RetryDesk):
    """The retry desk over a real delivery service with one webhook, `hook`."""

    def __init__(self, installation: Installation, address: str, folder: Path) -> None:
        super().__init__(installation, address)
        self._config = folder / "connectors.yaml"
        self.ahead = timedelta(0)
        """How far retry's clock is ahead of delivery's, which is the real one."""

    def clock(self) -> datetime:
        """What the retry service takes for now."""
        return datetime.now(UTC) + self.ahead

    def connect(self, **hook: Any) -> None:
        """Write the connector file."""
        entry = {"kind": "webhook", "allow_private_networks": True, "circuit_failures": 0, **hook}
        self._config.write_text(yaml.safe_dump({"connectors": {"hook": entry}}))

    async def deliver(self) -> Any:
        """An audit delivery to the webhook, tried once."""
        async with self.installation.channel(self.settings.delivery_address) as channel:
            request = delivery.DeliverAuditRequest(providers=["hook"], retries=0, timeout_seconds=5)
            return await self.installation.caller("olga", "operator").unary(
                DeliveryServiceStub(channel).DeliverAudit, request
            )

    async def live(self) -> Any:
        """A live run that does not wait for the delay and tries each send once."""
        return await self.run(retry_policy=IMMEDIATE, retries=0, timeout_seconds=5)


def execution(answer: Any) -> dict[str, Any]:
    """The execution record of a run that took one retry."""
    (result,) = answer.results
    found: dict[str, Any] = envelope(result.execution)["retry_execution_record"]
    return found


def reasons(answer: Any) -> list[str]:
    """Why a run left what it left."""
    run = envelope(answer.run)["acknowledgement_audit_delivery_worker_run"]
    return [one["reason"] for one in run["follow_up_actions"]]
