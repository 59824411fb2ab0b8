"""Each refusal as a person meets it: why, and what to do, where they are."""

from datetime import timedelta

from playwright.async_api import Page, expect

from tests.browser.evidence import api
from tests.browser.house import (
    House,
    acknowledged,
    approval_planned,
    approved,
    executed,
    failed_delivery,
    heading,
    planned,
    press,
)


async def refused(page: Page, reason: str, advice: str) -> None:
    """The page says why, and what to do."""
    problem = page.locator("#problem")
    await expect(problem).to_contain_text(reason)
    await expect(problem).to_contain_text(advice)


async def opened(house: House, olga: Page, oscar: Page) -> None:
    """A failure whose item is open for approval."""
    await failed_delivery(house, olga)
    await planned(house, olga)
    await acknowledged(house, oscar)
    await approval_planned(house, olga)


async def test_who_took_part_sees_before_trying_that_somebody_else_has_to_approve(house: House) -> None:
    both = await house.person("olga", "operator", "approver")
    oscar = await house.person("oscar")
    await opened(house, both, oscar)
    await house.open(both, "/")
    await expect(both.get_by_text("Waits for somebody else, as you took part")).to_be_visible()
    await house.open(both, "/approve-retry")
    await expect(both.get_by_text("somebody else has to approve")).to_be_visible()
    await expect(both.get_by_role("checkbox", name="webhook")).to_be_disabled()
    await both.get_by_role("link", name="Deny or revoke it").click()
    await expect(both.get_by_role("radio", name="Approve")).to_be_disabled()
    await both.get_by_role("radio", name="Deny").check()
    await press(both, "Decide")
    assert await heading(both) == "1 denied"


async def test_who_took_part_meanwhile_is_refused_at_the_form_and_keeps_what_they_wrote(house: House) -> None:
    olga, oscar = await house.person("olga"), await house.person("oscar")
    both = await house.person("bea", "operator", "approver")
    await opened(house, olga, oscar)
    await house.open(both, "/approve-retry")
    await both.get_by_label("Notes").fill("I looked at it.")
    second = await house.person("bea", "operator", "approver")
    await house.open(second, "/ack-retry")
    await second.get_by_role("checkbox", name="webhook").check()
    await press(second, "Ack Retry")
    await press(both, "Approve Retry")
    await refused(both, "self_approval", "Somebody else has to approve it.")
    await expect(both.get_by_label("Notes")).to_have_value("I looked at it.")
    delivery = (await api(house, "", delivery_success="false"))["items"][0]["delivery_id"]
    await house.open(both, f"/trace?id={delivery}")
    refusal = both.locator(".node.bad[data-node^=gordackretryrefusal-]")
    await expect(refusal).to_contain_text("refused: self approval")
    await expect(refusal).to_contain_text("bea")


async def test_who_lacks_the_role_sees_the_action_disabled_and_why(house: House) -> None:
    axel = await house.person("axel")
    for path, button, role in (
        ("/deliver-audit", "Deliver Audit", "operator"),
        ("/approve-retry", "Approve Retry", "approver"),
        ("/recovery-playbook", "Recovery Playbook", "operator"),
    ):
        await house.open(axel, path)
        await expect(axel.get_by_role("main").get_by_role("button", name=button)).to_be_disabled()
        await expect(axel.get_by_text(f"Needs the role {role}").last).to_be_visible()


async def test_a_decision_on_another_digest_than_the_items_does_not_count(house: House) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    await opened(house, olga, oscar)
    await house.open(anna, "/approve-retry")
    digest = await anna.locator("[data-digest]").inner_text()
    other = "0" * 64
    await anna.locator("input[name=item]").evaluate(
        "(box, [digest, other]) => { box.value = box.value.replace(digest, other) }", [digest, other]
    )
    await press(anna, "Approve Retry")
    await refused(anna, "content_changed", "Open the item again")


async def test_an_item_whose_destination_changed_is_not_sent_and_said_to_have_changed(house: House) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    await opened(house, olga, oscar)
    await approved(house, anna)
    house.connect("/elsewhere")
    await executed(house, olga)
    assert await heading(olga) == "Nothing was sent"
    await expect(olga.get_by_role("cell", name="content changed")).to_be_visible()
    assert [one.path for one in house.receiver.received] == ["/hook"]


async def test_a_decision_that_comes_too_late_is_refused(house: House) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    await failed_delivery(house, olga)
    await planned(house, olga)
    await acknowledged(house, oscar)
    await approval_planned(house, olga, minutes=5)
    await house.open(anna, "/approve-retry")
    house.ahead = timedelta(minutes=6)
    await press(anna, "Approve Retry")
    await refused(anna, "item_closed", "Review the failure anew")
    await house.open(olga, "/")
    await expect(olga.locator("section", has_text="Failures to plan")).to_contain_text("expired")


async def test_a_weaker_policy_than_the_installations_is_refused_at_its_field(house: House) -> None:
    olga = await house.person("olga")
    await house.open(olga, "/plan-retry-approval")
    await olga.get_by_label("Usable for, in minutes").fill("999")
    await press(olga, "Plan Retry Approval")
    await refused(olga, "policy_floor", "at least as strict")
    await expect(olga.get_by_label("Usable for, in minutes")).to_be_focused()


async def test_a_reference_or_note_that_no_record_may_hold_is_refused_at_its_field(house: House) -> None:
    olga, oscar = await house.person("olga"), await house.person("oscar")
    await failed_delivery(house, olga)
    await planned(house, olga)
    await house.open(oscar, "/ack-retry")
    await oscar.get_by_role("textbox", name="Ticket reference").fill("no such form!")
    await press(oscar, "Ack Retry")
    await refused(oscar, "invalid_reference", "OPS-1234")
    await expect(oscar.get_by_role("textbox", name="Ticket reference")).to_be_focused()
    await expect(oscar.get_by_role("textbox", name="Ticket reference")).to_have_value("no such form!")
    await oscar.get_by_role("textbox", name="Ticket reference").fill("OPS-2")
    await press(oscar, "Ack Retry")
    assert await heading(oscar) == "1 acknowledged"


async def open_to(page: Page) -> dict[str, bool]:
    """The states that a closure's form offers, in their order, and which of them may be chosen now."""
    return dict(
        await page.eval_on_selector_all(
            "input[name=closure_state]", "all => all.map(one => [one.value, !one.disabled])"
        )
    )


async def test_a_resolution_needs_proof_and_can_be_reopened_and_resolved_again(house: House) -> None:
    olga = await house.person("olga")
    await failed_delivery(house, olga)
    await failed_delivery(house, olga)
    await house.open(olga, "/recovery-playbook")
    await press(olga, "Recovery Playbook")
    await olga.get_by_role("link", name="Close Recovery of webhook").click()
    ways = {"resolved": True, "mitigated": True, "deferred": True, "escalated": True, "reopened": False}
    assert await open_to(olga) == ways
    await olga.get_by_role("radio", name="Resolved Done").check()
    await press(olga, "Close Recovery")
    await refused(olga, "verification_required", "after its last failure")

    for state in ("deferred", "escalated"):
        await olga.get_by_role("radio", name=state.capitalize()).check()
        await press(olga, "Close Recovery")
        assert await heading(olga) == f"webhook is {state}"
        await olga.get_by_role("link", name="Look at this recovery").click()
        assert await open_to(olga) == ways
    await olga.get_by_role("radio", name="Mitigated Worked").check()
    await olga.get_by_role("textbox", name="Ticket reference").fill("OPS-3")
    await press(olga, "Close Recovery")
    assert await heading(olga) == "webhook is mitigated"
    await olga.get_by_role("link", name="Look at this recovery").click()
    assert [state for state, may in (await open_to(olga)).items() if may] == ["resolved", "reopened"]
    await olga.get_by_role("radio", name="Reopened Taken").check()
    await press(olga, "Close Recovery")
    assert await heading(olga) == "webhook is reopened"

    house.receiver.status = 200
    await house.open(olga, "/deliver-audit")
    await press(olga, "Deliver Audit")
    assert await heading(olga) == "Delivered"
    await house.open(olga, "/")
    await expect(olga.locator("section", has_text="Recoveries to close")).to_contain_text("reopened")
    await olga.get_by_role("link", name="Close Recovery webhook").click()
    await olga.get_by_role("checkbox", name="Connector delivery").check()
    await press(olga, "Close Recovery")
    assert await heading(olga) == "webhook is resolved"
