"""Settings that every service reads: from the environment, with the prefix CAVRA_."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What one process needs to know. Each field is the environment variable CAVRA_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="CAVRA_", extra="ignore", frozen=True)

    data_dir: Path = Path(".cavra")
    """Where stores live: one file per service."""

    identity_dir: Path | None = None
    """Where keys and tokens live; unset means `identity` below data_dir. Made by `cavra init`."""

    installation: str = Field("cavra.local", pattern=r"^[a-z0-9][a-z0-9.-]{0,100}$")
    """Name of this installation: the first part of each log's origin, e.g. "cavra.local/retry"."""

    host: str = "127.0.0.1"
    """Interface that a service listens on."""

    delivery_port: int = Field(7101, ge=0, le=65535)
    """gRPC port of the delivery service; 0 takes a free one."""
    retry_port: int = Field(7102, ge=0, le=65535)
    """gRPC port of the retry service; 0 takes a free one."""
    recovery_port: int = Field(7103, ge=0, le=65535)
    """gRPC port of the recovery service; 0 takes a free one."""
    gateway_port: int = Field(8000, ge=0, le=65535)
    """HTTP port of the gateway; 0 takes a free one."""

    delivery_address: str = "127.0.0.1:7101"
    """Where the others reach the delivery service, host:port."""
    retry_address: str = "127.0.0.1:7102"
    """Where the others reach the retry service, host:port."""
    recovery_address: str = "127.0.0.1:7103"
    """Where the gateway reaches the recovery service, host:port."""

    token_issuer: str = "cavra-local"  # noqa: S105 the issuer's name is no secret
    """`iss` that a token must have."""
    token_audience: str = "cavra"  # noqa: S105 the audience's name is no secret
    """`aud` that a token must have."""

    call_timeout_seconds: float = Field(20.0, gt=0)
    """Deadline of a call to another service that has none of its own."""
    drain_seconds: float = Field(5.0, ge=0)
    """How long calls under way may take to finish when a service stops."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged: debug, info, warning or error."""

    @property
    def identity(self) -> Path:
        """The folder of keys and tokens."""
        return self.identity_dir or self.data_dir / "identity"

    def origin(self, service: str) -> str:
        """Origin of a service's log."""
        return f"{self.installation}/{service}"

    def store_path(self, service: str) -> Path:
        """A service's SQLite file."""
        return self.data_dir / f"{service}.sqlite3"
