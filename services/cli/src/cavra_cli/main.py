"""The commands. What each does lives in a module of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from cavra_evidence.draft import Actor
from cavra_evidence.guard import matches
from cavra_service import maintenance
from cavra_service.checkpoints import LogRefused
from cavra_service.identity import ROLES, SERVICES, LocalIssuer
from cavra_service.keys import read_keys
from cavra_service.logs import configure_logs
from cavra_service.runtime import installed
from cavra_service.sealing import handover
from cavra_service.settings import Settings
from cavra_verify.signatures import key_id
from pydantic import ValidationError
from pydantic_settings import SettingsError

from cavra_cli import connectors, evidence
from cavra_cli import demo as walk
from cavra_cli.health import probe
from cavra_cli.running import LOG_REFUSED, StartError, announce, console_link, everything, one, until_stopped

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
tokens = typer.Typer(no_args_is_help=True, help="Tokens of the local issuer.")
app.add_typer(evidence.app)
app.add_typer(tokens, name="token")
keys = typer.Typer(no_args_is_help=True, help="Keys that logs speak by. The service is stopped meanwhile.")
app.add_typer(keys, name="key")
logs = typer.Typer(no_args_is_help=True, help="Logs that do not start. The service is stopped meanwhile.")
app.add_typer(logs, name="log")
app.add_typer(connectors.app, name="connectors")

_PEOPLE = ("operator", "approver", "auditor")
"""Roles for each of which `cavra api` prints a link to the console."""

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of stores, keys and tokens.", show_default=".cavra, or CAVRA_DATA_DIR"),
]
Host = Annotated[
    str | None, typer.Option(help="Interface to listen on.", show_default="127.0.0.1, or CAVRA_HOST")
]

Worker = Annotated[
    bool,
    typer.Option(
        "--worker",
        help="Send on a timer what is approved and due, every CAVRA_WORKER_INTERVAL_SECONDS.",
        show_default="off, or CAVRA_WORKER_ENABLED",
    ),
]


@app.command()
def api(
    host: Host = None,
    port: Annotated[
        int | None, typer.Option(help="HTTP port; 0 takes a free one.", show_default="8000")
    ] = None,
    data_dir: DataDir = None,
    worker: Worker = False,
) -> None:
    """Start all services and the gateway in one process, with a local issuer of tokens. Ctrl-C drains and stops."""
    settings = _settings(host=host, gateway_port=port, data_dir=data_dir, worker_enabled=worker or None)
    configure_logs(settings.log_level)
    issuer = _issuer(settings)
    issuer.prepare()
    links = {role: handover(settings, issuer.token(role, [role])) for role in _PEOPLE}
    _run(until_stopped(everything(settings), partial(announce, links=links)))


@app.command()
def serve(
    service: Annotated[str, typer.Argument(help="delivery, retry, recovery or gateway.")],
    host: Host = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    data_dir: DataDir = None,
    worker: Worker = False,
) -> None:
    """Start one service alone. Where it finds the others: CAVRA_DELIVERY_ADDRESS, CAVRA_RETRY_ADDRESS, CAVRA_RECOVERY_ADDRESS."""
    if service not in installed():
        held = ", ".join(installed()) or "no service"
        raise typer.BadParameter(f"no such service here; this environment holds {held}", param_hint="service")
    if worker and service != "retry":
        raise typer.BadParameter("only the retry service has a worker", param_hint="--worker")
    given = {f"{service}_port": port, "worker_enabled": worker or None}
    settings = _settings(host=host, data_dir=data_dir, **given)
    configure_logs(settings.log_level)
    _run(until_stopped(one(service, settings), announce))


@app.command()
def init(data_dir: DataDir = None) -> None:
    """Make the local issuer, each service's key and token, and the public keys: what services that run apart are given.

    Written below CAVRA_IDENTITY_DIR, else the folder `identity` of the data folder. Run again, it makes fresh tokens and keeps the keys.
    """
    settings = _settings(data_dir=data_dir)
    _issuer(settings).prepare()
    typer.echo(f"identity is in {settings.identity}")


@app.command()
def health(
    address: Annotated[str, typer.Option(help="host:port of a service, or the URL of the gateway.")],
) -> None:
    """Ask a service whether it serves. Exit 0 if it does, 1 if not."""
    if not asyncio.run(probe(address, _settings())):
        typer.echo("not serving", err=True)
        raise typer.Exit(1)


@app.command()
def demo(
    keep: Annotated[
        Path | None, typer.Option(help="Keep the data in this folder.", show_default="thrown away")
    ] = None,
) -> None:
    """Walk the whole chain over HTTP, from a failed delivery to a closed recovery, and check every hash."""
    raise typer.Exit(asyncio.run(walk.run(keep)))


@tokens.command()
def create(
    actor: Annotated[str, typer.Option(help="Subject of the token, e.g. alice.")],
    role: Annotated[list[str], typer.Option(help=f"One of {', '.join(ROLES)}; may be repeated.")],
    name: Annotated[str, typer.Option(help="Name to show.", show_default="the subject")] = "",
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 366, help="How long it is valid.")] = 12.0,
    link: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="URL of a gateway: print a link that signs in to its console, once and within 15 minutes.",
            show_default="print the token",
        ),
    ] = "",
    data_dir: DataDir = None,
) -> None:
    """Print a signed token, or a link that stands for it, alone, on standard output."""
    unknown = sorted(set(role) - set(ROLES))
    if unknown:
        raise typer.BadParameter(f"unknown role; known are {', '.join(ROLES)}", param_hint="--role")
    settings = _settings(data_dir=data_dir)
    try:
        Actor(settings.token_issuer, actor, name or actor)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--actor or --name") from None
    token = _issuer(settings, LocalIssuer.of).token(actor, role, name=name, ttl_seconds=int(hours * 3600))
    typer.echo(console_link(link.rstrip("/"), handover(settings, token)) if link else token)


LoggingService = Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}.")]
Why = Annotated[str, typer.Option(help="Why, in lower case and underscores, e.g. key_compromised.")]


@keys.command("list")
def list_keys(service: LoggingService, data_dir: DataDir = None) -> None:
    """Print a service's keys, the one in use last: id, public key in hex, records that it may sign."""
    try:
        known = read_keys(_settings(data_dir=data_dir).identity / "trust" / f"{_logging(service)}.pub")
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="--data-dir") from None
    for key in known:
        until = "" if key.until_index is None else key.until_index - 1
        revoked = " revoked" if key.revoked else ""
        typer.echo(f"{key_id(key.public)}  {key.public.hex()}  {key.from_index}..{until}{revoked}")


@keys.command()
def rotate(service: LoggingService, data_dir: DataDir = None) -> None:
    """Give a service a new key. The log names it in a record that the old key signs; `trust/` lists both. Run again if cut short."""
    new = _maintained(maintenance.rotate(_settings(data_dir=data_dir), _logging(service)))
    typer.echo(f"{service} speaks by key {new} from its next start on")


@keys.command()
def revoke(
    service: LoggingService,
    key: Annotated[str, typer.Argument(help="Id of a former key, 16 hex digits.")],
    from_index: Annotated[
        int, typer.Option(min=0, help="First record of which its signature does not count.")
    ],
    reason: Why,
    data_dir: DataDir = None,
) -> None:
    """Record that what a former key signed from some record on does not count."""
    settings = _settings(data_dir=data_dir)
    _maintained(maintenance.revoke(settings, _logging(service), key, from_index, _reason(reason)))
    typer.echo(f"{key} is revoked from record {from_index} on")


@logs.command("accept-loss")
def accept_loss(service: LoggingService, reason: Why, data_dir: DataDir = None) -> None:
    """Let a log go on that does not extend its last checkpoint. A record of it says so for ever, and the checkpoint is kept aside."""
    settings = _settings(data_dir=data_dir)
    loss = _maintained(maintenance.accept_loss(settings, _logging(service), _reason(reason)))
    typer.echo(
        f"accepted ({loss.finding}): {loss.signed_size} records were signed, {loss.kept_size} are kept. {service} goes on from there at its"
        f" next start; the record {loss.loss_id} says so, and the checkpoint before is kept as checkpoint.lost-{loss.loss_id}"
    )


def _logging(service: str) -> str:
    if service not in SERVICES:
        raise typer.BadParameter(f"one of {', '.join(SERVICES)}", param_hint="service")
    return service


def _reason(text: str) -> str:
    if not matches("reason", text):
        raise typer.BadParameter("lower case letters, digits and underscores", param_hint="--reason")
    return text


def _maintained(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except LogRefused as error:
        typer.echo(f"cavra: {error}", err=True)
        raise typer.Exit(LOG_REFUSED) from None


def _settings(**given: Any) -> Settings:
    """Settings from the environment, under what the command line gives."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise typer.BadParameter(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except SettingsError as error:
        raise typer.BadParameter(f"{error}: it is not JSON") from None


def _issuer(settings: Settings, take: Callable[[Settings], LocalIssuer] = LocalIssuer) -> LocalIssuer:
    try:
        return take(settings)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="--data-dir") from None


def _run(work: Coroutine[Any, Any, None]) -> None:
    try:
        uvloop.run(work)
    except (StartError, FileNotFoundError) as error:
        typer.echo(f"cavra: {error}", err=True)
        raise typer.Exit(error.exit_code if isinstance(error, StartError) else 1) from None


def main() -> None:
    """The entry point of the `cavra` command."""
    app()
