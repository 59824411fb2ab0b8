"""The connector that sends events by mail: one message of text and HTML for each, over SMTP with TLS.

RFC 5321 (SMTP), 3207 (STARTTLS), 2046 (multipart), 3834 (Auto-Submitted).
"""

import asyncio
import socket
import ssl
from dataclasses import replace
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime
from hashlib import sha256
from html import escape
from typing import Final

import aiosmtplib
from cavra_evidence.guard import kept_headers, kept_url
from cavra_evidence.records.delivery import SentRequest

from cavra_delivery.connectors import ssrf
from cavra_delivery.connectors.base import Answer, Destination, Event, Message, NotConfigured, Rendered
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.summary import Summary, summary_of

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_LOGIN: Final = frozenset({454, 530, 534, 535, 538})


class EmailConnector:
    """Mails each event to the configured recipients: to all of them, or to none."""

    kind = "email"
    deduplicates = False
    template_version = "1"

    def __init__(self, name: str, config: ConnectorConfig) -> None:
        self.name = name
        self._config = config

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Connector.render`."""
        summary, config = summary_of(event), self._config
        mail = EmailMessage(WIRE)
        mail["From"] = config.sender
        mail["To"] = ", ".join(config.recipients)
        mail["Subject"] = summary.title
        mail["Date"] = format_datetime(datetime.fromisoformat(event.occurred_at))
        mail["Message-ID"] = f"<{message_id}@{config.sender.partition('@')[2] or 'cavra.invalid'}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Cavra-Event-Type"] = event.event_type
        mail.set_content(summary.text, cte="base64")
        mail.add_alternative(_html(summary), subtype="html", cte="base64")
        mail.set_boundary(f"=_{sha256(message_id.encode()).hexdigest()[:32]}")
        return Rendered(mail.as_bytes(), "message/rfc822")

    def destination(self) -> Destination:
        """See `Connector.destination`. `url` is smtp://host or smtp://host:port."""
        config = self._config
        scheme, _, rest = config.resolve("url").partition("://")
        try:
            target = ssrf.target(f"https://{rest}")
        except ValueError:
            raise NotConfigured(field="url") from None
        if scheme != "smtp" or target.path not in ("", "/") or target.query:
            raise NotConfigured(field="url")
        if not config.sender or not config.recipients:
            raise NotConfigured(field="recipients" if config.sender else "sender")
        user, password = config.resolve("user"), config.resolve("password")
        if bool(user) != bool(password) or (user and config.security == "none"):
            raise NotConfigured(field="security" if user and password else "password_env")
        port = target.port or _PORTS[config.security]
        identity = {
            "scheme": scheme,
            "host": target.hostname,
            "port": port,
            "path": "",
            "query": "",
            "method": "MAIL",
            "kind": self.kind,
            "template_version": self.template_version,
            "header_names": [config.security, *(["login"] if user else [])],
        }
        host = f"[{target.hostname}]" if ":" in str(target.hostname) else target.hostname
        login = (user, password) if user else None
        return Destination(identity, f"smtp://{host}:{port}", login=login, route=config.route())

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """See `Connector.send`."""
        session = _Session(self._config, destination)
        request = SentRequest(
            method="MAIL",
            url=kept_url(destination.url),
            headers=kept_headers(
                {
                    "content-type": message.rendered.content_type,
                    "webhook-id": message.message_id,
                    **({"cavra-execution-id": message.execution_id} if message.execution_id else {}),
                }
            ),
        )
        try:
            async with asyncio.timeout(timeout):
                answer = await session.send(message)
        except (aiosmtplib.SMTPException, TimeoutError, OSError, ValueError) as error:
            answer = session.failure(error)
        finally:
            session.close()
        return replace(answer, request=request)


class _Session:
    """One mail's connection, as far as it has got."""

    def __init__(self, config: ConnectorConfig, destination: Destination) -> None:
        self._config = config
        self._destination = destination
        self._handed_over = False
        """The content is on its way."""
        self._client: aiosmtplib.SMTP | None = None

    async def send(self, message: Message) -> Answer:
        """Hand over one mail. What is not accepted for every recipient is given to none."""
        client = await self._open()
        if self._destination.login is not None:
            await client.login(*self._destination.login)
        await client.mail(self._config.sender)
        for recipient in self._config.recipients:
            await client.rcpt(recipient)
        body = message.rendered.body
        if message.execution_id:
            body = f"Cavra-Execution-Id: {message.execution_id}\r\n".encode() + body
        self._handed_over = True
        response = await client.data(body)
        return Answer(status_code=response.code)

    async def _open(self) -> aiosmtplib.SMTP:
        config, where = self._config, self._destination.identity
        host, route = str(where["host"]), self._destination.route
        trust = await asyncio.to_thread(_trust, route.ca_file)
        async with asyncio.timeout(route.connect_seconds):
            connected = await _connected(host, int(where["port"]), route.private)
            # Nothing waits from here to the `try`: a time-out would leave the connection to nobody.
            client = self._client = aiosmtplib.SMTP(
                hostname=host,
                sock=connected,
                use_tls=config.security == "tls",
                start_tls=False,
                tls_context=trust,
                local_hostname=config.sender.partition("@")[2],
                timeout=None,
            )
            try:
                await client.connect()
                if config.security == "starttls":
                    await _secured(client)
            except BaseException:
                connected.close()
                raise
        return client

    def failure(self, error: Exception) -> Answer:
        """What an error leaves of the mail. A reply of the server's is its refusal; without one, a mail handed over may be there."""
        if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 600:
            return _refused(error.code, error.message)
        if self._handed_over:
            timed_out = isinstance(error, TimeoutError)
            return Answer("timeout" if timed_out else "response_invalid", may_have_arrived=True)
        if isinstance(error, socket.gaierror):
            return Answer("dns", again=True)
        if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
            return Answer("tls")
        if isinstance(error, _Refused):
            return Answer("destination_refused")
        if isinstance(error, TimeoutError):
            return Answer("timeout", again=True)
        # What is no error of the network is a server that cannot do what is asked, e.g. take a login.
        return Answer("connect", again=True) if isinstance(error, OSError) else Answer("rejected")

    def close(self) -> None:
        """Hang up. What was answered stands; a farewell is worth no wait."""
        if self._client is not None:
            self._client.close()


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except OSError:
        raise ssl.SSLError("the authorities cannot be read") from None


async def _secured(client: aiosmtplib.SMTP) -> None:
    """Raises SSLError for a server that offers no TLS: nothing is said to it in the clear."""
    await client.ehlo()
    if not client.supports_extension("starttls"):
        raise ssl.SSLError("the server offers no STARTTLS")
    await client.starttls()


class _Refused(OSError):
    """No address of the host may be reached."""


async def _connected(host: str, port: int, private: bool) -> socket.socket:
    """A connection to one of the host's addresses that may be reached: checked as they are resolved, and connected to as checked."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [info for info in found if ssrf.may_reach(str(info[4][0]), private)]
    failed: OSError = _Refused()
    for family, kind, protocol, _, address in allowed:
        candidate = socket.socket(family, kind, protocol)
        candidate.setblocking(False)
        try:
            await loop.sock_connect(candidate, address)
        except OSError as error:
            candidate.close()
            failed = error
        except BaseException:
            candidate.close()
            raise
        else:
            return candidate
    raise failed


def _refused(code: int, text: str) -> Answer:
    """What a reply refuses: the class of its code, and the enhanced code (RFC 3463) where it begins with one."""
    if code in _LOGIN:
        return Answer("auth", code, again=code == 454)
    if code >= 500:
        return Answer("rejected", code)
    return Answer("rate_limited" if text.startswith("4.7.") else "server_error", code, again=True)


def _html(summary: Summary) -> str:
    rows = "".join(
        f"<tr><th align='left'>{escape(label)}</th><td>{escape(value)}</td></tr>\n"
        for label, value in summary.facts
    )
    return f"<!doctype html>\n<html><body>\n<h2>{escape(summary.title)}</h2>\n<table>\n{rows}</table>\n</body></html>\n"
