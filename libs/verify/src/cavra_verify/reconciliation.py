"""What whole logs say of the same retries, held against each other: intents, sends, and what is told of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

GRACE: Final = timedelta(hours=1)
"""How long an execution may be without its end, by the times of the logs: permits end, and services look again, long before."""
_MOST_LISTED: Final = 200


@dataclass(slots=True)
class Findings:
    """What speaks against the logs: the first ones by text, all by number."""

    count: int = 0
    listed: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        """One more."""
        self.count += 1
        if len(self.listed) < _MOST_LISTED:
            self.listed.append(text)


def moment(text: str) -> datetime:
    """A record's time. Raises ValueError for any that no other could be compared with."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"got a time without an offset, {text:.40}")
    return found


@dataclass(frozen=True, slots=True)
class _Intent:
    item_digest: str
    decision_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class _Send:
    delivery_id: str
    """Of the record."""
    outcome: str
    at: datetime


class Reconciliation:
    """Takes the records of retries, from whichever log, and in the end holds them against each other."""

    def __init__(self, violations: Findings) -> None:
        self._violations = violations
        self.intents: dict[str, _Intent] = {}
        """By execution."""
        self.executions: dict[str, tuple[str, str]] = {}
        """Execution -> (status, delivery)."""
        self.open_intents: list[str] = []
        """Executions that were begun a short time before the heads, and have no end up to them."""
        self._unsettled: set[str] = set()
        """Executions, sent or told of, of which another log may not know yet."""
        self._sent: dict[str, _Send] = {}
        """By execution."""
        self._attempts: set[str] = set()

    def intent(self, document: Mapping[str, Any], where: str, settled: bool) -> None:
        """An intent of the retry log; `settled` as in the others: whether other logs are to know of it by now."""
        body = document["retry_intent"]
        if body["execution_id"] in self.intents:
            self._violations.add(f"{where}: got a second intent of {body['execution_id']}")
        intent = _Intent(body["item_digest"], body["approval_decision_id"], moment(document["created_at"]))
        hash(intent)  # Texts, as they have to be: they are counted in the end.
        self.intents[body["execution_id"]] = intent

    def execution(self, document: Mapping[str, Any], where: str, settled: bool) -> None:
        """An execution record of the retry log."""
        body = document["retry_execution_record"]
        if body["execution_id"] in self.executions:
            self._violations.add(f"{where}: got a second record of {body['execution_id']}")
        if not settled:
            self._unsettled.add(body["execution_id"])
        self.executions[body["execution_id"]] = (body["execution_status"], body["delivery_metadata_id"])

    def delivery(self, document: Mapping[str, Any], where: str, settled: bool) -> None:
        """Any delivery of delivery's log: only a first send needs no execution, and no attempt is made twice."""
        body = document["delivery"]
        execution_id, record_id = body["execution_id"], body["session_id"]
        place = f"{document.get('delivery_id', '')}/{document.get('audit_id', '')}"
        for part in body["deliveries"]:
            attempt = part["attempt_number"]
            if not execution_id and attempt != 1:
                self._violations.add(
                    f"{where}: got {record_id} as attempt {attempt!r:.20} without an execution, expected an approval for it"
                )
            key = f"{place}/{part['provider']}/{attempt}"
            if place != "/" and key in self._attempts:
                self._violations.add(f"{where}: got {record_id} as a second attempt {key}")
            self._attempts.add(key)
        if not execution_id:
            return
        if execution_id in self._sent:
            self._violations.add(f"{where}: got a second delivery of {execution_id}")
        if not settled:
            self._unsettled.add(execution_id)
        outcome, at = body["deliveries"][0]["outcome"], moment(document["created_at"])
        self._sent[execution_id] = _Send(record_id, outcome, at)

    def reconcile(self, ends: Mapping[str, datetime]) -> None:
        """Every approval has one claim at most, every execution its intent, every intent its end; every retry sent its execution
        record, and the reverse. `ends`: when each service's log, as far as it was replayed, was last written."""
        if "retry" not in ends:
            return
        for what, values in (
            ("item", [intent.item_digest for intent in self.intents.values()]),
            ("completing decision", [intent.decision_id for intent in self.intents.values()]),
        ):
            for value, times in Counter(values).items():
                if times > 1:
                    self._violations.add(f"retry: got {times} intents on {what} {value}, expected one")
        for execution_id in self.executions.keys() - self.intents.keys():
            self._violations.add(f"retry: got execution {execution_id} without its intent")
        if "delivery" in ends:
            self._reconcile_sends()
        for execution_id, intent in self.intents.items():
            if execution_id not in self.executions:
                self._unended(execution_id, intent, ends)

    def _reconcile_sends(self) -> None:
        for execution_id, sent in self._sent.items():
            if execution_id not in self.intents and execution_id not in self._unsettled:
                self._violations.add(
                    f"delivery: got {sent.delivery_id} sent without an intent of {execution_id}"
                )
            told = self.executions.get(execution_id)
            if told is not None and told != (sent.outcome, sent.delivery_id):
                self._violations.add(
                    f"retry: got {execution_id} told as {told[0]}, expected {sent.outcome}, as {sent.delivery_id} says"
                )
        for execution_id, (status, delivery_id) in self.executions.items():
            if delivery_id and execution_id not in self._sent and execution_id not in self._unsettled:
                self._violations.add(f"retry: got {execution_id} {status} without its delivery {delivery_id}")

    def _unended(self, execution_id: str, intent: _Intent, ends: Mapping[str, datetime]) -> None:
        """An execution without its record: under way if it was begun just now, and else a violation.

        How long ago says the retry log itself; of one that was sent, any log does: a retry service that is silent since is no excuse.
        """
        sent = None if execution_id in self._unsettled else self._sent.get(execution_id)
        if sent is not None and (waited := max(ends.values()) - sent.at) > GRACE:
            self._violations.add(
                f"retry: got no execution record of {execution_id}, which {sent.delivery_id} sent, for {_told(waited)}, expected"
                f" one within {_told(GRACE)}"
            )
        elif ends["retry"] - intent.at > GRACE:
            self._violations.add(
                f"retry: got no end of {execution_id} for {_told(ends['retry'] - intent.at)}, expected one within {_told(GRACE)}"
            )
        else:
            self.open_intents.append(execution_id)


def _told(time: timedelta) -> str:
    return f"{time.total_seconds() / 60:.0f} minutes"
