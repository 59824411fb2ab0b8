"""One delivery's chain, as a picture."""

import json
from typing import Any

import pytest
from cavra_evidence.draft import Cause
from cavra_evidence.ids import new_id
from cavra_verify.kinds import BY_NOUN
from playwright.async_api import Page, expect

from tests.browser.evidence import Archive, api, live, pictured, retried, signed_in
from tests.browser.house import House, failed_delivery, press, sound
from tests.support.samples import draft, sample


async def picture(page: Page) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """({id: class of its box}, {(cause, effect)}) of what is drawn."""
    boxes = await page.eval_on_selector_all(
        "[data-node]", "nodes => nodes.map(node => [node.dataset.node, node.className])"
    )
    arrows = await page.eval_on_selector_all(
        ".arrow", "arrows => arrows.map(arrow => [arrow.dataset.source, arrow.dataset.target])"
    )
    return dict(boxes), {(source, target) for source, target in arrows}


def caused(items: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """(cause, effect) of everything that the records say."""
    return {(cause["id"], item["session_id"]) for item in items for cause in item["causes"]}


async def test_the_picture_has_every_record_and_every_arrow_that_the_api_has(house: House) -> None:
    delivery = await retried(house)
    axel = await house.person("axel")
    await house.open(axel, f"/trace?id={delivery}")
    items = (await api(house, "", trace=delivery))["items"]
    boxes, arrows = await picture(axel)
    assert len(items) > 10
    assert [name for name, look in boxes.items() if "outside" not in look] == [
        item["session_id"] for item in items
    ]
    assert arrows == caused(items)
    states = {item["session_id"]: item for item in items}
    failed, delivered = [name for name in boxes if name.startswith("rcd-")]
    assert not states[failed]["delivery_success"]
    assert states[delivered]["delivery_success"]
    await expect(axel.locator(f"#n-{failed}")).to_contain_text("failed: 503")
    await expect(axel.locator(f"#n-{delivered}")).to_contain_text("delivered")


async def test_any_record_of_a_chain_opens_it_and_a_cause_of_another_trace_is_named_as_one(
    house: House,
) -> None:
    olga = await house.person("olga")
    await failed_delivery(house, olga)
    await failed_delivery(house, olga)
    await house.open(olga, "/plan-audit-retry")
    await press(olga, "Plan Audit Retry")
    await olga.get_by_role("heading", name="Retry planned").wait_for()
    deliveries = (await api(house, "", delivery_success="false"))["items"]
    one, other = (item["session_id"] for item in deliveries)
    await house.open(olga, f"/trace?id={one}")
    boxes, arrows = await picture(olga)
    plan = (await api(house, "", trace=one))["items"][-1]["session_id"]
    assert "outside" in boxes[other]
    assert {(one, plan), (other, plan)} <= arrows
    await olga.locator(f"#n-{other}").click()
    await expect(olga.locator("h1")).to_contain_text(other)


async def test_a_record_opens_to_its_fields_bytes_hash_and_proof_and_the_browser_computes_them_anew(
    house: House,
) -> None:
    delivery = await retried(house)
    axel = await house.person("axel")
    await house.open(axel, f"/trace?id={delivery}")
    served = (await api(house, "", execution_status="delivered"))["items"][0]
    await axel.locator(f"#n-{served['session_id']}").focus()
    await axel.keyboard.press("Enter")
    computed = axel.locator("[data-computed=yes]")
    await computed.wait_for()
    assert await computed.locator(".badge").all_inner_texts() == [
        "bytes have this hash",
        "proof leads to the root",
    ]
    await expect(axel.locator("#record h2")).to_be_focused()
    await expect(axel.locator("#record")).to_contain_text(served["record_hash"])
    await axel.get_by_text("Canonical bytes").click()
    document = json.loads(await axel.locator(".bytes").inner_text())
    assert document["retry_execution_record"]["execution_id"] == served["execution_id"]
    assert served["session_id"] in axel.url
    await axel.reload()
    await computed.wait_for()
    await axel.evaluate("document.querySelector('.bytes').textContent += ' '")
    await axel.evaluate("document.querySelector('#record article').removeAttribute('data-seen')")
    await axel.evaluate("document.dispatchEvent(new Event('htmx:after:swap'))")
    await expect(computed.locator(".badge.bad").first).to_have_text("bytes have another hash")


async def test_the_verdict_names_each_claim_and_the_bundle_is_the_apis_own(house: House) -> None:
    delivery = await retried(house)
    axel = await house.person("axel")
    await house.open(axel, f"/trace?id={delivery}")
    await press(axel, "Verify this trace")
    await axel.locator("[data-claim]").first.wait_for()
    shown = await axel.eval_on_selector_all(
        "[data-claim]", "claims => claims.map(claim => [claim.dataset.claim, claim.dataset.status])"
    )
    verdict = await api(house, f"/trace/{delivery}/verification")
    assert shown == [[claim["name"], claim["status"]] for claim in verdict["claims"]]
    assert verdict["status"] == "verified"
    async with axel.expect_download() as downloading:
        await axel.get_by_role("link", name="Download the bundle").click()
    bundle = json.loads((await (await downloading.value).path()).read_bytes())
    assert bundle["trace_id"] == delivery
    assert sum(len(log["records"]) for log in bundle["logs"]) >= len(
        (await api(house, "", trace=delivery))["items"]
    )


async def test_a_chain_grows_while_it_is_looked_at_and_keeps_what_the_reader_opened(house: House) -> None:
    olga, axel = await house.person("olga"), await house.person("axel")
    await failed_delivery(house, olga)
    failed = (await api(house, "", delivery_success="false"))["items"][0]
    await house.open(axel, f"/trace?id={failed['delivery_id']}")
    await live(axel)
    await axel.get_by_text("The same as a list").click()
    await axel.locator(f"#n-{failed['session_id']}").click()
    await axel.locator("[data-computed=yes]").wait_for()
    await axel.locator(f"#n-{failed['session_id']}").focus()
    await axel.evaluate("window.sameDocument = true")
    await house.open(olga, "/plan-audit-retry")
    await press(olga, "Plan Audit Retry")
    await axel.locator("[data-node^=gordackretry-]").wait_for()
    assert await axel.evaluate("window.sameDocument")
    await expect(axel.locator("#chain details[open]")).to_have_count(1)
    await expect(axel.locator(f"#n-{failed['session_id']}")).to_be_focused()
    await expect(axel.locator(f"#n-{failed['session_id']}")).to_have_attribute("aria-current", "true")


async def test_what_is_missing_changed_or_down_is_seen_in_the_picture(archive: Archive) -> None:
    trace, lost = (
        new_id("gordackdelivery"),
        Cause(new_id("gordackretryack"), BY_NOUN["retry_ack"].kind, "0" * 64),
    )
    (plan,) = await archive.fakes.write("retry", draft(sample("retry_plan"), trace_ids=(trace,)))
    changed = Cause(plan.id, plan.kind, "1" * 64)
    (closure,) = await archive.fakes.write(
        "recovery", draft(sample("closure"), causes=(lost, changed), trace_ids=(trace,))
    )
    axel = await signed_in(archive, "axel", f"/trace?id={closure.id}")
    boxes, arrows = await picture(axel)
    assert boxes[lost.id] == "node missing"
    assert arrows == {(lost.id, closure.id), (plan.id, closure.id)}
    await expect(axel.get_by_text("A cause is missing.")).to_be_visible()
    await expect(axel.get_by_text("A cause was changed.")).to_be_visible()
    await expect(axel.locator(".arrow.broken")).to_have_attribute("data-source", plan.id)
    assert await sound(axel) == []
    await live(axel)
    await archive.fakes.stop("retry")
    await axel.get_by_text("The retry service is down.").wait_for()
    boxes, _ = await picture(axel)
    assert boxes == {
        lost.id: "node unasked",
        plan.id: "node unasked",
        closure.id: boxes[closure.id],
    }


async def test_a_chain_of_500_records_is_drawn_whole(archive: Archive) -> None:
    trace = new_id("gordackdelivery")
    for _ in range(10):
        await archive.write("retry", *(draft(sample("retry_ack"), trace_ids=(trace,)) for _ in range(50)))
    axel = await signed_in(archive, "axel", f"/trace?id={trace}")
    boxes, _ = await picture(axel)
    assert len(boxes) == 500
    await axel.locator("[data-node]").last.click()
    await axel.locator("[data-computed=yes]").wait_for()


async def test_an_unknown_id_is_said_to_be_unknown_and_stays_text(house: House) -> None:
    axel = await house.person("axel")
    await house.open(axel, "/trace?id=%3Cimg%20src=x%20onerror=alert(1)%3E")
    await axel.get_by_text("No record of this id was found.").wait_for()
    await expect(axel.get_by_label("Any record's id")).to_have_value("<img src=x onerror=alert(1)>")
    await expect(axel.locator("main img")).to_have_count(0)


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_a_trace_is_sound_and_scrolls_in_a_box_of_its_own(house: House, theme: str, width: int) -> None:
    delivery = await retried(house)
    axel = await house.person("axel", theme=theme, width=width)
    await house.open(axel, f"/trace?id={delivery}&record={delivery}")
    await axel.locator("[data-computed=yes]").wait_for()
    await press(axel, "Verify this trace")
    await axel.locator("[data-claim]").first.wait_for()
    await pictured(axel, "trace", theme, width)
    assert await sound(axel) == []
    assert await axel.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await house.open(axel, "/trace")
    await pictured(axel, "trace-start", theme, width)
    assert await sound(axel) == []
