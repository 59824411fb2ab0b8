"""Who may ask what of the gateway, how often, and what becomes of a token that is not good."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from cavra_gateway.access import PUBLIC, ROLES
from cavra_gateway.app import create_app
from cavra_gateway.console.app import create_console
from cavra_gateway.http import OpenRoute, Route
from cavra_gateway.limits import Limits
from cavra_gateway.routes import delivery, evidence, log, recovery, retry, system, trace
from cavra_gateway.session import Gateway
from cavra_gateway.settings import GatewaySettings
from fastapi import APIRouter
from fastapi.routing import APIRoute

from tests.support.fake_services import FakeServices
from tests.support.provider import Provider, trusting

R = "/runtime/go-pilot/rollback-drill-notifications"
AD = R + "/acknowledgements/audit-delivery"
ROUTERS: list[APIRouter] = [
    found
    for module in (delivery, evidence, log, recovery, retry, system, trace)
    for found in vars(module).values()
    if isinstance(found, APIRouter)
]
SERVED = {route.name: route for router in ROUTERS for route in router.routes if isinstance(route, OpenRoute)}
OPEN_PAGES = {
    ("GET", "/static/{version}/{path:path}"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("GET", "/oidc/start"),
    ("GET", "/oidc/callback"),
}
"""What the console serves to those who are not signed in."""
EVERYBODY = ("operator", "approver", "auditor", "service")


def with_settings(folder: Path, **settings: Any) -> FakeServices:
    fakes = FakeServices(folder)
    fakes.installation.settings = GatewaySettings(**{**fakes.installation.settings.model_dump(), **settings})
    return fakes


async def ask(fakes: FakeServices, name: str, token: str = "") -> tuple[int, Any, Any]:
    """Ask a route, with ids that do not exist."""
    route = SERVED[name]
    method = next(iter(route.methods or ()))
    path = route.path
    for parameter in route.param_convertors:
        path = path.replace("{" + parameter + "}", "unknown")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return await fakes.request(method, path, roles=(), headers=headers)


def test_the_application_serves_these_routes_beside_its_own_pages_alone() -> None:
    settings = GatewaySettings()
    app = create_app(Gateway(settings, Mock(), Mock(), Limits(settings)))
    routers = [one.original_router for one in app.routes if hasattr(one, "original_router")]
    assert {*map(id, routers)} == {*map(id, ROUTERS)}
    assert {one.path for one in app.routes if hasattr(one, "path")} == {
        "/openapi.json",
        "/docs",
        "/docs/oauth2-redirect",
        "/console",
    }


def test_every_route_has_its_roles_or_is_public_and_no_row_is_stale() -> None:
    assert sum(len(router.routes) for router in ROUTERS) == len(SERVED), "a route of another class"
    guarded = {name for name, route in SERVED.items() if isinstance(route, Route)}
    assert guarded == set(ROLES)
    assert set(SERVED) - guarded == PUBLIC
    assert all(ROLES.values()), "a route is open to callers without a role"


async def test_no_route_but_the_public_ones_is_open(fakes: FakeServices) -> None:
    found = {name: (await ask(fakes, name))[0] for name in SERVED}
    assert found == {name: 200 if name in PUBLIC else 401 for name in SERVED}


async def test_no_page_of_the_console_but_those_of_signing_in_is_open(fakes: FakeServices) -> None:
    pages = console_pages()
    assert len(pages) > 35
    found = set()
    for method, path in pages:
        url = f"{fakes.url}/console{path.translate({ord('{'): None, ord('}'): None})}"
        assert fakes._http is not None
        async with fakes._http.request(method, url, allow_redirects=False) as response:
            to_sign_in = response.headers.get("location", "").startswith("/console/sign-in?next=")
            if (response.status, to_sign_in) != (303, True):
                found.add((method, path))
    assert found == OPEN_PAGES


def console_pages() -> set[tuple[str, str]]:
    """(method, path) of all that the console serves."""
    settings = GatewaySettings()
    routes = create_console(Gateway(settings, Mock(), Mock(), Limits(settings))).routes
    pages = set()
    for one in routes:
        for route in one.original_router.routes if hasattr(one, "original_router") else [one]:
            assert isinstance(route, APIRoute), "something that is no page is served"
            pages |= {(method, route.path) for method in route.methods or ()}
    return pages


@pytest.mark.parametrize("role", EVERYBODY)
async def test_each_route_takes_the_roles_of_its_row_and_no_other(fakes: FakeServices, role: str) -> None:
    token = fakes.installation.token("alice", role)
    found = {name: (await ask(fakes, name, token))[0] != 403 for name in ROLES}
    assert found == {name: role in roles for name, roles in ROLES.items()}


async def test_a_route_that_the_table_lacks_is_served_to_nobody(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ROLES, "get_dashboard")
    status, problem, _ = await ask(fakes, "get_dashboard", fakes.installation.token("root", *EVERYBODY))
    assert (status, problem["reason"]) == (403, "role_required")


async def test_one_request_too_many_is_429_and_says_when_to_come_again(tmp_path: Path) -> None:
    fakes = with_settings(tmp_path, rate_limit_per_second=1, rate_limit_burst=3)
    async with fakes.running():
        statuses = [(await fakes.request("GET", R))[0] for _ in range(3)]
        status, problem, headers = await fakes.request("POST", AD + "/retry-plan", json={})
        assert (statuses, status, problem["reason"]) == ([200] * 3, 429, "resource_exhausted")
        assert headers["retry-after"] == "1"
        assert "PlanRetries" not in fakes.script.requests
        bob = {"authorization": f"Bearer {fakes.installation.token('bob', 'auditor')}"}
        assert (await fakes.request("GET", R, roles=(), headers=bob))[0] == 200


async def test_bad_tokens_are_counted_and_slowed_while_good_ones_are_served(tmp_path: Path) -> None:
    fakes = with_settings(tmp_path, failed_logins_per_second=1)
    async with fakes.running():
        good = fakes.installation.token("axel", "auditor")
        fresh = fakes.installation.token("ann", "auditor")
        assert (await ask(fakes, "get_metrics", good))[0] == 200
        statuses = [(await ask(fakes, "get_history", f"x.y.{number}"))[0] for number in range(14)]
        assert statuses[:10] == [401] * 10
        assert 429 in statuses[10:]
        assert (await ask(fakes, "get_history", fresh))[0] in (200, 429)
        assert (await ask(fakes, "get_metrics", good))[0] == 200
        text = await metrics(fakes, good)
    failed = float(text['cavra_gateway_authentication_failures_total{reason="invalid_token"}'])
    limited = float(text['cavra_gateway_limited_requests_total{limit="address"}'])
    assert failed == statuses.count(401)
    assert limited >= statuses.count(429) >= 1


async def metrics(fakes: FakeServices, token: str) -> dict[str, str]:
    """Metric -> value."""
    assert fakes._http is not None
    headers = {"authorization": f"Bearer {token}"}
    async with fakes._http.get(fakes.url + "/metrics", headers=headers) as response:
        assert response.content_type == "text/plain"
        lines = (await response.text()).splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


async def test_a_providers_person_walks_through_the_gateway_to_the_service(
    tmp_path: Path, provider: Provider
) -> None:
    fakes = FakeServices(tmp_path)
    fakes.installation.settings = trusting(fakes.installation.settings, provider)
    async with fakes.running():
        token = provider.token(provider.key("k"))
        _, answer, _ = await ask(fakes, "plan_retries", token)
        assert answer["metadata"]["actor"] == {"iss": provider.url, "sub": "auth0|alice", "name": "Alice"}
        assert (await ask(fakes, "decide_approval", token))[0] == 403
        stranger = provider.token(provider.key("s", publish=False))
        assert (await ask(fakes, "plan_retries", stranger))[0] == 401


async def test_a_provider_that_is_down_at_first_is_503_and_not_the_callers_fault(
    tmp_path: Path, provider: Provider
) -> None:
    fakes = FakeServices(tmp_path)
    fakes.installation.settings = trusting(fakes.installation.settings, provider)
    async with fakes.running():
        token = provider.token(provider.key("k"))
        await provider.stop()
        status, problem, headers = await ask(fakes, "plan_retries", token)
        assert (status, problem["reason"], headers["retry-after"]) == (503, "service_unavailable", "1")
        local = fakes.installation.token("olga", "operator")
        assert (await ask(fakes, "plan_retries", local))[0] == 200
