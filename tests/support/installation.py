"""An installation of a test's own: identity, services in this process on free ports, callers with tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
from cavra_service.client import Caller, connect
from cavra_service.identity import LocalIssuer
from cavra_service.runtime import load
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials


class Installation:
    """Keys, tokens and settings below one folder. Environment variables that a service reads are set by the test (monkeypatch)."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        free = {
            "delivery_port": 0,
            "retry_port": 0,
            "recovery_port": 0,
            "gateway_port": 0,
            "drain_seconds": 0.5,
        }
        self.settings = Settings(data_dir=folder, **{**free, **settings})
        self.issuer = LocalIssuer(self.settings)
        self.issuer.prepare()

    def token(self, subject: str, *roles: str) -> str:
        """A token for `subject` with `roles`."""
        return self.issuer.token(subject, list(roles))

    def caller(self, subject: str, *roles: str) -> Caller:
        """Calls as `subject`."""
        token = self.token(subject, *roles)
        return Caller(lambda: token, 10.0)

    @asynccontextmanager
    async def running(self, service: str) -> AsyncIterator[str]:
        """Run a service in this process; gives its address. Services that it calls must run already: their addresses are
        known from then on."""
        async with load(service).start(self.settings) as address:
            if f"{service}_address" in Settings.model_fields:
                self.settings = self.settings.model_copy(update={f"{service}_address": address})
            yield address

    @asynccontextmanager
    async def channel(self, address: str) -> AsyncIterator[grpc.aio.Channel]:
        """A channel that is closed at the end."""
        channel = connect(address, channel_credentials(self.settings))
        try:
            yield channel
        finally:
            await channel.close()
