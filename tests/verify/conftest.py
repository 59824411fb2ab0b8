"""One real chain for all tests here: services are asked once, and what they wrote is then turned over in memory."""

import asyncio
from collections.abc import Iterator

import pytest
from cavra_verify.policy import Policy

from tests.support.bundles import policy_of
from tests.support.closed_chain import ClosedChain, closed_chain


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedChain]:
    """From a failed delivery over two approved retries to a closure that is proven."""
    with pytest.MonkeyPatch.context() as patch:
        yield asyncio.run(closed_chain(tmp_path_factory.mktemp("chain"), patch))


@pytest.fixture(scope="session")
def policy(chain: ClosedChain) -> Policy:
    """The auditor's."""
    return policy_of(chain.logs)
