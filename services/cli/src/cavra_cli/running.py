"""Services in this process: started in the order in which they need each other, stopped in reverse."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from cavra_service.checkpoints import LogRefused
from cavra_service.runtime import installed, load
from cavra_service.settings import Settings
from pydantic import ValidationError

ORDER: Final = ("delivery", "retry", "recovery", "gateway")
"""Each may call those before it."""

LOG_REFUSED: Final = 3
"""Exit code when a log is not what it signed."""

Addresses = Mapping[str, str]


class StartError(Exception):
    """A service could not be started; the message says what to do."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@asynccontextmanager
async def everything(settings: Settings) -> AsyncIterator[Addresses]:
    """All four services in one event loop; gives their addresses."""
    missing = [name for name in ORDER if name not in installed()]
    if missing:
        raise StartError(
            f"this environment lacks {', '.join(missing)}: install cavra-cli[all], or use `cavra serve`"
        )
    addresses: dict[str, str] = {}
    async with AsyncExitStack() as stack:
        for name in ORDER:
            addresses[name] = await _started(stack, name, settings)
            if name != "gateway":
                settings = settings.model_copy(update={f"{name}_address": addresses[name]})
        yield addresses


@asynccontextmanager
async def one(name: str, settings: Settings) -> AsyncIterator[Addresses]:
    """One service; gives its address."""
    async with AsyncExitStack() as stack:
        yield {name: await _started(stack, name, settings)}


async def _started(stack: AsyncExitStack, name: str, settings: Settings) -> str:
    try:
        return await stack.enter_async_context(load(name).start(settings))
    except FileNotFoundError as error:
        raise StartError(f"{name}: {error.filename or error} is missing: run `cavra init` first") from error
    except LogRefused as error:
        raise StartError(f"{name} does not start: {error}", LOG_REFUSED) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = "CAVRA_" + "_".join(map(str, first["loc"])).upper()
        raise StartError(f"{name}: {variable}: {first['msg']}") from None
    except (OSError, RuntimeError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise StartError(f"{name} cannot use {error.filename}: {error.strerror}") from error
        port = getattr(settings, f"{name}_port")
        raise StartError(
            f"{name} cannot listen on {settings.host}:{port}: is the port taken, or the host another machine's?"
            f" Another port: CAVRA_{name.upper()}_PORT; another interface: CAVRA_HOST"
        ) from error


async def until_stopped(
    running: AbstractAsyncContextManager[Addresses], ready: Callable[[Addresses], None]
) -> None:
    """Run until SIGINT or SIGTERM, then let calls under way finish and stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with running as addresses:
        ready(addresses)
        await stopping.wait()


def announce(addresses: Addresses, links: Mapping[str, str] | None = None) -> None:
    """Print where everything is; once this stands, everything serves. `links`: by role what signs in to the console, once."""
    gateway = addresses.get("gateway")
    if gateway is not None:
        print(f"API       {gateway}")
        print(f"OpenAPI   {gateway}/docs")
        for role, link in (links or {}).items():
            print(f"Console   {console_link(gateway, link)}  {role}")
    for name, address in addresses.items():
        if name != "gateway":
            print(f"gRPC      {address}  {name}")
    print("ready", flush=True)


def console_link(gateway: str, handover: str) -> str:
    """The address that signs in. What stands behind the # is sent nowhere: it is in no log of a server and in no referrer."""
    return f"{gateway}/console/#handover={handover}"
