"""The token that a command calls services with."""

import re
from pathlib import Path
from typing import Final

from cavra_service.identity import LocalIssuer
from cavra_service.settings import Settings

_TOKEN: Final = re.compile(rb"[!-~]{1,16384}")


def auditor_token(settings: Settings, path: Path | None, subject: str) -> str:
    """The token in the file at `path`, else one of the local issuer for `subject`.

    Raises OSError where the file or the installation is not there, ValueError for a file that holds no token.
    """
    if path is None:
        return LocalIssuer.of(settings).token(subject, ["auditor"])
    token = path.read_bytes().strip()
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{path.name}: got no token, expected one line of it")
    return token.decode()
