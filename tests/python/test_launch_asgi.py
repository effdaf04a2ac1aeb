"""`pya launch` of an ASGI application: a website, whose command serves it on a socket, made without an agent."""

import sys
import zipfile
from pathlib import Path

import pytest
from command import environment_of
from launch_projects import write
from launching import PIN, PYTHON, WRITES, Slow, count_writes, page, run, states

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = PIN | {
    "main.py": "from fastapi import FastAPI\n\napp = FastAPI('Hello from ASGI')\n",
    "requirements.txt": "fastapi\n",
    ".env": "SECRET=not $told\n",
}

# As far as the application above needs them.
FASTAPI = """\
class FastAPI:
    def __init__(self, text, status=200):
        self.text, self.status = text, status

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.text.encode()})
"""
UVICORN = """\
import argparse
import asyncio
import importlib
import sys


async def serve(application, path):
    async def answer(reader, writer):
        head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode("latin-1").split()
        sent = []

        async def receive():
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message):
            sent.append(message)

        await application({"type": "http", "method": head[0], "path": head[1]}, receive, send)
        body = b"".join(message.get("body", b"") for message in sent)
        writer.write(b"HTTP/1.1 %d OK\\r\\nContent-Length: %d\\r\\n" % (sent[0]["status"], len(body)))
        writer.write(b"Connection: close\\r\\n\\r\\n" + body)
        await writer.drain()
        writer.close()

    await (await asyncio.start_unix_server(answer, path)).serve_forever()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--app-dir")
    parser.add_argument("--uds")
    parser.add_argument("application")
    options = parser.parse_args()
    sys.path.insert(0, options.app_dir)
    module, name = options.application.split(":")
    asyncio.run(serve(getattr(importlib.import_module(module), name), options.uds))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    programs = {"fastapi": "", "uvicorn": "[console_scripts]\nuvicorn = uvicorn:main\n"}
    for name, text in (("fastapi", FASTAPI), ("uvicorn", UVICORN)):
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
            archive.writestr(f"{name}.py", text)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/entry_points.txt", programs[name])
            archive.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture
def host(wheels):
    """Only accounts with tasks can have it: something has to run pip."""
    with Emulator(python=sys.executable, package_index=wheels, account="paid", rate_limit=None) as emulator:
        yield emulator


@pytest.fixture
def pya(host, tmp_path):
    return Slow(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


@pytest.fixture
def client(host) -> Client:
    return Client(host.user, host.token, host.url, rate_limit="off")


@pytest.fixture
def root(tmp_path) -> Path:
    return write(tmp_path / "site", PROJECT)


def test_an_asgi_application_is_served_by_a_website(pya, host, client, root):
    planned, requests = run(pya, host, root, "--dry-run")
    assert states(planned)["website"] == "planned"
    assert count_writes(requests) == 0
    report, _ = run(pya, host, root)
    assert report["ok"]
    assert page(host) == (200, "Hello from ASGI")
    [website] = client.websites.list()
    folder = f"/home/{host.user}"
    assert website["webapp"]["command"] == (
        f"{folder}/.virtualenvs/site/bin/uvicorn --app-dir {folder}/site --uds ${{DOMAIN_SOCKET}} main:app"
    )
    assert client.webapps.list() == []
    # The task that ran pip is gone, and the file with variables stays here.
    assert [*client.always_on.list(), *client.schedule.list()] == []
    assert not (Path(host.root) / folder[1:] / "site/.env").exists()
    assert any("variables" in warning for warning in report["warnings"])
    again, requests = run(pya, host, root)
    assert again["ok"]
    assert count_writes(requests) == 0, requests
    assert len(requests) <= 8, requests
    report, _ = run(pya, host, root, "--python", "3.99", "--dry-run", code=2)
    assert "3.99" in report["error"]
    # Another version of Python is refused rather than not heard.
    other = next(version for version in ("3.12", "3.13") if version != PYTHON)
    report, _ = run(pya, host, root, "--python", other, code=2)
    assert report["failed_step"] == "virtualenv"
    assert "~/.virtualenvs/site" in report["error"]
    assert "--virtualenv" in report["error"]
    report, _ = run(pya, host, root)
    assert report["ok"]
    main = root / "main.py"
    main.write_text(main.read_text().replace("Hello", "Greetings"))
    planned, _ = run(pya, host, root, "--dry-run")
    assert "virtualenv" not in states(planned)
    changed, requests = run(pya, host, root)
    assert (states(changed)["virtualenv"], states(changed)["requirements"]) == ("skipped", "skipped")
    assert page(host) == (200, "Greetings from ASGI")
    assert len(client.websites.list()) == 1
    # The words for a website are its own.
    main.write_text(main.read_text().replace("ASGI'", "ASGI', status=400"))
    refusing, _ = run(pya, host, root, code=1)
    assert refusing["failed_step"] == "page"
    assert "allowed_hosts" in refusing["error"]


@pytest.mark.parametrize("code", [403, 404])
def test_an_account_without_websites_is_told_so_before_anything_is_made(pya, host, root, code):
    before = sorted(root.rglob("*"))
    host.faults.add("status", path="**/websites/", code=code, body='{"detail": "Not found."}')
    report, requests = run(pya, host, root, code=2)
    assert report["failed_step"] == "account"
    assert "--wsgi" in report["error"]
    assert [method for method, _ in requests if method in WRITES] == []
    assert sorted(root.rglob("*")) == before


def test_a_token_of_another_account_is_told_from_an_account_without_websites(pya, host, root):
    host.faults.add("status", path="**/user/**", code=403, body='{"detail": "Not yours."}')
    report, requests = run(pya, host, root, code=4)
    assert report["failed_step"] == "account"
    assert "eu.pythonanywhere.com" in report["error"]
    assert count_writes(requests) == 0


def test_a_superuser_is_refused_before_anything_is_asked(pya, host, root):
    pya.environment["DJANGO_SUPERUSER_PASSWORD"] = "s3cret"
    report, requests = run(pya, host, root, "--superuser", "boss", code=2)
    assert report["failed_step"] == "superuser"
    assert "--superuser" in report["error"]
    assert requests == []


def test_a_website_with_another_command_is_left_alone(pya, host, client, root):
    domain = f"{host.user}.pythonanywhere.com"
    client.websites.create(domain, "sleep 1000")
    report, requests = run(pya, host, root, code=2)
    assert report["failed_step"] == "website"
    assert f"pya websites delete {domain}" in report["error"]
    assert states(report)["account"] == "done"
    assert count_writes(requests) == 0
    assert [site["webapp"]["command"] for site in client.websites.list()] == ["sleep 1000"]


def test_a_domain_that_a_web_app_has(pya, host, client, root):
    client.webapps.create(f"{host.user}.pythonanywhere.com", "3.11")
    said = pya("launch", root, "--site-url", host.site_url, "--yes", code=2).stderr
    assert "--domain" in said
    assert "nothing was changed" in said
    assert "in place" not in said
    said = pya("launch", root, "--site-url", host.site_url, "--dry-run", code=2).stderr
    assert "nothing was changed" in said
    assert "Launch it again" not in said
    assert client.websites.list() == []


@pytest.mark.parametrize(("code", "exit_code"), [(400, 2), (403, 4)])
def test_only_a_refused_domain_is_said_to_be_taken(pya, host, root, code, exit_code):
    host.faults.add("status", method="POST", path="**/websites/", code=code, body='{"detail": "No."}')
    report, _ = run(pya, host, root, code=exit_code)
    assert report["failed_step"] == "website"
    assert ("--domain" in report["error"]) == (code == 400)
