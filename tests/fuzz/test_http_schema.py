"""What the API's own description says of every route holds for any input, over the real services."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi_checks

from tests.fuzz.routes import DOCUMENT
from tests.fuzz.shares import DESCRIBED, DESCRIBED_SENT
from tests.fuzz.world import World, in_a_thread

SCHEMA: Any = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [one.ok() for one in SCHEMA.get_all_operations()]
_PUBLIC = ("GET /health", "GET /version")
"""They take nothing at all, so nothing can be wrong with it."""
CASES = [
    (operation, mode)
    for operation in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or operation.label not in _PUBLIC
]


def _asked(operation: Any) -> int:
    """How often an operation is asked in each way."""
    return 1 if operation.label in _PUBLIC else DESCRIBED


_CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with in_a_thread(tmp_path_factory.mktemp("fuzzed")) as found:
        yield found


@pytest.mark.parametrize(
    ("operation", "mode"), CASES, ids=[f"{operation.label} {mode.value}" for operation, mode in CASES]
)
def test_no_input_breaks_what_is_described(world: World, operation: Any, mode: GenerationMode) -> None:
    before = world.sent

    @settings(
        max_examples=DESCRIBED,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        for name in case.path_parameters or {}:
            if world.sent % 2:
                case.path_parameters[name] = world.newest(name)
        response = case.call_and_validate(base_url=world.url, headers=world.headers("max"), checks=_CHECKS)
        headers = {name: values[0] for name, values in response.headers.items()}
        world.judge(response.status_code, headers, response.content, repr(case))

    ask()
    assert world.sent - before == _asked(operation)


def test_every_operation_has_its_share() -> None:
    assert sum(_asked(operation) for operation, _ in CASES) >= DESCRIBED_SENT
