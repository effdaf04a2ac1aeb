"""A web app of an emulated account, and a project on this machine that is deployed to it in bulk."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

from conftest import Caller, project_folder

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

WSGI = """\
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

def application(environ, start_response):
    version = open(os.path.expanduser("~/mysite/version.txt")).read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"version {version} at {environ['PATH_INFO']}".encode()]
"""


# Like Django's own it finds its files from where it is, not from the working folder, which is the web app's.
MANAGE = """\
import os
import sys

os.chdir(os.path.dirname(os.path.abspath(__file__)))
words = sys.argv[1:]
print("manage.py", *words)
if "migrate" in words:
    print("  Applying pages.0002_title... OK")
sys.exit(3 if "fail" in open("version.txt").read() else 0)
"""


def agent_without_bundles(host: Emulator, domain: str) -> None:
    """Replaces the agent by one that leaves bundles and notes to the API, as older ones do."""
    code = Path(host.root) / "home" / host.user / ".pya" / f"agent-{domain}" / "agent.py"
    changed = code.read_text().replace(', "takes": LONGEST_PIECE', "")
    assert changed != code.read_text()
    code.write_text(changed)
    Client(host.user, host.token, host.url).webapps.reload(domain)


class Site:
    """A web app of an account, and a project on this machine that is deployed to it."""

    def __init__(self, caller: Caller, local: Path, python: str = sys.executable):
        self.caller, self.local, self.host = caller, local, caller.emulator
        self.api = caller.api()
        self.domain = f"{self.host.user}.pythonanywhere.com"
        self.host.create_webapp(self.domain)
        self.wsgi = Path(self.host.root) / "var" / "www" / f"{self.domain.replace('.', '_')}_wsgi.py"
        self.wsgi.write_text(WSGI)
        self.remote = project_folder(self.host)
        self.via = {"domain": self.domain, "site_url": self.host.site_url}

    def run(self, result):
        value = self.caller.run(result)
        assert value is not None, self.api.error_message
        return value

    def write(self, version: str) -> None:
        for number in range(50):
            path = self.local / f"pkg{number % 5}" / f"m{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{version} {number}\n")
        (self.local / "version.txt").write_text(version)
        (self.local / "manage.py").write_text(MANAGE)

    def deploy(self, **options):
        diff = self.run(self.api.deploy_diff(self.local))
        return self.run(self.api.deploy(diff, **{"reload": [self.domain], "delete": True, **self.via, **options}))

    def page(self, path: str = "/") -> str:
        with urllib.request.urlopen(self.host.site_url + path, timeout=30) as answer:
            return answer.read().decode()

    def takes_no_bundles(self) -> None:
        """Replaces the agent by one that leaves bundles and notes to the API, as older ones do."""
        agent_without_bundles(self.host, self.domain)

    def notes(self, pattern: str) -> list[str]:
        return sorted(path.name for path in (self.remote.parent / ".pya").rglob(pattern))
