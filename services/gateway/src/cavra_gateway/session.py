"""One request's session: who asks, and the services as that caller may call them."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated, Any

from cavra_service.client import Caller
from cavra_service.errors import Refused, role_required
from cavra_service.idempotency import METADATA, checked
from cavra_service.identity import Identity, TokenVerifier
from fastapi import Depends, Request

from cavra_gateway.limits import Limits
from cavra_gateway.services import DOWN, Services
from cavra_gateway.settings import GatewaySettings


@dataclass(frozen=True, slots=True)
class Gateway:
    """What all requests share."""

    settings: GatewaySettings
    verifier: TokenVerifier
    services: Services
    limits: Limits
    bundling: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(4))
    """Bundles that are put together at once: each may take some hundred megabytes."""
    verifying: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    """Verifications at once: they take the interpreter's time from everything else."""


@dataclass(frozen=True, slots=True)
class Session:
    """A caller whose token was checked. Services check it again: being let in here gains nothing there."""

    identity: Identity
    caller: Caller
    gateway: Gateway

    @property
    def services(self) -> Services:
        """The services to call."""
        return self.gateway.services

    @property
    def actor(self) -> dict[str, Any]:
        """The `actor` of an answer."""
        actor = self.identity.actor
        return {
            "actor": actor.name,
            "subject": actor.sub,
            "issuer": actor.iss,
            "groups": list(self.identity.groups),
        }

    async def call(self, method: Any, request: Any) -> Any:
        """The answer of one call. Raises Refused."""
        return await self.caller.unary(method, request)

    async def send(self, method: Any, request: Any) -> Any:
        """As `call` for a request with `retries` and `timeout_seconds`: waits as long as its tries may take."""
        tries = (request.retries + 1) * request.timeout_seconds
        return await self.caller.unary(
            method, request, timeout=self.gateway.settings.call_timeout_seconds + tries
        )

    async def read(self, method: Any, request: Any) -> Any:
        """As `call` for a part of a merged answer; None when the service could not answer in time."""
        try:
            return await self.caller.unary(
                method, request, timeout=self.gateway.settings.read_timeout_seconds
            )
        except Refused as refused:
            if refused.reason in DOWN:
                return None
            raise


async def authenticate(request: Request, roles: frozenset[str]) -> Session:
    """The session of a request's bearer token. A command's idempotency key goes with each of its calls: the services keep keys, not we.

    Raises Refused `unauthenticated`, `invalid_token`, or `role_required` for a caller with none of `roles`; `resource_exhausted` for one
    too many; `invalid_value` for what is no key.
    """
    gateway: Gateway = request.app.state.gateway
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else ""
    identity = await identified(gateway, request, token)
    gateway.limits.admit(identity.actor)
    if not identity.roles & roles:
        raise role_required(roles)
    key = checked(request.headers.getlist(METADATA)) if request.method == "POST" else ""
    return Session(identity, Caller(lambda: token, gateway.settings.call_timeout_seconds, key), gateway)


async def identified(gateway: Gateway, request: Request, token: str) -> Identity:
    """Who a request's token stands for. Raises Refused `unauthenticated`, `invalid_token`, `resource_exhausted`, `service_unavailable`."""
    # A token that was good just now is served whatever else comes from its address: that may be a proxy's.
    if known := gateway.verifier.known(token):
        return known
    address = request.client.host if request.client else ""
    if token:
        gateway.limits.may_try(address)
    try:
        return await gateway.verifier.verify(token)
    except Refused as refused:
        if refused.http_status == 401:
            gateway.limits.failed(address, refused.reason)
        raise


def _current(request: Request) -> Session:
    session: Session = request.state.session
    return session


Me = Annotated[Session, Depends(_current)]
"""The session of the request that is being served."""
