"""What the dashboard says of connectors and of how things go."""

import re
from datetime import timedelta
from typing import Any

import pytest
from cavra_gateway.console import sends

from tests.support.console import page, visiting, words
from tests.support.deliveries import delivery
from tests.support.fake_services import NOW, FakeServices


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
