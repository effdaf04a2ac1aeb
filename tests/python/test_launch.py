"""`pya launch` on a fresh free account: real sockets, real limit, real processes, and pip from a folder of wheels."""

import asyncio
import importlib.metadata
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from command import environment_of
from launch_projects import BLOG, FLASK, make_wheels_of, startproject, write
from launching import PIN, Slow, add_virtualenvs, count_writes, page, run, states
from sites import wagtail_start
from terminal import Terminal
from uwsgi_site import UWSGI, needs_uwsgi

from pythonanywhere_api import ConfigError, launch, launch_async
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def host(wheels):
    """A fresh free account, with the service's limit."""
    with Emulator(python=sys.executable, package_index=wheels) as emulator:
        yield emulator


@pytest.fixture
def prepared(host, virtualenv):
    """The same account with the virtualenvs of the projects below, for tests that are not about making one."""
    add_virtualenvs(host, virtualenv, "site", "mysite")


@pytest.fixture
def served(wheels):
    """A fresh free account, served by the host's application server."""
    with Emulator(python=sys.executable, package_index=wheels, uwsgi=UWSGI) as emulator:
        yield emulator


@pytest.fixture
def pya(request, tmp_path):
    """The command, for the account of the test."""
    name = "served" if "served" in request.fixturenames else "host"
    return Slow(tmp_path, environment_of(request.getfixturevalue(name)))


def launch_in_one_command(pya, host, root) -> dict:
    """Launches on a fresh account, by as few requests as are promised, to be served by uWSGI; and once more."""
    report, requests = run(pya, host, root)
    times = [f"{root.name}: {report['requests']} requests, {report['seconds']:.1f} s"]
    assert report["ok"]
    assert report["requests"] == len(requests) <= 30, requests
    log = Path(host.root) / f"var/log/{report['domain']}.error.log"
    assert "Starting uWSGI" in log.read_text()
    again, requests = run(pya, host, root)
    print(*times, f"again: {again['requests']} requests, {again['seconds']:.1f} s")
    assert again["ok"]
    assert set(states(again).values()) - {"done", "skipped"} == set()
    assert count_writes(requests) == 0, requests
    assert len(requests) <= 8, requests
    return report


@needs_uwsgi
def test_startproject_is_served_after_one_command(pya, served, tmp_path):
    report = launch_in_one_command(pya, served, write(startproject(tmp_path), PIN))
    assert page(served, "/admin/login/")[0] == 200
    assert page(served)[0] == 404
    assert any('"/"' in what for what in report["next"])
    assert page(served, "/static/admin/css/base.css")[0] == 200


@needs_uwsgi
def test_a_blog_with_split_settings_media_and_env_and_a_change_of_it(pya, served, tmp_path):
    host, root = served, write(tmp_path / "blog", BLOG | PIN)
    report = launch_in_one_command(pya, host, root)
    assert page(host) == (200, "My first blog: 0 posts")
    assert page(host, "/static/blog/style.css")[1] == BLOG["blog/static/blog/style.css"]
    assert "not $the one" not in json.dumps(report)
    home = Path(host.root) / "home" / host.user
    assert not (home / "blog/.env").exists()
    # The laptop's database and uploads stay there.
    assert not (home / "blog/media/cat.txt").exists()
    views = (root / "blog/views.py").read_text().replace("posts", "articles")
    (root / "blog/views.py").write_text(views)
    changed, _ = run(pya, host, root)
    assert states(changed)["files"] == "done"
    assert states(changed)["web app"] == "skipped"
    assert page(host) == (200, "My first blog: 0 articles")
    (root / ".env").write_text("SECRET_KEY='not $the one'\nBLOG_TITLE=Renamed\n")
    run(pya, host, root)
    assert page(host) == (200, "Renamed: 0 articles")


@needs_uwsgi
def test_a_flask_application_is_served_too(pya, served, tmp_path):
    launch_in_one_command(pya, served, write(tmp_path / "site", FLASK | PIN))
    assert page(served) == (200, "Hello from Flask")


@needs_uwsgi
def test_a_wagtail_site_is_served_and_a_change_of_it(tmp_path):
    # The template asks for the newest Django, which not every Python has.
    pins = {name: f"{name}=={importlib.metadata.version(name)}\n" for name in ("Django", "wagtail")}
    root = write(wagtail_start(tmp_path), PIN | {"requirements.txt": "".join(pins.values())})
    packages = make_wheels_of("wagtail", tmp_path / "wheels")
    with Emulator(python=sys.executable, package_index=packages, uwsgi=UWSGI) as host:
        pya = Slow(tmp_path, environment_of(host))
        launch_in_one_command(pya, host, root)
        assert "Welcome to your new Wagtail site!" in page(host)[1]
        assert page(host, "/admin/login/")[0] == 200
        assert page(host, "/static/css/welcome_page.css")[0] == 200
        welcome = root / "home/templates/home/welcome_page.html"
        welcome.write_text(welcome.read_text().replace("Welcome to your new", "Hello from this"))
        changed, _ = run(pya, host, root)
        assert states(changed)["requirements"] == "skipped"
        assert "Hello from this Wagtail site!" in page(host)[1]


@pytest.mark.parametrize(("file", "goes_with_a_deploy"), [("production.env", False), ("live.txt", True)])
@pytest.mark.usefixtures("prepared")
def test_the_file_of_the_variables_is_not_sent(pya, host, tmp_path, file, goes_with_a_deploy):
    root = write(tmp_path / "site", FLASK | PIN | {file: "PASSWORD=s3cret\n"})
    (root / "of-the-site").symlink_to(file)
    report, _ = run(pya, host, root, "--env-file", "site/of-the-site")
    assert states(report)["variables"] == "done"
    sent = sorted(path.name for path in (Path(host.root) / "home" / host.user / "site").iterdir())
    assert "app.py" in sent
    assert not {file, "of-the-site"} & set(sent)
    told = [warning for warning in report["warnings"] if "pya deploy" in warning]
    assert (file in "".join(told)) is goes_with_a_deploy, report["warnings"]


def test_a_dry_run_writes_nothing_here_or_there(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    before = sorted(root.rglob("*"))
    report, requests = run(pya, host, root, "--dry-run")
    assert report["ok"]
    assert report["dry_run"]
    assert states(report)["web app"] == "planned"
    assert count_writes(requests) == 0
    assert sorted(root.rglob("*")) == before


@pytest.mark.usefixtures("prepared")
def test_at_a_terminal_it_asks_once_and_looks_at_the_host_once(pya, host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    words = ["launch", str(root), "--site-url", host.site_url, "--no-open"]
    report = tmp_path / "report.html"
    with Terminal(pya, *words, "--report", str(report)) as terminal:
        terminal.wait_for("Launch it? [y/N]")
        terminal.type("\x03")
        terminal.end(130)
    assert "A signal ended the command before it changed anything." in report.read_text()
    with Terminal(pya, *words) as terminal:
        terminal.answer("Launch it? [y/N]", "n")
        terminal.end(2)
    assert "[tool.pythonanywhere]" in terminal.asked
    assert count_writes((request.method, request.path) for request in host.requests) == 0
    # What is written while somebody reads the plan is seen before the web app overwrites it.
    wsgi = Path(host.root) / f"var/www/{host.user}_pythonanywhere_com_wsgi.py"
    with Terminal(pya, *words) as terminal:
        terminal.wait_for("Launch it? [y/N]")
        write(wsgi.parent, {wsgi.name: "import mine\n"})
        terminal.answer("Launch it? [y/N]", "y")
        terminal.end(2)
    assert "--replace-wsgi" in terminal.shown
    assert wsgi.read_text() == "import mine\n"
    assert count_writes((request.method, request.path) for request in host.requests) == 0
    wsgi.unlink()
    host.clear_requests()
    with Terminal(pya, *words) as terminal:
        terminal.answer("Launch it? [y/N]", "y")
        terminal.wait_for("launched; ", within=600)
        # With those of the plan.
        assert f"launched; {len(host.requests)} requests" in terminal.end()
    assert page(host) == (200, "Hello from Flask")
    asked = [f"{request.method} {request.path.split(f'/user/{host.user}/')[1]}" for request in host.requests]
    looks = ["GET webapps/", "GET default_python3_version/", "GET files/path/var/www/demo_pythonanywhere_com_wsgi.py"]
    assert [asked[: asked.index("POST webapps/")].count(request) for request in looks] == [1, 1, 2], asked


@pytest.mark.usefixtures("prepared")
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


@pytest.mark.usefixtures("prepared")
def test_a_database_at_a_relative_path_is_the_one_that_is_served(pya, host, tmp_path):
    """The process that migrates is older than the working folder of the web app."""
    root = write(startproject(tmp_path), PIN)
    settings = root / "mysite/settings.py"
    settings.write_text(settings.read_text().replace("BASE_DIR / 'db.sqlite3'", "'db.sqlite3'"))
    pya.environment["DJANGO_SUPERUSER_PASSWORD"] = "s3cret-for-tests"
    report, _ = run(pya, host, root, "--superuser", "boss")
    home = Path(host.root) / "home" / host.user
    assert [str(path.relative_to(home)) for path in home.rglob("db.sqlite3")] == ["mysite/db.sqlite3"]
    with sqlite3.connect(home / "mysite/db.sqlite3") as database:
        assert database.execute("SELECT username FROM auth_user").fetchall() == [("boss",)]
    assert any("'db.sqlite3'" in line or '"db.sqlite3"' in line for line in report["warnings"])


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


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('protect = ["/data"]', 'has no key "protect"'),
        ('max_delete = "three"', "max_delete"),
        ('protected = "/data"', "protected"),
        ('max_file_size = "ten"', "max_file_size"),
        ("timeout = -1", "timeout"),
        ('remote_root = ""', "remote_root is empty"),
        ('api_token = "s3cret"', "does not belong in a file that is committed"),
        ("[tool.pythonanywhere.env.staging]\nprotect = []", 'has no key "protect"'),
    ],
)
def test_python_refuses_a_table_with_mistakes_as_the_command_does(pya, host, tmp_path, line, words):
    root = write(tmp_path / "site", FLASK | PIN | {"pyproject.toml": f"[tool.pythonanywhere]\n{line}\n"})
    with pytest.raises(ConfigError, match=words) as refusal:
        launch(root, username=host.user, token=host.token, host=host.url)
    said = pya("launch", root, "--yes", code=2).stderr
    assert words in said
    assert "s3cret" not in str(refusal.value) + said
    assert host.requests == []


def test_python_finds_the_table_above_the_project_but_not_above_its_work_tree(host, tmp_path):
    root = write(tmp_path / "repository" / "site", FLASK | PIN)
    account = {"username": host.user, "token": host.token, "host": host.url, "dry_run": True}
    table = "[tool.pythonanywhere]\nproject = 'shop'\nroot = 'repository/site'\nremote_root = '~/live/shop'\n"
    write(tmp_path, {"pyproject.toml": table})
    assert launch(root, **account).remote_root == f"/home/{host.user}/site"
    write(tmp_path, {".git/HEAD": ""})
    assert launch(root, **account).remote_root == f"/home/{host.user}/live/shop"
    write(tmp_path, {"repository/.git/HEAD": ""})
    assert launch(root, **account).remote_root == f"/home/{host.user}/site"


def test_the_table_that_holds_is_completed_and_no_second_one_is_made(pya, host, tmp_path):
    """One in the project's folder would take the place of the other, with all that this one protects."""
    root = write(tmp_path / "repository" / "site", FLASK | PIN)
    text = "[tool.pythonanywhere]\nroot = 'repository/site'\nprotected = ['/data']\n"
    write(tmp_path, {".git/HEAD": "", "pyproject.toml": text})
    pya("init", root)
    assert not (root / "pyproject.toml").exists()
    completed = (tmp_path / "pyproject.toml").read_text()
    assert completed.startswith(text)
    assert 'project = "site"' in completed
    # The table of another project says nothing of this one.
    other = write(tmp_path / "other", FLASK | PIN)
    assert "not of the one in" in pya("init", other, code=2).stderr
    with pytest.raises(ConfigError, match="not of the one in"):
        launch(other, username=host.user, token=host.token, host=host.url)
    assert sorted(path.name for path in other.iterdir()) == sorted(FLASK | PIN)
    assert host.requests == []


@pytest.mark.parametrize("name", ["username", "token", "host", "project"])
def test_an_empty_argument_is_not_another_account_or_project(host, tmp_path, name):
    root = write(tmp_path / "site", FLASK | PIN)
    account = {"username": host.user, "token": host.token, "host": host.url} | {name: " "}
    with pytest.raises(ConfigError, match=f"{name} is empty"):
        launch(root, **account)
    assert host.requests == []


@pytest.mark.parametrize("name", ["../other", "a/b", "..", ""])
def test_a_project_name_that_is_no_folder_is_refused(pya, host, tmp_path, name):
    root = write(tmp_path / "site", FLASK | PIN)
    if name:
        with pytest.raises(ConfigError):
            launch(root, username=host.user, token=host.token, host=host.url, project=name)
        pya("launch", root, "--yes", "--project", name, code=2)
    pya("init", root, "--project", name, code=2 if name else 0)
    assert host.requests == []


def test_python_launches_to_an_environment_of_the_table(host, tmp_path, monkeypatch):
    table = "[tool.pythonanywhere]\ndomain = 'www.example.com'\nsite_url = 'https://www.example.com'\n"
    staging = "[tool.pythonanywhere.env.staging]\ndomain = 'staging.example.com'\n"
    root = write(tmp_path / "site", FLASK | PIN | {"pyproject.toml": table + staging})
    account = {"username": host.user, "token": host.token, "host": host.url, "dry_run": True}
    assert launch(root, **account).url == "https://www.example.com/"
    assert launch(root, **account, env="staging").url == "https://staging.example.com/"
    assert asyncio.run(launch_async(root, **account, env="staging")).domain == "staging.example.com"
    monkeypatch.setenv("PYA_ENV", "staging")
    assert launch(root, **account).domain == "staging.example.com"
    assert launch(root, **account, env="").domain == "www.example.com"
    with pytest.raises(ConfigError, match="there are: staging"):
        launch(root, **account, env="stage")
    write(root, {"pyproject.toml": table.replace("https://www.", "https://other.")})
    with pytest.raises(ConfigError, match="may name no other site"):
        launch(root, **account, env="")


def test_an_exception_of_the_callback_ends_it(host, tmp_path):
    root = write(tmp_path / "site", FLASK | PIN)
    account = {"username": host.user, "token": host.token, "host": host.url, "site_url": host.site_url}

    def refuse(event):
        raise RuntimeError(event.step)

    with pytest.raises(RuntimeError):
        launch(root, **account, progress=refuse)


def test_capitals_in_the_users_name(wheels, tmp_path):
    with Emulator(python=sys.executable, package_index=wheels, user="MyName") as host:
        pya = Slow(tmp_path, environment_of(host))
        root = write(tmp_path / "site", FLASK | PIN)
        report, _ = run(pya, host, root)
        assert report["domain"] == "myname.pythonanywhere.com"
        assert report["remote_root"] == "/home/MyName/site"
        assert page(host) == (200, "Hello from Flask")
