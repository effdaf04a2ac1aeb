"""Tasks that a deploy makes, and what becomes of them when it is cut off: nobody's account may be left with one."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from command import Pya, environment_of

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator, advance_clock

DAY = 24 * 3600


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        yield host


class Project:
    """A project that is being deployed by a task which will not start for a minute or two."""

    def __init__(self, folder: Path, host: Emulator):
        self.host = host
        self.client = Client(host.user, host.token, host.url)
        for number in range(30):
            (folder / f"m{number}.py").write_text(f"{number}\n")
        (folder / "pyproject.toml").write_text('[tool.pythonanywhere]\nproject = "mysite"\n')
        self.pya = Pya(folder, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
        self.home = Path(host.root) / "home" / host.user
        self.run = self.pya.start("deploy", "--executor", "schedule", "--json")
        while not self.client.schedule.list():
            assert self.run.poll() is None, self.run.communicate()
            time.sleep(0.02)

    def state(self) -> Path:
        (state,) = (self.home / ".pya").iterdir()
        return state

    def end(self, how: int) -> int:
        os.kill(self.run.pid, how)
        self.out, self.err = self.run.communicate(timeout=60)
        return self.run.returncode

    def deployed(self) -> list[str]:
        return sorted(path.name for path in (self.home / "mysite").glob("*"))


@pytest.fixture
def project(tmp_path, host):
    project = Project(tmp_path, host)
    yield project
    if project.run.poll() is None:
        project.end(signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_deploy_takes_its_task_with_it(project, how):
    assert project.end(how) == 128 + how
    assert project.client.schedule.list() == []
    assert list(project.home.rglob("bundle-*")) == []
    assert json.loads(project.out)["uploaded"] == []
    assert project.deployed() == []
    assert project.pya.json("deploy", "--executor", "none")["ok"]
    assert len(project.deployed()) == 31


def test_an_interrupted_command_leaves_neither_task_nor_note(tmp_path, host):
    (tmp_path / "pyproject.toml").write_text('[tool.pythonanywhere]\nproject = "mysite"\n')
    (tmp_path / "a.txt").write_text("a")
    pya = Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
    client = Client(host.user, host.token, host.url)
    pya("deploy", "--executor", "none")
    # Somebody else's job goes on meanwhile, under a note of its own.
    (state,) = (Path(host.root) / "home" / host.user / ".pya").iterdir()
    other = client.always_on.create(
        "sleep 600", description=f"pya job {state.name} {'a' * 16} {'a' * 16} (made by pya)"
    )
    run = pya.start("run", "--executor", "always_on", "--", "sleep", "600")
    while len(client.always_on.list()) < 2:
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)
    assert len(list(state.glob("maintenance-*"))) == 1
    os.kill(run.pid, signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    assert [task["id"] for task in client.always_on.list()] == [other["id"]]
    assert list(state.glob("maintenance-*")) == list(state.glob("intent-*")) == list(state.glob("work-*")) == []
    done = pya("deploy", "--executor", "none")
    assert "was interrupted" not in done.stderr


@pytest.mark.parametrize(
    ("stage", "is_answered"), [("before", True), ("after", True), ("after", False)], ids=["asked", "made", "unanswered"]
)
@pytest.mark.parametrize(
    ("executor", "path"), [("always_on", "*/always_on/"), ("schedule", "*/schedule/")], ids=["always_on", "schedule"]
)
def test_a_task_that_is_being_made_when_its_command_is_interrupted_goes_too(
    tmp_path, host, executor, path, stage, is_answered
):
    """The client is interrupted before it knows of its task; on a busy machine that is soon the usual case."""
    (tmp_path / "pyproject.toml").write_text('[tool.pythonanywhere]\nproject = "mysite"\n')
    (tmp_path / "a.txt").write_text("a")
    pya = Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
    pya("deploy", "--executor", "none")
    (state,) = (Path(host.root) / "home" / host.user / ".pya").iterdir()
    host.faults.add("hold", method="POST", path=path, times=1, stage=stage)
    run = pya.start("run", "--executor", executor, "--", "sleep", "600")
    assert host.wait_held(1, timeout=120)
    os.kill(run.pid, signal.SIGINT)
    # Its last word before it clears up.
    assert "interrupted" in run.stderr.readline()
    if is_answered:
        host.release(host.held()[0].number)
    run.communicate(timeout=60)
    assert run.returncode == 130
    client = Client(host.user, host.token, host.url)
    assert client.always_on.list() == client.schedule.list() == []
    assert list(state.glob("maintenance-*")) == list(state.glob("work-*")) == []


@pytest.mark.parametrize("command", [["diff"], ["deploy", "--executor", "none"], ["verify", "--executor", "always_on"]])
def test_the_task_of_a_killed_deploy_goes_with_the_next_command(project, command):
    project.end(signal.SIGKILL)
    assert len(project.client.schedule.list()) == 1
    mine = project.client.schedule.create("true", 5, hour=3, description="pya job of somebody else")
    done = project.pya.start(*command)
    done.communicate(timeout=60)
    assert [task["id"] for task in project.client.schedule.list()] == [mine["id"]]
    assert project.client.always_on.list() == []


@pytest.mark.parametrize("command", [["history"], ["verify"], ["pull", "copy"], ["manage", "--", "check"]])
def test_so_it_does_where_an_agent_does_the_work(project, command):
    domain = project.host.user + ".pythonanywhere.com"
    project.host.create_webapp(domain)
    project.end(signal.SIGKILL)
    settings = project.pya.folder / "pyproject.toml"
    settings.write_text(settings.read_text() + f'domain = "{domain}"\nsite_url = "{project.host.site_url}"\n')
    project.pya("agent", "install")
    assert len(project.client.schedule.list()) == 1
    project.pya.start(*command).communicate(timeout=60)
    assert project.client.schedule.list() == []


def age(path: Path, *fields: str) -> None:
    """As if a day had passed since a note was written."""
    note = json.loads(path.read_text())
    path.write_text(json.dumps(note | {field: note[field] - DAY for field in fields}))


def test_a_task_that_fires_a_day_later_applies_nothing(project):
    project.end(signal.SIGKILL)
    state = project.state()
    (intent,) = state.glob("intent-*.json")
    (job,) = state.glob("work-*/job.json")
    age(intent, "since", "expires")
    age(job, "created")
    before = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    (task,) = project.client.schedule.list()
    advance_clock(DAY)
    log = project.home.parent.parent / "var" / "log" / Path(task["logfile"]).name
    for _ in range(1200):
        if log.exists() and "too old to start" in log.read_text():
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"the task did not fire: {[path.name for path in log.parent.iterdir()]}")
    assert project.deployed() == []
    assert {path: path.read_bytes() for path in state.rglob("*") if path.is_file()} == before


def test_a_task_that_fires_after_its_deploy_was_taken_over_applies_nothing(project):
    project.end(signal.SIGKILL)
    # Somebody without a way to delete the task deploys something else meanwhile.
    (project.pya.folder / "m1.py").write_text("newer\n")
    tasks = project.client.schedule.list()
    project.host.faults.add("status", code=500, path="*/schedule/*", method="DELETE", times=20)
    assert project.pya("deploy", "--executor", "none", code=1).stdout == ""
    project.host.faults.clear()
    assert project.pya.json("deploy", "--executor", "none")["ok"]
    assert tasks
    # Nor does anything stay that it would have worked with.
    assert list(project.state().glob("work-*")) == []
    assert project.client.schedule.list() == []
    assert (project.home / "mysite" / "m1.py").read_text() == "newer\n"
