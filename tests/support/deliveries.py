"""Connector deliveries as a test wants them to have gone."""

from datetime import datetime

from cavra_evidence.draft import Draft
from cavra_evidence.times import text

from tests.support.samples import draft, sample


def delivery(at: datetime, **outcomes: str) -> Draft:
    """A delivery to connectors with these outcomes, at a moment."""
    (example,) = sample("connector_delivery").model_dump()["deliveries"]
    parts = [
        {
            **example,
            "provider": name,
            "outcome": outcome,
            "success": outcome == "delivered",
            "completed_at": text(at),
        }
        for name, outcome in outcomes.items()
    ]
    return draft(
        sample("connector_delivery", deliveries=parts, success=set(outcomes.values()) == {"delivered"})
    )
