"""The audit of running services names whatever somebody with their databases, and not their keys, made or changed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cavra.recovery.v1 import recovery_pb2
from cavra.recovery.v1.recovery_pb2_grpc import RecoveryServiceStub
from cavra_cli import audit
from cavra_cli.audit import audited
from cavra_service.policies import policy_document
from cavra_service.runtime import utc_now
from cavra_verify.audit import Report
from cavra_verify.kinds import BY_NOUN
from cavra_verify.policy import read_policy
from orjson import dumps

from tests.support.chain import Chain, execution
from tests.support.forger import Forger
from tests.support.installation import Installation
from tests.support.receiver import Receiver
from tests.support.records import draft

SERVICES = ["delivery", "retry", "recovery"]
FORGED = [
    ("approval_decision", "bob"),
    ("retry_intent", "erin"),
    ("execution_record", "erin"),
    ("execution_resolution", "olga"),
    ("connector_delivery", "olga"),
    ("closure", "oscar"),
]
"""Kinds that move authority or claim an effect, and who is said to have done it."""
CHANGED = [
    ("approval_decision", '"approval_state":"approved"', '"approval_state":"deferred"'),
    ("retry_intent", '"attempt_number":2', '"attempt_number":3'),
    ("execution_record", '"execution_status":"delivered"', '"execution_status":"skipped"'),
    ("execution_resolution", '"outcome":"not_delivered"', '"outcome":"delivered"'),
    ("connector_delivery", '"outcome":"failed"', '"outcome":"delivered"'),
    ("closure", '"closure_state":"deferred"', '"closure_state":"resolved"'),
]


@dataclass(frozen=True, slots=True)
class World:
    """Three services that run, with one chain from a failed delivery to a closure in their logs."""

    chain: Chain

    async def audit(self, *, signatures: bool = True) -> Report:
        """What `cavra audit` finds."""
        settings = self.chain.installation.settings
        policy = read_policy(dumps(policy_document(settings)))
        token = self.chain.installation.token("ada", "auditor")
        return await audited(settings, SERVICES, token, policy, signatures=signatures)

    def forger(self, noun: str) -> Forger:
        """Has the database of the service that writes such records."""
        return Forger(self.chain.settings, BY_NOUN[noun].log)

    def one(self, noun: str) -> tuple[int, str]:
        """(index, id) of the first record of a kind."""
        found = self.forger(noun).rows(
            "SELECT idx, id FROM records WHERE kind = ? ORDER BY idx", BY_NOUN[noun].kind
        )
        return found[0]["idx"], found[0]["id"]


@pytest.fixture
async def world(installation: Installation, receiver: Receiver, tmp_path: Path) -> AsyncIterator[World]:
    receiver.script = [503]
    chain = Chain(installation, "", tmp_path)
    chain.connect(url=f"{receiver.url}/hook")
    async with (
        installation.running("delivery"),
        installation.running("retry") as retry,
        installation.running("recovery") as recovery,
        installation.channel(retry) as to_retry,
        installation.channel(recovery) as to_recovery,
    ):
        chain.settings = installation.settings
        chain.use(to_retry)
        await chain.deliver()
        await chain.approved()
        await chain.live()
        await deferred(installation, RecoveryServiceStub(to_recovery))
        yield World(chain)


async def deferred(installation: Installation, stub: Any) -> None:
    """A playbook, and a closure of it."""
    oscar = installation.caller("oscar", "operator")
    asked = recovery_pb2.CreatePlaybookRequest(min_failure_count=1)
    playbook = (await oscar.unary(stub.CreatePlaybook, asked)).playbook
    closing = recovery_pb2.CloseRecoveryRequest(
        playbook_id=playbook.id, provider="hook", closure_state="CLOSURE_STATE_DEFERRED"
    )
    await oscar.unary(stub.CloseRecovery, closing)


async def test_an_honest_installation_is_verified_while_it_runs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = await world.audit()
    assert (report.violations.listed, report.gaps.listed, report.exit_code) == ([], [], 0)
    assert [log.origin.rpartition("/")[2] for log in report.logs] == SERVICES
    assert (report.intents, report.executions, report.open_intents, report.silences.count) == (1, 1, (), 0)
    monkeypatch.setattr(audit, "utc_now", lambda: utc_now() + timedelta(hours=2))
    late = await world.audit()
    assert (late.silences.count, late.exit_code) == (3, 0), "by the auditor's clock they are silent since"


def named(report: Report, noun: str, record_id: str) -> bool:
    """Whether the report says that nobody who may have signed this record did."""
    told = f"got {noun} {record_id} with a signature by no key that is good there"
    return any(one.endswith(told) for one in report.violations.listed)


@pytest.mark.parametrize("by", ["nobody", "garbage", "stranger", "another service"])
async def test_each_record_that_its_service_did_not_sign_is_named(world: World, by: str) -> None:
    forged: list[tuple[str, str]] = []
    for noun, who in FORGED:
        other = "retry" if BY_NOUN[noun].log == "delivery" else "delivery"
        key = other if by == "another service" else by
        forged.append((noun, await world.forger(noun).append(draft(noun, by=who), key)))
    report = await world.audit()
    assert report.exit_code == 1
    assert [one for one in forged if not named(report, *one)] == [], report.violations.listed


async def resolved(chain: Chain, receiver: Receiver) -> None:
    """A retry whose receiver hung up, and what somebody says became of it."""
    receiver.script = [503, 0]
    await chain.deliver()
    await chain.approved()
    unknown = execution(await chain.live())
    await chain.resolve(unknown["execution_id"], "NOT_DELIVERED")


async def test_each_record_that_was_changed_is_named(world: World, receiver: Receiver) -> None:
    assert {noun for noun, _, _ in CHANGED} == {noun for noun, _ in FORGED}
    await resolved(world.chain, receiver)
    assert (await world.audit()).exit_code == 0
    changed = [(noun, world.one(noun)[1]) for noun, _, _ in CHANGED]
    for (noun, record_id), (_, before, after) in zip(changed, CHANGED, strict=True):
        world.forger(noun).rewrite(record_id, before, after)
    report = await world.audit()
    assert report.exit_code == 1
    assert [one for one in changed if not named(report, *one)] == [], report.violations.listed
    fast = await world.audit(signatures=False)
    roots = [one.partition(":")[0] for one in fast.violations.listed if "got root" in one]
    assert roots == [f"cavra.local/{service}" for service in SERVICES], "each checkpoint tells it alone"


async def test_a_log_that_refuses_to_sign_is_a_finding_and_the_others_are_not_held_against_it(
    world: World,
) -> None:
    world.forger("retry_intent").sql("UPDATE log_state SET frontier = zeroblob(length(frontier))")
    report = await world.audit()
    assert report.exit_code == 1
    assert report.violations.listed == ["retry: the log is not what it signed, and signs nothing more"]
    assert report.gaps.listed == []


@pytest.mark.parametrize("noun", ["approval_decision", "connector_delivery"])
async def test_a_record_that_was_taken_out_is_a_gap(world: World, noun: str) -> None:
    assert (await world.audit()).exit_code == 0
    index, record_id = world.one(noun)
    forger = world.forger(noun)
    # One more behind it: a log that ends early is waited for.
    await forger.append(draft("log_heartbeat", by="nobody"), "stranger")
    forger.delete(record_id)
    report = await world.audit()
    assert report.exit_code == 1
    assert report.gaps.listed[0].endswith(f" got record {index + 1}, expected {index}")


async def test_a_row_that_says_what_no_record_says_is_no_evidence(world: World) -> None:
    """State rows are read by nobody who audits: what they claim counts for nothing, so there is nothing to find."""
    world.forger("closure").sql("UPDATE recoveries SET state = 'resolved'")
    assert (await world.audit()).exit_code == 0
