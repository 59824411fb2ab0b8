"""Every route and every RPC, asked by those whom it is not for."""

import random
from pathlib import Path

from cavra_gateway.access import PUBLIC, ROLES
from cavra_service.roles import REQUIRED

from tests.fuzz.messages import RPCS
from tests.fuzz.routes import OPERATIONS
from tests.fuzz.tokens import bad_tokens
from tests.fuzz.wire import calling
from tests.fuzz.world import PEOPLE, running

GUARDED = [operation for operation in OPERATIONS if operation.name not in PUBLIC]


async def test_a_token_that_is_not_good_opens_no_route_and_no_rpc(tmp_path: Path) -> None:
    rng = random.Random(3)
    async with running(tmp_path) as world, calling(world) as wire:
        before = world.logs.state()
        bad = list(bad_tokens(world.installation.settings, tmp_path / "elsewhere"))
        for number, (what, token) in enumerate(bad):
            world.tokens["eve"] = token
            for operation in (*GUARDED[number % 3 :: 3], *GUARDED[:1]):
                body = None if operation.body is None else operation.right(world, rng)
                status, problem = await world.ask(
                    operation.method, operation.url(world, rng), "eve", json=body
                )
                assert (status, problem["reason"]) == (401, "invalid_token"), what
            for rpc in RPCS[number % 9 :: 9]:
                metadata = [("authorization", f"Bearer {token}")]
                assert await wire.ask(rpc, b"", metadata) is None, what
        assert world.sent >= 1_000
        assert wire.sent >= 700
        assert wire.reasons == {"invalid_token": wire.sent}
        assert world.logs.state() == before


async def test_a_role_opens_its_own_routes_alone(tmp_path: Path) -> None:
    rng = random.Random(4)
    async with running(tmp_path) as world:
        for person, roles in {**PEOPLE, "service": ("service",), "nobody": ()}.items():
            world.tokens.setdefault(person, world.installation.token(person, *roles))
            for operation in GUARDED:
                body = None if operation.body is None else operation.right(world, rng)
                _, answer = await world.ask(operation.method, operation.url(world, rng), person, json=body)
                refused = isinstance(answer, dict) and answer.get("reason") == "role_required"
                assert refused == (not ROLES[operation.name] & set(roles)), (person, operation.name)
        assert world.sent == (len(PEOPLE) + 2) * len(GUARDED)


async def test_a_role_opens_its_own_rpcs_alone(tmp_path: Path) -> None:
    roles = ("operator", "approver", "auditor", "service", "nobody")
    async with running(tmp_path) as world, calling(world) as wire:
        for role in roles:
            metadata = [("authorization", f"Bearer {world.installation.token('pat', role)}")]
            for rpc in RPCS:
                before = wire.reasons["role_required"]
                await wire.ask(rpc, b"", metadata)
                assert (wire.reasons["role_required"] > before) == (role not in REQUIRED[rpc.path]), rpc.name
        assert wire.sent == len(roles) * len(RPCS)
