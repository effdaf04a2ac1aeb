"""An emulated account in a process of its own, and a project that is deployed to it by the real command."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

LONG = 120
OURS = ("API_TOKEN", "PYTHONANYWHERE_", "PYA_", "GITHUB_", "USER", "LOGNAME", "XDG_")
WSGI = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Hello from ", environ["HTTP_HOST"].encode()]
"""


class Account:
    """The account, which a script uses as any script does."""

    def __init__(self, pya: str, ready: dict, folder: Path, process: subprocess.Popen[str]):
        self.pya, self.ready, self.project, self.process = pya, ready, folder / "mysite", process
        self.domain = f"{ready['user']}.pythonanywhere.com"
        clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        self.environment = clean | {
            "API_TOKEN": ready["token"],
            "PYTHONANYWHERE_USERNAME": ready["user"],
            "PYTHONANYWHERE_SITE": ready["url"],
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PYA_KEYRING": "off",
            # It would wait for a real minute, while the page moves the emulator's clock.
            "PYTHONANYWHERE_RATE_LIMIT": "off",
        }

    def write(self, name: str, text: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [self.pya, *arguments]
        return subprocess.Popen(command, cwd=self.project, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Runs a command of `pya` to its end, and returns what it said."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=LONG)
        assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
        return out + err

    def deploy(self, code: int = 0) -> str:
        return self.run("deploy", "--project", "mysite", "--executor", "none", code=code)

    def ask(self, method: str, path: str, **fields: str) -> tuple[int, dict]:
        """A request to the API, which the rate limit does not hold back on this side."""
        address = f"{self.ready['url']}/api/v0/user/{self.ready['user']}/{path}"
        body = urllib.parse.urlencode(fields).encode() if fields else None
        headers = {"Authorization": f"Token {self.ready['token']}", "User-Agent": "script"}
        request = urllib.request.Request(address, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LONG) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    @property
    def home(self) -> Path:
        return Path(self.ready["root"], "home", self.ready["user"])


@contextlib.contextmanager
def account(pya: str, folder: Path, *options: str) -> Iterator[Account]:
    """A running emulator, which ends with the block."""
    command = [pya, "emulator", *options]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line, process.communicate(timeout=LONG)[1]
            (folder / "mysite").mkdir()
            yield Account(pya, json.loads(line), folder, process)
        finally:
            process.terminate()
            process.communicate(timeout=LONG)


def fill(account: Account) -> None:
    """A small project, a web app that serves it, and tasks."""
    for name in (
        "manage.py",
        "mysite/settings.py",
        "mysite/urls.py",
        "blog/models.py",
        "blog/views.py",
        "blog/admin.py",
    ):
        account.write(name, f"# {name}\n" * 40)
    account.write("templates/base.html", "<!DOCTYPE html>\n<title>My site</title>\n")
    account.write("static/style.css", "body { margin: 3rem auto; max-width: 40rem }\n")
    account.ask("POST", "webapps/", domain_name=account.domain, python_version="python311")
    wsgi = Path(account.ready["root"], "var", "www", account.domain.replace(".", "_") + "_wsgi.py")
    wsgi.write_text(WSGI)
    command = "python3 ~/mysite/manage.py clearsessions"
    daily = {"interval": "daily", "hour": "4", "minute": "30", "description": "old sessions"}
    account.ask("POST", "schedule/", command=command, **daily)
    account.ask("POST", "always_on/", command="sleep 3600", description="stands for a worker")
