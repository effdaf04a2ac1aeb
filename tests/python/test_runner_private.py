"""What the runner and the agent keep from others: folders, passwords in arguments, the account's token."""

import json
import os
import stat
import sys

import pytest
from agent_site import Installed
from runner_host import ready, runner, simple, write

SECRET = "hunter2"


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o277], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder):
    return {path: stat.S_IMODE(path.lstat().st_mode) for path in [folder, *folder.rglob("*")]}


def test_folders_of_the_runner_are_private_whatever_the_umask(host, umask):
    # As the API makes them.
    for path in modes(host.home / ".pya"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    assert host.run()["state"] == "done"
    found = modes(host.home / ".pya")
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    # The old files of the project, which are kept for a rollback, have their own modes.
    ours = {path: mode for path, mode in found.items() if path.is_file() and "rollback-" not in str(path)}
    assert {mode & 0o077 for mode in ours.values()} == {0}, ours


def test_folders_in_the_making_are_private(host, umask):
    assert host.run(limit=1e-9)["state"] == "running"
    found = modes(host.home / ".pya")
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    while host.run(limit=1e-9)["state"] == "running":
        pass
    assert host.receipt()["state"] == "done"


def test_folders_of_the_agent_are_private_whatever_the_umask(tmp_path, umask, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    os.umask(0o022)
    installed = Installed(tmp_path, "application = print\n")
    (tmp_path / ".pya").chmod(0o777)
    (installed.folder / "nonces").write_text("damaged")
    os.umask(umask)
    agent = {"__name__": "agent", "__file__": str(installed.folder / "agent.py")}
    exec((installed.folder / "agent.py").read_text(), agent)  # noqa: S102 -- our own file
    agent["prepare"](str(installed.folder), "0" * 32, "wsgi.py", "")
    found = modes(tmp_path / ".pya")
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}


@pytest.mark.parametrize(
    "words",
    [
        ["--password", SECRET],
        [f"--password={SECRET}"],
        ["-p", SECRET],
        [f"-p{SECRET}"],
        [f"-p={SECRET}"],
        ["-password", SECRET],
        ["--db-password", SECRET],
        ["--PASSWD", SECRET],
        ["--pass", SECRET],
        ["--token", SECRET],
        [f"--auth-token={SECRET}"],
        ["--secret", SECRET],
        ["--secret_key", SECRET],
        ["--api-key", SECRET],
        [f"--apikey={SECRET}"],
        ["--access-key", SECRET],
        ["--credentials", SECRET],
        ["--passphrase", SECRET],
        ["--password", "--token", SECRET],
        ["-c", f"login('{SECRET}')"],
        [f"-clogin('{SECRET}')"],
        ["-lc", f"login {SECRET}"],
        ["--command", f"login('{SECRET}')"],
        [f"--command=login('{SECRET}')"],
        [f"DB_PASSWORD={SECRET}"],
        [f"postgres://me:{SECRET}@host/db"],
    ],
)
def test_arguments_that_may_be_secrets_are_in_no_note(host, words):
    write(host.root / "manage.py", b"import sys\nsys.exit(len(sys.argv))\n")
    job = simple(host, "manage", args=["do", *words, "--noinput"], manage="manage.py", virtualenv=None, timeout=60)
    receipt = host.run(job=job)
    # The command itself gets them.
    assert receipt["exit_status"] == len(words) + 3
    kept = {path: path.read_text(errors="replace") for path in (host.home / ".pya").rglob("*") if path.is_file()}
    assert [path for path, text in kept.items() if SECRET in text] == []
    history = json.loads((host.state / "history.json").read_text())["jobs"][-1]["summary"]
    assert history.split()[1] == "do"
    assert history.split()[-1] == "--noinput"


def test_other_arguments_stay_readable():
    words = [
        "loaddata",
        "tokens.json",
        "--settings=mysite.settings",
        "--keepdb",
        "--author",
        "me",
        "-v",
        "2",
        "key",
        "a@b",
    ]
    assert runner.redact.redacted(words) == words


def test_pip_and_its_children_get_no_token(host, tmp_path, monkeypatch):
    monkeypatch.setenv("API_TOKEN", SECRET)
    shim = tmp_path / "venv" / "bin" / "python"
    write(shim, f'#!/bin/sh\ncase "$1" in -c) exec {sys.executable} "$@";; esac\nenv\n'.encode())
    shim.chmod(0o755)
    write(host.root / "requirements.txt", b"")
    for operation, more in (
        ("pip", {"requirements": "requirements.txt"}),
        ("manage", {"manage": "app/a.py", "args": []}),
    ):
        receipt = host.run(job=simple(host, operation, virtualenv=str(shim.parent.parent), timeout=60, **more))
        assert receipt["state"] == "done", receipt
        assert (SECRET in receipt["output"]) is (operation == "manage")
        (host.state / f"receipt-{receipt['id']}.json").unlink()
