"""Under which terms records of each kind are found and counted."""

import pytest
from cavra_evidence.index import COUNTED, FILTERS
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, BY_NOUN, KINDS, NOTIFICATION_SOURCE

from tests.support.log import appended
from tests.support.records import draft

COMMON = {"metadata_kind", "history", "actor", "trace"}
AUDIT = COMMON | {"connector_delivery_source"}

NAMES: dict[str, set[str]] = {
    "notification_plan": COMMON | {"provider", "alert_level", "plan_id", "suppressed"},
    "notification_ack": COMMON | {"provider", "schedule_id", "plan_id", "acknowledgement_state"},
    "escalation_plan": COMMON | {"provider", "alert_level", "plan_id"},
    "audit_package": AUDIT | {"provider", "alert_level", "audit_id"},
    "delivery_plan": AUDIT | {"provider", "alert_level", "audit_id", "delivery_id", "cadence"},
    "connector_delivery": AUDIT | {"provider", "delivery_success"},
    "retry_plan": AUDIT | {"provider", "alert_level", "retry_plan_id"},
    "retry_ack": AUDIT | {"provider", "retry_plan_id", "delivery_id", "audit_id", "acknowledgement_state"},
    "approval_plan": AUDIT | {"provider", "alert_level", "approval_plan_id"},
    "approval_decision": AUDIT | {"provider", "approval_plan_id", "retry_plan_id", "delivery_id", "audit_id"},
    "log_key": {"metadata_kind", "trace"},
    "log_heartbeat": {"metadata_kind", "trace"},
    "log_loss": {"metadata_kind", "trace"},
    "log_audit": {"metadata_kind", "trace"},
    "retry_refusal": {"metadata_kind", "trace"},
    "retry_intent": {"metadata_kind", "trace"},
    "execution_record": AUDIT
    | {
        "provider",
        "execution_id",
        "execution_status",
        "run_id",
        "retry_plan_id",
        "approval_plan_id",
        "delivery_id",
        "audit_id",
    },
    "execution_resolution": AUDIT | {"provider", "execution_id", "delivery_id", "audit_id"},
    "worker_run": AUDIT | {"provider", "run_id", "dry_run", "cadence"},
    "health_alert_plan": AUDIT | {"provider", "alert_level", "plan_id", "health_id", "suppressed", "flow"},
    "health_alert_ack": AUDIT | {"provider", "plan_id", "health_id", "acknowledgement_state", "flow"},
    "playbook": AUDIT | {"provider", "alert_level", "playbook_id"},
    "closure": AUDIT | {"provider", "playbook_id", "closure_state"},
}

TRACE = "gordackdelivery-01a206c25f88000174c508751654"


@pytest.mark.parametrize("noun", NAMES)
def test_a_record_is_found_by_what_its_kind_says(noun: str) -> None:
    entry = appended(draft(noun, traces=(TRACE,))).entries[0]
    assert {name for name, _ in entry.terms} == NAMES[noun]
    assert ("metadata_kind", BY_NOUN[noun].kind) in entry.terms
    assert ("trace", TRACE) in entry.terms


@pytest.mark.parametrize("noun", NAMES)
def test_terms_are_filters_that_may_be_asked_for_and_stand_once(noun: str) -> None:
    entry = appended(draft(noun, traces=(TRACE,))).entries[0]
    assert {name for name, _ in entry.terms} <= FILTERS | {"history"}
    assert len(set(entry.terms)) == len(entry.terms)
    assert len(set(entry.counted)) == len(entry.counted)


@pytest.mark.parametrize("noun", NAMES)
def test_terms_with_few_values_are_counted(noun: str) -> None:
    entry = appended(draft(noun, traces=(TRACE,))).entries[0]
    if not BY_NOUN[noun].internal:
        assert {term for term in entry.terms if term[0] in COUNTED} <= set(entry.counted)
    assert not any(name == "trace" for name, _ in entry.counted)


def test_every_kind_is_in_the_table() -> None:
    assert set(NAMES) == {kind.noun for kind in KINDS}


def test_an_internal_record_is_found_by_its_kind_and_traces_alone() -> None:
    entry = appended(draft("retry_intent", traces=(TRACE,))).entries[0]
    assert set(entry.terms) == {("trace", TRACE), ("metadata_kind", BY_NOUN["retry_intent"].kind)}
    assert entry.counted == (("metadata_kind", BY_NOUN["retry_intent"].kind),)


def test_every_provider_that_a_record_names_finds_it() -> None:
    made = draft("delivery_plan", requested_providers=["jira"], selected_providers=["splunk", "jira"])
    terms = appended(made).entries[0].terms
    assert {value for name, value in terms if name == "provider"} == {"jira", "splunk"}


def test_an_actor_is_found_by_subject_and_by_name() -> None:
    terms = appended(draft(by="bob")).entries[0].terms
    assert [value for name, value in terms if name == "actor"] == ["bob"]


@pytest.mark.parametrize(
    ("source", "flow"), [(NOTIFICATION_SOURCE, False), (AUDIT_SOURCE, False), (ALERT_SOURCE, True)]
)
def test_a_delivery_is_found_by_its_own_source(source: str, flow: bool) -> None:
    made = draft("connector_delivery", top={"connector_delivery_source": source, "delivery_success": True})
    entry = appended(made).entries[0]
    assert [value for name, value in entry.terms if name == "connector_delivery_source"] == [source]
    assert (("flow", "health_alert") in entry.terms) is flow
    assert ("delivery", f"{source}:true") in entry.counted
    assert ("delivery_provider", f"{source}:webhook") in entry.counted


def test_decisions_are_counted_by_what_was_decided() -> None:
    entry = appended(draft("approval_decision", approval_state="denied")).entries[0]
    assert ("approval_state", "denied") in entry.counted
