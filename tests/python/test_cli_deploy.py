"""`pya diff` and `pya deploy`: plans, reports, exit codes, and the end by a signal."""

import signal
import time
from pathlib import Path

import pytest
from command import Pya, environment_of

from pythonanywhere_api.testing import Emulator

PROJECT = "site"


@pytest.fixture
def host():
    with Emulator(rate_limit=None) as emulator:
        yield emulator


@pytest.fixture
def remote(host):
    return Path(host.root) / "home" / host.user / PROJECT


@pytest.fixture
def pya(host, tmp_path):
    """`pya` in a project of 12 files that was never deployed."""
    for number in range(12):
        file = tmp_path / f"app{number % 3}" / f"m{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"# {number}\n")
    return Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def writes(host) -> list[str]:
    return [request.path for request in host.requests if request.method != "GET"]


def test_diff_is_short_on_stdout_and_sends_no_write(pya, host):
    done = pya("diff", "--project", PROJECT)
    lines = done.stdout.splitlines()
    assert len(lines) == 12
    assert lines[0].split() == ["A", "app0/m0.py"]
    assert "12" in done.stderr
    assert writes(host) == []


def test_deploy_change_deploy_nothing(pya, host, remote):
    report = pya.json("deploy", "--project", PROJECT)
    assert report["ok"] is True
    assert len(report["uploaded"]) == 12
    assert (remote / "app0" / "m0.py").read_text() == "# 0\n"

    (pya.folder / "app0" / "m0.py").write_text("changed\n")
    (pya.folder / "app1" / "m1.py").unlink()
    assert pya("diff", "--project", PROJECT).stdout.split() == ["M", "app0/m0.py", "D", "app1/m1.py"]
    assert (remote / "app1" / "m1.py").exists()
    report = pya.json("deploy", "--project", PROJECT)
    assert (report["uploaded"], report["deleted"]) == (["app0/m0.py"], [])
    report = pya.json("deploy", "--project", PROJECT, "--delete")
    assert (report["uploaded"], report["deleted"]) == ([], ["app1/m1.py"])
    assert not (remote / "app1" / "m1.py").exists()

    host.clear_requests()
    assert pya.json("deploy", "--project", PROJECT, "--delete")["uploaded"] == []
    assert len(host.requests) == 2


def test_a_dry_run_sends_no_write(pya, host, remote):
    done = pya("deploy", "--project", PROJECT, "--dry-run")
    assert len(done.stdout.splitlines()) >= 12
    assert writes(host) == []
    assert not remote.exists()


def test_diff_dry_run_and_deploy_print_one_list(pya, remote):
    pya("deploy", "--project", PROJECT)
    (pya.folder / "app0" / "m0.py").write_text("changed\n")
    (pya.folder / "app1" / "m1.py").unlink()
    (pya.folder / "new.py").write_text("")
    for path, content in {"uploads/cat.jpg": b"a visitor's", "data/live": b"SQLite format 3\0..."}.items():
        (remote / path).parent.mkdir()
        (remote / path).write_bytes(content)
    options = ["--project", PROJECT, "--delete", "--delete-unmanaged"]
    outputs = [pya("diff", *options), pya("deploy", "--dry-run", *options), pya("deploy", *options)]
    for done in outputs:
        assert done.stdout.split() == ["M", "app0/m0.py", "D", "app1/m1.py", "A", "new.py", "D", "uploads/cat.jpg"]
        assert "left alone" not in done.stderr
        assert "data/live" in done.stderr, "it is protected"
    assert (remote / "data" / "live").exists()
    assert not (remote / "uploads").exists()


def test_what_is_gone_here_is_not_called_removed_unless_it_is_deleted(pya, remote):
    pya("deploy", "--project", PROJECT)
    (pya.folder / "app1" / "m1.py").unlink()
    for arguments in (["--dry-run"], []):
        done = pya("deploy", "--project", PROJECT, *arguments)
        assert done.stdout == ""
        assert "1 deleted locally (kept on the host without --delete)" in done.stderr
        assert (remote / "app1" / "m1.py").exists()


def test_talk_goes_to_stderr_and_quiet_means_quiet(pya):
    done = pya("deploy", "--project", PROJECT, "--json")
    assert done.stdout.count("\n") == 1
    assert "->" in done.stderr
    (pya.folder / "new.py").write_text("")
    assert pya("deploy", "--project", PROJECT, "--quiet").stderr == ""


def test_the_configured_domain_is_reloaded(pya, host):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    (pya.folder / "pyproject.toml").write_text(
        f'[tool.pythonanywhere]\nproject = "{PROJECT}"\ndomain = "{domain}"\nprotected = ["*.db"]\n'
    )
    (pya.folder / "data.db").write_text("")
    report = pya.json("deploy")
    assert report["reloaded"] == [domain]
    assert report["protected"] == ["data.db"]
    (pya.folder / "app0" / "m0.py").write_text("changed\n")
    assert pya.json("deploy", "--no-reload")["reloaded"] == []
    assert pya.json("deploy", "--include", "*.db")["uploaded"] == ["data.db"]


def test_a_file_that_fails_is_told_and_nothing_is_reloaded_or_deleted(pya, host, remote):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    pya("deploy", "--project", PROJECT)
    for name in ("m0.py", "m3.py"):
        (pya.folder / "app0" / name).write_text("changed\n")
    (pya.folder / "app1" / "m1.py").unlink()
    host.faults.add("status", code=403, method="POST", path="*/app0/m0.py")
    arguments = ["deploy", "--project", PROJECT, "--delete", "--reload", domain]
    answer = pya.json(*arguments, code=1)
    assert list(answer["failed"]) == ["app0/m0.py"]
    assert (answer["ok"], answer["reloaded"], answer["deleted"]) == (False, [], [])
    assert (remote / "app1" / "m1.py").exists()
    done = pya(*arguments, code=1)
    assert "app0/m0.py" in done.stderr
    host.faults.clear()
    answer = pya.json(*arguments)
    assert (answer["ok"], answer["deleted"], answer["reloaded"]) == (True, ["app1/m1.py"], [domain])


def test_too_many_deletes_are_refused(pya, remote):
    pya("deploy", "--project", PROJECT)
    for file in (pya.folder / "app0").iterdir():
        file.unlink()
    done = pya("deploy", "--project", PROJECT, "--delete", "--max-delete", "2", code=2)
    assert "max" in done.stderr
    assert len(list((remote / "app0").iterdir())) == 4


def held(pya, host, *arguments, after: int):
    """A deploy that stands at the gate: its request `after` waits for its release."""
    host.faults.add("hold", method="POST", path=f"*/{PROJECT}/*", after=after, times=1, stage="before")
    process = pya.start("deploy", "--project", PROJECT, "--json", *arguments)
    deadline = time.monotonic() + 30
    while not host.wait_held(1, timeout=0.1):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
    return process


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_deploy_with_its_report(pya, host, remote, number, code):
    import json

    process = held(pya, host, after=5)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == code, stderr
    report = json.loads(stdout)
    assert report["ok"] is False
    assert len(report["uploaded"]) < 12
    for path in report["uploaded"]:
        assert (remote / path).exists()
    host.faults.clear()
    for request in host.held():
        host.release(request.number)
    assert pya.json("deploy", "--project", PROJECT)["ok"] is True
    assert len([path for path in remote.rglob("*") if path.is_file()]) == 12


def test_a_second_deploy_says_who_holds_the_project(pya, host):
    process = held(pya, host, after=2)
    try:
        done = pya("deploy", "--project", PROJECT, code=6)
        assert "since" in done.stderr
    finally:
        host.faults.clear()
        for request in host.held():
            host.release(request.number)
        process.communicate(timeout=30)
    assert process.returncode == 0
