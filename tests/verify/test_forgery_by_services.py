"""Services that lie: every record is rewritten and signed anew by its own service's key, so that nothing but the claim can tell."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cavra_verify.policy import Policy, read_policy
from cavra_verify.signatures import RECORD_TYPE
from cavra_verify.verify import verify

from tests.support.bundles import Forger, Page, file_of, forged, policy_document, policy_of
from tests.support.closed_chain import ClosedChain, Kept

LATE = "2031-01-01T00:00:00.000000+00:00"
OTHER = "e" * 64


def refuted(chain: ClosedChain, policy: Policy) -> set[str]:
    """The claims that a bundle of these logs does not bear out."""
    verdict = verify(file_of(chain), policy)
    found = {one.name for one in verdict.claims if one.status == "refuted"}
    assert (verdict.exit_code == 1) == bool(found)
    return found


def test_the_chain_as_the_services_wrote_it_holds_and_a_forger_who_changes_nothing_changes_nothing(
    chain: ClosedChain, policy: Policy
) -> None:
    verdict = verify(file_of(chain), policy)
    assert [(one.name, one.details) for one in verdict.claims if one.status != "holds"] == []
    assert verdict.exit_code == 0
    assert file_of(forged(chain, lambda forger: None)) == file_of(chain)


def _who_planned_approves(forger: Forger) -> None:
    forger.one("approval_decision").act_as("paula")


def _who_acknowledged_approves(forger: Forger) -> None:
    forger.one("approval_decision").act_as("rita")


def _who_opened_it_approves(forger: Forger) -> None:
    forger.one("approval_decision").act_as("sam")


def _who_approved_executes(forger: Forger) -> None:
    forger.one("retry_intent").act_as("bob")
    forger.one("execution_record").act_as("bob")


def _one_person_under_two_names(forger: Forger) -> None:
    forger.one("approval_decision").act_as("bob", "carol")


def _an_approval_less(forger: Forger) -> None:
    forger.one("retry_intent").rest_on(forger.one("approval_decision"))


def _a_quorum_that_was_never_completed(forger: Forger) -> None:
    forger.one("approval_decision").set(item_state="open")


def _a_denial_is_passed_over(forger: Forger) -> None:
    denial = forger.one("approval_decision")
    forger.add(
        denial, "gordackretryapprovaldecision-01a2000000000000000000000001", denial, approval_state="denied"
    )


def _approvals_of_the_attempt_before(forger: Forger) -> None:
    forger.one("retry_intent").rest_on(*forger.all("approval_decision")[:2])


def _a_decision_replayed_for_a_second_execution(forger: Forger) -> None:
    intent = forger.one("retry_intent")
    forger.add(
        intent,
        "gordackretryintent-01a2000000000000000000000002",
        intent,
        execution_id="gordackretryexec-01a2000000000000000000000003",
    )


def _approved_after_the_end(forger: Forger) -> None:
    forger.one("approval_decision").set(decided_at=LATE)


def _claimed_after_the_end(forger: Forger) -> None:
    forger.one("retry_intent").set(claimed_at=LATE)


def _a_permit_that_outlives_its_approval(forger: Forger) -> None:
    forger.one("retry_intent").set(permit_expires_at=LATE)


def _sent_after_the_permit_ended(forger: Forger) -> None:
    forger.one("connector_delivery").body["deliveries"][0]["started_at"] = LATE


def _another_digest_is_claimed(forger: Forger) -> None:
    forger.one("retry_intent").set(item_digest=OTHER)


def _another_payload_under_the_same_digest(forger: Forger) -> None:
    forger.one("approval_plan").body["approval_decisions"][0]["payload_hash"] = OTHER
    forger.one("retry_intent").set(payload_hash=OTHER)


def _approvers_were_shown_another_failure(forger: Forger) -> None:
    forger.one("approval_plan").body["approval_decisions"][0]["failed_record_hash"] = OTHER


def _another_payload_than_permitted_is_sent(forger: Forger) -> None:
    forger.one("connector_delivery").body["deliveries"][0]["payload_hash"] = OTHER


def _another_destination(forger: Forger) -> None:
    forger.one("retry_intent").set(destination_fingerprint=OTHER)


def _another_package(forger: Forger) -> None:
    forger.one("audit_package", 0).set(outstanding_count=7)


def _sent_without_a_permit(forger: Forger) -> None:
    forger.one("connector_delivery").set(permit_hash="")


def _sent_without_an_intent(forger: Forger) -> None:
    forger.one("connector_delivery").forget("retry_intent")


def _sent_again_unasked(forger: Forger) -> None:
    sent = forger.one("connector_delivery")
    again = forger.add(sent, "rcd-01a2000000000000000000000004", sent, execution_id="", permit_hash="")
    again.document["causes"] = []


def _sent_twice(forger: Forger) -> None:
    sent = forger.one("connector_delivery")
    forger.add(sent, "rcd-01a2000000000000000000000005", sent)


def _executed_before_the_intent(forger: Forger) -> None:
    forger.move(forger.one("execution_record"), forger.one("approval_decision"))


def _executed_without_an_intent(forger: Forger) -> None:
    forger.one("execution_record").forget("retry_intent")


def _executed_twice(forger: Forger) -> None:
    record = forger.one("execution_record")
    second = forger.add(record, "gordackretryexec-01a2000000000000000000000006", record)
    second.set(execution_id=record.body["execution_id"])


def _a_failure_told_as_a_delivery(forger: Forger) -> None:
    forger.one("execution_record", 0).set(execution_status="delivered", delivery_success=True)


def _a_delivery_told_as_skipped(forger: Forger) -> None:
    forger.one("execution_record").set(execution_status="skipped", skipped="fenced", delivery_success=False)


def _the_decision_came_before_its_acknowledgement(forger: Forger) -> None:
    forger.move(forger.one("retry_ack"), forger.one("approval_decision"))


def _no_acknowledgement_is_named(forger: Forger) -> None:
    for decision in forger.all("approval_decision"):
        decision.forget("retry_ack")


def _an_acknowledgement_that_escalates(forger: Forger) -> None:
    forger.one("retry_ack").set(acknowledgement_state="escalated")


def _an_acknowledgement_that_was_taken_back(forger: Forger) -> None:
    ack = forger.one("retry_ack")
    forger.add(ack, "gordackretryack-01a2000000000000000000000007", ack, acknowledgement_state="dismissed")


def _resolved_by_what_failed(forger: Forger) -> None:
    forger.one("closure").rest_on(forger.one("connector_delivery", 0))


def _resolved_by_what_came_before_the_last_failure(forger: Forger) -> None:
    failed, delivered = forger.one("connector_delivery", 2), forger.one("connector_delivery")
    later = forger.add(failed, "rcd-01a2000000000000000000000008", delivered)
    forger.one("playbook").rest_on(later)
    before = forger.pages[-1]
    for page in (*forger.all("playbook"), *forger.all("closure")):
        forger.move(page, before)
        before = page


def _resolved_without_naming_the_record(forger: Forger) -> None:
    forger.one("closure").forget("execution_record")


def _resolved_on_an_assertion(forger: Forger) -> None:
    execution, closure = forger.one("execution_record"), forger.one("closure")
    kind = "go-backend-rollback-drill-acknowledgement-audit-delivery-retry-execution-resolution"
    record_id = "gordackretryresolution-01a2000000000000000000000009"
    body = {"resolution_id": record_id, "execution_id": execution.id, "basis": "asserted"}
    schema = (
        "cavra.go-backend-pilot.rollback-drill-acknowledgement-audit-delivery-retry-execution-resolution.v1"
    )
    document = {
        **execution.document,
        "session_id": record_id,
        "metadata_kind": kind,
        "retry_execution_resolution": {**body, "schema_version": schema, "product": "CAVRA"},
    }
    said = Page("retry", json.loads(json.dumps(document)))
    said.act_as("oscar")
    said.rest_on(execution)
    forger.pages.insert(forger.pages.index(execution) + 1, said)
    closure.rest_on(said)


def _reopened_from_nowhere(forger: Forger) -> None:
    forger.one("closure").set(previous_state="mitigated")


def _a_credential_in_the_notes(forger: Forger) -> None:
    forger.one("retry_ack").set(notes="use Authorization: Bearer 0123456789abcdef")


def _another_name_in_the_record(forger: Forger) -> None:
    forger.one("approval_decision").set(decided_by="april")


def _somebody_of_another_issuer(forger: Forger) -> None:
    forger.one("approval_decision").document["actor"]["iss"] = "https://elsewhere.example"


def _an_envelope_that_says_something_else(forger: Forger) -> None:
    forger.one("approval_decision").document["approval_state"] = "denied"


def _a_decision_in_the_log_of_recovery(forger: Forger) -> None:
    decision = forger.one("approval_decision")
    moved = forger.add(
        decision, "gordackretryapprovaldecision-01a200000000000000000000000a", forger.pages[-1]
    )
    moved.service = "recovery"


def _a_clock_that_was_set_back(forger: Forger) -> None:
    forger.one("execution_record").document["created_at"] = "2020-01-01T00:00:00.000000+00:00"


def _a_record_without_its_fields(forger: Forger) -> None:
    del forger.one("retry_intent").body["item_digest"]


def _an_attempt_beyond_the_ceiling(forger: Forger) -> None:
    forger.one("retry_intent").set(attempt_number=26)


FORGERIES: list[tuple[Callable[[Forger], None], str]] = [
    (_who_planned_approves, "quorum"),
    (_who_acknowledged_approves, "quorum"),
    (_who_opened_it_approves, "quorum"),
    (_who_approved_executes, "quorum"),
    (_one_person_under_two_names, "quorum"),
    (_an_approval_less, "quorum"),
    (_a_quorum_that_was_never_completed, "quorum"),
    (_a_denial_is_passed_over, "undenied"),
    (_approvals_of_the_attempt_before, "quorum"),
    (_approvals_of_the_attempt_before, "once"),
    (_a_decision_replayed_for_a_second_execution, "once"),
    (_approved_after_the_end, "expiry"),
    (_claimed_after_the_end, "expiry"),
    (_a_permit_that_outlives_its_approval, "expiry"),
    (_sent_after_the_permit_ended, "permitted"),
    (_another_digest_is_claimed, "quorum"),
    (_another_digest_is_claimed, "digest"),
    (_another_payload_under_the_same_digest, "digest"),
    (_approvers_were_shown_another_failure, "digest"),
    (_another_payload_than_permitted_is_sent, "permitted"),
    (_another_destination, "digest"),
    (_another_package, "digest"),
    (_sent_without_a_permit, "permitted"),
    (_sent_without_an_intent, "ordered"),
    (_sent_again_unasked, "ordered"),
    (_sent_twice, "once"),
    (_executed_before_the_intent, "causes"),
    (_executed_without_an_intent, "ordered"),
    (_executed_twice, "once"),
    (_a_failure_told_as_a_delivery, "ordered"),
    (_a_delivery_told_as_skipped, "ordered"),
    (_the_decision_came_before_its_acknowledgement, "acknowledged"),
    (_no_acknowledgement_is_named, "acknowledged"),
    (_an_acknowledgement_that_escalates, "acknowledged"),
    (_an_acknowledgement_that_was_taken_back, "acknowledged"),
    (_resolved_by_what_failed, "proven"),
    (_resolved_by_what_came_before_the_last_failure, "proven"),
    (_resolved_without_naming_the_record, "proven"),
    (_resolved_on_an_assertion, "asserted"),
    (_reopened_from_nowhere, "followed"),
    (_a_credential_in_the_notes, "public_safe"),
    (_another_name_in_the_record, "people"),
    (_somebody_of_another_issuer, "people"),
    (_an_envelope_that_says_something_else, "canonical"),
    (_a_decision_in_the_log_of_recovery, "canonical"),
    (_a_clock_that_was_set_back, "times"),
    (_a_record_without_its_fields, "digest"),
    (_an_attempt_beyond_the_ceiling, "floors"),
]


@pytest.mark.parametrize(
    ("change", "claim"), FORGERIES, ids=[f"{change.__name__[1:]}-{claim}" for change, claim in FORGERIES]
)
def test_a_lie_that_is_signed_by_every_key_is_refuted_by_the_claim_it_breaks(
    chain: ClosedChain, policy: Policy, change: Callable[[Forger], None], claim: str
) -> None:
    found = refuted(forged(chain, change), policy)
    assert claim in found
    assert not found & {"checkpoint", "inclusion", "signature", "complete"}, "the forger held the keys"


def _never_told_of(forger: Forger) -> None:
    for noun in ("execution_record", "closure"):
        forger.pages.remove(forger.one(noun))


def _never_sent_nor_told_of(forger: Forger) -> None:
    _never_told_of(forger)
    forger.pages.remove(forger.one("connector_delivery"))


@pytest.mark.parametrize("change", [_never_told_of, _never_sent_nor_told_of])
def test_an_execution_without_a_record_is_under_way_for_an_hour_and_refuted_by_what_came_later(
    chain: ClosedChain, policy: Policy, change: Callable[[Forger], None]
) -> None:
    verdict = verify(file_of(forged(chain, change)), policy)
    (ended,) = [one for one in verdict.claims if one.status != "holds"]
    assert (ended.name, ended.status, verdict.exit_code) == ("ended", "unchecked", 2)
    assert "1 under way" in ended.details[0]

    def later(forger: Forger) -> None:
        change(forger)
        forger.one("closure").document["created_at"] = LATE

    assert refuted(forged(chain, later), policy) == {"ended"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b'"product":"CAVRA"', b'"product":"CAVRA","product":"CAVRA"', id="a duplicate key"),
        pytest.param(b'"decision_count":0', b'"decision_count":0.0', id="a float"),
        pytest.param(b'"decision_count":0', b'"decision_count":9007199254740992', id="2 to the 53rd"),
        pytest.param(b'"decision_count":0', b'"decision_count":-0', id="minus zero"),
        pytest.param(b'"decision_count":0', b'"decision_count": 0', id="a space"),
        pytest.param(b'"product"', b'"produ\\u0063t"', id="a needless escape"),
    ],
)
def test_bytes_that_a_service_signed_though_no_reader_would_agree_on_them_are_refuted(
    chain: ClosedChain, policy: Policy, before: bytes, after: bytes
) -> None:
    log = chain.logs["recovery"]
    data = log.records[-1].canonical.replace(before, after, 1)
    assert data != log.records[-1].canonical
    records = (*log.records[:-1], Kept(data, log.signer.sign(RECORD_TYPE, data)))
    changed = replace(chain, logs={**chain.logs, "recovery": replace(log, records=records)})
    verdict = verify(file_of(changed, asked=chain), policy)
    assert {one.name for one in verdict.claims if one.status == "refuted"} >= {"canonical"}


@pytest.mark.parametrize(
    ("floor", "value"),
    [("required_approvals", 3), ("longest_expiry_minutes", 239), ("attempt_ceiling", 2)],
)
def test_what_your_policy_asks_more_of_than_the_installation_did_is_refuted(
    chain: ClosedChain, floor: str, value: int
) -> None:
    assert refuted(chain, policy_of(chain.logs, **{floor: value})) == {"floors"}


def _mallory_approves(forger: Forger) -> None:
    forger.one("approval_decision").act_as("mallory")


def _mallory_executes(forger: Forger) -> None:
    forger.one("retry_intent").act_as("mallory")
    forger.one("execution_record").act_as("mallory")


@pytest.mark.parametrize(
    ("change", "role"), [(_mallory_approves, "approver"), (_mallory_executes, "operator")]
)
def test_who_acts_in_a_role_that_your_policy_gives_to_others_is_refuted(
    chain: ClosedChain, policy: Policy, change: Callable[[Forger], None], role: str
) -> None:
    """The issuer says who mallory is, and the services let mallory act: only the auditor's own list tells."""
    given = {"approver": ["bob", "carol"], "operator": ["erin", "oscar", "paula", "rita", "sam"]}
    roles = {name: [{"iss": "cavra-local", "sub": sub} for sub in subs] for name, subs in given.items()}
    named = read_policy(json.dumps(policy_document(chain.logs) | {"roles": roles}).encode())
    assert refuted(chain, named) == set()
    altered = forged(chain, change)
    # The permit is made up again from the intent, which rests on other bytes now.
    assert refuted(altered, policy) <= {"permitted"}
    verdict = verify(file_of(altered), named)
    (people,) = [one for one in verdict.claims if one.name == "people"]
    assert len(people.details) == 1
    assert people.details[0].endswith(f"by 'mallory', whom your policy does not name as {role}")
