"""Commands of retry that a crash cut off are answered, with their key, by what both logs hold: and nothing is sent again."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_service.client import Caller
from cavra_service.errors import Refused

from tests.support.chain import IMMEDIATE, Chain
from tests.support.forger import Forger
from tests.support.installation import Installation
from tests.support.receiver import Receiver

RUN = pb.RunWorkerRequest(execute=True, retry_policy=IMMEDIATE, retries=0, timeout_seconds=5)
ALERT = pb.DeliverHealthAlertRequest(force=True, retries=0)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that refuses two first sends, and takes everything after that."""
    async with Receiver() as running:
        running.script = [503, 503]
        yield running


@pytest.fixture
async def chain(tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chain]:
    """Delivery, running; retry runs when a test lets it."""
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.yaml"))
    installation = Installation(tmp_path / "data")
    found = Chain(installation, "", tmp_path)
    found.connect(url=f"{receiver.url}/hook")
    async with installation.running("delivery") as address:
        found.settings = found.settings.model_copy(update={"delivery_address": address})
        yield found


@pytest.fixture
def forger(chain: Chain) -> Forger:
    """Makes what a crash leaves."""
    return Forger(chain.settings, "retry")


async def keyed(chain: Chain, method: str, request: Any) -> Any:
    """The answer to a command with a key."""
    token = chain.installation.token("erin", "operator")
    return await Caller(lambda: token, 10.0, "key").unary(getattr(chain.stub, method), request)


async def two_approved(chain: Chain) -> None:
    """Two failures that a run may take."""
    for _ in range(2):
        await chain.deliver()
    plan = await chain.plan()
    deliveries = plan["trace_ids"]
    for delivery_id in deliveries:
        await chain.acknowledge(plan, delivery_id=delivery_id)
    approval = await chain.plan_approval()
    for delivery_id in deliveries:
        await chain.decide(approval, delivery_id=delivery_id)


@pytest.mark.parametrize("content", ["sent", "changed"])
async def test_a_run_s_answer_has_what_became_of_each_retry(
    chain: Chain, forger: Forger, receiver: Receiver, content: str
) -> None:
    async with chain.running():
        await two_approved(chain)
        if content == "changed":
            chain.connect(url_env="CAVRA_TEST_MISSING_URL")
        first = await keyed(chain, "RunWorker", RUN)
        before = await chain.counters()
    forger.sql("UPDATE idempotency_keys SET response = NULL")
    async with chain.running():
        again = await keyed(chain, "RunWorker", RUN)
        assert again == first
        assert len(first.results) == 2
        assert {one.skipped != "" for one in first.results} == {content == "changed"}
        assert await chain.counters() == before
    assert len(receiver.received) == (4 if content == "sent" else 2)


async def test_a_run_of_which_a_retry_has_no_outcome_yet_is_in_progress(
    chain: Chain, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with chain.running():
        await two_approved(chain)
        await keyed(chain, "RunWorker", RUN)
    async with chain.running():
        forger.sql("UPDATE idempotency_keys SET response = NULL")
        forger.sql("UPDATE executions SET state = 'claimed' WHERE rowid = 1")
        with pytest.raises(Refused) as refused:
            await keyed(chain, "RunWorker", RUN)
        assert (refused.value.reason, refused.value.field) == ("in_progress", "idempotency-key")


@pytest.mark.parametrize("taken", [True, False], ids=["taken", "refused"])
async def test_an_alert_s_answer_has_the_report_and_what_became_of_it(
    chain: Chain, forger: Forger, receiver: Receiver, taken: bool
) -> None:
    receiver.script = [] if taken else [503]
    async with chain.running():
        first = await keyed(chain, "DeliverHealthAlert", ALERT)
        assert (first.success, first.health.alert_level) == (taken, "healthy")
        before = await chain.counters()
    forger.sql("UPDATE idempotency_keys SET response = NULL")
    async with chain.running():
        assert await keyed(chain, "DeliverHealthAlert", ALERT) == first
        assert await chain.counters() == before
    assert len(receiver.received) == 1


async def test_an_alert_that_a_crash_kept_from_being_sent_is_sent_when_it_is_asked_for_again(
    chain: Chain, forger: Forger, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> Any:
        raise ConnectionError

    receiver.script = []
    async with chain.running():
        with monkeypatch.context() as patched:
            patched.setattr("cavra_retry.peer.Delivery.send_alert", dies)
            with pytest.raises(Refused, match="internal"):
                await keyed(chain, "DeliverHealthAlert", ALERT)
        assert receiver.received == []
    async with chain.running():
        answer = await keyed(chain, "DeliverHealthAlert", ALERT)
        assert answer.success
        assert await keyed(chain, "DeliverHealthAlert", ALERT) == answer
    assert len(receiver.received) == 1
