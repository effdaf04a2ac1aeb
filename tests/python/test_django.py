"""`manage.py pythonanywhere` and the checks of a Django project, with a real project and a real `pya`."""

import json
import subprocess
import sys

import pytest
from command import environment_of
from conftest import project_folder

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


def manage(project, *words, host=None, folder=None):
    environment = environment_of(host) if host else None
    return subprocess.run(
        [sys.executable, str(project / "manage.py"), *words],
        cwd=folder or project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
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
