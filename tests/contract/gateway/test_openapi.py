"""The API's description is complete, and its examples are what the product takes and gives."""

from typing import Any
from unittest.mock import Mock

import jsonschema_rs
import pytest
from cavra_gateway.app import create_app
from cavra_gateway.limits import Limits
from cavra_gateway.session import Gateway
from cavra_gateway.settings import GatewaySettings

from tests.contract.gateway.test_routes import ROUTES
from tests.support.fake_services import FakeServices

DOCUMENT = create_app(Gateway(GatewaySettings(), Mock(), Mock(), Limits(GatewaySettings()))).openapi()
OPERATIONS = [
    (path, method, operation)
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
]
IDS = [operation["operationId"] for _, _, operation in OPERATIONS]


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


def content_of(operation: dict[str, Any]) -> list[dict[str, Any]]:
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    return [
        content
        for part in (*bodies, *operation["responses"].values())
        for content in part.get("content", {}).values()
    ]


def test_every_route_of_the_contract_is_described() -> None:
    described = {(method.upper(), path) for path, method, _ in OPERATIONS}

    def covered(method: str, path: str) -> bool:
        parts = path.split("/")
        return any(
            method == one
            and len(other.split("/")) == len(parts)
            and all(a == b or a.startswith("{") for a, b in zip(other.split("/"), parts, strict=True))
            for one, other in described
        )

    missing = [(method, path) for method, path, *_ in ROUTES if not covered(method, path)]
    assert missing == []
    assert {("GET", "/health"), ("GET", "/version")} <= described


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=IDS)
def test_an_operation_says_what_it_does_with_examples_that_are_valid(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["description"]
    assert operation["tags"]
    assert ("security" in operation) == (path not in ("/health", "/version"))
    for parameter in operation.get("parameters", []):
        assert parameter["description"], parameter["name"]
        validator(parameter["schema"]).validate(parameter["example"])
    for content in content_of(operation):
        validator(content["schema"]).validate(content["example"])
    if "security" in operation:
        assert {"401", "403", "503"} <= operation["responses"].keys()


@pytest.mark.parametrize("schema", sorted(DOCUMENT["components"]["schemas"]))
def test_every_field_of_a_body_is_described(schema: str) -> None:
    if schema.endswith("Body"):
        properties = DOCUMENT["components"]["schemas"][schema]["properties"]
        assert [name for name, one in properties.items() if not one.get("description")] == []


@pytest.mark.parametrize(
    ("path", "method", "operation"),
    [one for one in OPERATIONS if "requestBody" in one[2]],
    ids=[one[2]["operationId"] for one in OPERATIONS if "requestBody" in one[2]],
)
async def test_the_example_of_a_body_is_accepted(
    fakes: FakeServices, path: str, method: str, operation: dict[str, Any]
) -> None:
    example = operation["requestBody"]["content"]["application/json"]["example"]
    for parameter in operation.get("parameters", []):
        path = path.replace("{" + parameter["name"] + "}", parameter["example"])
    status, answer, _ = await fakes.request(method, path, roles=("operator", "approver"), json=example)
    assert status == 200, answer
    validator(operation["responses"]["200"]["content"]["application/json"]["schema"]).validate(answer)
