"""The runner tells what every file of the project is, in any number of steps."""

import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from runner_host import OLD_TREE, Host, anew, many_accounts, ready, sha256, simple, write
from runner_steps import in_child, kill_at

NOBODY = 65534


@pytest.fixture
def folder():
    with many_accounts() as folder:
        yield folder


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def hashed(host: Host, job=None, limit=None):
    job = job or simple(host, "hash", prune=["__pycache__"])
    steps = 1
    while (receipt := host.run(limit, job=job))["state"] == "running":
        steps += 1
    assert receipt["state"] == "done", receipt["error"]
    return receipt["result"], steps


def expected(old=OLD_TREE, mode=0o644):
    return {name: [sha256(content), len(content), mode] for name, content in old.items()}


@pytest.mark.parametrize("limit", [None, 1e-9], ids=["one step", "steps"])
def test_every_file_is_hashed(host, limit):
    write(host.root / "venv" / "pyvenv.cfg", b"")
    write(host.root / "venv" / "x.py", b"")
    write(host.root / "app" / "__pycache__" / "x.pyc", b"")
    os.mkfifo(host.root / "pipe")
    (host.root / "link").symlink_to("/etc/passwd")
    (host.root / "loop").symlink_to(".")
    (host.root / "empty").mkdir()
    result, steps = hashed(host, limit=limit)
    assert result["files"] == expected()
    assert result["links"] == {"link": "/etc/passwd", "loop": "."}
    assert result["skipped"].keys() == {"venv", "app/__pycache__", "pipe"}
    assert result["errors"] == {}
    assert (steps > 1) == (limit is not None)


def test_modes_and_names_are_told_as_they_are(host):
    assert host.run()["state"] == "done"
    (host.root / "run_x").chmod(0o4711)
    result, _ = hashed(host)
    assert result["files"].keys() == {path for path, facts in host.tree().items() if facts[0] == "file"}
    assert result["files"]["run_x"] == [sha256(b"#!"), 2, 0o4711]


def test_a_name_that_is_no_text_is_an_error_of_that_file_alone(host):
    Path(os.fsdecode(os.fsencode(host.root) + b"/\xff\xfe.txt")).write_bytes(b"x")
    result, _ = hashed(host)
    assert result["files"] == expected()
    assert list(result["errors"].values()) == ["its name is not UTF-8"]


def test_a_project_that_is_not_there_is_an_error(host):
    shutil.rmtree(host.root)
    result, _ = hashed(host)
    assert (result["files"], result["errors"]) == ({}, {".": "No such file or directory"})


def test_what_cannot_be_read_is_told_and_the_rest_is_hashed():
    """As somebody who may not read everything, as on the host: the superuser may."""
    folder = Path(tempfile.mkdtemp())
    try:
        host = Host(folder / "home", OLD_TREE, {})
        (host.root / "app" / "a.py").chmod(0)
        (host.root / "gone").chmod(0)
        job = simple(host, "hash", prune=[])

        def act():
            if os.getuid() == 0:
                for path in [folder, *folder.rglob("*")]:
                    os.chown(path, NOBODY, NOBODY)
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            assert host.run(job=job)["state"] == "done"

        assert in_child(act) == 0
        result = host.run(job=job)["result"]
        assert result["errors"] == {"app/a.py": "Permission denied", "gone": "Permission denied"}
        assert result["files"].keys() == {"app/b.py", "foreign.txt"}
    finally:
        shutil.rmtree(folder)


def test_a_file_that_vanishes_meanwhile_was_never_there(host, monkeypatch):
    (host.root / "link").symlink_to("nowhere")
    real = os.scandir
    app = os.stat(host.root / "app")

    def scandir(folder):
        listing = list(real(folder))
        if os.path.samestat(os.stat(folder), app):
            (host.root / "app" / "a.py").unlink()
        return Listing(listing)

    def vanished(path, **_):
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "scandir", scandir)
    monkeypatch.setattr(os, "readlink", vanished)
    result, _ = hashed(host)
    assert result["files"].keys() == OLD_TREE.keys() - {"app/a.py"}
    assert (result["errors"], result["links"]) == ({}, {})


class Listing(list):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.slow
def test_killed_at_any_step_it_is_told_all_the_same(folder):
    number = 1
    while True:
        host = Host(anew(folder), {"a": b"a", "b/c": b"c"}, {})
        job = simple(host, "hash", prune=[])
        # A step, and a second one that is killed.
        assert host.run(1e-9, job=job)["state"] == "running"
        if not kill_at(host, number, job):
            break
        result, _ = hashed(host, job)
        assert result["files"] == expected({"a": b"a", "b/c": b"c"}), f"killed at {number}"
        number += 1
    assert number > 10


def test_a_socket_is_no_file(host):
    # Its path is shorter than that of a temporary folder may be.
    before = os.getcwd()
    os.chdir(host.root)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
    finally:
        os.chdir(before)
    result, _ = hashed(host)
    assert result["skipped"] == {"s": "not a regular file"}
