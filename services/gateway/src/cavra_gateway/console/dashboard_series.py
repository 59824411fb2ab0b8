"""What the charts show, out of counts and records, as plain numbers: no reads here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cavra_evidence.times import moment
from cavra_verify.kinds import BY_KIND

from cavra_gateway.records import Json

RANGES: Final = {1: 3600, 7: 6 * 3600, 30: 86_400, 90: 3 * 86_400}
"""Days that can be looked at -> seconds of one bucket."""

AGES: Final = (
    ("under a day", 1.0),
    ("1 to 3 days", 3.0),
    ("3 to 7 days", 7.0),
    ("over 7 days", float("inf")),
)
"""Name of an age -> days below which it is."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time: from its start until before its end."""

    start: datetime
    end: datetime


def buckets(days: int, now: datetime) -> list[Bucket]:
    """The stretches of the last `days` (one of RANGES), oldest first, at multiples of their width in UTC; the last one holds `now`."""
    width = RANGES[days]
    last = int(now.timestamp()) // width * width
    count = days * 86_400 // width
    starts = [datetime.fromtimestamp(last - width * back, UTC) for back in reversed(range(count))]
    return [Bucket(start, start + timedelta(seconds=width)) for start in starts]


def rate(good: int, bad: int) -> float | None:
    """The share of good ones, 0 to 1; None of none."""
    return round(good / (good + bad), 4) if good + bad else None


def by_provider(deliveries: Sequence[Json]) -> list[dict[str, Any]]:
    """Of connector deliveries, per provider: how many were taken, how many failed, and of what, most failures first."""
    sent: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    for envelope in deliveries:
        for one in envelope[BY_KIND[envelope["metadata_kind"]].key]["deliveries"]:
            provider = one["provider"]
            sent[provider] += 1
            failed = reasons.setdefault(provider, Counter())
            if not one["success"]:
                failed[_reason(one)] += 1
    return [
        {
            "provider": provider,
            "delivered": sent[provider] - reasons[provider].total(),
            "failed": reasons[provider].total(),
            "rate": rate(sent[provider] - reasons[provider].total(), reasons[provider].total()),
            "reasons": dict(reasons[provider].most_common(8)),
        }
        for provider in sorted(sent, key=lambda name: (-reasons[name].total(), name))
    ]


def _reason(one: Mapping[str, Any]) -> str:
    status = one.get("status_code")
    why = str(one.get("error") or "no answer").replace("_", " ")
    return f"{status} {why}" if status else why


def closings(closures: Sequence[Json], playbooks: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Per closure that closed something: when, and hours since the provider's last failure that its playbook knew of; oldest first."""
    found = []
    for envelope in closures:
        body = envelope["connector_recovery_closure"]
        playbook = playbooks.get(body["playbook_id"], {}).get("connector_recovery_playbook", {})
        failed = [
            one["latest_failure_at"]
            for one in playbook.get("provider_playbooks", ())
            if one["provider"] == body["provider"] and one["latest_failure_at"]
        ]
        if failed and body["closure_state"] in ("resolved", "mitigated"):
            at = moment(body["closed_at"])
            hours = (at - moment(failed[0])).total_seconds() / 3600
            found.append(
                {"at": int(at.timestamp()), "hours": round(max(0.0, hours), 3), "provider": body["provider"]}
            )
    return sorted(found, key=lambda one: one["at"])


def middle(values: Sequence[float]) -> float | None:
    """The median; None of none."""
    ordered = sorted(values)
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else round((ordered[half - 1] + ordered[half]) / 2, 3)


def ages(failed_at: Sequence[datetime], now: datetime) -> dict[str, int]:
    """How many open recoveries are how old, by AGES."""
    found = dict.fromkeys((name for name, _ in AGES), 0)
    for at in failed_at:
        days = (now - at).total_seconds() / 86_400
        found[next(name for name, below in AGES if days < below)] += 1
    return found
