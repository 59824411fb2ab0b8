"""The RPCs of the retry service: decode, authorise, load, decide, commit, encode."""

from collections.abc import Mapping
from typing import Final

from cavra.retry.v1 import retry_pb2_grpc as rpc
from cavra_service.idempotency import Completion
from cavra_service.server import Servicer

from cavra_retry.rpc.approvals import Approvals
from cavra_retry.rpc.base import Parts
from cavra_retry.rpc.health import HealthAlerts
from cavra_retry.rpc.planning import Planning
from cavra_retry.rpc.work import Work
from cavra_retry.rpc.worker import Worker


class RetryService(Planning, Approvals, Work, Worker, HealthAlerts, rpc.RetryServiceServicer):
    """All RPCs of `cavra.retry.v1.RetryService`."""


_NAME: Final = "cavra.retry.v1.RetryService"


def retry_servicer(parts: Parts) -> Servicer:
    """The RetryService over `parts`, to be served."""
    return Servicer(_NAME, rpc.add_RetryServiceServicer_to_server, RetryService(parts))


def completions(parts: Parts) -> Mapping[str, Completion]:
    """How answers that a crash cut off are completed, where this log does not hold all of them."""
    return {
        f"/{_NAME}/RunWorker": Worker(parts).complete_run,
        f"/{_NAME}/DeliverHealthAlert": HealthAlerts(parts).complete_alert,
    }
