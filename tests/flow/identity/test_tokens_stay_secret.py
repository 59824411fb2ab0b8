"""A token is a key for as long as it is valid: nothing that the product writes or answers holds one."""

import base64
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cavra.evidence.v1 import evidence_pb2, evidence_pb2_grpc
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused

from tests.flow.processes.running import AD, Home, R

READ = evidence_pb2.GetRecordRequest(id="rcd-unknown")
GOOD = ("olga", "anna", "axel")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.close()


def canaries(token: str) -> list[bytes]:
    """The parts of a token that alone are worth something."""
    _, claims, signature = token.split(".")
    return [token.encode(), claims.encode(), signature.encode()]


async def test_no_log_no_file_and_no_answer_holds_a_token(home: Home) -> None:
    process = home.start("api", CAVRA_LOG_LEVEL="debug")
    process.ready()
    good = {person: home.token(person) for person in GOOD}
    claims = base64.urlsafe_b64encode(b'{"iss":"cavra-local","sub":"canary-subject"}').decode().rstrip("=")
    header = good["olga"].split(".", maxsplit=1)[0]
    bad = [f"{header}.{claims}.{'canarysignature' * 5}", f"canary.{claims}.nothing", "canary-of-no-form." * 3]
    answers = []
    async with aiohttp.ClientSession(process.addresses["gateway"]) as http:
        for token in (*good.values(), *bad):
            for method, path in (
                ("GET", R), ("GET", R + "?trace=" + "x" * 200), ("POST", AD + "/retry-plan"), ("POST", AD), ("GET", "/nothing"),
                ("GET", "/metrics"), ("POST", R + "/deliver"),
            ):  # fmt: skip
                headers = {"authorization": f"Bearer {token}"}
                async with http.request(method, path, headers=headers) as answer:
                    answers.append(await answer.read())
    for address in (process.addresses["retry"], process.addresses["delivery"]):
        async with connect(address) as channel:
            for token in bad:
                stub: Any = evidence_pb2_grpc.EvidenceLogStub(channel)
                with pytest.raises(Refused) as refused:
                    await Caller(partial(str, token), 10.0).unary(stub.GetRecord, READ)
                answers.append(refused.value.message.encode())
    assert process.stop() == 0
    kept = {"answers": b"\n".join(answers), "printed": "\n".join(process.printed).encode()}
    for file in home.folder.rglob("*"):
        if file.is_file() and file.name != "token":  # A service's own token is what that file is for.
            kept[file.name] = file.read_bytes()
    assert {"stderr.txt", "retry.sqlite3", "delivery.sqlite3"} <= kept.keys()
    own = [(home.settings.identity / name / "token").read_text().strip() for name in ("retry", "recovery")]
    wanted = [part for token in (*good.values(), *own) for part in canaries(token)] + [
        b"canary",
        claims.encode(),
    ]
    for place, data in kept.items():
        assert [part for part in wanted if part in data] == [], place
