"""The page for somebody who has a site already, followed on one that was made by hand, with what commands print."""

import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from command import Pya, environment_of
from pages import DOCS, Page, Reader

from pythonanywhere_api.testing import Emulator

PAGE = Page(DOCS / "howto" / "existing-site.md")
DOMAIN = "me.pythonanywhere.com"

# As somebody writes it on the page Web, by the vendor's page on Django projects.
WSGI = """\
import os
import sys

path = os.path.expanduser("~/mysite")
if path not in sys.path:
    sys.path.insert(0, path)
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


class Owner(Reader):
    """Reads what each command prints, and has a site that is not at its domain."""

    def __init__(self, folder, host):
        super().__init__(folder, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
        self.site_url = host.site_url.rstrip("/")
        self.printed = {}

    def do_file(self, step):
        step.text += f'site_url = "{self.site_url}"\n'
        super().do_file(step)

    def do_command(self, step):
        name, *arguments = shlex.split(step.text)
        assert name == "pya"
        done = Pya(self.folder, self.environment)(*arguments)
        self.printed[step.text] = done.stdout + done.stderr


def git(folder, *arguments):
    subprocess.run(["git", "-c", "user.name=me", "-c", "user.email=me@example.com", *arguments], cwd=folder, check=True)


@pytest.fixture
def project(tmp_path):
    """A Django project in git, as it was when it was cloned on the host."""
    subprocess.run([sys.executable, "-m", "django", "startproject", "mysite"], cwd=tmp_path, check=True)
    folder = tmp_path / "mysite"
    (folder / ".gitignore").write_text("db.sqlite3\n__pycache__/\nsettings-of-the-host.py\n")
    settings = folder / "mysite" / "settings.py"
    settings.write_text(
        settings.read_text().replace("ALLOWED_HOSTS = []", 'ALLOWED_HOSTS = [".pythonanywhere.com", "127.0.0.1"]')
    )
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "first")
    return folder


def make_by_hand(host, project):
    """The site: a clone, edited there, with a database, an upload and a file that nobody knows any more; its folder."""
    there = Path(host.root, "home", "me", "mysite")
    shutil.copytree(project, there)
    append(there / "mysite" / "settings.py", 'STATIC_ROOT = BASE_DIR / "static"\n')
    (there / "db.sqlite3").write_bytes(b"")
    (there / "media").mkdir()
    (there / "media" / "photo.jpg").write_bytes(b"a photo")
    (there / "notes.py").write_text("# who knows\n")
    host.create_webapp(DOMAIN, virtualenv=sys.prefix)
    Path(host.root, "var", "www", "me_pythonanywhere_com_wsgi.py").write_text(WSGI)
    return there


def append(path, text):
    path.write_text(path.read_text() + text)


def status_of(host, path):
    request = urllib.request.Request(host.site_url.rstrip("/") + path, headers={"Host": DOMAIN})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status


def shown():
    """What the page shows that commands print, as pairs of command and line."""
    command = ""
    for line in "".join(PAGE.blocks("console")).splitlines():
        if line.startswith("$ "):
            command = line.removeprefix("$ ")
        else:
            yield command, line


def test_what_the_page_shows_happens(project):
    with Emulator(rate_limit=None, user="me", python=sys.executable, private_paths=False) as host:
        there = make_by_hand(host, project)
        git_there = sorted(path.name for path in (there / ".git").iterdir())
        append(project / "mysite" / "urls.py", "# the newest change\n")
        owner = Owner(project, host)
        assert owner.follow(PAGE) >= 10
        assert [(command, line) for command, line in shown() if line not in owner.printed[command]] == []
        assert len(list(shown())) >= 10
        assert (there / "media" / "photo.jpg").read_bytes() == b"a photo"
        assert sorted(path.name for path in (there / ".git").iterdir()) == git_there
        assert (there / "db.sqlite3").stat().st_size > 0, "the migrations ran on the site's own database"
        assert "STATIC_ROOT" in (project / "settings-of-the-host.py").read_text()
        assert not (there / "notes.py").exists()
        wsgi = Path(host.root, "var", "www", "me_pythonanywhere_com_wsgi.py")
        assert wsgi.read_text() == WSGI
        assert status_of(host, "/admin/login/") == 200


def test_code_that_is_on_the_host_only_is_fetched(project, tmp_path):
    """Into a folder with nothing but the table, where the helper of Django Girls named the project as the domain."""
    with Emulator(rate_limit=None, user="me", python=sys.executable, private_paths=False) as host:
        there = make_by_hand(host, project)
        there.rename(there.parent / DOMAIN)
        wsgi = Path(host.root, "var", "www", "me_pythonanywhere_com_wsgi.py")
        wsgi.write_text(WSGI.replace("~/mysite", f"~/{DOMAIN}"))
        here = tmp_path / "here"
        here.mkdir()
        site = f'domain = "{DOMAIN}"\nsite_url = "{host.site_url.rstrip("/")}"\n'
        (here / "pyproject.toml").write_text(f'[tool.pythonanywhere]\nproject = "{DOMAIN}"\n{site}')
        pya = Pya(here, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
        pya("agent", "install")
        pya("pull", ".")
        assert (here / "media" / "photo.jpg").read_bytes() == b"a photo"
        assert (here / "mysite" / "urls.py").read_bytes() == (project / "mysite" / "urls.py").read_bytes()
        assert "M  " not in pya("diff", "--compare", "content").stdout


def test_the_page_names_each_mark_of_a_diff():
    marks = re.findall(r"^\| `(\S+)` \|", PAGE.text, re.MULTILINE)
    assert marks == ["A", "M", "D", "??"]
