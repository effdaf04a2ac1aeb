"""The web process killed at each step of a deploy or a rollback, under the application server that the host uses."""

import http.client
import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from runner_archive import append
from runner_host import Host, copying
from uwsgi_site import Uwsgi, needs_uwsgi

pytestmark = [needs_uwsgi, pytest.mark.slow]

# What it loads, it serves until it is reloaded.
WSGI = """\
import os

texts = [open(os.path.expanduser(f"~/mysite/{name}")).read() for name in ("a.txt", "app/b.txt", "app/c.txt")]

def application(environ, start_response):
    start_response("200 OK", [])
    return [" ".join(texts).encode()]
"""
OLD = {
    "a.txt": b"old",
    "app/b.txt": b"old",
    "app/c.txt": b"old",
    "gone/d.txt": b"old",
    "foreign.txt": b"somebody's",
    "images/f.jpg": b"a picture",
    "next.txt": b"new",
}
SENT = {"a.txt": b"new", "app/b.txt": b"new", "added/e.txt": b"new"}
# A folder that was renamed, and a file that gets the content of another one.
COPIES = {"pictures/f.jpg": "images/f.jpg", "app/c.txt": "next.txt"}
DELETES = ["gone/d.txt", "images/f.jpg"]

# Lets the process end itself at the call whose number is in a file, which goes with it.
KILLED = """

import os
import signal

order, run_unharmed, remove_order, left = os.path.expanduser("~/kill-at"), run_job, os.unlink, [0]


def run_job(state, job, limit=None, **more):
    if os.path.exists(order):
        with open(order) as file:
            left[0] = int(file.read())
    try:
        return run_unharmed(state, job, limit, **more)
    finally:
        left[0] = 0


def harmed(function):
    def call(*args, **kwargs):
        left[0] -= 1
        if left[0] == 0:
            remove_order(order)
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*args, **kwargs)

    return call


for name in ("replace", "link", "rename", "mkdir", "unlink", "rmdir", "chmod"):
    setattr(os, name, harmed(getattr(os, name)))
"""


# The server notices once a second that a worker is gone, so several servers wait at the same time.
SITES = 12


def deploy(home: Path) -> Host:
    """A deploy that only waits for being carried out."""
    new = SENT | {path: OLD[source] for path, source in COPIES.items()}
    return copying(home, OLD, new, {path: {"copy": source, "mode": 0o640} for path, source in COPIES.items()}, DELETES)


def kill_at_each(folder: Path, first: int, is_rollback: bool) -> tuple[int, set[str]]:
    """Kills a web process at every twelfth step; at how many, and what the site showed afterwards."""
    home = folder / "me"
    for name, content in OLD.items():
        path = home / "mysite" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    site = Uwsgi(folder, original=WSGI)
    try:
        append(site.installed.folder / "runner.pyz", "pya_runner/__init__.py", KILLED)
        assert site.get("/")[1] == b"old old old"
        shown: set[str] = set()
        for count, number in enumerate(itertools.count(first, SITES)):
            state = kill_at(site, number, is_rollback)
            if state is None:
                return count, shown
            shown.add(state)
    finally:
        site.stop()


def kill_at(site: Uwsgi, number: int, is_rollback: bool) -> str | None:
    """What the site shows after a web process was killed at a step; `None` if there was no such step."""
    shutil.rmtree(site.project)
    for path in (site.home / ".pya").iterdir():
        if not path.name.startswith("agent-"):
            shutil.rmtree(path)
    host = deploy(site.home)
    operation, job, expected, page = "apply", host.job, host.expected(), b"new new new"
    if is_rollback:
        assert site.ask("apply", body_of(host, job))
        assert host.tree() == expected
        operation, job, expected, page = "rollback", host.rollback_job(), host.before, b"old old old"
    body = body_of(host, job)
    (worker,) = site.workers()
    (site.home / "kill-at").write_text(str(number))
    try:
        is_taken = site.ask(operation, body)
    except (OSError, http.client.HTTPException):
        site.wait_for_other(worker)
    else:
        assert is_taken
        return None
    shown = site.get("/")[1].decode()
    assert site.ask(operation, body)
    receipt = json.loads((host.state / f"receipt-{job['id']}.json").read_text())
    assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
    assert host.tree() == expected, f"killed at {number}"
    assert host.leftovers() == set(), f"killed at {number}"
    # As by the reload that follows.
    site.kill_worker()
    assert site.get("/") == (200, page), f"killed at {number}"
    return shown


def body_of(host: Host, job) -> bytes:
    return json.dumps({"state": host.state.name, "limit": 45, "job": job}).encode()


@pytest.mark.parametrize("is_rollback", [False, True], ids=["deploy", "rollback"])
def test_a_web_process_killed_at_any_step_is_made_up_for(tmp_path, is_rollback):
    with ThreadPoolExecutor(SITES) as pool:
        firsts = range(1, SITES + 1)
        tried = [pool.submit(kill_at_each, tmp_path / str(first), first, is_rollback) for first in firsts]
    counts, shown = zip(*(one.result() for one in tried), strict=True)
    assert sum(counts) > 30, counts
    # It was killed before, among and after the moves.
    assert {"old old old", "new new new"} < set().union(*shown)
