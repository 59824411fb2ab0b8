"""Which providers a playbook is about, and that it fits into a record."""

from datetime import UTC, datetime, timedelta

from cavra_evidence.draft import Actor, Cause
from cavra_evidence.ids import new_id
from cavra_evidence.log import LogState, append
from cavra_evidence.records.recovery import Playbook
from cavra_recovery.domain.playbooks import ProviderFailures, compose, select
from cavra_verify.kinds import BY_NOUN
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ACTOR = Actor("cavra-local", "oscar", "oscar")
EVERY_REASON = (
    "auth connect connector_config_not_configured destination_refused dns outcome_unknown rate_limited redirect rejected response_invalid"
    " server_error something_new timeout tls"
)


def _failures(provider: str, count: int, minutes_ago: int = 0, reasons: str = "timeout") -> ProviderFailures:
    deliveries = tuple(new_id("gordackdelivery") for _ in range(min(count, 50)))
    records = tuple(new_id("rcd") for _ in deliveries)
    return ProviderFailures(
        provider=provider,
        category="siem",
        failure_count=count,
        latest_failure_at=NOW - timedelta(minutes=minutes_ago),
        latest_failure_index=count,
        status_codes=(404, 413),
        reasons=tuple(reasons.split()),
        delivery_ids=deliveries,
        record_ids=records,
    )


def test_a_provider_below_the_threshold_is_left_out() -> None:
    selection = select([_failures("splunk", 2), _failures("jira", 1)], 2)
    assert [one.provider for one in selection.providers] == ["splunk"]
    assert (selection.provider_count, selection.failure_count) == (1, 2)


def test_providers_come_by_their_latest_failure_oldest_first() -> None:
    selection = select([_failures("b", 2, 1), _failures("a", 2, 1), _failures("c", 2, 5)], 2)
    assert [one.provider for one in selection.providers] == ["c", "a", "b"]


def test_the_latest_failure_of_every_provider_is_among_fifty_causes_and_traces() -> None:
    found = [_failures(f"provider{n}", 50) for n in range(20)]
    selection = select(found, 2)
    assert len(selection.record_ids) == len(set(selection.record_ids)) == 50
    assert {failures.record_ids[-1] for failures in found} <= set(selection.record_ids)
    assert len(selection.trace_ids) == len(set(selection.trace_ids)) == 50
    assert {failures.delivery_ids[-1] for failures in found} <= set(selection.trace_ids)


def test_an_empty_playbook_is_healthy() -> None:
    draft = compose(select([], 2), [], new_id("gordackrecovery"), 24, 2, ACTOR, NOW)
    assert isinstance(draft.record, Playbook)
    assert (draft.record.alert_level, draft.record.provider_count, draft.record.provider_playbooks) == (
        "healthy",
        0,
        [],
    )
    assert draft.record.controls == ["failure_threshold_applied"]
    assert not draft.causes
    assert not draft.trace_ids


def test_the_widest_playbook_fits_into_a_record_and_counts_what_it_leaves_out() -> None:
    found = [_failures(f"{'x' * 60}{n:04}", 60, n, EVERY_REASON) for n in range(70)]
    selection = select(found, 2)
    causes = [Cause(record, BY_NOUN["connector_delivery"].kind, "a" * 64) for record in selection.record_ids]
    draft = compose(selection, causes, new_id("gordackrecovery"), 24, 2, ACTOR, NOW)
    signer = Signer.of(Ed25519PrivateKey.generate())
    (entry,) = append(LogState(), [draft], NOW, signer, {}, {}).entries
    record = Playbook.read(entry.canonical)
    assert (record.provider_count, record.failure_count) == (70, 70 * 60)
    assert record.omitted_count == 70 - len(record.provider_playbooks) > 20
    assert record.alert_level == "critical"
