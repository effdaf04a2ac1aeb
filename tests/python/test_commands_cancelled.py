"""Ctrl-C ends a command on the host as well, by whatever runs it, and says what became of it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from conftest import environment
from test_before_upload import project_of

from pythonanywhere_api import AsyncPythonanywhereApi, Client
from pythonanywhere_api.testing import set_clock_speed

SLEEPS = """\
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(300)
"""

# Seconds that a test waits for what shall come.
PATIENCE = 120


def is_running(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    try:
        return status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Sleeping:
    """A project whose manage.py sleeps, with an agent."""

    def __init__(self, site):
        self.site = site
        (site.local / "manage.py").write_text(SLEEPS)
        assert site.deploy(executor="none")
        self.state = site.remote.parent / ".pya"
        self.client = Client(site.host.user, site.host.token, site.host.url)
        self.pya = project_of(site, domain=site.domain, site_url=site.host.site_url)

    def processes(self) -> list[int]:
        """Those of the command, once it runs."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for output in self.state.glob("*/work-*/output"):
                words = output.read_text().split()
                if len(words) == 2:
                    return [int(word) for word in words]
            time.sleep(0.02)
        raise AssertionError("the command does not run")

    def check_ended(self, processes: list[int]) -> None:
        """Nothing of it runs, and nothing of it is left."""
        assert not any(is_running(process) for process in processes)
        (receipt,) = [json.loads(path.read_text()) for path in self.state.glob("*/receipt-*.json")]
        assert (receipt["state"], receipt["error"]["kind"]) == ("cancelled", "cancelled")
        assert self.client.always_on.list() == self.client.schedule.list() == []
        for pattern in ("work-*", "maintenance-*", "intent-*", "gone-*"):
            assert self.site.notes(pattern) == []


@pytest.fixture
def sleeping(with_agent):
    return Sleeping(with_agent)


def interrupt(run, how=signal.SIGINT) -> str:
    os.kill(run.pid, how)
    _, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 128 + how
    return err


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("executor", ["webapp", "always_on"])
def test_an_interrupted_command_ends_on_the_host_and_the_site_answers(sleeping, executor, how):
    run = sleeping.pya.start("manage", "--executor", executor, "--", "migrate")
    processes = sleeping.processes()
    err = interrupt(run, how)
    assert "the command was cancelled on the host" in err
    sleeping.check_ended(processes)
    assert "version 1" in sleeping.site.page()
    words = sleeping.pya("history").stdout.split()
    assert "cancelled" in words


@pytest.mark.parametrize("executor", ["webapp", "always_on", "schedule", "console"])
def test_so_does_one_whose_awaited_call_is_cancelled(sleeping, executor):
    site = sleeping.site
    api = site.caller.api(AsyncPythonanywhereApi)
    options = dict(site.via, executor=executor)
    if executor == "console":
        options["console"] = sleeping.client.consoles.create("bash")["id"]
        page = f"{site.host.url}/user/{site.host.user}/consoles/{options['console']}/"
        urllib.request.urlopen(page).close()

    async def wait():
        return await api.manage("migrate", **options)

    async def call():
        task = asyncio.create_task(wait())
        loop = asyncio.get_running_loop()
        processes = await loop.run_in_executor(None, sleeping.processes)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return processes

    set_clock_speed(30 if executor == "schedule" else 1)
    try:
        processes = asyncio.run(call())
        deadline = time.monotonic() + PATIENCE
        while site.notes("work-*") or site.notes("maintenance-*") or any(map(is_running, processes)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        set_clock_speed(1)
    sleeping.check_ended(processes)
    assert "version 1" in site.page()


SCRIPT = """
import asyncio, logging, os
from pythonanywhere_api import AsyncPythonanywhereApi, PythonanywhereApi
logging.basicConfig(format="%(message)s")
via = dict(domain=os.environ["DOMAIN"], site_url=os.environ["SITE_URL"])
try:
    CALL
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "call",
    [
        "PythonanywhereApi.from_env('mysite').manage('migrate', **via)",
        "asyncio.run(AsyncPythonanywhereApi.from_env('mysite').manage('migrate', **via))",
    ],
    ids=["sync", "async"],
)
def test_so_does_one_that_a_python_program_waits_for(sleeping, call):
    site = sleeping.site
    variables = environment(site.host, DOMAIN=site.domain, SITE_URL=site.host.site_url)
    command = [sys.executable, "-c", SCRIPT.replace("CALL", call)]
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        processes = sleeping.processes()
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=PATIENCE)
    assert (run.returncode, out) == (0, "interrupted\n"), err
    assert "the command was cancelled on the host" in err
    sleeping.check_ended(processes)


def test_a_second_interrupt_ends_the_client_at_once(sleeping):
    run = sleeping.pya.start("manage", "--", "migrate")
    processes = sleeping.processes()
    sleeping.site.host.faults.add("hold", method="POST", path="*/cancel", times=1)
    os.kill(run.pid, signal.SIGINT)
    assert sleeping.site.host.wait_held(1, timeout=PATIENCE)
    begun = time.monotonic()
    err = interrupt(run)
    assert time.monotonic() - begun < 3
    assert "interrupted again" in err
    # Nobody told the host.
    assert all(map(is_running, processes))
    for process in processes:
        os.kill(process, signal.SIGKILL)


def test_where_the_host_cannot_be_told_that_is_said(sleeping):
    run = sleeping.pya.start("manage", "--", "migrate")
    processes = sleeping.processes()
    sleeping.site.host.faults.add("status", code=400, method="POST", path="*/cancel", times=20)
    err = interrupt(run)
    assert "could not be told to end on the host" in err
    assert "cancelled on the host" not in err
    assert all(map(is_running, processes))
    for process in processes:
        os.kill(process, signal.SIGKILL)


def test_a_command_that_has_ended_meanwhile_is_not_called_cancelled(sleeping):
    run = sleeping.pya.start("manage", "--", "migrate")
    processes = sleeping.processes()
    sleeping.site.host.faults.add("hold", method="POST", path="*/cancel", times=1)
    os.kill(run.pid, signal.SIGINT)
    assert sleeping.site.host.wait_held(1, timeout=PATIENCE)
    for process in processes:
        os.kill(process, signal.SIGKILL)
    (receipt,) = sleeping.state.glob("*/receipt-*.json")
    while json.loads(receipt.read_text())["state"] == "running":
        time.sleep(0.02)
    sleeping.site.host.release(sleeping.site.host.held()[0].number)
    _, err = run.communicate(timeout=PATIENCE)
    assert "had ended on the host before it could be cancelled, with exit status 137" in err
    assert sleeping.site.notes("work-*") == []


def test_an_interrupted_step_of_a_deploy_ends_is_reported_and_still_owed(sleeping):
    (sleeping.site.local / "version.txt").write_text("2")
    run = sleeping.pya.start("deploy", "--migrate", "--json")
    processes = sleeping.processes()
    os.kill(run.pid, signal.SIGINT)
    out, err = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert not any(map(is_running, processes))
    report = json.loads(out)
    assert [(step["step"], step["ok"]) for step in report["steps"]] == [("migrate", False)]
    assert "migrate was cancelled on the host; it is still owed" in report["stopped"]
    assert report["reloaded"] == []
    assert "run the deploy again" in err
    (note,) = sleeping.state.glob("*/intent-*.json")
    assert json.loads(note.read_text())["steps"] == ["migrate"]
    (sleeping.site.local / "manage.py").write_text("print('done')\n")
    done = sleeping.pya("deploy")
    assert "did not finish migrate" in done.stderr
