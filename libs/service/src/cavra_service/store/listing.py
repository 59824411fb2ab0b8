"""Pages of records by filters: one query for each number of filters, made once from two fragments."""

from cavra_evidence.index import COUNTED, FILTERS

from cavra_service.store.protocol import Row, Store

WINDOW = 20_000
"""Most index entries that one page may pass over: a page of a rare combination is short rather than slow."""

COUNT_LIMIT = 10_000
"""Up to here a total of several filters is exact, if their rarest has no more entries than COUNT_WINDOW."""

COUNT_WINDOW = 50_000
"""Most index entries that a total of several filters may pass over."""

_COLUMNS = "r.idx, r.id, r.kind, r.created_at, r.canonical, r.record_hash, r.signature, r.key_id"
_KEYS = "r.idx, r.id, r.kind, r.created_at, '' AS canonical, r.record_hash, '' AS signature, '' AS key_id"
_DRIVER = (
    "SELECT idx FROM terms WHERE name = :name0 AND value = :value0 AND idx < :before AND idx >= :first"
    " ORDER BY idx DESC LIMIT :window"
)
_ALSO = (
    " AND EXISTS (SELECT 1 FROM terms t WHERE t.name = :name{n} AND t.value = :value{n} AND t.idx = w.idx)"
)
# The index is read in its own order and left as soon as a page is full: nothing is gathered first, nothing is sorted.
_MATCHING = (
    "FROM terms w JOIN records r ON r.idx = w.idx"
    " WHERE w.name = :name0 AND w.value = :value0 AND w.idx < :before AND w.idx >= :first{also} ORDER BY w.idx DESC LIMIT :limit"
)
_WITHIN_WINDOW = (
    " AND w.idx >= COALESCE((SELECT idx FROM terms WHERE name = :name0 AND value = :value0 AND idx < :before AND idx >= :first"
    " ORDER BY idx DESC LIMIT 1 OFFSET :window - 1), 0)"
)

_ALL = 2**62
"""Beyond every index."""

Terms = list[tuple[str, str]]


def listing_blocks() -> dict[str, str]:
    """Named blocks `list_N`, `list_keys_N`, `count_N` for N filters, and `list_window`."""
    found = {"list_window": f"SELECT count(*) AS n, min(idx) AS last FROM ({_DRIVER}) w"}  # noqa: S608 fragments alone, no values
    for size in range(1, len(FILTERS) + 1):
        also = "".join(_ALSO.format(n=n) for n in range(1, size))
        matching = _MATCHING.format(also=_WITHIN_WINDOW + also if also else "")
        found[f"list_{size}"] = f"SELECT {_COLUMNS} {matching}"
        found[f"list_keys_{size}"] = f"SELECT {_KEYS} {matching}"
        found[f"count_{size}"] = (
            f"SELECT count(*) AS n FROM (SELECT 1 FROM ({_DRIVER}) w WHERE 1 = 1{also} LIMIT :limit) c"  # noqa: S608 as above
        )
    return found


async def rarest_first(store: Store, filters: Terms) -> Terms:
    """The filters with the rarest in front, where it drives the query. No filter stands for all of history."""
    if not filters:
        return [("history", "all")]
    if len(filters) == 1:
        return filters
    sizes = {term: await _counter(store, term) if term[0] in COUNTED else 0 for term in filters}
    return sorted(filters, key=lambda term: sizes[term])


async def page(
    store: Store, filters: Terms, *, first: int, before: int, limit: int, keys_only: bool
) -> tuple[list[Row], int | None]:
    """Up to `limit` records with first <= index < before that match all of `filters` (rarest first), newest first, and below
    which index the next page starts (None: there is no more)."""
    bounds = {"first": first, "before": before, "window": WINDOW}
    query = f"list_keys_{len(filters)}" if keys_only else f"list_{len(filters)}"
    rows = list(await store.rows(query, **_params(filters), **bounds, limit=limit))
    if len(rows) == limit:
        return rows, rows[-1]["idx"]
    if len(filters) > 1:
        window = await store.row("list_window", **_params(filters[:1]), **bounds)
        if window is not None and window["n"] == WINDOW:
            return rows, window["last"]
    return rows, None


async def total(store: Store, filters: Terms, *, first: int, before: int | None) -> tuple[int, bool]:
    """How many match and whether that is exact; `before` None and `first` 0 mean no bounds in time."""
    if len(filters) == 1 and filters[0][0] in COUNTED and first == 0 and before is None:
        return await _counter(store, filters[0]), True
    exact = len(filters) == 1 and first == 0 and before is None
    window = COUNT_WINDOW if len(filters) > 1 else _ALL
    bounds = {"first": first, "before": _ALL if before is None else before, "window": window}
    limit = _ALL if exact else COUNT_LIMIT + 1
    row = await store.row(f"count_{len(filters)}", **_params(filters), **bounds, limit=limit)
    found = 0 if row is None else row["n"]
    if exact:
        return found, True
    passed = await store.row("list_window", **_params(filters[:1]), **bounds) if window != _ALL else None
    return min(found, COUNT_LIMIT), found <= COUNT_LIMIT and (passed is None or passed["n"] < window)


async def _counter(store: Store, term: tuple[str, str]) -> int:
    row = await store.row("counter", name=f"{term[0]}={term[1]}")
    return 0 if row is None else row["value"]


def _params(filters: Terms) -> dict[str, str]:
    return {
        f"{part}{n}": term[at] for n, term in enumerate(filters) for at, part in enumerate(("name", "value"))
    }
