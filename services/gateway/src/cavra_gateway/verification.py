"""The verdict on a trace: the auditor's own verifier, run here on a fresh bundle."""

import asyncio
import json
from typing import Final

import structlog
from cavra_service.errors import Refused
from cavra_service.keys import KeyListError
from cavra_service.policies import policy_document
from cavra_verify.policy import Policy, PolicyError, read_policy
from cavra_verify.verify import Verdict, verify

from cavra_gateway.bundles import bundle
from cavra_gateway.session import Session
from cavra_gateway.settings import GatewaySettings

_MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a bundle that is verified here, some thousand records: a larger one takes its time on somebody's own machine."""

log = structlog.get_logger()


async def verdict(session: Session, trace_id: str) -> Verdict:
    """What the verifier says of a trace at the heads of this moment, by the installation's policy. Raises Refused as `bundle` does."""
    policy = await asyncio.to_thread(_policy, session.gateway.settings)
    data = await bundle(session, trace_id, {})
    if len(data) > _MOST_BYTES:
        raise Refused(
            "trace_too_long",
            "too much to verify here: take the bundle and verify it with cavra-verify",
            "trace_id",
        )
    async with session.gateway.verifying:
        return await asyncio.to_thread(verify, data, policy)


def _policy(settings: GatewaySettings) -> Policy:
    try:
        if settings.verification_policy is not None:
            return read_policy(settings.verification_policy.read_bytes())
        return read_policy(json.dumps(policy_document(settings)).encode())
    except (OSError, PolicyError, KeyListError) as error:
        log.error("verification_policy_unreadable", error=type(error).__name__, detail=str(error))
        raise Refused("service_unavailable", "the gateway has no policy that it could verify by") from None
