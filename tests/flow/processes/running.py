"""`cavra` as users run it: processes of their own, found by what they print, ended by signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from cavra.evidence.v1 import evidence_pb2, evidence_pb2_grpc
from cavra_service.client import Caller, connect
from cavra_service.identity import LocalIssuer
from cavra_service.settings import Settings
from cavra_verify.merkle import leaf_hash, verify_consistency

R = "/runtime/go-pilot/rollback-drill-notifications"
AD = R + "/acknowledgements/audit-delivery"
SERVICES = ("delivery", "retry", "recovery")
PEOPLE = {"olga": "operator", "anna": "approver", "axel": "auditor"}
_PAGE = 500


class Process:
    """One `cavra` process. `addresses` holds what it printed, by service; the gateway's is a URL."""

    def __init__(self, *arguments: str, environment: dict[str, str], log: Path) -> None:
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("CAVRA_")}
        with log.open("ab") as stderr:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "cavra_cli", *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**foreign, **environment},
                text=True,
            )
        self.printed: list[str] = []
        self.addresses: dict[str, str] = {}
        self._log = log

    def ready(self) -> None:
        """Return once it says that it is ready; fail with its log if it ends before."""
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            word, *rest = line.split()
            self.printed.append(line.rstrip())
            if word == "API":
                self.addresses["gateway"] = rest[0]
            elif word == "gRPC":
                self.addresses[rest[1]] = rest[0]
            elif word == "ready":
                return
        raise AssertionError(f"it ended with {self._popen.wait()}: {self._log.read_text()}")

    def line(self) -> str:
        """The next line that it prints; empty once it has ended."""
        assert self._popen.stdout is not None
        return self._popen.stdout.readline().rstrip()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def ended(self) -> int:
        """Its exit status, once it has one."""
        if self._popen.stdout is not None:
            self._popen.stdout.close()
        return self._popen.wait(timeout=30)

    def stop(self) -> int:
        """Ask it to end, as a supervisor does; gives the exit status."""
        self.signal(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it as a power cut does, if it has not ended."""
        self._popen.kill()
        self.ended()


class Home:
    """One installation's folder: its files, its people, and the environment that its processes get."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(data_dir=folder / "data")
        self.issuer = LocalIssuer(self.settings)
        self.issuer.prepare()
        self.log = folder / "stderr.txt"
        self._started: list[Process] = []
        self.environment = {
            "CAVRA_DATA_DIR": str(folder / "data"),
            "CAVRA_CONNECTOR_CONFIG": str(folder / "connectors.json"),
            "CAVRA_GO_ROLLBACK_DRILL_SCHEDULE": str(folder / "schedule.json"),
            "CAVRA_LOG_LEVEL": "error",
            **{f"CAVRA_{name.upper()}_PORT": "0" for name in (*SERVICES, "gateway")},
        }
        schedule = {
            "schedule_id": "production-rollback", "status": "active", "interval_days": 30,
            "next_due_at": "2026-01-01T00:00:00Z", "owners": ["platform"], "notification_providers": ["webhook"],
        }  # fmt: skip
        (folder / "schedule.json").write_bytes(orjson.dumps(schedule))
        self.send_to("http://127.0.0.1:9/nobody")

    def send_to(self, url: str) -> None:
        """Let the connector `webhook` send there from now on."""
        webhook = {"url": url, "allow_private_networks": True, "circuit_failures": 0}
        (self.folder / "connectors.json").write_bytes(orjson.dumps({"connectors": {"webhook": webhook}}))

    def start(self, *arguments: str, **environment: str) -> Process:
        """Start a `cavra` process, and leave it to its start-up."""
        process = Process(*arguments, environment={**self.environment, **environment}, log=self.log)
        self._started.append(process)
        return process

    def close(self) -> None:
        """Leave no process behind, also after a test that failed."""
        for process in self._started:
            process.kill()

    def token(self, person: str) -> str:
        """The token of one of the three people."""
        return self.issuer.token(person, [PEOPLE[person]])


class Http:
    """The API, as the three people call it."""

    def __init__(self, home: Home, url: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session
        self._tokens = {person: home.token(person) for person in PEOPLE}

    async def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """(status, answer)."""
        headers = {"authorization": f"Bearer {self._tokens[who]}"}
        async with self._session.request(method, self._url + path, headers=headers, json=body) as response:
            return response.status, orjson.loads(await response.read())

    async def post(self, who: str, path: str, **body: Any) -> Any:
        """The answer of a command that must succeed."""
        status, answer = await self.call(who, "POST", path, body)
        assert status == 200, answer
        return answer

    async def get(self, path: str) -> Any:
        """What an auditor reads."""
        status, answer = await self.call("axel", "GET", path)
        assert status == 200, answer
        return answer


class Log:
    """One service's evidence log, as an auditor reads it over gRPC."""

    def __init__(self, home: Home, address: str) -> None:
        self._channel = connect(address)
        self._stub: Any = evidence_pb2_grpc.EvidenceLogStub(self._channel)
        token = home.token("axel")
        self._caller = Caller(lambda: token, 10.0)

    async def __aenter__(self) -> "Log":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._channel.close()

    async def head(self) -> Any:
        """Its size and root."""
        return await self._caller.unary(self._stub.GetCheckpoint, evidence_pb2.GetCheckpointRequest())

    async def holds(self, acknowledged: dict[str, str]) -> None:
        """Fail unless every acknowledged record is there, and its bytes have the hash that was told."""
        ids = list(acknowledged)
        found: dict[str, str] = {}
        for start in range(0, len(ids), _PAGE):
            request = evidence_pb2.BatchGetRecordsRequest(ids=ids[start : start + _PAGE])
            answer = await self._caller.unary(self._stub.BatchGetRecords, request)
            found |= {record.id: leaf_hash(record.canonical).hex() for record in answer.records}
        lost = acknowledged.items() - found.items()
        assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged records are lost or changed"

    async def extends(self, earlier: Any) -> None:
        """Fail unless the log as it is now begins with the log as it was."""
        now = await self.head()
        if not earlier.tree_size:
            return
        request = evidence_pb2.GetConsistencyProofRequest(
            first_size=earlier.tree_size, second_size=now.tree_size
        )
        proof = await self._caller.unary(self._stub.GetConsistencyProof, request)
        verify_consistency(
            earlier.tree_size, now.tree_size, list(proof.hashes), earlier.root_hash, now.root_hash
        )
