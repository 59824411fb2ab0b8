"""An unknown outcome is resolved by a person who did not execute it, once; what they say is asserted."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from cavra_service.errors import Refused

from tests.support.retry_desk import EXECUTOR, envelope


async def executed(retry: Any, outcome: str = "unknown") -> str:
    """An execution that came to this."""
    await retry.fail()
    await retry.approved()
    retry.fake.script = [outcome]
    (result,) = (await retry.run()).results
    return str(envelope(result.execution)["session_id"])


@pytest.mark.parametrize("outcome", ["delivered", "not_delivered"])
async def test_a_resolution_is_recorded_signed_and_told_to_delivery(retry: Any, outcome: str) -> None:
    execution_id = await executed(retry)
    resolution = await retry.resolve(execution_id, outcome, notes="asked them")
    said = resolution["retry_execution_resolution"]
    assert said["schema_version"].endswith("retry-execution-resolution.v1")
    assert (said["outcome"], said["basis"], said["execution_id"]) == (outcome, "asserted", execution_id)
    assert (said["external_ref"], said["notes"], said["resolved_by"]) == ("OPS-7", "asked them", "paula")
    assert execution_id in {cause["id"] for cause in resolution["causes"]}
    assert resolution["trace_ids"] == [said["delivery_id"]]
    (record,) = await retry.raw(metadata_kind=resolution["metadata_kind"])
    assert len(record.signature) == 64
    assert [one.resolution_id for one in retry.fake.resolutions] == [record.id]


async def test_who_executed_may_not_resolve(retry: Any) -> None:
    execution_id = await executed(retry)
    await retry.refused(retry.resolve(execution_id, who=EXECUTOR), "self_resolution")
    assert retry.fake.resolutions == []


@pytest.mark.parametrize("role", ["approver", "auditor", "service"])
async def test_only_an_operator_resolves(retry: Any, role: str) -> None:
    execution_id = await executed(retry)
    await retry.refused(retry.resolve(execution_id, role=role), "role_required")


@pytest.mark.parametrize("outcome", ["delivered", "failed", "content_changed"])
async def test_what_is_known_is_not_resolved(retry: Any, outcome: str) -> None:
    execution_id = await executed(retry, outcome)
    await retry.refused(retry.resolve(execution_id), "invalid_transition", "execution_id")


async def test_an_execution_is_resolved_once_also_by_many_at_once(retry: Any) -> None:
    execution_id = await executed(retry)
    tries = [retry.resolve(execution_id, who=f"operator{number}") for number in range(8)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    refused = [one for one in results if isinstance(one, Refused)]
    assert [one.reason for one in refused] == ["invalid_transition"] * 7
    assert len(retry.fake.resolutions) == 1


@pytest.mark.parametrize(
    ("execution_id", "change", "reason", "field"),
    [
        ("gordackretryexec-01a20729438b0000bd1cee605de7", {}, "unknown_execution", "execution_id"),
        ("", {}, "unknown_execution", "execution_id"),
        (None, {"external_ref": ""}, "invalid_value", "external_ref"),
        (None, {"external_ref": "http://x"}, "invalid_reference", "external_ref"),
        (None, {"outcome": "unspecified"}, "invalid_value", "outcome"),
        (None, {"notes": "Authorization: Bearer abcdefghijklmnop"}, "credential_found", "notes"),
    ],
)
async def test_a_wrong_resolution_is_refused_by_field_and_writes_nothing(
    retry: Any, execution_id: str | None, change: dict[str, Any], reason: str, field: str
) -> None:
    known = await executed(retry)
    await retry.refused(
        retry.resolve(known if execution_id is None else execution_id, **change), reason, field
    )
    assert retry.fake.resolutions == []


async def test_delivery_hears_of_a_resolution_once_it_is_back(opened: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()
    async with retry.running():
        execution_id = await executed(retry)
        retry.fake.deaf = "service_unavailable"
        resolution = await retry.resolve(execution_id, "not_delivered")
        assert retry.fake.resolutions == []
    retry.fake.deaf = ""
    async with retry.running():
        await asyncio.wait_for(retry.fake.told.wait(), 10)
    assert retry.fake.resolutions[0].resolution_id == resolution["session_id"]


@pytest.mark.parametrize(
    ("reason", "untold"),
    [("service_unavailable", 1), ("conflict", 1), ("invalid_value", 0), ("unknown_execution", 0)],
)
async def test_what_delivery_refuses_for_good_is_not_told_again(retry: Any, reason: str, untold: int) -> None:
    execution_id = await executed(retry)
    retry.fake.deaf = reason
    await retry.resolve(execution_id, "not_delivered")
    with closing(sqlite3.connect(retry.settings.store_path("retry"))) as store:
        (found,) = store.execute("SELECT count(*) FROM resolutions WHERE told = 0").fetchone()
    assert found == untold
