"""Datadog's logs intake, version 2.

https://docs.datadoghq.com/api/latest/logs/#send-logs
https://docs.datadoghq.com/logs/log_configuration/processors/log_date_remapper/
"""

from typing import Final
from urllib.parse import SplitResult

from cavra_delivery.connectors.base import Answer, Event, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, unclear
from cavra_delivery.connectors.summary import summary_of

_STATUS: Final = {"healthy": "info", "warning": "warn", "critical": "critical"}


class Datadog(Form):
    """One log, in an array as the intake wants it; the event is its attributes.

    Nothing at its top is what Datadog dates a log by (`date`, `timestamp`): it takes logs of the last 18 hours, and one that is retried
    days later must not be lost behind a 202. So its arrival dates it, and `event.occurred_at` says when it happened.
    """

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        summary = summary_of(event)
        tags = [f"event_type:{event.event_type}", f"alert_level:{summary.severity}", *self.config.tags]
        log = {
            "ddsource": self.config.source,
            "ddtags": ",".join(tags),
            "service": self.config.service or "cavra",
            "status": _STATUS[summary.severity],
            "message": summary.title,
            "message_id": message_id,
            "event": event.document(),
        }
        return json_body([log])

    def target(self) -> SplitResult:
        """See `Form.target`. The intake of `site`, unless an address is configured."""
        default = f"https://http-intake.logs.{self.config.site}"
        return self.config.target(default, "/api/v2/logs")

    def headers(self) -> dict[str, str]:
        """See `Form.headers`. The key goes by `DD-API-KEY` unless another header is configured."""
        if "api_key_header" in self.config.model_fields_set:
            return self.config.request_headers()
        return self.config.model_copy(update={"api_key_header": "dd-api-key"}).request_headers()

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. 202 and nothing else says that the log was taken."""
        answer = by_status(response)
        return unclear(response) if answer.delivered and response.status != 202 else answer
