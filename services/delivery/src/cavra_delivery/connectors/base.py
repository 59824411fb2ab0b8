"""What every connector is asked for: render an event, name the destination, send once and say what came of it."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from cavra_evidence.guard import kept_url
from cavra_evidence.log import encoded
from cavra_evidence.records.delivery import SentRequest

NOT_CONFIGURED: Final = "connector_config_not_configured"
CONNECTOR_FAULT: Final = "connector_fault"
"""Reason of a failure that is this service's own."""

CATEGORIES: Final = {
    "splunk": "siem",
    "sentinel": "siem",
    "datadog": "siem",
    "jira": "itsm",
    "servicenow": "itsm",
    "slack": "chatops",
    "teams": "chatops",
    "pagerduty": "chatops",
    "email": "chatops",
}
"""Provider -> category; all others are webhook."""

KINDS: Final = frozenset({*CATEGORIES, "webhook", "archive"})
"""Known kinds of connectors."""


class NotConfigured(Exception):
    """The connector cannot be used as configured. `variable` names the environment variable that is missing, if that is why; `field` the
    entry's field that is missing or of no use, where one is to blame; `rule` the rule that refuses it, if one does. None holds a value."""

    def __init__(self, variable: str = "", field: str = "", rule: str = "") -> None:
        super().__init__(NOT_CONFIGURED)
        self.variable = variable
        self.field = field
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Event:
    """What a receiver is told."""

    event_type: str
    event_id: str
    occurred_at: str
    data: Mapping[str, Any]
    record_hash: str = ""
    """Hash of `data` when that is a record, so that the receiver can check it."""

    def document(self) -> dict[str, Any]:
        """The event as one JSON object."""
        own = {"record_hash": self.record_hash} if self.record_hash else {}
        return {
            "event_type": self.event_type,
            "event_id": self.event_id,
            "occurred_at": self.occurred_at,
            "data": dict(self.data),
            **own,
        }


@dataclass(frozen=True, slots=True)
class Rendered:
    """An event in a provider's own form. The same event renders to the same bytes at any time."""

    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """One attempt's content."""

    message_id: str
    rendered: Rendered
    execution_id: str = ""
    """On a retry, the execution it is the effect of."""


Sign = Callable[[str, int, bytes], Mapping[str, str]]
"""(message id, Unix seconds, body) -> headers."""


@dataclass(frozen=True, slots=True)
class Route:
    """How requests travel to a receiver."""

    private: bool = False
    """Whether loopback and private addresses may be reached."""
    ca_file: str = ""
    """Authorities that receivers' certificates are held to in place of the system's, PEM."""
    proxy: str = field(default="", repr=False)
    """The proxy that https requests go through: its URL, which may hold a credential."""
    connect_seconds: float = 5.0
    """Until a connection stands, TLS included."""
    read_seconds: float = 60.0
    """Between two pieces of an answer."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client shows for an access token (RFC 6749, 4.4)."""

    token_url: str = field(repr=False)
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a connector sends, resolved: secrets included, which therefore stay out of `repr`."""

    identity: Mapping[str, Any] = field(repr=False)
    """What an approval is bound to: scheme, host, port, path, query, method, kind, template_version, header_names."""
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    grant: Grant | None = field(default=None, repr=False)
    """For the access token that is sent as `authorization`."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password, at a receiver that is logged in to."""
    sign: Sign | None = field(default=None, repr=False)
    """Headers that sign one try."""
    seal: Callable[[bytes], bytes] | None = field(default=None, repr=False)
    """Puts a credential into the body, at a vendor that takes it nowhere else: what is rendered, hashed and approved holds none."""
    route: Route = field(default_factory=Route)
    """How requests travel there."""

    @property
    def address(self) -> str:
        """Where it is, as records keep it: scheme, host and port."""
        scheme, host = self.identity["scheme"], self.identity["host"]
        return f"{scheme}://{host}" if scheme == "archive" else kept_url(self.url)


@dataclass(frozen=True, slots=True)
class Response:
    """What a receiver answered over HTTP."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names in lower case."""
    body: bytes = field(default=b"", repr=False)
    """Its beginning. It is judged and never kept: it can hold anything, our own credentials too."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is to be asked until the receiver says what became of a message that it took in."""

    path: str
    """At the destination's origin."""
    body: bytes
    judge: "Callable[[Response], Answer | None]" = field(repr=False)
    """What the response says; None while it says neither yes nor no."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one try came to."""

    reason: str = ""
    """Reason code of the failure; empty when the provider took it."""
    status_code: int | None = None
    may_have_arrived: bool = False
    """Bytes may have gone out and nothing is known of what the receiver did with them."""
    again: bool = False
    """Another try within the same send may help, and cannot deliver twice."""
    retry_after_seconds: float | None = None
    request: SentRequest | None = None
    external_ref: str = ""
    """What the vendor calls what it made of the message, e.g. an issue's key; empty where it says nothing of the kind."""
    follow_up: FollowUp | None = None
    """Asked before this is taken for an answer."""
    missing_variable: str = ""
    """Name of the environment variable without which the connector is not configured."""
    gone: bool = False
    """The receiver said that nothing is to be sent there again."""

    @property
    def delivered(self) -> bool:
        """Whether the provider took it."""
        return not self.reason


class Connector(Hashable, Protocol):
    """One configured connector."""

    @property
    def name(self) -> str:
        """The provider's name."""

    @property
    def kind(self) -> str:
        """What it speaks, e.g. "webhook"."""

    @property
    def deduplicates(self) -> bool:
        """Whether its receiver takes a message id once, so that a try that may have arrived can be repeated."""

    def render(self, event: Event, message_id: str) -> Rendered:
        """The event in the provider's form. Pure: an approval is bound to the bytes' hash."""

    def destination(self) -> Destination:
        """Where it sends now. Raises NotConfigured."""

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """Try once, within `timeout` seconds. Raises nothing for what a receiver or the network does."""


def category_of(kind: str) -> str:
    """siem, itsm, chatops or webhook."""
    return CATEGORIES.get(kind, "webhook")


def generic_json(event: Event) -> Rendered:
    """The event as canonical JSON: for every provider without a form of its own."""
    return Rendered(encoded(event.document()))
