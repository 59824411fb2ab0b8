"""Idempotency keys: a command that is sent again with its key runs once, and is answered with its first result.

A key belongs to a person and an RPC. It is reserved in a commit of its own before the command runs; from then on every commit of the
command notes in the same transaction which records it wrote, and fails if the key is no longer its own. So after a crash one knows what
took place:

- nothing was written: the command runs again. No effect comes before its first commit, so there was none.
- its records are there: the answer is made from them (`resumption`), from what the command has said `beside` them, and from what a peer has
  recorded of it (`Completion`), and nothing runs or is sent again.
- it wrote, and not all of that: it runs again. Today that is a worker run of which the retry plan stands without a run: a second plan is
  written, and nothing had been claimed.

The answer is kept in a second commit after the command's own; a crash between the two is the second case.

A run that ends without a result gives its key back when it was refused or wrote nothing: a refusal is no answer. Work goes on when its
caller goes away; who asks meanwhile is told `in_progress`. Another process on the same store can't be asked whether it still runs: a key
it holds is taken from it as after a crash, and if it does still run, its next commit is a conflict and writes nothing.
"""

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Self

import structlog
from cavra_evidence.draft import Actor, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text
from cavra_verify.canonical import canonical

from cavra_service.errors import Refused
from cavra_service.resumption import answer_of_records
from cavra_service.store.protocol import Commit, Conflict, Row, Statement, Store, StoreClosed, companion

METADATA: Final = "idempotency-key"
"""Name of the header and of the gRPC metadata."""

PATTERN: Final = "[!-~](?:[ -~]{0,126}[!-~])?"
"""1 to 128 printable ASCII characters; spaces only within."""

KEPT: Final = timedelta(hours=24)
_FORGOTTEN_AT_ONCE: Final = 64
_LOOKS: Final = 5

Command = Callable[[], Awaitable[Any]]
"""Runs an RPC and gives its response message."""

Completion = Callable[[Any, Any], Awaitable[None]]
"""(request, response): adds to a response that was made from this log's records what another log holds of the command.

It may ask a peer again for what that does once. Raises Refused `in_progress` while the command still goes on.
"""

log = structlog.get_logger()


@dataclass(slots=True)
class _Beside:
    """What a command's answer says that no record does: a serialized response with those fields alone."""

    said: bytes = b""


_beside: ContextVar[_Beside | None] = ContextVar("beside", default=None)


def beside(response: Any) -> None:
    """Keep the fields of `response`, which no record of the answer will hold, with what the command commits from now on.

    A command says so before the commit that it is to be answered by. Without a key it has no effect.
    """
    kept = _beside.get()
    if kept is not None:
        kept.said = response.SerializeToString()


def checked(sent: Sequence[str | bytes]) -> str:
    """The key among the values that were sent; "" for none. Raises Refused `invalid_value` for several, or for what is no key."""
    if not sent:
        return ""
    if len(sent) > 1 or not isinstance(sent[0], str) or not re.fullmatch(PATTERN, sent[0]):
        raise Refused("invalid_value", "not one key of 1 to 128 printable ASCII characters", METADATA)
    return sent[0]


def key_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The key in a call's metadata, as `checked`."""
    return checked([value for name, value in metadata if name == METADATA])


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with a key."""

    id: bytes
    """SHA-256 over who asks, the RPC and the key: the store never holds a key itself."""
    request_hash: bytes
    method: str
    request: Any
    """The RPC's message."""

    @classmethod
    def of(cls, actor: Actor, method: str, key: str, request: Any) -> Self:
        """What `actor` asks with `key`; `request` is the RPC's message."""
        scope = canonical(["cavra-idempotency-key", actor.iss, actor.sub, method, key])
        body = request.SerializeToString(deterministic=True)
        return cls(hashlib.sha256(scope).digest(), hashlib.sha256(body).digest(), method, request)


class Keys:
    """The keys that one service knows, in its store."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        completions: Mapping[str, Completion] = MappingProxyType({}),
    ) -> None:
        """`completions`: of the methods that need one, by their full name."""
        self._store = store
        self._clock = clock
        self._completions = completions
        self._running: dict[str, asyncio.Task[bytes]] = {}

    async def answer(self, asked: Asked, command: Command) -> bytes:
        """The serialized response: of `command`, run in a task of our own, or of the first time it ran.

        Raises Refused `in_progress` while it runs, `idempotency_key_reused` for another request, else whatever `command` raises.
        """
        holder = new_id("run")
        task = asyncio.create_task(self._answer(asked, holder, command))
        self._running[holder] = task
        task.add_done_callback(lambda done: self._ended(holder, done))
        return await asyncio.shield(task)

    def _ended(self, holder: str, task: "asyncio.Task[bytes]") -> None:
        del self._running[holder]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Who waits is told as well; this is for those who went away.
            log.debug("keyed_command_ended", error=type(error).__name__)

    async def close(self, seconds: float) -> None:
        """Let what is under way finish, `seconds` at most; the rest is resumed when it is asked for again."""
        if self._running:
            _, late = await asyncio.wait(list(self._running.values()), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _answer(self, asked: Asked, holder: str, command: Command) -> bytes:
        known = await self._reserve(asked, holder)
        if known is not None:
            return known
        try:
            response: bytes = (await self._noting(asked, holder, command)).SerializeToString()
        except Exception as error:
            refused = int(isinstance(error, Refused | Refusal))
            with suppress(StoreClosed):
                await self._change("free_idempotency_key", asked, holder=holder, refused=refused)
            raise
        await self._change("answer_idempotency_key", asked, holder=holder, response=response)
        return response

    async def _noting(self, asked: Asked, holder: str, command: Command) -> Any:
        kept = _Beside()

        def note(drafts: Sequence[Draft]) -> Statement:
            written = "".join(f"{draft.record.record_id} " for draft in drafts)
            params = {"id": asked.id, "holder": holder, "written": written, "said": kept.said}
            return Statement("note_idempotency_key", params, expect=1)

        noting, keeping = companion.set(note), _beside.set(kept)
        try:
            return await command()
        finally:
            companion.reset(noting)
            _beside.reset(keeping)

    async def _reserve(self, asked: Asked, holder: str) -> bytes | None:
        """Make the key `holder`'s (None), or give the answer that there is. Looks again when another request was faster."""
        for _ in range(_LOOKS):
            now = self._clock()
            row = await self._store.row("idempotency_key", id=asked.id, expired=text(now - KEPT))
            try:
                if row is not None:
                    return await self._known(asked, holder, row)
                await self._store.commit(Commit(statements=_reservation(asked, holder, now)))
            except Conflict:
                continue
            return None
        raise _in_progress()

    async def _known(self, asked: Asked, holder: str, row: Row) -> bytes | None:
        if row["request_hash"] != asked.request_hash:
            raise Refused("idempotency_key_reused", "this key was sent with another request", METADATA)
        if row["response"] is not None:
            return bytes(row["response"])
        if row["holder"] in self._running:
            raise _in_progress()
        written, said = row["written"].split(), bytes(row["said"] or b"")
        response = await answer_of_records(self._store, asked.method, written, said)
        if response is None:
            taken = {"holder": holder, "from_holder": row["holder"], "written": row["written"]}
            await self._change("take_over_idempotency_key", asked, expect=1, **taken)
            return None
        if asked.method in self._completions:
            await self._completions[asked.method](asked.request, response)
        found: bytes = response.SerializeToString()
        await self._change("answer_idempotency_key", asked, expect=1, holder=row["holder"], response=found)
        return found

    async def _change(self, query: str, asked: Asked, *, expect: int | None = None, **params: Any) -> None:
        await self._store.commit(Commit(statements=[Statement(query, {"id": asked.id, **params}, expect)]))


def _reservation(asked: Asked, holder: str, now: datetime) -> list[Statement]:
    forgotten = {"id": asked.id, "expired": text(now - KEPT), "limit": _FORGOTTEN_AT_ONCE}
    reserved = {
        "id": asked.id,
        "request_hash": asked.request_hash,
        "holder": holder,
        "reserved_at": text(now),
    }
    return [
        Statement("forget_idempotency_keys", forgotten),
        Statement("reserve_idempotency_key", reserved, expect=1),
    ]


def _in_progress() -> Refused:
    return Refused("in_progress", "the first request with this key is still running", METADATA)
