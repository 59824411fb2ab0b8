"""Signing in and out as a person does, and what stays behind: nothing."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cavra_gateway.settings import GatewaySettings
from cavra_service import sealing
from cavra_service.sealing import handover
from playwright.async_api import expect

from tests.browser.house import House, chromium, chromium_or_skip, press, sound
from tests.support.provider import Provider, trusting
from tests.support.receiver import Receiver


async def test_the_printed_link_signs_in_once_and_leaves_no_trace_in_the_address(house: House) -> None:
    link = handover(house.installation.settings, house.token("olga"))
    page = await house.window()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{house.url}/console/#handover={link}")
    await page.get_by_role("heading", name="Inbox", level=1).wait_for()
    await expect(page.get_by_role("group", name="Signed in")).to_contain_text("olga")
    await expect(page.get_by_role("group", name="Signed in")).to_contain_text("operator")
    assert "handover" not in page.url
    assert not [url for url in asked if link in url]
    again = await house.window()
    await again.goto(f"{house.url}/console/#handover={link}")
    await expect(again.get_by_text("the link was used before")).to_be_visible()


async def test_a_link_never_changes_who_is_signed_in_without_being_asked(house: House) -> None:
    olga = await house.person("olga")
    link = handover(house.installation.settings, house.token("anna"))
    await house.open(olga, "/deliver-audit")
    await olga.goto(f"{house.url}/console/#handover={link}")
    await expect(olga.get_by_text("You are signed in as olga")).to_be_visible()
    assert await sound(olga) == []
    await olga.get_by_role("button", name="Sign in by the link instead").click()
    await expect(olga.get_by_role("group", name="Signed in")).to_contain_text("anna")


async def test_scripts_see_neither_the_token_nor_its_cookie(house: House) -> None:
    olga = await house.person("olga")
    assert await olga.evaluate("document.cookie") == ""
    kept = await olga.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert not [part for part in house.token("olga").split(".") if part in kept]
    assert (await olga.content()).count("eyJ") == 0, "something that looks like a token is in the page"


async def test_a_session_that_has_ended_leads_back_to_where_one_was(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await house.person("olga")
    token = house.token("olga")
    await house.open(olga, "/recovery-playbook")
    real = time.time
    house.refusing.append("/live/events")
    with monkeypatch.context() as later:
        later.setattr(sealing, "time", SimpleNamespace(time=lambda: real() + 13 * 3600))
        await press(olga, "Recovery Playbook")
        await expect(olga.get_by_text("Your session has ended.")).to_be_visible()
    await olga.get_by_label("Access token").fill(token)
    await olga.get_by_role("button", name="Sign in").click()
    await expect(olga.get_by_role("heading", name="Recovery Playbook", level=1)).to_be_visible()


async def test_signing_out_ends_it_in_this_browser(house: House) -> None:
    olga = await house.person("olga")
    await olga.get_by_role("button", name="Sign out").click()
    await olga.get_by_role("heading", name="Sign in").wait_for()
    await house.open(olga, "/deliver-audit")
    await expect(olga.get_by_role("heading", name="Sign in", level=1)).to_be_visible()


async def test_the_identity_provider_signs_in_and_leads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chromium_or_skip()
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", "")
    async with Provider() as provider, Receiver() as receiver, chromium() as browser:
        provider.signs_in = {"access_token": provider.token(provider.key("k1"))}
        house = House(tmp_path, receiver, browser)
        trusted = trusting(house.installation.settings, provider)
        house.installation.settings = GatewaySettings(**{**trusted.model_dump(), "oidc_client_id": "console"})
        async with house.running():
            page = await house.window()
            await page.goto(f"{house.url}/console/recovery-playbook")
            await page.get_by_role("link", name="Sign in with your organisation").click()
            await page.get_by_role("heading", name="Recovery Playbook", level=1).wait_for()
            await expect(page.get_by_role("group", name="Signed in")).to_contain_text("Alice")
            assert "code=" not in page.url
            await press(page, "Recovery Playbook")
            await expect(page.get_by_role("heading", name="Nothing to recover")).to_be_visible()
            assert house.errors == []
