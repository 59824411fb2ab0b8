"""The forms of the vendors, by kind of connector: how each wants an event, and what its answers mean."""

from collections.abc import Callable
from typing import Final

from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.forms.form import Form

FORMS: Final[dict[str, Callable[[ConnectorConfig], Form]]] = {}
"""Kind -> its form. A kind that is not here has the general one."""


def form_of(kind: str, config: ConnectorConfig) -> Form:
    """The form of one configured connector."""
    return FORMS.get(kind, Form)(config)
