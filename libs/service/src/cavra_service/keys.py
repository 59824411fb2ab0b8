"""Which key a service's log speaks by: records of it, one key after another, and the list that others check by.

A list (`trust/<service>.pub`) has a line for each key: 64 hex digits, then, where the key is not good for the whole log, the first
index that it may sign and the first that it may no longer, and "revoked" where it was.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from cavra_evidence.draft import Actor, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.log import LogKey
from cavra_evidence.times import text
from cavra_verify.kinds import BY_NOUN
from cavra_verify.signatures import RECORD_TYPE, SignatureError, Signer, key_id, verify_signature

from cavra_service.store import listing
from cavra_service.store.protocol import Commit, Store

_KIND: Final = BY_NOUN["log_key"]
_LINE: Final = re.compile(r"([0-9a-f]{64})(?: ([0-9]{1,16})(?: ([0-9]{1,16})( revoked)?)?)?")
_MOST: Final = 500
_ALL: Final = 2**62
_REMEMBERED: Final = 16_384
"""Records that a process knows to be signed: some 2 MB."""


class KeyListError(ValueError):
    """A list of keys cannot be read; the message says where."""


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key, and for which part of its log it is good."""

    public: bytes
    from_index: int = 0
    until_index: int | None = None
    revoked: bool = False
    """Whether it counts only where a record's index shows that it was signed before."""

    def line(self) -> str:
        """As it stands in a list."""
        if self.until_index is None and not self.from_index:
            return self.public.hex()
        until = "" if self.until_index is None else f" {self.until_index}"
        return f"{self.public.hex()} {self.from_index}{until}{' revoked' if self.revoked else ''}"

    def signs(self, index: int | None) -> bool:
        """Whether it may have signed the record at `index`; None for one whose place is not known."""
        if index is None:
            return not self.revoked
        return self.from_index <= index and (self.until_index is None or index < self.until_index)


def read_keys(path: Path) -> list[TrustedKey]:
    """A list of keys, the one in use last. Raises KeyListError or OSError."""
    keys = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = _LINE.fullmatch(line)
        if found is None:
            raise KeyListError(f"{path.name}, line {number}: expected 64 hex digits and at most two indexes")
        public, first, until, revoked = found.groups()
        bounds = int(first or 0), None if until is None else int(until)
        keys.append(TrustedKey(bytes.fromhex(public), *bounds, revoked=revoked is not None))
    if not keys:
        raise KeyListError(f"{path.name}: expected a key")
    return keys


class ServiceKeys:
    """The keys of one service as its list says now: a rotation is seen without a restart."""

    def __init__(self, path: Path) -> None:
        """`path`: the list. It is read here once, so that a missing one shows at start."""
        self._path = path
        self._seen = path.stat()
        self._keys = read_keys(path)
        self._known: dict[bytes, None] = {}

    def verify(self, signature: bytes, canonical: bytes, index: int | None) -> None:
        """Return if the record at `index` (None: not known) is signed by a key that is good there, else raise SignatureError."""
        for key in reversed(self._current()):
            if key.signs(index):
                known = _fingerprint(key.public, signature, canonical)
                if known in self._known:
                    return None
                with suppress(SignatureError):
                    verify_signature(key.public, signature, RECORD_TYPE, canonical)
                    return self._remember(known)
        raise SignatureError("got a record that no key of its service signed that is good there")

    def signed(self, public: bytes, signature: bytes, canonical: bytes) -> None:
        """Take note that the key `public` has signed this record here and now: it needs no check while it stays the same, byte for byte."""
        self._remember(_fingerprint(public, signature, canonical))

    def _remember(self, known: bytes) -> None:
        if len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[known] = None

    @property
    def now(self) -> bytes:
        """The key in use, raw."""
        return self._current()[-1].public

    def _current(self) -> list[TrustedKey]:
        seen = self._path.stat()
        if (seen.st_mtime_ns, seen.st_ino) != (self._seen.st_mtime_ns, self._seen.st_ino):
            self._keys, self._seen = read_keys(self._path), seen
        return self._keys


def _fingerprint(public: bytes, signature: bytes, canonical: bytes) -> bytes:
    """Stands for a key, a signature and a record. The first two have a fixed length where they are any good."""
    return sha256(b"%d %b%b%b" % (len(signature), public, signature, canonical)).digest()


async def key_records(store: Store) -> list[tuple[int, LogKey]]:
    """(index, record) of what a log says of its keys, oldest first."""
    term = [("metadata_kind", _KIND.kind)]
    rows, _ = await listing.page(store, term, first=0, before=_ALL, limit=_MOST, keys_only=False)
    return [(row["idx"], LogKey.read(bytes(row["canonical"]))) for row in reversed(rows)]


def trusted(records: Sequence[tuple[int, LogKey]]) -> list[TrustedKey]:
    """The list of keys that a log's own records make, the one in use last."""
    keys: list[TrustedKey] = []
    for index, record in records:
        public = bytes.fromhex(record.public_key)
        if record.event == "revoked":
            keys = [_revoked(key, record.from_index) if key.public == public else key for key in keys]
            continue
        keys = [*keys[:-1], *(_until(key, index + 1) for key in keys[-1:])]
        keys.append(TrustedKey(public, index + 1 if record.event == "rotated" else 0))
    return keys


def _until(key: TrustedKey, index: int) -> TrustedKey:
    return replace(key, until_index=index if key.until_index is None else min(index, key.until_index))


def _revoked(key: TrustedKey, index: int) -> TrustedKey:
    return replace(_until(key, index), revoked=True)


async def established(store: Store, actor: Actor, now: datetime) -> list[TrustedKey]:
    """The keys of a log, which at its first start begins with the name of its first. Nothing else is written."""
    records = await key_records(store)
    if not records:
        await append_key(store, actor, now, "established", store.signer, reason="first_start")
        records = await key_records(store)
    return trusted(records)


async def append_key(
    store: Store,
    actor: Actor,
    now: datetime,
    event: str,
    key: Signer | bytes,
    *,
    reason: str,
    from_index: int = 0,
) -> None:
    """Record what becomes of `key`, signed by the key in use."""
    public = key.public if isinstance(key, Signer) else key
    record = LogKey(
        key_record_id=new_id(_KIND.prefix),
        recorded_at=text(now),
        event=event,  # type: ignore[arg-type] # the model checks it
        key_id=key_id(public),
        public_key=public.hex(),
        previous_key_id=store.signer.key_id if event == "rotated" else "",
        from_index=from_index,
        reason=reason,
    )
    await store.commit(Commit([Draft(record, actor)]))
