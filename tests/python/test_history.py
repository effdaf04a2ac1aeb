"""What was done to a project: deploys of every kind, rollbacks, and the jobs on the host, in one list."""

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from command import Pya, environment_of
from conftest import for_both_classes

from pythonanywhere_api import ProgressEvent
from pythonanywhere_api.testing import Emulator

JOB = dict.fromkeys(
    ["who", "host", "commit", "branch", "dirty", "uploaded", "deleted", "copied", "executor", "undoes"]
) | {"steps": []}


def git(folder: Path, *words: str) -> str:
    settings = ["-c", "user.name=n", "-c", "user.email=e@example.com"]
    run = subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout.strip()


def ends(entries) -> list[tuple[str, str]]:
    return [(entry["operation"], entry["outcome"]) for entry in entries]


@for_both_classes
def test_deploys_of_every_kind_and_jobs_are_one_list(with_agent):
    site = with_agent
    git(site.local, "init", "-q", "-b", "main")
    git(site.local, "add", "-A")
    git(site.local, "commit", "-qm", "1")
    commit = git(site.local, "rev-parse", "HEAD")
    assert site.run(site.api.history()) == []
    first = site.deploy(migrate=True)
    assert (first.commit, first.branch, first.dirty) == (commit, "main", False)
    site.write("2")
    second = site.deploy()
    assert (second.commit, second.dirty) == (commit, True)
    undone = site.run(site.api.rollback(**site.via))
    (site.local / "version.txt").write_text("3")
    single = site.deploy(executor="none")
    site.run(site.api.manage("check", **site.via))

    site.host.clear_requests()
    entries = site.run(site.api.history())
    assert len(site.host.requests) == 3
    whole = ["deploy", "manage", "deploy", "rollback", "deploy", "manage"]
    assert sorted(ends(entries)) == sorted((operation, "done") for operation in whole)
    deploys = [entry for entry in entries if entry["operation"] in ("deploy", "rollback")]
    assert [entry["time"] for entry in entries] == sorted(entry["time"] for entry in entries)
    assert [entry["id"] for entry in deploys[:2]] == [first.id, second.id]
    assert deploys[3]["id"] == single.id
    one, two, back, four = deploys
    assert (one["host"], one["commit"]) == (socket.gethostname(), commit)
    assert one["who"]
    assert (one["executor"], one["uploaded"], one["exit_status"]) == ("webapp", len(first.uploaded), 0)
    assert one["steps"] == [{"step": "migrate", "ok": True}]
    assert 0 <= one["seconds"] < 60
    assert (two["uploaded"], two["deleted"], two["dirty"]) == (51, 0, True)
    assert (back["undoes"], back["uploaded"], back["commit"]) == (undone["deploy"], 51, None)
    assert (four["executor"], four["uploaded"], four["exit_status"]) == ("none", 51, None)
    (ran, _) = (entry for entry in entries if entry["operation"] == "manage")
    assert {name: ran[name] for name in JOB} == JOB
    assert (ran["migrations"], ran["exit_status"], ran["summary"]) == (
        ["pages.0002_title"],
        0,
        "manage.py migrate --noinput",
    )


def test_a_deploy_that_fails_says_where_it_stopped(with_agent):
    site = with_agent
    assert site.deploy()
    (site.local / "version.txt").write_text("2 fail")
    report = site.deploy(collectstatic=True, migrate=True)
    assert not report.ok
    entry = next(entry for entry in site.run(site.api.history()) if entry["id"] == report.id)
    assert (entry["outcome"], entry["summary"]) == ("failed", "collectstatic failed: manage exited with status 3")
    assert entry["steps"] == [{"step": "collectstatic", "ok": False}, {"step": "migrate", "ok": None}]
    # The next one undoes itself, and knows of the one before.
    (site.local / "version.txt").write_text("3 fail")
    report = site.deploy(migrate=True, rollback_on_failure=True)
    assert report.rolled_back
    entries = [entry for entry in site.run(site.api.history()) if entry["operation"] != "manage"]
    assert ends(entries) == [
        ("deploy", "done"),
        ("deploy", "failed"),
        ("deploy", "rolled_back"),
        ("rollback", "done"),
    ]
    assert entries[1] == entry
    assert (entries[2]["id"], entries[3]["undoes"]) == (report.id, report.id)
    assert "status 3" in entries[2]["summary"]


def test_a_deploy_at_work_is_listed_as_such_and_one_that_broke_off_too(site):
    assert site.deploy(executor="none", reload=[])
    (site.local / "version.txt").write_text("2")
    site.host.faults.add("hold", method="POST", path="*/version.txt", times=1)
    other = site.caller.api()
    thread = threading.Thread(target=lambda: site.deploy(executor="none", reload=[]))
    thread.start()
    assert site.host.wait_held(1, timeout=60)
    assert ends(other.history()) == [("deploy", "done"), ("deploy", "running")]
    (request,) = site.host.held()
    site.host.faults.add("status", code=400, method="POST", path="*/manifest-*", times=1)
    site.host.release(request.number)
    thread.join()
    entries = other.history()
    assert ends(entries) == [("deploy", "done"), ("deploy", "failed")]
    assert (entries[1]["uploaded"], "400" in entries[1]["summary"]) == (1, True)


def test_a_deploy_that_is_interrupted_is_no_success(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")

    def stop(event):
        if isinstance(event, ProgressEvent.Reloading):
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        site.deploy(progress=stop)
    entries = site.run(site.api.history())
    assert ends(entries) == [("deploy", "done"), ("deploy", "interrupted")]
    assert (entries[1]["uploaded"], entries[1]["exit_status"]) == (51, 0)
    site.write("3")
    assert site.deploy()
    assert ends(site.run(site.api.history())) == [("deploy", "done"), ("deploy", "interrupted"), ("deploy", "done")]


def test_jobs_are_listed_where_nothing_was_deployed(site):
    site.remote.mkdir(parents=True)
    site.run(site.api.run(["true", "--password", "s3cret"], executor="always_on"))
    (entry,) = site.run(site.api.history())
    assert (entry["operation"], entry["outcome"], entry["exit_status"]) == ("run", "done", 0)
    assert "s3cret" not in json.dumps(entry)


@pytest.fixture
def pya(unlimited, tmp_path):
    with Emulator(rate_limit=None, python=sys.executable) as host:
        (tmp_path / "a.txt").write_text("1")
        (tmp_path / "pyproject.toml").write_text('[tool.pythonanywhere]\nproject = "mysite"\n')
        yield Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def test_the_command_line_shows_the_commit_of_each_deploy(pya, tmp_path):
    assert "nothing was deployed or run here yet" in pya("history").stderr
    git(tmp_path, "init", "-q", "-b", "trunk")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "1")
    commit = git(tmp_path, "rev-parse", "HEAD")
    told = pya("deploy").stderr
    (tmp_path / "a.txt").write_text("2")
    report = pya.json("deploy")
    assert (report["commit"], report["branch"], report["dirty"]) == (commit, "trunk", True)
    assert f" from {commit[:7]} trunk\n" in told
    first, second = (line.split() for line in pya("history").stdout.splitlines())
    assert first[5].endswith(f"@{socket.gethostname()}")
    assert first[3:] == ["deploy", "done", first[5], commit[:7], "trunk", "2", "uploaded", "none", first[-2], "s"]
    assert (second[0], second[6], second[8:10]) == (report["id"], f"{commit[:7]}*", ["1", "uploaded"])
    entries = pya.json("history")
    assert [entry["id"] for entry in entries] == [first[0], second[0]]
    assert entries[1]["commit"] == commit
