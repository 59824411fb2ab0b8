"""What an operator does to a log while its service is stopped: another key, a key that counts no more, going on after a loss."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cavra_evidence.draft import Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.log import LogLoss
from cavra_evidence.times import text
from cavra_verify.kinds import BY_NOUN
from cavra_verify.merkle import Frontier
from cavra_verify.signatures import key_id

from cavra_service.checkpoints import Checkpoints, LogRefused
from cavra_service.files import write_private, write_public
from cavra_service.identity import load_signer
from cavra_service.keeping import held, resumed, service_actor
from cavra_service.keys import append_key, established, key_records, trusted
from cavra_service.runtime import open_store, utc_now
from cavra_service.settings import Settings
from cavra_service.store import tree
from cavra_service.store.protocol import Commit, Store


@asynccontextmanager
async def _stopped(settings: Settings, service: str) -> AsyncIterator[tuple[Store, Path]]:
    """The store of a service that does not run, and the file of its checkpoint. Raises LogRefused if it does."""
    path = settings.checkpoint_path(service)
    with held(path.parent, shared=False):
        store = await open_store(settings, service)
        try:
            yield store, path
        finally:
            await store.close()


async def rotate(settings: Settings, service: str) -> str:
    """Give a service another key, named by a record that the key before it signs; the new key's id.

    Cut short at any point, it is ended by doing it again. Raises LogRefused.
    """
    folder = settings.identity / service
    async with _stopped(settings, service) as (store, path):
        checkpoints = await resumed(store, path)
        actor = service_actor(settings, service)
        keys = await established(store, actor, utc_now())
        following = load_signer(settings, service, "next.pem")
        if keys[-1].public != following.public:
            await append_key(store, actor, utc_now(), "rotated", following, reason="rotated")
        # The last that the key before signs: the log up to and with the record that names the new one.
        await checkpoints.fresh()
        await _list(settings, service, store)
        write_private(folder / "signing.pem", (folder / "next.pem").read_bytes())
        (folder / "next.pem").unlink()
    return following.key_id


async def revoke(settings: Settings, service: str, revoked: str, from_index: int, reason: str) -> None:
    """Record that what a former key signed at `from_index` or later does not count. Raises LogRefused."""
    async with _stopped(settings, service) as (store, path):
        checkpoints = await resumed(store, path)
        actor = service_actor(settings, service)
        keys = {key_id(key.public): key.public for key in await established(store, actor, utc_now())}
        if revoked not in keys:
            raise LogRefused(f"the log {store.origin} never spoke by key {revoked}")
        if revoked == store.signer.key_id:
            raise LogRefused(f"{revoked} is the key in use: rotate it first, then revoke it")
        await append_key(
            store, actor, utc_now(), "revoked", keys[revoked], reason=reason, from_index=from_index
        )
        await checkpoints.fresh()
        await _list(settings, service, store)


async def accept_loss(settings: Settings, service: str, reason: str) -> LogLoss:
    """Let a log go on that does not extend its last checkpoint. A record says so, which is returned, and that checkpoint is kept aside.

    Raises LogRefused when there is nothing to accept, or when the store does not even agree with itself.
    """
    async with _stopped(settings, service) as (store, path):
        try:
            await resumed(store, path)
        except LogRefused as refused:
            found = refused
        else:
            raise LogRefused(
                f"the log {store.origin} extends its last checkpoint: there is no loss to accept"
            )
        head = await tree.frontier(store)
        try:
            whole = await tree.regrown(store, Frontier(), head.size)
        except tree.TreeBroken as error:
            raise LogRefused(f"the store of {store.origin} cannot go on: {error}") from None
        if whole != head or not found.finding:
            raise LogRefused(f"the store of {store.origin} cannot go on: {found}")
        signed = found.signed
        record = LogLoss(
            loss_id=new_id(BY_NOUN["log_loss"].prefix),
            recorded_at=text(utc_now()),
            reason=reason,
            finding=found.finding,
            signed_size=signed.size if signed else 0,
            signed_root=signed.root.hex() if signed else "",
            kept_size=head.size,
            kept_root=head.root().hex(),
        )
        await store.commit(Commit([Draft(record, service_actor(settings, service))]))
        if path.exists():
            shutil.copy2(path, path.with_name(f"checkpoint.lost-{record.loss_id}"))
        await Checkpoints(store, path, []).start_over()
    return record


async def _list(settings: Settings, service: str, store: Store) -> None:
    """Write the list by which others check this service."""
    lines = [key.line() for key in trusted(await key_records(store))]
    write_public(settings.identity / "trust" / f"{service}.pub", "\n".join(lines).encode())
