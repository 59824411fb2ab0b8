"""Slack: an incoming webhook, or chat.postMessage where a channel is configured.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
https://docs.slack.dev/reference/methods/chat.postMessage
https://docs.slack.dev/reference/block-kit/blocks
"""

import re
from typing import Any, Final
from urllib.parse import SplitResult

from cavra_delivery.connectors.base import Answer, Event, NotConfigured, Rendered, Response
from cavra_delivery.connectors.forms.form import Form, json_body
from cavra_delivery.connectors.judging import by_status, document, unclear
from cavra_delivery.connectors.summary import clipped, summary_of

_SIGN: Final = {"healthy": ":white_check_mark:", "warning": ":warning:", "critical": ":rotating_light:"}
_HEADER_CHARACTERS, _FIELDS = 150, 10
_AUTH: Final = frozenset(
    "not_authed invalid_auth account_inactive token_revoked token_expired no_permission missing_scope"
    " not_allowed_token_type org_login_required ekm_access_denied access_denied team_access_not_granted"
    " two_factor_setup_required enterprise_is_restricted accesslimited".split()
)
_FAULT: Final = frozenset("internal_error fatal_error service_unavailable".split())
"""Of these Slack says that part of the work may have been done, or says nothing of it."""
_CHANNEL, _TS = re.compile(r"[CDG][A-Z0-9]{2,20}"), re.compile(r"[0-9]{10}\.[0-9]{6}")


class Slack(Form):
    """A message of blocks: a header, the facts, and where they come from."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Form.render`."""
        summary = summary_of(event)
        fields = [
            {"type": "mrkdwn", "text": f"*{label}*\n{_escaped(value)}"}
            for label, value in summary.facts[:_FIELDS]
        ]
        content: dict[str, Any] = {
            "text": _escaped(f"{_SIGN[summary.severity]} {summary.title}"),
            "blocks": [
                {
                    "type": "header",
                    "text": {"type": "plain_text", "text": clipped(summary.title, _HEADER_CHARACTERS)},
                },
                {"type": "section", "fields": fields},
                {"type": "context", "elements": [{"type": "plain_text", "text": f"CAVRA {message_id}"}]},
            ],
        }
        if self.config.channel:
            content |= {"channel": self.config.channel, "unfurl_links": False, "unfurl_media": False}
        return json_body(content)

    def target(self) -> SplitResult:
        """See `Form.target`. An incoming webhook has an address of its own."""
        return self.config.target(
            "https://slack.com/api/chat.postMessage" if self.config.channel else "", "/api/chat.postMessage"
        )

    def headers(self) -> dict[str, str]:
        """See `Form.headers`. chat.postMessage needs a token."""
        headers = super().headers()
        if self.config.channel and "authorization" not in headers:
            raise NotConfigured(field="token_env")
        return headers

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. A webhook says `ok` as text; the method says it in JSON, under 200 whether it succeeded or not."""
        answer = by_status(response)
        if not answer.delivered or (not self.config.channel and response.body.strip() == b"ok"):
            return answer
        content = document(response)
        if content.get("ok") is True:
            channel, ts = str(content.get("channel")), str(content.get("ts"))
            # As in the link to a message: /archives/<channel>/p<ts without its point>.
            known = _CHANNEL.fullmatch(channel) and _TS.fullmatch(ts)
            reference = f"{channel}/p{ts.replace('.', '')}" if known else ""
            return Answer(status_code=response.status, external_ref=reference)
        error = content.get("error")
        if content.get("ok") is not False or not isinstance(error, str):
            return unclear(response)
        if error in _FAULT:
            return Answer("server_error", response.status, may_have_arrived=True)
        if error in ("ratelimited", "rate_limited"):
            return Answer("rate_limited", response.status, again=True)
        return Answer("auth" if error in _AUTH else "rejected", response.status)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
