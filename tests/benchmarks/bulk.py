"""Bulk deploys of a real tree, Django's own source, on loopback at the real limit of 40 requests a minute."""

from __future__ import annotations

import contextlib
import functools
import importlib
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


def make_webapp(host: Emulator) -> str:
    """Makes the account's web app, with an application in it; its domain."""
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    return domain


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
            domain = make_webapp(host)
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


@functools.cache
def _by_site() -> dict[str, str]:
    """What a diff by the site costs where each answer of service and site takes 300 ms."""
    del os.environ["PYTHONANYWHERE_RATE_LIMIT"]
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, Emulator(rate_limit=40, latency=0.3, python=sys.executable) as host:
        domain = make_webapp(host)
        log = Path(host.root) / "var" / "log" / f"{domain}.access.log"
        api: Any = PythonanywhereApi(host.url, host.user, host.token, "site")
        via = {"domain": domain, "site_url": host.site_url}
        root = Path(folder)
        for number in range(100):
            (root / f"{number}.py").write_text(f"x = {number}\n")
        assert api.agent.install(domain, host.site_url), api.error_message
        assert api.deploy(api.deploy_diff(root), reload=[domain], **via).ok
        # The first answer sends the manifest.
        assert api.deploy_diff(root, **via) is not None

        def step(name: str, act: Callable[[], object]) -> None:
            requests, pages, start = len(host.requests), log.read_text().count("\n"), time.monotonic()
            assert act(), api.error_message
            seconds = time.monotonic() - start
            requests, pages = len(host.requests) - requests, log.read_text().count("\n") - pages
            found[name] = f"{requests} API, {pages} site, {seconds:.1f} s"

        def one_file(content: str = "changed\n") -> bool:
            (root / "1.py").write_text(content)
            report = api.deploy(api.deploy_diff(root, **via), reload=[domain], health_url="/", **via)
            return bool(report.ok)

        step("unchanged", lambda: api.deploy(api.deploy_diff(root, **via), reload=[domain], **via).ok)
        step("verify", lambda: api.verify(root, **via)["clean"])
        step("one file", one_file)
        step("rollback", lambda: api.rollback(reload=[domain], **via) is not None)
        step("ten files", lambda: all(one_file(f"changed {number}\n") for number in range(10)))
    os.environ["PYTHONANYWHERE_RATE_LIMIT"] = "off"
    return found


def by_site(name: str) -> Callable[[], str]:
    """Requests to API and site, and seconds, of a step at 300 ms a request."""
    return lambda: _by_site()[name]


def first_by_site() -> str:
    """Requests to API and site, and seconds, of the first deploy of Django's source where the agent is known."""
    root = source()
    del os.environ["PYTHONANYWHERE_RATE_LIMIT"]
    with Emulator(rate_limit=40, python=sys.executable) as host:
        domain = make_webapp(host)
        log = Path(host.root) / "var" / "log" / f"{domain}.access.log"
        api: Any = PythonanywhereApi(host.url, host.user, host.token, "django")
        via = {"domain": domain, "site_url": host.site_url}
        assert api.agent.install(domain, host.site_url), api.error_message
        requests, pages, start = len(host.requests), log.read_text().count("\n"), time.monotonic()
        report = api.deploy(api.deploy_diff(root, **via), reload=[domain], **via)
        assert report.ok, report.stopped
        seconds = time.monotonic() - start
        requests, pages = len(host.requests) - requests, log.read_text().count("\n") - pages
    os.environ["PYTHONANYWHERE_RATE_LIMIT"] = "off"
    return f"{requests} API, {pages} site, {seconds:.1f} s"


# What `rsync -az` sends for a renamed folder of 50 MB in 400 files, where rsync is not installed: measured once.
RSYNC_BYTES = 52_500_000


def _rsync_bytes(old: Path, new: Path) -> int:
    """What `rsync -az` sends to a copy of the old folder for the new one."""
    if not shutil.which("rsync"):
        return RSYNC_BYTES
    with tempfile.TemporaryDirectory(prefix="pya-bench-") as there:
        subprocess.run(["rsync", "-a", old, there], check=True)
        command = ["rsync", "-az", "--no-whole-file", "--stats", str(new), there]
        stats = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (line,) = (line for line in stats.splitlines() if line.startswith("Total bytes sent:"))
    return int(line.rpartition(":")[2].replace(",", ""))


# Tests have a relay that sees what goes to a site.
sys.path.append(str(Path(__file__).parents[1] / "python"))


@functools.cache
def _moved() -> dict[str, tuple[int, int, float]]:
    """Bytes, requests to API and site, and seconds of deploys of content that the host has, or that many files have."""
    found: dict[str, tuple[int, int, float]] = {}
    local = Path(tempfile.mkdtemp(prefix="pya-bench-"))
    try:
        with contextlib.ExitStack() as stack:
            host = stack.enter_context(Emulator(rate_limit=None, python=sys.executable))
            domain = make_webapp(host)
            # Bundles go to the site, so what is sent there counts as well.
            relay: Any = stack.enter_context(importlib.import_module("relay").Relay(host.site_url))
            via = {"domain": domain, "site_url": relay.url}
            first: Any = PythonanywhereApi(host.url, host.user, host.token, "renamed")
            assert first.agent.install(domain, relay.url), first.error_message

            def deploy(name: str, root: Path) -> None:
                api: Any = PythonanywhereApi(host.url, host.user, host.token, root.name)
                before, pages, start = len(host.requests), len(relay.seen), time.monotonic()
                diff = api.deploy_diff(root, **via)
                assert diff is not None, api.error_message
                report = api.deploy(diff, executor="webapp", delete=True, max_delete=10_000, reload=[domain], **via)
                assert report.ok, report.stopped
                sent = [request.bytes_in for request in host.requests[before:]]
                sent += [len(exchange.body) for exchange in relay.seen[pages:]]
                found[name] = (sum(sent), len(sent), time.monotonic() - start)

            renamed, copies, django = local / "renamed", local / "copies", local / "django"
            (renamed / "old").mkdir(parents=True)
            for number in range(400):
                (renamed / "old" / f"{number}.jpg").write_bytes(os.urandom(125_000))
            deploy("filled", renamed)
            shutil.copytree(renamed / "old", local / "before" / "old")
            (renamed / "old").rename(renamed / "new")
            deploy("renamed", renamed)
            copies.mkdir()
            content = os.urandom(1_000_000)
            for number in range(20):
                (copies / f"{number}.bin").write_bytes(content)
            deploy("copies", copies)
            shutil.copytree(source(), django)
            deploy("django", django)
            django.rename(local / "moved")
            django.mkdir()
            (local / "moved").rename(django / "down")
            deploy("moved", django)
            rsync = _rsync_bytes(local / "before" / "old", renamed / "new")
            found["rsync"] = (rsync, 0, 0.0)
    finally:
        shutil.rmtree(local)
    return found


def renamed() -> str:
    """The bytes of the requests' bodies, as the emulator and a relay before the site counted them."""
    (ours, requests, _), (theirs, _, _) = _moved()["renamed"], _moved()["rsync"]
    return f"1/{theirs / ours:.0f}  ({ours / 1e3:.1f} kB in {requests} requests, {theirs / 1e6:.1f} MB)"


def copied(name: str) -> Callable[[], str]:
    """Bytes, requests and seconds."""

    def measure() -> str:
        count, requests, seconds = _moved()[name]
        return f"{count / 1e3:.0f} kB, {requests}, {seconds:.1f} s"

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
