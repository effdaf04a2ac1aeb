"""A web app of this run that looks at the scratch folder from inside: file numbers, mode bits, links, threads.

The API shows neither modes nor file numbers. The agent answers only requests that carry the run's secret, and touches
nothing outside of the scratch folder.
"""

from __future__ import annotations

import secrets
from typing import Any

import requests

from .account import Account, NotObserved
from .guard import wsgi_path

PROGRAM = """\
import hmac
import json
import os
import threading
import time
from urllib.parse import parse_qsl

SECRET = {secret!r}
ROOT = os.path.join(os.path.realpath(os.path.expanduser("~")), {folder!r})
ticks = 0


def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.01)


threading.Thread(target=tick, daemon=True).start()


def inside(name):
    path = os.path.normpath(os.path.join(ROOT, name))
    if os.path.commonpath([path, ROOT]) != ROOT:
        raise ValueError(name)
    return path


def do(query, environ):
    path = inside(query.get("name", ""))
    what = query["do"]
    if what == "chmod":
        os.chmod(path, int(query["mode"], 8))
    elif what == "link":
        os.symlink(inside(query["to"]), path)
    elif what == "hold":
        # A file that stays open keeps its number from being given to another file.
        held.append(open(path, "rb"))
    elif what == "fill":
        os.makedirs(path)
        for number in range(int(query["count"])):
            open(os.path.join(path, "%05d" % number), "w").close()
    elif what == "served":
        names = ("wsgi.multithread", "wsgi.multiprocess")
        return dict({{name: bool(environ[name]) for name in names}}, pid=os.getpid(), ticks=ticks)
    status = os.stat(path)
    return {{"inode": status.st_ino, "mode": oct(status.st_mode & 0o777)}}


held = []


def application(environ, start_response):
    query = dict(parse_qsl(environ.get("QUERY_STRING", "")))
    if not hmac.compare_digest(query.get("secret", ""), SECRET):
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"nothing here"]
    body = json.dumps(do(query, environ)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [body]
"""


class Agent:
    """The run's web app."""

    def __init__(self, account: Account):
        if "webapps" not in account.guard.may_make:
            raise NotObserved("needs a web app: add webapps to PYTHONANYWHERE_CONTRACT_MAKE")
        self.account = account
        self.secret = secrets.token_hex(16)
        self.wsgi = wsgi_path(account.domain)
        domains = [app["domain_name"] for app in account.client.webapps.list()]
        # Logs and kept WSGI files of an earlier web app are the user's, and would be written into.
        if account.domain in domains or account.files_of_webapp():
            raise NotObserved(f"{account.domain} is or was in use: PYTHONANYWHERE_CONTRACT_DOMAIN names another")
        fields = {"domain_name": account.domain, "python_version": "python311"}
        self.created = account.request("POST", "webapps/", data=fields)
        if not self.created.ok or self.created.json().get("status") == "ERROR":
            raise NotObserved(f"the service refuses a web app: {self.created.status_code} {self.created.text[:200]}")
        account.guard.made("webapps", account.domain)
        self.deploy()

    def deploy(self) -> None:
        """Writes the agent's program and has it loaded."""
        folder = self.account.scratch.rsplit("/", 1)[1]
        self.load(PROGRAM.format(secret=self.secret, folder=folder))

    def load(self, program: str) -> int:
        """Writes a program and reloads the web app; returns the status of the reload."""
        self.account.call("files.upload", self.wsgi, program.encode())
        return self.reload().status_code

    def reload(self) -> requests.Response:
        """The service's answer to a reload."""
        return self.account.request("POST", f"webapps/{self.account.domain}/reload/")

    def __call__(self, do: str, name: str = "", **query: str) -> dict[str, Any]:
        """What the agent answers."""
        answer = self.account.visit("/", params={"secret": self.secret, "do": do, "name": name, **query})
        if answer.status_code != 200:
            raise NotObserved(f"the web app does not answer: {answer.status_code} {answer.text[:200]}")
        seen: dict[str, Any] = answer.json()
        return seen


def agent(account: Account) -> Agent:
    """The agent of the account, made when it is first needed."""
    found = account.measured.get("agent")
    if found is None:
        try:
            found = Agent(account)
        except NotObserved as reason:
            found = reason
        account.measured["agent"] = found
    if isinstance(found, NotObserved):
        raise found
    return found
