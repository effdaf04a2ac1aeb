"""The scripts in `examples/`, run as their readers run them, against the emulator."""

import importlib
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from command import environment_of
from pages import ROOT

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

EXAMPLES = ROOT / "examples"
DOMAIN = "demo.pythonanywhere.com"


@pytest.fixture
def host():
    # Without the account's own paths, since not every system that runs these tests can show them to its processes.
    with Emulator(rate_limit=None, python=sys.executable, private_paths=False) as host:
        yield host


def command(script, *arguments):
    return [sys.executable, EXAMPLES / script, *map(str, arguments)]


def run(host, script, *arguments, code=0):
    """What a script printed."""
    environment = environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"}
    done = subprocess.run(
        command(script, *arguments), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def site(tmp_path):
    """A Django project with one page and one static file."""
    root = tmp_path / "mysite"
    (root / "mysite").mkdir(parents=True)
    (root / "staticfiles").mkdir()
    (root / "manage.py").write_text("")
    (root / "mysite" / "__init__.py").write_text("")
    (root / "mysite" / "settings.py").write_text(
        'SECRET_KEY = "only for tests"\nALLOWED_HOSTS = ["*"]\nROOT_URLCONF = "mysite.urls"\n'
    )
    (root / "mysite" / "urls.py").write_text(
        "from django.http import HttpResponse\nfrom django.urls import path\n"
        'urlpatterns = [path("", lambda request: HttpResponse("from nothing"))]\n'
    )
    (root / "staticfiles" / "style.css").write_text("p {}")
    return root


def visit(host, path=""):
    request = urllib.request.Request(f"{host.site_url.rstrip('/')}/{path}", headers={"Host": DOMAIN})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def test_deploy(host, site):
    host.create_webapp(DOMAIN)
    assert "5 uploaded, 0 deleted" in run(host, "deploy.py", site, "mysite", DOMAIN)
    (site / "staticfiles" / "style.css").unlink()
    assert "0 uploaded, 2 deleted" in run(host, "deploy.py", site, "mysite", DOMAIN)
    assert "0 uploaded, 0 deleted" in run(host, "deploy.py", site, "mysite", DOMAIN)
    run(host, "deploy.py", site, "mysite", "not-mine.example.com")
    (site / "manage.py").write_text("#")
    run(host, "deploy.py", site, "mysite", "not-mine.example.com", code=1)


def test_the_tests_of_a_deploy_script_pass():
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", EXAMPLES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, EXAMPLES], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_create_site(host, site):
    for _ in range(2):  # a second run changes nothing and breaks nothing
        run(host, "create_site.py", site, "mysite", DOMAIN, sys.prefix)
        assert visit(host) == "from nothing"
        assert visit(host, "static/style.css") == "p {}"
    client = Client(host.user, host.token, host.url, rate_limit="off")
    assert len(client.webapps.static_files.list(DOMAIN)) == 1


def test_backup(host, tmp_path):
    folder = Path(host.root, "home", host.user, "media")
    files = {f"{number % 5}/{number}.bin": os.urandom(number) for number in range(50)}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    assert run(host, "backup.py", f"/home/{host.user}/media", tmp_path / "copy") == f"{sum(range(50))} bytes\n"
    copied = {str(path.relative_to(tmp_path / "copy")): path for path in (tmp_path / "copy").rglob("*.bin")}
    assert {name: path.read_bytes() for name, path in copied.items()} == files
    assert len(host.requests) == 50 + 6


def test_tail_log(host, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    log = Path(host.root, "var", "log", f"{DOMAIN}.error.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("first\nhalf a")
    client = Client(host.user, host.token, host.url, rate_limit="off")
    lines = importlib.import_module("tail_log").follow(client, DOMAIN, seconds=0.01)
    assert next(lines) == "first"
    with log.open("a") as more:
        more.write(" line\nthird\n")
    assert [next(lines), next(lines)] == ["half a line", "third"]
    log.write_text("new\n")  # rotated
    assert next(lines) == "new"
