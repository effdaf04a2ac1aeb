"""A deploy killed with SIGKILL at each request, and a rerun: nothing lost, nothing stale, nothing foreign touched.

Each request is held at the gate twice: before it takes effect, and after it did but before it was answered. That is
where the process is killed, so that every state the host can be left in is tried.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from bulk_site import agent_without_bundles
from sites import all_files

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator, advance_clock

pytestmark = pytest.mark.slow

PROJECT = "site"
DAY = 24 * 3600

# The modules whose number is below CHANGED are changed, the others deleted.
MODULES, CHANGED, ADDED = 12, 8, 5

# What it loads, it serves until it is reloaded.
WSGI = """\
import os

texts = [open(os.path.expanduser(f"~/site/pkg{number}/m{number}.py")).read().split()[0] for number in range(4)]

def application(environ, start_response):
    start_response("200 OK", [])
    return [" ".join(texts).encode()]
"""

# The command `pya` with a clock that runs fast and jumps when it is told to: a task's receipt is waited for in minutes.
IN_A_HURRY = """\
import pathlib, sys, threading, time
from pythonanywhere_api.__main__ import main
from pythonanywhere_api.testing import advance_clock, set_clock_speed

jump, sys.argv[1:] = pathlib.Path(sys.argv[1]), sys.argv[2:]
set_clock_speed(10)

def wait():
    while not jump.exists():
        time.sleep(0.01)
    advance_clock(130)

threading.Thread(target=wait, daemon=True).start()
sys.exit(main())
"""


class Deploys:
    """An account with a project that was deployed once, and a local tree that has changed since."""

    # What `pya` is started with to be killed, if not with a deploy.
    words: list[str] | None = None
    serves = "old"

    def __init__(self, tmp_path: Path, executor: str):
        self.local, self.before, self.jump = tmp_path / "local", tmp_path / "before", tmp_path / "jump"
        self.executor = executor
        self.host = Emulator(rate_limit=None, python=sys.executable, account="paid").__enter__()
        self.remote = Path(self.host.root) / "home" / self.host.user / PROJECT
        self.domain = f"{self.host.user}.pythonanywhere.com"
        self.client = Client(self.host.user, self.host.token, self.host.url, rate_limit="off")
        self.environment = os.environ | {
            "API_TOKEN": self.host.token,
            "PYTHONANYWHERE_USERNAME": self.host.user,
            "PYTHONANYWHERE_SITE": self.host.url,
            "PYTHONANYWHERE_RATE_LIMIT": "off",
        }

    def served(self) -> set[str]:
        """Which versions of the files the site shows."""
        with urllib.request.urlopen(self.host.site_url, timeout=30) as answer:
            return set(answer.read().decode().split())

    def prepare(self) -> None:
        """Deploys the old tree, and changes the local one."""
        self.local.mkdir()
        for number in range(MODULES):
            (self.local / f"pkg{number % 4}").mkdir(exist_ok=True)
            (self.local / f"pkg{number % 4}" / f"m{number}.py").write_text(f"old {number}\n")
        (self.local / "images").mkdir()
        for number in range(3):
            (self.local / "images" / f"{number}.jpg").write_bytes(random.Random(number).randbytes(2000))
        self.deploy("none").check_returncode()
        # Not ours, and protected: neither may ever be touched.
        (self.remote / "foreign.txt").write_text("somebody's\n")
        (self.remote / "db.sqlite3").write_text("precious\n")
        for number in range(CHANGED):
            (self.local / f"pkg{number % 4}" / f"m{number}.py").write_text(f"new {number}\n")
        for number in range(CHANGED, MODULES):
            (self.local / f"pkg{number % 4}" / f"m{number}.py").unlink()
        for number in range(ADDED):
            (self.local / "added").mkdir(exist_ok=True)
            (self.local / "added" / f"n{number}.py").write_text(f"added {number}\n")
        # What an executor copies on the host.
        (self.local / "images").rename(self.local / "pictures")
        for folder in self.changing():
            shutil.copytree(folder, self.before / folder.name)

    def changing(self) -> list[Path]:
        """The project and its notes, but not the agent."""
        notes = self.remote.parent / ".pya"
        return [self.remote, *(path for path in notes.glob("*") if not path.name.startswith("agent-"))]

    def restore(self) -> None:
        """Puts the account in the state before the deploy that gets killed."""
        for folder in self.changing():
            shutil.rmtree(folder)
        for folder in self.before.iterdir():
            parent = self.remote.parent if folder.name == PROJECT else self.remote.parent / ".pya"
            shutil.copytree(folder, parent / folder.name)
        self.jump.unlink(missing_ok=True)
        self.client.webapps.reload(self.domain)
        assert self.served() == {self.serves}
        self.host.clear_requests()

    def command(self, executor: str) -> list[str]:
        options = ["--project", PROJECT, "--delete", "--reload", self.domain, "--json"]
        options += ["--executor", executor, "--domain", self.domain, "--site-url", self.host.site_url]
        words = self.words or ["deploy", str(self.local), *options]
        return [sys.executable, "-c", IN_A_HURRY, str(self.jump), *words]

    def deploy(self, executor: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(executor), env=self.environment, capture_output=True, text=True, timeout=240)

    def kill_at(self, number: int, stage: str) -> bool:
        """Runs a deploy and kills it at its request `number`; False if it had ended before."""
        self.host.faults.clear()
        self.host.faults.add("hold", after=number, times=1, stage=stage)
        with subprocess.Popen(
            self.command(self.executor), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as run:
            held = False
            while run.poll() is None and not held:
                held = bool(self.host.wait_held(1, timeout=0.02))
                if not held and not self.jump.exists() and self.is_scheduled():
                    # It is two minutes until the task is due.
                    advance_clock(130)
                    self.jump.touch()
            if held:
                os.kill(run.pid, signal.SIGKILL)
            run.communicate()
        self.host.faults.clear()
        for request in self.host.held():
            self.host.release(request.number)
        return held

    def is_scheduled(self) -> bool:
        """Whether a task was made, as far as the log of requests tells."""
        return any(
            request.path.endswith("/schedule/") and (request.method, request.status) == ("POST", 201)
            for request in self.host.requests
        )

    def reloads(self) -> int:
        return sum(1 for request in self.host.requests if request.path.endswith("/reload/") and request.status == 200)

    def install_agent(self) -> None:
        words = ["agent", "install", self.domain, "--site-url", self.host.site_url]
        command = [sys.executable, "-m", "pythonanywhere_api", *words]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=240)
        # What goes by the site has tests of its own; here each request is one of the API.
        agent_without_bundles(self.host, self.domain)

    def tasks(self) -> list[dict[str, object]]:
        return [*self.client.always_on.list(), *self.client.schedule.list()]

    def wait_for_the_runner(self) -> None:
        """The killed deploy may have left one at work: until nothing has changed for a second."""

        def seen() -> list[tuple[str, int]]:
            paths = sorted(path for folder in self.changing() for path in folder.rglob("*"))
            return [(str(path), path.stat().st_mtime_ns) for path in paths if path.exists()]

        last, since = None, time.monotonic()
        while time.monotonic() - since < 1:
            try:
                now = seen()
            except FileNotFoundError:
                now = None
            if now is None or now != last:
                last, since = now, time.monotonic()
            time.sleep(0.05)

    def let_a_day_pass(self) -> None:
        """The daily task fires once more, if there is one, and finds notes that are a day old."""
        tasks = self.client.schedule.list()
        if not tasks:
            return
        self.wait_for_the_runner()
        for path in [*self.remote.parent.glob(".pya/*/intent-*"), *self.remote.parent.glob(".pya/*/work-*/job.json")]:
            note = json.loads(path.read_text())
            times = {name: note[name] - DAY for name in ("since", "expires", "created") if note.get(name)}
            path.write_text(json.dumps(note | times))
        before = all_files(self.remote)
        log = Path(self.host.root) / "var" / "log" / Path(tasks[0]["logfile"]).name
        runs = log.read_text().count("Completed task") if log.exists() else 0
        advance_clock(DAY)
        deadline = time.monotonic() + 120
        while not log.exists() or log.read_text().count("Completed task") == runs:
            assert time.monotonic() < deadline, log.read_text() if log.exists() else "the task did not fire"
            time.sleep(0.02)
        assert all_files(self.remote) == before


@pytest.fixture
def deploys(tmp_path, request):
    made = Deploys(tmp_path, request.param)
    made.host.create_webapp(made.domain)
    wsgi = Path(made.host.root) / "var" / "www" / f"{made.domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    if request.param == "webapp":
        made.install_agent()
    made.prepare()
    yield made
    made.host.__exit__(None, None, None)


@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize(
    ("deploys", "least"),
    [("none", 30), ("webapp", 7), ("always_on", 12), ("schedule", 12)],
    indirect=["deploys"],
)
def test_a_deploy_killed_at_any_request_is_mended_by_the_next(deploys, stage, least):
    number, left_a_task = 0, 0
    while True:
        deploys.restore()
        if not deploys.kill_at(number, stage):
            break
        # Never some of the new files and some of the old ones.
        assert len(deploys.served()) == 1, f"killed at request {number}"
        if deploys.executor == "schedule":
            left_a_task += bool(deploys.tasks())
            deploys.let_a_day_pass()
        # Whatever way it went, the next one may go another.
        rerun = deploys.deploy("none" if deploys.executor == "schedule" else deploys.executor)
        assert rerun.returncode == 0, f"killed at request {number}: {rerun.stderr}"
        report = json.loads(rerun.stdout)
        assert report["ok"], report

        remote = all_files(deploys.remote)
        assert remote.pop("foreign.txt") == b"somebody's\n", f"killed at request {number}"
        assert remote.pop("db.sqlite3") == b"precious\n", f"killed at request {number}"
        assert remote == all_files(deploys.local), f"killed at request {number}"
        assert deploys.reloads() >= 1, f"killed at request {number}: the site runs the old code"
        left = [path.name for path in (deploys.remote.parent / ".pya").rglob("intent-*")]
        assert left == [], f"killed at request {number}"
        assert deploys.tasks() == [], f"killed at request {number}"
        assert deploys.served() == {"new"}, f"killed at request {number}"
        number += 1
    assert number >= least, f"the deploy made {number} requests, fewer than it has to"
    # Killed where it looks for the receipt, and where it deletes the task. A slow host is looked at more often.
    assert deploys.executor != "schedule" or left_a_task >= 2


@pytest.mark.parametrize("stage", ["before", "after"])
@pytest.mark.parametrize("deploys", ["webapp"], indirect=["deploys"])
def test_a_rollback_killed_at_any_request_is_finished_by_the_next(deploys, stage):
    old = all_files(deploys.remote)
    deploys.deploy("webapp").check_returncode()
    new = all_files(deploys.remote)
    assert old.keys() - new.keys() == {f"images/{number}.jpg" for number in range(3)} | {
        f"pkg{number % 4}/m{number}.py" for number in range(CHANGED, MODULES)
    }
    shutil.rmtree(deploys.before)
    for folder in deploys.changing():
        shutil.copytree(folder, deploys.before / folder.name)
    deploys.serves = "new"
    (history,) = [json.loads(path.read_text())["history"] for path in deploys.before.rglob("manifest-*.json")]
    options = ["--project", PROJECT, "--executor", "webapp", "--domain", deploys.domain, "--json"]
    options += ["--site-url", deploys.host.site_url, "--reload", deploys.domain]
    deploys.words = ["rollback", history[-1]["id"], *options]

    number = 0
    while True:
        deploys.restore()
        if not deploys.kill_at(number, stage):
            break
        deploys.wait_for_the_runner()
        assert len(deploys.served()) == 1, f"killed at request {number}"
        is_over = all_files(deploys.remote) == old and not list(deploys.remote.parent.glob(".pya/*/intent-*"))
        rerun = deploys.deploy("webapp")
        # What was done whole, and only not answered any more, is not done again.
        assert rerun.returncode == 0 or is_over, f"killed at request {number}: {rerun.stderr}"
        assert all_files(deploys.remote) == old, f"killed at request {number}"
        assert deploys.reloads() >= 1, f"killed at request {number}: the site runs the old code"
        assert list(deploys.remote.parent.glob(".pya/*/intent-*")) == [], f"killed at request {number}"
        assert deploys.served() == {"old"}, f"killed at request {number}"
        number += 1
    assert number >= 5, f"the rollback made {number} requests, fewer than it has to"
