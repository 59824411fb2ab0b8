"""What a playbook says: which providers failed often enough, and how to recover each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, zip_longest
from typing import Final, cast

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.recovery import Playbook, ProviderPlaybook
from cavra_evidence.times import text
from cavra_verify.canonical import canonical
from cavra_verify.grammar import BOUNDS

from cavra_recovery.domain.steps import recovery_steps

ITEMS_BYTES: Final = 26 * 1024
"""Room for the providers of one playbook: with 50 causes and 50 traces the record stays below 48 KiB."""

BOUNDARY: Final = "Credentials, private addresses and answers of this connector stay with the delivery service; none is in this playbook."


@dataclass(frozen=True, slots=True)
class ProviderFailures:
    """Failed connector deliveries of one provider, as delivery counts them."""

    provider: str
    category: str
    """siem, itsm, chatops or webhook."""
    failure_count: int
    latest_failure_at: datetime
    latest_failure_index: int
    """Index in delivery's log of the newest failed record."""
    status_codes: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    delivery_ids: tuple[str, ...] = ()
    """Original deliveries concerned, oldest first."""
    record_ids: tuple[str, ...] = ()
    """Failed connector deliveries, oldest first."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The providers that a playbook is about."""

    items: tuple[tuple[ProviderFailures, ProviderPlaybook], ...]
    """Those that the record has room for, by their latest failure, oldest first."""
    provider_count: int
    """All that failed often enough."""
    failure_count: int
    """Failures of all of them."""

    @property
    def providers(self) -> tuple[ProviderFailures, ...]:
        """The failures of the providers that the record names."""
        return tuple(failures for failures, _ in self.items)

    @property
    def record_ids(self) -> list[str]:
        """The failed records that the playbook rests on: the latest of every provider, then the others, 50 in all."""
        return _newest_of_each([failures.record_ids for failures in self.providers])

    @property
    def trace_ids(self) -> tuple[str, ...]:
        """The deliveries that the playbook is about: the latest of every provider, then the others, 50 in all."""
        return tuple(_newest_of_each([failures.delivery_ids for failures in self.providers]))


def select(found: Sequence[ProviderFailures], min_failure_count: int) -> Selection:
    """The providers with at least `min_failure_count` failures, and how to recover each."""
    chosen = sorted(
        (failures for failures in found if failures.failure_count >= min_failure_count),
        key=lambda failures: (failures.latest_failure_at, failures.provider),
    )
    items: list[tuple[ProviderFailures, ProviderPlaybook]] = []
    room = ITEMS_BYTES
    for failures in chosen[: BOUNDS["items"]]:
        item = _provider_playbook(failures)
        room -= len(canonical(item.model_dump())) + 1
        if room < 0:
            break
        items.append((failures, item))
    return Selection(tuple(items), len(chosen), sum(failures.failure_count for failures in chosen))


def compose(
    selection: Selection,
    causes: Sequence[Cause],
    playbook_id: str,
    lookback_hours: int,
    min_failure_count: int,
    actor: Actor,
    now: datetime,
) -> Draft:
    """The playbook's record. `causes` are the failed deliveries it rests on; an empty one rests on nothing and is recorded too."""
    record = Playbook(
        playbook_id=playbook_id,
        generated_at=text(now),
        generated_by=actor.name,
        alert_level="critical" if selection.items else "healthy",
        lookback_hours=lookback_hours,
        min_failure_count=min_failure_count,
        provider_count=selection.provider_count,
        failure_count=selection.failure_count,
        omitted_count=selection.provider_count - len(selection.items),
        provider_playbooks=[item for _, item in selection.items],
        controls=["failure_threshold_applied", *(["failure_records_hashed"] if causes else [])],
    )
    return Draft(record, actor, tuple(causes), selection.trace_ids)


def _provider_playbook(failures: ProviderFailures) -> ProviderPlaybook:
    return ProviderPlaybook.model_validate(
        {
            "provider": failures.provider,
            "category": failures.category,
            "failure_count": failures.failure_count,
            "latest_failure_at": text(failures.latest_failure_at),
            "status_codes": list(failures.status_codes),
            "reasons": list(failures.reasons),
            "recovery_steps": recovery_steps(failures.category, failures.reasons, failures.status_codes),
            "private_connector_boundary": BOUNDARY,
        }
    )


def _newest_of_each(lists: Sequence[Sequence[str]]) -> list[str]:
    """Up to 50 ids taken from the end of each list in turn, without repetition."""
    in_turn = chain.from_iterable(zip_longest(*(reversed(ids) for ids in lists)))
    found = dict.fromkeys(cast("str", one) for one in in_turn if one is not None)
    return list(found)[: BOUNDS["items"]]
