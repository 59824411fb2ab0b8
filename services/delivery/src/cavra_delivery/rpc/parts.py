"""What the RPCs stand on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cavra_service.store.protocol import Store

from cavra_delivery.connectors.registry import Registry
from cavra_delivery.drill_files import DrillFiles
from cavra_delivery.resolutions import Resolutions
from cavra_delivery.retries import Retries
from cavra_delivery.sends import SendMachine


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running delivery service."""

    store: Store
    files: DrillFiles
    registry: Registry
    machine: SendMachine
    retries: Retries
    resolutions: Resolutions
    clock: Callable[[], datetime]


class Topic:
    """RPCs about one topic."""

    def __init__(self, parts: Parts) -> None:
        self._store = parts.store
        self._files = parts.files
        self._registry = parts.registry
        self._machine = parts.machine
        self._retries = parts.retries
        self._resolutions = parts.resolutions
        self._clock = parts.clock
