"""Going back: by itself after a failure, or when it is asked for."""

import os
import shutil
import stat
import threading

import pytest
from bulk_site import MANAGE
from conftest import for_both_classes
from sites import files_below

from pythonanywhere_api import ConfigError

pytestmark = pytest.mark.slow


def with_modes(root):
    """The files and folders below a folder, with their mode bits and contents."""
    found = {path.relative_to(root): path for path in root.rglob("*")}
    return {
        name: (stat.S_IMODE(path.stat().st_mode), path.read_bytes() if path.is_file() else None)
        for name, path in found.items()
    }


def test_a_deploy_of_one_file_is_undone(with_agent):
    site = with_agent
    (site.local / "private").mkdir()
    for name, mode in (("secret.txt", 0o600), ("run.sh", 0o755), ("private/key", 0o640)):
        (site.local / name).write_text(name)
        (site.local / name).chmod(mode)
    assert site.deploy()
    (site.remote / "private").chmod(0o750)
    before = with_modes(site.remote)
    (site.local / "secret.txt").write_text("other")
    (site.local / "secret.txt").chmod(0o644)
    shutil.rmtree(site.local / "private")
    report = site.deploy()
    assert (report.ok, report.executor, report.deleted) == (True, "webapp", ["private/key"])
    assert not (site.remote / "private").exists()
    assert site.run(site.api.rollback(**site.via))["written"] == 2
    assert with_modes(site.remote) == before


@for_both_classes
def test_undoing_the_first_deploy_removes_the_project_and_must_be_confirmed(with_agent):
    site = with_agent
    assert site.deploy()
    before = files_below(site.remote)
    site.host.clear_requests()
    with pytest.raises(ConfigError, match=r"the first deploy of .*/mysite.*52 files.*yes=True"):
        site.run(site.api.rollback(**site.via))
    assert {request.method for request in site.host.requests} <= {"GET"}
    assert files_below(site.remote) == before
    assert site.run(site.api.rollback(yes=True, **site.via))["written"] == 0
    assert files_below(site.remote) == {}


def test_a_deploy_by_single_requests_cannot_be_undone_and_that_is_said_at_once(with_agent):
    site = with_agent
    assert site.deploy()
    bundle = site.run(site.api.history())[-1]["id"]
    (site.local / "version.txt").write_text("2")
    assert site.deploy(executor="none")
    before = files_below(site.remote)
    for target, told in ((None, "it sent its files one by one"), (bundle, f"nothing is kept of {bundle} any more")):
        site.host.clear_requests()
        assert site.caller.run(site.api.rollback(target, **site.via)) is None
        assert told in site.api.error_message
        assert {request.method for request in site.host.requests} <= {"GET"}
        assert not [request for request in site.host.requests if "agent" in request.path]
    assert files_below(site.remote) == before


def test_where_nothing_was_deployed_nothing_is_undone(with_agent):
    site = with_agent
    assert site.caller.run(site.api.rollback(**site.via)) is None
    assert "there is nothing to roll back" in site.api.error_message


def test_what_is_kept_is_not_limited_and_a_rollback_takes_few_requests(with_agent):
    site = with_agent
    names = [f"large{number}" for number in range(4)]
    for name in names:
        (site.local / name).write_bytes(name.encode() * (3 << 20))
    assert site.deploy()
    before = files_below(site.remote)
    for name in names:
        (site.local / name).write_bytes(b"x" * (15 << 20))
    forecast = site.deploy(dry_run=True)
    assert forecast.rollback_bytes > 50 << 20
    report = site.deploy()
    assert (report.ok, report.kept_for_rollback, report.warnings) == (True, True, [])
    assert report.rollback_bytes == forecast.rollback_bytes == 4 * 6 * (3 << 20)
    site.host.clear_requests()
    assert site.run(site.api.rollback(**site.via))["written"] == 4
    # The agent is known, and its site tells what is kept, and does the rest; nothing was to be reloaded.
    assert len(site.host.requests) == 0
    assert files_below(site.remote) == before


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
    assert any("pages.0002_title started but did not finish" in warning for warning in report.warnings)


def test_old_files_are_back_also_where_the_site_cannot_be_reloaded(with_agent):
    site = with_agent
    assert site.deploy()
    before = files_below(site.remote)
    site.write("2 fail")
    site.host.faults.add("status", code=500, path="*/reload/", times=20)
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert (report.ok, report.rolled_back) == (False, True)
    assert any("the old files are restored" in warning for warning in report.warnings)
    assert files_below(site.remote) == before
    # The reload is owed: the next deploy that may reload makes it, and any other one says so.
    site.host.faults.clear()
    site.write("1")
    report = site.deploy(reload=None)
    assert (report.ok, report.reloaded) == (True, [])
    assert any(f"did not reload {site.domain}" in warning for warning in report.warnings)
    report = site.deploy()
    assert (report.ok, report.reloaded) == (True, [site.domain])
    assert site.deploy(reload=None).warnings == []


@for_both_classes
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
    ends = [(entry["operation"], entry["outcome"]) for entry in site.run(site.api.history())]
    assert ends == [("deploy", "done"), ("deploy", "done"), ("rollback", "done"), ("rollback", "done")]

    # A diff after a rollback sees what is there.
    diff = site.run(site.api.deploy_diff(site.local))
    assert diff.is_clean()

    # What went one by one since would be mixed with older files.
    (site.local / "version.txt").write_text("3")
    assert site.deploy(executor="none")
    latest = site.run(site.api.history())[-2]["id"]
    assert site.caller.run(site.api.rollback(latest, **site.via)) is None
    assert f"nothing is kept of {latest} any more" in site.api.error_message


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
    site.write("3")
    report = site.deploy(rollback_on_failure=True)
    assert (report.ok, report.kept_for_rollback, report.warnings) == (True, True, [])


def test_a_rollback_names_the_migrations_that_stay(with_agent):
    site = with_agent
    assert site.deploy(migrate=True)
    site.write("2")
    assert site.deploy()
    assert site.run(site.api.rollback(**site.via))["migrations"] == []
    site.write("3")
    assert site.deploy(migrate=True)
    site.run(site.api.manage("migrate", "pages", **site.via))
    commands = [entry for entry in site.run(site.api.history()) if entry["operation"] == "manage"]
    assert [command["migrations"] for command in commands][-2:] == [["pages.0002_title"]] * 2
    assert site.run(site.api.rollback(**site.via))["migrations"] == ["pages.0002_title"]


def test_a_rollback_stops_where_somebody_else_deploys(with_agent, tmp_path, monkeypatch):
    site = with_agent
    assert site.deploy()
    site.write("2")
    assert site.deploy()
    before = files_below(site.remote)
    # Somebody announces a deploy between our look and our own note.
    (state,) = (path for path in (site.remote.parent / ".pya").iterdir() if not path.name.startswith("agent-"))
    # Where the agent is not known from before, it is read about in between.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    site.host.faults.add("hold", method="GET", path="*/loaded.json", times=1)
    results = []
    thread = threading.Thread(target=lambda: results.append(site.caller.run(site.api.rollback(**site.via))))
    thread.start()
    assert site.host.wait_held(1, timeout=120)
    (request,) = site.host.held()
    (state / "intent-aaaaaaaaaaaaaaaa.json").write_text("{}")
    site.host.release(request.number)
    thread.join()
    assert results == [None]
    assert "another deploy started or finished just now" in site.api.error_message
    assert files_below(site.remote) == before
    assert site.notes("intent-*") == ["intent-aaaaaaaaaaaaaaaa.json"]
