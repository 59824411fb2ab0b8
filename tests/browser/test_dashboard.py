"""How everything stands, in figures and charts."""

from datetime import UTC, datetime, timedelta

import pytest
from cavra.recovery.v1 import recovery_pb2
from cavra_evidence.times import text
from cavra_gateway.console import dashboard_reads
from cavra_service.store import listing
from cavra_service.wire import timestamp
from playwright.async_api import Page, expect

from tests.browser.evidence import Archive, api, live, pictured, retried, signed_in
from tests.browser.house import House, failed_delivery, sound
from tests.support.samples import draft, sample


async def drawn(page: Page) -> None:
    """Wait until the charts are there."""
    await page.locator("#charts[data-drawn]").wait_for()


async def table(page: Page, chart: str) -> list[list[str]]:
    """A chart's numbers, as its table has them."""
    rows: list[list[str]] = await page.eval_on_selector_all(
        f"#{chart}-table tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))",
    )
    return rows


async def test_figures_are_the_apis_and_charts_add_up_to_them(house: House) -> None:
    await retried(house)
    axel = await house.person("axel")
    await house.open(axel, "/dashboard?days=1")
    await drawn(axel)
    figures = await api(house, "/dashboard")
    shown = await axel.eval_on_selector_all(
        "[data-figure]",
        "figures => figures.map(one => [one.dataset.figure, one.querySelector('.number').textContent])",
    )
    assert len(shown) > 30
    for name, number in shown:
        value = figures[name]
        assert number == (f"{value:.1%}" if isinstance(value, float) else str(value)), name
    deliveries = await table(axel, "deliveries")
    assert len(deliveries) == 24
    assert [sum(int(row[column]) for row in deliveries) for column in (1, 2)] == [1, 1]
    assert sum(int(row[1]) for row in await table(axel, "executions")) == 1
    assert await table(axel, "failures") == [["webhook", "1", "1", "50%", "503 server error (1)"]]
    await expect(axel.locator("[data-connector=webhook]")).to_contain_text("ready")
    assert await axel.locator("#charts canvas").count() == 4
    await expect(axel.locator("#closings")).to_have_text("No recovery was closed in these 24 hours.")
    await expect(axel.locator("#ages")).to_have_text("No recovery is open.")


async def test_a_number_that_was_not_counted_to_its_end_says_so(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "COUNT_LIMIT", 2)
    monkeypatch.setattr(dashboard_reads, "_SAMPLE", 2)
    await archive.write(
        "retry", *(draft(sample("execution_record", execution_status="delivered")) for _ in range(2))
    )
    await archive.write(
        "retry", *(draft(sample("execution_record", execution_status="failed")) for _ in range(3))
    )
    await archive.write("delivery", *(draft(sample("connector_delivery")) for _ in range(3)))
    now = datetime.now(UTC)
    recovery = recovery_pb2.Recovery(last_failure_at=timestamp(now - timedelta(hours=30)))
    archive.fakes.script.answers["ListRecoveries"] = recovery_pb2.ListRecoveriesResponse(
        recoveries=[recovery]
    )
    (named,) = sample("playbook").model_dump()["provider_playbooks"]
    failed = {**named, "provider": "webhook", "latest_failure_at": text(now - timedelta(hours=3))}
    (book,) = await archive.fakes.write("recovery", draft(sample("playbook", provider_playbooks=[failed])))
    closure = {
        "playbook_id": book.id,
        "provider": "webhook",
        "closure_state": "resolved",
        "closed_at": text(now),
    }
    await archive.write("recovery", draft(sample("closure", **closure)))
    axel = await signed_in(archive, "axel", "/dashboard?days=1")
    await drawn(axel)
    await expect(axel.locator("#executions-sum")).to_have_text("2 delivered, 2+ failed, 0 skipped, 0 unknown")
    assert (await table(axel, "executions"))[-1][1:] == ["2", "2+", "0", "0"]
    records = axel.locator("[data-figure=acknowledgement_audit_delivery_retry_execution_record_count]")
    await expect(records.locator(".number")).to_have_text("5")
    await expect(records.locator(".trend")).to_have_text("2+ new (before: 0)")
    await expect(axel.locator("#failures-sum")).to_have_text("Of the newest 2 of 3 sends.")
    assert await table(axel, "ages") == [
        ["under a day", "0"],
        ["1 to 3 days", "1"],
        ["3 to 7 days", "0"],
        ["over 7 days", "0"],
    ]
    assert [row[1:] for row in await table(axel, "closings")] == [["webhook", "3 hours"]]
    await expect(axel.locator("#closings-sum")).to_have_text("Median: 3 hours.")
    when = axel.locator("#closings-table tbody td").first
    await expect(when).to_have_attribute("title", f"{now:%Y-%m-%d %H:%M} UTC")
    # A share of a part would be a wrong one.
    assert {row[1] for row in await table(axel, "rate")} == {"none"}


async def test_figures_and_charts_follow_what_happens(house: House) -> None:
    olga, axel = await house.person("olga"), await house.person("axel")
    await house.open(axel, "/dashboard?days=1")
    await drawn(axel)
    await live(axel)
    await failed_delivery(house, olga)
    failed = axel.locator("[data-figure=failed_acknowledgement_audit_delivery_count] .number")
    await expect(failed).to_have_text("1")
    await expect(axel.locator("#deliveries-sum")).to_have_text("0 delivered, 1 failed")


async def test_a_service_that_is_down_is_shown_as_such_and_so_is_its_coming_back(archive: Archive) -> None:
    axel = await signed_in(archive, "axel", "/dashboard")
    await drawn(axel)
    await live(axel)
    address = archive.installation.settings.retry_address
    await archive.fakes.stop("retry")
    await axel.get_by_text("The retry service is down.").wait_for()
    plans = axel.locator("[data-figure=acknowledgement_audit_delivery_retry_plan_count] .number")
    await expect(plans).to_have_text("not known")
    await expect(axel.locator("#executions")).to_have_text("Not known: a service is down.")
    await expect(axel.locator("[data-figure=delivery_count] .number")).to_have_text("0")
    await archive.fakes.start("retry", address)
    await expect(plans).to_have_text("0", timeout=15_000)
    await expect(axel.locator("#executions")).to_have_text("No approved retry was run in these 7 days.")


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_dashboard_is_sound(house: House, theme: str) -> None:
    olga = await house.person("olga", theme=theme)
    await failed_delivery(house, olga)
    await house.open(olga, "/dashboard")
    await drawn(olga)
    await pictured(olga, "dashboard", theme, 1280)
    assert await sound(olga) == []
    await olga.set_viewport_size({"width": 360, "height": 800})
    await pictured(olga, "dashboard", theme, 360)
    assert await olga.evaluate("document.documentElement.scrollWidth <= innerWidth")
