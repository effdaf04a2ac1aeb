"""`pya env` as a real process: the variables of a web app, and where their values are never seen."""

import json
import os
import pty
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from command import Pya, environment_of

from pythonanywhere_api.testing import Emulator

WSGI = """\
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [os.environ.get("SECRET_KEY", "none").encode()]
"""
MANAGE = "import os\nprint(os.environ.get('SECRET_KEY', 'none'))\n"


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        yield host


@pytest.fixture
def domain(host):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    return domain


@pytest.fixture
def pya(tmp_path, host, domain):
    """In a folder that names the web app, and no project."""
    table = f'[tool.pythonanywhere]\ndomain = "{domain}"\nsite_url = "{host.site_url}"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    return Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def page(host) -> str:
    with urllib.request.urlopen(host.site_url, timeout=30) as answer:
        return answer.read().decode()


def everything(host) -> str:
    """All that is in the account, but the file of the variables itself."""
    files = [path for path in Path(host.root).rglob("*") if path.is_file() and path.name != "variables.json"]
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in files)


def test_variables_are_set_listed_removed_and_seen_by_the_site_and_by_commands(pya, host, domain, tmp_path):
    refused = pya("env", "set", "SECRET_KEY", text="s3cret", code=2)
    assert f"{domain} has no agent" in refused.stderr
    assert pya("env", "list").stdout == ""
    pya("agent", "install")

    done = pya("env", "set", "SECRET_KEY", "-v", text="s3cret ü\n")
    assert done.stdout == f"{domain}: 1 set; reloaded\n"
    assert "s3cret" not in done.stdout + done.stderr
    assert page(host) == "s3cret ü"
    assert pya("env", "list").stdout == "SECRET_KEY\n"
    assert pya.json("env", "list") == {"domain": domain, "names": ["SECRET_KEY"]}
    shown = pya.json("env", "list", "--show")
    assert shown["variables"] == {"SECRET_KEY": "s3cret ü"}
    assert pya("env", "list", "--show").stdout.split() == ["SECRET_KEY", "s3cret", "ü"]
    assert pya("env", "set", "SECRET_KEY", text="s3cret ü").stdout == f"{domain}: nothing to change\n"

    # Commands see a new value at once, by the agent and by a task, the site after a reload.
    changed = pya.json("env", "set", "SECRET_KEY", "--no-reload", text="newer")
    assert changed["changed"] is True
    assert changed["reloaded"] is False
    assert page(host) == "s3cret ü"
    (Path(host.root) / "home" / host.user / "mysite").mkdir()
    (Path(host.root) / "home" / host.user / "mysite" / "manage.py").write_text(MANAGE)
    for executor in ("webapp", "always_on"):
        words = ["--executor", executor, "--settings", "mysite.settings", "--project", "mysite", "--", "check"]
        assert pya("manage", *words).stdout == "newer\n", executor

    removed = pya("env", "unset", "SECRET_KEY", "NOT_THERE")
    assert removed.stdout == f"{domain}: 2 removed; reloaded\n"
    assert page(host) == "none"
    kept = everything(host)
    assert "s3cret" not in kept
    # They outlive the agent, which only they need.
    pya("env", "set", "SECRET_KEY", text="s3cret")
    pya("agent", "remove")
    assert page(host) == "none"
    pya("agent", "install")
    assert page(host) == "s3cret"


def test_a_file_goes_there_and_back(pya, host, domain, tmp_path):
    pya("agent", "install")
    values = {"A": "plain", "B": 'it\'s "quoted" # $HOME ${A}\n`x`', "C": "", "SECRET_KEY": "ü\\n"}
    (tmp_path / ".env").write_text(
        "# mine\nexport A=plain\nB='it\\'s \"quoted\" # $HOME ${A}\n`x`'\nC=\nSECRET_KEY=ü\\n  # not a line break\n"
    )
    done = pya("env", "push", ".env")
    assert done.stdout == f"{domain}: 4 set; reloaded\n"
    assert '"${" is sent as it is' in done.stderr
    assert page(host) == "ü\\n"
    assert pya.json("env", "list", "--show")["variables"] == values

    assert ".env exists" in pya("env", "pull", code=2).stderr
    pulled = pya("env", "pull", "copy.env")
    assert pulled.stdout == "4 written to copy.env\n"
    assert stat.S_IMODE((tmp_path / "copy.env").stat().st_mode) == 0o600
    pya("env", "unset", "A", "B", "C")
    pya("env", "push", "copy.env")
    assert pya.json("env", "list", "--show")["variables"] == values
    pya("env", "pull", "--overwrite")
    assert (tmp_path / ".env").read_text() == (tmp_path / "copy.env").read_text()

    (tmp_path / "bad.env").write_text("A=1\nmy s3cret\n")
    refused = pya("env", "push", "bad.env", code=2)
    assert "bad.env: line 2 is not NAME=VALUE" in refused.stderr
    assert "s3cret" not in refused.stderr
    (tmp_path / "bad.env").write_text("A=1\nPATH=/tmp\n")
    assert "PATH cannot be set" in pya("env", "push", "bad.env", code=2).stderr
    (tmp_path / "bad.env").write_text("\n")
    assert "has no variables" in pya("env", "push", "bad.env", code=2).stderr
    (tmp_path / "bad.env").write_text("A=" + "x" * 70_000)
    assert "64 KiB" in pya("env", "push", "bad.env", code=2).stderr
    assert "A" in pya("env", "list").stdout.split()


def test_what_a_failed_reload_left_is_made_up_for(pya, host, domain):
    pya("agent", "install")
    host.faults.add("status", method="POST", path="*/reload/", code=500, times=1)
    failed = pya("env", "set", "SECRET_KEY", text="new", code=1)
    assert failed.stdout == f"{domain}: 1 set\n"
    assert f'still has the old ones ("pya reload {domain}")' in failed.stderr
    assert page(host) == "none"
    again = pya("env", "set", "SECRET_KEY", "--no-reload", text="new")
    assert again.stdout == f"{domain}: nothing to change\n"
    assert "once it is reloaded" in again.stderr
    assert pya.json("env", "set", "SECRET_KEY", text="new")["reloaded"] is True
    assert page(host) == "new"
    assert pya("env", "set", "SECRET_KEY", text="new").stdout == f"{domain}: nothing to change\n"


def test_what_is_empty_replaces_nothing(pya, host, domain, tmp_path):
    """A failed program before the pipe, a misspelt domain."""
    pya("agent", "install")
    pya("env", "set", "SECRET_KEY", text="s3cret")
    assert "the input ended before the value" in pya("env", "set", "SECRET_KEY", text="", code=2).stderr
    assert page(host) == "s3cret"
    (tmp_path / ".env").write_text("A=only here\n")
    refused = pya("env", "pull", "--overwrite", "--domain", "www.example.com", code=2)
    assert "www.example.com has no variables: nothing is written" in refused.stderr
    assert (tmp_path / ".env").read_text() == "A=only here\n"
    assert "pya env list --show" in pya("env", "pull", "-", code=2).stderr
    assert not (tmp_path / "-").exists()
    pya("env", "set", "SECRET_KEY", text="\n")
    assert pya.json("env", "list", "--show")["variables"] == {"SECRET_KEY": ""}


def test_too_much_together_is_said_without_advice_about_the_disk(pya, host, domain, tmp_path):
    pya("agent", "install")
    for name in ("A", "B"):
        (tmp_path / f"{name}.env").write_text(f"{name}=" + "x" * 40_000)
    pya("env", "push", "A.env", "--no-reload")
    refused = pya("env", "push", "B.env", code=2)
    assert "longer than 64 KiB" in refused.stderr
    assert ".cache" not in refused.stderr


def test_a_value_is_no_argument(pya):
    refused = pya("env", "set", "SECRET_KEY=s3cret", code=2)
    assert "give only the name, SECRET_KEY" in refused.stderr
    assert "s3cret" not in refused.stderr
    assert "stdin has one value" in pya("env", "set", "A", "B", text="x", code=2).stderr
    for name in ("API_TOKEN", "HOME", "PATH", "LD_PRELOAD", "PYTHONPATH", "DJANGO_SETTINGS_MODULE", "a b"):
        pya("env", "set", name, text="x", code=2)


def test_on_a_terminal_values_are_asked_for_and_not_shown(pya, host):
    pya("agent", "install")
    ours, its = pty.openpty()
    with subprocess.Popen(
        pya.command("env", "set", "SECRET_KEY", "OTHER"),
        cwd=pya.folder,
        env=pya.environment,
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as run:
        os.close(its)
        seen = read_until(ours, "SECRET_KEY (not shown):")
        os.write(ours, b"s3cret\n")
        seen += read_until(ours, "OTHER (not shown):")
        os.write(ours, b"0ther\n")
        seen += read_until(ours, "reloaded")
        assert run.wait(60) == 0
    os.close(ours)
    assert "s3cret" not in seen
    assert "0ther" not in seen
    assert pya.json("env", "list", "--show")["variables"] == {"OTHER": "0ther", "SECRET_KEY": "s3cret"}
    assert page(host) == "s3cret"


def read_until(terminal: int, word: str) -> str:
    text = ""
    while word not in text:
        text += os.read(terminal, 1000).decode()
    return text


def test_a_damaged_file_is_told_without_its_content(pya, host, domain):
    pya("agent", "install")
    pya("env", "set", "A", text="s3cret")
    (file,) = (Path(host.root) / "home" / host.user / ".pya").glob("variables-*/variables.json")
    assert json.loads(file.read_text()) == {"A": "s3cret"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    file.write_text('{"A": "s3cret"')
    for words in (["list"], ["unset", "B"], ["pull", "x"]):
        refused = pya("env", *words, code=1)
        assert "is damaged" in refused.stderr
        assert "s3cret" not in refused.stderr
    # The site goes on without them, and says so in its log.
    pya("reload")
    assert page(host) == "none"
