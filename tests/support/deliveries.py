"""Connector deliveries as a test wants them to have gone."""

from datetime import datetime
from typing import Any

from cavra_evidence.draft import Draft
from cavra_evidence.times import text

from tests.support.samples import draft, sample


def delivery(
    at: datetime, url: str = "https://siem.example", delivery_id: str = "", **outcomes: str
) -> Draft:
    """A delivery to connectors with these outcomes, at a moment and a place."""
    (example,) = sample("connector_delivery").model_dump()["deliveries"]
    parts = [
        {
            **example,
            "provider": name,
            "outcome": outcome,
            "success": outcome == "delivered",
            "completed_at": text(at),
            "request": {**example["request"], "url": url},
        }
        for name, outcome in outcomes.items()
    ]
    record = sample("connector_delivery", deliveries=parts, success=set(outcomes.values()) == {"delivered"})
    more: dict[str, Any] = {"delivery_id": delivery_id} if delivery_id else {}
    return draft(record, trace_ids=(delivery_id,) if delivery_id else (), **more)
