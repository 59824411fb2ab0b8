"""What the gateway needs to know beside what every service does."""

from pathlib import Path
from typing import Annotated, Any

from cavra_service.settings import Settings
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode


class GatewaySettings(Settings):
    """Each field is the environment variable CAVRA_<NAME>."""

    cors_allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()
    """Origins whose pages may call the API, separated by commas; none by default."""

    max_body_bytes: int = Field(1024 * 1024, ge=1)
    """Largest request body in bytes."""

    read_timeout_seconds: float = Field(5.0, gt=0)
    """Deadline of each call that a merged answer (history, dashboard) is made of: one that hangs is reported as unavailable."""

    probe_timeout_seconds: float = Field(2.0, gt=0)
    """Deadline of a health probe."""

    metadata_mode: str = "service"
    """What the console is told about where metadata lives."""

    rate_limit_per_second: int = Field(500, ge=0)
    """Requests a second that one subject may make in the long run; 0 for any number."""

    rate_limit_burst: int = Field(2000, ge=1)
    """Requests that one subject may make at once."""

    failed_logins_per_second: int = Field(5, ge=0)
    """Bad tokens a second that one address may send in the long run, and ten times as many at once; 0 for any number."""

    verification_policy: Path | None = None
    """Policy that traces are verified by (docs/verifying.md); unset: one of the keys below `trust`, with the least floors."""

    console_origin: str = Field("", pattern=r"^(https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?)?$")
    """Where browsers find the console, e.g. https://cavra.example.com, when a proxy stands before it; empty: what a request's Host says."""

    oidc_client_id: str = ""
    """The console's client id at the identity provider; empty offers no sign-in there."""

    oidc_client_secret: SecretStr = SecretStr("")
    """Its secret, where the provider asks for one beside PKCE."""

    oidc_scopes: str = Field("openid profile", pattern=r"^openid( [!-~]+)*$")
    """What the console asks the provider for, separated by spaces."""

    @field_validator("verification_policy", mode="before")
    @classmethod
    def _unset_when_blank(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("cors_allowed_origins", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value
