"""`pya launch` killed with SIGKILL at each of its requests, those to the site included, and run again: the same end."""

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Pya, environment_of
from launch_projects import FLASK, make_flask_wheel, write
from relay import Exchange, Relay

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
SOAK = bool(os.environ.get("PYTHONANYWHERE_SOAK"))

# Method, path, and the operation of the agent.
Asked = tuple[str, str, str]


class Trap:
    """Kills a process at one of its requests.

    That is `before` the service gets it, `during` its work on it, or `after` that, but before it is answered.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None
        self.stage = ""
        # Which request it is, by the requests of this run so far.
        self.is_it: Callable[[list[Asked]], bool] = lambda _: False
        self.asked: list[Asked] = []

    def set(self, process, stage: str, is_it) -> None:
        with self.lock:
            self.process, self.stage, self.is_it, self.asked = process, stage, is_it, []

    def stage_of(self, asked: Asked) -> str:
        """The stage at which this request ends the process, if it does."""
        with self.lock:
            self.asked.append(asked)
            if self.process is None or self.process.poll() is not None:
                return ""
            return self.stage if self.is_it(self.asked) else ""

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Gate(Relay):
    """The way to the service or to the site, with a trap in it."""

    def __init__(self, url: str, trap: Trap):
        super().__init__(url)
        self.trap = trap
        handler = self.server.RequestHandlerClass
        handler.do_PUT = handler.do_PATCH = handler.do_DELETE = handler.do_GET  # type: ignore[attr-defined]

    def pass_on(self, handler) -> None:
        exchange = Exchange("", handler.rfile.read(int(handler.headers.get("Content-Length") or 0)))
        operation = re.search(r"op=(\w+)", handler.headers.get("X-Pya-Agent", ""))
        # Jobs have ids of their own, and manifests numbers.
        path = re.sub(r"[0-9a-f]{8,}|[0-9]+", "ID", handler.path)
        stage = self.trap.stage_of((handler.command, path, operation[1] if operation else ""))
        if stage == "during":
            threading.Thread(target=self.ask, args=(handler, exchange)).start()
        elif stage != "before":
            self.ask(handler, exchange)
        if stage:
            handler.close_connection = True
            self.trap.kill()
            return
        try:
            self.send(handler, exchange)
        except ConnectionError:
            # It was killed at another request meanwhile.
            handler.close_connection = True


class Launches:
    """An account, and a project that is launched to it."""

    def __init__(self, folder: Path, host: Emulator, trap: Trap, api: Gate, site: Gate):
        self.host, self.trap, self.site = host, trap, site
        self.root = write(folder / "site", FLASK | {".python-version": f"{PYTHON}\n"})
        self.pya = Pya(folder, environment_of(host) | {"PYTHONANYWHERE_SITE": api.url})
        self.pya.environment["PYTHONANYWHERE_RATE_LIMIT"] = "off"
        self.pya.timeout = 600
        self.words = ["launch", self.root, "--site-url", site.url, "--yes", "--no-open", "--json"]
        self.home = Path(host.root) / "home" / host.user

    def launch(self, stage: str, is_it) -> bool:
        """Launches; whether it was killed at a request, or else went well."""
        with self.pya.start(*self.words) as process:
            self.trap.set(process, stage, is_it)
            said = process.communicate()
        assert process.returncode in (0, -signal.SIGKILL), f"{self.trap.asked[-1:]}: {said}"
        return process.returncode != 0

    def check(self) -> None:
        """Everything is there once, and a launch finds nothing to do."""
        self.trap.set(None, "", lambda _: False)
        self.host.clear_requests()
        report = self.pya.json(*self.words[:-1])
        assert (report["ok"], report["warnings"]) == (True, []), report
        assert [request for request in self.host.requests if request.method in WRITES] == []
        with urllib.request.urlopen(self.host.site_url, timeout=60) as answer:
            assert answer.read() == b"Hello from Flask"
        assert len(Client(self.host.user, self.host.token, self.host.url, rate_limit="off").webapps.list()) == 1
        folders = [self.home, self.home / ".virtualenvs"]
        made = [[path.name for path in folder.iterdir() if not path.name.startswith(".")] for folder in folders]
        assert made == [["site"], ["site"]]
        files = {path.name for path in (self.home / "site").iterdir() if path.is_file()}
        assert files == {".python-version", "app.py", "pyproject.toml", "requirements.txt"}
        assert [*self.home.glob(".pya/*/intent-*"), *self.home.glob(".pya/*/work-*")] == []


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    return make_flask_wheel(tmp_path_factory.mktemp("wheels"))


def start(folder: Path, wheels: Path, stack) -> Launches:
    host = stack.enter_context(Emulator(python=sys.executable, package_index=wheels, rate_limit=None))
    trap = Trap()
    api, site = (stack.enter_context(Gate(url, trap)) for url in (host.url, host.site_url))
    return Launches(folder, host, trap, api, site)


@pytest.fixture
def launches(tmp_path, wheels):
    with ExitStack() as stack:
        yield start(tmp_path, wheels, stack)


@pytest.mark.parametrize("stage", ["before", "during", "after"])
def test_killed_at_each_request_in_turn_a_launch_goes_on_to_the_same_end(launches, stage):
    """Each launch is killed at the first request that none before it was killed at: so it gets one request further."""
    known: set[tuple[Asked, bool]] = set()

    def is_new(asked: list[Asked]) -> bool:
        # What is asked several times counts twice.
        last = (asked[-1], asked.count(asked[-1]) > 1)
        is_it = last not in known
        known.add(last)
        return is_it

    while launches.launch(stage, is_new):
        assert len(known) < 200, known
    launches.check()
    operations = {operation for (_, _, operation), _ in known}
    assert {"deploy", "requirements", "venv"} <= operations, operations
    assert len(known) >= 30, known


@pytest.mark.skipif(not SOAK, reason="a fresh account for each request takes minutes: make soak")
@pytest.mark.parametrize("stage", ["before", "during", "after"])
def test_killed_at_any_request_on_a_fresh_account_the_next_launch_ends_it(tmp_path, wheels, stage):
    number, was_killed = 0, True
    while was_killed:
        with ExitStack() as stack:
            launches = start(tmp_path / str(number), wheels, stack)
            was_killed = launches.launch(stage, lambda asked, number=number: len(asked) == number + 1)
            assert not launches.launch("", lambda _: False), f"killed at request {number}"
            launches.check()
        number += 1
    assert number >= 25
