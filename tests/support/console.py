"""Somebody in front of the console, without a browser."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from tests.support.installation import Installation


@asynccontextmanager
async def visiting(
    url: str, installation: Installation, name: str, *roles: str
) -> AsyncIterator[aiohttp.ClientSession]:
    """Requests of somebody who is signed in to the console at `url`."""
    headers, jar = {"origin": url}, aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, cookie_jar=jar, headers=headers) as http:
        form = {"token": installation.token(name, *roles)}
        async with http.post("/console/sign-in", data=form, allow_redirects=False) as answer:
            assert answer.status == 303, await answer.text()
        yield http


async def page(http: aiohttp.ClientSession, path: str) -> str:
    """A page of the console."""
    async with http.get(f"/console{path}") as answer:
        text = await answer.text()
        assert answer.status == 200, text
        return text


def words(markup: str) -> str:
    """What of some markup is read."""
    return " ".join(re.sub(r"<[^>]+>", " ", markup).split())
