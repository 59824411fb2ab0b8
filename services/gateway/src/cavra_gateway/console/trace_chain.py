"""A chain as the trace page shows it: its records, what they rest on outside of it, what is missing, and the picture of all that."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_verify.kinds import BY_KIND, kind_of_id

from cavra_gateway.console.trace_layout import COLUMNS, Arrow, Box, Fact, Picture, layout
from cavra_gateway.console.trace_states import State, actor_of, provider_of, state_of
from cavra_gateway.history import history
from cavra_gateway.queries import HistoryQuery
from cavra_gateway.records import Json
from cavra_gateway.session import Session

MOST: Final = 500
"""Records of one picture; of a longer chain the oldest."""

_MOST_OUTSIDE: Final = 500
"""Causes outside of the chain that are looked for."""

_PLACES: Final = {
    "outside": State("belongs to another trace"),
    "missing": State("missing: its log holds no such record", "bad"),
    "unasked": State("not known: its service is down", "warn"),
}
"""Where a cause is that is not in the chain -> what is said of it."""


@dataclass(frozen=True, slots=True)
class Node:
    """One record of the picture, or what stands in its place."""

    id: str
    title: str
    """Its kind's short name."""
    state: State
    log: str
    place: str
    """chain, or why it is not in it: outside, missing, unasked."""
    provider: str = ""
    actor: str = ""
    at: str = ""
    """When it was recorded, as the record says it."""
    causes: tuple[str, ...] = ()
    number: int = 0
    """From 1, in causal order; 0 outside of the chain."""


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow, and whether the hash by which the record names its cause is the one that its cause has."""

    arrow: Arrow
    holds: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """What the page shows."""

    asked: str
    nodes: tuple[Node, ...]
    total: int
    """Records of the chain; more than are shown in a long one."""
    trace_ids: tuple[str, ...]
    sources: Mapping[str, str]
    gaps: tuple[str, ...]
    """What is known to be missing, in words."""
    picture: Picture
    boxes: Mapping[str, Box]
    links: tuple[Link, ...]
    shown: int = 0
    """Records that are in the picture."""
    documents: Mapping[str, Json] = field(default_factory=dict)

    @property
    def down(self) -> list[str]:
        """Services that could not be asked."""
        return [name for name in COLUMNS if self.sources.get(name) != "ok"]

    @property
    def numbers(self) -> dict[str, int]:
        """Number of each record of the chain, by id."""
        return {node.id: node.number for node in self.nodes if node.number}


async def chain_of(session: Session, record_id: str) -> Chain:
    """The chain of a record: those that share a trace with it. Empty for an unknown id. Raises Refused when no service answers."""
    document = await history(session, HistoryQuery(trace=record_id, limit=MOST))
    items: list[Json] = document["items"]
    nodes = [_node(item, number) for number, item in enumerate(items, 1)]
    known = {node.id for node in nodes}
    named = {cause["id"]: cause for item in items for cause in item["causes"] if cause["id"] not in known}
    found, asked = await _outside(session, list(named)[:_MOST_OUTSIDE])
    placed = _with_outside(nodes, {name: _ghost(name, found, asked) for name in asked})
    hashes = {item["session_id"]: item["record_hash"] for item in items} | found
    whole = document["total"] == len(items)
    return _drawn(
        Chain(
            asked=record_id,
            nodes=tuple(placed),
            total=document["total"],
            trace_ids=tuple(document["trace_ids"]),
            sources=document["sources"],
            gaps=tuple(_gaps(items, document["trace_ids"], document["sources"])) if whole else (),
            picture=layout([Fact(node.id, node.log, node.causes) for node in placed]),
            boxes={},
            links=(),
            shown=len(items),
            documents={item["session_id"]: item for item in items},
        ),
        hashes,
    )


def _drawn(chain: Chain, hashes: Mapping[str, str]) -> Chain:
    stated = {
        (cause["id"], item["session_id"]): cause["record_hash"]
        for item in chain.documents.values()
        for cause in item["causes"]
    }
    links = [
        Link(
            arrow,
            hashes.get(arrow.source, stated[arrow.source, arrow.target])
            == stated[arrow.source, arrow.target],
        )
        for arrow in chain.picture.arrows
    ]
    names = {field: getattr(chain, field) for field in Chain.__slots__}
    return Chain(**{**names, "boxes": {box.id: box for box in chain.picture.boxes}, "links": tuple(links)})


def _node(item: Json, number: int) -> Node:
    kind = BY_KIND[item["metadata_kind"]]
    return Node(
        id=item["session_id"],
        title=kind.noun.replace("_", " "),
        state=state_of(item),
        log=kind.log or item["log"]["origin"].rpartition("/")[2],
        place="chain",
        provider=provider_of(item),
        actor=actor_of(item),
        at=item["created_at"],
        causes=tuple(cause["id"] for cause in item["causes"]),
        number=number,
    )


def _ghost(name: str, found: Mapping[str, str], asked: Mapping[str, bool]) -> Node:
    kind = kind_of_id(name)
    place = "outside" if name in found else "missing" if asked[name] else "unasked"
    title = kind.noun.replace("_", " ") if kind else "record"
    return Node(name, title, _PLACES[place], kind.log if kind else "", place)


async def _outside(session: Session, ids: Sequence[str]) -> tuple[dict[str, str], dict[str, bool]]:
    """Of records that are not in the chain: (hash of each that its log holds, for each whether all logs that could hold it were asked)."""
    by_log: dict[str, list[str]] = defaultdict(list)
    for name in ids:
        kind = kind_of_id(name)
        for log in [kind.log] if kind and kind.log else COLUMNS:
            by_log[log].append(name)
    answers = await asyncio.gather(*(_batch(session, log, names) for log, names in by_log.items()))
    found: dict[str, str] = {}
    asked = dict.fromkeys(ids, True)
    for (_, names), answer in zip(by_log.items(), answers, strict=True):
        if answer is None:
            asked.update(dict.fromkeys(names, False))
        else:
            found |= {record.id: record.record_hash.hex() for record in answer.records}
    return found, asked


async def _batch(session: Session, log: str, ids: Sequence[str]) -> Any:
    return await session.read(session.services.logs[log].BatchGetRecords, pb.BatchGetRecordsRequest(ids=ids))


def _with_outside(nodes: Sequence[Node], ghosts: Mapping[str, Node]) -> list[Node]:
    """The chain with each cause from outside in the row above the first record that names it."""
    placed: dict[str, Node] = {}
    for node in nodes:
        for cause in node.causes:
            if cause in ghosts:
                placed.setdefault(cause, ghosts[cause])
        placed[node.id] = node
    return list(placed.values())


def _gaps(items: Sequence[Json], trace_ids: Sequence[str], sources: Mapping[str, str]) -> list[str]:
    """Places in the chain that each log numbers for a trace at which nothing stands."""
    places: dict[tuple[str, str], set[int]] = defaultdict(set)
    for item in items:
        log = item["log"]["origin"].rpartition("/")[2]
        for trace in set(trace_ids) & item["chains"].keys():
            places[log, trace].add(item["chains"][trace]["seq"])
    said = []
    for (log, trace), seen in sorted(places.items()):
        lacking = sorted(set(range(max(seen) + 1)) - seen)
        if lacking and sources.get(log) == "ok":
            numbers = ", ".join(str(one + 1) for one in lacking[:10])
            word = "number" if len(lacking) == 1 else "numbers"
            said.append(f"The {log} log lacks {word} {numbers} of its records of {trace}.")
    return said
