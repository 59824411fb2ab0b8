"""Rows that hide who reviewed, that an approval was used, or that it was denied, hide it from nobody."""

import pytest

from tests.faults.forgery.test_approvals import approve, sends_nothing, takes_nothing
from tests.support.chain import Chain, execution
from tests.support.forger import Forger
from tests.support.receiver import Receiver


@pytest.fixture
def forger(chain: Chain) -> Forger:
    """Has the retry service's file."""
    return Forger(chain.settings, "retry")


async def test_deleting_a_denial_with_all_that_names_it_leaves_a_gap_that_stops_the_approval(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    approval = (await chain.decide(plan)).decision
    denial = (await chain.decide(plan, "denied", who="ann")).decision
    forger.delete(denial.id)
    forger.sql("DELETE FROM item_decisions WHERE decision_id = ?", denial.id)
    approve(forger, plan, approval.id)
    await takes_nothing(chain, receiver)


async def test_who_planned_can_not_approve_by_another_name_in_a_row(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    forger.sql("UPDATE approval_items SET planner_sub = 'nobody'")
    forger.sql("UPDATE retry_plans SET planner_sub = 'nobody'")
    await chain.decide(plan, who="paula")
    await sends_nothing(chain, receiver)


async def test_who_opened_an_item_can_not_approve_it_as_if_a_later_plan_had_opened_it(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.reviewed()
    later = await chain.plan_approval("pia")
    forger.sql("UPDATE approval_items SET opened_plan_id = ?, opener_sub = 'pia'", later["session_id"])
    await chain.decide(later, who="sam")
    await sends_nothing(chain, receiver)


async def test_who_made_the_plan_that_a_decision_names_can_not_approve_by_a_row(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.reviewed()
    later = await chain.plan_approval("pia")
    changed = later["session_id"]
    forger.sql("UPDATE approval_plans SET planner_sub = 'nobody' WHERE approval_plan_id = ?", changed)
    await chain.decide(later, who="pia")
    await sends_nothing(chain, receiver)


@pytest.mark.parametrize("author", ["paula", "sam"], ids=["of the retry plan", "of the approval plan"])
async def test_a_plan_whose_author_was_changed_serves_no_approval(
    chain: Chain, forger: Forger, receiver: Receiver, author: str
) -> None:
    await chain.deliver()
    plan = await chain.reviewed()
    await chain.decide(plan)
    kind = "retry-plan" if author == "paula" else "retry-execution-approval-plan"
    (made,) = forger.rows("SELECT id FROM records WHERE kind LIKE '%' || ?", kind)
    forger.rewrite(made["id"], f'"sub":"{author}"', '"sub":"nobody"')
    role = "planner" if author == "paula" else "opener"
    forger.sql(f"UPDATE approval_items SET {role}_sub = 'nobody'")
    await takes_nothing(chain, receiver)


async def test_an_approval_that_was_used_is_not_used_again_because_its_rows_say_so(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    chain.connect(url_env="CAVRA_TEST_MISSING_URL")
    assert execution(await chain.live())["execution_status"] == "skipped"
    chain.connect(url=f"{receiver.url}/hook")
    forger.sql("DELETE FROM executions")
    forger.sql("UPDATE approval_items SET state = 'approved'")
    await sends_nothing(chain, receiver)


async def test_a_row_alone_makes_no_outcome_unknown_so_that_it_could_be_resolved(
    chain: Chain, forger: Forger, receiver: Receiver
) -> None:
    receiver.script = [503, 503]
    await chain.deliver()
    await chain.approved()
    failed = execution(await chain.live())
    assert failed["execution_status"] == "failed"
    forger.sql("UPDATE executions SET state = 'unknown'")
    await chain.refused(chain.resolve(failed["execution_id"]), "evidence_mismatch", "execution_id")
