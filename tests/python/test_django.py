"""`manage.py pythonanywhere` and the checks of a Django project, with a real project and a real `pya`."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest
from command import environment_of
from conftest import project_folder
from launch_projects import make_wheels, write

from pythonanywhere_api.django import options
from pythonanywhere_api.testing import Emulator

MORE = """

INSTALLED_APPS += ["pythonanywhere_api.django"]
DEBUG = False
SECRET_KEY = "only for tests, but long enough that Django takes it: 0123456789abcdefghij"
ALLOWED_HOSTS = [".pythonanywhere.com"]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
SECURE_HSTS_SECONDS = 1
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE_SSL_REDIRECT = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
# Since Django 6.1 a new project prints its mail, which is an error where it is deployed.
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}
"""


@pytest.fixture
def project(tmp_path):
    """A project as Django makes it, with our application and settings for production."""
    words = [sys.executable, "-m", "django", "startproject", "mysite", str(tmp_path)]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    settings = tmp_path / "mysite" / "settings.py"
    settings.write_text(settings.read_text() + MORE)
    return tmp_path


def add(project, text: str) -> None:
    with (project / "mysite" / "settings.py").open("a") as settings:
        settings.write(text + "\n")


def manage(project, *words, host=None, folder=None, text=None):
    environment = environment_of(host) if host else None
    return subprocess.run(
        [sys.executable, str(project / "manage.py"), *words],
        cwd=folder or project,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_a_project_is_deployed_from_any_folder(host, project, tmp_path_factory):
    host.create_webapp(f"{host.user}.pythonanywhere.com")
    add(project, 'PYTHONANYWHERE = {"project": "mysite", "domain": "' + f'{host.user}.pythonanywhere.com"' + "}")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = manage(project, "pythonanywhere", "deploy", "--json", host=host, folder=elsewhere)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["ok"], report["reloaded"]) == (True, [f"{host.user}.pythonanywhere.com"])
    assert (project_folder(host) / "mysite" / "urls.py").read_text() == (project / "mysite" / "urls.py").read_text()
    again = manage(project, "pythonanywhere", "diff", host=host)
    assert again.returncode == 0, again.stderr
    assert again.stdout == ""


def test_what_was_given_wins_and_the_exit_status_is_that_of_pya(host, project):
    add(project, 'PYTHONANYWHERE = {"project": "mysite", "user": "somebody"}')
    assert manage(project, "pythonanywhere", "deploy", host=host).returncode == 4
    done = manage(project, "pythonanywhere", "deploy", f"--user={host.user}", "--project", "other", host=host)
    assert done.returncode == 0, done.stderr
    assert (project_folder(host).parent / "other" / "manage.py").is_file()


def test_nothing_is_sent_while_the_checks_find_errors(host, project):
    add(project, 'ROOT_URLCONF = "mysite.missing"\nPYTHONANYWHERE = {"project": "mysite"}')
    done = manage(project, "pythonanywhere", "deploy", host=host)
    assert done.returncode == 1
    assert "mysite.missing" in done.stderr
    assert list(host.requests) == []
    shown = manage(project, "pythonanywhere", "deploy", "--help", host=host)
    assert "Usage: pya deploy" in shown.stdout


def test_an_error_that_somebody_accepts_stops_nothing(host, project):
    add(project, 'STATICFILES_DIRS = "assets"\nPYTHONANYWHERE = {"project": "mysite"}')
    done = manage(project, "pythonanywhere", "deploy", host=host)
    assert done.returncode == 1
    assert "staticfiles.E001" in done.stderr
    assert "Nothing was sent. Mend the errors, or list" in done.stderr
    assert list(host.requests) == []
    add(project, 'SILENCED_SYSTEM_CHECKS = ["staticfiles.E001"]')
    done = manage(project, "pythonanywhere", "deploy", host=host)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_project_is_launched_looked_after_and_rolled_back(project, tmp_path_factory):
    """Each of its commands, with all that the setting says, on a fresh free account."""
    # The application is among those of the project, so the host needs it as well.
    wheels = make_wheels(tmp_path_factory.mktemp("wheels"), ["pythonanywhere-api"])
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    write(project, {"requirements.txt": "Django\npythonanywhere-api\n", ".python-version": f"{version}\n"})
    with Emulator(python=sys.executable, package_index=wheels, rate_limit=None) as host:
        domain = f"{host.user}.pythonanywhere.com"
        # A page there is answered, and not sent on to an address that is not the emulator's.
        setting = {"user": host.user, "host": host.url, "project": "mysite", "domain": domain}
        add(project, f"PYTHONANYWHERE = {setting!r}\nSECURE_SSL_REDIRECT = False")
        settings = (project / "mysite" / "settings.py").read_text()

        def run(*words, text=None):
            done = manage(project, "pythonanywhere", *words, host=host, text=text)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert json.loads(run("launch", "--yes", "--no-open", "--site-url", host.site_url, "--json"))["ok"]
        request = urllib.request.Request(f"{host.site_url}/admin/login/", headers={"Host": domain})
        assert b"csrfmiddlewaretoken" in urllib.request.urlopen(request, timeout=60).read()
        assert (project / "mysite" / "settings.py").read_text() == settings
        state = json.loads(run("status", "--json"))
        assert [site["domain"] for site in state["sites"]] == [domain]
        assert run("env", "set", "GREETING", text="hello\n") == f"{domain}: 1 set; reloaded\n"
        assert "GREETING" in run("env", "list")
        assert "GET /admin/login/" in run("logs", "access")
        (project / "notes.txt").write_text("new")
        assert "notes.txt" in run("diff")
        assert json.loads(run("deploy", "--json"))["reloaded"] == [domain]
        assert json.loads(run("rollback", "--json"))["reloaded"] == [domain]
        assert not (project_folder(host) / "notes.txt").exists()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["deploy"], "deploy --user me --reload a.b --domain a.b"),
        (["deploy", "--no-reload"], "deploy --user me --domain a.b --no-reload"),
        (["deploy", "--user=you", "--reload", "c.d"], "deploy --domain a.b --user=you --reload c.d"),
        (["diff", "site"], "diff --user me site"),
        (["env"], "env --user me"),
        (["env", "set", "NAME", "--no-reload"], "env --user me set --domain a.b NAME --no-reload"),
        (["launch"], "launch --user me --domain a.b"),
        (["logs", "-f", "--interval", "0.5", "access"], "logs --user me a.b -f --interval 0.5 access"),
        (["logs", "c.d", "access"], "logs --user me c.d access"),
        (["rollback", "1f"], "rollback --user me --reload a.b --domain a.b 1f"),
        (["status", "--domain", "c.d"], "status --user me --domain c.d"),
    ],
    ids=" ".join,
)
def test_the_setting_says_what_was_not_given(monkeypatch, given, expected):
    monkeypatch.setattr(options, "configured", lambda: {"user": "me", "domain": "a.b"})
    command, *more = given
    assert options.arguments(command, more) == expected.split()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('PYTHONANYWHERE = {"user": "ada"}\nALLOWED_HOSTS = ["example.com"]', "pya.W001"),
        ('PYTHONANYWHERE = {"user": "Ada", "host": "eu.pythonanywhere.com"}\nALLOWED_HOSTS = ["a.b"]', "pya.W001"),
        ("STATIC_ROOT = None", "pya.W002"),
        ('STATIC_URL = "/"', "pya.W003"),
        ('MEDIA_ROOT = BASE_DIR / "staticfiles" / "media"', "pya.W004"),
        ('DATABASES["default"]["NAME"] = "db.sqlite3"', "pya.W005"),
        ('PYTHONANYWHERE = {"token": "secret"}', "pya.E001"),
        ('PYTHONANYWHERE = "me"', "pya.E001"),
    ],
)
def test_checks_find_what_cannot_be_served(project, more, message):
    add(project, more)
    done = manage(project, "check", "--deploy")
    assert f"({message})" in done.stderr
    assert done.stderr.count("(pya.") == 1


def test_what_the_settings_of_a_launch_add_is_not_missed(project):
    add(project, 'PYTHONANYWHERE = {"user": "ada"}\nALLOWED_HOSTS = []\nSTATIC_ROOT = None\nSTATIC_URL = "/"')
    (project / "mysite" / "settings_pythonanywhere.py").write_text("from .settings import *\n")
    done = manage(project, "check", "--deploy")
    assert re.findall(r"\((pya\.\w+)\)", done.stderr) == ["pya.W003"]
    # They are checked when they are the settings that count.
    done = manage(project, "check", "--deploy", "--settings", "mysite.settings_pythonanywhere")
    assert "pya.W001" in done.stderr


def test_a_project_that_can_be_served_has_nothing_to_say(project):
    add(
        project,
        'PYTHONANYWHERE = {"user": "ada", "project": "mysite"}\nMEDIA_ROOT = BASE_DIR / "media"\nSTATIC_URL = "https://cdn.example.com/"',
    )
    done = manage(project, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    # Without --deploy nothing is checked: at home other settings are right.
    add(project, "STATIC_ROOT = None")
    assert "pya." not in manage(project, "check").stderr
