"""What `make bench` measures; each function returns the cell of the table."""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator, set_clock_speed

REQUESTS = 1000
TOKEN = "0123456789abcdef0123456789abcdef01234567"

OURS = """
import sys, time
from pythonanywhere_api import PythonanywhereApi
api = PythonanywhereApi(sys.argv[1], "demo", sys.argv[2], "site")
before = time.process_time()
for _ in range(int(sys.argv[3])):
    assert api._request("files/path/home/demo/site/", "list", "GET").status_code == 200
print(time.process_time() - before)
"""

THEIRS = """
import sys, time
import requests
url = sys.argv[1] + "/api/v0/user/demo/files/path/home/demo/site/"
headers = {"Authorization": "Token " + sys.argv[2]}
before = time.process_time()
for _ in range(int(sys.argv[3])):
    assert requests.get(url, headers=headers).status_code == 200
print(time.process_time() - before)
"""

AT_ONCE = 50

OURS_ASYNC = """
import asyncio, sys, time
from pythonanywhere_api import AsyncClient

async def main(url, token, count, at_once):
    client = AsyncClient("demo", token, url, rate_limit="off")
    limit = asyncio.Semaphore(at_once)

    async def one():
        async with limit:
            assert len(await client.files.list("/home/demo/site")) == 2

    await one()
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one() for _ in range(count)))
    print(time.perf_counter() - wall, time.process_time() - cpu)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""

THEIRS_ASYNC = """
import asyncio, sys, time
import httpx

async def main(url, token, count, at_once):
    headers = {"Authorization": "Token " + token}
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits) as client:
        limit = asyncio.Semaphore(at_once)

        async def one():
            async with limit:
                answer = await client.get("/api/v0/user/demo/files/path/home/demo/site/")
                assert answer.status_code == 200
                assert len(answer.json()) == 2

        await one()
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one() for _ in range(count)))
        print(time.perf_counter() - wall, time.process_time() - cpu)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""

LARGE = 500_000_000

TRANSFER = """
import resource, sys
from pathlib import Path
from pythonanywhere_api import Client

def peak():
    try:
        status = Path("/proc/self/status").read_text()
    except FileNotFoundError:
        # In bytes on macOS, the one other system that the emulator runs on.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not ru_maxrss, which on Linux begins with what the parent had.
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

url, user, token, way, folder, small, large = sys.argv[1:]
files = Client(user, token, url, rate_limit="off").files
# What any first transfer takes is no matter of the file's size.
for name in (small, large):
    before = peak()
    remote, local = f"/home/{user}/{name}", Path(folder, name)
    if way == "path":
        files.upload(remote, local)
        files.download(remote, local)
    else:
        with local.open("rb") as file:
            files.upload(remote, file)
        with local.open("wb") as file:
            files.download(remote, file)
print(peak() - before)
"""

IMPORT = "import time; before = time.perf_counter(); import {}; print(time.perf_counter() - before)"


def _number(*command: str) -> float:
    """Runs a command that prints a number."""
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _numbers(*command: str) -> list[float]:
    """Runs a command that prints numbers."""
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


@contextmanager
def _loopback() -> Iterator[str]:
    """The fast server, in a process of its own."""
    script = Path(__file__).with_name("loopback.py")
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.stdin.close()


def cpu_per_request() -> str:
    """CPU time of the whole process, all threads, start of the connection included.

    Medians of alternating runs: waking a processor that sleeps costs as much as a request, so that an idle machine and
    a busy one give other figures, and both must meet both.
    """
    ours, theirs = [], []
    with _loopback() as url:
        for _ in range(7):
            ours.append(_number("-c", OURS, url, TOKEN, str(REQUESTS)))
            theirs.append(_number("-c", THEIRS, url, TOKEN, str(REQUESTS)))
    mine, other, micros = statistics.median(ours), statistics.median(theirs), 1e6 / REQUESTS
    return f"1/{other / mine:.1f}  ({mine * micros:.0f} µs, {other * micros:.0f} µs)"


@functools.cache
def _at_once() -> tuple[tuple[float, float], tuple[float, float]]:
    """Wall-clock and CPU seconds of 1 000 requests, ours and theirs: medians of alternating runs."""
    ours, theirs = [], []
    with _loopback() as url:
        for _ in range(7):
            ours.append(_numbers("-c", OURS_ASYNC, url, TOKEN, str(REQUESTS), str(AT_ONCE)))
            theirs.append(_numbers("-c", THEIRS_ASYNC, url, TOKEN, str(REQUESTS), str(AT_ONCE)))
    (my_wall, my_cpu), (other_wall, other_cpu) = (
        tuple(statistics.median(column) for column in zip(*runs, strict=True)) for runs in (ours, theirs)
    )
    return (my_wall, my_cpu), (other_wall, other_cpu)


def requests_per_second() -> str:
    """`AsyncClient` and `httpx.AsyncClient`, 50 requests at a time, connections made before, JSON decoded by both."""
    (mine, _), (other, _) = _at_once()
    return f"{other / mine:.1f}  ({REQUESTS / mine:.0f}/s, {REQUESTS / other:.0f}/s)"


def cpu_at_once() -> str:
    """CPU time of the same runs, all threads."""
    (_, mine), (_, other) = _at_once()
    micros = 1e6 / REQUESTS
    return f"{mine / other:.2f}  ({mine * micros:.0f} µs, {other * micros:.0f} µs)"


def _memory(way: str) -> str:
    """By how much the peak memory of a fresh process grows with a large file, up and down."""
    with tempfile.TemporaryDirectory(prefix="pya-bench-") as folder:
        for name, length in (("small", 1 << 20), ("large", LARGE)):
            with Path(folder, name).open("wb") as file:
                file.truncate(length)
        with Emulator(rate_limit=None, upload_limit=None, disk_quota=4 * LARGE) as host:
            grown = _number("-c", TRANSFER, host.url, host.user, host.token, way, folder, "small", "large")
            assert Path(folder, "large").stat().st_size == LARGE
    return f"{grown / 1e6:.1f} MB"


def memory_of_paths() -> str:
    """`files.upload(…, Path)` and `files.download(…, Path)`."""
    return _memory("path")


def memory_of_files() -> str:
    """The same with file objects of Python."""
    return _memory("file")


def import_time() -> str:
    """In fresh processes, files in the page cache, alternating."""
    ours, theirs = [], []
    for _ in range(10):
        ours.append(_number("-c", IMPORT.format("pythonanywhere_api")))
        theirs.append(_number("-c", IMPORT.format("requests")))
    mine, other = statistics.median(ours), statistics.median(theirs)
    return f"1/{other / mine:.1f}  ({mine * 1e3:.1f} ms, {other * 1e3:.1f} ms)"


def _api(host: Emulator, project: str) -> PythonanywhereApi:
    return PythonanywhereApi(host.url, host.user, host.token, project)


def _clock(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def listing() -> str:
    """50 folders with 59 folders each, one file in every one."""
    with Emulator(rate_limit=None, latency=0.005) as host:
        root = Path(host.root) / "home" / host.user / "tree"
        folders = [Path(f"app{first}") for first in range(50)]
        folders += [folder / f"part{second}" for folder in folders for second in range(59)]
        for folder in folders:
            (root / folder).mkdir(parents=True)
            (root / folder / "module.py").write_bytes(b"")
        api = _api(host, "tree")

        def one_after_another() -> None:
            assert all(api._folder_items(f"{folder.as_posix()}/") for folder in folders)

        def ours() -> None:
            found = api.find_project_files("**")
            assert found is not None, api.error_message
            assert len(found) == len(folders)

        ours()
        fast = min(_clock(ours) for _ in range(3))
        slow = _clock(one_after_another)
    return f"{slow / fast:.1f}  ({slow:.1f} s, {fast:.2f} s)"


def hashing() -> str:
    """10 000 files of 20 kB in 100 folders; the whole diff against `find | xargs -P sha256sum`, alternating."""
    folder = Path(tempfile.mkdtemp(prefix="pya-bench-"))
    try:
        for number in range(10_000):
            file = folder / f"app{number % 100}" / f"file{number}.bin"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(os.urandom(20_000))
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        command = f"find . -type f -print0 | xargs -0 -P {threads} -n 250 sha256sum >/dev/null"
        with Emulator(rate_limit=None) as host:
            api = _api(host, "hashed")

            def ours() -> None:
                diff = api.deploy_diff(str(folder))
                assert diff is not None, api.error_message
                assert len(diff.added) == 10_000

            def theirs() -> None:
                subprocess.run(["sh", "-c", command], cwd=folder, check=True)

            pairs = [(_clock(ours), _clock(theirs)) for _ in range(4)][1:]
        mine, other = (min(times) for times in zip(*pairs, strict=True))
    finally:
        shutil.rmtree(folder)
    return f"{mine / other:.2f}  ({mine:.2f} s, {other:.2f} s, {threads} threads)"


@functools.cache
def _counted() -> tuple[int, int]:
    """Requests of an unchanged deploy, and of one with 5 files changed and 2 deleted."""
    with tempfile.TemporaryDirectory() as folder, Emulator(rate_limit=None) as host:
        files = [Path(folder) / f"app{number % 10}" / f"file{number}.py" for number in range(100)]
        for file in files:
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"# {file.name}\n")
        api = _api(host, "counted")

        def deploy() -> int:
            before = len(host.requests)
            diff = api.deploy_diff(folder)
            assert diff is not None, api.error_message
            api.deploy(diff, delete=True).raise_for_failures()
            return len(host.requests) - before

        deploy()
        unchanged = deploy()
        for file in files[:5]:
            file.write_text("changed\n")
        for file in files[5:7]:
            file.unlink()
        return unchanged, deploy()


def requests_unchanged() -> str:
    """As the emulator counted them, diff included."""
    return str(_counted()[0])


def requests_changed() -> str:
    """At most changed + deleted + 6, plus a listing for each folder that loses a file."""
    return str(_counted()[1])


@functools.cache
def _throttled() -> tuple[int, int]:
    """How many of 100 requests left in the first second, and how many were refused, on a clock 60 times as fast."""
    del os.environ["PYTHONANYWHERE_RATE_LIMIT"]
    set_clock_speed(60)
    try:
        with Emulator(rate_limit=40) as host, ThreadPoolExecutor(100) as pool:
            api = _api(host, "limited")
            list(pool.map(lambda number: api.deploy_file(f"{number}.txt", b"x"), range(100)))
            log = host.requests
        first = min(request.started for request in log)
        # A second of the fast clock would be 17 ms: too short to send 40 requests on a busy machine. The first slot
        # frees only after 60 of its seconds, so anything well below that counts the burst.
        burst = sum(request.started - first < 50 for request in log)
        return burst, sum(request.status == 429 for request in log)
    finally:
        set_clock_speed(1)
        os.environ["PYTHONANYWHERE_RATE_LIMIT"] = "off"


def sent_at_once() -> str:
    """The burst: all that left before a slot could free itself."""
    return str(_throttled()[0])


def refused() -> str:
    """How often the emulator, which throttles exactly, said no."""
    return str(_throttled()[1])
