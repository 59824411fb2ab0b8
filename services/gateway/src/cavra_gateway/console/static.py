"""What the console's pages load: scripts, styles and vendored libraries, held in memory, compressed once, cached for ever."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from fastapi import Request
from fastapi.responses import Response

_TEXT: Final = frozenset({"text/css", "text/javascript", "image/svg+xml", "application/json", "text/plain"})


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    media_type: str
    content: bytes
    compressed: bytes | None


class Assets:
    """All of them. The address names a digest of their content, so that a browser never asks twice and never has a stale one."""

    def __init__(self) -> None:
        self._files: dict[str, Asset] = {}
        self._read(files("cavra_gateway.console").joinpath("static"), "")
        digest = hashlib.sha256()
        for path, asset in sorted(self._files.items()):
            digest.update(path.encode() + b"\0" + hashlib.sha256(asset.content).digest())
        self.version = digest.hexdigest()[:16]

    def _read(self, folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                self._read(entry, f"{prefix}{entry.name}/")
                continue
            content = entry.read_bytes()
            media_type = mimetypes.guess_type(entry.name)[0] or "application/octet-stream"
            packed = gzip.compress(content, 9, mtime=0) if media_type in _TEXT else None
            self._files[prefix + entry.name] = Asset(media_type, content, packed)

    def serve(self, request: Request, version: str, path: str) -> Response:
        """The file at a path of this version; 404 for any other."""
        asset = self._files.get(path) if version == self.version else None
        if asset is None:
            return Response(status_code=404)
        headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        if asset.compressed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(
                asset.compressed, headers={**headers, "content-encoding": "gzip"}, media_type=asset.media_type
            )
        return Response(asset.content, headers=headers, media_type=asset.media_type)
