"""Splunk's HTTP Event Collector.

https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
https://docs.splunk.com/Documentation/Splunk/latest/Data/AboutHECIDXAck
"""

import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import SplitResult

import orjson

from cavra_delivery.connectors.base import Answer, Event, FollowUp, NotConfigured, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, document, unclear

_COLLECTOR: Final = "/services/collector"
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class Splunk(Form):
    """One event. Taken is what is answered with code 0; with `acknowledge`, what the indexers then acknowledge."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        happened = datetime.fromisoformat(event.occurred_at)
        content: dict[str, Any] = {
            "time": round(happened.timestamp(), 3),
            "source": self.config.source,
            "sourcetype": self.config.sourcetype,
            "event": event.document(),
            "fields": {"event_type": event.event_type, "message_id": message_id},
        }
        if self.config.index:
            content["index"] = self.config.index
        return json_body(content)

    def target(self) -> SplitResult:
        """See `Form.target`."""
        return self.config.target(path=f"{_COLLECTOR}/event")

    def headers(self) -> dict[str, str]:
        """See `Form.headers`. A token goes by the scheme `Splunk` unless another is configured."""
        config = self.config
        if "authorization_scheme" not in config.model_fields_set:
            config = config.model_copy(update={"authorization_scheme": "Splunk"})
        headers = config.request_headers()
        if self.config.channel and not _GUID.fullmatch(self.config.channel):
            raise NotConfigured(field="channel")
        if self.config.acknowledge and not self.config.channel:
            raise NotConfigured(field="channel")
        if self.config.channel:
            headers["x-splunk-request-channel"] = self.config.channel
        return headers

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`."""
        answer = by_status(response)
        if not answer.delivered:
            return answer
        content = document(response)
        code, ack = content.get("code"), content.get("ackId")
        if not isinstance(code, int) or isinstance(code, bool):
            return unclear(response)
        if code != 0:
            return Answer("rejected", response.status)
        if not self.config.acknowledge:
            return answer
        if not isinstance(ack, int) or isinstance(ack, bool):
            return unclear(response)
        return Answer(status_code=response.status, follow_up=self._acknowledged(ack))

    def _acknowledged(self, ack: int) -> FollowUp:
        before = self.target().path.partition(_COLLECTOR)[0]
        body = orjson.dumps({"acks": [ack]})

        def judge(response: Response) -> Answer | None:
            acks = document(response).get("acks")
            if response.status == 200 and isinstance(acks, dict) and acks.get(str(ack)) is True:
                return Answer(status_code=response.status)
            return None

        return FollowUp(f"{before}{_COLLECTOR}/ack?channel={self.config.channel}", body, judge)
