"""`pya launch` on a fresh free account: real sockets, real limit, real processes, and pip from a folder of wheels."""

import asyncio
import json
import signal
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from command import Pya, environment_of
from launch_projects import BLOG, FLASK, make_wheels, startproject, write

from pythonanywhere_api import ConfigError, PythonAnywhereError, launch, launch_async
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# The project asks for the Python that this machine has: the emulated account offers more than there are.
PIN = {".python-version": f"{PYTHON}\n"}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    return make_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture
def host(wheels):
    """A fresh free account, with the service's limit."""
    with Emulator(python=sys.executable, package_index=wheels) as emulator:
        yield emulator


class Slow(Pya):
    """pip takes its time where other tests run beside this."""

    timeout = 600


@pytest.fixture
def pya(host, tmp_path):
    return Slow(tmp_path, environment_of(host))


def run(pya, host, root, *options, code=0):
    """Launches; returns the report and the requests that it took."""
    before = len(host.requests)
    report = pya.json("launch", root, "--site-url", host.site_url, "--yes", "--no-open", *options, code=code)
    return report, [(request.method, request.path) for request in host.requests[before:]]


def page(host, path="/") -> tuple[int, str]:
    domain = f"{host.user.lower()}.pythonanywhere.com"
    request = urllib.request.Request(host.site_url + path, headers={"Host": domain})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def states(report) -> dict[str, str]:
    return {step["step"]: step["state"] for step in report["steps"]}


def count_writes(requests) -> int:
    return sum(method in WRITES for method, _ in requests)


def made(host) -> dict[str, list[str]]:
    """The projects and virtualenvs of the account. What programs of this machine keep in their home is no matter."""
    home = Path(host.root) / "home" / host.user
    projects = sorted(path.name for path in home.iterdir() if not path.name.startswith("."))
    return {"projects": projects, "virtualenvs": sorted(path.name for path in (home / ".virtualenvs").iterdir())}


def test_startproject_is_served_after_one_command(pya, host, tmp_path):
    root = write(startproject(tmp_path), PIN)
    begun = time.monotonic()
    report, requests = run(pya, host, root)
    print(json.dumps(report, indent=1), f"{time.monotonic() - begun:.1f} s")
    assert report["ok"]
    assert report["requests"] == len(requests) <= 30
    assert page(host, "/admin/login/")[0] == 200
    assert page(host)[0] == 404
    assert any('"/"' in what for what in report["next"])
    assert page(host, "/static/admin/css/base.css")[0] == 200
    # Nothing is to be done again, and nothing is written.
    again, requests = run(pya, host, root)
    assert again["ok"]
    assert set(states(again).values()) - {"done", "skipped"} == set()
    assert count_writes(requests) == 0, requests
    assert len(requests) <= 8, requests


def test_a_blog_with_split_settings_media_and_env_and_a_change_of_it(pya, host, tmp_path):
    root = write(tmp_path / "blog", BLOG | PIN)
    report, requests = run(pya, host, root)
    assert report["ok"]
    assert report["requests"] == len(requests) <= 30
    assert page(host) == (200, "My first blog: 0 posts")
    assert page(host, "/static/blog/style.css")[1] == BLOG["blog/static/blog/style.css"]
    assert "not $the one" not in json.dumps(report)
    home = Path(host.root) / "home" / host.user
    assert not (home / "blog/.env").exists()
    # The laptop's database and uploads stay there.
    assert not (home / "blog/media/cat.txt").exists()
    _, requests = run(pya, host, root)
    assert count_writes(requests) == 0
    views = (root / "blog/views.py").read_text().replace("posts", "articles")
    (root / "blog/views.py").write_text(views)
    changed, _ = run(pya, host, root)
    assert states(changed)["files"] == "done"
    assert states(changed)["web app"] == "skipped"
    assert page(host) == (200, "My first blog: 0 articles")
    (root / ".env").write_text("SECRET_KEY='not $the one'\nBLOG_TITLE=Renamed\n")
    run(pya, host, root)
    assert page(host) == (200, "Renamed: 0 articles")


def test_a_flask_application_is_served_too(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    report, _ = run(pya, host, root)
    assert report["ok"]
    assert page(host) == (200, "Hello from Flask")
    _, requests = run(pya, host, root)
    assert count_writes(requests) == 0


def test_a_dry_run_writes_nothing_here_or_there(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    before = sorted(root.rglob("*"))
    report, requests = run(pya, host, root, "--dry-run")
    assert report["ok"]
    assert report["dry_run"]
    assert states(report)["web app"] == "planned"
    assert count_writes(requests) == 0
    assert sorted(root.rglob("*")) == before


def test_a_superuser_is_made_once(pya, host, tmp_path, monkeypatch):
    root = write(startproject(tmp_path), PIN)
    said = pya("launch", root, "--superuser", "boss", "--yes", "--site-url", host.site_url, code=2).stderr
    assert "DJANGO_SUPERUSER_PASSWORD" in said
    pya.environment["DJANGO_SUPERUSER_PASSWORD"] = "s3cret-for-tests"
    report, _ = run(pya, host, root, "--superuser", "boss")
    assert states(report)["superuser"] == "done"
    assert "s3cret" not in json.dumps(report)
    again, _ = run(pya, host, root, "--superuser", "boss")
    assert states(again)["superuser"] == "skipped"


def test_python_launches_as_the_command_does(host, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")
    root = write(tmp_path / "site", FLASK | PIN)
    events = []
    account = {"username": host.user, "token": host.token, "host": host.url, "site_url": host.site_url}
    report = launch(root, **account, progress=events.append)
    report.raise_for_failures()
    assert report
    assert report.ok
    assert ("web app", "done") in [(event.step, event.state) for event in events]
    assert page(host) == (200, "Hello from Flask")
    again = asyncio.run(launch_async(root, **account))
    assert again.ok
    assert {step["state"] for step in again.steps if step["step"] == "web app"} == {"skipped"}


def test_python_reads_the_account_from_the_table_but_sends_the_token_nowhere_else(host, tmp_path, monkeypatch):
    for name in ("API_TOKEN", "PYTHONANYWHERE_USERNAME", "PYTHONANYWHERE_SITE", "PYTHONANYWHERE_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
    root = write(tmp_path / "site", FLASK | PIN)
    table = root / "pyproject.toml"
    table.write_text(f'[tool.pythonanywhere]\nuser = "{host.user}"\nhost = "{host.url}"\n')
    report = launch(root, token=host.token, dry_run=True)
    assert (report.ok, report.domain) == (True, f"{host.user}.pythonanywhere.com")
    before = len(host.requests)
    for line, words, named in [
        ('host = "example.com"', "a file alone cannot send the API token", {}),
        ('site_url = "https://a.b"', "may name no other site", {"host": host.url}),
    ]:
        table.write_text(f'[tool.pythonanywhere]\nuser = "{host.user}"\n{line}\n')
        with pytest.raises(ConfigError, match=words):
            launch(root, token=host.token, dry_run=True, **named)
    assert len(host.requests) == before


def test_an_exception_of_the_callback_ends_it(host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    account = {"username": host.user, "token": host.token, "host": host.url, "site_url": host.site_url}

    def refuse(event):
        raise RuntimeError(event.step)

    with pytest.raises(RuntimeError):
        launch(root, **account, progress=refuse)


WSGI = "var/www/{user}_pythonanywhere_com_wsgi.py"
FOREIGN = "import mine\n\napplication = mine.site\n"


def create(host) -> None:
    """A web app that somebody made in the browser."""
    body = f"domain_name={host.user}.pythonanywhere.com&python_version=python{PYTHON.replace('.', '')}".encode()
    headers = {"Authorization": f"Token {host.token}"}
    url = f"{host.url}/api/v0/user/{host.user}/webapps/"
    urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=30).close()


def test_a_foreign_wsgi_file_is_replaced_only_when_asked(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    create(host)
    wsgi = Path(host.root) / WSGI.format(user=host.user)
    wsgi.write_text(FOREIGN)
    before = sorted(root.rglob("*"))
    report, requests = run(pya, host, root, code=2)
    assert "--replace-wsgi" in report["error"]
    assert count_writes(requests) == 0
    assert wsgi.read_text() == FOREIGN
    assert sorted(root.rglob("*")) == before
    report, _ = run(pya, host, root, "--replace-wsgi")
    assert report["ok"]
    [kept] = (Path(host.root) / "home" / host.user / ".pya").glob("*/replaced-wsgi-*.py")
    assert kept.read_text() == FOREIGN
    assert any(str(kept.name) in warning for warning in report["warnings"])


def test_a_foreign_wsgi_file_that_survived_its_web_app_is_not_overwritten(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    wsgi = Path(host.root) / WSGI.format(user=host.user)
    wsgi.parent.mkdir(parents=True, exist_ok=True)
    wsgi.write_text(FOREIGN)
    report, requests = run(pya, host, root, code=2)
    assert "--replace-wsgi" in report["error"]
    assert count_writes(requests) == 0
    report, _ = run(pya, host, root, "--replace-wsgi")
    assert report["ok"]
    [kept] = (Path(host.root) / "home" / host.user / ".pya").glob("*/replaced-wsgi-*.py")
    assert kept.read_text() == FOREIGN


def test_a_python_that_the_account_has_not_is_said_before_anything_is_made(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | {"pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.20'\n"})
    report, requests = run(pya, host, root, code=2)
    assert ">=3.20" in report["error"]
    assert "3.13" in report["error"]
    assert count_writes(requests) == 0
    report, _ = run(pya, host, root, "--python", "2.7", code=2)
    assert "3.13" in report["error"]


def test_a_second_web_app_of_a_free_account_names_the_first(pya, host, tmp_path):
    create(host)
    root = write(tmp_path / "site", FLASK | PIN)
    report, _ = run(pya, host, root, "--domain", "other.example.com", code=2)
    assert report["failed_step"] == "web app"
    assert f"--domain {host.user}.pythonanywhere.com" in report["error"]


def test_a_folder_that_somebody_else_filled_is_left_alone(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    there = Path(host.root) / "home" / host.user / "site/app.py"
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    report, requests = run(pya, host, root, code=2)
    assert "--project" in report["error"]
    assert count_writes(requests) == 0
    assert there.read_text() == "mine"


def test_another_accounts_token_names_the_other_system(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    pya.environment["API_TOKEN"] = "0" * 40
    report, _ = run(pya, host, root, code=4)
    assert "eu.pythonanywhere.com" in report["error"]
    assert report["failed_step"] == "account"


def test_capitals_in_the_users_name(wheels, tmp_path):
    with Emulator(python=sys.executable, package_index=wheels, user="MyName") as host:
        pya = Slow(tmp_path, environment_of(host))
        root = write(tmp_path / "site", FLASK | PIN)
        report, _ = run(pya, host, root)
        assert report["domain"] == "myname.pythonanywhere.com"
        assert report["remote_root"] == "/home/MyName/site"
        assert page(host) == (200, "Hello from Flask")


def test_a_failing_requirement_names_the_step_and_the_way_on(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN | {"requirements.txt": "flask\nno-such-package-at-all\n"})
    report, _ = run(pya, host, root, code=1)
    assert report["failed_step"] == "requirements"
    assert "no-such-package-at-all" in report["error"]
    said = pya("launch", root, "--site-url", host.site_url, "--yes", code=1).stderr
    assert "in place: " in said
    assert "virtualenv" in said
    (root / "requirements.txt").write_text("flask\n")
    report, _ = run(pya, host, root)
    assert report["ok"]
    assert page(host) == (200, "Hello from Flask")


def test_settings_that_fail_are_quoted(pya, host, tmp_path):
    root = write(tmp_path / "blog", BLOG | PIN)
    (root / ".env").unlink()
    base = root / "config/settings/base.py"
    base.write_text(base.read_text() + "raise RuntimeError('no such thing')\n")
    report, _ = run(pya, host, root, code=1)
    assert report["failed_step"] == "settings"
    assert "no such thing" in report["error"]


def kill_at(process, host, number) -> bool:
    """Kills a launch as soon as that many of its writes have arrived; whether it was still running."""
    before = sum(request.method in WRITES for request in host.requests)
    while process.poll() is None:
        if sum(request.method in WRITES for request in host.requests) - before >= number:
            process.send_signal(signal.SIGKILL)
        time.sleep(0.005)
    process.communicate()
    return process.returncode != 0


@pytest.mark.parametrize("number", range(1, 10))
def test_killed_after_any_write_a_launch_goes_on_to_the_same_end(wheels, tmp_path, number):
    with Emulator(python=sys.executable, package_index=wheels, rate_limit=None) as host:
        pya = Slow(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
        root = write(tmp_path / "site", FLASK | PIN)
        process = pya.start("launch", root, "--site-url", host.site_url, "--yes", "--no-open")
        assert kill_at(process, host, number)
        report, _ = run(pya, host, root)
        assert report["ok"]
        assert report["warnings"] == []
        assert page(host) == (200, "Hello from Flask")
        assert made(host) == {"projects": ["site"], "virtualenvs": ["site"]}
        _, requests = run(pya, host, root)
        assert count_writes(requests) == 0


def test_a_report_raises_what_stopped_it(host, tmp_path):
    root = write(tmp_path / "site", FLASK | {".python-version": "3.99\n"})
    account = {"username": host.user, "token": host.token, "host": host.url, "site_url": host.site_url}
    report = launch(root, **account)
    assert not report
    with pytest.raises(PythonAnywhereError, match=r"3\.99"):
        report.raise_for_failures()
