"""Mutual TLS between services: both sides show a certificate of the installation's own authority."""

from collections.abc import Iterable, Mapping
from typing import Final

import grpc

from cavra_service.identity import SERVICES, Identity
from cavra_service.settings import Settings

_PEER_NAMES: Final = ("x509_subject_alternative_name", "x509_common_name")


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """What a server takes: callers with a certificate of the authority, none other. None without TLS. Raises OSError."""
    if settings.tls_certificate is None or settings.tls_key is None or settings.tls_ca is None:
        return None
    pair = (settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())
    return grpc.ssl_server_credentials([pair], settings.tls_ca.read_bytes(), require_client_auth=True)


def channel_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """What a client shows, and whom it believes. None without TLS. Raises OSError."""
    if settings.tls_certificate is None or settings.tls_key is None or settings.tls_ca is None:
        return None
    return grpc.ssl_channel_credentials(
        settings.tls_ca.read_bytes(), settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes()
    )


def may_speak_for(identity: Identity, peer: Mapping[str, Iterable[bytes]]) -> bool:
    """Whether a peer with this certificate may call as `identity`. Names count by their first label: "retry" or "retry.cavra.svc".

    A service's token is good only from that service, and a service hands on nobody's token: only the gateway, and who is no service,
    calls as a person.
    """
    names = {
        one.decode("utf-8", "replace").partition(".")[0] for name in _PEER_NAMES for one in peer.get(name, ())
    }
    if "service" in identity.roles:
        return identity.actor.sub in {f"service:{name}" for name in names}
    return "gateway" in names or names.isdisjoint(SERVICES)
