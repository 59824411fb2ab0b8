"""Settings of the delivery service alone."""

from pathlib import Path

from cavra_service.settings import Settings
from pydantic import Field, field_validator


class DeliverySettings(Settings):
    """What the delivery service needs beside what every service does. Each field is the environment variable CAVRA_<NAME>."""

    connector_config: Path | None = None
    """JSON or YAML file of connectors; unset means that none is configured."""

    go_rollback_drill_schedule: Path | None = None
    """JSON or YAML file of the drill schedule."""

    go_rollback_drill_history: Path | None = None
    """JSON or YAML file of past drills; optional."""

    go_backend_mode: str = Field("", max_length=64)
    """The drill schedule is used when this is empty or "promoted"."""

    @field_validator(
        "connector_config", "go_rollback_drill_schedule", "go_rollback_drill_history", mode="before"
    )
    @classmethod
    def _unset_when_empty(cls, value: object) -> object:
        return None if value == "" else value
