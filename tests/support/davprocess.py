"""A program: serves the folder that it is given by a WebDAV door, tells where, and ends when its input does."""

import asyncio
import sys
from pathlib import Path

from support.davdoor import dav_door


async def main() -> None:
    """Serve until the input ends."""
    async with dav_door(Path(sys.argv[1])) as served:
        sys.stdout.write(served.url + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
