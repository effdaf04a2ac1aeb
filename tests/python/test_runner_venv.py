"""Virtualenvs that the runner makes: what is used, what is made anew, and what it never touches."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from runner_host import Host, as_program, load, ready, simple, tree
from runner_pip import VERSION, make_virtualenv
from runner_steps import fail_at, in_child, kill_at

# Makes what a virtualenv has, in a moment.
QUICK = """\
#!/bin/sh
for place; do :; done
mkdir -p "$place/bin" && ln -sf {python} "$place/bin/python" && echo "version = {version}.0" > "$place/pyvenv.cfg"
"""


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def place(host: Host, name: str = "site") -> Path:
    return host.home / ".virtualenvs" / name


def make(host: Host, name: str = "site", python: str = VERSION, **run):
    return host.run(job=simple(host, "venv", name=name, python=python), **run)


def quick(host: Host):
    """A runner whose `venv` fails at once, and that finds a `virtualenv` that takes no time."""
    program = host.home / "virtualenv"
    program.write_text(QUICK.format(python=sys.executable, version=VERSION))
    program.chmod(0o755)
    module = load()

    class Shell:
        which = staticmethod(lambda name, path=None: str(program) if name == "virtualenv" else shutil.which(name))
        rmtree = staticmethod(shutil.rmtree)

    module.venv.shutil = Shell
    real = module.venv.run_process
    module.venv.run_process = lambda job, words, *rest: (
        (1, None) if words[1:3] == ["-I", "-m"] else real(job, words, *rest)
    )
    return module


def test_one_is_made_and_used_from_then_on(host):
    receipt = make(host)
    assert receipt["state"] == "done", receipt["error"]
    assert receipt["result"].items() >= {"python": VERSION, "created": True}.items()
    python = place(host) / "bin" / "python"
    code = "import sys, pip; print(sys.prefix, '%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(place(host)), VERSION]
    assert sorted(path.name for path in place(host).glob(".pya*")) == [".pya-done"]
    before = tree(place(host))
    assert not make(host)["result"]["created"]
    assert tree(place(host)) == before
    assert json.loads((host.state / "history.json").read_text())["jobs"][-1]["summary"].endswith("is there")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/tmp/x", ".hidden", "-x", "a\n", "a b", "ä", "a" * 101]
)
def test_a_name_is_one_segment(host, name):
    assert make(host, name)["error"]["kind"] == "name"
    assert not (host.home / ".virtualenvs").exists()


@pytest.mark.parametrize("version", ["", "3", "3.x", "../../bin/sh", "3.11\n", "3.11.2"])
def test_a_version_has_two_numbers(host, version):
    assert make(host, python=version)["error"]["kind"] == "name"


def test_a_python_that_is_not_there_is_named(host):
    receipt = make(host, python="3.99")
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "interpreter")
    assert "no Python 3.99 here" in receipt["error"]["message"]
    assert not place(host).exists()


def test_somebody_elses_is_used_as_it_is(host):
    make_virtualenv(place(host))
    (place(host) / "bin" / "activate").write_text("mine")
    before = tree(place(host))
    assert make(host)["result"].items() >= {"python": VERSION, "created": False}.items()
    assert tree(place(host)) == before


def virtualenv_of(host: Host, version: str, python: str | None = sys.executable) -> None:
    (place(host) / "bin").mkdir(parents=True)
    (place(host) / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion_info = {version}.1.final.0\n")
    if python:
        (place(host) / "bin" / "python").symlink_to(python)


def other_version(host):
    virtualenv_of(host, "2.7")


def broken(host):
    virtualenv_of(host, VERSION, None)


def of_another_python(host):
    virtualenv_of(host, VERSION, "/bin/false")


def files_of_somebody(host):
    place(host).mkdir(parents=True)
    (place(host) / "thesis.txt").write_text("the only copy")


def half_made_by_somebody(host):
    files_of_somebody(host)
    (place(host) / ".pya-begun").write_text("1")


def half_made_elsewhere(host):
    # A copy of what we began: the mark has the number of another folder.
    files_of_somebody(host)
    (place(host) / ".pya-begun").write_text(str(host.root.stat().st_ino))


def mark_that_is_a_link(host):
    files_of_somebody(host)
    number = host.home / "number"
    number.write_text(str(place(host).stat().st_ino))
    (place(host) / ".pya-begun").symlink_to(number)


def empty_mark_beside_files(host):
    files_of_somebody(host)
    (place(host) / ".pya-begun").write_text("")


def configuration_that_is_a_link(host):
    virtualenv_of(host, VERSION)
    (place(host) / "pyvenv.cfg").rename(host.home / "pyvenv.cfg")
    (place(host) / "pyvenv.cfg").symlink_to(host.home / "pyvenv.cfg")


def link_to_a_virtualenv(host):
    make_virtualenv(host.home / "other")
    place(host).parent.mkdir()
    place(host).symlink_to(host.home / "other")


def dangling_link(host):
    place(host).parent.mkdir()
    place(host).symlink_to(host.home / "nowhere")


def plain_file(host):
    place(host).parent.mkdir()
    place(host).write_text("a file")


@pytest.mark.parametrize(
    "plant",
    [
        other_version,
        broken,
        of_another_python,
        files_of_somebody,
        half_made_by_somebody,
        half_made_elsewhere,
        mark_that_is_a_link,
        empty_mark_beside_files,
        configuration_that_is_a_link,
        link_to_a_virtualenv,
        dangling_link,
        plain_file,
    ],
)
def test_what_is_there_and_cannot_be_used_is_refused_and_left_alone(host, plant):
    plant(host)
    before = tree(host.home / ".virtualenvs")
    receipt = make(host)
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "interpreter")
    assert "~/.virtualenvs/site" in receipt["error"]["message"]
    assert "choose another name" in receipt["error"]["message"]
    assert tree(host.home / ".virtualenvs") == before


def test_a_link_out_of_the_account_is_not_followed(host, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (host.home / ".virtualenvs").symlink_to(outside)
    receipt = make(host)
    assert "out of the account" in receipt["error"]["message"]
    assert list(outside.iterdir()) == []
    (host.home / ".virtualenvs").unlink()
    # A folder elsewhere in the account is as good as any.
    (host.home / "big").mkdir()
    (host.home / ".virtualenvs").symlink_to(host.home / "big")
    assert make(host, module=quick(host))["result"]["created"]
    assert (host.home / "big" / "site" / "bin" / "python").exists()


def test_what_is_to_go_is_not_followed_through_a_link(host):
    precious = host.home / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    place(host).parent.mkdir()
    (place(host).parent / ".pya-gone-site").symlink_to(precious)
    assert make(host, module=quick(host))["result"]["created"]
    assert (precious / "file").read_text() == "mine"


def test_an_empty_folder_is_filled(host):
    place(host).mkdir(parents=True)
    assert make(host, module=quick(host))["result"]["created"]


@pytest.mark.slow
def test_killed_at_any_step_it_is_made_anew_and_whole(host):
    module, number = quick(host), 1
    job = simple(host, "venv", name="site", python=VERSION)
    while kill_at(host, number, job=job, module=module):
        receipt = host.run(module=module, job=dict(job, id="f" * 16))
        assert receipt["state"] == "done", (number, receipt["error"])
        assert sorted(path.name for path in place(host).iterdir()) == [".pya-done", "bin", "pyvenv.cfg"]
        assert sorted(path.name for path in place(host).parent.iterdir()) == ["site"]
        shutil.rmtree(place(host).parent)
        shutil.rmtree(host.state)
        number += 1
    assert number > 15


@pytest.mark.slow
def test_an_error_at_any_step_leaves_nothing_that_a_second_try_stumbles_over(host):
    module, number, is_there = quick(host), 1, True
    while is_there:
        job = simple(host, "venv", name="site", python=VERSION)
        _, is_there = fail_at(host, number, 28, job=job, module=module)
        receipt = host.run(module=module, job=dict(job, id="f" * 16))
        assert receipt["state"] == "done", (number, receipt["error"])
        shutil.rmtree(place(host).parent)
        shutil.rmtree(host.state)
        number += 1
    assert number > 15


def test_a_half_made_one_waits_for_what_its_killed_runner_left_behind(host):
    module = quick(host)
    release = host.home / "release"
    (host.home / "virtualenv").write_text(
        f"#!/bin/sh\nfor place; do :; done\ntouch {host.home}/began\n"
        f"while [ ! -e {release} ]; do sleep 0.05; done\ntouch $place/late\n"
    )
    job = simple(host, "venv", name="site", python=VERSION)

    def act():
        signal.signal(
            signal.SIGALRM, lambda *_: (host.home / "began").exists() and os.kill(os.getpid(), signal.SIGKILL)
        )
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        host.run(module=module, job=job)

    assert in_child(act) == -signal.SIGKILL
    assert host.run(0.3, module=module, job=job)["state"] == "running"
    assert (place(host) / ".pya-begun").exists()
    (host.home / "virtualenv").write_text(QUICK.format(python=sys.executable, version=VERSION))
    threading.Timer(0.3, release.touch).start()
    receipt = host.run(module=module, job=job)
    assert receipt["result"]["created"]
    assert not (place(host) / "late").exists()


def test_two_at_once_make_one(host):
    module = quick(host)
    (host.home / "virtualenv").write_text(
        QUICK.format(python=sys.executable, version=VERSION).replace(
            "for place", f"echo x >> {host.home}/runs; sleep 0.3\nfor place", 1
        )
    )
    jobs = [dict(simple(host, "venv", name="site", python=VERSION), id=f"{number:016x}") for number in range(5)]
    receipts = []
    threads = [
        threading.Thread(target=lambda job=job: receipts.append(host.run(module=module, job=job))) for job in jobs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt["state"] for receipt in receipts) == ["done"] * 5
    assert [receipt["result"]["created"] for receipt in receipts].count(True) == 1
    assert (host.home / "runs").read_text() == "x\n"


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        ("echo 'Error: no ensurepip'; exit 1", "program", "no ensurepip"),
        ("echo '[Errno 28] No space left on device'; exit 1", "space", "disk quota"),
        ("exit 0", "program", "could not be made"),
    ],
)
def test_one_that_cannot_be_made_says_why_and_leaves_nothing(host, script, kind, words):
    module = quick(host)
    (host.home / "virtualenv").write_text(f"#!/bin/sh\nfor place; do :; done\nmkdir -p $place/bin\n{script}\n")
    receipt = make(host, module=module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", kind)
    assert words in receipt["error"]["message"]
    assert list(place(host).parent.iterdir()) == []


def test_it_is_not_begun_where_there_is_no_room(host):
    module = quick(host)

    def check_space(*_):
        raise OSError(122, "quota")

    module.files.check_space = check_space
    receipt = make(host, module=module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "space")
    assert not place(host).exists()


def test_one_that_takes_too_long_is_ended_and_removed(host):
    module = quick(host)
    module.limits.LONGEST_PROGRAM = 1
    module.limits.GRACE_SECONDS = 0.2
    (host.home / "virtualenv").write_text("#!/bin/sh\nsleep 1000\n")
    start = time.monotonic()
    receipt = make(host, module=module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "timed_out")
    assert time.monotonic() - start < 20
    assert list(place(host).parent.iterdir()) == []


def test_the_token_and_what_decides_which_code_runs_are_not_passed_on(host, monkeypatch):
    module = quick(host)
    monkeypatch.setenv("API_TOKEN", "secret")
    monkeypatch.setenv("PYTHONSTARTUP", "/tmp/x")
    program = host.home / "virtualenv"
    program.write_text(program.read_text().replace("for place", f"env > {host.home}/seen\nfor place", 1))
    assert make(host, module=module)["result"]["created"]
    seen = (host.home / "seen").read_text()
    assert "API_TOKEN" not in seen
    # `make PYTHON=…` passes that one on to all that it starts.
    assert re.findall(r"^PYTHON\w+", seen, re.MULTILINE) == []


def test_tasks_make_them_too(host):
    job = simple(host, "venv", name="site", python=VERSION)
    make_virtualenv(place(host))
    done = as_program(host, job)
    assert done.returncode == 0, done.stderr
    assert not json.loads((host.state / f"receipt-{job['id']}.json").read_text())["result"]["created"]


def test_locks_that_the_file_system_does_not_have_stop_nobody(host):
    module = quick(host)

    class NoLocks:
        LOCK_EX, LOCK_NB = fcntl.LOCK_EX, fcntl.LOCK_NB

        @staticmethod
        def flock(*_):
            raise OSError(37, "no locks available")

    module.files.fcntl = NoLocks
    assert make(host, module=module)["result"]["created"]
