"""The connector configuration: its shape, and how a secret that it names is found."""

import os
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from cavra_evidence.records.base import Provider
from cavra_verify.grammar import PATTERNS
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from cavra_delivery.connectors.base import KINDS, NotConfigured

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
        "user-agent",
    }
    | {"cavra-execution-id"}
)
"""Headers that a configuration may not set: the connector's own, and those that frame a request."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VISIBLE = re.compile(r"[\x20-\x7e\t]{0,8192}")

Variable = Annotated[str, StringConstraints(pattern=f"^(?:{PATTERNS['variable']})$")]


def _header_name(name: str) -> str:
    if not _TOKEN.fullmatch(name) or name.lower() in RESERVED_HEADERS:
        raise ValueError("not a header that may be set")
    return name


HeaderName = Annotated[str, AfterValidator(_header_name)]


class ConnectorConfig(BaseModel):
    """One connector of the file. A secret is given by the name of an environment variable, or in place."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    kind: str = ""
    enabled: bool = True
    url: SecretStr | None = None
    url_env: Variable | None = None
    method: Literal["POST", "PUT"] = "POST"
    headers: dict[HeaderName, SecretStr] = {}
    authorization: SecretStr | None = None
    authorization_env: Variable | None = None
    token: SecretStr | None = None
    token_env: Variable | None = None
    authorization_scheme: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}$")] = "Bearer"
    api_key: SecretStr | None = None
    api_key_env: Variable | None = None
    api_key_header: HeaderName = "x-api-key"
    index: Annotated[str, Field(max_length=128)] = ""
    service: Annotated[str, Field(max_length=128)] = ""
    path: Annotated[str, Field(max_length=1024)] = ""
    """Folder of an archive."""
    allow_private_networks: bool = False

    @model_validator(mode="after")
    def _known_kind(self) -> "ConnectorConfig":
        if self.kind and self.kind not in KINDS:
            raise ValueError("not a known kind")
        return self

    def resolve(self, field: Literal["url", "authorization", "token", "api_key"]) -> str:
        """The value of a field: its variable's, or the one in place, or empty. Raises NotConfigured for a variable that is not set."""
        variable: str | None = getattr(self, f"{field}_env")
        if variable is not None:
            value = os.environ.get(variable, "").strip()
            if not value:
                raise NotConfigured(variable)
            return value
        secret: SecretStr | None = getattr(self, field)
        return "" if secret is None else secret.get_secret_value().strip()

    def request_headers(self) -> dict[str, str]:
        """The configured headers and the credentials, resolved. Raises NotConfigured."""
        headers = {name.lower(): value.get_secret_value() for name, value in self.headers.items()}
        if api_key := self.resolve("api_key"):
            headers[self.api_key_header.lower()] = api_key
        if token := self.resolve("token"):
            headers["authorization"] = f"{self.authorization_scheme} {token}"
        if authorization := self.resolve("authorization"):
            headers["authorization"] = authorization
        if not all(_VISIBLE.fullmatch(value) for value in headers.values()):
            raise NotConfigured
        return headers

    def target(self) -> SplitResult:
        """The URL that is sent to. Raises NotConfigured unless it is an http or https URL without userinfo."""
        try:
            url = urlsplit(self.resolve("url"))
            usable = url.scheme in ("http", "https") and url.hostname and url.port != 0
        except ValueError:
            raise NotConfigured from None
        if (
            not usable
            or url.username is not None
            or url.password is not None
            or not _VISIBLE.fullmatch(url.geturl())
        ):
            raise NotConfigured
        return url._replace(fragment="")


_PROVIDER = TypeAdapter(Provider)


def read_connectors(content: Mapping[str, Any]) -> tuple[dict[str, ConnectorConfig | str], str]:
    """({name: the entry, or one sentence why it is unusable}, one sentence why the whole file is). No sentence holds a value."""
    entries = content.get("connectors")
    if not isinstance(entries, Mapping):
        return {}, "the file has no mapping `connectors`"
    if len(entries) > MOST_CONNECTORS:
        return {}, f"the file has more than {MOST_CONNECTORS} connectors"
    found: dict[str, ConnectorConfig | str] = {}
    for name, entry in entries.items():
        try:
            provider = _PROVIDER.validate_python(name)
        except ValidationError:
            return {}, "a connector's name is not a provider's name"
        found[provider] = _read_entry(entry)
    return found, ""


def _read_entry(entry: Any) -> ConnectorConfig | str:
    try:
        return ConnectorConfig.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "kind"
        return f"{where} is refused by rule {first['type']}"
