"""What the README shows is run, and what it lists is compared with the program."""

import re
import sys
from pathlib import Path

from command import Pya, clean_environment, environment_of
from launch_projects import startproject
from pages import README, Page, Reader, Step

from pythonanywhere_api.testing import Emulator

PAGE = Page(README)

WSGI = """\
import os
import sys

sys.path.insert(0, os.path.expanduser("~/mysite"))
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


class Visitor(Reader):
    """Finds a site that is served, so that it need not be launched: the reader of the tutorial launches one."""

    def do_command(self, step: Step) -> None:
        if step.text == "pya launch":
            self.find_served()
        else:
            super().do_command(step)

    def find_served(self) -> None:
        pya = Pya(self.folder, self.environment)
        pya("agent", "install")
        pya("deploy")
        # Something to be shown, deployed and undone.
        urls = self.folder / "mysite" / "urls.py"
        urls.write_text(urls.read_text() + "\n# changed\n")
        (self.folder / "mysite" / "asgi.py").unlink()


def test_what_it_shows_works(tmp_path):
    """In a Django project with the README's own table in it, and the account that it names."""
    root = startproject(tmp_path)
    (root / "README.md").write_text("# notes\n")
    settings = root / "mysite" / "settings.py"
    settings.write_text(settings.read_text() + 'STATIC_ROOT = BASE_DIR / "static"\nALLOWED_HOSTS = ["*"]\n')
    commands = [step.text for step in PAGE.steps() if step.kind == "command"]
    assert {"pya launch", "pya diff", "pya deploy --delete", "pya rollback", "pya agent install"} <= set(commands)
    assert sum(step.kind == "python" for step in PAGE.steps()) >= 3
    # Without the account's own paths, since not every system that runs these tests can show them to its processes.
    with Emulator(rate_limit=None, user="me", python=sys.executable, private_paths=False) as host:
        table = PAGE.blocks("toml")[0] + f'site_url = "{host.site_url.rstrip("/")}"\n'
        (root / "pyproject.toml").write_text(table)
        # Its site is made with the Django that is installed here.
        host.create_webapp("me.pythonanywhere.com", virtualenv=sys.prefix)
        (Path(host.root) / "var" / "www" / "me_pythonanywhere_com_wsgi.py").write_text(WSGI)
        Visitor(root, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"}).follow(PAGE)
        there = Path(host.root) / "home" / "me" / "mysite"
        assert (there / "static" / "admin").is_dir()
        assert (there / "mysite" / "urls.py").read_text().endswith("# changed\n")
        # Deleted by one deploy, brought back by the rollback, and not asked for again.
        assert (there / "mysite" / "asgi.py").is_file()


def test_exit_codes_are_those_of_the_help(tmp_path):
    text = Pya(tmp_path, clean_environment())("--help").stdout
    listed = dict(re.findall(r"^  (\d+) +(.+)$", text, re.MULTILINE))
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", PAGE.text, re.MULTILINE))
    assert len(listed) == 9
    assert table == listed
