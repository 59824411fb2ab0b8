"""`cavra connectors`: check a configuration where the delivery service is installed, or list what a running one has."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Final, Protocol

import grpc
import typer
from cavra.delivery.v1 import delivery_pb2, delivery_pb2_grpc
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials

from cavra_cli.tokens import auditor_token

app = typer.Typer(no_args_is_help=True, help="Where audit packages go. No command shows a secret.")

CHECKS: Final = "cavra.checks"
"""Group of entry points by which a service's distribution offers its checks."""


class Checked(Protocol):
    """What became of one entry."""

    name: str
    kind: str
    state: str
    detail: str


Check = Callable[[Path | None, Sequence[str], bool, float], Awaitable[Iterable[Checked]]]


@app.command()
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Connectors to check; all when left out.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="The configuration.", show_default="CAVRA_CONNECTOR_CONFIG")
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send a test event to each that is enabled, pagers too.")
    ] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=120, help="Seconds a test may take.")] = 10.0,
) -> None:
    """Check fields and secrets as this process sees them, and with --send whether receivers take an event. Exit 1 if one does not.

    A test event is no delivery: it says so, carries no audit data and leaves no record.
    """
    points = entry_points(group=CHECKS, name="connectors")
    if not points:
        raise typer.BadParameter("this environment does not hold the delivery service")
    ask: Check = next(iter(points)).load()
    configured = os.environ.get("CAVRA_CONNECTOR_CONFIG")
    path = file or (Path(configured) if configured else None)
    try:
        checked = list(asyncio.run(_all(ask, path, names or [], send, timeout)))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--file") from None
    _table([(one.name, one.kind, one.state, one.detail) for one in checked])
    if send:
        typer.echo("A test event is no delivery: it carries no audit data and leaves no record.", err=True)
    if any(one.state == "failed" for one in checked):
        raise typer.Exit(1)


async def _all(
    ask: Check, path: Path | None, names: Sequence[str], send: bool, timeout: float
) -> Iterable[Checked]:
    return await ask(path, names, send, timeout)


@app.command("list")
def show(
    address: Annotated[
        str | None,
        typer.Option(help="host:port of the delivery service.", show_default="CAVRA_DELIVERY_ADDRESS"),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File of an auditor's token.", show_default="one of the local issuer")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder of stores, keys and tokens.", show_default=".cavra, or CAVRA_DATA_DIR"),
    ] = None,
) -> None:
    """List a running service's connectors and whether each can be used, and say if their file is of no use as it is now."""
    try:
        settings = Settings(data_dir=data_dir) if data_dir else Settings()
        token = auditor_token(settings, token_file, "connectors")
        found = asyncio.run(_listed(address or settings.delivery_address, settings, token))
    except Refused as refused:
        typer.echo(f"cavra: {refused.reason}: {refused.message}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}") from None
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--token-file") from None
    _table([(one.name, one.kind, _state(one), _detail(one)) for one in found.connectors])
    if found.file_problem:
        kept = ": what was read of it before is in force" if found.connectors else ""
        typer.echo(f"cavra: {found.file_problem}{kept}", err=True)


async def _listed(address: str, settings: Settings, token: str) -> delivery_pb2.ListConnectorsResponse:
    channel: grpc.aio.Channel
    async with connect(address, channel_credentials(settings)) as channel:
        stub = delivery_pb2_grpc.DeliveryServiceStub(channel)
        caller = Caller(lambda: token, 10.0)
        request = delivery_pb2.ListConnectorsRequest()
        answer: delivery_pb2.ListConnectorsResponse = await caller.unary(stub.ListConnectors, request)
        return answer


def _state(one: delivery_pb2.Connector) -> str:
    if not one.enabled:
        return "disabled"
    return "ready" if one.ready else "not-ready"


def _detail(one: delivery_pb2.Connector) -> str:
    circuit = f"circuit {one.circuit}" if one.circuit not in ("", "closed") else ""
    refused = f"{one.field or 'the entry'} is refused by rule {one.rule}" if one.rule else ""
    lacking = f"{one.field} is missing or of no use" if one.field and not one.rule else ""
    return " ".join(filter(None, (one.reason, one.missing_variable, refused or lacking, circuit)))


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
