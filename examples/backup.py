"""Copies a folder of the account to this machine, many files at a time: python backup.py REMOTE LOCAL

The account is in API_TOKEN, PYTHONANYWHERE_USERNAME and PYTHONANYWHERE_SITE. Each folder and each file costs a request:
the first 40 leave at once, the others wait for the rate limit on their own. No semaphore is needed for that.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path, PurePosixPath

from pythonanywhere_api import AsyncClient


async def copy_file(client: AsyncClient, remote: PurePosixPath, local: Path) -> int:
    """Copies one file and returns its size."""
    local.parent.mkdir(parents=True, exist_ok=True)
    return await client.files.download(str(remote), local)


async def copy_folder(client: AsyncClient, remote: PurePosixPath, local: Path) -> int:
    """Copies a folder with all below it and returns the sum of the sizes."""
    listing = await client.files.list(str(remote))
    copies = [
        (copy_folder if entry.get("type") == "directory" else copy_file)(client, remote / name, local / name)
        for name, entry in listing.items()
    ]
    return sum(await asyncio.gather(*copies))


async def main(remote: str, local: str) -> None:
    async with AsyncClient.from_env() as client:
        size = await copy_folder(client, PurePosixPath(remote), Path(local))
    print(f"{size} bytes")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
