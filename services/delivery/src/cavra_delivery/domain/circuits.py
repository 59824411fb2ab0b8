"""The circuit of a connector: nothing is sent to a receiver that fails again and again, until one send has found it well.

closed --failures in a row--> open --time--> half-open --delivered--> closed | --failed--> open
closed --receiver says that it is gone--> open --another destination--> closed
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

CIRCUIT_OPEN: Final = "connector_circuit_open"
RECEIVER_GONE: Final = "receiver_gone"
"""Why a circuit is open that no time closes."""

State = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class CircuitRule:
    """When a circuit opens, and for how long."""

    failures: int = 10
    """So many in a row open it; 0: it never opens."""
    open_seconds: int = 60
    """Until one send probes the receiver."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """What a connector's last sends came to. All of it is kept: a restart forgets nothing."""

    failures: int = 0
    """In a row."""
    opened_at: datetime | None = None
    gone: str = ""
    """The destination that said that it is gone for good, as its fingerprint: time alone brings none back."""

    def at(self, destination: str) -> "Circuit":
        """As it is for a destination: what another one said is no concern of it."""
        return self if self.gone in ("", destination) else Circuit()

    def state(self, rule: CircuitRule, now: datetime) -> State:
        """Whether anything is sent: all, nothing, or one probe."""
        if self.opened_at is None or not rule.failures:
            return "closed"
        if self.gone:
            return "open"
        return "open" if now < self.opened_at + timedelta(seconds=rule.open_seconds) else "half_open"


def answered(circuit: Circuit, rule: CircuitRule, delivered: bool, now: datetime, gone: str = "") -> Circuit:
    """After a send that reached for the receiver. One that began before the circuit opened does not keep it open for longer.

    `gone`: the destination, where it said so.
    """
    if delivered:
        return Circuit()
    if gone:
        return Circuit(circuit.failures + 1, now, gone)
    failed = replace(circuit, failures=circuit.failures + 1)
    if rule.failures and failed.failures >= rule.failures and circuit.state(rule, now) != "open":
        return replace(failed, opened_at=now)
    return failed
