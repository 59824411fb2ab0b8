"""The chain of one trace as claims look at it: the bundle's records, read, hashed, and linked by the hashes that they name."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cavra_verify.bundle import Bundle, LogPart, Shown
from cavra_verify.canonical import CanonicalError, parse
from cavra_verify.kinds import BY_KIND, Kind
from cavra_verify.merkle import leaf_hash
from cavra_verify.policy import PinnedLog, Policy
from cavra_verify.signatures import Checkpoint, SignatureError, open_checkpoint, open_sole_checkpoint

Person = tuple[str, str]
"""(iss, sub): what people are compared by."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One record of the bundle."""

    log: PinnedLog
    shown: Shown
    document: dict[str, Any]
    kind: Kind
    hash: str
    """Recomputed from the bytes, 64 hex digits."""
    of_trace: bool
    """Whether it is of the trace itself; otherwise it is there as somebody's cause."""

    @property
    def id(self) -> str:
        """The record's id."""
        return str(self.document["session_id"])

    @property
    def index(self) -> int:
        """Where it stands in its log."""
        return self.shown.index

    @property
    def body(self) -> dict[str, Any]:
        """The full record."""
        body: dict[str, Any] = self.document[self.kind.key]
        return body

    @property
    def person(self) -> Person:
        """Who acted."""
        actor = self.document["actor"]
        return actor["iss"], actor["sub"]

    def before(self, other: "Item") -> bool:
        """Whether it stands before another record of the same log."""
        return self.log is other.log and self.index < other.index

    def __str__(self) -> str:
        return f"{self.kind.noun} {self.id}"


@dataclass(frozen=True, slots=True)
class Unread:
    """A record whose bytes say nothing that could be relied on."""

    origin: str
    index: int
    why: str


@dataclass(slots=True)
class Chain:
    """All that claims are decided on."""

    bundle: Bundle
    policy: Policy
    since: Sequence[str]
    """Signed notes of earlier heads that the auditor kept."""
    parts: list[tuple[LogPart, PinnedLog]]
    heads: Mapping[str, Checkpoint | SignatureError]
    """By origin: the log's head, or why its checkpoint counts for nothing."""
    items: list[Item]
    """By log, then by index."""
    unread: list[Unread]
    _by_hash: dict[str, Item] = field(default_factory=dict)
    _by_noun: dict[str, list[Item]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for item in self.items:
            self._by_hash[item.hash] = item
            if item.of_trace:
                self._by_noun[item.kind.noun].append(item)

    def of(self, noun: str) -> Sequence[Item]:
        """The trace's own records of a kind, in log order."""
        return self._by_noun.get(noun, ())

    def cause(self, named: dict[str, Any]) -> Item | None:
        """The record that an entry of some record's causes names; None where the bundle has no such bytes."""
        found = self._by_hash.get(named["record_hash"])
        if found is None or found.id != named["id"] or found.kind.kind != named["kind"]:
            return None
        return found

    def causes(self, item: Item, noun: str = "") -> list[Item]:
        """The records that `item` rests on, of one kind or of all."""
        found = (self.cause(named) for named in item.document["causes"])
        return [one for one in found if one is not None and noun in ("", one.kind.noun)]

    def ancestors(self, item: Item) -> Iterator[Item]:
        """All that `item` rests on, as far as the bundle shows it, each once."""
        seen, waiting = {item.hash}, [item]
        while waiting:
            for cause in self.causes(waiting.pop()):
                if cause.hash not in seen:
                    seen.add(cause.hash)
                    waiting.append(cause)
                    yield cause


def chain_of(bundle: Bundle, policy: Policy, since: Sequence[str]) -> Chain:
    """The chain in a bundle. Logs that the policy does not pin are left out."""
    parts = [(part, policy.logs[part.origin]) for part in bundle.logs if part.origin in policy.logs]
    heads = {log.origin: _head(part, log) for part, log in parts}
    items: list[Item] = []
    unread: list[Unread] = []
    for part, log in parts:
        for shown in part.records:
            try:
                items.append(_item(log, shown, bundle.trace_id))
            except (CanonicalError, KeyError, TypeError, AttributeError) as error:
                why = str(error) if isinstance(error, CanonicalError) else "got no envelope of a known kind"
                unread.append(Unread(part.origin, shown.index, why))
    return Chain(bundle, policy, since, parts, heads, items, unread)


def _head(part: LogPart, log: PinnedLog) -> Checkpoint | SignatureError:
    try:
        return opened(part.checkpoint, log, open_sole_checkpoint)
    except SignatureError as error:
        return error


def opened(
    note: str, log: PinnedLog, how: Callable[[str, str, bytes], Checkpoint] = open_checkpoint
) -> Checkpoint:
    """The head in a signed note, if a key that is pinned for it signed it. Raises SignatureError."""
    reason = "got a checkpoint of a log without keys"
    for at, key in enumerate(log.keys):
        try:
            head = how(note, log.origin, key.public)
        except SignatureError as error:
            reason = reason if at else str(error)
            continue
        if key.revoked:
            raise SignatureError(f"got a checkpoint by key {key.key_id}, which is revoked: {key.revoked}")
        if key.signs_checkpoint(head.size):
            return head
        raise SignatureError(f"got a checkpoint of size {head.size} by key {key.key_id}, not good for that")
    raise SignatureError(reason)


def _item(log: PinnedLog, shown: Shown, trace_id: str) -> Item:
    document = parse(shown.canonical)
    kind = BY_KIND[document["metadata_kind"]]
    # What every claim reaches for without asking: a record that lacks it is no record.
    document[kind.key].keys(), document["session_id"].isascii(), document["chains"].keys()
    actor = document["actor"]
    (actor["iss"], actor["sub"], actor["name"])
    for cause in document["causes"]:
        hash((cause["id"], cause["kind"], cause["record_hash"]))
    of_trace = trace_id in document["trace_ids"]
    return Item(log, shown, document, kind, leaf_hash(shown.canonical).hex(), of_trace)
