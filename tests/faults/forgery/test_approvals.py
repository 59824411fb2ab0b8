"""Whoever has the retry service's database and not its key gets nothing sent: the receiver is the oracle."""

from datetime import timedelta
from typing import Any

import pytest
from cavra_evidence.times import text
from cavra_service.checkpoints import LogRefused

from tests.support.chain import Chain, execution, reasons
from tests.support.forger import Forger
from tests.support.receiver import Receiver
from tests.support.records import draft

KEYS = ["nobody", "garbage", "stranger", "delivery", "recovery"]
"""By whom a forged record is signed."""


@pytest.fixture
def forger(chain: Chain) -> Forger:
    """Has the retry service's file."""
    return Forger(chain.settings, "retry")


async def takes_nothing(chain: Chain, receiver: Receiver, reason: str = "evidence_mismatch") -> None:
    """A live run sends nothing and says why."""
    arrived = len(receiver.received)
    assert reasons(await chain.live()) == [reason]
    assert len(receiver.received) == arrived


async def sends_nothing(chain: Chain, receiver: Receiver, reason: str = "evidence_mismatch") -> None:
    """Nor does one of a service that has just started."""
    await takes_nothing(chain, receiver, reason)
    async with chain.running():
        await takes_nothing(chain, receiver, reason)


async def takes_nothing_and_starts_no_more(chain: Chain, receiver: Receiver) -> None:
    """A live run sends nothing and says why; no service starts on a log whose records were changed."""
    await takes_nothing(chain, receiver)
    with pytest.raises(LogRefused):
        async with chain.running():
            pass


def shown(plan: dict[str, Any]) -> dict[str, Any]:
    """The one item of an approval plan."""
    (found,) = plan["retry_execution_approval_plan"]["approval_decisions"]
    return dict(found)


async def forged_decision(
    chain: Chain, forger: Forger, plan: dict[str, Any], by: str, state: str = "approved"
) -> str:
    """A decision of bob on the plan's item that he never made: its record and its row."""
    item = shown(plan)
    about = {name: item[name] for name in ("retry_plan_id", "delivery_id", "audit_id", "provider")}
    record = draft(
        "approval_decision",
        by="bob",
        traces=(item["delivery_id"],),
        approval_plan_id=plan["session_id"],
        approval_state=state,
        decided_by="bob",
        decided_at=text(chain.clock()),
        item_digest=item["item_digest"],
        item_state="approved",
        attempt_number=item["attempt_number"],
        **about,
    )
    decision = await forger.append(record, by)
    forger.sql(
        "INSERT INTO item_decisions SELECT item_id, 0, ?, ?, 'cavra-local', 'bob', 'bob', ? FROM approval_items",
        decision,
        state,
        text(chain.clock()),
    )
    return decision


def approve(forger: Forger, plan: dict[str, Any], decision: str) -> None:
    """Move the only item to where the approval would have taken it."""
    forger.sql(
        "UPDATE approval_items SET state = 'approved', version = version + 1, approval_plan_id = ?, approval_decision_id = ?",
        plan["session_id"],
        decision,
    )


@pytest.mark.parametrize("by", KEYS)
async def test_an_approval_that_is_not_signed_by_retry_sends_nothing(
    chain: Chain, forger: Forger, receiver: Receiver, by: str
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    approve(forger, plan, await forged_decision(chain, forger, plan, by))
    await sends_nothing(chain, receiver)


async def test_a_decision_whose_bytes_were_changed_sends_nothing(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    decision = (await chain.decide(plan, "deferred")).decision
    forger.rewrite(decision.id, '"deferred"', '"approved"')
    forger.sql("UPDATE item_decisions SET state = 'approved'")
    approve(forger, plan, decision.id)
    await takes_nothing_and_starts_no_more(chain, receiver)


async def test_an_approval_of_one_delivery_serves_no_other(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    receiver.script = [503, 503]
    first = (await chain.deliver()).delivery_plan.id
    second = (await chain.deliver()).delivery_plan.id
    plan = await chain.plan()
    for delivery_id in (first, second):
        await chain.acknowledge(plan, delivery_id=delivery_id)
    approval = await chain.plan_approval()
    await chain.decide(approval, delivery_id=first)
    forger.sql(
        "INSERT INTO item_decisions SELECT o.item_id, d.position, d.decision_id, d.state, d.iss, d.sub, d.name, d.decided_at"
        " FROM item_decisions d, approval_items o WHERE o.delivery_id = ?",
        second,
    )
    forger.sql("UPDATE approval_items SET state = 'approved' WHERE delivery_id = ?", second)
    answer = await chain.live()
    assert execution(answer)["delivery_id"] == first
    assert reasons(answer) == ["evidence_mismatch"]
    assert len(receiver.received) == 3


@pytest.mark.parametrize("state", ["denied", "revoked"])
async def test_deleting_what_ended_an_approval_brings_it_back_for_nobody(
    chain: Chain, forger: Forger, receiver: Receiver, state: str
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    approval = (await chain.decide(plan)).decision
    await chain.decide(plan, state, who="ann")
    forger.sql("DELETE FROM item_decisions WHERE state = ?", state)
    approve(forger, plan, approval.id)
    await sends_nothing(chain, receiver)


async def test_deleting_the_record_of_a_denial_brings_the_approval_back_for_nobody(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    approval = (await chain.decide(plan)).decision
    denial = (await chain.decide(plan, "denied", who="ann")).decision
    forger.delete(denial.id)
    forger.sql("UPDATE item_decisions SET state = 'deferred' WHERE decision_id = ?", denial.id)
    approve(forger, plan, approval.id)
    await takes_nothing_and_starts_no_more(chain, receiver)


@pytest.mark.parametrize("by", ["nobody", "delivery"])
async def test_a_forged_second_approval_makes_no_quorum(
    chain: Chain, forger: Forger, receiver: Receiver, by: str
) -> None:
    await chain.deliver()
    plan = await chain.reviewed(required_approvals=2)
    forged = await forged_decision(chain, forger, plan, by)
    forger.sql("UPDATE item_decisions SET position = 7")
    await chain.decide(plan, who="ann")
    approve(forger, plan, forged)
    await sends_nothing(chain, receiver)


async def test_one_approval_in_two_rows_is_one(chain: Chain, forger: Forger, receiver: Receiver) -> None:
    await chain.deliver()
    plan = await chain.reviewed(required_approvals=2)
    decision = (await chain.decide(plan)).decision
    forger.sql(
        "INSERT INTO item_decisions SELECT item_id, 1, decision_id, state, iss, 'ann', 'ann', decided_at FROM item_decisions"
    )
    approve(forger, plan, decision.id)
    await sends_nothing(chain, receiver)


@pytest.mark.parametrize(
    "change",
    ["required_approvals = 1", "separation_of_duties = 0", "payload_hash = '" + "a" * 64 + "'"],
)
async def test_an_item_that_says_something_else_than_was_approved_sends_nothing(
    chain: Chain, forger: Forger, receiver: Receiver, change: str
) -> None:
    await chain.deliver()
    plan = await chain.reviewed(required_approvals=2)
    decisions = [(await chain.decide(plan, who=who)).decision for who in ("bob", "ann")]
    if change == "required_approvals = 1":
        forger.sql("DELETE FROM item_decisions WHERE decision_id = ?", decisions[1].id)
    forger.sql(f"UPDATE approval_items SET {change}")
    await sends_nothing(chain, receiver, "content_changed" if "payload" in change else "evidence_mismatch")


async def test_an_approval_whose_end_was_put_off_sends_nothing(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    chain.ahead = timedelta(hours=5)
    forger.sql("UPDATE approval_items SET expires_at = ?", text(chain.clock() + timedelta(hours=1)))
    await sends_nothing(chain, receiver)


async def test_who_approved_can_not_execute_by_another_name_in_a_row(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    forger.sql("UPDATE item_decisions SET sub = 'ann', name = 'ann'")
    assert reasons(await chain.run("bob")) != []
    await sends_nothing(chain, receiver)


async def test_a_claim_and_an_intent_that_nobody_made_send_nothing(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    (item,) = forger.rows("SELECT * FROM approval_items")
    intent = draft(
        "retry_intent", by="erin", traces=(item["delivery_id"],), item_digest=shown(plan)["item_digest"]
    )
    said: Any = intent.record
    await forger.append(intent, "stranger")
    forger.sql("UPDATE approval_items SET state = 'claimed', version = version + 1")
    forger.sql(
        "INSERT INTO executions SELECT ?, item_id, delivery_id, audit_id, provider, attempt_number, ?, ?, 'cavra-local', 'erin', 'erin',"
        " expires_at, 'claimed' FROM approval_items",
        "gordackretryexec-01a206c25f88000174c508751654",
        said.run_id,
        said.intent_id,
    )
    assert reasons(await chain.live()) == ["execution_under_way"]
    assert len(receiver.received) == 1
