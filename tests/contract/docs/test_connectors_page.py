"""The entries that docs/connectors.md shows, read as they stand."""

import os
import re
from typing import Any

import pytest
import yaml
from cavra_delivery.connectors.base import KINDS
from cavra_delivery.connectors.config import ConnectorConfig, read_connectors
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.registry import connector_of

from tests.contract.docs.conftest import ROOT

PAGE = (ROOT / "docs" / "connectors.md").read_text()
ENTRIES: dict[str, dict[str, Any]] = {
    name: entry
    for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for name, entry in yaml.safe_load(block).items()
}
VALUES = {
    "AUDIT_WEBHOOK_SECRET": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "AUDIT_WEBHOOK_OLD_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "PAGERDUTY_ROUTING_KEY": "R" + "0" * 31,
}


def test_the_page_shows_every_kind() -> None:
    assert {entry.get("kind", name) for name, entry in ENTRIES.items()} == KINDS


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_of_the_page_can_be_used_as_it_stands(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ENTRIES[name]
    assert entry.keys() <= ConnectorConfig.model_fields.keys()
    named = [value for field, value in entry.items() if field.endswith("_env")]
    for variable in (one for value in named for one in ([value] if isinstance(value, str) else value)):
        assert variable not in os.environ
        monkeypatch.setenv(variable, VALUES.get(variable, "https://hooks.example/a"))
    read, problem = read_connectors({"connectors": {name: entry}})
    config = read[name]
    assert problem == ""
    assert isinstance(config, ConnectorConfig)
    assert connector_of(name, config.kind or name, config, HttpSender()).destination().url


def test_every_common_field_is_on_the_page() -> None:
    own = {"kind", "index", "source", "sourcetype", "service", "site", "tags", "path", "method"}
    for field in ConnectorConfig.model_fields.keys() - own:
        assert re.search(rf"\b{re.sub('_(env|file)$', '', field)}", PAGE), f"{field} is not on the page"
