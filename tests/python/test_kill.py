"""A deploy killed with SIGKILL at each request, and a rerun: nothing lost, nothing stale, nothing foreign touched.

Each request is held at the gate twice: before it takes effect, and after it did but before it was answered. That is
where the process is killed, so that every state the host can be left in is tried.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

PROJECT = "site"

# What it loads, it serves until it is reloaded.
WSGI = """\
import os

texts = [open(os.path.expanduser(f"~/site/pkg{number}/m{number}.py")).read().split()[0] for number in range(4)]

def application(environ, start_response):
    start_response("200 OK", [])
    return [" ".join(texts).encode()]
"""


def local_tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


class Deploys:
    """An account with a project that was deployed once, and a local tree that has changed since."""

    def __init__(self, tmp_path: Path, executor: str):
        self.local = tmp_path / "local"
        self.executor = executor
        self.host = Emulator(rate_limit=None, python=sys.executable, account="paid").__enter__()
        self.remote = Path(self.host.root) / "home" / self.host.user / PROJECT
        self.domain = f"{self.host.user}.pythonanywhere.com"
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

    def restore(self) -> None:
        """Puts account and local tree in the state before the deploy that gets killed."""
        # All notes, but not the agent.
        notes = [path for path in (self.remote.parent / ".pya").glob("*") if not path.name.startswith("agent-")]
        for folder in (self.remote, self.local, *notes):
            subprocess.run(["rm", "-rf", folder], check=True)
        self.local.mkdir()
        for number in range(24):
            (self.local / f"pkg{number % 4}").mkdir(exist_ok=True)
            (self.local / f"pkg{number % 4}" / f"m{number}.py").write_text(f"old {number}\n")
        self.deploy().check_returncode()
        # Not ours, and protected: neither may ever be touched.
        (self.remote / "foreign.txt").write_text("somebody's\n")
        (self.remote / "db.sqlite3").write_text("precious\n")
        for number in range(20):
            (self.local / f"pkg{number % 4}" / f"m{number}.py").write_text(f"new {number}\n")
        for number in range(20, 24):
            (self.local / f"pkg{number % 4}" / f"m{number}.py").unlink()
        for number in range(10):
            (self.local / "added").mkdir(exist_ok=True)
            (self.local / "added" / f"n{number}.py").write_text(f"added {number}\n")

    def command(self) -> list[str]:
        options = ["--project", PROJECT, "--delete", "--reload", self.domain, "--json"]
        options += ["--executor", self.executor, "--domain", self.domain, "--site-url", self.host.site_url]
        return [sys.executable, "-m", "pythonanywhere_api", "deploy", str(self.local), *options]

    def deploy(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(), env=self.environment, capture_output=True, text=True, timeout=60)

    def kill_at(self, number: int, stage: str) -> bool:
        """Runs a deploy and kills it at its request `number`; False if it had ended before."""
        self.host.faults.clear()
        self.host.faults.add("hold", after=number, times=1, stage=stage)
        with subprocess.Popen(
            self.command(), env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as run:
            held = False
            while run.poll() is None and not held:
                held = bool(self.host.wait_held(1, timeout=0.05))
            if held:
                os.kill(run.pid, signal.SIGKILL)
            run.communicate()
        self.host.faults.clear()
        for request in self.host.held():
            self.host.release(request.number)
        return held

    def reloads(self) -> int:
        return sum(1 for request in self.host.requests if request.path.endswith("/reload/") and request.status == 200)

    def install_agent(self) -> None:
        words = ["agent", "install", self.domain, "--site-url", self.host.site_url]
        command = [sys.executable, "-m", "pythonanywhere_api", *words]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=60)

    def tasks(self) -> list[dict[str, object]]:
        client = Client(self.host.user, self.host.token, self.host.url)
        return [*client.always_on.list(), *client.schedule.list()]


@pytest.fixture
def deploys(tmp_path, request):
    made = Deploys(tmp_path, request.param)
    made.host.create_webapp(made.domain)
    wsgi = Path(made.host.root) / "var" / "www" / f"{made.domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    if request.param == "webapp":
        made.install_agent()
    yield made
    made.host.__exit__(None, None, None)


# A task's receipt is waited for in seconds, so one stage of it must do.
@pytest.mark.parametrize(
    ("deploys", "stage", "least"),
    [
        ("none", "before", 30),
        ("none", "after", 30),
        ("webapp", "before", 8),
        ("webapp", "after", 8),
        ("always_on", "after", 10),
    ],
    indirect=["deploys"],
)
def test_a_deploy_killed_at_any_request_is_mended_by_the_next(deploys, stage, least):
    number = 0
    while True:
        deploys.restore()
        deploys.host.clear_requests()
        if not deploys.kill_at(number, stage):
            break
        # Never some of the new files and some of the old ones.
        assert len(deploys.served()) == 1, f"killed at request {number}"
        rerun = deploys.deploy()
        assert rerun.returncode == 0, f"killed at request {number}: {rerun.stderr}"
        report = json.loads(rerun.stdout)
        assert report["ok"], report

        remote = local_tree(deploys.remote)
        assert remote.pop("foreign.txt") == b"somebody's\n", f"killed at request {number}"
        assert remote.pop("db.sqlite3") == b"precious\n", f"killed at request {number}"
        assert remote == local_tree(deploys.local), f"killed at request {number}"
        assert deploys.reloads() >= 1, f"killed at request {number}: the site runs the old code"
        left = [path.name for path in (deploys.remote.parent / ".pya").rglob("intent-*")]
        assert left == [], f"killed at request {number}"
        assert deploys.tasks() == [], f"killed at request {number}"
        assert deploys.served() == {"new"}, f"killed at request {number}"
        number += 1
    assert number >= least, "the deploy made fewer requests than it has to"
