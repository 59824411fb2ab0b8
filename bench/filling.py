"""Large logs for a bench: records of every kind over a year, of the three services in turns, appended by the store itself.

Each log is filled by a process of its own, past the services: what is indexed and counted is the same.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from typing import Any, Final

import uvloop
from cavra_evidence.draft import Draft
from cavra_evidence.ids import new_id
from cavra_service.identity import load_signer
from cavra_service.settings import Settings
from cavra_service.store.listing import listing_blocks
from cavra_service.store.protocol import Commit
from cavra_service.store.sql import blocks, migrations
from cavra_service.store.sqlite import GROUP_LIMIT, SqliteStore
from cavra_verify.kinds import KINDS

from tests.support.records import draft

SHARES: Final = {"delivery": 0.4, "retry": 0.4, "recovery": 0.2}
PROVIDERS: Final = ("jira", "splunk", "webhook")
CASE: Final = 12
"""Records of one delivery's chain."""
_YEAR: Final = timedelta(days=365)
_COMMIT: Final = (1, 3)
"""Records of one commit, fewest and most."""


def trace_id(number: int) -> str:
    """Of the case `number`; they follow each other in time."""
    return f"gordackdelivery-{number:028x}"


def fill(settings: Settings, count: int) -> None:
    """Append `count` records to logs that are empty."""
    with ProcessPoolExecutor(len(SHARES), get_context("spawn")) as processes:
        filled = [processes.submit(_fill, settings, log, count) for log in SHARES]
        for one in filled:
            one.result()


def _fill(settings: Settings, log: str, count: int) -> None:
    uvloop.run(_filled(settings, log, int(count * SHARES[log]), count // CASE or 1))


async def _filled(settings: Settings, log: str, count: int, cases: int) -> None:
    values = random.Random(f"{log} {count}")
    store = await SqliteStore.open(
        settings.store_path(log),
        queries={**blocks("cavra_service.store"), **listing_blocks()},
        migrations=migrations("cavra_service.store"),
        origin=settings.origin(log),
        signer=load_signer(settings, log),
        clock=_clock(values, _YEAR * (sum(_COMMIT) / 2) / count),
        readers=0,
    )
    made = templates(log)
    drafts = (another(values.choice(made), trace_id(number * cases // count)) for number in range(count))
    while group := [Commit(some) for some in _parts(drafts, values)]:
        await asyncio.gather(*(store.commit(commit) for commit in group))
    await store.close()


def _parts(drafts: Iterator[Draft], values: random.Random) -> Iterator[list[Draft]]:
    """As many commits as the store makes durable at once."""
    for _ in range(GROUP_LIMIT):
        if some := [one for _, one in zip(range(values.randint(*_COMMIT)), drafts, strict=False)]:
            yield some


def _clock(values: random.Random, step: timedelta) -> Callable[[], datetime]:
    """A clock that starts a year ago and is a commit further each time it is looked at."""
    at = datetime.now(UTC) - _YEAR

    def now() -> datetime:
        nonlocal at
        at = min(at + step * values.uniform(0.2, 1.8), datetime.now(UTC))
        return at

    return now


def templates(log: str) -> list[Draft]:
    """A draft of every kind and provider; building one from its model takes longer than appending it."""
    found = []
    for kind in KINDS:
        for provider in PROVIDERS if kind.log == log else ():
            for more in _states(kind.noun, provider):
                own: dict[str, Any] = {"provider": provider} if "provider" in kind.top else {}
                found.append(draft(kind.noun, by=f"{provider}-team", **own, **more))
    return found


def _states(noun: str, provider: str) -> list[dict[str, Any]]:
    if noun == "connector_delivery":
        outcomes: tuple[tuple[bool, list[str]], ...] = ((True, []), (False, [provider]))
        source = {"connector_delivery_source": "go_backend_rollback_drill_acknowledgement_audit"}
        return [
            {
                "top": {
                    **source,
                    "delivery_success": success,
                    "providers": [provider],
                    "failed_providers": failed,
                }
            }
            for success, failed in outcomes
        ]
    if noun == "execution_record":
        return [{"execution_status": status} for status in ("delivered", "failed")]
    return [{}]


def another(template: Draft, trace: str) -> Draft:
    """A draft like it, of a record with an id of its own."""
    kind = template.record.KIND
    record = template.record.model_copy(update={kind.id_field: new_id(kind.prefix)})
    return replace(template, record=record, trace_ids=(trace,))
