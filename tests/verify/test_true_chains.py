"""Chains that went other ways than straight: whatever people and receivers did, what honest services wrote of it holds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cavra_retry.bootstrap import start
from cavra_verify.audit import Audit
from cavra_verify.verify import verify

from tests.support.bundles import checkpoint_of, file_of, policy_of
from tests.support.chain import IMMEDIATE, Chain, execution
from tests.support.closed_chain import ClosedChain, log_of
from tests.support.installation import Installation
from tests.support.receiver import Receiver


class Story:
    """Both services, a receiver, and the delivery that it is all about."""

    def __init__(self, chain: Chain, receiver: Receiver, addresses: dict[str, str]) -> None:
        self.chain = chain
        self.receiver = receiver
        self._addresses = addresses

    async def logs(self, trace_id: str) -> ClosedChain:
        """What the services wrote."""
        installation = self.chain.installation
        logs = {
            service: await log_of(installation, service, address)
            for service, address in self._addresses.items()
        }
        return ClosedChain(trace_id, logs)


@pytest.fixture
async def story(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    """A receiver that refuses everything until told otherwise."""
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.yaml"))
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    installation = Installation(tmp_path / "data")
    chain = Chain(installation, "", tmp_path)
    async with Receiver(503) as receiver, installation.running("delivery") as delivery:
        chain.connect(url=f"{receiver.url}/hook")
        chain.settings = chain.settings.model_copy(update={"delivery_address": delivery})
        async with (
            start(chain.settings, chain.clock) as retry,
            installation.running("recovery") as recovery,
            installation.channel(retry) as channel,
        ):
            chain.use(channel)
            yield Story(chain, receiver, {"delivery": delivery, "retry": retry, "recovery": recovery})


async def _delivered_at_once(story: Story) -> None:
    story.receiver.status = 200


async def _waiting_for_an_approval(story: Story) -> None:
    await story.chain.reviewed()


async def _delivered_at_the_second_try(story: Story) -> None:
    await story.chain.approved()
    story.receiver.status = 200
    await story.chain.live()


async def _skipped_and_approved_anew(story: Story) -> None:
    await story.chain.approved()
    story.chain.connect(url_env="CAVRA_TEST_MISSING_URL")
    assert execution(await story.chain.live())["execution_status"] == "skipped"
    story.chain.connect(url=f"{story.receiver.url}/hook")
    await _delivered_at_the_second_try(story)


async def _unknown(story: Story) -> str:
    await story.chain.approved()
    story.receiver.hold = asyncio.Event()
    ran = await story.chain.run(retry_policy=IMMEDIATE, retries=0, timeout_seconds=1)
    story.receiver.hold.set()
    record = execution(ran)
    assert record["execution_status"] == "unknown"
    return str(record["execution_id"])


async def _unknown_and_left_so(story: Story) -> None:
    await _unknown(story)


async def _unknown_and_said_to_be_missing(story: Story) -> None:
    await story.chain.resolve(await _unknown(story), "not_delivered")
    story.receiver.status = 200
    plan = await story.chain.plan(allow_immediate_retry=True)
    await story.chain.acknowledge(plan)
    await story.chain.decide(await story.chain.plan_approval())
    assert execution(await story.chain.live())["execution_status"] == "delivered"


async def _denied_and_reviewed_again(story: Story) -> None:
    await story.chain.decide(await story.chain.reviewed(), "denied")
    await _delivered_at_the_second_try(story)


async def _revoked_and_reviewed_again(story: Story) -> None:
    plan = await story.chain.reviewed()
    await story.chain.decide(plan)
    await story.chain.decide(plan, "revoked", who="carol")
    await _delivered_at_the_second_try(story)


async def _deferred_and_then_approved(story: Story) -> None:
    plan = await story.chain.reviewed()
    await story.chain.decide(plan, "deferred")
    await story.chain.decide(await story.chain.plan_approval(who="paula"))
    story.receiver.status = 200
    await story.chain.live()


async def _acknowledged_taken_back_and_acknowledged_again(story: Story) -> None:
    plan = await story.chain.plan()
    await story.chain.acknowledge(plan, "dismissed")
    await story.chain.acknowledge(plan)
    await story.chain.decide(await story.chain.plan_approval())
    story.receiver.status = 200
    await story.chain.live()


async def _turned_away(story: Story) -> None:
    plan = await story.chain.reviewed()
    with pytest.raises(Exception, match="self_approval"):
        await story.chain.decide(plan, who="paula")


STORIES: list[Callable[[Story], Awaitable[None]]] = [
    _delivered_at_once,
    _waiting_for_an_approval,
    _delivered_at_the_second_try,
    _skipped_and_approved_anew,
    _unknown_and_left_so,
    _unknown_and_said_to_be_missing,
    _denied_and_reviewed_again,
    _revoked_and_reviewed_again,
    _deferred_and_then_approved,
    _acknowledged_taken_back_and_acknowledged_again,
    _turned_away,
]


@pytest.mark.parametrize("tell", STORIES, ids=lambda tell: tell.__name__[1:])
async def test_what_honest_services_wrote_holds(
    story: Story, tell: Callable[[Story], Awaitable[None]]
) -> None:
    if tell is _delivered_at_once:
        await tell(story)
    failed: Any = await story.chain.deliver()
    if tell is not _delivered_at_once:
        await tell(story)
    logs = await story.logs(failed.delivery_plan.id)
    policy = policy_of(logs.logs, required_approvals=1)
    verdict = verify(file_of(logs), policy)
    assert [(one.name, one.details) for one in verdict.claims if one.status != "holds"] == []
    audit = Audit(policy)
    for log in logs.logs.values():
        entries = ((index, one.canonical, one.signature) for index, one in enumerate(log.records))
        audit.replay(log.origin, entries, checkpoint_of(log))
    report = audit.report()
    assert (report.violations.listed, report.gaps.listed, report.open_intents) == ([], [], ())
