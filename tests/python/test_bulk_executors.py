"""What else starts a job on the host: tasks and consoles, and what they leave in the account."""

import json
import sys
import threading
import time
import urllib.error
import urllib.request
from email.utils import parsedate_to_datetime

import pytest
from bulk_site import Site
from conftest import Caller, for_both_classes
from sites import files_below

from pythonanywhere_api import Client, ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator, advance_clock, set_clock_speed


@for_both_classes
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


def ask_in_vain(site, code: int, **rule):
    """From the first command on, the service does not tell how far it is."""

    def progress(event):
        if type(event).__name__ == "Running":
            site.host.faults.add("status", code=code, method="GET", path="*/receipt-*", **rule)

    return progress


def test_a_service_that_has_a_moment_of_trouble_cuts_no_command_off(site):
    assert site.deploy(executor="always_on")
    site.write("2")
    set_clock_speed(30)
    try:
        report = site.deploy(
            executor="always_on", migrate=True, rollback_on_failure=True, progress=ask_in_vain(site, 500, times=3)
        )
    finally:
        set_clock_speed(1)
    assert (report.ok, report.rolled_back) == (True, False), report.stopped
    assert report.steps[0]["exit_status"] == 0
    assert files_below(site.remote) == files_below(site.local)


def test_nothing_is_rolled_back_below_a_command_of_which_nobody_knows_how_it_ended(site, caplog):
    assert site.deploy(executor="always_on")
    site.write("2")
    set_clock_speed(30)
    try:
        report = site.deploy(
            executor="always_on", migrate=True, rollback_on_failure=True, progress=ask_in_vain(site, 403)
        )
        assert (report.ok, report.rolled_back) == (False, False)
        assert "it cannot be seen how migrate ended" in report.stopped
        assert [(step["step"], step["exit_status"]) for step in report.steps] == [("migrate", None)]
        assert any("as migrate may still be running" in warning for warning in report.warnings), report.warnings
        assert files_below(site.remote) == files_below(site.local)
        assert "it is unknown whether" not in caplog.text
        assert site.caller.run(site.api.run("true", executor="always_on")) is None
        assert "it is unknown whether the command ended" in caplog.text
    finally:
        set_clock_speed(1)


def test_where_no_always_on_task_is_left_a_scheduled_one_does_it(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    site.host.faults.add("status", code=400, method="POST", path="*/always_on/", times=2)
    site.host.faults.add("hold", method="POST", path="*/schedule/", times=1)
    set_clock_speed(30)
    try:
        reports = []
        thread = threading.Thread(target=lambda: reports.append(site.deploy(allow_tasks=True)))
        thread.start()
        assert site.host.wait_held(1, timeout=120)
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
        assert "this account allows no task for this" in site.deploy(executor="always_on").stopped
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
        assert site.host.wait_held(1, timeout=120)
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


@for_both_classes
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
    with pytest.raises(ConfigError, match="has not been started: open"):
        site.run(site.api.run("pwd", executor="console"))
    (other,) = client.consoles.list()
    assert other["id"] != console["id"]


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


def test_a_job_beside_a_deploy_keeps_nobody_from_anything(site):
    client = Client(site.host.user, site.host.token, site.host.url)
    assert site.deploy()
    site.host.faults.add("hold", method="POST", path="*/always_on/", times=1)
    threading.Thread(target=lambda: site.caller.run(site.api.run("true", executor="always_on"))).start()
    assert site.host.wait_held(1, timeout=120)
    assert len(site.notes("maintenance-*")) == 1
    (site.local / "version.txt").write_text("2")
    report = site.deploy()
    assert (report.ok, report.warnings) == (True, [])
    site.host.release(site.host.held()[0].number)
    for _ in range(2400):
        if not site.notes("maintenance-*"):
            break
        time.sleep(0.05)
    assert client.always_on.list() == []


@for_both_classes
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
        assert len(site.notes("maintenance-*")) == 1
        site.run(site.api.history())
        assert client.always_on.list() == []
        assert site.notes("maintenance-*") == []
        site.write("2")
