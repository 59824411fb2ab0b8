"""The DeliveryService of cavra.delivery.v1: decode, authorise, load, decide, commit, encode."""

from cavra.delivery.v1 import delivery_pb2_grpc
from cavra_service.server import Servicer

from cavra_delivery.rpc.audits import Audits
from cavra_delivery.rpc.changes import Changes
from cavra_delivery.rpc.drills import Drills
from cavra_delivery.rpc.failures import Failures
from cavra_delivery.rpc.parts import Parts
from cavra_delivery.rpc.routes import Routes


class DeliveryService(Drills, Routes, Audits, Failures, Changes, delivery_pb2_grpc.DeliveryServiceServicer):
    """Every RPC of the contract, by topic."""


def delivery_servicer(parts: Parts) -> Servicer:
    """The DeliveryService, to be served."""
    return Servicer(
        "cavra.delivery.v1.DeliveryService",
        delivery_pb2_grpc.add_DeliveryServiceServicer_to_server,
        DeliveryService(parts),
    )
