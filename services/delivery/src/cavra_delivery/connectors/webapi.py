"""The connector that sends a vendor's form over HTTP: one request for each try, and what of it may be kept."""

import time
from dataclasses import replace
from importlib.metadata import version
from typing import Final

from cavra_evidence.guard import GuardError, kept_headers, kept_url
from cavra_evidence.records.delivery import SentRequest

from cavra_delivery.connectors.base import Answer, Destination, Event, Message, NotConfigured, Rendered
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.forms import form_of
from cavra_delivery.connectors.http import HttpSender, Request, Unanswered

USER_AGENT: Final = f"cavra-delivery/{version('cavra-delivery')}"


class HttpConnector:
    """A receiver that is spoken to over HTTP in the form of its kind."""

    def __init__(self, name: str, kind: str, config: ConnectorConfig, sender: HttpSender) -> None:
        self.name = name
        self.kind = kind
        self._config = config
        self._form = form_of(kind, config)
        self._sender = sender

    @property
    def deduplicates(self) -> bool:
        """See `Connector.deduplicates`."""
        return self._form.deduplicates

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Connector.render`."""
        return self._form.render(event, message_id)

    def destination(self) -> Destination:
        """See `Connector.destination`."""
        destination = self._form.destination(self.kind)
        try:
            kept_url(destination.url)
        except GuardError:
            raise NotConfigured from None
        return destination

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """See `Connector.send`."""
        body, now = message.rendered.body, int(time.time())
        own = {
            "content-type": message.rendered.content_type,
            "user-agent": USER_AGENT,
            "webhook-id": message.message_id,
            "webhook-timestamp": str(now),
            **({"cavra-execution-id": message.execution_id} if message.execution_id else {}),
        }
        if destination.seal is not None:
            body = destination.seal(body)
        signed = destination.sign(message.message_id, now, body) if destination.sign is not None else {}
        kept = SentRequest(
            method=self._config.method,
            url=kept_url(destination.url),
            headers=kept_headers(own),
        )
        request = Request(
            self._config.method, destination.url, {**destination.headers, **own, **signed}, body
        )
        try:
            response = await self._sender.exchange(request, self._config.allow_private_networks, timeout)
        except Unanswered as unanswered:
            return _unanswered(unanswered, kept)
        answer = self._form.judge(response, message.message_id)
        wait = _seconds(response.headers.get("retry-after", ""))
        return replace(answer, retry_after_seconds=wait, request=kept)


def _unanswered(this: Unanswered, request: SentRequest) -> Answer:
    if this.written:
        # The request is on its way and no answer came: another try could deliver it twice.
        return Answer(this.reason, may_have_arrived=True, request=request)
    return Answer(this.reason, again=this.reason in ("connect", "dns", "timeout"), request=request)


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; a date counts as none, since waits within a call are short."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None
