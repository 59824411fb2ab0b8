"""A mail server: aiosmtpd, with a certificate, a login, and replies that a test scripts."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "cavra@mail.example", "mail-password-made-for-this-test"


@dataclass
class MailServer:
    """Takes mail. `replies`: command -> the reply it is refused with."""

    replies: dict[str, str] = field(default_factory=dict)
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    """(sender, recipients, content) of what was taken."""
    logins: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    takes: Callable[[str, str], bool] = lambda user, password: (user, password) == (USER, PASSWORD)
    """Which user and password it takes."""
    secure: list[bool] = field(default_factory=list)
    """Of each login, whether it came over TLS."""
    hold: asyncio.Event | None = None
    """While set and not fired, a mail that has come in is kept waiting for its reply."""
    hangs_up: bool = False
    """Whether it goes away in place of the reply to a mail."""
    port: int = 0

    @asynccontextmanager
    async def open(
        self, tls: ssl.SSLContext | None, implicit: bool = False, login: bool = True
    ) -> AsyncIterator["MailServer"]:
        """The server, listening; with `tls` it offers STARTTLS, or speaks TLS from the first byte when `implicit`."""
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            return SMTP(
                self,
                hostname="mail.example",
                loop=loop,
                tls_context=None if implicit else tls,
                require_starttls=tls is not None and not implicit,
                auth_required=login,
                auth_require_tls=not implicit,
                authenticator=self._authenticate,
            )

        server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if implicit else None)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            if self.hold is not None:
                self.hold.set()
            server.close()

    def _authenticate(
        self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        user, password = data.login.decode(), data.password.decode()
        self.logins.append(user)
        self.passwords.append(password)
        self.secure.append(session.ssl is not None)
        return AuthResult(success=self.takes(user, password), handled=False)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """One recipient."""
        if refused := self.replies.get(address):
            return refused
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """The sender."""
        if refused := self.replies.get("MAIL"):
            return refused
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """One mail."""
        if refused := self.replies.get("DATA"):
            return refused
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        self.mails.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        if self.hold is not None:
            await self.hold.wait()
        if self.hangs_up:
            assert server.transport is not None
            server.transport.close()
        return "250 2.0.0 Ok: queued as 4F8A2C0012"
