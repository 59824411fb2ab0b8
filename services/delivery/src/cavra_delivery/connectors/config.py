"""The connector configuration: its shape, and how a secret that it names is found."""

import os
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import SplitResult

from cavra_evidence.records.base import Provider
from cavra_verify.grammar import PATTERNS
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from cavra_delivery.connectors import ssrf
from cavra_delivery.connectors.base import KINDS, NotConfigured, Route

MOST_CONNECTORS: Final = 50
RESERVED_HEADERS: Final = frozenset(
    {
        "host",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "user-agent",
    }
    | {"cavra-execution-id"}
)
"""Headers that a configuration may not set: the connector's own, and those that frame a request."""

MOST_SECRET_BYTES: Final = 16 * 1024
"""A larger secret file is none."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VISIBLE = re.compile(r"[\x20-\x7e\t]{0,8192}")

Variable = Annotated[str, StringConstraints(pattern=f"^(?:{PATTERNS['variable']})$")]
Secret = Literal[
    "url", "authorization", "token", "api_key", "user", "password", "client_secret", "routing_key", "proxy"
]
"""Fields that may be given by the name of a variable (`<field>_env`) or of a file (`<field>_file`)."""
Text = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
PathName = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00]+$")]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{0,128}$")]
"""What stands in a path or a host name."""
Address = Annotated[
    str, StringConstraints(max_length=254, pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$")
]


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in RESERVED_HEADERS:
        raise ValueError("not a header that may be set")
    return name


def _known_kind(kind: str) -> str:
    if kind and kind not in KINDS:
        raise ValueError("not a known kind")
    return kind


HeaderName = Annotated[str, AfterValidator(_header_name)]


def _several(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


N = TypeVar("N")
Names = Annotated[tuple[N, ...], BeforeValidator(_several), Field(max_length=8)]
"""One, or a list."""


class ConnectorConfig(BaseModel):
    """One connector of the file. A secret is given by the name of a variable or of a file; some, for older files, in place."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kind: Annotated[str, AfterValidator(_known_kind)] = ""
    enabled: bool = True
    url: SecretStr | None = None
    url_env: Variable | None = None
    url_file: PathName | None = None
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[HeaderName, SecretStr] = {}
    authorization: SecretStr | None = None
    authorization_env: Variable | None = None
    authorization_file: PathName | None = None
    token: SecretStr | None = None
    token_env: Variable | None = None
    token_file: PathName | None = None
    authorization_scheme: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}$")] = "Bearer"
    api_key: SecretStr | None = None
    api_key_env: Variable | None = None
    api_key_file: PathName | None = None
    api_key_header: HeaderName = "x-api-key"
    allow_private_networks: bool = False
    ca_file: Annotated[str, Field(max_length=1024)] = ""
    """Authorities that certificates are held to in place of the system's, PEM."""
    proxy: SecretStr | None = None
    proxy_env: Variable | None = None
    proxy_file: PathName | None = None
    """The proxy that requests go through; none is taken from the environment unasked."""
    connect_seconds: Annotated[float, Field(gt=0, le=120)] = 5.0
    read_seconds: Annotated[float, Field(gt=0, le=120)] = 60.0
    deduplicates: bool = False
    """The receiver takes a `webhook-id` once: a try without an answer may be repeated."""
    rate_per_second: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """So many sends begin in a second at most; None: any number."""
    rate_burst: Annotated[int, Field(ge=1, le=100_000)] = 1
    """So many of them at the same moment, after a pause."""
    most_at_once: Annotated[int, Field(ge=1, le=1_000)] = 64
    """Sends under way at the same time."""
    circuit_failures: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """So many failed sends in a row open the circuit; 0: it never opens."""
    circuit_open_seconds: Annotated[int, Field(ge=1, le=86_400)] = 60
    """How long nothing is sent then, until one send probes the receiver."""

    user: Text = ""
    """With `password`, or an API token in its place: basic authentication; at a mail server, who logs in."""
    user_env: Variable | None = None
    user_file: PathName | None = None
    password_env: Variable | None = None
    password_file: PathName | None = None

    token_url: Annotated[str, Field(max_length=1024)] = ""
    """Where a client's credentials are changed for an access token (RFC 6749, 4.4)."""
    client_id: Text = ""
    client_secret_env: Variable | None = None
    client_secret_file: PathName | None = None
    scope: Text = ""

    signing_secret_env: Names[Variable] = ()
    """webhook: `whsec_` or `whsk_` secrets, all of which sign, so that an old and a new one overlap."""
    signing_secret_file: Names[PathName] = ()

    index: Annotated[str, Field(max_length=128)] = ""
    """splunk."""
    source: Text = "cavra"
    """splunk, datadog, pagerduty: where events say they come from."""
    sourcetype: Text = "cavra:event"
    """splunk."""
    acknowledge: bool = False
    """splunk: delivered is what the indexers acknowledge; needs `channel`."""
    channel: Word = ""
    """splunk: the request channel, a GUID. slack: the channel of chat.postMessage."""
    service: Annotated[str, Field(max_length=128)] = ""
    """datadog."""
    site: Word = "datadoghq.com"
    """datadog."""
    tags: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    """datadog: `ddtags`; jira: labels."""
    tenant_id: Word = ""
    """sentinel: the directory that gives access tokens."""
    dcr_id: Word = ""
    """sentinel: immutable id of the data collection rule."""
    stream: Word = ""
    """sentinel: its stream, e.g. Custom-Cavra_CL."""
    project: Word = ""
    """jira: the project's key."""
    issue_type: Text = "Task"
    """jira."""
    table: Word = "incident"
    """servicenow."""
    assignment_group: Text = ""
    """servicenow: the group's `sys_id`."""
    routing_key_env: Variable | None = None
    """pagerduty: the integration key."""
    routing_key_file: PathName | None = None
    sender: Address | Literal[""] = ""
    """email."""
    recipients: Annotated[tuple[Address, ...], Field(max_length=50)] = ()
    """email."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """email."""
    path: Annotated[str, Field(max_length=1024)] = ""
    """Folder of an archive."""

    def resolve(self, field: Secret) -> str:
        """The value of a field: its variable's, its file's, the one in place, or empty. Raises NotConfigured for one that is missing."""
        variable: str | None = getattr(self, f"{field}_env")
        if variable is not None:
            return _of_variable(variable)
        path: str | None = getattr(self, f"{field}_file")
        if path is not None:
            return _of_file(path, f"{field}_file")
        secret: SecretStr | str | None = getattr(self, field, None)
        return (secret.get_secret_value() if isinstance(secret, SecretStr) else secret or "").strip()

    def signing_secrets(self) -> list[str]:
        """The values of all signing secrets, as configured. Raises NotConfigured."""
        return [_of_variable(name) for name in self.signing_secret_env] + [
            _of_file(path, "signing_secret_file") for path in self.signing_secret_file
        ]

    def request_headers(self) -> dict[str, str]:
        """The configured headers and the credentials, resolved. Raises NotConfigured."""
        headers = {name.lower(): value.get_secret_value() for name, value in self.headers.items()}
        if api_key := self.resolve("api_key"):
            headers[self.api_key_header.lower()] = api_key
        if (user := self.resolve("user")) and (secret := self.resolve("password") or self.resolve("token")):
            headers["authorization"] = f"Basic {b64encode(f'{user}:{secret}'.encode()).decode()}"
        elif token := self.resolve("token"):
            headers["authorization"] = f"{self.authorization_scheme} {token}"
        if authorization := self.resolve("authorization"):
            headers["authorization"] = authorization
        if not all(_VISIBLE.fullmatch(value) for value in headers.values()):
            raise NotConfigured
        return headers

    def target(self, default: str = "", path: str = "") -> SplitResult:
        """The URL that is sent to: the configured one, else `default`; at `path` where it names none.

        Raises NotConfigured unless it is an http or https URL without userinfo.
        """
        try:
            url = ssrf.target(self.resolve("url") or default)
        except ValueError:
            raise NotConfigured(field="url") from None
        return url._replace(path=path) if path and url.path in ("", "/") else url

    def route(self) -> Route:
        """How requests travel. Raises NotConfigured."""
        return Route(
            private=self.allow_private_networks,
            ca_file=self.ca_file,
            proxy=self.resolve("proxy"),
            connect_seconds=self.connect_seconds,
            read_seconds=self.read_seconds,
        )


def _of_variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise NotConfigured(name)
    return value


def _of_file(path: str, field: str) -> str:
    try:
        with Path(path).open("rb") as file:
            value = file.read(MOST_SECRET_BYTES + 1)
        text = value.decode().strip()
    except (OSError, UnicodeDecodeError):
        raise NotConfigured(field=field) from None
    if not text or len(value) > MOST_SECRET_BYTES:
        raise NotConfigured(field=field)
    return text


_PROVIDER = TypeAdapter(Provider)


NAME: Final = "name"
"""What an entry is called by, where that is refused. No field of an entry is called so."""


@dataclass(frozen=True, slots=True)
class BadEntry:
    """Why an entry is unusable. Holds no value of it."""

    field: str
    """Empty when it is no mapping at all, NAME when it is what the entry is called by."""
    rule: str

    def __str__(self) -> str:
        """One sentence."""
        return f"{self.field or 'the entry'} is refused by rule {self.rule}"


def read_connectors(content: Mapping[str, Any]) -> tuple[dict[str, ConnectorConfig | BadEntry], str]:
    """({name: the entry, or why it is unusable}, one sentence why the whole file is). No sentence holds a value.

    An entry whose name is no provider's stands there by its place in the file: what it is called may be a value.
    """
    entries = content.get("connectors")
    if not isinstance(entries, Mapping):
        return {}, "the file has no mapping `connectors`"
    if len(entries) > MOST_CONNECTORS:
        return {}, f"the file has more than {MOST_CONNECTORS} connectors"
    named: dict[str, ConnectorConfig | BadEntry] = {}
    nameless: dict[str, ConnectorConfig | BadEntry] = {}
    for place, (name, entry) in enumerate(entries.items(), 1):
        try:
            named[_PROVIDER.validate_python(name)] = _read_entry(entry)
        except ValidationError as error:
            nameless[f"unnamed-{place}"] = BadEntry(NAME, error.errors()[0]["type"])
    return nameless | named, ""


def _read_entry(entry: Any) -> ConnectorConfig | BadEntry:
    try:
        return ConnectorConfig.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        # Below the field may stand a name of the file's own, such as a header's.
        return BadEntry(str(first["loc"][0]) if first["loc"] else "", first["type"])
