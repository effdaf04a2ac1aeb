"""Steps of ``smoke.py`` about the account: logins, its site from nothing, variables, and a certificate.

Each takes a :class:`Windows` and fails by an assertion; the first line of its docstring says what it shows.
"""

from __future__ import annotations

import sys
import tempfile
import urllib.request
from pathlib import Path

from launch_projects import BLOG, make_wheels, write
from machine import Windows

from pythonanywhere_api.testing import Emulator

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
NOBODY = {"API_TOKEN": "", "PYTHONANYWHERE_USERNAME": "", "PYTHONANYWHERE_SITE": ""}


def log_in(windows: Windows, **more: str) -> dict:
    arguments = ("login", "--host", windows.host.url, "--user", windows.host.user)
    # As PowerShell pipes it.
    return windows.json(*arguments, typed=f"{windows.host.token}\r\n", **NOBODY, **more)


def logins(windows: Windows) -> None:
    """login, whoami and logout, with the credential manager and with a file"""
    user, host = windows.host.user, f"{windows.host.url}/"
    assert "API token is missing" in windows.pya("ls", code=2, **NOBODY).stderr
    for switch, place, source in (("on", "keyring", "keyring"), ("off", "file", "login_file")):
        kept = log_in(windows, PYA_KEYRING=switch)
        assert (kept["user"], kept["place"]) == (user, place), kept
        whoami = windows.json("whoami", PYA_KEYRING=switch, **NOBODY)
        assert whoami == {"user": user, "host": host, "token": source, "environment": None}, whoami
        files = list(windows.prefix.rglob("pythonanywhere-api/logins.json"))
        assert [path.parts[-4:-1] for path in files] == [("AppData", "Roaming", "pythonanywhere-api")], files
        assert (windows.host.token in files[0].read_text()) == (place == "file")
        assert windows.json("ls", PYA_KEYRING=switch, **NOBODY)["path"] == f"/home/{user}"
        assert len(windows.json("logout", PYA_KEYRING=switch, **NOBODY)["forgotten"]) == 1
        assert "API token is missing" in windows.pya("whoami", code=2, **NOBODY).stderr


def launches(windows: Windows) -> None:
    """init and launch bring a Django project with a .env to a served page; status, doctor, env and manage"""
    with tempfile.TemporaryDirectory() as folder:
        wheels = make_wheels(Path(folder))
        with Emulator(python=sys.executable, rate_limit=None, package_index=wheels) as fresh:
            launch(Windows(windows.prepared, fresh, windows.folder.with_name("blog")))


def launch(windows: Windows) -> None:
    host = windows.host
    crlf = {name: text.replace("\n", "\r\n") for name, text in BLOG.items()}
    write(windows.folder, crlf | {".python-version": f"{PYTHON}\r\n", "pyproject.toml": "[tool.ruff]\r\n"})
    site_url = ("--site-url", host.site_url)
    planned = windows.json("init", "--dry-run", *site_url)
    settings = "config/settings/settings_pythonanywhere.py"
    assert [file["path"] for file in planned["files"]] == [settings, "pyproject.toml"], planned
    assert planned["env_file"] == ".env", planned
    assert windows.json("init", *site_url)["written"] == [settings, "pyproject.toml"]
    table = (windows.folder / "pyproject.toml").read_bytes()
    assert table.count(b"\n") == table.count(b"\r\n") > 3, table
    report = windows.json("launch", "--yes", "--no-open")
    assert report["ok"], report
    assert page(host) == "My first blog: 0 posts"
    again = windows.json("launch", "--yes", "--no-open")
    assert {step["state"] for step in again["steps"]} <= {"done", "skipped"}, again
    status = windows.json("status")
    assert [site["enabled"] for site in status["sites"]] == [True], status
    # Exit code 0: no finding is an error.
    assert "it is served until" in windows.pya("doctor").stdout
    variables(windows)
    assert "no issues" in windows.pya("manage", "check").stdout
    assert windows.pya("logs", "--lines", "5").returncode == 0


def variables(windows: Windows) -> None:
    windows.pya("env", "set", "BLOG_TITLE", typed="Renamed ü\r\n")
    assert page(windows.host) == "Renamed ü: 0 posts"
    assert windows.pya("env", "list").stdout.split() == ["BLOG_TITLE", "SECRET_KEY"]
    pulled = windows.pya("env", "pull", "pulled.env")
    assert "pulled.env" in pulled.stdout
    assert "Renamed ü" in (windows.folder / "pulled.env").read_text(encoding="utf-8")
    (windows.folder / "pulled.env").write_bytes(b"BLOG_TITLE=Pushed\r\n# mine\r\n")
    windows.pya("env", "push", "pulled.env")
    assert page(windows.host) == "Pushed: 0 posts"
    assert "exists: --overwrite" in windows.pya("env", "pull", "pulled.env", code=2).stderr
    windows.pya("env", "pull", "pulled.env", "--overwrite")


def page(host: Emulator) -> str:
    """The front page, as a visitor sees it."""
    request = urllib.request.Request(host.site_url, headers={"Host": f"{host.user}.pythonanywhere.com"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.read().decode()


def certificates(windows: Windows) -> None:
    """https: an unknown certificate is refused, and one that SSL_CERT_FILE names is trusted"""
    with tempfile.TemporaryDirectory() as folder, Emulator(rate_limit=None, tls=folder) as secure:
        there = Windows(windows.prepared, secure, windows.folder.with_name("secure"))
        assert "certificate" in there.pya("ls", code=3).stderr
        trusted = "Z:" + str(Path(folder, "ca.pem")).replace("/", "\\")
        assert there.json("ls", SSL_CERT_FILE=trusted)["path"] == f"/home/{secure.user}"


STEPS = (logins, certificates, launches)
