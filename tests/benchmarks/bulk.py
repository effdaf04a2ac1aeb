"""Bulk deploys of a real tree, Django's own source, on loopback at the real limit of 40 requests a minute."""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator

DJANGO = "Django==5.2.19"
HOST = Path(__file__).parents[2] / "src" / "host"

WSGI = """\
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""

OVERHEAD = """
import os, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from agent_site import TOKEN, Installed
home = Path({home!r})
os.environ.update(HOME=str(home), API_TOKEN=TOKEN)
original = "def application(environ, start_response):\\n    start_response('200 OK', [])\\n    return [b'']\\n"
installed = Installed(home, original)

def load(text):
    space = {{"__file__": str(installed.wsgi)}}
    exec(compile(text, str(installed.wsgi), "exec"), space)
    return space["application"]

def cost(application):
    environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": None}}
    answer = lambda status, headers: None
    before = time.perf_counter()
    for _ in range(20000):
        application(environ, answer)
    return (time.perf_counter() - before) / 20000

plain, wrapped = load(original), load(installed.stub)
print(sorted(cost(wrapped) - cost(plain) for _ in range(9))[4] * 1e6)
"""


@functools.cache
def source() -> Path:
    """Django's source as its archive has it, from the package index."""
    folder = Path(tempfile.mkdtemp(prefix="pya-bench-"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    subprocess.run([*command, "--dest", folder, DJANGO], check=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder / "source", filter="data")
    (root,) = (folder / "source").iterdir()
    return root


@functools.cache
def _measured() -> dict[str, tuple[int, float]]:
    """Requests to the API and seconds of each step, in one story."""
    del os.environ["PYTHONANYWHERE_RATE_LIMIT"]
    root = source()
    found: dict[str, tuple[int, float]] = {}
    pulled = Path(tempfile.mkdtemp(prefix="pya-bench-"))
    try:
        with Emulator(rate_limit=40, python=sys.executable) as host:
            api: Any = PythonanywhereApi(host.url, host.user, host.token, "django")
            domain = f"{host.user}.pythonanywhere.com"
            host.create_webapp(domain)
            wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
            wsgi.write_text(WSGI)
            via = {"domain": domain, "site_url": host.site_url}

            def step(name: str, act: Callable[[], object]) -> None:
                before, start = len(host.requests), time.monotonic()
                result = act()
                assert result, api.error_message
                found[name] = (len(host.requests) - before, time.monotonic() - start)

            def deploy() -> object:
                diff = api.deploy_diff(root)
                assert diff is not None, api.error_message
                report = api.deploy(diff, reload=[domain], **via)
                assert report.ok, report.stopped
                return report

            step("install", lambda: api.agent.install(domain, host.site_url))
            step("first", deploy)
            step("unchanged", deploy)
            for file in sorted(root.rglob("*.py"))[:200]:
                with file.open("a") as text:
                    text.write("# changed\n")
            step("changed", deploy)
            step("verify", lambda: api.verify(root, **via)["clean"])
            step("pull", lambda: api.pull(pulled, **via))
    finally:
        shutil.rmtree(pulled)
        os.environ["PYTHONANYWHERE_RATE_LIMIT"] = "off"
    return found


def cell(name: str) -> Callable[[], str]:
    """Requests and seconds of a step."""

    def measure() -> str:
        requests, seconds = _measured()[name]
        return f"{requests}, {seconds:.1f} s"

    return measure


def rollback() -> str:
    """Requests and seconds of a rollback of 40 files of 5 MB, without a reload."""
    with tempfile.TemporaryDirectory(prefix="pya-bench-") as folder, Emulator(disk_quota=4 << 30) as host:
        api: Any = PythonanywhereApi(host.url, host.user, host.token, "large")
        domain = f"{host.user}.pythonanywhere.com"
        host.create_webapp(domain)
        assert api.agent.install(domain, host.site_url)
        via = {"domain": domain, "site_url": host.site_url}
        for _ in range(2):
            for number in range(40):
                # Of one random block each, which packs fast.
                Path(folder, f"{number}.bin").write_bytes(os.urandom(1 << 10) * 5_000)
            diff = api.deploy_diff(folder)
            assert diff is not None, api.error_message
            assert api.deploy(diff, **via).kept_for_rollback
        before, start = len(host.requests), time.monotonic()
        assert api.rollback(**via), api.error_message
        return f"{len(host.requests) - before}, {time.monotonic() - start:.1f} s"


def _seconds_to_pack(root: Path) -> float:
    """Runs `bundle.rs` beside this file; cargo builds it at the first call, which is not measured."""
    command = ["cargo", "bench", "--quiet", "--locked", "--no-default-features", "--bench", "bundle", "--", str(root)]
    done = subprocess.run(command, cwd=Path(__file__).parent, check=True, capture_output=True, text=True)
    return float(done.stdout)


def building() -> str:
    """The same files, packed by us and by tar and gzip, in turns."""
    root = source()
    ours, theirs = [], []
    for _ in range(3):
        ours.append(_seconds_to_pack(root))
        start = time.monotonic()
        subprocess.run("tar c . | gzip -6 > /dev/null", shell=True, cwd=root, check=True)  # noqa: S602
        theirs.append(time.monotonic() - start)
    mine, other = statistics.median(ours), statistics.median(theirs)
    return f"{mine / other:.2f}  ({mine:.2f} s, {other:.2f} s)"


def agent_overhead() -> str:
    """What the agent adds to a request that is not for it."""
    tests = str(Path(__file__).parents[1] / "python")
    with tempfile.TemporaryDirectory() as home:
        program = OVERHEAD.format(tests=tests, home=home)
        done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return f"{float(done.stdout):.2f} µs"
