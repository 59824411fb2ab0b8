"""The general form, canonical JSON to one URL, and the seam that a vendor's own form fills in."""

from typing import Any
from urllib.parse import SplitResult

import orjson

from cavra_delivery.connectors import ssrf
from cavra_delivery.connectors.base import (
    Answer,
    Destination,
    Event,
    Grant,
    NotConfigured,
    Rendered,
    Response,
    generic_json,
)
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.judging import by_status


class Form:
    """How one kind of receiver wants an event. Pure, but for `destination`, which resolves what is configured."""

    template_version = "1"
    """Of what `render` makes. An approval is bound to it."""

    def __init__(self, config: ConnectorConfig) -> None:
        self.config = config

    @property
    def deduplicates(self) -> bool:
        """Whether the receiver takes a message id once."""
        return self.config.deduplicates

    def render(self, event: Event, message_id: str) -> Rendered:
        """The event as this receiver wants it: the same bytes at any time."""
        return generic_json(event)

    def target(self) -> SplitResult:
        """The URL. Raises NotConfigured."""
        return self.config.target()

    def headers(self) -> dict[str, str]:
        """Headers of every request, credentials included. Raises NotConfigured."""
        return self.config.request_headers()

    def grant(self) -> Grant | None:
        """What an access token is asked with, where none is configured. Raises NotConfigured."""
        return client_grant(self.config, self.config.token_url, self.config.scope)

    def destination(self, kind: str) -> Destination:
        """Where to, with which credentials, as an approval is bound to it. Raises NotConfigured."""
        target, headers, grant = self.target(), self.headers(), self.grant()
        named = {*headers, "authorization"} if grant else headers
        identity = {
            "scheme": target.scheme,
            "host": target.hostname,
            "port": target.port or (443 if target.scheme == "https" else 80),
            "path": target.path or "/",
            "query": target.query,
            "method": self.config.method,
            "kind": kind,
            "template_version": self.template_version,
            "header_names": sorted(named),
        }
        return Destination(identity, target.geturl(), headers, grant, route=self.config.route())

    def judge(self, response: Response, message_id: str) -> Answer:
        """What the receiver's answer means, as its vendor documents it. Never raises: a receiver may answer anything."""
        return by_status(response)


def client_grant(config: ConnectorConfig, token_url: str, scope: str) -> Grant | None:
    """The configured client's grant; None where no client is configured. Raises NotConfigured for half of one."""
    if not config.client_id:
        return None
    try:
        url = ssrf.target(token_url)
    except ValueError:
        raise NotConfigured(field="token_url") from None
    secret = config.resolve("client_secret")
    if not secret:
        raise NotConfigured(field="client_secret_env")
    return Grant(url.geturl(), config.client_id, secret, scope)


def json_body(content: Any) -> Rendered:
    """A vendor's JSON: keys in order, so that the same content is the same bytes."""
    return Rendered(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
