"""E21: the figures of all logs at one glance."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from cavra.delivery.v1 import delivery_pb2
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.times import text
from cavra_service.errors import Refused
from cavra_verify.kinds import DASHBOARD_SCHEMA, PRODUCT

from cavra_gateway import history
from cavra_gateway.domain.figures import figures
from cavra_gateway.records import Json
from cavra_gateway.reports import report
from cavra_gateway.services import NAMES
from cavra_gateway.session import Session

_LATEST = 10
_OUTSTANDING = 20


async def dashboard(session: Session) -> Json:
    """Every metric. Those of a service that is down are null, and `sources` says so."""
    services = session.services
    outstanding, latest, *answers = await asyncio.gather(
        session.read(
            services.delivery.ListOutstandingAcknowledgements,
            delivery_pb2.ListOutstandingAcknowledgementsRequest(limit=_OUTSTANDING),
        ),
        history.newest(session, _LATEST),
        *(session.read(services.logs[name].GetCounters, evidence_pb2.GetCountersRequest()) for name in NAMES),
    )
    counted: dict[str, Any] = dict(zip(NAMES, answers, strict=True))
    if not any(counted.values()):
        raise Refused("service_unavailable", "no service behind the gateway answers")
    counters = {name: None if one is None else dict(one.counters) for name, one in counted.items()}
    return {
        "schema_version": DASHBOARD_SCHEMA,
        "product": PRODUCT,
        "generated_at": text(datetime.now(UTC)),
        **figures(counters),
        "outstanding_acknowledgements": None if outstanding is None else report(outstanding)["items"],
        "latest": latest,
        "sources": {name: "ok" if one is not None else "unavailable" for name, one in counted.items()},
    }
