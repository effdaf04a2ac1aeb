"""`pya createsuperuser`: a real superuser of a real Django site, and a password that is nowhere else."""

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from command import Pya, environment_of
from terminal import Terminal

from pythonanywhere_api.testing import Emulator

PASSWORD = "correct horse battery staple"
FILES = {
    "manage.py": """\
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bakery.settings")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from django.core.management import execute_from_command_line

execute_from_command_line(sys.argv)
""",
    "bakery/__init__.py": "",
    "bakery/settings.py": """\
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "bakery.urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
""",
    "bakery/urls.py": """\
from django.http import HttpResponse
from django.urls import path

urlpatterns = [path("", lambda request: HttpResponse("well"))]
""",
}
WSGI = """\
import os
import sys

sys.path.insert(0, os.path.expanduser("~/mysite"))
os.environ["DJANGO_SETTINGS_MODULE"] = "bakery.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None, python=sys.executable, private_paths=False) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def pya(host, tmp_path_factory):
    """In a Django project that is deployed, migrated, and has an agent."""
    folder = tmp_path_factory.mktemp("bakery")
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain, virtualenv=sys.prefix)
    (Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py").write_text(WSGI)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    table = f'[tool.pythonanywhere]\nproject = "mysite"\ndomain = "{domain}"\nsite_url = "{host.site_url}"\n'
    (folder / "pyproject.toml").write_text(table)
    pya = Pya(folder, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
    pya("deploy")
    pya("agent", "install")
    pya("manage", "migrate")
    return pya


def superusers(host) -> dict[str, str]:
    """Names and addresses."""
    database = Path(host.root) / "home" / host.user / "mysite" / "db.sqlite3"
    with sqlite3.connect(database) as connection:
        return dict(connection.execute("SELECT username, email FROM auth_user WHERE is_superuser"))


def assert_nowhere(host, pya, *shown: str) -> None:
    """The password is in no file of the account, no history and no output. Django keeps a hash of it."""
    for path in Path(host.root).rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert PASSWORD.encode() not in path.read_bytes(), path
    for text in (*shown, pya("history", "--json").stdout):
        assert PASSWORD not in text


def test_at_a_terminal_it_asks_and_shows_no_password(pya, host):
    with Terminal(pya, "createsuperuser", "-v") as terminal:
        terminal.answer("Username of the superuser: ", "ada")
        terminal.answer("Email address: ", "ada@example.com")
        terminal.answer("Password (not shown): ", PASSWORD)
        terminal.answer("Password again: ", "something else")
        terminal.answer("Password (not shown): ", PASSWORD)
        assert "differ" in terminal.asked
        terminal.answer("Password again: ", PASSWORD)
        shown = terminal.end()
    assert "Superuser created successfully" in shown
    assert superusers(host)["ada"] == "ada@example.com"
    assert_nowhere(host, pya, shown, terminal.asked)


def test_without_a_terminal_all_of_it_is_given(pya, host):
    arguments = ["createsuperuser", "--username", "bob", "--email", "bob@example.com"]
    done = pya(*arguments, "--json", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    assert json.loads(done.stdout)["exit_status"] == 0
    assert superusers(host)["bob"] == "bob@example.com"
    assert_nowhere(host, pya, done.stdout, done.stderr)
    # Django itself refuses a second one.
    done = pya(*arguments, code=1, DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    assert "already taken" in done.stdout
    assert_nowhere(host, pya, done.stdout, done.stderr)
    variables = {"DJANGO_SUPERUSER_USERNAME": "eve", "DJANGO_SUPERUSER_EMAIL": "eve@example.com"}
    pya("createsuperuser", DJANGO_SUPERUSER_PASSWORD=PASSWORD, **variables)
    assert superusers(host)["eve"] == "eve@example.com"


def test_what_is_missing_is_named_before_any_request(pya, host):
    host.clear_requests()
    for arguments, words in (
        ([], "--username NAME or set DJANGO_SUPERUSER_USERNAME"),
        (["--username", "x"], "--email ADDRESS or set DJANGO_SUPERUSER_EMAIL"),
        (["--username", "x", "--email", "x@example.com"], "set DJANGO_SUPERUSER_PASSWORD"),
    ):
        assert words in pya("createsuperuser", *arguments, code=2).stderr
    assert host.requests == []


def test_no_password_makes_no_superuser(pya, host):
    before = superusers(host)
    with Terminal(pya, "createsuperuser", "--username", "x", "--email", "x@example.com") as terminal:
        terminal.answer("Password (not shown): ", "")
        assert "no password was given" in terminal.end(2)
    assert superusers(host) == before
