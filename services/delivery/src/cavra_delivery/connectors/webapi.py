"""The connector that sends a vendor's form over HTTP: one request for each try, and what of it may be kept."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final

from cavra_evidence.guard import GuardError, kept_headers, kept_url
from cavra_evidence.records.delivery import SentRequest
from yarl import URL

from cavra_delivery.connectors.base import (
    Answer,
    Destination,
    Event,
    FollowUp,
    Message,
    NotConfigured,
    Rendered,
)
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.forms import form_of
from cavra_delivery.connectors.http import HttpSender, Request, Unanswered
from cavra_delivery.connectors.judging import unclear
from cavra_delivery.connectors.oauth import TokenRefused, Tokens
from cavra_delivery.connectors.pauses import retry_after_seconds

_ASK_AGAIN_SECONDS: Final = 0.25
"""Until a follow-up is asked again; the pause doubles."""
USER_AGENT: Final = f"cavra-delivery/{version('cavra-delivery')}"


class HttpConnector:
    """A receiver that is spoken to over HTTP in the form of its kind."""

    def __init__(self, name: str, kind: str, config: ConnectorConfig, sender: HttpSender) -> None:
        self.name = name
        self.kind = kind
        self._config = config
        self._form = form_of(kind, config)
        self._sender = sender
        self._tokens = Tokens(sender)

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
        if destination.route.proxy and not destination.url.startswith("https:"):
            # A proxy could read and change what it carries.
            raise NotConfigured(field="proxy")
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
        headers, loop = dict(destination.headers), asyncio.get_running_loop()
        until = loop.time() + timeout
        if destination.grant is not None:
            try:
                async with asyncio.timeout_at(until):
                    token = await self._tokens.token(destination.grant, destination.route, timeout)
            except TimeoutError:
                return Answer("timeout", again=True, request=kept)
            except TokenRefused as refused:
                return replace(refused.answer, request=kept)
            headers["authorization"] = f"Bearer {token}"
        request = Request(self._config.method, destination.url, {**headers, **own, **signed}, body)
        try:
            response = await self._sender.exchange(request, destination.route, until - loop.time())
        except Unanswered as unanswered:
            return _unanswered(unanswered, kept)
        if response.status == 401:
            self._tokens.forget()
        answer = self._form.judge(response, message.message_id)
        if answer.follow_up is not None:
            answer = await self._followed(
                answer.follow_up, replace(request, headers=headers), destination, until
            )
        wait = retry_after_seconds(response.headers.get("retry-after", ""), datetime.now(UTC))
        return replace(answer, retry_after_seconds=wait, request=kept)

    async def _followed(
        self, asked: FollowUp, like: Request, destination: Destination, until: float
    ) -> Answer:
        """Ask until there is an answer. The message is with the receiver: without one, nobody knows what became of it."""
        request = Request(
            "POST",
            str(URL(like.url, encoded=True).origin()) + asked.path,
            {**like.headers, "content-type": "application/json", "user-agent": USER_AGENT},
            asked.body,
        )
        pause, loop = _ASK_AGAIN_SECONDS, asyncio.get_running_loop()
        while (left := until - loop.time()) > 0:
            try:
                response = await self._sender.exchange(request, destination.route, left)
            except Unanswered as unanswered:
                if unanswered.reason == "timeout":
                    break
            else:
                if (answer := asked.judge(response)) is not None:
                    return answer
                if 400 <= response.status < 500 and response.status != 429:
                    return unclear(response)
            await asyncio.sleep(min(pause, max(0.0, until - loop.time())))
            pause *= 2
        return Answer("timeout", may_have_arrived=True)


def _unanswered(this: Unanswered, request: SentRequest) -> Answer:
    if this.written:
        # The request is on its way and no answer came: another try could deliver it twice.
        return Answer(this.reason, may_have_arrived=True, request=request)
    return Answer(this.reason, again=this.reason in ("connect", "dns", "timeout"), request=request)
