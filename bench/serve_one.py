"""One service in a process of its own, as `cavra serve` runs it: prints its address and serves until its input ends."""

import asyncio
import sys

import uvloop
from cavra_service.runtime import load
from cavra_service.settings import Settings


async def main(name: str) -> None:
    """Serve the service `name` by the settings of the environment."""
    async with load(name).start(Settings()) as address:
        print(address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1]))
