"""Causal order: what a record rests on stands before it."""

import heapq
from collections.abc import Mapping, Sequence

from cavra_gateway.domain.merge import Key


def causal_order(keys: Mapping[str, Key], causes: Mapping[str, Sequence[str]]) -> list[str]:
    """The ids of `keys`, each after those of its causes that are among them, and otherwise oldest first.

    Clocks of several services decide nothing that the causes decide. Honest records have no cycle; should forged ones have one, what is
    in it, or rests on it, comes last in order of keys.
    """
    waiting_for = {name: {cause for cause in causes.get(name, ()) if cause in keys} for name in keys}
    effects: dict[str, list[str]] = {}
    for name, named in waiting_for.items():
        for cause in named:
            effects.setdefault(cause, []).append(name)
    ready = [(keys[name], name) for name, named in waiting_for.items() if not named]
    heapq.heapify(ready)
    ordered: list[str] = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(name)
        for effect in effects.get(name, ()):
            waiting_for[effect].discard(name)
            if not waiting_for[effect]:
                heapq.heappush(ready, (keys[effect], effect))
    placed = set(ordered)
    return ordered + sorted((name for name in keys if name not in placed), key=lambda name: keys[name])
