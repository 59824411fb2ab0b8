"""What a live run takes, told from a dry run, which knows no approvals, and from what is approved."""

from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_gateway.console.actions.execute_retry import Looked, looked
from cavra_gateway.console.reads import Work


def failure(
    name: str, step: pb.WorkStep = pb.WORK_STEP_EXECUTE, provider: str = "webhook", refusal: str = ""
) -> pb.WorkItem:
    return pb.WorkItem(delivery_id=name, audit_id="a", provider=provider, step=step, refusal=refusal)


def said(selected: str, **left: str) -> dict[str, Any]:
    """The answer of a dry run: what it took, and the reason of each that it left."""

    def one(name: str, **more: str) -> dict[str, str]:
        return {"delivery_id": name, "audit_id": "a", "provider": "webhook", **more}

    run = {
        "selected_retries": [one(name) for name in selected],
        "follow_up_actions": [one(name, reason=reason) for name, reason in left.items()],
    }
    return {"run": run, "metadata": {}}


def names(found: Looked) -> tuple[str, dict[str, str]]:
    return "".join(one.delivery_id for one in found.taken), {one.delivery_id: why for one, why in found.left}


def test_what_is_due_and_approved_is_taken_oldest_first_up_to_the_limit() -> None:
    work = Work([failure(name) for name in "abcd"], 4, None, 20)
    answer = said("abc", d="max_retry_deliveries")
    assert names(looked(work, [], 3, answer)) == ("abc", {"d": "max_retry_deliveries"})
    assert names(looked(work, [], 4, answer)) == ("abcd", {})


def test_what_lacks_an_approval_fills_a_dry_run_and_no_live_one() -> None:
    open_ones = [failure(name, pb.WORK_STEP_DECIDE) for name in "ab"]
    work = Work([*open_ones, failure("c"), failure("d")], 9, None, 20)
    found = looked(work, [], 2, said("ab", c="max_retry_deliveries", d="retry_delay_pending"))
    assert names(found) == ("c", {"d": "retry_delay_pending"})
    assert found.others == 2 + 5, "those that are not listed are among them"


@pytest.mark.parametrize("refusal", ["self_execution", "item_closed"])
def test_what_somebody_else_has_to_execute_is_left(refusal: str) -> None:
    work = Work([failure("a", refusal=refusal), failure("b")], 2, None, 20)
    assert names(looked(work, [], 5, said("ab"))) == ("b", {"a": refusal})


def test_of_what_the_dry_run_does_not_say_nothing_is_promised() -> None:
    assert names(looked(Work([failure("a")], 1, None, 20), [], 5, said(""))) == ("", {"a": "not_listed"})


def test_connectors_that_were_not_asked_for_are_left_out() -> None:
    work = Work([failure("a"), failure("b", provider="splunk")], 2, None, 20)
    found = looked(work, ["webhook"], 5, said("a"))
    assert (names(found), found.others) == (("a", {}), 0)
