"""What the inbox says waits for whom, and where it leads."""

import html
import re

import pytest
from cavra.delivery.v1 import delivery_pb2
from cavra_evidence.ids import new_id
from cavra_service.wire import timestamp

from tests.support.console import page, visiting, words
from tests.support.fake_services import NOW, FakeServices
from tests.support.waiting import EXECUTION, item, waiting

OPERATOR = {
    "Failures to plan": "/plan-audit-retry",
    "Planned retries to acknowledge": "/ack-retry?delivery_id=acknowledge",
    "Acknowledged, approval to plan": "/plan-retry-approval",
    "Approved, to execute": "/execute-retry?provider=webhook",
    "Unknown outcomes to resolve": f"/resolve-unknown?execution_id={EXECUTION}",
    "Connectors that keep failing": "/recovery-playbook",
    "Recoveries to close": "/close-recovery?playbook_id=book&provider=webhook",
}
APPROVER = {"Approvals to decide": "/approve-retry?delivery_id=decide&provider=webhook"}


@pytest.mark.parametrize(
    ("roles", "mine"),
    [
        (("operator",), OPERATOR),
        (("approver",), APPROVER),
        (("operator", "approver"), OPERATOR | APPROVER),
        (("auditor",), {}),
    ],
    ids="-".join,
)
async def test_the_inbox_sorts_what_waits_by_who_may_do_it_and_leads_there(
    fakes: FakeServices, roles: tuple[str, ...], mine: dict[str, str]
) -> None:
    answers = fakes.script.answers = waiting("book")
    for step, one in zip(
        ("plan", "acknowledge", "plan_approval", "decide"), answers["ListWork"].items, strict=False
    ):
        one.delivery_id = step
    given_up = item("given_up", delivery_id=new_id("gordackdelivery"))
    answers["ListWork"].items.extend([item("wait"), item("wait"), given_up])
    answers["ListWork"].total += 3
    failing = delivery_pb2.SummarizeFailuresResponse.ProviderFailures(
        provider="webhook", failure_count=2, latest_failure_at=timestamp(NOW)
    )
    answers["SummarizeFailures"] = delivery_pb2.SummarizeFailuresResponse(providers=[failing])
    async with visiting(fakes.url, fakes.installation, "bea", *roles) as http:
        text = await page(http, "/")
    found: dict[str, dict[str, str]] = {"mine": {}, "others": {}}
    for whose, section in re.findall(
        r'<section class="card" id="(mine|others)-\d+"(.*?)</section>', text, re.DOTALL
    ):
        ((title),) = re.findall(r"</span>([A-Z][^<]*?) <span|-title\">([A-Z][^<]*?) <span", section)
        ((link, action),) = re.findall(r'<a class="button" href="/console([^"]+)"[^>]*>([^<]+)<', section)
        found[whose]["".join(title)] = html.unescape(link)
        assert (action == "Look") == (whose == "others")
    assert found == {
        "mine": mine,
        "others": {title: link for title, link in (OPERATOR | APPROVER).items() if title not in mine},
    }
    shown = words(text)
    assert "Under way 2 An attempt has begun; its outcome is not recorded yet." in shown
    assert (
        f"Given up 1 As many attempts failed as the plan allows: webhook …{given_up.delivery_id[-10:]}."
        in shown
    )
