"""A stranger's reader follows our logs over HTTP: checkpoint, tiles and entries as C2SP tlog-tiles has them."""

import gzip
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2 as pb
from cavra.evidence.v1 import evidence_pb2_grpc as rpc
from cavra_gateway.settings import GatewaySettings
from cavra_service.identity import load_signer
from cavra_service.store.protocol import Commit
from cavra_verify.merkle import verify_consistency, verify_inclusion

from tests.support.fake_services import FakeServices
from tests.support.log_reader import LogReader, check_consistency, check_inclusion, vkey_of
from tests.support.records import draft

AUDITOR = ("auditor",)
FOREVER = "max-age=31536000, immutable"


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[FakeServices]:
    """Services of an installation whose log is public."""
    fakes = FakeServices(tmp_path)
    known = fakes.installation.settings.model_dump()
    fakes.installation.settings = GatewaySettings(**{**known, "public_log": True})
    async with fakes.running() as running:
        yield running


async def raw(fakes: FakeServices, path: str, roles: tuple[str, ...] = AUDITOR) -> tuple[int, bytes, Any]:
    """(status, bytes, headers) below the retry service's log."""
    headers = {"authorization": f"Bearer {fakes.installation.token('ann', *roles)}"} if roles else {}
    assert fakes._http is not None
    async with fakes._http.get(f"{fakes.url}/log/retry/{path}", headers=headers) as response:
        return response.status, await response.read(), response.headers


async def grown(fakes: FakeServices, count: int) -> pb.GetCheckpointResponse:
    """Append so many records; the checkpoint that covers them is then published."""
    await fakes.stores["retry"].commit(Commit([draft() for _ in range(count)]))
    async with fakes.installation.channel(fakes.installation.settings.retry_address) as channel:
        caller = fakes.installation.caller("ann", "auditor")
        found: pb.GetCheckpointResponse = await caller.unary(
            rpc.EvidenceLogStub(channel).GetCheckpoint, pb.GetCheckpointRequest()
        )
    return found


async def reader_of(fakes: FakeServices, roles: tuple[str, ...] = AUDITOR) -> LogReader:
    """The stranger, who was given our public key beforehand."""
    settings = fakes.installation.settings

    async def fetch(path: str) -> bytes:
        status, body, headers = await raw(fakes, path, roles)
        assert (status, headers["content-type"]) == (200, "application/octet-stream"), path
        assert FOREVER in headers["cache-control"]
        return body

    status, note, headers = await raw(fakes, "checkpoint", roles)
    assert (status, headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert headers["cache-control"].endswith("max-age=1")
    public = load_signer(settings, "retry").public
    return LogReader(fetch, note.decode(), vkey_of(settings.origin("retry"), public))


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700])
async def test_a_stranger_proves_inclusion_from_tiles_alone(fakes: FakeServices, size: int) -> None:
    await grown(fakes, size)
    reader = await reader_of(fakes)
    assert (reader.origin, reader.size) == ("cavra.local/retry", size)
    await reader.check_root()
    rows = await fakes.stores["retry"].rows("entries", first=0, last=size)
    for index in {0, size // 2, size - 1}:
        entry = await reader.entry(index)
        assert entry == rows[index]["canonical"]
        leaf, proof = sha256(b"\x00" + entry).digest(), await reader.inclusion(index)
        check_inclusion(leaf, index, size, proof, reader.root)
        verify_inclusion(leaf, index, size, proof, reader.root)


async def test_a_strangers_checkpoints_of_different_days_belong_together(fakes: FakeServices) -> None:
    await grown(fakes, 300)
    first = await reader_of(fakes)
    await grown(fakes, 250)
    second = await reader_of(fakes)
    assert (first.size, second.size) == (300, 550)
    # The earlier tree is found again in the later tiles,
    assert await second.hash(0, 256) == await first.hash(0, 256)
    # and the proof that the log itself gives is what both verifiers take.
    async with fakes.installation.channel(fakes.installation.settings.retry_address) as channel:
        answer = await fakes.installation.caller("ann", "auditor").unary(
            rpc.EvidenceLogStub(channel).GetConsistencyProof,
            pb.GetConsistencyProofRequest(first_size=300, second_size=550),
        )
    proof = list(answer.hashes)
    check_consistency(300, 550, proof, first.root, second.root)
    verify_consistency(300, 550, proof, first.root, second.root)
    with pytest.raises(AssertionError):
        check_consistency(300, 550, [proof[0], *proof[:0:-1]], first.root, second.root)


async def test_what_no_checkpoint_covers_yet_is_not_served(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grown(fakes, 300)
    for path in (
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/0/001.p/7",
        "tile/1/000.p/1",
        "tile/entries/001.p/44",
    ):
        assert (await raw(fakes, path))[0] == 200, path
    for path in (
        "tile/0/001", "tile/0/001.p/45", "tile/0/002.p/1", "tile/1/000.p/2", "tile/1/000", "tile/2/000.p/1",
        "tile/entries/001", "tile/entries/001.p/45", "tile/63/x999/x999/x999/x999/x999/999",
    ):  # fmt: skip
        assert (await raw(fakes, path))[0] == 404, path


@pytest.mark.parametrize(
    "path",
    ["tile/0/0", "tile/00/000", "tile/64/000", "tile/-1/000", "tile/0/x000/000", "tile/0/000.p/256", "tile/0/000.p/0",
     "tile/0/000.p", "tile/entries/1", "tile/0/000/", "tile/0/%2e%2e/000", "tile/x/000", "tile/0/x001%2F000"],
)  # fmt: skip
async def test_a_path_that_names_no_tile_is_404(fakes: FakeServices, path: str) -> None:
    await grown(fakes, 2)
    assert (await raw(fakes, path))[0] == 404


async def test_a_log_that_is_none_is_404(fakes: FakeServices) -> None:
    for path in ("/log/gateway/checkpoint", "/log/gateway/tile/0/000", "/log/nobody/tile/entries/000"):
        status, problem, _ = await fakes.request("GET", path, roles=AUDITOR)
        assert (status, problem["reason"]) == (404, "unknown_log")


async def test_entries_are_compressed_for_who_takes_that(fakes: FakeServices) -> None:
    await grown(fakes, 3)
    assert fakes._http is not None
    headers = {
        "authorization": f"Bearer {fakes.installation.token('ann', 'auditor')}",
        "accept-encoding": "gzip",
    }
    url = f"{fakes.url}/log/retry/tile/entries/000.p/3"
    async with fakes._http.get(url, headers=headers) as response:
        assert response.headers["content-encoding"] == "gzip"
        expanded = await response.read()
    headers["accept-encoding"] = "identity"
    async with fakes._http.get(url, headers=headers) as response:
        assert "content-encoding" not in response.headers
        plain = await response.read()
    assert expanded == plain
    assert len(gzip.compress(plain)) < len(plain)


async def test_hashes_take_a_token_and_entries_an_auditors(fakes: FakeServices) -> None:
    await grown(fakes, 1)
    hashes, entries = ("checkpoint", "tile/0/000.p/1"), "tile/entries/000.p/1"
    for path in hashes:
        assert (await raw(fakes, path, ()))[0] == 401
        status, _, headers = await raw(fakes, path, ("operator",))
        assert status == 200
        assert headers["cache-control"].startswith("private")
    assert (await raw(fakes, entries, ()))[0] == 401
    for role in ("operator", "approver", "service"):
        assert (await raw(fakes, entries, (role,)))[0] == 403


async def test_a_public_log_shows_hashes_to_anybody_and_entries_to_auditors_alone(
    public: FakeServices,
) -> None:
    await grown(public, 300)
    await (await reader_of(public, roles=())).check_root()
    assert (await raw(public, "checkpoint", ()))[2]["cache-control"].startswith("public")
    assert (await raw(public, "tile/entries/000", ()))[0] == 401
    assert (await raw(public, "tile/entries/000", ("operator",)))[0] == 403
    assert (await raw(public, "tile/entries/000"))[0] == 200
    status, _, _ = await public.request(
        "GET", "/runtime/go-pilot/rollback-drill-notifications/dashboard", roles=()
    )
    assert status == 401
