"""The verification policy of an installation, as its own lists of trusted keys make it: what an auditor checks once, and then pins."""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cavra_verify.policy import POLICY_SCHEMA, SERVICES, Floors

from cavra_service.keys import TrustedKey, read_keys
from cavra_service.settings import Settings


def policy_document(settings: Settings, services: Sequence[str] = SERVICES) -> dict[str, Any]:
    """The policy as JSON values, with the least floors that a verdict takes. Raises OSError or KeyListError for a list of keys."""
    trust = settings.identity / "trust"
    issuers = [settings.token_issuer, *filter(None, [settings.oidc_issuer])]
    return {
        "schema_version": POLICY_SCHEMA,
        "logs": [
            {
                "origin": settings.origin(service),
                "service": service,
                "keys": [_pinned(key) for key in read_keys(trust / f"{service}.pub")],
            }
            for service in services
        ],
        "issuers": issuers,
        "floors": asdict(Floors()),
    }


def _pinned(key: TrustedKey) -> dict[str, Any]:
    """A key that was revoked counts for what it signed before, if there is such a part of the log."""
    pinned: dict[str, Any] = {"public_key": base64.b64encode(key.public).decode()}
    if key.until_index is not None and key.until_index <= key.from_index:
        return {**pinned, "revoked": "no record that it signed counts"}
    if key.from_index:
        pinned["from_index"] = key.from_index
    if key.until_index is not None:
        pinned["until_index"] = key.until_index
    return pinned
