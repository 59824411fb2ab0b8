"""Settings that every service reads: from the environment, with the prefix CAVRA_."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"
]
"""Signatures that only the holder of a private key can make: no other kind can be allowed."""
PersonRole = Literal["operator", "approver", "auditor"]
"""Roles that an identity provider may give. `service` is the local issuer's alone."""


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

    oidc_issuer: str = Field("", pattern=r"^([A-Za-z0-9][A-Za-z0-9._:/-]{0,255})?$")
    """`iss` of the identity provider whose tokens are trusted beside the local issuer's; empty for none."""
    oidc_audience: str = ""
    """`aud` that its tokens must have."""
    oidc_jwks_url: str = ""
    """Where its public keys are; empty asks `<oidc_issuer>/.well-known/openid-configuration`."""
    oidc_algorithms: tuple[Algorithm, ...] = ("RS256", "ES256", "Ed25519", "EdDSA")
    """Signature algorithms that its tokens may have; a JSON list."""
    oidc_roles_claim: tuple[str, ...] = Field(("roles",), min_length=1)
    """Path to the claim that holds a text or a list of texts; a JSON list of names, e.g. ["realm_access","roles"]."""
    oidc_roles: dict[PersonRole, tuple[str, ...]] = {
        "operator": ("operator",),
        "approver": ("approver",),
        "auditor": ("auditor",),
    }
    """Role -> texts of that claim which give it; JSON, e.g. {"approver":["release-managers"]}."""
    oidc_jwks_cache_seconds: float = Field(300.0, ge=10)
    """How long its keys, and a token checked by one of them, are good for without asking again."""
    oidc_allow_loopback_http: bool = False
    """Whether its keys may come over plain HTTP from this machine. From anywhere else it is HTTPS."""
    token_skew_seconds: int = Field(30, ge=0, le=300)
    """How far the clocks of issuers may be off."""

    tls_certificate: Path | None = None
    """PEM file of the certificate (with its chain) that this process shows to services and their callers; set all three of tls_ or none."""
    tls_key: Path | None = None
    """PEM file of its private key."""
    tls_ca: Path | None = None
    """PEM file of the authorities whose certificates the other side must show."""

    checkpoint_dir: Path | None = None
    """Where each service keeps its log's last checkpoint, outside its store; unset means beside its key in identity_dir."""
    public_log: bool = False
    """Whether checkpoints and tiles of hashes may be read without a token. Records never may."""
    reflection: bool = True
    """Whether gRPC tools may ask without a token what is served: names and messages, as the contracts that everybody has say them."""
    heartbeat_seconds: float = Field(3600.0, ge=1, le=3600)
    """How often at least each log tells what is open, changed or not."""
    heartbeat_change_seconds: float = Field(30.0, ge=0.05)
    """How often at most it does when what is open has changed."""

    audit_interval_minutes: float = Field(0.0, ge=0)
    """How often each service replays its own log, and records what it found; 0 for never. It reads every record: `cavra audit`, run on
    another machine, finds more and costs the service less."""

    call_timeout_seconds: float = Field(20.0, gt=0)
    """Deadline of a call to another service that has none of its own."""
    worker_enabled: bool = False
    """Whether the retry service sends on a timer what is approved, without anybody asking for a run."""
    reconcile_interval_seconds: float = Field(15.0, gt=0)
    """Within so many seconds, once both services are up, every claim, send and alert that was cut short has an outcome."""
    drain_seconds: float = Field(5.0, ge=0)
    """How long calls under way may take to finish when a service stops."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is logged: debug, info, warning or error."""

    @field_validator("tls_certificate", "tls_key", "tls_ca", mode="before")
    @classmethod
    def _unset_when_empty(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.oidc_issuer:
            if not self.oidc_audience:
                raise ValueError("CAVRA_OIDC_ISSUER needs CAVRA_OIDC_AUDIENCE")
            if self.oidc_issuer == self.token_issuer:
                raise ValueError("CAVRA_OIDC_ISSUER is the local issuer's name, CAVRA_TOKEN_ISSUER")
        if len({path is None for path in (self.tls_certificate, self.tls_key, self.tls_ca)}) != 1:
            raise ValueError("CAVRA_TLS_CERTIFICATE, CAVRA_TLS_KEY and CAVRA_TLS_CA go together: all or none")
        return self

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

    def checkpoint_path(self, service: str) -> Path:
        """The file that keeps the last checkpoint of a service's log."""
        return (self.checkpoint_dir or self.identity) / service / "checkpoint"
