"""The compose file starts what there is: commands that the CLI takes, and settings that the services read."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from cavra_cli.main import app
from cavra_delivery.connectors.config import ConnectorConfig, read_connectors
from cavra_delivery.settings import DeliverySettings
from cavra_gateway.settings import GatewaySettings
from cavra_retry.settings import RetrySettings
from cavra_service.identity import SERVICES
from cavra_service.settings import Settings

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
SETTINGS: dict[str, type[Settings]] = {
    "init": Settings,
    "delivery": DeliverySettings,
    "retry": RetrySettings,
    "recovery": Settings,
    "gateway": GatewaySettings,
}


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What a command line means to the CLI; fails for one that it would refuse."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("cavra", list(arguments), resilient_parsing=False)
    name, sub, rest = command.resolve_command(context, arguments)
    return {"command": name, **sub.make_context(name, rest, parent=context).params}


def mounts(name: str) -> dict[str, tuple[str, bool]]:
    """Folder in the container -> (volume or folder of the host, whether it is read-only)."""
    found = {}
    for line in CONTAINERS[name]["volumes"]:
        source, target, *mode = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", line).split(":")
        found[target] = (source, mode == ["ro"])
    return found


def test_the_five_containers_are_there() -> None:
    assert set(CONTAINERS) == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_container_runs_a_command_that_the_cli_takes(name: str) -> None:
    meant = parsed(CONTAINERS[name]["command"])
    if name == "init":
        assert meant["command"] == "init"
        return
    assert (meant["command"], meant["service"], meant["host"]) == ("serve", name, "0.0.0.0")
    probe = parsed(CONTAINERS[name]["healthcheck"]["test"][2:])
    assert CONTAINERS[name]["healthcheck"]["test"][:2] == ["CMD", "cavra"]
    assert probe["command"] == "health"
    assert probe["address"].endswith(f"127.0.0.1:{meant['port']}")


@pytest.mark.parametrize("name", SETTINGS)
def test_every_variable_is_one_that_the_service_reads(name: str) -> None:
    given = CONTAINERS[name]["environment"]
    read = {f"CAVRA_{field}".upper() for field in SETTINGS[name].model_fields}
    assert {variable for variable in given if variable.startswith("CAVRA_")} <= read
    for service in SERVICES:
        port = parsed(CONTAINERS[service]["command"])["port"]
        assert given[f"CAVRA_{service.upper()}_ADDRESS"] == f"{service}:{port}"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_its_own_keys_and_the_public_ones_alone(name: str) -> None:
    identity = CONTAINERS[name]["environment"]["CAVRA_IDENTITY_DIR"]
    held = {target.removeprefix(identity + "/") for target in mounts(name) if target.startswith(identity)}
    assert held == {"trust", name}
    assert mounts(name)[f"{identity}/trust"] == ("trust", True)
    assert CONTAINERS[name]["environment"]["CAVRA_DATA_DIR"] in mounts(name)


def test_the_gateway_holds_public_keys_and_no_state() -> None:
    identity = CONTAINERS["gateway"]["environment"]["CAVRA_IDENTITY_DIR"]
    assert mounts("gateway") == {f"{identity}/trust": ("trust", True)}


def test_the_issuer_reaches_init_alone() -> None:
    holders = [name for name in CONTAINERS if any(source == "issuer" for source, _ in mounts(name).values())]
    assert holders == ["init"]


def test_every_volume_is_declared_used_and_made_with_an_owner_in_the_image() -> None:
    used = {(source, target) for name in CONTAINERS for target, (source, _) in mounts(name).items()}
    named = {source for source, _ in used if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    [folders] = re.findall(r"for folder in (.*); do", dockerfile)
    targets = {target.removeprefix("/cavra/") for source, target in used if source in named}
    assert set(folders.split()) == targets


def test_the_files_that_delivery_is_given_can_be_read() -> None:
    folder, read_only = mounts("delivery")["/cavra/config"]
    assert read_only
    given = CONTAINERS["delivery"]["environment"]
    documents = {}
    for variable in ("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", "CAVRA_CONNECTOR_CONFIG"):
        path = ROOT / folder / Path(given[variable]).relative_to("/cavra/config")
        documents[variable] = yaml.safe_load(path.read_text())
    entries, problem = read_connectors(documents["CAVRA_CONNECTOR_CONFIG"])
    assert problem == ""
    assert not [entry for entry in entries.values() if not isinstance(entry, ConnectorConfig)]
    named = re.findall(r"\b[A-Z_]+\b", str(documents["CAVRA_CONNECTOR_CONFIG"]))
    assert set(named) <= set(given), "what a connector names in the environment is passed on"
