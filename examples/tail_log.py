"""Follows a log of a web app until Ctrl-C: python tail_log.py DOMAIN [access|error|server]

The service has no call for the end of a file, so every look reads the whole log and counts as a request of the 40 a
minute. One look every 5 seconds leaves room for other work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from pythonanywhere_api import Client, NotFoundError


def follow(client: Client, domain: str, kind: str = "error", *, seconds: float = 5.0) -> Iterator[str]:
    """The log's new lines as they come; a log that got shorter was rotated, and is read from its start."""
    path = f"/var/log/{domain}.{kind}.log"
    seen = 0
    while True:
        try:
            content = client.files.read(path)
        except NotFoundError:
            content = b""  # nobody visited yet, or it is being rotated
        if len(content) < seen:
            seen = 0
        end = content.rfind(b"\n") + 1
        if end > seen:
            yield from content[seen:end].decode(errors="replace").splitlines()
            seen = end
        time.sleep(seconds)


if __name__ == "__main__":
    with Client.from_env() as account:
        for line in follow(account, *sys.argv[1:3]):
            print(line, flush=True)
