"""Prints how fast the package is, as ratios measured in one run: `make bench`.

Ratios, because seconds depend on the machine. Nothing is asserted: a busy machine is no defect of the code.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

# The package's own limit would measure the limit. The measurement of the limit sets it itself.
os.environ["PYTHONANYWHERE_RATE_LIMIT"] = "off"

import bulk
import measures


@dataclass
class Line:
    """One line of the table: what is measured, and what should come out."""

    what: str
    goal: str
    measure: Callable[[], str]


LINES = [
    Line("CPU of a small request / that of requests.get", "<= 0.10", measures.cpu_per_request),
    Line("1 000 requests, 50 at a time: per second / httpx.AsyncClient", ">= 5", measures.requests_per_second),
    Line("their CPU / that of httpx.AsyncClient", "<= 0.25", measures.cpu_at_once),
    Line("500 MB up and down by path: growth of peak memory", "< 16 MB", measures.memory_of_paths),
    Line("500 MB up and down by file object: the same", "< 16 MB", measures.memory_of_files),
    Line("import pythonanywhere_api / import requests", "<= 0.20", measures.import_time),
    Line("listing 3 000 folders at 5 ms: one after another / ours", ">= 10", measures.listing),
    Line("scan and hash 10 000 files, 200 MB / xargs -P sha256sum", "<= 1.5", measures.hashing),
    Line("requests of a deploy when nothing changed", "2", measures.requests_unchanged),
    Line("requests of a deploy, 5 changed, 2 deleted in 2 folders", "<= 15", measures.requests_changed),
    Line("at 40 a minute, 100 requests: sent at once", "40", measures.sent_at_once),
    Line("at 40 a minute, 100 requests: refused with 429", "0", measures.refused),
    Line("bulk: agent install", "10, 20 s", bulk.cell("install")),
    Line("bulk: first deploy of Django's source", "12, 15 s", bulk.cell("first")),
    Line("bulk: deploy with 200 changed files", "12, 6 s", bulk.cell("changed")),
    Line("bulk: nothing changed", "2", bulk.cell("unchanged")),
    Line("bulk: full drift check", "5, 8 s", bulk.cell("verify")),
    Line("bulk: pull of the whole tree", "8, 20 s", bulk.cell("pull")),
    Line("by the site, 300 ms a request: nothing changed", "0 API, 1 site, 0.4 s", bulk.by_site("unchanged")),
    Line("by the site, 300 ms a request: full drift check", "0 API, 2 site, 1.2 s", bulk.by_site("verify")),
    Line("by the site, 300 ms a request: one changed file", "1 API, 4 site, 3.1 s", bulk.by_site("one file")),
    Line("by the site, 300 ms a request: ten of them in a row", "10 API, 40 site, 31 s", bulk.by_site("ten files")),
    Line("by the site, 300 ms a request: rollback", "1 API, 5 site, 3.4 s", bulk.by_site("rollback")),
    Line("by the site: first deploy of Django's source", "1 API", bulk.first_by_site),
    Line("bulk: bytes of a renamed folder, 50 MB in 400 files / rsync -az", "<= 1/500", bulk.renamed),
    Line("bulk: 20 copies of one file of 1 MB", "1050 kB", bulk.copied("copies")),
    Line("bulk: Django's source moved one folder down", "300 kB, 12, 5 s", bulk.copied("moved")),
    Line("bulk: rollback of a deploy that replaced 200 MB", "8, 3 s", bulk.rollback),
    Line("bulk: building the bundle / tar c | gzip -6", "<= 1.3", bulk.building),
    Line("what the agent adds to a request that is not for it", "< 50 µs", bulk.agent_overhead),
]


def main() -> None:
    """Measures line by line, so that a failure shows what came before it."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}", flush=True)
    wanted = sys.argv[1:]
    width = max(len(line.what) for line in LINES)
    print(f"{'':{width}}  {'goal':>8}  measured")
    for line in LINES:
        if wanted and not any(word in line.what for word in wanted):
            continue
        started = time.monotonic()
        result = line.measure()
        print(f"{line.what:{width}}  {line.goal:>8}  {result}  [{time.monotonic() - started:.0f} s]", flush=True)


if __name__ == "__main__":
    main()
