"""History over three real logs, against a naive model of it."""

import asyncio
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Cause
from cavra_evidence.ids import new_id
from cavra_evidence.index import terms
from cavra_gateway.domain.merge import Cursor
from cavra_gateway.records import envelope
from cavra_service.store import listing
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, BY_KIND, BY_NOUN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.fake_services import FakeServices, cause
from tests.support.samples import MODELS, draft, sample

R = "/runtime/go-pilot/rollback-drill-notifications"
ALERTS = R + "/acknowledgements/audit-delivery/worker-health-alerts"
TRACE = "gordackdelivery-00000000000000000000000000aa"

written = st.lists(
    st.tuples(
        st.sampled_from(sorted(MODELS)),
        st.sampled_from(["webhook", "splunk"]),
        st.sampled_from(["healthy", "warning"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)
filters = st.dictionaries(
    st.sampled_from(
        ["provider", "alert_level", "delivery_success", "connector_delivery_source", "actor", "metadata_kind"]
    ),
    st.just(None),
    max_size=3,
)
VALUES: dict[str, list[str]] = {
    "provider": ["webhook", "splunk"],
    "alert_level": ["healthy", "warning"],
    "delivery_success": ["true", "false"],
    "connector_delivery_source": [AUDIT_SOURCE, ALERT_SOURCE],
    "actor": ["alice", "bob"],
    "metadata_kind": [
        BY_NOUN["retry_intent"].kind,
        BY_NOUN["connector_delivery"].kind,
        BY_NOUN["playbook"].kind,
    ],
}


class Model:
    """All records in one list, filtered and sorted anew for each question."""

    def __init__(self) -> None:
        self.records: list[tuple[tuple[str, str, int], dict[str, Any], set[tuple[str, str]]]] = []

    def add(self, record: evidence_pb2.Record) -> None:
        served = envelope(record)
        found, _ = terms(BY_KIND[record.kind], served)
        self.records.append(((served["created_at"], record.origin, record.index), served, set(found)))

    def matching(self, wanted: dict[str, str]) -> list[dict[str, Any]]:
        """Newest first. Internal kinds only when asked for by kind."""
        asked = set(wanted.items()) or {("history", "all")}
        return [
            served
            for _, served, found in sorted(self.records, key=lambda one: one[0], reverse=True)
            if asked <= found
        ]


async def fill(fakes: FakeServices, contents: list[Any]) -> Model:
    model = Model()
    for noun, provider, level, success in contents:
        fields: dict[str, Any] = {}
        names = MODELS[noun].model_fields
        if "provider" in names:
            fields["provider"] = provider
        if "alert_level" in names:
            fields["alert_level"] = level
        record = sample(noun, **fields)
        if noun == "connector_delivery":
            part = record.deliveries[0].model_copy(update={"provider": provider, "success": success})  # type: ignore[attr-defined]
            record = record.model_copy(update={"deliveries": [part]})
        (written_record,) = await fakes.write(BY_NOUN[noun].log or "retry", draft(record))
        model.add(written_record)
    return model


async def ask(fakes: FakeServices, path: str = R, **query: Any) -> dict[str, Any]:
    status, answer, _ = await fakes.request("GET", f"{path}?{urlencode(query)}", roles=("auditor",))
    assert status == 200, answer
    return dict(answer)


@pytest.fixture(params=[3, listing.WINDOW], ids=["short pages", "full pages"])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service may pass over so few index entries for one page that most of its pages are short."""
    monkeypatch.setattr(listing, "WINDOW", request.param)


@given(contents=written, named=filters, choices=st.randoms(use_true_random=False), limit=st.integers(1, 6))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_history_is_what_a_naive_model_says(
    window: None, contents: list[Any], named: dict[str, None], choices: Any, limit: int
) -> None:
    wanted = {name: choices.choice(VALUES[name]) for name in sorted(named)}

    async def check(folder: Path) -> None:
        async with FakeServices(folder).running() as fakes:
            model = await fill(fakes, contents)
            expected = model.matching(wanted)
            whole = await ask(fakes, **wanted)
            assert whole["items"] == expected
            assert (whole["total"], whole["total_relation"], whole["next_cursor"]) == (
                len(expected),
                "exact",
                None,
            )
            walked: list[Any] = []
            page = await ask(fakes, limit=limit, **wanted)
            while True:
                assert page["total"] == len(expected)
                walked += page["items"]
                by_offset = await ask(fakes, limit=limit, offset=len(walked), **wanted)
                assert by_offset["items"] == expected[len(walked) : len(walked) + limit]
                if page["next_cursor"] is None:
                    break
                page = await ask(fakes, limit=limit, cursor=page["next_cursor"], **wanted)
            assert walked == expected

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder)))


async def test_a_walk_by_cursor_shows_what_was_there_when_it_began(fakes: FakeServices) -> None:
    model = await fill(
        fakes, [("retry_plan", "", "healthy", True)] * 3 + [("retry_ack", "webhook", "", True)] * 3
    )
    expected = model.matching({})
    first = await ask(fakes, limit=2)
    await fill(fakes, [("playbook", "", "healthy", True), ("retry_plan", "", "healthy", True)])
    second = await ask(fakes, limit=10, cursor=first["next_cursor"])
    assert first["items"] + second["items"] == expected


async def test_since_and_until_bound_history(fakes: FakeServices) -> None:
    model = await fill(
        fakes,
        [
            ("retry_plan", "", "healthy", True),
            ("closure", "webhook", "", True),
            ("playbook", "", "warning", True),
        ],
    )
    newest, middle, oldest = model.matching({})
    found = await ask(fakes, since=middle["created_at"], until=newest["created_at"])
    assert found["items"] == [middle]
    unencoded = middle["created_at"].replace("+", " ")  # What a plus becomes in a query that is not encoded.
    assert (await ask(fakes, since=unencoded))["items"] == [newest, middle]
    assert (await ask(fakes, until=middle["created_at"].replace("+00:00", "Z")))["items"] == [oldest]


async def test_history_says_which_service_is_missing(fakes: FakeServices) -> None:
    model = await fill(
        fakes,
        [
            ("retry_plan", "", "healthy", True),
            ("closure", "webhook", "", True),
            ("notification_ack", "webhook", "", True),
        ],
    )
    await fakes.stop("retry")
    page = await ask(fakes)
    assert page["sources"] == {"delivery": "ok", "recovery": "ok", "retry": "unavailable"}
    assert page["items"] == [one for one in model.matching({}) if one["log"]["origin"] != "cavra.local/retry"]
    assert (page["total"], page["total_relation"], page["next_cursor"]) == (2, "gte", None)
    await fakes.stop("delivery")
    await fakes.stop("recovery")
    status, problem, headers = await fakes.request("GET", R)
    assert (status, problem["reason"], headers["retry-after"]) == (503, "service_unavailable", "1")


async def test_a_service_that_comes_back_is_in_history_again(fakes: FakeServices) -> None:
    await fill(fakes, [("retry_plan", "", "healthy", True)])
    address = fakes.installation.settings.retry_address
    await fakes.stop("retry")
    assert (await ask(fakes))["sources"]["retry"] == "unavailable"
    await fakes.start("retry", address)
    async with asyncio.timeout(10):
        while (await ask(fakes))["sources"]["retry"] != "ok":
            continue  # Asked again until the channel has found it.
    assert (await ask(fakes))["total"] == 1


async def test_a_log_that_was_down_is_taken_up_where_the_walk_stands_and_not_passed_through_from_its_top(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = await fill(
        fakes,
        [("retry_plan", "", "healthy", True)] * 2 + [("retry_ack", "webhook", "", True)] * 60,
    )
    *newer, standing, older, _ = model.matching({})
    read: list[str] = []
    page = listing.page

    async def noting(*args: Any, **bounds: Any) -> Any:
        rows, following = await page(*args, **bounds)
        read.extend(row["id"] for row in rows)
        return rows, following

    monkeypatch.setattr(listing, "page", noting)
    at = datetime.fromisoformat(standing["created_at"])
    key = (int(at.timestamp()), at.microsecond * 1000, standing["log"]["origin"], standing["log"]["index"])
    cursor = Cursor(key, {"delivery": None, "recovery": None, "retry": ""})
    found = await ask(fakes, limit=1, cursor=cursor.text())
    assert (found["items"], found["total"]) == ([older], 62)
    assert not {one["session_id"] for one in newer} & set(read)


async def test_internal_kinds_are_shown_only_when_asked_for(fakes: FakeServices) -> None:
    await fill(fakes, [("retry_intent", "webhook", "", True), ("retry_plan", "", "healthy", True)])
    assert [one["metadata_kind"] for one in (await ask(fakes))["items"]] == [BY_NOUN["retry_plan"].kind]
    assert (await ask(fakes, metadata_kind=BY_NOUN["retry_intent"].kind))["total"] == 1


async def test_an_unknown_value_of_a_filter_matches_nothing(fakes: FakeServices) -> None:
    await fill(fakes, [("retry_plan", "", "healthy", True)])
    assert (await ask(fakes, retry_plan_id="gordackretry-none"))["items"] == []
    assert (await ask(fakes, provider="", schedule_id=""))["total"] == 1


async def chain(fakes: FakeServices) -> list[evidence_pb2.Record]:
    """delivery plan <- failed delivery <- retry plan <- intent <- closure, in three logs, on one trace."""
    records: list[evidence_pb2.Record] = []
    steps = ["delivery_plan", "connector_delivery", "retry_plan", "retry_intent", "closure"]
    for noun in steps:
        causes: tuple[Cause, ...] = (cause(records[-1]),) if records else ()
        record = draft(sample(noun), causes=causes, trace_ids=(TRACE,))
        records += await fakes.write(BY_NOUN[noun].log, record)
    return records


async def test_a_trace_is_the_chain_oldest_first_whichever_record_is_named(fakes: FakeServices) -> None:
    await fill(fakes, [("retry_plan", "", "healthy", True)])
    records = await chain(fakes)
    expected = [record.id for record in records]
    for named in [*expected, TRACE]:
        answer = await ask(fakes, trace=named)
        assert [one["session_id"] for one in answer["items"]] == expected
        assert (answer["total"], answer["trace_ids"]) == (5, [TRACE])
    assert [
        one["session_id"] for one in (await ask(fakes, trace=TRACE, limit=2, offset=1))["items"]
    ] == expected[1:3]
    closures = await ask(fakes, trace=TRACE, metadata_kind=BY_NOUN["closure"].kind)
    assert [one["session_id"] for one in closures["items"]] == expected[-1:]


async def test_a_record_of_several_traces_shows_each_record_once(fakes: FakeServices) -> None:
    other = new_id("gordackdelivery")
    records = await chain(fakes)
    (plan,) = await fakes.write("retry", draft(sample("retry_plan"), trace_ids=(TRACE, other)))
    (apart,) = await fakes.write("retry", draft(sample("retry_plan"), trace_ids=(other,)))
    shown = [one["session_id"] for one in (await ask(fakes, trace=plan.id))["items"]]
    assert shown == [*(record.id for record in records), plan.id, apart.id]
    assert apart.id not in [one["session_id"] for one in (await ask(fakes, trace=records[0].id))["items"]]


async def test_a_record_without_a_trace_is_a_chain_of_its_own(fakes: FakeServices) -> None:
    (alone,) = await fakes.write("recovery", draft(sample("playbook")))
    assert [one["session_id"] for one in (await ask(fakes, trace=alone.id))["items"]] == [alone.id]
    assert (await ask(fakes, trace="gordackrecovery-nothing"))["items"] == []


async def test_a_trace_says_which_service_is_missing(fakes: FakeServices) -> None:
    records = await chain(fakes)
    await fakes.stop("recovery")
    answer = await ask(fakes, trace=records[0].id)
    assert [one["session_id"] for one in answer["items"]] == [record.id for record in records[:-1]]
    assert (answer["sources"]["recovery"], answer["total_relation"]) == ("unavailable", "gte")


async def test_alerts_are_their_plans_deliveries_and_acknowledgements(fakes: FakeServices) -> None:
    (plan,) = await fakes.write("retry", draft(sample("health_alert_plan", suppressed_providers=[])))
    (sent,) = await fakes.write(
        "delivery", draft(sample("connector_delivery"), connector_delivery_source=ALERT_SOURCE)
    )
    (acknowledged,) = await fakes.write(
        "retry", draft(sample("health_alert_ack", acknowledgement_state="escalated"))
    )
    await fill(fakes, [("retry_plan", "", "healthy", True), ("connector_delivery", "webhook", "", True)])
    page = await ask(fakes, ALERTS)
    assert [one["session_id"] for one in page["items"]] == [acknowledged.id, sent.id, plan.id]
    assert page["total"] == 3
    assert [one["session_id"] for one in (await ask(fakes, ALERTS, suppressed="false"))["items"]] == [plan.id]
    states = await ask(fakes, ALERTS, acknowledgement_state="escalated")
    assert [one["session_id"] for one in states["items"]] == [acknowledged.id]


async def test_a_record_whose_bytes_are_not_what_was_hashed_is_not_served(fakes: FakeServices) -> None:
    (record,) = await fakes.write("retry", draft(sample("retry_plan")))
    store: Any = fakes.stores["retry"]
    tampered = bytes(record.canonical).replace(b"alice", b"mallo")

    async def forged(query: str, /, **params: Any) -> Any:
        rows = await type(store).rows(store, query, **params)
        return [{**dict(row), "canonical": tampered} if "canonical" in row.keys() else row for row in rows]  # noqa: SIM118 a row is no mapping

    store.rows = forged
    status, problem, _ = await fakes.request("GET", R)
    assert (status, problem["reason"]) == (503, "service_unavailable")
