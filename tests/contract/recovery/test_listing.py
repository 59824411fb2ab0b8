"""ListRecoveries over gRPC."""

from typing import Any

import pytest


async def test_what_is_not_over_is_listed_with_where_it_may_go(recovery: Any) -> None:
    assert await recovery.listed() == []
    first = await recovery.failing()
    await recovery.close(first, "deferred")
    (one,) = await recovery.listed()
    assert (one.playbook_id, one.provider, one.state) == (first, "splunk", "deferred")
    assert list(one.next_states) == ["resolved", "mitigated", "deferred", "escalated"]
    await recovery.close(first, "mitigated", external_ref="OPS-1")
    assert await recovery.listed() == []
    (closed,) = await recovery.listed(playbook_id=first)
    assert (closed.state, list(closed.next_states)) == ("mitigated", ["resolved", "reopened"])
    await recovery.close(first, "reopened")
    assert [one.state for one in await recovery.listed()] == ["reopened"]


async def test_a_superseded_recovery_is_listed_under_its_playbook_alone_and_may_go_nowhere(
    recovery: Any,
) -> None:
    first = await recovery.failing()
    second = await recovery.failing()
    assert [one.playbook_id for one in await recovery.listed()] == [second]
    (old,) = await recovery.listed(playbook_id=first)
    assert (old.superseded, list(old.next_states)) == (True, [])


@pytest.mark.parametrize("limit", [-1, 501])
async def test_a_limit_out_of_bounds_is_refused(recovery: Any, limit: int) -> None:
    await recovery.refused(recovery.listed(limit=limit), "invalid_value", "limit")


async def test_no_more_than_asked_for_are_listed(recovery: Any) -> None:
    await recovery.failing("splunk")
    await recovery.failing("webhook")
    assert len(await recovery.listed()) == 2
    assert len(await recovery.listed(limit=1)) == 1
