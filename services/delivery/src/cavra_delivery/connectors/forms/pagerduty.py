"""PagerDuty's Events API, version 2.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
"""

import re
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult

import orjson

from cavra_delivery.connectors.base import Answer, Destination, Event, NotConfigured, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, document, unclear
from cavra_delivery.connectors.summary import summary_of

_SEVERITY: Final = {"healthy": "info", "warning": "warning", "critical": "critical"}
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_KEY_REFUSED = re.compile(r"routing[ _]key", re.IGNORECASE)
"""In an error of PagerDuty's, which has no status of its own for a wrong key, and no code."""


class PagerDuty(Form):
    """A trigger whose `dedup_key` is the message id: what comes twice is one alert."""

    @property
    def deduplicates(self) -> bool:
        """See `Form.deduplicates`."""
        return True

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`. Without the routing key, which is a secret."""
        summary = summary_of(event)
        payload = {
            "summary": summary.title,
            "source": self.config.source,
            "severity": _SEVERITY[summary.severity],
            "timestamp": event.occurred_at,
            "component": "cavra",
            "class": event.event_type,
            "custom_details": {label.lower().replace(" ", "_"): value for label, value in summary.facts},
        }
        return json_body(
            {"event_action": "trigger", "dedup_key": message_id, "client": "CAVRA", "payload": payload}
        )

    def target(self) -> SplitResult:
        """See `Form.target`."""
        return self.config.target("https://events.pagerduty.com", "/v2/enqueue")

    def destination(self, kind: str) -> Destination:
        """See `Form.destination`. The routing key says which service is alerted, so an approval is bound to it too."""
        if not self.config.source.strip():
            raise NotConfigured(field="source")
        key = self.config.resolve("routing_key")
        if not _ROUTING_KEY.fullmatch(key):
            raise NotConfigured(field="routing_key_env")
        there = super().destination(kind)

        def seal(body: bytes) -> bytes:
            return orjson.dumps({**orjson.loads(body), "routing_key": key})

        return replace(there, identity={**there.identity, "recipient": key}, seal=seal)

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. 202 with `success` and the alert's key; 400 with an error that names it for a wrong routing key."""
        answer, content = by_status(response), document(response)
        if response.status == 400 and _KEY_REFUSED.search(str(content.get("errors"))):
            return replace(answer, reason="auth")
        if not answer.delivered:
            return answer
        if response.status != 202 or content.get("status") != "success":
            return unclear(response)
        own = content.get("dedup_key") == message_id
        return Answer(status_code=response.status, external_ref=message_id if own else "")
