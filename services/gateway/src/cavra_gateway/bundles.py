"""Bundles as the gateway hands them out: a few at a time."""

from collections.abc import Mapping, Sequence

from cavra_service.bundling import collected

from cavra_gateway.session import Session


async def bundle(session: Session, trace_id: str, since: Mapping[str, Sequence[int]]) -> bytes:
    """The file of a trace's bundle, of all services' logs; `since` and what is refused as in `collected`."""
    async with session.gateway.bundling:
        return await collected(session.caller, session.services.logs, trace_id, since)
