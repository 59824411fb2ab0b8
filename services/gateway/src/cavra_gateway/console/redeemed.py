"""Which links that sign in were used: an empty file for each beside the key that opens them, until it is too old to open."""

import hashlib
import os
import time
from typing import Final

import structlog
from cavra_service.errors import Refused
from cavra_service.settings import Settings

log = structlog.get_logger()

_SLACK: Final = 60
"""Seconds after its end for which a link's file is kept: for who had opened it just before."""


class Redeemed:
    """Links that were used. Files, because neither a restart nor another gateway of the same folder may take a link twice."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.identity / "gateway" / "redeemed"

    def first(self, link: str, until: float) -> bool:
        """Whether this is its first use; `until` (Unix seconds) is when it ends. Raises Refused where that can't be written down."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()
            return self._marked(f"{int(until) + _SLACK}-{hashlib.sha256(link.encode()).hexdigest()}")
        except OSError as error:
            log.warning("link_use_not_kept", error=type(error).__name__)
            raise Refused(
                "invalid_token", "the gateway can't write down that the link was used: sign in by a token"
            ) from None

    def _marked(self, name: str) -> bool:
        """Whether there was no such file, and now is one that outlives a crash. Of several at once one alone makes it."""
        try:
            os.close(os.open(self._folder / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return True

    def _sweep(self) -> None:
        now = time.time()
        for used in self._folder.iterdir():
            if float(used.name.partition("-")[0]) < now:
                used.unlink(missing_ok=True)
