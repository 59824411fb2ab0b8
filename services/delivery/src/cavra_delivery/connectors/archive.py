"""The connector that writes events to a folder: one file for each content, whole or not at all."""

import asyncio
import os
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

from cavra_evidence.records.delivery import SentRequest

from cavra_delivery.connectors.base import (
    Answer,
    Destination,
    Event,
    Message,
    NotConfigured,
    Rendered,
    generic_json,
)
from cavra_delivery.connectors.config import ConnectorConfig


class ArchiveConnector:
    """Writes each event as `<SHA-256 of the body>.json`, so that a repeated send finds its file already there."""

    kind = "archive"
    deduplicates = True

    def __init__(self, name: str, config: ConnectorConfig) -> None:
        self.name = name
        self._path = config.path

    def render(self, event: Event, message_id: str) -> Rendered:
        """See `Connector.render`."""
        return generic_json(event)

    def destination(self) -> Destination:
        """See `Connector.destination`."""
        if not self._path or "\0" in self._path:
            raise NotConfigured
        folder = str(Path(self._path).absolute())
        identity = {
            "scheme": "archive",
            "host": self.name,
            "port": 0,
            "path": folder,
            "query": "",
            "method": "PUT",
            "kind": self.kind,
            "template_version": "1",
            "header_names": [],
        }
        return Destination(identity, folder)

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """See `Connector.send`."""
        body = message.rendered.body
        name = f"{sha256(body).hexdigest()}.json"
        request = SentRequest(
            method="PUT",
            url=f"archive://{self.name}/{name}",
            headers={"content-type": message.rendered.content_type, "webhook-id": message.message_id},
        )
        try:
            async with asyncio.timeout(timeout):
                await asyncio.to_thread(_write, Path(destination.url), name, body)
        except TimeoutError:
            return Answer("timeout", may_have_arrived=True, request=request)
        except OSError:
            return Answer("rejected", request=request)
        return Answer(request=request)


def _write(folder: Path, name: str, body: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A name of its own: a try that ran out of time may still be writing when the next one begins.
    temporary = folder / f".{name}.{token_hex(8)}"
    try:
        with temporary.open("xb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / name)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
