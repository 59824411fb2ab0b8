"""Every route of the API, and requests to it that are right or a little wrong."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Self
from unittest.mock import Mock
from urllib.parse import quote

from cavra_gateway.app import create_app
from cavra_gateway.limits import Limits
from cavra_gateway.session import Gateway
from cavra_gateway.settings import GatewaySettings
from yarl import URL

from tests.fuzz import values
from tests.fuzz.world import PEOPLE, World

DOCUMENT: Final = create_app(Gateway(GatewaySettings(), Mock(), Mock(), Limits(GatewaySettings()))).openapi()
"""The API's own description."""

_PROVIDERS: Final = ("webhook", "webhook", "broken", "broken", "all", "nobody")
_CONTENT_TYPES: Final = (
    "application/json; charset=utf-16", "application/problem+json", "text/plain", "multipart/form-data",
    "application/x-www-form-urlencoded",
    "", "json", "application/json;", "application/json; charset=\xff", "*/*", "application/json, text/plain",
)  # fmt: skip
_KEYS: Final = (
    "k",
    "a b",
    " ",
    "x" * 128,
    "x" * 129,
    "\u00e9",
    "\t",
    "k,k",
    "7c4a8d09-ca37-42af-8aa8-1d5e3f2b9c60",
    "~",
    "",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path."""

    name: str
    method: str
    path: str
    queries: tuple[str, ...]
    body: Any
    """The example of its body; None when it takes none."""

    @classmethod
    def all(cls) -> Iterator[Self]:
        """Those that the description holds."""
        for path, item in DOCUMENT["paths"].items():
            for method, operation in item.items():
                parameters = operation.get("parameters", [])
                queries = tuple(one["name"] for one in parameters if one["in"] == "query")
                content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                yield cls(operation["operationId"], method.upper(), path, queries, content.get("example"))

    def url(self, world: World, rng: random.Random, query: str = "", odd: float = 0.0) -> URL:
        """A URL with ids that exist, or with this probability with odd ones."""
        path = self.path
        while "{" in path:
            before, _, rest = path.partition("{")
            name, _, after = rest.partition("}")
            value = known(world, name, rng)
            strange = values.escaped(rng.choice(values.TEXTS)[:2000] or "x", rng)
            spelled = strange if rng.random() < odd else quote(value, safe="")
            path = before + spelled + after
        return URL(world.url + path + (f"?{query}" if query else ""), encoded=True)

    def right(self, world: World, rng: random.Random) -> Any:
        """A body that the route takes, about things that exist; of the optional fields, some."""
        return _filled(self.body, world, rng)


OPERATIONS: Final = tuple(Operation.all())


def known(world: World, name: str, rng: random.Random) -> str:
    """A value that means something under this name."""
    if name.endswith("provider") or name == "provider":
        return rng.choice(_PROVIDERS)
    name = {"cursor": "next_cursor", "trace": "delivery_id"}.get(name, name)
    if rng.random() < 0.1:
        name = rng.choice(sorted(world.known))
    found = world.known.get(name)
    return rng.choice(found) if found else "1"


def _filled(example: Any, world: World, rng: random.Random) -> Any:
    """The example with ids and providers that exist."""
    if isinstance(example, list):
        return [_filled(item, world, rng) for item in example]
    if not isinstance(example, dict):
        return example
    filled = {}
    for name, value in example.items():
        if name in ("generated_by", "actor_claims", "actor_token", "approved_by") or rng.random() < 0.3:
            continue
        real = isinstance(value, str) and (name.endswith(("_id", "provider", "_digest")))
        filled[name] = known(world, name, rng) if real else _filled(value, world, rng)
    # Whatever is left out has a default, but for what says which item is meant.
    if "provider" in example and "provider" not in filled:
        filled["provider"] = known(world, "provider", rng)
    return filled


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, ready to be sent."""

    method: str
    url: URL
    person: str
    headers: dict[str, str]
    data: bytes | None

    @classmethod
    def some(cls, world: World, rng: random.Random) -> Self:
        """A request to some route: right in most of its parts."""
        operation = rng.choice(OPERATIONS)
        method = (
            operation.method
            if rng.random() < 0.97
            else rng.choice(("PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "POST", "GET"))
        )
        query = (
            values.query(operation.queries, lambda name: known(world, name, rng), rng)
            if operation.queries or rng.random() < 0.1
            else ""
        )
        headers, data = dict[str, str](), None
        if operation.body is not None:
            document = values.spoiled(operation.right(world, rng), rng, rng.choice((0, 1, 1, 1, 2, 4)))
            data = values.encoded(document, rng)
            headers["content-type"] = (
                "application/json" if rng.random() < 0.93 else rng.choice(_CONTENT_TYPES)
            )
            if rng.random() < 0.15:
                headers["idempotency-key"] = rng.choice(_KEYS)
        person = (
            "anna"
            if operation.name == "decide_approval"
            else "axel"
            if operation.name == "get_metrics"
            else "olga"
        )
        if rng.random() < 0.15:
            person = rng.choice(sorted(PEOPLE))
        return cls(method, operation.url(world, rng, query, odd=0.15), person, headers, data)
