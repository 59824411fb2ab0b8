"""The general form, canonical JSON to one URL, and the seam that a vendor's own form fills in."""

from urllib.parse import SplitResult

from cavra_delivery.connectors.base import (
    Answer,
    Destination,
    Event,
    NotConfigured,
    Rendered,
    Response,
    generic_json,
)
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.judging import by_status


class Form:
    """How one kind of receiver wants an event. Everything here is pure but for `destination`, which resolves what is configured."""

    kind = "webhook"
    template_version = "1"
    """Of what `render` makes. An approval is bound to it."""

    def __init__(self, config: ConnectorConfig) -> None:
        self.config = config

    @property
    def deduplicates(self) -> bool:
        """Whether the receiver takes a message id once."""
        return False

    def render(self, event: Event, message_id: str) -> Rendered:
        """The event as this receiver wants it: the same bytes at any time."""
        return generic_json(event)

    def destination(self, kind: str) -> Destination:
        """Where to, with which credentials. Raises NotConfigured."""
        return self.reached(kind, self.config.target(), self.config.request_headers())

    def judge(self, response: Response, message_id: str) -> Answer:
        """What the receiver's answer means, as the vendor documents it. Never raises: a receiver may answer anything."""
        return by_status(response)

    def reached(self, kind: str, target: SplitResult, headers: dict[str, str]) -> Destination:
        """The destination at a URL, as an approval is bound to it. Raises NotConfigured."""
        identity = {
            "scheme": target.scheme,
            "host": target.hostname,
            "port": target.port or (443 if target.scheme == "https" else 80),
            "path": target.path or "/",
            "query": target.query,
            "method": self.config.method,
            "kind": kind,
            "template_version": self.template_version,
            "header_names": sorted(headers),
        }
        if not target.hostname:
            raise NotConfigured
        return Destination(identity, target.geturl(), headers)
