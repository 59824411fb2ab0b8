"""`cavra bundle`, `verify`, `policy` and `audit`: what an auditor does, here with all that the installation can give at hand."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from cavra_service.bundling import collected
from cavra_service.client import Caller
from cavra_service.errors import Refused
from cavra_service.identity import SERVICES
from cavra_service.policies import policy_document
from cavra_service.settings import Settings
from cavra_verify.__main__ import main as verify_file
from cavra_verify.audit import Report
from cavra_verify.policy import Policy, read_policy
from cavra_verify.telling import report_text

from cavra_cli.audit import LogUnread, audited, logs_of
from cavra_cli.tokens import auditor_token

T = TypeVar("T")

app = typer.Typer()

DataDir = Annotated[
    Path | None,
    typer.Option(help="Folder of stores, keys and tokens.", show_default=".cavra, or CAVRA_DATA_DIR"),
]
Since = Annotated[list[Path] | None, typer.Option(help="A signed checkpoint that you kept; may be repeated.")]
TokenFile = Annotated[
    Path | None, typer.Option(help="File of an auditor's token.", show_default="one of the local issuer")
]
Json = Annotated[bool, typer.Option("--json", help="Print it for programs.")]


@app.command()
def bundle(
    trace_id: Annotated[str, typer.Argument(help="Id of the original delivery, gordackdelivery-...")],
    since: Since = None,
    token_file: TokenFile = None,
    data_dir: DataDir = None,
) -> None:
    """Print the bundle of a trace, as its services show it by gRPC: the same file that the gateway gives. Exit 0, or 2 if there is none."""
    settings = _settings(data_dir)

    async def collect(token: str, sizes: Mapping[str, Sequence[int]]) -> bytes:
        caller = Caller(lambda: token, settings.call_timeout_seconds)
        async with logs_of(settings, SERVICES) as logs:
            return await collected(caller, logs, trace_id, sizes)

    def file() -> bytes:
        return asyncio.run(
            collect(auditor_token(settings, token_file, "audit"), _sizes(settings, since or ()))
        )

    typer.echo(_checking(file), nl=False)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A bundle.")],
    policy: Annotated[Path, typer.Option(help="Your policy: logs, keys, issuers, floors.")],
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Check, offline, what a bundle claims, as `cavra-verify` does. Exit 0 verified, 1 refuted, 2 could not check."""
    options = [f"--policy={policy}", *(f"--since={path}" for path in since or ())]
    raise typer.Exit(verify_file([*options, *(["--json"] if as_json else []), "--", str(file)]))


@app.command("policy")
def print_policy(data_dir: DataDir = None) -> None:
    """Print a policy of this installation's keys and issuers, with the least floors: compare its keys by another way, and keep it."""
    typer.echo(_checking(lambda: json.dumps(policy_document(_settings(data_dir)), indent=2)))


@app.command()
def audit(
    log: Annotated[
        list[str] | None,
        typer.Option(help=f"One of {', '.join(SERVICES)}; may be repeated.", show_default="all"),
    ] = None,
    policy: Annotated[
        Path | None, typer.Option(help="Your policy.", show_default="what `cavra policy` prints")
    ] = None,
    since: Since = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Leave out records' own signatures; checkpoints' are checked.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Cores that check signatures.")] = 1,
    as_json: Json = False,
    token_file: TokenFile = None,
    data_dir: DataDir = None,
) -> None:
    """Replay the logs of running services from the first record on, and hold them against each other.

    Exit 0 nothing found, 1 violations or gaps, 2 could not check all.
    """
    services = log or list(SERVICES)
    if not set(services) <= set(SERVICES):
        raise typer.BadParameter(f"one of {', '.join(SERVICES)}", param_hint="--log")
    settings = _settings(data_dir)

    def report_of() -> Report:
        pinned = _policy(settings, policy)
        token = auditor_token(settings, token_file, "audit")
        kept = [path.read_text() for path in since or ()]
        asked = list(dict.fromkeys(services))
        return asyncio.run(audited(settings, asked, token, pinned, kept, signatures=not fast, jobs=jobs))

    report = _checking(report_of)
    typer.echo(json.dumps(report.document(), indent=2) if as_json else report_text(report))
    raise typer.Exit(report.exit_code)


def _sizes(settings: Settings, kept: Sequence[Path]) -> dict[str, list[int]]:
    """By service, the sizes of kept checkpoints. Raises ValueError for a file that is none of this installation."""
    services = {settings.origin(service): service for service in SERVICES}
    sizes = defaultdict(set)
    for path in kept:
        origin, size, *_ = [*path.read_text().split("\n"), "", ""]
        if origin not in services or not size.isdecimal():
            raise ValueError(f"{path}: got no checkpoint of {', '.join(services)}")
        sizes[services[origin]].add(int(size))
    return {service: sorted(found) for service, found in sizes.items()}


def _policy(settings: Settings, path: Path | None) -> Policy:
    return read_policy(path.read_bytes() if path else json.dumps(policy_document(settings)).encode())


def _settings(data_dir: Path | None) -> Settings:
    return Settings() if data_dir is None else Settings(data_dir=data_dir)


def _checking(work: Callable[[], T]) -> T:
    """What a check gives; what it cannot read is said, and ends with exit code 2."""
    try:
        return work()
    except OSError as error:
        told = f"{error.filename}: {error.strerror}" if error.filename else error
        typer.echo(f"cavra: {told}", err=True)
    except (ValueError, LogUnread, Refused) as error:
        typer.echo(f"cavra: {error}", err=True)
    raise typer.Exit(2)
