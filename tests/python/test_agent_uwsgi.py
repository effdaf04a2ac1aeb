"""The agent under the application server that the host uses, with a Django project at absolute paths."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from agent_site import PATH, TOKEN, Installed, header, job
from runner_host import NEW_TREE, OLD_TREE, Host

UWSGI = shutil.which("uwsgi", path=Path(sys.executable).parent)
pytestmark = pytest.mark.skipif(UWSGI is None, reason="uwsgi is among the development requirements on Linux")

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
        options += ["--die-on-term", "--lazy-apps"]
        # Bodies are read to their end whoever wants them, as by the web server in front; else a connection is reset.
        options += ["--post-buffering", "65536"]
        environment = {"HOME": str(self.home), "API_TOKEN": TOKEN, "PATH": os.environ["PATH"]}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([UWSGI, *options], env=environment, cwd=self.home, stdout=log, stderr=log)
        self.wait()

    def wait(self) -> None:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)
            else:
                return
        pytest.fail(self.log.read_text())

    def request(self, method: str, path: str, body: bytes | None = None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
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
        return status == 200 and json.loads(content) == self.installed.answer(fields)

    def receipt(self, identity: str):
        return json.loads((self.home / ".pya" / "00112233aabbccdd" / f"receipt-{identity}.json").read_text())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def start(tmp_path):
    started = []

    def start(**options):
        started.append(Uwsgi(tmp_path, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_the_site_is_as_before_and_the_agent_answers(start):
    site = start()
    assert site.get("/hello/") == (200, b"Django says /hello/, 0 bytes")
    assert site.request("POST", "/hello/", b"x" * 100_000) == (200, b"Django says /hello/, 100000 bytes")
    assert site.ask()
    assert not site.ask(fields=site.installed.signed() | {"sig": "0" * 64})
    assert site.request("POST", PATH, b"{}")[0] == 404


def test_commands_run_with_the_web_apps_python_and_settings(start):
    site = start()
    (site.project / "manage.py").write_text(
        "import os, sys\nprint(sys.prefix, os.environ['DJANGO_SETTINGS_MODULE'], *sys.argv[1:])\nsys.exit(5)\n"
    )
    body, identity = job("manage", args=["check"], manage="manage.py", virtualenv=None, settings=None, timeout=60)
    assert site.ask("manage", body)
    receipt = site.receipt(identity)
    assert receipt["error"] is None, receipt
    assert (receipt["exit_status"], receipt["output"].split()[1:]) == (5, ["mysite.settings", "check"])
    # `sys.executable` is uwsgi there, which is no Python.
    assert "uwsgi" not in receipt["result"]["interpreter"]


def test_an_application_that_fails_to_load_leaves_the_agent(start):
    site = start(original="import os\nimport nothing_of_the_kind\n")
    # As the host's own wrapper of WSGI files does. The web server in front makes an error page of it.
    with pytest.raises(http.client.RemoteDisconnected):
        site.get("/hello/")
    assert site.ask()
    log = site.log.read_text()
    assert f'File "{site.installed.wsgi}", line 2' in log
    assert "    import nothing_of_the_kind" in log
    assert "_pya_" not in log
    assert "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in log


def test_an_application_that_exits_ends_no_worker(start):
    site = start(original="raise SystemExit(3)\n")

    def workers():
        return Path(f"/proc/{site.process.pid}/task/{site.process.pid}/children").read_text()

    assert site.ask()
    before = workers()
    for _ in range(3):
        with pytest.raises(http.client.RemoteDisconnected):
            site.get("/hello/")
    assert site.ask()
    assert workers() == before
    assert "the application could not be loaded: SystemExit: 3" in site.log.read_text()


def test_of_two_workers_one_takes_a_request(start):
    site = start(workers=2)
    for _ in range(10):
        fields = site.installed.signed()
        taken = []
        threads = [threading.Thread(target=lambda: taken.append(site.ask(fields=fields))) for _ in range(2)]  # noqa: B023
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False, True]


def test_a_touched_file_reloads_and_an_old_request_stays_old(start):
    site = start()
    fields = site.installed.signed()
    assert site.ask(fields=fields)
    before = (site.installed.folder / "loaded.json").read_text()
    os.utime(site.installed.folder / "loaded.json", (1, 1))
    time.sleep(1.1)
    os.utime(site.installed.wsgi)
    for _ in range(100):
        if (site.installed.folder / "loaded.json").stat().st_mtime > 1:
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"it was not loaded again: {before}")
    site.wait()
    assert site.ask()
    assert not site.ask(fields=fields)


def test_a_worker_killed_in_the_middle_of_a_deploy_is_made_up_for(start, tmp_path):
    site = start()
    # The same home folder, with a deploy that is about to change its project.
    many = NEW_TREE | {f"many/{number}.txt": bytes([number % 256]) * 2000 for number in range(3000)}
    host = Host(tmp_path / "deploy", OLD_TREE, many, ["gone/x.py"])
    host.upload()
    state = site.home / ".pya" / host.state.name
    shutil.move(str(host.state), state)
    shutil.rmtree(site.project)
    shutil.move(str(host.root), site.project)
    host.root, host.state = site.project, state
    body = json.dumps({"state": state.name, "limit": 45, "job": host.job}).encode()
    assert len(body) < 64 << 10

    def kill_worker():
        while not list(state.glob("work-*/staging/*")):
            time.sleep(0.001)
        children = Path(f"/proc/{site.process.pid}/task/{site.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_worker)
    killer.start()
    with pytest.raises((OSError, http.client.HTTPException)):
        site.ask("apply", body)
    killer.join()
    # The master starts another worker.
    time.sleep(1)
    assert site.ask("apply", body)
    receipt = json.loads((state / f"receipt-{host.job['id']}.json").read_text())
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == host.expected()
    assert host.leftovers() == set()
