"""The configured connectors, read from their file and read again when it changes to one that is of use."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import digest
from pathlib import Path
from secrets import token_bytes
from typing import Final, Self

import structlog
from cavra_verify.canonical import canonical

from cavra_delivery.connectors.archive import ArchiveConnector
from cavra_delivery.connectors.base import (
    KINDS,
    Connector,
    Destination,
    NotConfigured,
    category_of,
)
from cavra_delivery.connectors.config import NAME, BadEntry, ConnectorConfig, read_connectors
from cavra_delivery.connectors.email import EmailConnector
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.webapi import HttpConnector
from cavra_delivery.documents import Document, DocumentFile
from cavra_delivery.domain.circuits import CircuitRule
from cavra_delivery.domain.pace import Pace

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rules:
    """How one connector may be sent to."""

    circuit: CircuitRule = field(default_factory=CircuitRule)
    pace: Pace | None = None
    most_at_once: int = 64

    @classmethod
    def of(cls, entry: ConnectorConfig) -> Self:
        """Those of a configuration entry."""
        pace = None if entry.rate_per_second is None else Pace(entry.rate_per_second, entry.rate_burst)
        return cls(CircuitRule(entry.circuit_failures, entry.circuit_open_seconds), pace, entry.most_at_once)


DEFAULT_RULES: Final = Rules()
"""Of a connector whose entry is unusable or gone."""


@dataclass(frozen=True, slots=True)
class Configured:
    """One connector as the file has it. An unusable entry has no connector and stays listed: its sends fail, alone."""

    name: str
    kind: str
    enabled: bool
    connector: Connector | None
    rules: Rules = DEFAULT_RULES
    bad: BadEntry | None = None
    """Why the entry is unusable."""

    @property
    def category(self) -> str:
        """siem, itsm, chatops or webhook."""
        return category_of(self.kind)

    def usable(self) -> Connector:
        """The connector. Raises NotConfigured when the entry is unusable or disabled."""
        if self.bad is not None:
            raise NotConfigured(field=self.bad.field, rule=self.bad.rule)
        if self.connector is None or not self.enabled:
            raise NotConfigured
        return self.connector

    def problem(self) -> NotConfigured | None:
        """Why nothing can be sent now; None when something can."""
        try:
            self.usable().destination()
        except NotConfigured as error:
            return error
        return None


class Registry:
    """The connectors by name."""

    def __init__(self, path: Path | None, sender: HttpSender) -> None:
        self._file = DocumentFile(path)
        self._sender = sender
        self._document: Document | None = None
        self._connectors: dict[str, Configured] = {}
        self.problem = ""
        """Why the file is of no use as it was found last, one sentence. What was read of it before is in force then."""

    def all(self) -> dict[str, Configured]:
        """Every configured connector, sorted by name."""
        document = self._file.read()
        if document is not self._document:
            self._document = document
            self._take_up(document)
        return self._connectors

    def enabled(self) -> list[str]:
        """Names of the enabled connectors."""
        return [name for name, one in self.all().items() if one.enabled]

    def rules(self, name: str) -> Rules:
        """How a connector may be sent to, by the last look at the file."""
        one = self._connectors.get(name)
        return DEFAULT_RULES if one is None else one.rules

    def find(self, name: str) -> Connector:
        """A connector that can be tried. Raises NotConfigured."""
        one = self.all().get(name)
        if one is None:
            raise NotConfigured
        return one.usable()

    def _take_up(self, document: Document) -> None:
        """What the file says from now on. One that is of no use, for it is being written or is away, says nothing."""
        entries, problem = read_connectors(document.content or {})
        problem = document.problem or problem
        if problem and self._file.name and problem != self.problem:
            log.error("connector_config_unusable", problem=problem, connectors_in_force=len(self._connectors))
        self.problem = problem
        if not problem:
            self._connectors = self._build(entries)

    def _build(self, entries: Mapping[str, ConnectorConfig | BadEntry]) -> dict[str, Configured]:
        built = {name: self._connector(name, entries[name]) for name in sorted(entries)}
        for one in built.values():
            lacking = one.problem() if one.enabled and one.bad is None else None
            if lacking is not None:
                log.warning(
                    "connector_not_configured",
                    connector=one.name,
                    missing_variable=lacking.variable,
                    field=lacking.field,
                )
        return built

    def _connector(self, name: str, entry: ConnectorConfig | BadEntry) -> Configured:
        named = name if name in KINDS else "webhook"
        if isinstance(entry, BadEntry):
            log.warning("connector_entry_unusable", connector=name, problem=str(entry))
            # What has no name cannot be asked for, and is no provider that a delivery leaves out or fails at.
            return Configured(name, named, entry.field != NAME, None, bad=entry)
        kind = entry.kind or named
        made = connector_of(name, kind, entry, self._sender)
        return Configured(name, kind, entry.enabled, made, Rules.of(entry))


def connector_of(name: str, kind: str, entry: ConnectorConfig, sender: HttpSender) -> Connector:
    """The connector that a usable entry describes."""
    match kind:
        case "archive":
            return ArchiveConnector(name, entry)
        case "email":
            return EmailConnector(name, entry)
    return HttpConnector(name, kind, entry, sender)


def fingerprint(key: bytes, destination: Destination) -> bytes:
    """A destination under the installation's key, 32 bytes: binds a secret path without making it guessable."""
    return digest(key, canonical(dict(destination.identity)), "sha256")


def fingerprint_key(path: Path) -> bytes:
    """The installation's key, 32 bytes, made on first use. Raises ValueError for a file that holds something else."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = path.read_bytes()
        if len(key) != 32:
            raise ValueError(f"{path.name} does not hold 32 bytes") from None
        return key
    key = token_bytes(32)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    return key
