"""What the dashboard says of connectors and of how things go."""

import json
import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from cavra.recovery.v1 import recovery_pb2
from cavra_evidence.times import text
from cavra_gateway.console import dashboard, sends
from cavra_gateway.console.dashboard_reads import TRENDS
from cavra_service.wire import timestamp

from tests.support.console import page, visiting, words
from tests.support.deliveries import delivery
from tests.support.fake_services import NOW, FakeServices
from tests.support.samples import draft, sample


async def row(fakes: FakeServices) -> tuple[str, str]:
    """When the webhook last took something and when it last did not, as its row says: hour and minute, and what is added."""
    async with visiting(fakes.url, fakes.installation, "axel", "auditor") as axel:
        shown = (
            (await page(axel, "/dashboard")).partition('data-connector="webhook"')[2].partition("</tr>")[0]
        )
    cells: list[str] = [
        words(cell) for cell in re.findall(r'data-label="Last [a-z]+">(.*?)</td>', shown, re.DOTALL)
    ]
    success, failure = (re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2} | UTC", "", cell) for cell in cells)
    return success, failure


async def test_a_connector_is_judged_by_its_own_part_of_a_delivery(fakes: FakeServices) -> None:
    assert await row(fakes) == ("never", "never")
    at = [NOW + timedelta(minutes=number) for number in range(5)]
    await fakes.write("delivery", delivery(at[0], webhook="delivered", splunk="failed"))
    assert await row(fakes) == ("09:30", "never"), "splunk did not take it"
    await fakes.write("delivery", delivery(at[1], webhook="failed", splunk="delivered"))
    await fakes.write("delivery", delivery(at[2], splunk="delivered"))
    assert await row(fakes) == ("09:30", "09:31")
    await fakes.write("delivery", delivery(at[3], webhook="delivered"))
    await fakes.write("delivery", delivery(at[4], splunk="failed", webhook="unknown"))
    assert await row(fakes) == ("09:33", "09:34")


async def test_a_connector_that_is_not_ready_says_what_it_lacks(fakes: FakeServices) -> None:
    async with visiting(fakes.url, fakes.installation, "axel", "auditor") as axel:
        shown = await page(axel, "/dashboard")
    ready = shown.partition('data-label="Ready">')[2].partition("</td>")[0]
    assert words(ready) == "connector config not configured WEBHOOK_URL"
    assert "not a mapping" in words(shown.partition('id="file-problem"')[2].partition("</section>")[0])


async def test_what_was_not_looked_into_is_said_to_be_possible(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sends, "_LOOKED_INTO", 2)
    deliveries: list[Any] = [
        {"webhook": "delivered", "splunk": "failed"},
        {"webhook": "failed"},
        {"webhook": "failed"},
    ]
    await fakes.write("delivery", *(delivery(NOW, **one) for one in deliveries))
    assert await row(fakes) == ("not known", "09:30")
    await fakes.write("delivery", delivery(NOW, webhook="delivered"))
    assert await row(fakes) == ("09:30", "09:30")
    await fakes.write("delivery", *(delivery(NOW, webhook="failed") for _ in range(3)))
    assert await row(fakes) == ("09:30 or later", "09:30")


def trends(markup: str) -> dict[str, str]:
    """What each figure says of what is new; figures that say nothing of it are left out."""
    found = re.findall(r'data-figure="([a-z_]+)".*?<span class="trend">([^<]*)</span>', markup)
    return {name: trend for name, trend in found if trend}


class Later:
    """A clock that a test sets ahead."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo) -> datetime:
        return datetime.now(tz) + cls.ahead


async def test_each_figure_of_records_says_how_many_are_new_and_how_many_came_as_long_before(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboard, "datetime", Later)
    outcomes = ("delivered", "failed", "failed")
    await fakes.write("delivery", *(delivery(NOW, webhook=outcome) for outcome in outcomes))
    states = ("delivered", "failed", "skipped", "unknown")
    executions = [sample("execution_record", execution_status=state) for state in states for _ in range(3)]
    await fakes.write("retry", *(draft(one) for one in executions))
    await fakes.write("retry", *(draft(sample("worker_run", dry_run=dry)) for dry in (True, True, False)))
    audit = "acknowledgement_audit_delivery_"
    written = {
        "delivery_count": 3, f"{audit}count": 3, f"{audit}success_count": 1, "failed_delivery_count": 2,
        "failed_acknowledgement_audit_delivery_count": 2, f"{audit}retry_execution_record_count": 12,
        f"{audit}retry_execution_success_count": 3, f"{audit}retry_execution_failed_count": 3,
        f"{audit}retry_execution_skipped_count": 3, f"{audit}retry_execution_unknown_count": 3,
        f"{audit}worker_run_count": 3, f"{audit}worker_dry_run_count": 2, f"{audit}worker_executed_count": 1,
    }  # fmt: skip
    async with visiting(fakes.url, fakes.installation, "axel", "auditor") as axel:
        shown = trends(await page(axel, "/dashboard?days=1"))
        assert set(shown) == set(TRENDS)
        assert shown == {name: f"{written.get(name, 0)} new (before: 0)" for name in TRENDS}
        Later.ahead = timedelta(days=1)
        shown = trends(await page(axel, "/dashboard?days=1"))
        assert shown == {name: f"0 new (before: {written.get(name, 0)})" for name in TRENDS}
        Later.ahead = timedelta(0)
        shown = trends(await page(axel, "/dashboard?days=90"))
        assert shown["delivery_count"] == "3 new (before: 0)"


async def test_recoveries_are_told_by_their_age_and_by_how_long_their_closing_took(
    fakes: FakeServices,
) -> None:
    now = datetime.now(UTC)
    failed = [now - timedelta(hours=hours) for hours in (1, 23, 25, 100, 200, 2000)]
    fakes.script.answers["ListRecoveries"] = recovery_pb2.ListRecoveriesResponse(
        recoveries=[
            recovery_pb2.Recovery(provider="webhook", state="open", last_failure_at=timestamp(at))
            for at in failed
        ]
    )
    (named,) = sample("playbook").model_dump()["provider_playbooks"]
    playbooks = [
        draft(
            sample(
                "playbook",
                provider_playbooks=[{**named, "provider": "webhook", "latest_failure_at": text(NOW)}],
            )
        )
        for _ in range(3)
    ]
    written = await fakes.write("recovery", *playbooks)
    closed = zip(written, ("resolved", "mitigated", "deferred"), (2, 5, 9), strict=True)
    closures = [
        sample(
            "closure",
            playbook_id=book.id,
            provider="webhook",
            closure_state=state,
            closed_at=text(NOW + timedelta(hours=hours)),
        )
        for book, state, hours in closed
    ]
    await fakes.write("recovery", *(draft(one) for one in closures))
    async with visiting(fakes.url, fakes.installation, "axel", "auditor") as axel:
        found = json.loads(await page(axel, "/data/series?days=7"))
    assert found["open_recoveries"] == {
        "count": 6,
        "more": False,
        "ages": {"under a day": 2, "1 to 3 days": 1, "3 to 7 days": 1, "over 7 days": 2},
    }
    assert [one["hours"] for one in found["closings"]["items"]] == [2.0, 5.0]
    assert (found["closings"]["median_hours"], found["closings"]["looked_at"]) == (3.5, 3)
