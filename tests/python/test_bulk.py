"""Deploys as one bundle, and what else a job on the host can do, for both classes, by real processes."""

import json
import os
import shutil
import socket
import stat
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from conftest import Caller, project_folder, write_tree
from runner_host import load as load_runner
from sites import files_below

from pythonanywhere_api import AsyncPythonanywhereApi, Client, ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator, advance_clock, set_clock_speed

WSGI = """\
import os

def application(environ, start_response):
    version = open(os.path.expanduser("~/mysite/version.txt")).read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"version {version} at {environ['PATH_INFO']}".encode()]
"""

MANAGE = """\
import sys

words = sys.argv[1:]
print("manage.py", *words)
if "migrate" in words:
    print("  Applying pages.0002_title... OK")
sys.exit(3 if "fail" in open("version.txt").read() else 0)
"""


class Site:
    """A web app of an account, and a project on this machine that is deployed to it."""

    def __init__(self, caller: Caller, local: Path, python: str = sys.executable):
        self.caller, self.local, self.host = caller, local, caller.emulator
        self.api = caller.api()
        self.domain = f"{self.host.user}.pythonanywhere.com"
        self.host.create_webapp(self.domain)
        self.wsgi = Path(self.host.root) / "var" / "www" / f"{self.domain.replace('.', '_')}_wsgi.py"
        self.wsgi.write_text(WSGI)
        self.remote = project_folder(self.host)
        self.via = {"domain": self.domain, "site_url": self.host.site_url}

    def run(self, result):
        value = self.caller.run(result)
        assert value is not None, self.api.error_message
        return value

    def write(self, version: str) -> None:
        for number in range(50):
            path = self.local / f"pkg{number % 5}" / f"m{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{version} {number}\n")
        (self.local / "version.txt").write_text(version)
        (self.local / "manage.py").write_text(MANAGE)

    def deploy(self, **options):
        diff = self.run(self.api.deploy_diff(self.local))
        return self.run(self.api.deploy(diff, **{"reload": [self.domain], "delete": True, **self.via, **options}))

    def page(self, path: str = "/") -> str:
        with urllib.request.urlopen(self.host.site_url + path, timeout=30) as answer:
            return answer.read().decode()

    def notes(self, pattern: str) -> list[str]:
        return sorted(path.name for path in (self.remote.parent / ".pya").rglob(pattern))


@pytest.fixture(params=[PythonanywhereApi, AsyncPythonanywhereApi], ids=["sync", "async"])
def site(request, unlimited, tmp_path):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        made = Site(Caller(request.param, host), tmp_path / "local")
        made.write("1")
        yield made


@pytest.fixture
def with_agent(site):
    change = site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert change == {"changed": True, "warnings": []}
    return site


def test_an_agent_is_installed_in_few_requests_and_removed_without_a_trace(site):
    site.host.clear_requests()
    agent, url = site.api.agent, site.host.site_url
    assert site.run(agent.install(site.domain, url))["changed"]
    assert len(site.host.requests) <= 10
    assert site.run(agent.status(site.domain, url))["ready"]
    write_tree(site.host, {"version.txt": b"0"})
    assert site.page("/x") == "version 0 at /x"

    # Twice is once.
    before = site.wsgi.read_bytes()
    assert not site.run(agent.install(site.domain, url))["changed"]
    assert site.wsgi.read_bytes() == before

    assert site.run(agent.remove(site.domain, url))["changed"]
    assert site.wsgi.read_text() == WSGI
    assert site.notes("agent*") == []
    status = site.run(agent.status(site.domain, url))
    assert (status["ready"], status["status"]) == (False, "not installed")
    assert site.page("/x") == "version 0 at /x"


def test_a_changed_wsgi_file_is_shown_and_kept(with_agent):
    site, agent = with_agent, with_agent.api.agent
    site.wsgi.write_text(site.wsgi.read_text() + "# mine\n")
    changed = site.wsgi.read_bytes()
    for call in (agent.remove, agent.install):
        with pytest.raises(ConfigError, match=r"(?s)changed since the agent was installed.*\+# mine"):
            site.run(call(site.domain, site.host.site_url))
        assert site.wsgi.read_bytes() == changed
    assert site.run(agent.remove(site.domain, site.host.site_url, force=True))["changed"]
    assert site.wsgi.read_text() == WSGI


def test_a_replaced_wsgi_file_is_no_installed_agent(with_agent):
    site, agent = with_agent, with_agent.api.agent
    site.wsgi.write_text(WSGI + "# anew\n")
    assert site.run(agent.status(site.domain, site.host.site_url))["status"] == "not installed"
    change = site.run(agent.remove(site.domain, site.host.site_url))
    assert not change["changed"]
    assert "was replaced since" in change["warnings"][0]


def test_a_status_says_why_an_agent_is_silent(with_agent):
    site = with_agent
    client = Client(site.host.user, site.host.token, site.host.url)

    def why() -> str:
        status = site.run(site.api.agent.status(site.domain, site.host.site_url))
        assert not status["ready"]
        return status["status"]

    # The agent's own code is damaged: the application runs all the same.
    folder = site.remote.parent / ".pya" / f"agent-{site.domain}"
    (folder / "agent.py").write_text("import nothing_of_the_kind")
    (folder / "loaded.json").unlink()
    client.webapps.reload(site.domain)
    assert site.deploy(executor="none")
    assert site.page() == "version 1 at /"
    assert "was not loaded since" in why()
    client.webapps.disable(site.domain)
    assert "disabled" in why()


def test_a_first_deploy_goes_as_one_bundle(with_agent):
    site = with_agent
    names = ["a#b.txt", "ü.txt", "u\u0308.txt", "日本.txt", "-dash", "per%20cent", "plus+", "e" * 255, "sp ace/x;y"]
    for name in names:
        path = site.local / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    (site.local / "empty").touch()
    (site.local / "run.sh").write_text("#!/bin/sh\n")
    (site.local / "run.sh").chmod(0o755)
    site.host.clear_requests()
    report = site.deploy()
    assert report.ok, report.stopped
    assert (report.executor, report.kept_for_rollback) == ("webapp", True)
    assert len(site.host.requests) <= 12
    assert report.requests == len(site.host.requests) - 2
    assert files_below(site.remote) == files_below(site.local)
    assert stat.S_IMODE(os.stat(site.remote / "run.sh").st_mode) == 0o755
    assert not [warning for warning in report.warnings if "chmod" in warning]
    assert site.page() == "version 1 at /"
    assert site.notes("intent-*") == site.notes("work-*") == []

    # What the runner wrote is what the next diff reads: nothing changed.
    site.host.clear_requests()
    report = site.deploy()
    assert (report.ok, report.uploaded) == (True, [])
    assert len(site.host.requests) == 2


def test_a_change_deletes_what_is_gone_and_nothing_else(with_agent):
    site = with_agent
    assert site.deploy()
    (site.remote / "foreign.txt").write_text("somebody's")
    (site.remote / "db.sqlite3").write_text("precious")
    site.write("2")
    for number in range(0, 50, 5):
        (site.local / "pkg0" / f"m{number}.py").unlink()
    report = site.deploy(max_delete=10)
    assert report.ok, report.stopped
    assert len(report.deleted) == 10
    remote = files_below(site.remote)
    assert (remote.pop("foreign.txt"), remote.pop("db.sqlite3")) == (b"somebody's", b"precious")
    assert remote == files_below(site.local)
    assert not (site.remote / "pkg0").exists()
    assert site.page() == "version 2 at /"
    assert site.notes("manifest-*") == ["manifest-2.json"]


def test_few_changes_go_one_by_one_and_none_is_never_asked_for(with_agent):
    site = with_agent
    assert site.deploy()
    (site.local / "version.txt").write_text("2")
    report = site.deploy()
    assert (report.executor, report.uploaded) == ("none", ["version.txt"])
    site.write("3")
    report = site.deploy(executor="none")
    assert (report.ok, report.executor) == (True, "none")


def test_without_an_agent_auto_goes_one_by_one_and_says_what_would_be_faster(site):
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "none")
    assert "pya agent install" in report.why
    assert "no task may be made" in report.why
    ways = {way["executor"]: way["requests"] for way in report.ways}
    assert ways["webapp"] < 10 < ways["none"]


def test_a_dry_run_says_which_way_it_would_go_and_sends_no_write(with_agent):
    site = with_agent
    site.host.clear_requests()
    report = site.deploy(dry_run=True)
    assert (report.dry_run, report.executor, "has an agent" in report.why) == (True, "webapp", True)
    assert {request.method for request in site.host.requests} == {"GET"}


@pytest.mark.parametrize("executor", ["always_on", "schedule"])
def test_tasks_do_it_and_are_gone_afterwards(site, executor):
    client = Client(site.host.user, site.host.token, site.host.url)
    set_clock_speed(30)
    try:
        report = site.deploy(executor=executor)
        assert report.ok, report.stopped
        assert report.executor == executor
        result = site.run(site.api.run("pwd; exit 4", executor=executor))
        assert (result.exit_status, result.output.strip()[-7:]) == (4, "/mysite")
    finally:
        set_clock_speed(1)
    assert files_below(site.remote) == files_below(site.local)
    assert client.always_on.list() == client.schedule.list() == []
    assert site.notes("intent-*") == site.notes("work-*") == []


def test_where_no_always_on_task_is_left_a_scheduled_one_does_it(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    site.host.faults.add("status", code=400, method="POST", path="*/always_on/", times=2)
    site.host.faults.add("hold", method="POST", path="*/schedule/", times=1)
    set_clock_speed(30)
    try:
        reports = []
        thread = threading.Thread(target=lambda: reports.append(site.deploy(allow_tasks=True)))
        thread.start()
        assert site.host.wait_held(1, timeout=30)
        # Whoever finds the note of a deploy that was killed here knows where to look.
        (note,) = (site.remote.parent / ".pya").glob("*/intent-*.json")
        assert json.loads(note.read_text())["tasks"] == ["always_on", "scheduled"]
        site.host.release(site.host.held()[0].number)
        thread.join()
        (report,) = reports
        assert report.ok, report.stopped
        assert site.notes("intent-*") == []
        # Somebody who asks for one kind gets that or nothing.
        (site.local / "version.txt").write_text("other")
        assert "this account gives no task for this" in site.deploy(executor="always_on").stopped
    finally:
        set_clock_speed(1)
    assert client.always_on.list() == client.schedule.list() == []
    assert site.notes("work-*") == []


def test_a_task_that_was_made_too_late_for_its_minute_is_made_again(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    site.host.faults.add("hold", method="POST", path="*/schedule/", times=1)
    set_clock_speed(30)
    try:
        reports = []
        thread = threading.Thread(target=lambda: reports.append(site.deploy(executor="schedule")))
        thread.start()
        assert site.host.wait_held(1, timeout=30)
        advance_clock(200)
        site.host.release(site.host.held()[0].number)
        thread.join()
        (report,) = reports
        assert report.ok, report.stopped
    finally:
        set_clock_speed(1)
    made = [request for request in site.host.requests if (request.method, request.path[-10:]) == ("POST", "/schedule/")]
    assert len(made) == 2
    assert client.schedule.list() == []
    assert files_below(site.remote) == files_below(site.local)


def test_nothing_depends_on_the_accounts_own_paths(unlimited, tmp_path):
    """Where processes cannot see `/home/<user>`, all is found from the home folder that they have."""
    with Emulator(rate_limit=None, python=sys.executable, account="paid", private_paths=False) as host:
        assert host.paths == "root"
        site = Site(Caller(PythonanywhereApi, host), tmp_path / "local")
        site.write("1")
        site.api.agent.install(site.domain, host.site_url)
        assert site.deploy(migrate=True)
        assert files_below(site.remote) == files_below(site.local)
        assert site.page() == "version 1 at /"
        site.write("2")
        assert site.deploy(executor="always_on")
        assert files_below(site.remote) == files_below(site.local)
        assert site.api.rollback(executor="always_on")["written"] > 50


def test_free_accounts_are_told_that_they_have_no_tasks(unlimited, tmp_path):
    with Emulator(rate_limit=None, python=sys.executable) as host:
        site = Site(Caller(PythonanywhereApi, host), tmp_path / "local")
        site.write("1")
        report = site.deploy(executor="always_on")
        assert not report.ok
        assert "this account has no such tasks" in report.stopped
        assert site.notes("bundle-*") == site.notes("intent-*") == []
        report = site.deploy(allow_tasks=True)
        assert (report.ok, report.executor) == (True, "none")
        assert "this account has no tasks" in report.why


def test_a_console_does_it_once_its_page_was_opened(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    report = site.deploy(executor="console")
    assert not report.ok
    # Known before anything went up.
    assert site.notes("bundle-*") == site.notes("intent-*") == []
    (console,) = client.consoles.list()
    page = f"{site.host.url}/user/{site.host.user}/consoles/{console['id']}/"
    assert page in report.stopped
    urllib.request.urlopen(page).close()
    # The same console is found again, without its number.
    report = site.deploy(executor="console")
    assert report.ok, report.stopped
    assert files_below(site.remote) == files_below(site.local)
    result = site.run(site.api.run("pwd", executor="console", console=console["id"]))
    assert result.exit_status == 0
    assert [known["id"] for known in client.consoles.list()] == [console["id"]]

    # One that was closed since is made anew.
    client.consoles.delete(console["id"])
    with pytest.raises(ConfigError, match="is not started yet: open"):
        site.run(site.api.run("pwd", executor="console"))
    (other,) = client.consoles.list()
    assert other["id"] != console["id"]


def test_commands_run_before_the_reload_and_are_in_the_report(with_agent):
    site = with_agent
    report = site.deploy(migrate=True, collectstatic=True)
    assert report.ok, report.stopped
    assert [(step["step"], step["exit_status"]) for step in report.steps] == [("collectstatic", 0), ("migrate", 0)]
    assert "manage.py migrate --noinput" in report.steps[1]["output"]


def test_a_failing_command_stops_before_the_reload_and_rolls_back_if_asked(with_agent):
    site = with_agent
    assert site.deploy()
    before = files_below(site.remote)
    site.write("2 fail")
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert (report.ok, report.rolled_back) == (False, True)
    assert "migrate failed" in report.stopped
    assert report.steps[0]["exit_status"] == 3
    assert any("pages.0002_title" in warning for warning in report.warnings)
    assert files_below(site.remote) == before
    assert site.page() == "version 1 at /"
    assert site.notes("intent-*") == []

    # Without it the new files stay, the site is not reloaded, and the next deploy makes up for it.
    report = site.deploy(migrate=True)
    assert (report.ok, report.rolled_back, report.reloaded) == (False, False, [])
    site.write("3")
    report = site.deploy(migrate=True)
    assert report.ok, report.stopped
    assert report.reloaded == [site.domain]


def test_a_site_that_breaks_is_seen_and_rolled_back(with_agent):
    site = with_agent
    assert site.deploy(health_url="/")
    site.write("2")
    (site.local / "version.txt").unlink()
    report = site.deploy(health_url="/", rollback_on_failure=True)
    assert (report.ok, report.rolled_back) == (False, True)
    assert "answers / with 500" in report.stopped
    assert any("FileNotFoundError" in line for line in report.error_log)
    assert site.page() == "version 1 at /"


def test_a_broken_application_leaves_the_agent_its_path(site):
    broken = site.remote.parent / "broken"
    breaks = f"import os\n\nif os.path.exists({str(broken)!r}):\n    import nothing_of_the_kind\n"
    site.wsgi.write_text(WSGI.replace("import os\n", breaks))
    site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert site.deploy()
    installed = site.wsgi.read_text()
    broken.touch()
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    with pytest.raises(urllib.error.HTTPError) as caught:
        site.page()
    assert caught.value.code == 500
    status = site.run(site.api.agent.status(site.domain, site.host.site_url))
    assert status["ready"]
    assert "nothing_of_the_kind" in status["status"]
    site.write("2")
    assert site.deploy(reload=[])
    assert site.wsgi.read_text() == installed


@pytest.mark.parametrize("damage", ["folder", "note", "code"])
def test_the_site_outlives_the_agents_files_and_the_original_comes_back(site, damage):
    """Whatever the file holds: other ends of lines, quotes, a text over lines, what a stub looks like itself."""
    site.write("1")
    odd = (
        WSGI.encode()
        + b"x = '''\r\n    ]\r\n\"@ORIGINAL@\" \\ \x0c \x7f \xc3\xbc \xf0\x9f\x8e\x89\r\n'''\n# no end of line"
    )
    site.wsgi.write_bytes(odd)
    agent, url = site.api.agent, site.host.site_url
    site.run(agent.install(site.domain, url))
    assert site.deploy()
    # Loaded by now, so that it writes nothing there any more.
    assert site.page() == "version 1 at /"
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    if damage == "folder":
        shutil.rmtree(folder)
    else:
        (folder / ("agent.json" if damage == "note" else "agent.py")).write_text("{")
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    assert site.page() == "version 1 at /"
    if damage == "note":
        assert site.run(agent.status(site.domain, url))["ready"]
    assert site.run(agent.remove(site.domain, url))["changed"]
    assert site.wsgi.read_bytes() == odd
    assert site.page() == "version 1 at /"
    assert site.notes("agent*") == []


def test_an_original_that_is_lost_is_not_made_up(with_agent):
    site, agent = with_agent, with_agent.api.agent
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    (folder / "agent.json").unlink()
    site.wsgi.write_text(site.wsgi.read_text().replace('"import os', "import os"))
    changed = site.wsgi.read_bytes()
    for call, options in ((agent.install, {}), (agent.remove, {"force": True})):
        with pytest.raises(ConfigError, match=r"neither .* holds any more what that file was"):
            site.run(call(site.domain, site.host.site_url, **options))
        assert site.wsgi.read_bytes() == changed


DIES = """

once, run_once = os.path.expanduser("~/once"), run_job


def run_job(state, job, limit=None):
    if job["operation"] != "apply" or os.path.exists(once):
        return run_once(state, job, limit)
    write_json(once, job)
    while not os.path.exists(once + ".begun"):
        time.sleep(0.01)
    os._exit(1)
"""


def test_a_step_that_goes_on_after_its_answer_got_lost_is_waited_for(with_agent):
    """The worker that was asked dies, and somebody else is at the same job already."""
    site = with_agent
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    (folder / "runner.py").write_text((folder / "runner.py").read_text() + DIES)
    once, receipts = site.remote.parent / "once", []

    def run_elsewhere():
        while not once.exists():
            time.sleep(0.01)
        (work,) = site.remote.parent.glob(".pya/*/work-*")
        runner = load_runner()
        carry_out = runner.Change.carry_out

        def slowly(change):
            once.with_name("once.begun").touch()
            time.sleep(1)
            carry_out(change)

        runner.Change.carry_out = slowly
        receipts.append(runner.run_job(str(work.parent), json.loads(once.read_text())))

    thread = threading.Thread(target=run_elsewhere)
    thread.start()
    set_clock_speed(10)
    try:
        report = site.deploy()
    finally:
        set_clock_speed(1)
    thread.join()
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert [receipt["state"] for receipt in receipts] == ["done"]
    assert site.page() == "version 1 at /"


def test_an_agent_that_is_gone_is_not_taken_for_one_that_is_there(with_agent):
    site = with_agent
    site.wsgi.write_text(WSGI)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "none"), report.stopped
    assert "the agent does not answer" in report.why
    assert site.notes("bundle-*") == []


def test_a_small_deploy_goes_as_a_bundle_where_it_must_be_undone(with_agent):
    site = with_agent
    assert site.deploy()
    before = files_below(site.remote)
    (site.local / "version.txt").write_text("2 fail")
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert (report.ok, report.rolled_back, report.executor) == (False, True, "webapp")
    assert files_below(site.remote) == before
    (site.local / "version.txt").write_text("3")
    report = site.deploy(rollback_on_failure=True, health_url="/")
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped


@pytest.mark.parametrize("executor", ["auto", "none"])
def test_where_nothing_can_be_undone_it_is_said_before_the_first_write(site, executor):
    assert site.deploy(executor="none")
    (site.local / "version.txt").write_text("2")
    diff = site.run(site.api.deploy_diff(site.local))
    site.host.clear_requests()
    with pytest.raises(ConfigError, match="keeps nothing for a rollback"):
        site.caller.run(site.api.deploy(diff, rollback_on_failure=True, executor=executor, **site.via))
    assert {request.method for request in site.host.requests} <= {"GET"}


def test_a_migration_that_broke_off_is_named(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2 fail")
    (site.local / "manage.py").write_text(MANAGE.replace("title... OK", "title...Traceback"))
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert (report.ok, report.rolled_back) == (False, True)
    assert any("pages.0002_title was begun and did not end" in warning for warning in report.warnings)


SLOW_TO_START = """\
import os

count = os.path.expanduser("~/asked")

def application(environ, start_response):
    with open(count, "a") as file:
        file.write("x")
    if os.path.getsize(count) < 3:
        start_response("503 Service Unavailable", [])
        return [b"not yet"]
    if environ["PATH_INFO"] == "/cookie":
        start_response("302 Found", [("Location", "/cookie")])
        return [b""]
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"x" * (6 << 20)]
"""


@pytest.mark.parametrize("path", ["/", "/cookie"])
def test_a_site_that_is_well_in_the_end_is_well(site, path):
    """It answers 503 first, then a long page, or redirects visitors without a cookie to the same page."""
    site.wsgi.write_text(SLOW_TO_START)
    set_clock_speed(10)
    try:
        report = site.deploy(executor="none", health_url=path)
    finally:
        set_clock_speed(1)
    assert report.ok, report.stopped
    assert (site.remote.parent / "asked").stat().st_size >= 3


def test_the_look_at_the_site_wants_a_path(site):
    diff = site.run(site.api.deploy_diff(site.local))
    site.host.clear_requests()
    with pytest.raises(ConfigError, match="wants a path of the site"):
        site.caller.run(site.api.deploy(diff, health_url=f"https://{site.domain}/"))
    assert site.host.requests == []


def service_time(host):
    """Seconds since 1970 by the service's clock, which other tests may have moved."""
    request = urllib.request.Request(f"{host.url}/api/v0/user/{host.user}/cpu/")
    request.add_header("Authorization", f"Token {host.token}")
    with urllib.request.urlopen(request) as answer:
        return int(parsedate_to_datetime(answer.headers["Date"]).timestamp())


def test_tasks_of_others_that_work_are_left_alone(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    assert site.deploy(executor="none")
    (state,) = (site.remote.parent / ".pya").iterdir()
    live, dead, now = "a" * 16, "b" * 16, service_time(site.host)
    common = {"format": 1, "who": "somebody", "host": "elsewhere", "tasks": ["always_on"]}
    for identity, since in ((live, now), (dead, now - 7200)):
        note = common | {"id": identity, "since": since, "expires": since + 600}
        (state / f"intent-{identity}.json").write_text(json.dumps(note))
    mark = f"pya job {state.name} {{}} {'c' * 16} (made by pya, which deletes it)"
    kept, gone = (client.always_on.create("sleep 600", description=mark.format(owner)) for owner in (live, dead))
    site.run(site.api.deploy_diff(site.local))
    assert [task["id"] for task in client.always_on.list()] == [kept["id"]] != [gone["id"]]
    # Nor does one delete them whose own task may not have been made.
    site.host.faults.add("reset", method="POST", path="*/always_on/", times=1)
    assert site.caller.run(site.api.run("true", executor="always_on")) is None
    assert kept["id"] in [task["id"] for task in client.always_on.list()]


def test_what_was_done_is_told_also_where_tidying_up_fails(with_agent, tmp_path):
    site = with_agent
    assert site.deploy()
    site.host.faults.add("status", code=500, method="DELETE", path="*/work-*", times=20)
    report = site.run(site.api.pull(tmp_path / "here", **site.via))
    assert "version.txt" in report["written"]
    assert files_below(tmp_path / "here") == files_below(site.remote)
    site.host.faults.clear()
    site.host.faults.add("status", code=500, method="DELETE", path="*/intent-*", times=20)
    set_clock_speed(30)
    try:
        result = site.run(site.api.run("echo ran; exit 4", executor="always_on"))
    finally:
        set_clock_speed(1)
    assert (result.exit_status, result.output) == (4, "ran\n")
    site.host.faults.clear()
    site.write("2")
    assert site.deploy(force=True)
    report = site.run(site.api.rollback(reload=["gone.example.com"], **site.via))
    assert report["written"] > 50
    assert report["reloaded"] == []
    assert any("gone.example.com was not reloaded" in warning for warning in report["warnings"])


def test_drift_is_found_with_one_job(with_agent):
    site = with_agent
    drift = site.run(site.api.verify(site.local, **site.via))
    assert (drift["clean"], drift["unreadable"]["."]) == (False, "No such file or directory")
    assert site.deploy()
    assert site.run(site.api.verify(site.local, **site.via))["clean"]
    (site.remote / "pkg1" / "m1.py").write_text("edited on the host")
    (site.remote / "pkg2" / "m2.py").unlink()
    (site.remote / "new.txt").write_text("new")
    (site.remote / "db.sqlite3").write_text("protected")
    (site.local / "pkg3" / "m3.py").write_text("edited here")
    site.host.clear_requests()
    drift = site.run(site.api.verify(site.local, **site.via))
    assert len(site.host.requests) <= 5
    assert drift["changed"] == ["pkg1/m1.py"]
    assert drift["missing"] == drift["not_deployed"] == ["pkg2/m2.py"]
    assert drift["unmanaged"] == ["new.txt"]
    assert drift["differs"] == ["pkg1/m1.py", "pkg3/m3.py"]
    assert not drift["clean"]


def test_what_the_host_does_not_look_into_is_not_taken_for_gone(with_agent):
    site = with_agent
    (site.local / "node_modules").mkdir()
    (site.local / "node_modules" / "x.js").write_text("x")
    assert site.deploy()
    home = site.remote.parent
    # A folder became a link, another one a virtualenv, and a file a link.
    (site.remote / "pkg1").rename(home / "elsewhere")
    (site.remote / "pkg1").symlink_to(home / "elsewhere")
    (site.remote / "pkg2" / "pyvenv.cfg").touch()
    (site.remote / "pkg3" / "m3.py").unlink()
    (site.remote / "pkg3" / "m3.py").symlink_to("/etc/hostname")
    drift = site.run(site.api.verify(site.local, **site.via))
    assert drift["changed"] == drift["differs"] == ["pkg3/m3.py"]
    assert drift["missing"] == drift["not_deployed"] == []
    assert drift["unreadable"].keys() == {
        f"pkg{folder}/m{number}.py" for number in range(50) for folder in (1, 2) if number % 5 == folder
    }
    assert drift["unreadable"]["pkg1/m1.py"] == f"pkg1 is a link to {home / 'elsewhere'}"
    assert drift["unreadable"]["pkg2/m2.py"] == "pkg2: a virtualenv"
    assert not drift["clean"]


def test_old_files_are_back_also_where_the_site_cannot_be_reloaded(with_agent):
    site = with_agent
    assert site.deploy()
    before = files_below(site.remote)
    site.write("2 fail")
    site.host.faults.add("status", code=500, path="*/reload/", times=20)
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert (report.ok, report.rolled_back) == (False, True)
    assert any("the old files are back" in warning for warning in report.warnings)
    assert files_below(site.remote) == before
    # The reload is owed, and made by the next deploy.
    site.host.faults.clear()
    site.write("1")
    site.host.clear_requests()
    report = site.deploy(reload=None)
    assert report.ok, report.stopped
    assert report.reloaded == [site.domain]


def test_a_rollback_is_a_deploy_of_its_own_and_can_be_rolled_back(with_agent):
    site = with_agent
    assert site.deploy()
    first = files_below(site.remote)
    site.write("2")
    (site.local / "added.txt").write_text("added")
    (site.local / "pkg4" / "m4.py").unlink()
    assert site.deploy()
    second = files_below(site.remote)

    report = site.run(site.api.rollback(reload=[site.domain], **site.via))
    assert (report["deleted"], report["reloaded"]) == (["added.txt"], [site.domain])
    assert files_below(site.remote) == first
    assert site.page() == "version 1 at /"
    # Who repeats it without a name does not get the undone deploy back.
    with pytest.raises(ConfigError, match="the latest change is a rollback itself") as refused:
        site.run(site.api.rollback(**site.via))
    assert files_below(site.remote) == first
    latest = site.run(site.api.history())[-1]["id"]
    assert latest in str(refused.value)
    assert site.run(site.api.rollback(latest, **site.via))["kept_for_rollback"]
    assert files_below(site.remote) == second
    states = [(job["operation"], job["state"]) for job in site.run(site.api.history())]
    assert states == [("apply", "done"), ("apply", "done"), ("rollback", "done"), ("rollback", "done")]

    # A diff after a rollback sees what is there.
    diff = site.run(site.api.deploy_diff(site.local))
    assert diff.is_clean()

    # What went one by one since would be mixed with older files.
    (site.local / "version.txt").write_text("3")
    assert site.deploy(executor="none")
    latest = site.run(site.api.history())[-1]["id"]
    assert site.caller.run(site.api.rollback(latest, **site.via)) is None
    assert "another deploy ended since" in site.api.error_message


def test_a_rollback_knows_what_a_deploy_that_was_cut_off_changed(with_agent):
    site = with_agent
    (site.local / "stable.txt").write_text("1")
    assert site.deploy()
    site.write("2")
    assert site.deploy()
    (site.local / "stable.txt").write_text("3")
    (site.local / "version.txt").write_text("3")
    site.host.faults.add("status", code=400, method="POST", path="*/manifest-*", times=1)
    assert not site.deploy(executor="none", reload=[])
    report = site.run(site.api.rollback(**site.via))
    assert "changed 1 other file, the first is stable.txt" in report["warnings"][0]
    assert (site.remote / "version.txt").read_text() == "1"
    assert (site.remote / "stable.txt").read_text() == "3"
    # What is here is as the first deploy left it, and the host is not.
    site.write("1")
    (site.local / "stable.txt").write_text("1")
    assert site.run(site.api.deploy_diff(site.local)).changed == ["stable.txt"]
    assert site.deploy(executor="none")
    assert files_below(site.remote) == files_below(site.local)


def test_a_deploy_that_changes_no_file_takes_no_rollback_away(with_agent):
    site = with_agent
    assert site.deploy()
    first = files_below(site.remote)
    site.write("2")
    site.host.faults.add("status", code=500, method="POST", path="*/reload/", times=10)
    assert not site.deploy()
    site.host.faults.clear()
    again = site.deploy()
    assert (again.ok, again.reloaded, again.uploaded) == (True, [site.domain], [])
    site.run(site.api.rollback(**site.via))
    assert files_below(site.remote) == first


def test_commands_run_with_the_python_and_the_settings_of_the_web_app(with_agent):
    site = with_agent
    client = Client(site.host.user, site.host.token, site.host.url)
    manage = "import os, sys\nprint(os.environ.get('DJANGO_SETTINGS_MODULE'), *sys.argv[1:])\n"
    (site.local / "manage.py").write_text(manage)
    assert site.deploy()
    text = "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings.production'\n"
    site.run(site.api.agent.remove(site.domain, site.host.site_url))
    site.wsgi.write_text(text + WSGI)
    client.webapps.update(site.domain, python_version="3.12")
    version = "3.10" if sys.version_info[:2] == (3, 12) else "3.12"
    client.webapps.update(site.domain, python_version=version)
    for is_installed in (False, True):
        if is_installed:
            site.run(site.api.agent.install(site.domain, site.host.site_url))
        result = site.run(site.api.manage("check", executor="always_on", **site.via))
        assert result.output == "mysite.settings.production check\n"
        receipts = sorted((site.remote.parent / ".pya").glob("*/receipt-*.json"), key=lambda path: path.stat().st_mtime)
        assert json.loads(receipts[-1].read_text())["result"]["interpreter"].endswith(f"/python{version}")
    result = site.run(site.api.manage("check", **site.via))
    assert result.output == "mysite.settings.production check\n"


@pytest.mark.parametrize("named", [False, True])
def test_a_rollback_that_broke_off_is_brought_to_its_end(with_agent, named):
    site = with_agent
    assert site.deploy()
    first = files_below(site.remote)
    site.write("2")
    assert site.deploy()
    target = site.run(site.api.history())[-1]["id"] if named else None
    site.host.faults.add("status", code=500, method="POST", path="*/reload/", times=10)
    report = site.run(site.api.rollback(target, reload=[site.domain], **site.via))
    assert (report["reloaded"], report["resumed"], len(report["warnings"])) == ([], False, 1)
    site.host.faults.clear()
    report = site.run(site.api.rollback(target, reload=[site.domain], **site.via))
    assert (report["reloaded"], report["resumed"], report["warnings"]) == ([site.domain], True, [])
    assert files_below(site.remote) == first
    assert site.page() == "version 1 at /"
    assert site.notes("intent-*") == []


def test_a_rollback_says_what_was_written_since_the_deploy(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")
    assert site.deploy()
    (site.remote / "pkg1" / "m1.py").write_text("the application's own")
    report = site.run(site.api.rollback(**site.via))
    assert "1 file changed since that deploy, the first is pkg1/m1.py" in report["warnings"][0]
    latest = site.run(site.api.history())[-1]["id"]
    assert f"pya rollback {latest}" in report["warnings"][0]
    site.run(site.api.rollback(latest, **site.via))
    assert (site.remote / "pkg1" / "m1.py").read_text() == "the application's own"


def test_what_is_kept_for_a_promised_rollback_is_as_much_as_it_takes(with_agent):
    site = with_agent
    (site.local / "large").write_bytes(os.urandom(1 << 20) * 51)
    assert site.deploy()
    first = files_below(site.remote)
    (site.local / "large").write_bytes(b"small")
    site.write("2 fail")
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert report.rolled_back, report.warnings
    assert files_below(site.remote) == first
    # After a deploy that went well it is too much.
    site.write("3")
    report = site.deploy(rollback_on_failure=True)
    assert (report.ok, report.kept_for_rollback) == (True, False)
    assert "more than 50 MiB and is not kept" in report.warnings[-1]
    assert site.notes("rollback-*") == []


def test_a_step_that_failed_is_not_forgotten(with_agent):
    site = with_agent
    site.write("2 fail")
    assert not site.deploy(migrate=True)
    (site.local / "version.txt").write_text("3")
    report = site.deploy()
    assert report.ok
    assert "an earlier deploy was to run migrate and did not do it to its end" in report.warnings[-1]
    (site.local / "version.txt").write_text("4")
    assert site.deploy().warnings == []


def test_a_job_beside_a_deploy_keeps_nobody_from_anything(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    assert site.deploy()
    site.host.faults.add("hold", method="POST", path="*/always_on/", times=1)
    threading.Thread(target=lambda: site.caller.run(site.api.run("true", executor="always_on"))).start()
    assert site.host.wait_held(1, timeout=30)
    assert len(site.notes("errand-*")) == 1
    (site.local / "version.txt").write_text("2")
    report = site.deploy()
    assert (report.ok, report.warnings) == (True, [])
    site.host.release(site.host.held()[0].number)
    for _ in range(600):
        if not site.notes("errand-*"):
            break
        time.sleep(0.05)
    assert client.always_on.list() == []


def test_a_task_that_could_not_be_deleted_goes_with_the_next_command(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    assert site.deploy()
    site.write("1 again")
    for act in (
        lambda: site.run(site.api.run("true", executor="always_on")),
        lambda: site.deploy(executor="always_on"),
    ):
        site.host.faults.add("status", code=400, method="DELETE", path="*/always_on/*", times=1)
        act()
        assert len(client.always_on.list()) == 1
        assert len(site.notes("errand-*")) == 1
        site.run(site.api.history())
        assert client.always_on.list() == []
        assert site.notes("errand-*") == []
        site.write("2")


def test_a_rollback_names_the_migrations_that_stay(with_agent):
    site = with_agent
    assert site.deploy(migrate=True)
    site.write("2")
    assert site.deploy()
    assert site.run(site.api.rollback(**site.via))["migrations"] == []
    site.write("3")
    assert site.deploy(migrate=True)
    site.run(site.api.manage("migrate", "pages", **site.via))
    assert [job.get("migrations") for job in site.run(site.api.history())][-2:] == [["pages.0002_title"]] * 2
    assert site.run(site.api.rollback(**site.via))["migrations"] == ["pages.0002_title"]


def test_a_rollback_stops_where_somebody_else_deploys(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")
    assert site.deploy()
    before = files_below(site.remote)
    # Somebody announces a deploy between our look and our own note.
    (state,) = (path for path in (site.remote.parent / ".pya").iterdir() if not path.name.startswith("agent-"))
    site.host.faults.add("hold", method="GET", path="*/loaded.json", times=1)
    results = []
    thread = threading.Thread(target=lambda: results.append(site.caller.run(site.api.rollback(**site.via))))
    thread.start()
    assert site.host.wait_held(1, timeout=30)
    (request,) = site.host.held()
    (state / "intent-aaaaaaaaaaaaaaaa.json").write_text("{}")
    site.host.release(request.number)
    thread.join()
    assert results == [None]
    assert "another deploy began or ended just now" in site.api.error_message
    assert files_below(site.remote) == before
    assert site.notes("intent-*") == ["intent-aaaaaaaaaaaaaaaa.json"]


def test_files_are_pulled_as_one_archive(with_agent, tmp_path):
    site = with_agent
    assert site.deploy()
    write_tree(site.host, {"media/a b.jpg": os.urandom(100_000), "media/deep/ü.bin": b"", "other.txt": b"x"})
    site.host.clear_requests()
    report = site.run(site.api.pull(tmp_path / "media", include=["media/**"], **site.via))
    assert len(site.host.requests) <= 8
    assert report["written"] == ["media/a b.jpg", "media/deep/ü.bin"]
    assert files_below(tmp_path / "media" / "media") == files_below(site.remote / "media")
    (site.remote / "link").symlink_to("/etc/hostname")
    (site.remote / "pkg1" / "__pycache__").mkdir()
    report = site.run(site.api.pull(tmp_path / "all", **site.via))
    assert report["skipped"] == {"link": "a link to /etc/hostname", "pkg1/__pycache__": "not looked into"}
    (site.remote / "link").unlink()
    assert files_below(tmp_path / "all") == files_below(site.remote)
    (tmp_path / "all" / "other.txt").write_text("mine")
    with pytest.raises(ConfigError, match="would be replaced"):
        site.run(site.api.pull(tmp_path / "all", **site.via))
    assert (tmp_path / "all" / "other.txt").read_text() == "mine"
    assert site.notes("work-*") == []


HOSTILE_ARCHIVE = """


def archive(job):
    info = tarfile.TarInfo({name!r})
    info.type, info.linkname = {kind!r}, "/etc/hostname"
    content = gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    with open(os.path.join(job.work, "archive-000"), "wb") as file:
        file.write(content)
    part = dict(name="archive-000", sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    job.result = dict(parts=[part], files=1, bytes=0, errors=dict(), skipped=dict(), links=dict())


OPERATIONS["archive"] = archive
"""


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("../out", tarfile.REGTYPE, "leads out of the folder"),
        ("/out", tarfile.REGTYPE, "leads out of the folder"),
        ("pkg1/../../out", tarfile.REGTYPE, "leads out of the folder"),
        ("link", tarfile.SYMTYPE, "no regular file"),
        ("hard", tarfile.LNKTYPE, "no regular file"),
        ("device", tarfile.BLKTYPE, "no regular file"),
        (".git/config", tarfile.REGTYPE, "not asked for"),
    ],
)
def test_an_archive_that_somebody_tampered_with_is_refused(with_agent, tmp_path, name, kind, words):
    site = with_agent
    assert site.deploy()
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    runner = folder / "runner.py"
    runner.write_text(runner.read_text() + HOSTILE_ARCHIVE.format(name=name, kind=kind))
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    with pytest.raises(ConfigError, match=words):
        site.run(site.api.pull(tmp_path / "to" / "here", **site.via))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["local"]
    assert site.notes("work-*") == []


def test_commands_give_status_and_output(with_agent):
    site = with_agent
    assert site.deploy()
    result = site.run(site.api.manage("check", "--deploy", **site.via))
    assert (bool(result), result.exit_status, result.truncated) == (True, 0, False)
    assert result.output == "manage.py check --deploy\n"
    with pytest.raises(ConfigError, match="a task \\(allow_tasks\\) or a console runs anything"):
        site.run(site.api.run("ls", **site.via))
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        site.run(site.api.manage("check", nonsense=1))
    assert site.run(site.api.verify(**site.via))["clean"]
    with pytest.raises(TypeError, match="give local_root as well"):
        site.run(site.api.verify(path_masks=["*.py"], **site.via))
    with pytest.raises(ConfigError, match="nothing can run commands"):
        site.run(site.api.manage("check"))


@pytest.mark.parametrize(
    "start",
    [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\n", b"# -*- coding: utf-8 -*-\n"],
    ids=["mark", "latin", "utf"],
)
def test_a_wsgi_file_is_read_as_python_reads_files(site, start):
    original = start + WSGI.replace("version {", "§ {").encode()
    site.wsgi.write_bytes(original)
    write_tree(site.host, {"version.txt": b"0"})
    before = site.page()
    change = site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert change == {"changed": True, "warnings": []}
    assert site.page() == before
    assert site.run(site.api.agent.remove(site.domain, site.host.site_url))["changed"]
    assert site.wsgi.read_bytes() == original


def test_an_installation_says_that_the_application_cannot_be_loaded(site):
    site.wsgi.write_text("import nothing_of_this_name\n")
    change = site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert change["changed"]
    (warning,) = change["warnings"]
    assert "the application could not be loaded: ModuleNotFoundError" in warning


@pytest.mark.parametrize("act", ["install", "remove"])
def test_an_edit_of_the_wsgi_file_meanwhile_is_not_lost(site, act):
    agent, url = site.api.agent, site.host.site_url
    if act == "remove":
        assert site.run(agent.install(site.domain, url))["changed"]
    site.host.faults.add("hold", path="*/agent.json", times=1)
    results = []
    call = getattr(agent, act)
    thread = threading.Thread(target=lambda: results.append(site.caller.run(call(site.domain, url))))
    thread.start()
    assert site.host.wait_held(1, timeout=30)
    edited = site.wsgi.read_text() + "# mine\n"
    site.wsgi.write_text(edited)
    site.host.release(site.host.held()[0].number)
    thread.join()
    assert results == [None]
    assert "was changed just now by somebody else" in site.api.error_message
    assert site.wsgi.read_text() == edited


def test_a_reload_that_failed_is_made_up_for(site):
    agent, url = site.api.agent, site.host.site_url
    write_tree(site.host, {"version.txt": b"0"})
    assert site.page("/x") == "version 0 at /x"
    for act, is_ready in ((agent.install, True), (agent.remove, False)):
        site.host.faults.add("status", code=400, method="POST", path="*/reload/", times=1)
        assert site.caller.run(act(site.domain, url)) is None
        site.host.clear_requests()
        change = site.run(act(site.domain, url))
        assert change["warnings"] == []
        assert [request for request in site.host.requests if request.path.endswith("/reload/")]
        assert site.run(agent.status(site.domain, url))["ready"] is is_ready
    assert site.wsgi.read_text() == WSGI
    assert site.notes("agent*") == []
    assert site.page("/x") == "version 0 at /x"


@pytest.mark.parametrize("damage", ["runner", "build"])
def test_an_installation_that_is_not_whole_or_of_another_build_is_renewed(with_agent, damage):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    folder = site.remote.parent / ".pya" / f"agent-{site.domain}"
    runner = (folder / "runner.py").read_bytes()
    if damage == "runner":
        (folder / "runner.py").unlink()
    else:
        # As another version of the package left it.
        (folder / "runner.py").write_bytes(runner + b"# older\n")
        note = json.loads((folder / "agent.json").read_text())
        (folder / "agent.json").write_text(json.dumps(note | {"build": "0" * 64}))
        Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
        assert "another build than this one" in site.run(agent.status(site.domain, url))["status"]
        # What a failed reload leaves is made up for as well.
        site.host.faults.add("status", code=400, method="POST", path="*/reload/", times=1)
        assert site.caller.run(agent.install(site.domain, url)) is None
        assert not site.run(agent.install(site.domain, url))["changed"]
        assert "build" not in site.run(agent.status(site.domain, url))["status"]
        (folder / "runner.py").unlink()
    assert site.run(agent.install(site.domain, url))["changed"]
    assert (folder / "runner.py").read_bytes() == runner
    assert "build" not in site.run(agent.status(site.domain, url))["status"]
    assert not site.run(agent.install(site.domain, url))["changed"]


def test_an_agent_that_is_gone_is_not_chosen_for_its_old_token(with_agent):
    site = with_agent
    loaded = site.remote.parent / ".pya" / f"agent-{site.domain}" / "loaded.json"
    loaded.write_text(loaded.read_text().replace('"key_check": "', '"key_check": "0'))
    site.wsgi.write_text(WSGI)
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "none")
    assert "no agent is installed" in report.why


def test_the_agent_of_a_web_app_that_is_gone_can_be_removed(with_agent):
    site = with_agent
    Client(site.host.user, site.host.token, site.host.url).webapps.delete(site.domain)
    site.wsgi.unlink(missing_ok=True)
    change = site.run(site.api.agent.remove(site.domain, site.host.site_url))
    assert (change["changed"], len(change["warnings"])) == (False, 1)
    assert site.notes("agent-*") == []


def test_an_agent_with_an_old_token_gets_one_reload(with_agent):
    site = with_agent
    # As if the token had been made anew after the last reload.
    loaded = site.remote.parent / ".pya" / f"agent-{site.domain}" / "loaded.json"
    assert site.deploy()
    text = loaded.read_text()
    loaded.write_text(text.replace('"key_check": "', '"key_check": "0'))
    site.write("2")
    assert site.deploy()


def test_half_a_deploy_is_not_reloaded_for_the_sake_of_a_new_token(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")
    site.host.faults.add("status", code=400, method="POST", path="*/manifest-*", times=1)
    assert not site.deploy(executor="none", reload=[])
    loaded = site.remote.parent / ".pya" / f"agent-{site.domain}" / "loaded.json"
    loaded.write_text(loaded.read_text().replace('"key_check": "', '"key_check": "0'))
    site.host.clear_requests()
    # Where whatever has the agent's key no longer takes a request for its own.
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        via = {**site.via, "site_url": f"http://127.0.0.1:{server.server_port}", "executor": "webapp"}
        assert site.caller.run(site.api.verify(**via)) is None
        server.shutdown()
    assert "cannot be reloaded in the middle of a deploy" in site.api.error_message
    assert not [request for request in site.host.requests if request.path.endswith("/reload/")]


def test_a_deploy_that_another_one_passed_by_force_says_so(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")
    site.host.faults.add("hold", method="POST", path="*/bundle-*", times=1)
    reports = []
    thread = threading.Thread(target=lambda: reports.append(site.deploy()))
    thread.start()
    assert site.host.wait_held(1, timeout=30)
    # The same machine and process would wait: whoever forces his way comes from elsewhere.
    (note,) = (site.remote.parent / ".pya").glob("*/intent-*.json")
    other = Caller(PythonanywhereApi, site.host).api()
    diff = other.deploy_diff(site.local)
    report = other.deploy(diff, executor="none", force=True)
    assert report.ok, report.stopped
    site.host.release(site.host.held()[0].number)
    thread.join()
    (report,) = reports
    assert (report.ok, json.loads(report.to_json())["held"]) == (False, True)
    assert "another deploy has taken over" in report.stopped
    assert not note.exists()
    assert files_below(site.remote) == files_below(site.local)


def test_a_site_that_nobody_serves_is_told_at_once(with_agent):
    site = with_agent
    assert site.deploy()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    via = {**site.via, "site_url": f"http://127.0.0.1:{port}", "executor": "webapp"}
    assert site.caller.run(site.api.manage("check", **via)) is None
    assert "no answer to POST" in site.api.error_message


def test_each_of_two_web_apps_has_an_agent_of_its_own(with_agent):
    """One at the account's own domain, one at a custom domain; its deploys touch the other one in nothing."""
    site, custom = with_agent, "www.example.org"
    assert site.deploy()
    site.host.create_webapp(custom)
    wsgi = site.wsgi.with_name("www_example_org_wsgi.py")
    wsgi.write_text(WSGI.replace("version {version}", "custom {version}"))
    assert site.run(site.api.agent.install(custom, site.host.site_url))["changed"]
    folders = {path.name for path in (site.remote.parent / ".pya").glob("agent-*")}
    assert folders == {f"agent-{site.domain}", f"agent-{custom}"}

    def page() -> str:
        request = urllib.request.Request(site.host.site_url, headers={"Host": custom})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    site.write("2")
    report = site.deploy(domain=custom, reload=[custom], health_url="/")
    assert (report.ok, report.executor, report.reloaded) == (True, "webapp", [custom]), report.stopped
    assert custom in report.why
    assert page() == "custom 2 at /"
    assert site.run(site.api.agent.remove(custom, site.host.site_url))["changed"]
    assert wsgi.read_text().startswith("import os")
    assert page() == "custom 2 at /"
    # The other agent is where it was.
    assert site.run(site.api.agent.status(site.domain, site.host.site_url))["ready"]


def test_a_password_in_front_of_the_site_is_no_obstacle(with_agent):
    site = with_agent
    client = Client(site.host.user, site.host.token, site.host.url)
    client.webapps.update(
        site.domain,
        password_protection_enabled=True,
        password_protection_username="u",
        password_protection_password="p",
    )
    client.webapps.reload(site.domain)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        site.page()
    report = site.deploy(health_url="/")
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
