"""Four services that share nothing but addresses and public keys: the whole operator flow, and what shows when one is down."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest
from cavra_cli.main import app
from cavra_verify.envelope import stripped
from cavra_verify.merkle import leaf_hash
from typer.testing import CliRunner

from tests.flow.processes.conftest import Quartet
from tests.flow.processes.running import AD, SERVICES, Http, R
from tests.support.receiver import Receiver

NOW = {"allow_immediate_retry": True}
PREFIX = "acknowledgement_audit_delivery_"


async def test_the_operator_flow_goes_through_four_processes(
    quartet: Quartet, http: Http, receiver: Receiver
) -> None:
    quartet.home.send_to(receiver.url)
    notified = await http.post("olga", R + "/deliver")
    assert notified["success"] is True
    await http.post("olga", R + "/production-rollback/acknowledgements", provider="webhook")
    receiver.status = 503
    failed = await http.post("olga", AD, delivery_provider="webhook", retries=0)
    trace = failed["delivery_plan"]["delivery_id"]
    item = {"provider": "webhook", "delivery_id": trace}
    plan = (await http.post("olga", AD + "/retry-plan"))["plan"]
    await http.post("olga", f"{AD}/retry-plans/{plan['retry_plan_id']}/acknowledgements", **item)
    approval = (await http.post("olga", AD + "/retry-execution-approval-plan"))["plan"]
    decisions = f"{AD}/retry-execution-approval-plans/{approval['approval_plan_id']}/decisions"
    await http.post("anna", decisions, **item)
    receiver.status = 200
    ran = await http.post("olga", AD + "/worker-run", execute=True, retry_policy=NOW)
    [execution] = [result["execution_record"] for result in ran["retry_results"]]
    assert (execution["execution_status"], execution["delivery_id"]) == ("delivered", trace)
    playbook = (await http.post("olga", AD + "/connector-recovery-playbook", min_failure_count=1))["playbook"]
    closed = await http.post(
        "olga", f"{AD}/connector-recovery-playbooks/{playbook['playbook_id']}/closures",
        provider="webhook", verification_refs=[execution["execution_id"]],
    )  # fmt: skip
    assert closed["closure"]["closure_state"] == "resolved"
    records = (await http.get(f"{R}?trace={trace}"))["items"]
    assert {record["log"]["origin"].rpartition("/")[2] for record in records} == set(SERVICES)
    assert all(leaf_hash(stripped(record)).hex() == record["record_hash"] for record in records)
    hashes = {record["session_id"]: record["record_hash"] for record in records}
    named = [cause for record in records for cause in record["causes"] if cause["id"] in hashes]
    assert all(hashes[cause["id"]] == cause["record_hash"] for cause in named)
    again = await http.post("olga", AD + "/worker-run", execute=True, retry_policy=NOW)
    assert again["retry_results"] == [], "an approval serves one attempt"
    webhook_ids = receiver.count_by("webhook-id")
    assert sorted(webhook_ids.values()) == [1, 2], "first send and retry come under one message id"


@pytest.mark.parametrize("down", SERVICES)
async def test_a_service_that_is_down_is_said_to_be_and_is_used_again_when_it_is_back(
    quartet: Quartet, http: Http, down: str
) -> None:
    assert quartet.processes[down].stop() == 0
    try:
        await shows_as_unavailable(http, down)
        assert await asyncio.to_thread(health, quartet, "gateway") == 1
        assert await asyncio.to_thread(health, quartet, down) == 1
    finally:
        quartet.start(down)
    await serves_again(http)
    for name in quartet.addresses:
        assert await asyncio.to_thread(health, quartet, name) == 0
    board = await http.get(R + "/dashboard")
    assert set(board["sources"].values()) == {"ok"}
    assert None not in board.values()


def health(quartet: Quartet, name: str) -> int:
    """What `cavra health` exits with, as a container's probe sees it."""
    return CliRunner().invoke(app, ["health", "--address", quartet.addresses[name]]).exit_code


async def shows_as_unavailable(http: Http, down: str) -> None:
    sources = {name: "unavailable" if name == down else "ok" for name in SERVICES}
    status, answer = await http.call("axel", "GET", "/health")
    assert (status, answer["status"], answer["services"]) == (503, "degraded", sources)
    history = await http.get(R)
    assert history["sources"] == sources
    origins = {record["log"]["origin"].rpartition("/")[2] for record in history["items"]}
    assert down not in origins
    board = await http.get(R + "/dashboard")
    assert board["sources"] == sources
    figure = {
        "delivery": "count",
        "retry": "retry_execution_record_count",
        "recovery": "connector_recovery_closure_count",
    }
    nulls = {name for name in SERVICES if board[PREFIX + figure[name]] is None}
    assert nulls == {down}
    command = {
        "delivery": R + "/acknowledgements/audit-package",
        "retry": AD + "/retry-plan",
        "recovery": AD + "/connector-recovery-playbook",
    }
    status, problem = await http.call("olga", "POST", command[down], {})
    assert (status, problem["reason"]) == (503, "service_unavailable")


async def serves_again(http: Http) -> None:
    """Return once the gateway and the services have found each other."""
    async with asyncio.timeout(20):
        while (await http.call("axel", "GET", "/health"))[0] != 200:
            pass
        body: dict[str, Any] = {}
        for path in ("/retry-plan", "/connector-recovery-playbook"):
            while (await http.call("olga", "POST", AD + path, body))[0] == 503:
                pass


BLOCKED = """
import sys
name, others = sys.argv[1], [f"cavra_{one}" for one in ("delivery", "retry", "recovery", "gateway") if one != sys.argv[1]]
sys.modules.update(dict.fromkeys(others))  # None: importing it is an ImportError.
import cavra_cli.main
from cavra_service.runtime import load
print(load(name).name)
"""


@pytest.mark.parametrize("name", [*SERVICES, "gateway"])
def test_a_service_is_loaded_where_no_other_can_be_imported(name: str) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", BLOCKED, name], capture_output=True, text=True, check=False
    )
    assert (loaded.stdout, loaded.stderr) == (f"{name}\n", "")
