"""What stops a launch: the message names the step and the way on, nothing of the user's is touched; a rerun goes on."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from command import environment_of
from launch_projects import BLOG, FLASK, write
from launching import PIN, PYTHON, Slow, add_virtualenvs, count_writes, page, run, states
from relay import Relay
from runner_disks import alone, mount, remount, with_disks

from pythonanywhere_api import Client, PythonAnywhereError, launch
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def host(wheels, virtualenv):
    """An account where the virtualenvs of the projects below are there."""
    with Emulator(python=sys.executable, package_index=wheels, rate_limit=None) as emulator:
        add_virtualenvs(emulator, virtualenv, "site", "blog", "first", "tutorial")
        yield emulator


@pytest.fixture
def pya(host, tmp_path):
    return Slow(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


@pytest.fixture
def root(tmp_path) -> Path:
    return write(tmp_path / "site", FLASK | PIN)


def home_of(host) -> Path:
    return Path(host.root) / "home" / host.user


WSGI = "var/www/{user}_pythonanywhere_com_wsgi.py"
FOREIGN = "import mine\n\napplication = mine.site\n"


def create(host) -> None:
    """A web app that somebody made in the browser."""
    body = f"domain_name={host.user}.pythonanywhere.com&python_version=python{PYTHON.replace('.', '')}".encode()
    headers = {"Authorization": f"Token {host.token}"}
    url = f"{host.url}/api/v0/user/{host.user}/webapps/"
    urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers), timeout=30).close()


def examine(host, root, code=0) -> dict[str, dict[str, str]]:
    """What the doctor says of a launched project, by the name of the check."""
    pya = Slow(root, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
    return {each["check"]: each for each in pya.json("doctor", "--site-url", host.site_url, code=code)["checks"]}


def test_a_foreign_wsgi_file_is_replaced_only_when_asked(pya, host, root):
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


def test_a_foreign_wsgi_file_that_survived_its_web_app_is_not_overwritten(pya, host, root):
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


def make_agent_old(host) -> None:
    """The agent in the web app is one of another build, as after an update of this program."""
    [loaded] = home_of(host).glob(".pya/agent-*/loaded.json")
    loaded.write_text(json.dumps(json.loads(loaded.read_text()) | {"build": "older"}))


def kept_wsgi(host) -> list[str]:
    return [kept.read_text() for kept in home_of(host).glob(".pya/*/replaced-wsgi-*.py")]


def test_what_the_user_adds_to_the_agents_stub_is_replaced_only_when_asked(pya, host, root):
    run(pya, host, root)
    wsgi = Path(host.root) / WSGI.format(user=host.user)
    stub = wsgi.read_text()
    wsgi.write_text(edited := stub + "# mine\n")
    (root / "app.py").write_text((root / "app.py").read_text().replace("Hello", "Hi"))
    # The agent is there, so the file stays.
    assert run(pya, host, root)[0]["ok"]
    assert wsgi.read_text() == edited
    make_agent_old(host)
    assert states(run(pya, host, root)[0])["WSGI file"] == "skipped"
    (root / "app.py").write_text((root / "app.py").read_text().replace("Hi", "Hey"))
    for options in ([], ["--dry-run"]):
        report, requests = run(pya, host, root, *options, code=2)
        assert "--replace-wsgi" in report["error"]
        assert "+# mine" in report["error"]
        assert count_writes(requests) == 0
    report, _ = run(pya, host, root, "--replace-wsgi")
    assert (report["ok"], wsgi.read_text()) == (True, stub)
    assert kept_wsgi(host) == [edited]
    assert page(host) == (200, "Hey from Flask")


@pytest.mark.parametrize("is_noted", [True, False])
def test_a_stub_that_was_cut_off_hides_no_foreign_wsgi_file(pya, host, root, is_noted):
    create(host)
    wsgi = Path(host.root) / WSGI.format(user=host.user)
    wsgi.write_text(FOREIGN)
    pya("agent", "install", f"{host.user}.pythonanywhere.com", "--site-url", host.site_url)
    [note] = home_of(host).glob(".pya/agent-*/agent.json")
    noted = note.read_text()
    if not is_noted:
        note.unlink()
    wsgi.write_text(cut := wsgi.read_text().split("\n")[0] + "\n")
    report, requests = run(pya, host, root, code=2)
    assert "--replace-wsgi" in report["error"]
    assert count_writes(requests) == 0
    assert wsgi.read_text() == cut
    if is_noted:
        assert note.read_text() == noted
        assert run(pya, host, root, "--replace-wsgi")[0]["ok"]
        assert kept_wsgi(host) == [FOREIGN]


def test_a_damaged_stub_is_replaced_and_told(pya, host, root):
    run(pya, host, root)
    wsgi = Path(host.root) / WSGI.format(user=host.user)
    whole = wsgi.read_text()
    wsgi.write_text(whole[: len(whole) // 2])
    make_agent_old(host)
    (root / "app.py").write_text((root / "app.py").read_text().replace("Hello", "Hi"))
    report, _ = run(pya, host, root)
    assert (report["ok"], wsgi.read_text()) == (True, whole)
    assert any("was damaged, and is replaced" in warning for warning in report["warnings"])


def test_a_second_project_takes_the_site_of_the_first_only_when_asked(pya, host, tmp_path):
    first, second = write(tmp_path / "first", BLOG | PIN), write(tmp_path / "second", BLOG | PIN)
    views = (second / "blog/views.py").read_text().replace("posts", "articles")
    write(second, {"blog/views.py": views, "blog/static/blog/style.css": "a {}\n"})
    run(pya, host, first)
    wsgi = Path(host.root) / WSGI.format(user=host.user)
    stub, home = wsgi.read_text(), f"/home/{host.user}"
    for options in ([], ["--dry-run"]):
        report, requests = run(pya, host, second, *options, code=2)
        assert all(word in report["error"] for word in (f"{home}/first", "--domain", "--replace-wsgi"))
        assert count_writes(requests) == 0
    assert wsgi.read_text() == stub
    planned, _ = run(pya, host, second, "--replace-wsgi", "--dry-run")
    plan = {step["step"]: step["detail"] for step in planned["steps"]}
    assert f"in place of the one that serves {home}/first" in plan["WSGI file"]
    assert f"{home}/.virtualenvs/second" in plan["virtualenv"]
    run(pya, host, second, "--replace-wsgi")
    assert page(host) == (200, "My first blog: 0 articles")
    assert page(host, "/static/blog/style.css")[1] == "a {}\n"
    record = Client(host.user, host.token, host.url).webapps.get(f"{host.user}.pythonanywhere.com")
    assert record["virtualenv_path"] == f"{home}/.virtualenvs/second"
    assert (record["source_directory"], record["working_directory"]) == (f"{home}/second", f"{home}/second")
    assert ['"~/first"' in kept for kept in kept_wsgi(host)] == [True]
    # The other way round it is the same.
    assert f"{home}/second" in run(pya, host, first, code=2)[0]["error"]


def test_a_project_whose_folder_on_the_host_moved_is_launched_when_asked(pya, host, root):
    run(pya, host, root)
    table = (root / "pyproject.toml").read_text()
    (root / "pyproject.toml").write_text(f"{table}remote_root = '~/live/site'\n")
    report, requests = run(pya, host, root, code=2)
    assert f"/home/{host.user}/site, not /home/{host.user}/live/site" in report["error"]
    assert count_writes(requests) == 0
    assert run(pya, host, root, "--replace-wsgi")[0]["ok"]
    assert page(host) == (200, "Hello from Flask")
    assert states(run(pya, host, root)[0])["WSGI file"] == "skipped"


def test_a_python_that_the_account_has_not_is_said_before_anything_is_made(pya, host, root):
    write(root, {"pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.20'\n"})
    report, requests = run(pya, host, root, code=2)
    assert ">=3.20" in report["error"]
    assert "3.13" in report["error"]
    assert count_writes(requests) == 0
    report, _ = run(pya, host, root, "--python", "2.7", code=2)
    assert "3.13" in report["error"]


def test_a_second_web_app_of_a_free_account_names_the_first(pya, host, root):
    create(host)
    report, _ = run(pya, host, root, "--domain", "other.example.com", code=2)
    assert report["failed_step"] == "web app"
    assert f"--domain {host.user}.pythonanywhere.com" in report["error"]


def test_a_folder_that_somebody_else_filled_is_left_alone(pya, host, root):
    there = Path(host.root) / "home" / host.user / "site/app.py"
    there.parent.mkdir(parents=True)
    there.write_text("mine")
    report, requests = run(pya, host, root, code=2)
    assert "--project" in report["error"]
    assert count_writes(requests) == 0
    assert there.read_text() == "mine"


def test_another_accounts_token_names_the_other_system(pya, host, root):
    pya.environment["API_TOKEN"] = "0" * 40
    report, _ = run(pya, host, root, code=4)
    assert "eu.pythonanywhere.com" in report["error"]
    assert report["failed_step"] == "account"


def test_a_failing_requirement_names_the_step_and_the_way_on(pya, host, tmp_path):
    shutil.rmtree(home_of(host) / ".virtualenvs")
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


def test_a_page_that_raises_is_explained_by_what_it_raises(pya, host, tmp_path):
    """Not by the failure that the launch itself caused, when Django was not installed yet."""
    root = write(tmp_path / "blog", BLOG | PIN)
    views = root / "blog/views.py"
    views.write_text(views.read_text() + "\n\ndef index(request):\n    raise ValueError('no flour')\n")
    report, _ = run(pya, host, root, code=1)
    assert report["failed_step"] == "page"
    assert "the error log says: ValueError: no flour" in report["error"]
    found = examine(host, root, code=1)
    assert (found["page"]["state"], found["page"]["message"]) == ("error", '"/" answers 500: ValueError: no flour')


def test_an_error_that_is_logged_nowhere_is_not_explained_by_the_log(pya, host, tmp_path):
    root = write(tmp_path / "blog", BLOG | PIN)
    views = root / "blog/views.py"
    views.write_text(views.read_text() + "\n\ndef index(request):\n    raise ValueError('no flour')\n")
    base = root / "config/settings/base.py"
    base.write_text(base.read_text() + "LOGGING = {'version': 1, 'disable_existing_loggers': False}\n")
    report, _ = run(pya, host, root, code=1)
    assert report["failed_step"] == "page"
    assert "its error log does not say why: let LOGGING" in report["error"]
    found = examine(host, root, code=1)["page"]
    assert (found["state"], "no exception of it: with DEBUG off" in found["message"]) == ("error", True)


def test_a_function_that_makes_an_application_is_refused_before_anything_is_sent(pya, host, tmp_path):
    maker = "import flask\n\n\ndef create_app(config=None):\n    return flask.Flask(__name__, 'Hello from Flask')\n"
    root = write(tmp_path / "tutorial", {"flaskr/__init__.py": maker, "requirements.txt": "flask\n"} | PIN)
    for options in ([], ["--wsgi", "flaskr:create_app"]):
        said = pya("launch", root, "--yes", "--site-url", host.site_url, *options, code=2).stderr
        assert 'write "from flaskr import create_app" and "app = create_app()" in wsgi.py' in said
    assert host.requests == []
    write(root, {"wsgi.py": "from flaskr import create_app\n\napp = create_app()\n"})
    assert run(pya, host, root)[0]["ok"]
    assert page(host) == (200, "Hello from Flask")
    found = examine(host, root)
    assert found["page"]["state"] == "ok"
    assert found.keys().isdisjoint({"settings", "ALLOWED_HOSTS", "static files"}), found


def test_settings_that_fail_are_quoted(pya, host, tmp_path):
    root = write(tmp_path / "blog", BLOG | PIN)
    (root / ".env").unlink()
    base = root / "config/settings/base.py"
    base.write_text(base.read_text() + "raise RuntimeError('no such thing')\n")
    report, _ = run(pya, host, root, code=1)
    assert report["failed_step"] == "settings"
    assert "no such thing" in report["error"]


@pytest.mark.parametrize(
    ("line", "step"), [("INSTALLED_APPS.append('rest_framework')\n", "collectstatic"), ("import environ\n", "settings")]
)
def test_a_package_that_nobody_listed_is_to_be_listed(pya, host, tmp_path, line, step):
    root = write(tmp_path / "blog", BLOG | PIN)
    (root / "requirements.txt").unlink()
    base = root / "config/settings/base.py"
    base.write_text(base.read_text() + line)
    report, _ = run(pya, host, root, code=1)
    assert report["failed_step"] == step
    assert "No module named" in report["error"]
    assert "list what it needs (pip freeze > requirements.txt), then launch again" in report["error"]
    # What is missing of the project itself is in no list.
    base.write_text(base.read_text().replace(line, "import blog.missing\n"))
    report, _ = run(pya, host, root, code=1)
    assert "No module named 'blog.missing'" in report["error"]
    assert "pip freeze" not in report["error"]


def test_a_report_raises_what_stopped_it(host, tmp_path):
    root = write(tmp_path / "site", FLASK | {".python-version": "3.99\n"})
    account = {"username": host.user, "token": host.token, "host": host.url, "site_url": host.site_url}
    report = launch(root, **account)
    assert not report
    with pytest.raises(PythonAnywhereError, match=r"3\.99"):
        report.raise_for_failures()


@with_disks
def test_a_full_disk_stops_it_at_any_step_and_with_more_room_it_goes_on(wheels, tmp_path, root):
    (root / "requirements.txt").write_text("flask\ndjango\n")
    account = tmp_path / "account"
    stops = {8 << 10: "WSGI file", 8 << 20: "virtualenv", 36 << 20: "requirements", 256 << 20: None}

    def act():
        mount(account, "size=64m")
        with Emulator(root=account, python=sys.executable, package_index=wheels, rate_limit=None) as host:
            pya = Slow(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
            disk = os.statvfs(account)
            used = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
            for room, step in stops.items():
                remount(account, f"size={used + room}")
                report, _ = run(pya, host, root, code=int(bool(step)))
                assert report["failed_step"] == step, report
                assert step is None or "~/.cache" in report["error"], report
            assert page(host) == (200, "Hello from Flask")
            assert [path.name for path in (home_of(host) / ".virtualenvs").iterdir()] == ["site"]

    alone(act)


def test_a_virtualenv_of_somebody_else_is_left_alone(pya, host, root):
    folder = home_of(host) / ".virtualenvs"
    shutil.rmtree(folder / "site")
    foreign = write(folder / "site", {"pyvenv.cfg": "home = /usr/bin\nversion = 3.5.1\n", "mine.txt": "precious"})
    report, _ = run(pya, host, root, code=2)
    assert report["failed_step"] == "virtualenv"
    assert "3.5" in report["error"]
    assert "--virtualenv" in report["error"]
    assert sorted(path.name for path in foreign.iterdir()) == ["mine.txt", "pyvenv.cfg"]
    # One of the right Python is used as it is: here it lacks pip.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "bare"], check=True)
    report, _ = run(pya, host, root, "--virtualenv", "bare", code=1)
    assert report["failed_step"] == "requirements"
    assert "No module named pip" in report["error"]
    assert "ensurepip" in report["error"]
    report, _ = run(pya, host, root, "--virtualenv", "other")
    assert report["ok"]
    assert page(host) == (200, "Hello from Flask")
    assert (foreign / "mine.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (200, '{"status": "ERROR", "error_type": "domain_exists", "error_message": "This domain is taken."}'),
        (400, '{"domain_name": ["This domain is taken."]}'),
    ],
)
def test_a_domain_that_another_account_has(pya, host, root, code, body):
    host.faults.add("status", method="POST", path="**/webapps/", code=code, body=body)
    report, requests = run(pya, host, root, "--domain", "www.example.com", code=2)
    assert report["failed_step"] == "web app"
    assert "This domain is taken." in report["error"]
    assert "--domain" in report["error"]
    assert [path for method, path in requests if method == "POST"] == [f"/api/v0/user/{host.user}/webapps/"]
    assert not (home_of(host) / "site").exists()


def test_a_password_before_the_site_and_a_domain_of_the_eu_system_are_no_obstacle(pya, host, root):
    domain = f"{host.user}.eu.pythonanywhere.com"
    client = Client(host.user, host.token, host.url, rate_limit="off")
    client.webapps.create(domain, PYTHON)
    protected = {"password_protection_username": "friend", "password_protection_password": "s3cret"}
    client.webapps.update(domain, password_protection_enabled=True, **protected)
    client.webapps.reload(domain)
    report, _ = run(pya, host, root, "--domain", domain)
    assert report["ok"]
    assert "s3cret" not in str(report)
    assert client.webapps.get(domain)["password_protection_enabled"] is True
    assert page(host, domain=domain)[0] == 401
    assert (Path(host.root) / f"var/www/{domain.replace('.', '_')}_wsgi.py").exists()
    _, requests = run(pya, host, root, "--domain", domain)
    assert count_writes(requests) == 0


@pytest.fixture
def proxy() -> Iterator[str]:
    """A proxy that answers everything by itself, as one does that wants people to log in."""

    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            self.send_response(403, "Log in first")
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_proxy_that_answers_something_else_is_named(pya, host, root, proxy):
    before = sorted(root.rglob("*"))
    pya.environment |= {"PYTHONANYWHERE_SITE": "www.pythonanywhere.com", "HTTPS_PROXY": proxy, "NO_PROXY": ""}
    report, _ = run(pya, host, root, "--domain", "www.example.com", code=3)
    assert report["failed_step"] == "account"
    assert "HTTPS_PROXY" in report["error"]
    assert sorted(root.rglob("*")) == before


def test_answers_that_are_cut_off_while_pip_works(pya, host, root):
    with Relay(host.site_url) as relay:

        def cut(exchange, handler):
            raise ConnectionError

        relay.only, relay.spoil = {"requirements"}, cut
        report = pya.json("launch", root, "--site-url", relay.url, "--yes", "--no-open")
        # What the host has done is asked for, not done again.
        assert report["ok"], report
        assert relay.operations().count("requirements") <= 2
        assert page(host) == (200, "Hello from Flask")
