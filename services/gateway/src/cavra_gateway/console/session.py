"""Who sits in front of the console: the browser's cookie that holds the token itself, sealed, and what guards a form."""

import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from cavra_service.client import Caller
from cavra_service.errors import Refused, role_required
from cavra_service.identity import Identity
from cavra_service.sealing import Sealer
from fastapi import Depends, Request
from fastapi.responses import Response

from cavra_gateway.access import ROLES
from cavra_gateway.session import Gateway, Session, identified

PATH: Final = "/console"
_SESSION: Final = "session"
_CHUNK: Final = 3800
"""Characters of one cookie; a provider's token may need several."""
_MOST_CHUNKS: Final = 6


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, as one request shows them."""

    session: Session
    csrf: str
    """What every form of theirs carries."""
    token: str = field(repr=False)

    @property
    def identity(self) -> Identity:
        """Who they are."""
        return self.session.identity

    def may(self, operation: str) -> bool:
        """Whether they hold a role that this operation of the API takes."""
        return bool(self.identity.roles & ROLES[operation])

    def acting(self, operation: str, key: str) -> Session:
        """Their session for one command under an idempotency key. Raises Refused `role_required`."""
        if not self.may(operation):
            raise role_required(ROLES[operation])
        gateway = self.session.gateway
        caller = Caller(lambda: self.token, gateway.settings.call_timeout_seconds, key)
        return Session(self.identity, caller, gateway)


class SignedOutError(Exception):
    """Nobody is signed in, or no longer."""

    def __init__(self, expired: bool) -> None:
        super().__init__()
        self.expired = expired


async def visitor_of(request: Request) -> Visitor:
    """Who the request's cookie stands for. Raises SignedOutError, or Refused as the API does."""
    gateway: Gateway = request.app.state.gateway
    sealer: Sealer = request.app.state.sealer
    sealed = cookie_text(request.cookies, cookie_name(request, _SESSION))
    document = sealer.open(_SESSION, sealed) if sealed else None
    if document is None:
        raise SignedOutError(expired=bool(sealed))
    token: str = document["token"]
    try:
        identity = await identified(gateway, request, token)
    except Refused as refused:
        if refused.http_status == 401:
            raise SignedOutError(expired=True) from None
        raise
    gateway.limits.admit(identity.actor)
    caller = Caller(lambda: token, gateway.settings.call_timeout_seconds)
    return Visitor(Session(identity, caller, gateway), document["csrf"], token)


def _current(request: Request) -> Visitor:
    visitor: Visitor = request.state.visitor
    return visitor


Visiting = Annotated[Visitor, Depends(_current)]
"""Who is signed in, in the request that is being served."""


def sign_in(request: Request, response: Response, token: str, identity: Identity) -> None:
    """Let the browser carry `token`, sealed, until it expires."""
    seconds = identity.expires_at - time.time()
    sealer: Sealer = request.app.state.sealer
    sealed = sealer.seal(_SESSION, {"token": token, "csrf": secrets.token_urlsafe(24)}, seconds)
    if len(sealed) > _CHUNK * _MOST_CHUNKS:
        raise Refused("too_long", "the token is too long for a browser to carry", "token")
    # The browser keeps it a day beyond its end, so that whoever comes back is told that it ended.
    set_cookie(request, response, _SESSION, sealed, seconds + 86_400, "strict")


def sign_out(request: Request, response: Response) -> None:
    """Let the browser forget."""
    for name in request.cookies:
        if name.partition(".")[0] == cookie_name(request, _SESSION):
            response.delete_cookie(name, PATH, secure=is_secure(request), httponly=True, samesite="strict")


def set_cookie(
    request: Request, response: Response, name: str, text: str, seconds: float, same_site: Any
) -> None:
    """A cookie for the console alone, out of scripts' reach, in as many parts as it takes."""
    full = cookie_name(request, name)
    parts = [text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)]
    for at, part in enumerate(parts):
        response.set_cookie(
            full if at == 0 else f"{full}.{at}",
            part,
            max_age=int(seconds),
            path=PATH,
            secure=is_secure(request),
            httponly=True,
            samesite=same_site,
        )
    stale = f"{full}.{len(parts)}"
    if stale in request.cookies:
        response.delete_cookie(stale, PATH)


def cookie_text(cookies: Mapping[str, str], name: str) -> str:
    """A cookie's parts put together."""
    parts = [cookies.get(name, "")]
    while len(parts) < _MOST_CHUNKS and (part := cookies.get(f"{name}.{len(parts)}")):
        parts.append(part)
    return "".join(parts)


def cookie_name(request: Request, name: str) -> str:
    """Its name; over HTTPS browsers keep one of this prefix from whoever speaks plain HTTP."""
    return f"__Secure-cavra-{name}" if is_secure(request) else f"cavra-{name}"


def origin_of(request: Request) -> str:
    """The origin under which browsers know the console."""
    gateway: Gateway = request.app.state.gateway
    return gateway.settings.console_origin or f"{request.url.scheme}://{request.headers.get('host', '')}"


def is_secure(request: Request) -> bool:
    """Whether browsers come over HTTPS."""
    return origin_of(request).startswith("https://")


def check_origin(request: Request) -> None:
    """Raises Refused `cross_site` for a form that was not sent from one of our own pages."""
    if request.headers.get("origin", "") != origin_of(request):
        raise Refused("cross_site", "the form was not sent from this console")


def check_csrf(visitor: Visitor, sent: str) -> None:
    """Raises Refused `cross_site` for a form that was not made for this session."""
    if not hmac.compare_digest(visitor.csrf.encode(), sent.encode()):
        raise Refused("cross_site", "the form belongs to another session: open the page again")


def own_path(target: str) -> str:
    """`target` when it is a page of the console, else the console's first page."""
    parts = urlsplit(target)
    own = not parts.scheme and not parts.netloc and parts.path.startswith(PATH + "/")
    plain = all(" " < character < "\x7f" and character != "\\" for character in target)
    return target if own and plain and "//" not in parts.path else PATH + "/"
