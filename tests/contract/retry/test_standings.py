"""Who follows the items by what has changed knows what somebody knows who reads them all."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cavra_retry.store.standings import Standings
from cavra_service.runtime import open_store
from cavra_service.store.protocol import Store

from tests.support.chain import IMMEDIATE


@pytest.fixture
async def store(retry: Any) -> AsyncIterator[Store]:
    """The service's store, opened beside it."""
    found = await open_store(retry.settings, "retry", ["cavra_retry.store"])
    yield found
    await found.close()


async def test_who_follows_the_changes_knows_how_every_item_stands(retry: Any, store: Store) -> None:
    following = Standings(store)

    async def states() -> list[tuple[str, int]]:
        known = await following.live()
        assert known == await Standings(store).live()
        return sorted((one.state, len(one.approvers)) for one in known.values())

    assert await states() == []
    for provider in ("chat", "hook"):
        await retry.fail(provider)
    plan = await retry.plan()
    for provider in ("chat", "hook"):
        await retry.acknowledge(plan, provider=provider)
    approval = await retry.plan_approval(required_approvals=2)
    assert await states() == [("open", 0), ("open", 0)]
    await retry.decide(approval, provider="hook")
    assert await states() == [("open", 0), ("open", 0)], "who may execute it is asked once it is approved"
    await retry.decide(approval, provider="hook", who="ann")
    assert await states() == [("approved", 2), ("open", 0)]
    await retry.decide(approval, "denied", provider="chat")
    assert await states() == [("approved", 2)]
    await retry.run(retry_policy=IMMEDIATE)
    assert await states() == []


async def test_what_was_read_and_what_was_handed_out_are_not_the_same(retry: Any, store: Store) -> None:
    await retry.fail()
    await retry.reviewed()
    following = Standings(store)
    (await following.live()).clear()
    assert len(await following.live()) == 1
