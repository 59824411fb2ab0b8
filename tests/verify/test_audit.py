"""Whole logs, replayed: what a bundle cannot show, because it is not in it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cavra_evidence import times
from cavra_verify import signature_checks
from cavra_verify.audit import Audit, Entry, Report
from cavra_verify.kinds import BY_NOUN
from cavra_verify.policy import Policy
from cavra_verify.signatures import RECORD_TYPE
from cavra_verify.telling import report_text

from tests.support.bundles import Forger, checkpoint_of, first, forged, size_after
from tests.support.closed_chain import SERVICES, ClosedChain, Kept, KeptLog


def entries(log: KeptLog) -> list[Entry]:
    """The log as a replay reads it."""
    return [(index, one.canonical, one.signature) for index, one in enumerate(log.records)]


def audited(chain: ClosedChain, policy: Policy, services: Sequence[str] = SERVICES) -> Report:
    """The report on some of the logs."""
    audit = Audit(policy)
    for service in services:
        log = chain.logs[service]
        audit.replay(log.origin, entries(log), checkpoint_of(log))
    return audit.report()


def test_the_logs_as_the_services_wrote_them_reconcile(chain: ClosedChain, policy: Policy) -> None:
    report = audited(chain, policy)
    assert (report.violations.listed, report.gaps.listed, report.exit_code) == ([], [], 0)
    assert [log.records for log in report.logs] == [len(log.records) for log in chain.logs.values()]
    assert (report.intents, report.executions, report.open_intents) == (2, 2, ())
    assert report.document()["status"] == "verified"


def test_one_log_alone_holds_but_is_not_held_against_the_others(chain: ClosedChain, policy: Policy) -> None:
    report = audited(chain, policy, ["retry"])
    assert (report.violations.count, report.gaps.count, report.exit_code) == (0, 0, 2)
    assert report.unreconciled == ("delivery", "recovery")
    assert report.logs[0].unchecked_causes > 0


def _sent_unasked(forger: Forger) -> None:
    sent = forger.one("connector_delivery")
    body_id = "gordackretryexec-01a20000000000000000000000f1"
    forger.add(sent, "rcd-01a20000000000000000000000f2", sent, execution_id=body_id).forget("retry_intent")


def _sent_again_unasked(forger: Forger) -> None:
    sent = forger.one("connector_delivery")
    again = forger.add(sent, "rcd-01a20000000000000000000000e1", sent, execution_id="", permit_hash="")
    again.document["causes"] = []


def _sent_first_twice(forger: Forger) -> None:
    sent = forger.one("connector_delivery", 0)
    forger.add(sent, "rcd-01a20000000000000000000000e2", sent)


def _sent_twice(forger: Forger) -> None:
    sent = forger.one("connector_delivery")
    forger.add(sent, "rcd-01a20000000000000000000000f3", sent)


def _never_sent(forger: Forger) -> None:
    forger.pages.remove(forger.one("connector_delivery"))


def _told_otherwise(forger: Forger) -> None:
    forger.one("execution_record").set(execution_status="failed", delivery_success=False)


def _executed_without_an_intent(forger: Forger) -> None:
    forger.pages.remove(forger.one("retry_intent"))


def _one_approval_claimed_twice(forger: Forger) -> None:
    intent = forger.one("retry_intent")
    execution_id = "gordackretryexec-01a20000000000000000000000f4"
    forger.add(intent, "gordackretryintent-01a20000000000000000000000f5", intent, execution_id=execution_id)


def _a_cause_that_never_was(forger: Forger) -> None:
    for cause in forger.one("closure").document["causes"]:
        cause["id"] = "rcd-01a20000000000000000000000f6"
        cause["record_hash"] = "f" * 64


def _a_cause_that_comes_later(forger: Forger) -> None:
    forger.move(forger.one("execution_record"), forger.one("retry_ack"))


def _a_kind_of_another_log(forger: Forger) -> None:
    moved = forger.add(
        forger.one("retry_ack"), "gordackretryack-01a20000000000000000000000f7", forger.pages[-1]
    )
    moved.service = "recovery"


def _a_clock_set_back(forger: Forger) -> None:
    forger.one("closure").document["created_at"] = "2020-01-01T00:00:00.000000+00:00"


def _a_record_without_shape(forger: Forger) -> None:
    del forger.one("execution_record").body["execution_status"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_sent_unasked, "sent without an intent"),
        (_sent_again_unasked, "as attempt 3 without an execution"),
        (_sent_first_twice, "as a second attempt"),
        (_sent_twice, "a second delivery"),
        (_never_sent, "without its delivery"),
        (_told_otherwise, "told as failed"),
        (_executed_without_an_intent, "without its intent"),
        (_one_approval_claimed_twice, "2 intents on item"),
        (_one_approval_claimed_twice, "2 intents on completing decision"),
        (_a_cause_that_never_was, "expected it in the log of"),
        (_a_cause_that_comes_later, "expected an earlier record"),
        (_a_kind_of_another_log, "which this log may not hold"),
        (_a_clock_set_back, "expected a time not before the last"),
        (_a_record_without_shape, "without the shape"),
    ],
    ids=lambda value: value.__name__[1:] if callable(value) else value.replace(" ", "-"),
)
def test_what_services_sign_and_do_not_bear_out_is_a_violation(
    chain: ClosedChain, policy: Policy, change: Callable[[Forger], None], says: str
) -> None:
    report = audited(forged(chain, change), policy)
    assert any(says in one for one in report.violations.listed), report.violations.listed
    assert report.exit_code == 1


def _without_its_end(forger: Forger) -> None:
    """The last retry is sent, and never told of."""
    for noun in ("execution_record", "closure"):
        forger.pages.remove(forger.one(noun))


def beats(forger: Forger, service: str, *minutes: int) -> None:
    """The log goes on: heartbeats, so long after the one that it began with, of as many open."""
    (began,) = (page for page in forger.all("log_heartbeat") if page.service == service)
    at = datetime.fromisoformat(began.document["created_at"])
    for after in minutes:
        beat = forger.add(began, f"gordlogheartbeat-01a2000000000000000000{after:06x}", forger.pages[-1])
        beat.document["created_at"] = times.text(at + timedelta(minutes=after))
        beat.set(open_count=after)


@pytest.mark.parametrize(
    ("goes_on", "sent", "says"),
    [
        pytest.param([], True, "", id="under way"),
        pytest.param(["retry"], True, "got no execution record of", id="sent"),
        pytest.param(["delivery"], True, "got no execution record of", id="sent, and retry is silent"),
        pytest.param(["retry"], False, "got no end of", id="claimed"),
        pytest.param(["delivery"], False, "", id="claimed, and retry is silent"),
    ],
)
def test_an_intent_without_an_end_is_open_for_an_hour_and_a_violation_from_then_on(
    chain: ClosedChain, policy: Policy, goes_on: list[str], sent: bool, says: str
) -> None:
    def undone(forger: Forger) -> None:
        _without_its_end(forger)
        if not sent:
            forger.pages.remove(forger.one("connector_delivery"))
        for service in goes_on:
            beats(forger, service, 30, 62)

    report = audited(forged(chain, undone), policy)
    if says:
        (found,) = report.violations.listed
        assert (says in found, report.open_intents, report.exit_code) == (True, (), 1)
    else:
        assert (report.violations.listed, len(report.open_intents), report.exit_code) == ([], 1, 0)


def test_a_send_that_the_other_log_may_not_know_of_yet_is_not_held_against_it(
    chain: ClosedChain, policy: Policy
) -> None:
    """The retry log refuses to sign, and so ends early for all that is known."""

    def undone(forger: Forger) -> None:
        _without_its_end(forger)
        beats(forger, "delivery", 62)

    altered, audit = forged(chain, undone), Audit(policy)
    for log in altered.logs.values():
        audit.replay(log.origin, entries(log), checkpoint_of(log), settled=0)
    report = audit.report()
    assert (report.violations.listed, len(report.open_intents)) == ([], 1)


def test_a_log_that_was_silent_for_longer_than_an_hour_is_told_of_and_refutes_nothing(
    chain: ClosedChain, policy: Policy
) -> None:
    report = audited(forged(chain, lambda forger: beats(forger, "recovery", 64, 190)), policy)
    assert report.silences.count == 3, "the others are silent up to the newest record of any"
    (found,) = [
        one for one in report.silences.listed if one.startswith("cavra.local/recovery: got no heartbeat")
    ]
    assert found.endswith("expected one every 3600 seconds")
    assert (report.exit_code, report.document()["silence_count"]) == (0, 3)
    assert found in (told := report_text(report))
    assert "  190 open at its last heartbeat" in told
    assert audited(chain, policy).silences.count == 0


def test_a_log_is_to_be_heard_of_until_the_auditors_own_now(chain: ClosedChain, policy: Policy) -> None:
    audit = Audit(policy)
    for log in chain.logs.values():
        audit.replay(log.origin, entries(log), checkpoint_of(log))
    report = audit.report(datetime.now(UTC) + timedelta(minutes=66))
    assert (report.silences.count, report.exit_code) == (3, 0)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("interval_seconds", 0),
        ("interval_seconds", "3600"),
        ("open_count", -1),
        ("open_count", "many"),
        ("tree_size", 999),
    ],
)
def test_a_heartbeat_that_cannot_be_is_a_violation(
    chain: ClosedChain, policy: Policy, field: str, value: Any
) -> None:
    def told(forger: Forger) -> None:
        forger.one("log_heartbeat").body[field] = value

    (found,) = audited(forged(chain, told), policy).violations.listed
    assert "without the shape of its kind" in found


def test_no_service_gives_itself_longer_than_an_hour(chain: ClosedChain, policy: Policy) -> None:
    def slow(forger: Forger) -> None:
        for beat in forger.all("log_heartbeat"):
            beat.set(interval_seconds=10**9)
        beats(forger, "recovery", 66)

    assert audited(forged(chain, slow), policy).silences.count == 3


def test_a_loss_that_somebody_accepted_stays_a_gap(chain: ClosedChain, policy: Policy) -> None:
    def lose(forger: Forger) -> None:
        beat = forger.one("log_heartbeat")
        kind, loss_id = BY_NOUN["log_loss"], "gordlogloss-01a20000000000000000000000f8"
        page = forger.add(beat, loss_id, forger.pages[-1])
        page.document["metadata_kind"] = kind.kind
        page.document[kind.key] = {"loss_id": loss_id, "finding": "older", "signed_size": 9, "kept_size": 7}

    (found,) = audited(forged(chain, lose), policy).gaps.listed
    assert "a loss that somebody accepted (older): 9 records were signed, 7 kept" in found


def changed(chain: ClosedChain, policy: Policy, made: list[Entry]) -> Report:
    """The report on recovery's log read as `made`, under its true checkpoint."""
    audit = Audit(policy)
    audit.replay(chain.logs["recovery"].origin, made, checkpoint_of(chain.logs["recovery"]))
    return audit.report()


def test_what_a_store_lost_or_changed_is_found(chain: ClosedChain, policy: Policy) -> None:
    true = entries(chain.logs["recovery"])
    size, origin = len(true), chain.logs["recovery"].origin
    *before, (plain, playbook, _), (index, data, signature), last = true
    assert changed(chain, policy, true).violations.count == 0
    lost = changed(chain, policy, true[:-1]).gaps.listed
    assert lost == [f"{origin}: got {size - 1} records, expected {size}"]
    assert changed(chain, policy, true[1:]).gaps.listed == [f"{origin}: got record 1, expected 0"]
    other = (index, data.replace(b'"deferred"', b'"resolved"'), signature)
    kept = [*before, (plain, playbook, b"")]
    assert any("root" in one for one in changed(chain, policy, [*kept, other, last]).violations.listed)
    found = changed(chain, policy, [*kept, (index, data, bytes(64)), last]).violations.listed
    assert [one.partition(": got ")[0] for one in found] == [f"{origin} {index}"]
    assert found[0].endswith(" with a signature by no key that is good there")
    found = changed(chain, policy, [*before, (plain, playbook, bytes(64)), *true[-2:]]).violations.listed
    assert [one.partition(": got ")[0] for one in found] == [f"{origin} {plain}"]
    assert found[0].endswith(" with a signature, expected none on this kind")


@pytest.mark.parametrize("jobs", [1, 2, 3, 64])
@pytest.mark.parametrize("at_once", [1, 2, 4096])
def test_however_many_check_signatures_each_that_is_not_good_is_found(
    chain: ClosedChain, policy: Policy, jobs: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signature_checks, "_AT_ONCE", at_once)
    log = chain.logs["retry"]
    true = entries(log)
    signed = [index for index, _, signature in true if signature]
    assert len(signed) > 4
    for spoilt in ([], signed[:1], signed[-1:], signed):
        audit = Audit(policy, jobs=jobs)
        made = [(index, data, bytes(64) if index in spoilt else signature) for index, data, signature in true]
        audit.replay(log.origin, made, checkpoint_of(log))
        found = audit.report().violations.listed
        assert sorted(int(one.partition(":")[0].split()[1]) for one in found) == spoilt


def test_bytes_that_are_not_canonical_are_found_though_the_log_signed_them(
    chain: ClosedChain, policy: Policy
) -> None:
    log = chain.logs["recovery"]
    data = log.records[-1].canonical.replace(b'"decision_count":0', b'"decision_count":0.5')
    records = (*log.records[:-1], Kept(data, log.signer.sign(RECORD_TYPE, data)))
    altered = replace(chain, logs={**chain.logs, "recovery": replace(log, records=records)})
    (found,) = audited(altered, policy).violations.listed
    assert "not a safe integer" in found


def test_a_log_is_read_up_to_its_checkpoint_and_held_against_those_that_were_kept(
    chain: ClosedChain, policy: Policy
) -> None:
    log = chain.logs["recovery"]
    audit = Audit(policy)
    size = size_after(log, "playbook")
    audit.replay(log.origin, entries(log), checkpoint_of(log, size), [checkpoint_of(log, 1)])
    report = audit.report()
    assert (report.logs[0].records, report.violations.count, report.gaps.count) == (size, 0, 0)

    def otherwise(forger: Forger) -> None:
        forger.one("playbook").set(lookback_hours=25)

    rewritten = forged(chain, otherwise).logs["recovery"]
    audit = Audit(policy)
    audit.replay(log.origin, entries(rewritten), checkpoint_of(rewritten), [checkpoint_of(log, size)])
    (found,) = audit.report().violations.listed
    assert f"at {size}, expected" in found


def test_a_checkpoint_by_no_pinned_key_ends_the_replay(chain: ClosedChain, policy: Policy) -> None:
    audit = Audit(policy)
    log, other = chain.logs["recovery"], chain.logs["retry"]
    audit.replay(log.origin, entries(log), checkpoint_of(log, signer=other.signer))
    report = audit.report()
    assert (report.logs[0].tree_size, report.violations.count, report.exit_code) == (0, 1, 1)


def test_logs_that_grow_while_they_are_read_are_held_against_each_other_as_far_as_they_were(
    chain: ClosedChain, policy: Policy
) -> None:
    """Delivery is read first, and retry goes on to a send that delivery's checkpoint does not cover."""
    delivery, retry = chain.logs["delivery"], chain.logs["retry"]
    early = first(delivery, size_after(delivery, "connector_delivery", -1) - 1)
    before = size_after(retry, "execution_record", 0)

    def report(settled: int | None) -> Report:
        audit = Audit(policy)
        audit.replay(delivery.origin, entries(early), checkpoint_of(early))
        audit.replay(retry.origin, entries(retry), checkpoint_of(retry), settled=settled)
        return audit.report()

    assert (report(before).violations.listed, report(before).gaps.listed) == ([], [])
    assert report(None).violations.count == 2
