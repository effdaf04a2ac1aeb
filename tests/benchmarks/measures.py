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

IMPORT = "import time; before = time.perf_counter(); import {}; print(time.perf_counter() - before)"


def _number(*command: str) -> float:
    """Runs a command that prints a number."""
    done = subprocess.run([sys.executable, *command], check=True, capture_output=True, text=True)
    return float(done.stdout)


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
