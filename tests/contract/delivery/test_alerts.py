"""Alerts that retry has sent: once, and beside the audit's failures."""

from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.ids import new_id
from cavra_verify.canonical import canonical
from cavra_verify.kinds import ALERT_SOURCE
from cavra_verify.merkle import leaf_hash

from tests.contract.delivery.desk import Desk, body, cause, envelope
from tests.support.receiver import Receiver


def alert(**changed: Any) -> pb.SendAlertRequest:
    """An alert as retry would send it."""
    plan = cause("health_alert_plan")
    data = canonical({"metadata_kind": plan.kind, "created_at": "2026-11-23T00:00:00.000000+00:00"})
    plan.record_hash = leaf_hash(data)
    fields = {
        "providers": ["webhook"],
        "health_id": new_id("gordackhealth"),
        "plan": plan,
        "plan_canonical": data,
        "requested_by": evidence_pb2.Actor(issuer="cavra-local", subject="olga", name="Olga"),
        "retries": 0,
        **changed,
    }
    return pb.SendAlertRequest(**fields)


async def test_an_alert_is_sent_once_and_counts_for_playbooks_alone(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 500
    request = alert()
    answer = await desk.call("SendAlert", request, desk.service)
    delivery = envelope(answer.delivery)
    assert not answer.success
    assert delivery["connector_delivery_source"] == ALERT_SOURCE
    assert (delivery["health_id"], delivery["plan_id"]) == (request.health_id, request.plan.id)
    assert delivery["trace_ids"] == [request.plan.id]
    event = body(receiver.received[0].body)
    assert canonical(event["data"]) == request.plan_canonical
    assert event["event_id"] == answer.event_id
    again = await desk.call("SendAlert", request, desk.service)
    assert again.delivery == answer.delivery
    assert len(receiver.received) == 1
    assert await desk.failures() == []
    summary = await desk.call("SummarizeFailures", pb.SummarizeFailuresRequest(since={"seconds": 0}))
    assert summary.providers[0].failure_count == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"providers": []}, "providers"),
        ({"health_id": "x"}, "health_id"),
        ({"plan_canonical": b"{}"}, "plan_canonical"),
        ({"requested_by": evidence_pb2.Actor()}, "requested_by"),
    ],
)
async def test_an_alert_of_another_shape_is_refused(desk: Desk, changed: dict[str, Any], field: str) -> None:
    assert await desk.refusal("SendAlert", alert(**changed), desk.service) == ("invalid_value", field)
