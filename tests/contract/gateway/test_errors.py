"""What bad input gets: a problem with a reason and a field, and nothing asked of any service."""

import asyncio
import io
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cavra_gateway.settings import GatewaySettings
from cavra_service.errors import REASONS, Refused

from tests.support.fake_services import FakeServices

R = "/runtime/go-pilot/rollback-drill-notifications"
AD = R + "/acknowledgements/audit-delivery"
JSON = {"content-type": "application/json"}


def nested(levels: int) -> dict[str, Any]:
    """An object in an object, so many times."""
    return {"a": nested(levels - 1)} if levels else {}


HALF_A_CHARACTER = urlsafe_b64encode(
    b'[1,2,"o",3,{"delivery":"\\ud800","retry":null,"recovery":null}]'
).decode()
"""A cursor with a token that no message can hold."""

BAD: list[tuple[str, str, Any, int, str, str]] = [
    # An enum, a range, a value: 400
    (R + "/s/acknowledgements", "provider", {"provider": "webhook", "acknowledgement_state": "maybe"},
     400, "invalid_value", "acknowledgement_state"),
    (AD + "/retry-plans/p/acknowledgements", "provider", {"provider": " "}, 400, "invalid_value", "provider"),
    (AD + "/retry-plan", "range", {"retry_policy": {"max_retry_attempts": 0}}, 400, "invalid_value", "retry_policy.max_retry_attempts"),
    (AD + "/retry-plan", "decimal", {"retry_policy": {"backoff_multiplier": "0.5"}},
     400, "invalid_value", "retry_policy.backoff_multiplier"),
    (AD + "/retry-plan", "places", {"retry_policy": {"backoff_multiplier": 1.2345}},
     400, "invalid_value", "retry_policy.backoff_multiplier"),
    (AD + "/worker-run", "cap", {"max_retry_deliveries": 26}, 400, "invalid_value", "max_retry_deliveries"),
    (AD, "time", {"next_delivery_at": "tomorrow"}, 400, "invalid_value", "next_delivery_at"),
    (R + "/deliver", "depth", {"routing_policy": nested(40)}, 400, "invalid_value", "routing_policy"),
    # A type, an unknown field, a long text: 422
    (AD + "/worker-run", "boolean", {"execute": "false"}, 422, "invalid_body", "execute"),
    (AD + "/worker-run", "number for boolean", {"dry_run": 0}, 422, "invalid_body", "dry_run"),
    (AD + "/worker-run", "text for number", {"retries": "2"}, 422, "invalid_body", "retries"),
    (AD + "/worker-run", "boolean for number", {"retries": True}, 422, "invalid_body", "retries"),
    (AD + "/worker-run", "fraction", {"retries": 2.5}, 422, "invalid_body", "retries"),
    (AD + "/worker-run", "unknown", {"surprise": 1}, 422, "invalid_body", "surprise"),
    (AD + "/worker-run", "unknown inside", {"schedule": {"surprise": 1}}, 422, "invalid_body", "schedule.surprise"),
    (AD + "/retry-plan", "boolean multiplier", {"retry_policy": {"multiplier": True}}, 422, "invalid_body", "retry_policy.multiplier"),
    (R + "/s/acknowledgements", "missing", {}, 422, "invalid_body", "provider"),
    (R + "/s/acknowledgements", "long note", {"provider": "w", "notes": "x" * 2001}, 422, "too_long", "notes"),
    (R + "/s/acknowledgements", "long name", {"provider": "w", "acknowledged_by": "x" * 257}, 422, "too_long", "acknowledged_by"),
    (R + "/acknowledgements/bulk", "no routes", {"routes": []}, 422, "invalid_body", "routes"),
    (R + "/acknowledgements/bulk", "many routes", {"routes": [{"schedule_id": "s", "provider": "w"}] * 101}, 422, "too_long", "routes"),
    (R + "/acknowledgements/bulk", "second route", {"routes": [{"schedule_id": "s", "provider": "w"}, {"schedule_id": "s"}]},
     422, "invalid_body",
     "routes.1.provider"),
    (AD + "/worker-run", "list", [], 422, "invalid_body", ""),
    (AD + "/worker-run", "shape before range", {"retries": 99, "execute": 1}, 422, "invalid_body", "execute"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "what", "body", "status", "reason", "field"), BAD, ids=[f"{one[1]}: {one[4]}" for one in BAD]
)
async def test_a_bad_body_is_refused_before_any_service_is_asked(
    fakes: FakeServices, path: str, what: str, body: Any, status: int, reason: str, field: str
) -> None:
    got, problem, headers = await fakes.request("POST", path, json=body)
    assert (got, problem["reason"], problem["field"]) == (status, reason, field), problem
    assert headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"] == REASONS[reason][2]
    assert fakes.script.requests == {}


@pytest.mark.parametrize(
    "raw",
    [
        "{",
        "nul",
        '{"retries": 1e400}',
        '{"retries": NaN}',
        '{"retries": 9007199254740993}',
        '{"retries": ' + "9" * 6000 + "}",
        '{"force": true, "force": false}',
        "[" * 200_000,
        b'{"provider": "\xff"}',
        '{"provider": "\\ud800"}',
        '{"\\ud800": 1}',
        '{"routing_policy": {"\\ud800": 1}}',
        '{"routing_policy": {"a": "\\ud800"}}',
        b'{"actor_claims": "\xed\xa0\x80"}',
        '{"actor_claims": "\\ud800"}'.encode("utf-16"),
        "{}".encode("utf-16-le"),
    ],
    ids=range(16),
)
async def test_what_is_not_clean_json_is_refused(fakes: FakeServices, raw: str | bytes) -> None:
    status, problem, _ = await fakes.request("POST", R + "/deliver", data=raw, headers=JSON)
    assert status in (400, 422), problem
    assert problem["reason"] in ("invalid_body", "invalid_value")
    assert fakes.script.requests == {}


async def test_a_form_is_no_json(fakes: FakeServices) -> None:
    status, problem, _ = await fakes.request("POST", R + "/deliver", data={"force": "true"})
    assert (status, problem["reason"]) == (422, "invalid_body")


async def test_a_refusal_never_repeats_what_was_sent(fakes: FakeServices) -> None:
    canary = "ghp_canary0123456789012345678901234567"
    for body in (
        {canary: 1},
        {"external_ref": canary * 10, "provider": "w"},
        {"provider": [canary]},
        {"provider": "w", "acknowledgement_state": canary},
    ):
        _, problem, _ = await fakes.request("POST", R + "/s/acknowledgements", json=body)
        assert canary not in json.dumps({**problem, "field": ""})


@pytest.mark.parametrize("sized", [True, False], ids=["content-length", "chunked"])
async def test_a_body_over_one_mebibyte_is_413(fakes: FakeServices, sized: bool) -> None:
    body = b'{"notes": "' + b"x" * (1024 * 1024) + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 65536):
            yield body[at : at + 65536]

    data = io.BytesIO(body) if sized else chunks()
    status, problem, _ = await fakes.request("POST", R + "/deliver", data=data, headers=JSON)
    assert (status, problem["reason"]) == (413, "body_too_large")
    assert (await fakes.request("POST", R + "/deliver", json={}))[0] == 200


async def test_a_body_that_is_too_large_for_a_service_alone_is_413(fakes: FakeServices) -> None:
    body = {"routing_policy": {"a": [1] * 480_000}}
    assert len(json.dumps(body, separators=(",", ":"))) < 1024 * 1024
    data = json.dumps(body, separators=(",", ":"))
    status, problem, headers = await fakes.request("POST", R + "/deliver", data=data, headers=JSON)
    assert (status, problem["reason"]) == (413, "body_too_large"), problem
    assert headers["content-type"] == "application/problem+json"
    assert problem["title"] == REASONS["body_too_large"][2]
    assert fakes.script.requests == {}


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/nowhere", 404, "unknown_path"),
        ("GET", R + "/", 404, "unknown_path"),
        ("POST", R, 405, "method_not_allowed"),
        ("GET", AD + "/worker-run", 405, "method_not_allowed"),
        ("OPTIONS", R, 405, "method_not_allowed"),
        ("OPTIONS", "/console/config", 405, "method_not_allowed"),
    ],
)
async def test_what_no_route_takes_is_a_problem_too(
    fakes: FakeServices, method: str, path: str, status: int, reason: str
) -> None:
    got, problem, headers = await fakes.request(method, path)
    assert (got, problem["reason"], headers["content-type"]) == (status, reason, "application/problem+json")
    assert ("allow" in headers) == (status == 405)


@pytest.mark.parametrize(
    ("query", "reason", "field"),
    [
        ("limit=0", "invalid_value", "limit"),
        ("limit=501", "invalid_value", "limit"),
        ("limit=many", "invalid_value", "limit"),
        ("offset=-1", "invalid_value", "offset"),
        ("offset=10001", "use_cursor", "offset"),
        ("alert_level=red", "invalid_value", "alert_level"),
        ("delivery_success=perhaps", "invalid_value", "delivery_success"),
        ("since=yesterday", "invalid_value", "since"),
        ("cursor=garbage", "invalid_page_token", "cursor"),
        ("cursor=W10", "invalid_page_token", "cursor"),
        ("cursor=%C3%A4", "invalid_page_token", "cursor"),
        (f"cursor={HALF_A_CHARACTER}", "invalid_page_token", "cursor"),
    ],
)
async def test_a_bad_query_is_400(fakes: FakeServices, query: str, reason: str, field: str) -> None:
    status, problem, _ = await fakes.request("GET", f"{R}?{query}")
    assert (status, problem["reason"], problem["field"]) == (400, reason, field)


@pytest.mark.parametrize("path", [AD + "/worker-runs", AD + "/worker-health-alerts", R + "/routes"])
async def test_every_list_is_bounded(fakes: FakeServices, path: str) -> None:
    assert (await fakes.request("GET", path + "?limit=501"))[0] == 400
    assert (await fakes.request("GET", path + "?offset=10001"))[1]["reason"] == "use_cursor"
    assert (await fakes.request("GET", path + "?limit=&offset="))[0] == 200


@pytest.mark.parametrize("reason", sorted(REASONS))
async def test_a_refusal_of_a_service_keeps_its_reason_and_field(fakes: FakeServices, reason: str) -> None:
    fakes.script.refusals["PlanRetries"] = Refused(reason, "because", "some_field")
    status, problem, headers = await fakes.request("POST", AD + "/retry-plan", json={})
    assert (status, problem["reason"]) == (REASONS[reason][1], reason)
    assert problem["field"] == "some_field"
    assert headers.get("retry-after") == ("1" if status in (429, 503) else None)


async def test_a_caller_without_the_role_is_refused(fakes: FakeServices) -> None:
    decisions = AD + "/retry-execution-approval-plans/p/decisions"
    status, problem, _ = await fakes.request("POST", decisions, json={"provider": "w"})
    assert (status, problem["reason"]) == (403, "role_required")
    assert (await fakes.request("POST", AD + "/retry-plan", roles=("auditor",)))[0] == 403
    nobody = {"authorization": f"Bearer {fakes.installation.issuer.token('eve', [])}"}
    assert (await fakes.request("GET", R, headers=nobody))[0] == 403


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic YTpi", "bearer \u00e4"])
async def test_a_bad_token_is_401(fakes: FakeServices, header: str) -> None:
    status, problem, _ = await fakes.request("GET", R, headers={"authorization": header})
    assert (status, problem["reason"] in ("unauthenticated", "invalid_token")) == (401, True)


async def test_who_has_no_token_learns_nothing_about_a_body(fakes: FakeServices) -> None:
    assert (await fakes.request("POST", AD + "/retry-plan", roles=(), data="{", headers=JSON))[0] == 401


async def test_a_service_that_is_down_is_503_with_retry_after(fakes: FakeServices) -> None:
    await fakes.stop("retry")
    status, problem, headers = await fakes.request("POST", AD + "/retry-plan", json={})
    assert (status, problem["reason"], headers["retry-after"]) == (503, "service_unavailable", "1")


async def test_pages_of_an_allowed_origin_alone_may_call(tmp_path: Path) -> None:
    asked = {"origin": "https://console.example", "access-control-request-method": "POST"}
    async with FakeServices(tmp_path / "closed").running() as fakes:
        status, _, headers = await fakes.request("OPTIONS", R, roles=(), headers=asked)
        assert (status, "access-control-allow-origin" in headers) == (405, False)
    fakes = FakeServices(tmp_path / "open")
    fakes.installation.settings = GatewaySettings(
        **fakes.installation.settings.model_dump(), cors_allowed_origins=("https://console.example",)
    )
    async with fakes.running():
        status, _, headers = await fakes.request("OPTIONS", AD + "/retry-plan", roles=(), headers=asked)
        assert (status, headers["access-control-allow-origin"]) == (200, "https://console.example")
        other = {**asked, "origin": "https://evil.example"}
        assert (
            "access-control-allow-origin"
            not in (await fakes.request("OPTIONS", R, roles=(), headers=other))[2]
        )


async def test_requests_at_once_are_served_as_their_own_callers(fakes: FakeServices) -> None:
    names = [f"person-{n}" for n in range(20)]
    tokens = {name: fakes.installation.token(name, "operator") for name in names}
    answers = await asyncio.gather(
        *(
            fakes.request("POST", AD + "/retry-plan", headers={"authorization": f"Bearer {tokens[name]}"})
            for name in names
        )
    )
    assert [answer["metadata"]["actor"]["sub"] for _, answer, _ in answers] == names
