"""Every command over HTTP takes an Idempotency-Key: run once, answered alike, and nobody's but its sender's."""

import asyncio
from typing import Any

import pytest
from cavra_service.errors import Refused

from tests.contract.gateway.test_openapi import OPERATIONS
from tests.contract.gateway.test_routes import AD, ROUTES, R
from tests.support.fake_services import FakeServices
from tests.support.ledger import audited

COMMANDS = [(path, body, role) for method, path, body, role, _ in ROUTES if method == "POST"]
PLAN = AD + "/retry-plan"


def keyed(key: str = "7c4a8d09", who: str = "") -> dict[str, Any]:
    """Options of a request with a key."""
    return {"headers": {"idempotency-key": key, **({"authorization": f"Bearer {who}"} if who else {})}}


async def size(fakes: FakeServices) -> int:
    """How many records all logs hold together."""
    return sum([len((await audited(store)).ids) for store in fakes.stores.values()])


def test_every_post_of_the_api_is_a_command_here() -> None:
    described = [path for path, method, _ in OPERATIONS if method == "post"]
    known = [path.split("/") for path, *_ in COMMANDS]

    def covered(path: str) -> bool:
        parts = path.split("/")
        return any(
            len(one) == len(parts)
            and all(a == b or b.startswith("{") for a, b in zip(one, parts, strict=True))
            for one in known
        )

    assert [path for path in described if not covered(path)] == []
    assert len(described) == len(COMMANDS)


@pytest.mark.parametrize(("path", "body", "role"), COMMANDS, ids=[path for path, *_ in COMMANDS])
async def test_a_command_that_is_repeated_runs_once(
    fakes: FakeServices, path: str, body: Any, role: str
) -> None:
    first = await fakes.request("POST", path, roles=(role,), json=body, **keyed())
    written = await size(fakes)
    again = await fakes.request("POST", path, roles=(role,), json=body, **keyed())
    assert (again[0], again[1]) == (200, first[1])
    assert await size(fakes) == written > 0
    other = await fakes.request("POST", path, roles=(role,), json=body, **keyed("another"))
    assert other[1] != first[1]
    assert await size(fakes) > written


async def test_a_repeat_in_other_words_is_the_same_request(fakes: FakeServices) -> None:
    _, first, _ = await fakes.request("POST", AD, json={"provider": "Webhook"}, **keyed())
    headers = {**keyed()["headers"], "content-type": "application/json"}
    _, again, _ = await fakes.request("POST", AD, data='{ "provider" : "webhook" }', headers=headers)
    assert again == first


async def test_a_key_serves_one_request_of_a_route(fakes: FakeServices) -> None:
    await fakes.request("POST", PLAN, json={}, **keyed())
    policy = {"retry_policy": {"max_retries": 2}}
    status, problem, _ = await fakes.request("POST", PLAN, json=policy, **keyed())
    assert (status, problem["reason"], problem["field"]) == (
        409,
        "idempotency_key_reused",
        "idempotency-key",
    )
    status, _, _ = await fakes.request("POST", AD + "/retry-execution-approval-plan", json={}, **keyed())
    assert status == 200, "of another route the key is another"


async def test_another_person_with_the_same_key_is_answered_for_themselves(fakes: FakeServices) -> None:
    _, first, _ = await fakes.request("POST", PLAN, json={}, **keyed())
    olga = fakes.installation.token("olga", "operator")
    _, hers, _ = await fakes.request("POST", PLAN, json={}, **keyed(who=olga))
    assert hers["metadata"]["session_id"] != first["metadata"]["session_id"]
    assert hers["actor"]["subject"] == "olga"


@pytest.mark.parametrize(("roles", "reason"), [((), "unauthenticated"), (("auditor",), "role_required")])
async def test_who_may_not_command_learns_nothing_of_a_key(
    fakes: FakeServices, roles: tuple[str, ...], reason: str
) -> None:
    await fakes.request("POST", PLAN, json={}, **keyed())
    known = await fakes.request("POST", PLAN, roles=roles, json={}, **keyed())
    unknown = await fakes.request("POST", PLAN, roles=roles, json={}, **keyed("never-sent"))
    assert known[:2] == unknown[:2]
    assert known[1]["reason"] == reason


async def test_a_refused_command_may_be_sent_again_with_its_key(fakes: FakeServices) -> None:
    fakes.script.refusals["PlanRetries"] = Refused("service_unavailable", "delivery is down")
    assert (await fakes.request("POST", PLAN, json={}, **keyed()))[0] == 503
    del fakes.script.refusals["PlanRetries"]
    assert (await fakes.request("POST", PLAN, json={}, **keyed()))[0] == 200
    assert await size(fakes) == 1


async def test_a_body_that_is_refused_takes_no_key(fakes: FakeServices) -> None:
    assert (await fakes.request("POST", PLAN, json={"surprise": 1}, **keyed()))[0] == 422
    assert (await fakes.request("POST", PLAN, json={}, **keyed()))[0] == 200


async def test_of_many_repeats_at_once_none_runs_beside_the_first(fakes: FakeServices) -> None:
    answers = await asyncio.gather(*(fakes.request("POST", PLAN, json={}, **keyed()) for _ in range(12)))
    assert {answer.get("reason") for status, answer, _ in answers if status == 409} <= {"in_progress"}
    assert len({answer["metadata"]["session_id"] for status, answer, _ in answers if status == 200}) == 1
    assert await size(fakes) == 1


@pytest.mark.parametrize("key", ["", "x" * 129, "caf\u00e9"])
async def test_what_is_no_key_is_refused(fakes: FakeServices, key: str) -> None:
    status, problem, _ = await fakes.request("POST", PLAN, json={}, **keyed(key))
    assert (status, problem["reason"], problem["field"]) == (400, "invalid_value", "idempotency-key")
    assert "x" * 129 not in problem["detail"]
    assert fakes.script.requests == {}


async def test_a_read_takes_no_notice_of_a_key(fakes: FakeServices) -> None:
    for key in ("one", "x" * 129):
        assert (await fakes.request("GET", R, **keyed(key)))[0] == 200


def test_the_header_is_described_for_every_command() -> None:
    headers = {
        (method, path): [one["name"] for one in operation.get("parameters", []) if one["in"] == "header"]
        for path, method, operation in OPERATIONS
    }
    assert {tuple(names) for (method, _), names in headers.items() if method == "post"} == {
        ("Idempotency-Key",)
    }
    assert not any(names for (method, _), names in headers.items() if method == "get")
