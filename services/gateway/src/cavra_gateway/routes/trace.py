"""One trace to hand over: its bundle, and what the verifier says of it."""

from collections import defaultdict
from typing import Annotated, Any, Final

from cavra_service.errors import Refused
from cavra_verify.bundle import MOST_EARLIER
from cavra_verify.verify import NOT_CHECKED, VERDICT_SCHEMA
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from cavra_gateway.bundles import bundle
from cavra_gateway.docs import answering
from cavra_gateway.http import Route, answer
from cavra_gateway.problems import PROBLEM
from cavra_gateway.routes.paths import NOTIFICATIONS
from cavra_gateway.services import NAMES
from cavra_gateway.session import Me
from cavra_gateway.verification import verdict

BUNDLE: Final = "application/vnd.cavra.bundle+json"

router = APIRouter(route_class=Route, tags=["evidence"])

TraceId = Annotated[
    str,
    Path(
        description="Id of the original delivery; a record's `trace_ids` name it.",
        pattern=r"^[A-Za-z0-9._:-]{1,128}$",
    ),
]
Since = Annotated[
    list[Annotated[str, Query(pattern=rf"^({'|'.join(NAMES)}):[1-9][0-9]{{0,14}}$")]],
    Query(
        description=(
            "Size of a checkpoint that you kept, e.g. `retry:5120`: the bundle then shows that the log extends it."
            " May be given several times."
        ),
        max_length=MOST_EARLIER * len(NAMES),
        examples=[["retry:1"]],
    ),
]

_PROBLEM: Final = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_MISSING: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "No log holds a record of such a trace.", "content": _PROBLEM}
}
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_STATUS: Final = ("verified", "refuted", "unchecked")


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


_BUNDLE: Final = {"type": "object", "required": ["schema_version", "trace_id", "logs"]}
_EXAMPLE: Final = {
    "schema_version": "cavra.bundle.v1",
    "trace_id": "gordackdelivery-019a8f3c2b7e0001a1b2c3d4e5f6",
    "logs": [],
}
_CLAIM: Final = _object(
    name={**_TEXT, "examples": ["quorum"]},
    says={**_TEXT, "examples": ["Enough different people approved."]},
    status={"type": "string", "enum": ["holds", "refuted", "unchecked"]},
    details={"type": "array", "items": _TEXT, "examples": [[]]},
)
_HEAD: Final = _object(origin={**_TEXT, "examples": ["cavra.local/retry"]}, records=_COUNT, tree_size=_COUNT)
_VERDICT: Final = _object(
    schema_version={"const": VERDICT_SCHEMA},
    status={"type": "string", "enum": list(_STATUS)},
    trace_id={**_TEXT, "examples": ["gordackdelivery-019a8f3c2b7e0001a1b2c3d4e5f6"]},
    claims={"type": "array", "items": _CLAIM},
    heads={"type": "array", "items": _HEAD},
    not_checked={"type": "array", "items": _TEXT, "examples": [list(NOT_CHECKED)]},
)


def _serving_bundle() -> dict[str, Any]:
    content = {BUNDLE: {"schema": _BUNDLE, "example": _EXAMPLE}}
    described = {200: {"description": "Successful Response", "content": content}, **_MISSING}
    return {"operation_id": "get_trace_bundle", "response_class": Response, "responses": described}


@router.get(NOTIFICATIONS + "/trace/{trace_id}/bundle", **_serving_bundle())
async def get_trace_bundle(me: Me, trace_id: TraceId, since: Since = []) -> Response:  # noqa: B006 FastAPI copies defaults
    """All that the logs hold of one delivery's chain, in one file that `cavra-verify` checks offline.

    The same bytes for the same heads. Every log has its part in it, or there is no bundle: 503 when a service is down.
    """
    data = await bundle(me, trace_id, _sizes(since))
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{trace_id}.bundle.json"',
    }
    return Response(data, headers=headers, media_type=BUNDLE)


_verifying: Final = answering("get_trace_verification", _VERDICT)


@router.get(
    NOTIFICATIONS + "/trace/{trace_id}/verification",
    operation_id=_verifying["operation_id"],
    responses={**_verifying["responses"], **_MISSING},
)
async def get_trace_verification(me: Me, trace_id: TraceId) -> Response:
    """What `cavra-verify` says of a fresh bundle of the trace, claim by claim, by the installation's own policy.

    It is the gateway's word. Who trusts nobody here takes the bundle, and verifies it by a policy and keys of their own.
    """
    return answer((await verdict(me, trace_id)).document())


def _sizes(since: list[str]) -> dict[str, list[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for one in since:
        service, _, size = one.partition(":")
        found[service].add(int(size))
    if any(len(sizes) > MOST_EARLIER for sizes in found.values()):
        raise Refused("invalid_value", f"at most {MOST_EARLIER} sizes of a log", "since")
    return {service: sorted(sizes) for service, sizes in found.items()}
