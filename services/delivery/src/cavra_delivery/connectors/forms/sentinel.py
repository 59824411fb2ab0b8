"""Microsoft Sentinel, through the Logs Ingestion API of Azure Monitor.

https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview
https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api (a call 1 MB, a field 64 KB)
"""

from typing import Final
from urllib.parse import SplitResult

from cavra_delivery.connectors.base import Answer, Event, Grant, NotConfigured, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, client_grant, json_body
from cavra_delivery.connectors.judging import by_status, unclear

API_VERSION: Final = "2023-01-01"
SCOPE: Final = "https://monitor.azure.com/.default"


class Sentinel(Form):
    """One row for a stream of a data collection rule: `url` is the collection endpoint, or the whole address of the stream."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        row = {
            "TimeGenerated": event.occurred_at,
            "EventType": event.event_type,
            "EventId": event.event_id,
            "MessageId": message_id,
            "RecordHash": event.record_hash,
            "Data": dict(event.data),
        }
        return json_body([row])

    def target(self) -> SplitResult:
        """See `Form.target`."""
        target = self.config.target()
        if target.path not in ("", "/"):
            return target
        if not self.config.dcr_id or not self.config.stream:
            raise NotConfigured(field="dcr_id" if not self.config.dcr_id else "stream")
        path = f"/dataCollectionRules/{self.config.dcr_id}/streams/{self.config.stream}"
        return target._replace(path=path, query=f"api-version={API_VERSION}")

    def grant(self) -> Grant | None:
        """See `Form.grant`. The tenant's own token endpoint, unless another is configured."""
        tenant = self.config.tenant_id
        own = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token" if tenant else ""
        return client_grant(self.config, self.config.token_url or own, self.config.scope or SCOPE)

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. 204 and nothing else says that the row was taken."""
        answer = by_status(response)
        return unclear(response) if answer.delivered and response.status != 204 else answer
