"""A web app under the application server that the host uses, with the agent in it."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from agent_site import PATH, TOKEN, Installed, header

UWSGI = shutil.which("uwsgi", path=Path(sys.executable).parent)
needs_uwsgi = pytest.mark.skipif(UWSGI is None, reason="uwsgi is among the development requirements on Linux")

# Seconds that anything here may take: many times what it does on a busy machine.
PATIENCE = 240

SETTINGS = """\
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "mysite.urls"
"""
URLS = """\
from django.http import HttpResponse
from django.urls import path


def hello(request):
    return HttpResponse(f"Django says {request.path}, {len(request.body)} bytes")


urlpatterns = [path("hello/", hello)]
"""
WSGI = """\
import os
import sys

path = {root!r}
if path not in sys.path:
    sys.path.insert(0, path)
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


class Uwsgi:
    """One web app as on the host: preforked workers without threads, a virtualenv."""

    def __init__(self, folder: Path, original: str | None = None, workers: int = 1):
        self.home = folder / "me"
        self.project = self.home / "mysite"
        for name, text in (("settings.py", SETTINGS), ("urls.py", URLS), ("__init__.py", "")):
            path = self.project / "mysite" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.installed = Installed(self.home, original or WSGI.format(root=str(self.project)))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "error.log"
        options = ["--http-socket", f"127.0.0.1:{self.port}", "--wsgi-file", str(self.installed.wsgi)]
        options += [
            "--master",
            "--processes",
            str(workers),
            "--venv",
            sys.prefix,
            "--touch-reload",
            str(self.installed.wsgi),
        ]
        # As the host does: without it a failed application would end the server.
        options += ["--die-on-term", "--no-orphans", "--lazy-apps"]
        # Else a worker that is killed soon after it was started is missed for seconds.
        options += ["--forkbomb-delay", "0"]
        # Bodies are read to their end whoever wants them, as by the web server in front; else a connection is reset.
        options += ["--post-buffering", "65536"]
        environment = {"HOME": str(self.home), "API_TOKEN": TOKEN, "PATH": os.environ["PATH"]}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([UWSGI, *options], env=environment, cwd=self.home, stdout=log, stderr=log)
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)
            else:
                return
        pytest.fail(self.log.read_text())

    def request(self, method: str, path: str, body: bytes | None = None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path: str):
        return self.request("GET", path)

    def ask(self, operation: str = "status", body: bytes = b"{}", fields=None):
        """Whether the agent took a request."""
        fields = fields or self.installed.signed(operation, body)
        status, content = self.request("POST", PATH, body, {"X-Pya-Agent": header(fields)})
        return status == 200 and json.loads(content).get("id") == self.installed.answer(fields)["id"]

    def receipt(self, identity: str):
        return json.loads((self.home / ".pya" / "00112233aabbccdd" / f"receipt-{identity}.json").read_text())

    def workers(self) -> list[int]:
        """The ids of the processes that serve."""
        return [
            int(number)
            for number in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def kill_worker(self) -> None:
        """Kills the one worker, and waits for the next."""
        (worker,) = self.workers()
        os.kill(worker, signal.SIGKILL)
        self.wait_for_other(worker)

    def wait_for_other(self, worker: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while self.workers() in ([], [worker]):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.005)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
