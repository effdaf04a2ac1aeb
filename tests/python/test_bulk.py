"""Bulk deploys: which way they go, what they change, what runs before the reload, and the look at the site."""

import json
import os
import stat
import threading

import pytest
from conftest import Caller, for_both_classes
from sites import files_below

from pythonanywhere_api import ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import set_clock_speed


@for_both_classes
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


def test_where_an_agent_is_one_file_goes_as_a_bundle_and_singly_only_if_asked_for(with_agent):
    site = with_agent
    assert site.deploy()
    (site.local / "version.txt").write_text("2")
    site.host.clear_requests()
    report = site.deploy()
    assert (report.executor, report.uploaded) == ("webapp", ["version.txt"])
    assert (report.kept_for_rollback, report.rollback_bytes) == (True, 1)
    # The diff, the domains, and the reload. The agent does the rest by itself.
    assert len(site.host.requests) == 2 + 2
    site.write("3")
    report = site.deploy(executor="none")
    assert (report.ok, report.executor) == (True, "none")


def test_few_changes_go_one_by_one_where_no_agent_is_or_answers(with_agent):
    site = with_agent
    assert site.deploy()
    (site.local / "version.txt").write_text("2")
    report = site.deploy(site_url="http://127.0.0.1:1", allow_tasks=True, reload=[])
    assert (report.ok, report.executor) == (True, "none")
    assert report.why.startswith("1 change can be made with single requests, and the agent does not answer")
    site.run(site.api.agent.remove(site.domain))
    (site.local / "version.txt").write_text("3")
    report = site.deploy(allow_tasks=True)
    assert (report.ok, report.executor) == (True, "none")
    assert report.why.startswith("1 change can be made with single requests, and no agent is installed")


def test_without_an_agent_auto_goes_one_by_one_and_says_what_would_be_faster(site):
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "none")
    assert "pya agent install" in report.why
    assert "creating tasks is not allowed" in report.why
    ways = {way["executor"]: way["requests"] for way in report.estimates}
    assert ways["webapp"] < 10 < ways["none"]


@for_both_classes
def test_a_dry_run_says_which_way_it_would_go_and_sends_no_write(with_agent):
    site = with_agent
    site.host.clear_requests()
    report = site.deploy(dry_run=True)
    assert (report.dry_run, report.executor, "has an agent" in report.why) == (True, "webapp", True)
    assert {request.method for request in site.host.requests} == {"GET"}


def test_commands_run_before_the_reload_and_are_in_the_report(with_agent):
    site = with_agent
    report = site.deploy(migrate=True, collectstatic=True)
    assert report.ok, report.stopped
    assert [(step["step"], step["exit_status"]) for step in report.steps] == [("collectstatic", 0), ("migrate", 0)]
    assert "manage.py migrate --noinput" in report.steps[1]["output"]


@for_both_classes
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


def test_a_step_that_failed_is_not_forgotten(with_agent):
    site = with_agent
    site.write("2 fail")
    assert not site.deploy(migrate=True)
    (site.local / "version.txt").write_text("3")
    report = site.deploy()
    assert report.ok
    assert "an earlier deploy did not finish migrate, and this one did not run it" in report.warnings[-1]
    (site.local / "version.txt").write_text("4")
    assert site.deploy().warnings == []


def test_a_deploy_that_another_one_passed_by_force_says_so(with_agent):
    site = with_agent
    site.takes_no_bundles()
    assert site.deploy()
    site.write("2")
    site.host.faults.add("hold", method="POST", path="*/bundle-*", times=1)
    reports = []
    thread = threading.Thread(target=lambda: reports.append(site.deploy()))
    thread.start()
    assert site.host.wait_held(1, timeout=120)
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


def test_a_bundle_with_a_file_that_was_swapped_since_the_diff_is_not_sent(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")
    diff = site.run(site.api.deploy_diff(site.local))
    before = files_below(site.remote)
    (site.local / "version.txt").unlink()
    os.mkfifo(site.local / "version.txt")
    report = site.run(site.api.deploy(diff, **{**site.via, "executor": "webapp"}))
    assert not report.ok
    assert list(report.failed) == ["version.txt"]
    assert "nothing was sent" in report.stopped
    assert files_below(site.remote) == before
