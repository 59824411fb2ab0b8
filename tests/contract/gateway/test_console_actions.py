"""The nine forms, as those who may and those who may not send them meet them, and what each says it is about."""

import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from cavra.delivery.v1 import delivery_pb2
from cavra_evidence.ids import new_id
from cavra_evidence.times import text
from cavra_service.errors import Refused
from cavra_service.wire import timestamp

from tests.support.console import page, visiting, words
from tests.support.deliveries import delivery
from tests.support.fake_services import NOW, FakeServices
from tests.support.samples import draft, sample
from tests.support.waiting import EXECUTION, item, waiting

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACTIONS = {
    "/deliver-audit": ("Deliver Audit", "operator", "DeliverAudit"),
    "/plan-audit-retry": ("Plan Audit Retry", "operator", "PlanRetries"),
    "/ack-retry": ("Ack Retry", "operator", "AcknowledgeRetry"),
    "/plan-retry-approval": ("Plan Retry Approval", "operator", "PlanApproval"),
    "/approve-retry": ("Approve Retry", "approver", "DecideApproval"),
    "/execute-retry": ("See what it takes", "operator", "RunWorker"),
    "/recovery-playbook": ("Recovery Playbook", "operator", "CreatePlaybook"),
    "/close-recovery": ("Close Recovery", "operator", "CloseRecovery"),
    "/resolve-unknown": ("Resolve", "operator", "ResolveExecution"),
}
"""Where each form is -> its button, who may press it, and what that runs."""
WRITTEN = {"schedule_id": "drill-1", "lookback_hours": "48", "outcome": "delivered", "external_ref": "OPS-1"}
"""What is filled in where a form has it."""
ROLES = ("operator", "approver", "auditor")


class World:
    """Services in which something waits for each of the forms."""

    def __init__(self, fakes: FakeServices) -> None:
        self.fakes = fakes
        self.playbook = ""

    def waiting(self) -> None:
        """Let it wait, as it did at first."""
        self.fakes.script.answers = waiting(self.playbook)

    def path(self, path: str) -> str:
        """Where a form is, with what it is about."""
        about = {
            "/close-recovery": f"?playbook_id={self.playbook}&provider=webhook",
            "/resolve-unknown": f"?execution_id={EXECUTION}",
        }
        return path + about.get(path, "")


def filled(text: str) -> list[tuple[str, str]]:
    """What a page's form sends as it stands."""
    main = text[text.index("<main") :]
    hidden = re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', main)
    boxes = re.findall(
        r'<input type="(?:checkbox|radio)" name="([a-z_]+)"[^>]*? value="([^"]*)" checked', main
    )
    return [*hidden, *boxes]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with FakeServices(tmp_path_factory.mktemp("actions")).running() as fakes:
        found = World(fakes)
        (playbook,) = await fakes.write("recovery", draft(sample("playbook")))
        found.playbook = playbook.id
        found.waiting()
        yield found


@pytest.mark.parametrize("role", ROLES)
async def test_each_form_is_open_to_who_has_its_role_and_tells_all_others_which_one_it_takes(
    world: World, role: str
) -> None:
    world.waiting()
    async with visiting(world.fakes.url, world.fakes.installation, role, role) as http:
        for path, (button, needed, command) in ACTIONS.items():
            text = await page(http, world.path(path))
            ((attributes, beside),) = re.findall(
                rf'<button type="submit"([^>]*)>{button}</button>(.*?)</div>', text, re.DOTALL
            )
            why = "" if role == needed else f"Needs the role {needed}"
            assert ("disabled" in attributes, words(beside)) == (bool(why), why), path
            if why:
                world.fakes.script.requests.clear()
                form = [*filled(text), *WRITTEN.items()]
                async with http.post(f"/console{path}", data=form) as answer:
                    told = words(await answer.text())
                assert (answer.status, "role_required" in told) == (403, True), path
                assert command not in world.fakes.script.requests


def facts(markup: str) -> dict[str, str]:
    """Names and values beside each other."""
    found = re.findall(r"<dt>(.*?)</dt>\s*<dd[^>]*>(.*?)</dd>", markup, re.DOTALL)
    return {words(name): words(value) for name, value in found}


@pytest.mark.parametrize("path", ["/approve-retry", "/execute-retry"])
async def test_beside_a_digest_stands_what_would_be_sent_where_until_when_and_who_decided_on_it(
    world: World, path: str
) -> None:
    world.waiting()
    one = world.fakes.script.answers["ListWork"].items[3 if path == "/approve-retry" else 4]
    one.destination_fingerprint, one.payload_hash, one.audit_package_hash = "a" * 64, "b" * 64, "c" * 64
    one.decisions.add(approval_state="deferred", decided_by="anna", decided_at=text(NOW))
    (package,) = await world.fakes.write("delivery", draft(sample("audit_package", audit_id=one.audit_id)))
    sends = [
        delivery(
            NOW, ("https://old.example", "https://siem.example:8443")[at], one.delivery_id, webhook="failed"
        )
        for at in range(2)
    ]
    _, last, _ = await world.fakes.write(
        "delivery", *sends, delivery(NOW, "https://others.example", webhook="failed")
    )
    async with visiting(world.fakes.url, world.fakes.installation, "bea", "operator", "approver") as http:
        shown = (await page(http, path)).partition(f"{one.item_digest}</code>")[2]
        beside = facts(shown.partition("</dl>")[0])
        nowhere = "which does not send there now or cannot say where"
        assert beside["Sent to"] == f"webhook , {nowhere}, destination {'a' * 64}"
        assert beside["Last sent to"] == "https://siem.example:8443 Open its record"
        assert beside["Body (SHA-256)"] == "b" * 64
        assert "c" * 64 in beside["Package"]
        assert beside["Usable until"] == "2026-11-23 09:30 UTC"
        assert beside["Decisions"] == "deferred anna, 2026-11-23 09:30 UTC"
        here = delivery_pb2.Connector(
            name="webhook", address="https://new.example", destination_fingerprint="a" * 64
        )
        world.fakes.script.answers["ListConnectors"] = delivery_pb2.ListConnectorsResponse(connectors=[here])
        shown = (await page(http, path)).partition(f"{one.item_digest}</code>")[2]
        told = facts(shown.partition("</dl>")[0])["Sent to"]
        assert told == f"webhook , https://new.example , destination {'a' * 64}"
        for name, record in (
            ("Open its record", last.id),
            ("Open the package", package.id),
        ):
            ((link),) = re.findall(rf'<a href="/console([^"]+)">{name}</a>', shown.partition("</dl>")[0])
            assert f'data-record="{record}"' in await page(http, html.unescape(link))


@pytest.mark.parametrize(
    ("path", "command", "done"),
    [("/ack-retry", "AcknowledgeRetry", "acknowledged"), ("/approve-retry", "DecideApproval", "approved")],
)
async def test_of_a_batch_what_was_refused_is_told_beside_what_was_done(
    world: World, path: str, command: str, done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.waiting()
    script = world.fakes.script
    step = "acknowledge" if path == "/ack-retry" else "decide"
    script.answers["ListWork"].items.append(item(step, provider="splunk"))
    refusing = "splunk"

    def ask(rpc: str, request: Any) -> None:
        if rpc == command and request.provider == refusing:
            raise Refused("item_closed", "somebody denied it")

    monkeypatch.setattr(script, "ask", ask)
    async with visiting(world.fakes.url, world.fakes.installation, "bea", "operator", "approver") as http:

        async def sent() -> tuple[int, str]:
            shown = await page(http, path)
            items = re.findall(r'<input type="checkbox" name="item" [^>]*value="([^"]*)"', shown)
            chosen = [next(one for one in items if name in one) for name in (" webhook", "splunk")]
            form = [*filled(shown), *(("item", one) for one in chosen)]
            async with http.post(f"/console{path}", data=form) as answer:
                return answer.status, words((await answer.text()).partition("<main")[2])

        status, told = await sent()
        assert (status, f"1 {done}, 1 refused" in told) == (200, True), told
        assert "splunk: The item has ended somebody denied it" in told
        assert told.count("Open its trace") == 1, "what was done has its record"
        refusing = "webhook"
        status, told = await sent()
        assert (status, "The item has ended item_closed somebody denied it" in told) == (409, True), told
        assert "on each that is chosen" in told, "nothing was done: the form is there to be sent again"


async def test_what_delivering_an_audit_does_is_said_before_it_is_done(world: World) -> None:
    world.waiting()
    routes = [
        delivery_pb2.Route(route_id=new_id("gordroute"), provider="jira", owner=name)
        for name in ("ops", "sec")
    ]
    world.fakes.script.answers["ListRoutes"] = delivery_pb2.ListRoutesResponse(routes=routes, total=2)
    async with visiting(world.fakes.url, world.fakes.installation, "olga", "operator") as http:
        whole = await page(http, "/deliver-audit")
        effect = words(whole.partition('id="effect"')[2].partition("</section>")[0])
        assert "A package of 2 delivered routes and what was said to each is recorded." in effect
        assert "It is sent at once to webhook not ready ." in effect
        assert "A failure is not sent again by itself." in effect
        narrower = words(await page(http, "/deliver-audit/effect?owner=sec"))
        assert "A package of 1 delivered route" in narrower


def about(text: str) -> tuple[str, str]:
    """What a page says it is about, and where that is read anew."""
    ((digest, where),) = re.findall(r'data-about="([0-9a-f]{32})" data-from="/console([^"]+)"', text)
    return digest, html.unescape(where)


@pytest.mark.parametrize("path", ACTIONS)
async def test_a_form_is_about_the_same_until_what_waits_for_it_changes_whatever_was_filled_in(
    world: World, path: str
) -> None:
    world.waiting()
    answers = world.fakes.script.answers
    _, _, command = ACTIONS[path]
    one = f"?delivery_id={answers['ListWork'].items[3].delivery_id}&provider=webhook"
    async with visiting(world.fakes.url, world.fakes.installation, "bea", "operator", "approver") as http:
        text = await page(http, world.path(path) + (one if path == "/approve-retry" else ""))
        digest, where = about(text)
        for plan in answers["ListWork"].items:
            if path != "/ack-retry":
                plan.retry_plan_id = new_id("gordackretry")
        assert about(await page(http, where)) == (digest, where)

        world.fakes.script.refusals[command] = Refused("conflict", "somebody was quicker")
        more = {
            "schedule_id": "drill-1",
            "lookback_hours": "48",
            "outcome": "delivered",
            "external_ref": "OPS-1",
        }
        form = [*filled(text), *more.items()]
        async with http.post(f"/console{path}", data=form) as answer:
            refused = await answer.text()
        world.fakes.script.refusals.clear()
        assert (answer.status, "somebody was quicker" in refused) == (409, True)
        digest, where = about(refused)
        assert about(await page(http, where)) == (digest, where)

        answers["ListWork"].items.pop()
        for one in answers["ListWork"].items[3:5]:
            one.required_approvals = 2
        answers["ListWork"].items[2].acknowledgement_state = "deferred"
        answers["ListRecoveries"].recoveries[0].state = "escalated"
        route = delivery_pb2.Route(
            route_id=new_id("gordroute"), provider="webhook", created_at=timestamp(NOW)
        )
        answers["ListRoutes"] = delivery_pb2.ListRoutesResponse(routes=[route], total=1)
        failing = delivery_pb2.SummarizeFailuresResponse.ProviderFailures(provider="webhook", failure_count=2)
        answers["SummarizeFailures"] = delivery_pb2.SummarizeFailuresResponse(providers=[failing])
        assert about(await page(http, where))[0] != digest


async def test_what_a_run_takes_follows_what_is_approved_and_leads_back_to_its_form_when_that_changes(
    world: World,
) -> None:
    world.waiting()
    items = world.fakes.script.answers["ListWork"].items
    async with visiting(world.fakes.url, world.fakes.installation, "olga", "operator") as http:
        form = [*filled(await page(http, "/execute-retry")), ("max_retry_deliveries", "7")]
        async with http.post("/console/execute-retry", data=form) as answer:
            looked = await answer.text()
        digest, where = about(looked)
        assert f'<a href="/console{html.escape(where)}" >Show it</a>' in looked
        form_again = await page(http, where)
        assert about(form_again)[0] == digest
        assert 'name="max_retry_deliveries" value="7"' in form_again
        items[3].step = items[4].step
        assert about(await page(http, where))[0] != digest
