"""Access tokens for a client's credentials (RFC 6749, section 4.4), kept until shortly before they end."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final
from urllib.parse import urlencode

from cavra_delivery.connectors.base import Answer, Grant, Route
from cavra_delivery.connectors.http import HttpSender, Request, Unanswered
from cavra_delivery.connectors.judging import by_status, document

_MARGIN_SECONDS: Final = 60.0
"""A token is not used so shortly before its end."""
_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")


class TokenRefused(Exception):
    """No access token was to be had; nothing of the message has been sent. `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.reason)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    until: float


class Tokens:
    """The access token of one connector."""

    def __init__(self, sender: HttpSender, clock: Callable[[], float] = monotonic) -> None:
        self._sender = sender
        self._clock = clock
        self._kept: dict[Grant, _Token] = {}
        self._turn = asyncio.Lock()

    async def token(self, grant: Grant, route: Route, timeout: float) -> str:
        """The token to send, asked for where none is kept. Raises TokenRefused."""
        async with self._turn:  # One asks for all that wait.
            kept = self._kept.get(grant)
            if kept is None or kept.until <= self._clock():
                kept = await self._asked(grant, route, timeout)
                self._kept = {grant: kept}
            return kept.value

    def forget(self) -> None:
        """Ask anew next time: the receiver does not take the token any more."""
        self._kept = {}

    async def _asked(self, grant: Grant, route: Route, timeout: float) -> _Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": grant.client_id,
            "client_secret": grant.client_secret,
            **({"scope": grant.scope} if grant.scope else {}),
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        request = Request("POST", grant.token_url, headers, urlencode(form).encode())
        try:
            response = await self._sender.exchange(request, route, timeout)
        except Unanswered as unanswered:
            # Asking for a token twice does no harm, whatever became of the first time.
            again = unanswered.reason not in ("tls", "destination_refused")
            raise TokenRefused(Answer(unanswered.reason, again=again)) from None
        answer = by_status(response)
        if not answer.delivered:
            # 400 is how a token endpoint refuses a client (RFC 6749, 5.2).
            reason = "auth" if response.status == 400 else answer.reason
            raise TokenRefused(replace(answer, reason=reason))
        content = document(response)
        token, seconds = content.get("access_token"), content.get("expires_in", 3600)
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise TokenRefused(Answer("response_invalid", response.status))
        lasts = float(seconds) if str(seconds).isascii() and str(seconds).isdigit() else 0.0
        return _Token(token, self._clock() + min(lasts, 86_400.0) - _MARGIN_SECONDS)
