"""Whoever writes a record with free text names, among its controls, the very rules that the text was held against."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from cavra_delivery.domain import acknowledgements
from cavra_delivery.domain.audit import audit_package
from cavra_evidence.draft import Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.delivery import AuditFilters
from cavra_recovery.domain.closures import ClosureRequest, Recovery, close
from cavra_retry.domain import plans, resolutions
from cavra_retry.domain.approvals import Wording, record_decision
from cavra_retry.domain.health import acknowledge_alert
from cavra_retry.domain.items import Vote
from cavra_verify.secret_rules import SCANNED_CONTROL

from tests.support.records import MODELS
from tests.support.retries import actor, failure, item, person, plan_item

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
WORDS = ("CHG-1042", "Reviewed with the owner.")


def _notification_ack() -> Draft:
    notice = acknowledgements.Notice(new_id("gordn"), "hook", "drill-7", "", 0)
    said = acknowledgements.Said("acknowledged", *WORDS)
    return acknowledgements.acknowledge(notice, said, actor("olga"), new_id("gordack"), NOW).draft


def _audit_package() -> Draft:
    filters = AuditFilters(schedule_id="", provider="", owner="")
    draft, _ = audit_package(filters, [], [], actor("olga"), new_id("gordackaudit"), "", NOW)
    return draft


def _retry_ack() -> Draft:
    listed = plan_item(failure())
    return plans.acknowledge(new_id("gordackretryack"), listed, "accepted", *WORDS, actor("rita"), NOW)


def _approval_decision() -> Draft:
    open_item, plan = item(failure()), new_id("gordackretryapproval")
    vote = Vote("approved", person("bob"), person("sam"), open_item.digest)
    decision = new_id("gordackretryapprovaldecision")
    return record_decision(decision, plan, open_item, vote, "approved", Wording(*WORDS), actor("bob"), NOW)


def _execution_resolution() -> Draft:
    execution = resolutions.Execution(
        new_id("gordackretryexec"), failure().key, 2, person("erin"), "unknown", ""
    )
    said = resolutions.Resolution(new_id("gordackretryresolution"), "delivered", *WORDS)
    return resolutions.resolve(execution, said, actor("olga"), NOW)


def _health_alert_ack() -> Draft:
    ids = (new_id("gordackhealthack"), new_id("gordackhealthalert"), new_id("gordackhealth"))
    return acknowledge_alert(*ids, "hook", "acknowledged", WORDS, actor("olga"), NOW)


def _closure() -> Draft:
    recovery = Recovery(new_id("gordackrecovery"), "hook", "open", 1, False, NOW, 10, ())
    asked = ClosureRequest("deferred", *WORDS)
    return close(recovery, asked, [], 10, new_id("gordackrecoveryclosure"), actor("oscar"), NOW)


WRITERS: list[Callable[[], Draft]] = [
    _notification_ack,
    _audit_package,
    _retry_ack,
    _approval_decision,
    _execution_resolution,
    _health_alert_ack,
    _closure,
]


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__[1:])
def test_a_record_with_free_text_names_the_hash_of_the_rules_it_was_held_against(
    write: Callable[[], Draft],
) -> None:
    record = write().record
    assert record.KIND.noun == write.__name__[1:]
    assert {"notes_scanned", SCANNED_CONTROL} <= set(record.model_dump()["controls"])


def test_no_other_record_has_free_text() -> None:
    free = {noun for noun, model in MODELS.items() if '"notes"' in json.dumps(model.model_json_schema())}
    assert free == {write.__name__[1:] for write in WRITERS}
