"""The operator's way from a failed audit delivery to a closed recovery, over HTTP and through the four real services."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from cavra_verify.envelope import stripped
from cavra_verify.merkle import leaf_hash

from tests.support.installation import Installation
from tests.support.receiver import Receiver

R = "/runtime/go-pilot/rollback-drill-notifications"
AD = R + "/acknowledgements/audit-delivery"
POLICY = {"retry_policy": {"allow_immediate_retry": True}}
IMMEDIATE = {"execute": True, **POLICY}
PEOPLE = {
    "olga": ("operator",),
    "oscar": ("operator",),
    "max": ("operator", "approver"),
    "anna": ("approver",),
    "axel": ("auditor",),
}


class Console:
    """People in front of a running installation."""

    def __init__(self, url: str, installation: Installation, http: aiohttp.ClientSession) -> None:
        self._url = url
        self._installation = installation
        self._http = http
        self._tokens = {name: installation.token(name, *roles) for name, roles in PEOPLE.items()}

    @asynccontextmanager
    async def at_another_gateway(self) -> AsyncIterator["Console"]:
        """The same people in front of a second gateway, which is stopped at the end."""
        async with self._installation.running("gateway") as url:
            yield Console(url, self._installation, self._http)

    async def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, answer)."""
        headers = {"authorization": f"Bearer {self._tokens[who]}"}
        async with self._http.request(method, self._url + path, headers=headers, json=body) as response:
            return response.status, orjson.loads(await response.read())

    async def post(self, who: str, path: str, **body: Any) -> Any:
        """The answer of a command that must succeed."""
        status, answer = await self.call(who, "POST", path, body)
        assert status == 200, answer
        return answer

    async def get(self, path: str) -> Any:
        """What an auditor reads."""
        status, answer = await self.call("axel", "GET", path)
        assert status == 200, answer
        return answer


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest.fixture
async def console(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Console]:
    due = (datetime.now(UTC) + timedelta(days=3)).isoformat()
    schedule = {
        "schedule_id": "production-rollback",
        "status": "active",
        "interval_days": 30,
        "next_due_at": due,
        "owners": ["platform"],
        "notification_providers": ["webhook"],
    }
    webhook = {"url": receiver.url + "/hook", "allow_private_networks": True}
    (tmp_path / "schedule.json").write_bytes(orjson.dumps(schedule))
    (tmp_path / "connectors.json").write_bytes(orjson.dumps({"connectors": {"webhook": webhook}}))
    monkeypatch.setenv("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", str(tmp_path / "schedule.json"))
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.json"))
    installation = Installation(tmp_path / "data")
    async with AsyncExitStack() as stack:
        for name in ("delivery", "retry", "recovery"):
            await stack.enter_async_context(installation.running(name))
        url = await stack.enter_async_context(installation.running("gateway"))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield Console(url, installation, http)


async def test_a_failed_delivery_is_retried_once_and_its_connector_recovered(
    console: Console, receiver: Receiver
) -> None:
    notified = await console.post("olga", R + "/deliver")
    assert (notified["success"], notified["plan"]["selected_providers"]) == (True, ["webhook"])
    await console.post(
        "olga", R + "/production-rollback/acknowledgements", provider="webhook", external_ref="OPS-1"
    )

    receiver.status = 400
    failed = await console.post("olga", AD, provider="webhook")
    assert failed["success"] is False
    assert (await console.post("olga", AD, provider="webhook"))["success"] is False
    trace = failed["delivery_plan"]["delivery_id"]
    item = {"provider": "webhook", "delivery_id": trace}

    unapproved = await console.post(
        "olga", AD + "/worker-run", execute=True, retry_policy={"allow_immediate_retry": True}
    )
    assert unapproved["retry_results"] == []
    assert {one["approval_state"] for one in unapproved["run"]["follow_up_actions"]} == {"approval_required"}

    plan = await console.post("olga", AD + "/retry-plan", retry_policy={"allow_immediate_retry": True})
    plan_id = plan["plan"]["retry_plan_id"]
    status, problem = await console.call(
        "oscar", "POST", f"{AD}/retry-plans/{plan_id}/acknowledgements", {"provider": "webhook"}
    )
    assert (status, problem["reason"]) == (409, "ambiguous_item")
    await console.post("oscar", f"{AD}/retry-plans/{plan_id}/acknowledgements", **item)
    approval = await console.post("olga", AD + "/retry-execution-approval-plan")
    decisions = f"{AD}/retry-execution-approval-plans/{approval['plan']['approval_plan_id']}/decisions"
    status, problem = await console.call("olga", "POST", decisions, item)
    assert (status, problem["reason"]) == (403, "role_required")
    decision = await console.post("anna", decisions, **item)
    assert decision["decision"]["item_state"] == "approved"

    receiver.status = 200
    ran = await console.post(
        "olga", AD + "/worker-run", execute=True, retry_policy={"allow_immediate_retry": True}
    )
    (result,) = ran["retry_results"]
    execution = result["execution_record"]
    assert (execution["execution_status"], execution["delivery_id"]) == ("delivered", trace)
    assert execution["execution_hash"] == result["execution_metadata"]["record_hash"]

    playbook = (await console.post("olga", AD + "/connector-recovery-playbook"))["playbook"]
    closures = f"{AD}/connector-recovery-playbooks/{playbook['playbook_id']}/closures"
    status, problem = await console.call("olga", "POST", closures, {"provider": "webhook"})
    assert (status, problem["reason"]) == (409, "verification_required")
    closed = await console.post(
        "olga", closures, provider="webhook", verification_refs=[execution["execution_id"]]
    )
    assert closed["closure"]["closure_state"] == "resolved"

    await the_trace_tells_the_story(console, trace)
    await the_dashboard_counts_it(console)


@pytest.mark.parametrize("outcome", ["delivered", "not_delivered"])
async def test_what_nobody_knows_is_said_by_somebody_who_did_not_execute_it(
    console: Console, receiver: Receiver, outcome: str
) -> None:
    receiver.status = 503
    failed = await console.post("olga", AD, provider="webhook", retries=0)
    await an_approval(console)
    receiver.hold = asyncio.Event()
    ran = await console.post("olga", AD + "/worker-run", **IMMEDIATE, retries=0, timeout_seconds=1)
    receiver.hold.set()
    (result,) = ran["retry_results"]
    execution_id = result["execution_record"]["execution_id"]
    assert result["execution_record"]["execution_status"] == "unknown"
    (left,) = (await console.post("olga", AD + "/worker-run", execute=False))["run"]["follow_up_actions"]
    assert (left["action"], left["reason"]) == ("resolve_unknown_outcome", "outcome_unknown")

    resolutions = f"{AD}/retry-executions/{execution_id}/resolutions"
    said = {"outcome": outcome, "external_ref": "OPS-7"}
    status, problem = await console.call("olga", "POST", resolutions, said)
    assert (status, problem["reason"]) == (403, "self_resolution")
    status, problem = await console.call("anna", "POST", resolutions, said)
    assert (status, problem["reason"]) == (403, "role_required")
    resolution = (await console.post("oscar", resolutions, **said))["resolution"]
    assert (resolution["outcome"], resolution["basis"]) == (outcome, "asserted")
    status, problem = await console.call("oscar", "POST", resolutions, said)
    assert (status, problem["reason"]) == (409, "invalid_transition")

    plan = (await console.post("olga", AD + "/retry-plan", **POLICY))["plan"]
    assert plan["retryable_count"] == (0 if outcome == "delivered" else 1)
    playbook = (await console.post("olga", AD + "/connector-recovery-playbook"))["playbook"]
    closures = f"{AD}/connector-recovery-playbooks/{playbook['playbook_id']}/closures"
    closing = {"provider": "webhook", "verification_refs": [execution_id]}
    status, problem = await console.call("oscar", "POST", closures, closing)
    assert (status, problem["reason"]) == (409, "verification_required"), "an assertion verifies nothing"
    trace = await console.get(f"{R}?trace={failed['delivery_plan']['delivery_id']}")
    assert resolution["resolution_id"] in {one["session_id"] for one in trace["items"]}


async def test_who_is_turned_away_stands_in_the_trace_and_is_counted(
    console: Console, receiver: Receiver
) -> None:
    receiver.status = 400
    failed = await console.post("olga", AD, provider="webhook", retries=0)
    plan = (await console.post("max", AD + "/retry-plan", **POLICY))["plan"]
    acknowledgements = f"{AD}/retry-plans/{plan['retry_plan_id']}/acknowledgements"
    await console.post("oscar", acknowledgements, provider="webhook")
    approval = (await console.post("olga", AD + "/retry-execution-approval-plan"))["plan"]
    (item,) = approval["approval_decisions"]
    decisions = f"{AD}/retry-execution-approval-plans/{approval['approval_plan_id']}/decisions"
    voted = {"provider": "webhook"}
    for who, body, status, reason in (
        ("max", voted, 403, "self_approval"),
        ("max", voted, 403, "self_approval"),
        ("anna", {**voted, "item_digest": "0" * 64}, 409, "content_changed"),
    ):
        got, problem = await console.call(who, "POST", decisions, body)
        assert (got, problem["reason"]) == (status, reason)
    decision = (await console.post("anna", decisions, **voted))["decision"]
    assert (decision["item_digest"], decision["digest_named"]) == (item["item_digest"], False)

    trace = await console.get(f"{R}?trace={failed['delivery_plan']['delivery_id']}")
    refusals = [one for one in trace["items"] if one["metadata_kind"].endswith("-retry-refusal")]
    assert [(one["actor"]["sub"], one["retry_refusal"]["reason"]) for one in refusals] == [
        ("max", "self_approval"),
        ("anna", "content_changed"),
    ]
    figures = await console.get(R + "/dashboard")
    assert figures["acknowledgement_audit_delivery_retry_refusal_count"] == 2


async def an_approval(console: Console) -> None:
    """The only open failure, reviewed and approved."""
    plan = (await console.post("olga", AD + "/retry-plan", **POLICY))["plan"]
    acknowledgements = f"{AD}/retry-plans/{plan['retry_plan_id']}/acknowledgements"
    await console.post("oscar", acknowledgements, provider="webhook")
    approval = (await console.post("olga", AD + "/retry-execution-approval-plan"))["plan"]
    decisions = f"{AD}/retry-execution-approval-plans/{approval['approval_plan_id']}/decisions"
    assert (await console.post("anna", decisions, provider="webhook"))["decision"]["item_state"] == "approved"


async def the_trace_tells_the_story(console: Console, trace: str) -> None:
    answer = await console.get(f"{R}?trace={trace}")
    seen: set[str] = set()
    named = {one["session_id"] for one in answer["items"]}
    for one in answer["items"]:
        assert leaf_hash(stripped(one)).hex() == one["record_hash"]
        assert trace in one["trace_ids"]
        assert {cause["id"] for cause in one["causes"]} & named <= seen
        seen.add(one["session_id"])
    kinds = [one["metadata_kind"].rpartition("audit-delivery-")[2] for one in answer["items"]]
    story = [
        "plan",
        "release-connector-delivery",
        "retry-plan",
        "retry-ack",
        "retry-execution-approval-plan",
        "retry-execution-approval-decision",
        "retry-intent",
        "retry-execution-record",
        "connector-recovery-closure",
    ]
    assert [kind for kind in dict.fromkeys(kinds) if kind in story] == story


async def the_dashboard_counts_it(console: Console) -> None:
    figures = await console.get(R + "/dashboard")
    assert set(figures["sources"].values()) == {"ok"}
    prefix = "acknowledgement_audit_delivery_"
    counts = {
        "count": 3,
        "success_count": 1,
        "success_rate": 0.3333,
        "retryable_count": 1,
        "health": "warning",
        "providers": ["webhook"],
        "retry_execution_approved_count": 1,
        "retry_execution_success_count": 1,
        "connector_recovery_closed_count": 1,
        "connector_recovery_open_count": 0,
        "worker_executed_count": 2,
        "worker_dry_run_count": 0,
    }
    assert {name: figures[prefix + name] for name in counts} == counts
    assert figures["outstanding_acknowledgement_count"] == 0
    history = await console.get(R + "?limit=500")
    assert history["total"] == len(history["items"])
    assert [one["session_id"] for one in history["items"][:10]] == [
        one["session_id"] for one in figures["latest"]
    ]


async def test_bad_input_gets_what_is_promised_and_writes_nothing(console: Console) -> None:
    cases: list[tuple[str, str, dict[str, Any], int, str]] = [
        ("olga", R + "/nowhere/acknowledgements", {"provider": "webhook"}, 404, "unknown_schedule"),
        (
            "olga",
            AD + "/retry-plans/gordackretry-0/acknowledgements",
            {"provider": "webhook"},
            404,
            "unknown_plan",
        ),
        (
            "anna",
            AD + "/retry-execution-approval-plans/x/decisions",
            {"provider": "webhook"},
            404,
            "unknown_plan",
        ),
        (
            "olga",
            AD + "/connector-recovery-playbooks/x/closures",
            {"provider": "webhook"},
            404,
            "unknown_playbook",
        ),
        (
            "olga",
            AD + "/worker-health-alerts/x/acknowledgements",
            {"provider": "webhook"},
            404,
            "unknown_health",
        ),
        ("olga", AD, {"delivery_provider": "nobody"}, 400, "provider_not_configured"),
        (
            "olga",
            AD + "/retry-execution-approval-plan",
            {"approval_policy": {"require_retry_ack": False}},
            403,
            "policy_floor",
        ),
        (
            "olga",
            AD + "/retry-execution-approval-plan",
            {"approval_policy": {"expires_in_minutes": 999}},
            403,
            "policy_floor",
        ),
        ("axel", AD + "/retry-plan", {}, 403, "role_required"),
    ]
    for who, path, body, status, reason in cases:
        got, problem = await console.call(who, "POST", path, body)
        assert (got, problem["reason"]) == (status, reason), (path, problem)
    assert (await console.get(R))["total"] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/runtime/go-pilot/rollback-drill-schedule", R + "/routes", R + "/suppression-trends", R + "/dashboard", AD + "/worker-runs",
        AD + "/worker-dashboard", AD + "/worker-health", AD + "/worker-health-alerts", AD + "/worker-health-alert-dashboard",
        "/console/config",
        "/health", "/openapi.json",
    ],
)  # fmt: skip
async def test_an_empty_installation_can_be_read(console: Console, path: str) -> None:
    await console.get(path)


async def test_who_waits_at_a_gateway_that_stops_is_told_so(console: Console, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    async with console.at_another_gateway() as other:
        waiting = asyncio.create_task(other.call("olga", "POST", AD, {"timeout_seconds": 60}))
        await receiver.wait_for(1)
    status, problem = await waiting
    assert (status, problem["reason"]) == (503, "service_unavailable")
    receiver.hold.set()
