"""The trace page: one delivery's chain as a picture, each of its records with its proof, and what the verifier says of all."""

from typing import Annotated, Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_KIND, BY_NOUN
from cavra_verify.merkle import ProofError, verify_inclusion
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response

from cavra_gateway.bundles import bundle
from cavra_gateway.console.forms import Problem
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import Visiting
from cavra_gateway.console.trace_chain import Chain, chain_of
from cavra_gateway.console.trace_layout import HEIGHT, WIDTH
from cavra_gateway.console.trace_states import state_of
from cavra_gateway.history import find, history
from cavra_gateway.queries import HistoryQuery
from cavra_gateway.records import Json, envelope, full
from cavra_gateway.session import Session
from cavra_gateway.verification import verdict

router = APIRouter(route_class=Page)

_NEWEST: Final = 25
"""Deliveries that are offered to begin with."""

RecordId = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]


@router.get("/trace")
async def trace(
    request: Request,
    visitor: Visiting,
    id: Annotated[str, Query(max_length=256)] = "",
    record: Annotated[str, Query(max_length=256)] = "",
) -> Response:
    """The chain of any record, by its id; without one, where to begin."""
    asked = id.strip()
    if not asked:
        query = HistoryQuery(metadata_kind=BY_NOUN["connector_delivery"].kind, limit=_NEWEST)
        found = await history(visitor.session, query)
        return page(
            request,
            "trace_start.html",
            asked="",
            unknown=False,
            deliveries=_begun(found),
            sources=found["sources"],
        )
    chain = await chain_of(visitor.session, asked)
    if not chain.nodes:
        return page(
            request,
            "trace_start.html",
            status=404 if not chain.down else 503,
            asked=asked,
            unknown=True,
            deliveries=[],
            sources=chain.sources,
        )
    opened = await _opened(visitor.session, record) if record else None
    return page(
        request, "trace.html", chain=chain, delivery=_delivery(chain), opened=opened, box=(WIDTH, HEIGHT)
    )


@router.get("/trace/record/{record_id}")
async def trace_record(request: Request, visitor: Visiting, record_id: RecordId) -> Response:
    """One record: fields, bytes, hash, proof. A part of the page."""
    return page(request, "trace_record.html", opened=await _opened(visitor.session, record_id))


@router.get("/trace/verdict/{trace_id}")
async def trace_verdict(request: Request, visitor: Visiting, trace_id: RecordId) -> Response:
    """What the verifier says of a trace, claim by claim. A part of the page."""
    try:
        found, problem = (await verdict(visitor.session, trace_id)).document(), None
    except Refused as refused:
        found, problem = None, Problem(refused)
    return page(request, "trace_verdict.html", verdict=found, problem=problem, trace_id=trace_id)


@router.get("/trace/bundle/{trace_id}")
async def trace_bundle(visitor: Visiting, trace_id: RecordId) -> Response:
    """The trace's bundle, to keep and to verify elsewhere."""
    data = await bundle(visitor.session, trace_id, {})
    headers = {"content-disposition": f'attachment; filename="{trace_id}.bundle.json"'}
    return Response(data, headers=headers, media_type="application/vnd.cavra.bundle+json")


def _begun(found: Json) -> list[dict[str, Any]]:
    """Deliveries by which a chain is entered, newest first, each chain once."""
    begun: dict[str, dict[str, Any]] = {}
    for item in found["items"]:
        for trace_id in item["trace_ids"][:1]:
            begun.setdefault(trace_id, {"trace_id": trace_id, "item": item, "state": state_of(item)})
    return list(begun.values())


def _delivery(chain: Chain) -> str:
    """The trace that is verified and handed over: the one asked for, or the first that the record is about."""
    return chain.asked if chain.asked in chain.trace_ids else chain.trace_ids[0] if chain.trace_ids else ""


async def _opened(session: Session, record_id: str) -> dict[str, Any]:
    """All that is shown of one record. Raises Refused `unknown_record`, or `service_unavailable` when its service is down."""
    record, sources = await find(session, record_id)
    if record is None:
        if "unavailable" in sources.values():
            raise Refused("service_unavailable", "the service that holds this record is down")
        raise Refused("unknown_record", "no log holds a record of this id")
    served = envelope(record)
    kind = BY_KIND[served["metadata_kind"]]
    return {
        "envelope": served,
        "state": state_of(served),
        "body": {
            name: value for name, value in full(served).items() if name not in ("product", "schema_version")
        },
        "canonical": record.canonical.decode(),
        "signature": record.signature.hex(),
        "key_id": record.key_id,
        "signed": kind.signed,
        "proof": await _proof(session, record),
    }


async def _proof(session: Session, record: pb.Record) -> dict[str, Any] | None:
    """That the record stands in its log, at the log's head of this moment; None when the service went down meanwhile."""
    log = session.services.logs[record.origin.rpartition("/")[2]]
    head = await session.read(log.GetCheckpoint, pb.GetCheckpointRequest())
    if head is None:
        return None
    asked = pb.GetInclusionProofRequest(index=record.index, tree_size=head.tree_size)
    proof = await session.read(log.GetInclusionProof, asked)
    if proof is None:
        return None
    try:
        verify_inclusion(record.record_hash, record.index, head.tree_size, list(proof.hashes), head.root_hash)
        holds = True
    except ProofError:
        holds = False
    return {
        "origin": record.origin,
        "index": record.index,
        "tree_size": head.tree_size,
        "hashes": [one.hex() for one in proof.hashes],
        "root": head.root_hash.hex(),
        "note": head.note,
        "holds": holds,
    }
