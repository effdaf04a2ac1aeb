"""`pya agent`, `manage`, `run`, `verify`, `rollback`, `history` and `pull`, as real processes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from bulk_site import MANAGE, WSGI
from command import Pya, environment_of

from pythonanywhere_api.testing import Emulator


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        yield host


@pytest.fixture
def pya(tmp_path, host):
    """In a project with a web app."""
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    for number in range(50):
        path = tmp_path / f"pkg{number % 5}" / f"m{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n")
    (tmp_path / "version.txt").write_text("1")
    (tmp_path / "manage.py").write_text(MANAGE)
    table = f'[tool.pythonanywhere]\nproject = "mysite"\ndomain = "{domain}"\nsite_url = "{host.site_url}"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    return Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def test_a_project_is_deployed_looked_after_and_rolled_back(pya, host, tmp_path):
    before = pya("diff").stderr
    assert "executor none: " in before
    assert "<- chosen" not in before
    assert "<- chosen" in pya("diff", "-v").stderr
    assert "pya agent install" in before
    assert "installed and answers" in pya("agent", "install").stdout
    assert "already installed" in pya("agent", "install").stdout
    assert pya.json("agent", "status")["ready"]

    forecast = pya.json("diff")["forecast"]
    assert (forecast["executor"], "has an agent" in forecast["why"]) == ("webapp", True)
    assert "webapp" in pya("deploy", "--dry-run").stderr
    deployed = pya("deploy", "--migrate")
    assert "by webapp" in deployed.stderr
    assert "migrate: exit status 0" in deployed.stderr
    assert "manage.py migrate --noinput" in deployed.stderr

    assert pya("manage", "--", "check").stdout == "manage.py check\n"
    told = pya("manage", "demo.pythonanywhere.com", "--json", "--", "check").stdout
    assert json.loads(told)["exit_status"] == 0
    assert 'come after "--"' in pya("manage", "migrate", "--", "app", code=2).stderr
    refused = pya("run", "--", "ls", code=2)
    assert "a task (--allow-tasks) or a console" in refused.stderr
    assert pya("run", "--executor", "always_on", "--", "cat", "version.txt").stdout == "1\n"
    failed = pya("run", "--executor", "always_on", "--", "bash", "-c", "echo no; exit 9", code=1)
    assert (failed.stdout, "exit status 9" in failed.stderr) == ("no\n", True)

    assert "everything as deployed" in pya("verify").stderr
    remote = Path(host.root) / "home" / host.user / "mysite"
    (remote / "pkg1" / "m1.py").write_text("edited")
    drifted = pya("verify", code=1)
    assert drifted.stdout.splitlines() == ["M pkg1/m1.py", "L pkg1/m1.py"]

    refused = pya("rollback", code=2)
    assert "this undoes the first deploy of" in refused.stderr
    assert "confirm it with --yes" in refused.stderr
    for path in tmp_path.glob("pkg*/*.py"):
        path.write_text("new\n")
    assert "keeps 140 bytes for a rollback" in pya("diff").stderr
    pya("deploy")
    undone = pya("rollback")
    assert "50 files restored" in undone.stdout
    assert (remote / "pkg1" / "m1.py").read_text() == "edited"
    words = [line.split()[3] for line in pya("history").stdout.splitlines()]
    assert [word for word in words if word in ("deploy", "rollback")] == ["deploy", "deploy", "rollback"]
    assert {"manage", "run"} <= set(words)
    assert "is not a deploy" in pya("rollback", "nonsense", code=2).stderr

    pya("pull", tmp_path / "copy", "--include", "pkg1/*")
    assert (tmp_path / "copy" / "pkg1" / "m1.py").read_text() == "edited"
    (tmp_path / "version.txt").write_text("2")
    assert "this deploy cannot be undone" in pya("deploy", "--executor", "none").stderr
    refused = pya("rollback", code=1).stderr
    assert "sent its files one by one" in refused
    assert "another deploy" not in refused
    assert "the WSGI file is as it was" in pya("agent", "remove").stdout
    assert "not installed" in pya("agent", "status", code=1).stdout


def test_undoing_the_first_deploy_asks_on_a_terminal(pya, host):
    pya("agent", "install")
    pya("deploy")
    remote = Path(host.root) / "home" / host.user / "mysite"
    for answer, code, is_left in (("n", 2, True), ("y", 0, False)):
        ours, its = pty.openpty()
        process = subprocess.Popen(
            pya.command("rollback"), cwd=pya.folder, env=pya.environment, stdin=its, stderr=its, stdout=subprocess.PIPE
        )
        os.close(its)
        said = b""
        while b"[y/N]" not in said:
            said += os.read(ours, 1000)
        assert b"removes all that it put there: 53 files" in said.replace(b"\r\n", b" ")
        os.write(ours, answer.encode() + b"\n")
        assert process.wait(timeout=60) == code
        process.communicate()
        os.close(ours)
        assert (remote / "version.txt").exists() is is_left


def test_a_web_app_that_is_not_there_has_no_agent(pya):
    assert "404" in pya("agent", "install", "none.example.com", code=5).stderr
    assert "is not a domain" in pya("agent", "status", "no domain", code=2).stderr
    assert "has no agent" in pya("deploy", "--executor", "webapp", code=2).stderr
    assert "nothing can run commands" in pya("manage", "--", "check", code=2).stderr
