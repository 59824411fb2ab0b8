"""How often one subject may ask, and one address may fail to say who it is; and how often that happened."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from cavra_evidence.draft import Actor
from cavra_service.errors import Refused
from prometheus_client import CollectorRegistry, Counter, generate_latest

from cavra_gateway.settings import GatewaySettings

_MOST_KEYS: Final = 10_000
"""Callers that are remembered at once; who is forgotten begins anew."""


class Buckets:
    """A token bucket for each key: `burst` at once, then `per_second`. 0 per second limits nothing."""

    def __init__(self, per_second: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_second
        self._burst = float(burst)
        self._clock = clock
        self._levels: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def empty(self, key: object) -> bool:
        """Whether nothing is left to take."""
        return bool(self._rate) and self._level(key) < 1

    def take(self, key: object) -> bool:
        """Take one; False, and nothing taken, when none is left."""
        if not self._rate:
            return True
        level = self._level(key)
        if level < 1:
            return False
        self._levels[key] = (level - 1, self._clock())
        self._levels.move_to_end(key)
        if len(self._levels) > _MOST_KEYS:
            self._levels.popitem(last=False)
        return True

    def _level(self, key: object) -> float:
        level, at = self._levels.get(key, (self._burst, 0.0))
        return min(self._burst, level + (self._clock() - at) * self._rate)


class Limits:
    """The limits of one gateway, and its counters."""

    def __init__(self, settings: GatewaySettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._subjects = Buckets(settings.rate_limit_per_second, settings.rate_limit_burst, clock)
        self._failures = Buckets(
            settings.failed_logins_per_second, 10 * settings.failed_logins_per_second, clock
        )
        self._registry = CollectorRegistry()
        self._failed = Counter(
            "cavra_gateway_authentication_failures",
            "Requests whose caller could not be named, by reason.",
            ["reason"],
            registry=self._registry,
        )
        self._limited = Counter(
            "cavra_gateway_limited_requests",
            "Requests refused with 429, by what was over its limit: a subject, or an address with failed logins.",
            ["limit"],
            registry=self._registry,
        )
        for reason in ("unauthenticated", "invalid_token"):
            self._failed.labels(reason)
        for limit in ("subject", "address"):
            self._limited.labels(limit)

    def admit(self, actor: Actor) -> None:
        """Count a request of `actor`. Raises Refused `resource_exhausted` when it is one too many."""
        if not self._subjects.take(actor.key):
            self._limited.labels("subject").inc()
            raise Refused("resource_exhausted", "more requests of this subject than the installation allows")

    def may_try(self, address: str) -> None:
        """Raises Refused `resource_exhausted` for an address that failed too often to have a further token looked at."""
        if self._failures.empty(_network(address)):
            self._limited.labels("address").inc()
            raise Refused("resource_exhausted", "too many bad tokens came from this address")

    def failed(self, address: str, reason: str) -> None:
        """Count a caller that could not be named. Who has no token does not guess at one, and is only counted."""
        self._failed.labels(reason).inc()
        if reason == "invalid_token":
            self._failures.take(_network(address))

    def metrics(self) -> bytes:
        """The counters, in Prometheus' text format."""
        return generate_latest(self._registry)


def _network(address: str) -> str:
    """Whom an address stands for: an IPv6 subscriber has a /64 to choose from."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address
