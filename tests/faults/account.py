"""An emulated account behind the proxy, with all that calls need, made past the proxy."""

from __future__ import annotations

import contextlib
import itertools
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pythonanywhere_api import Client, NotFoundError
from pythonanywhere_api.testing import Emulator

from .outcomes import TOKEN
from .proxy import Proxy

DATA = Path(__file__).parents[1] / "data"
ENDPOINTS = {each["call"]: each for each in json.loads((DATA / "endpoints.json").read_text())["endpoints"]}


class Account:
    def __init__(self, stack: ExitStack, **settings: Any):
        self.host = stack.enter_context(
            Emulator(rate_limit=None, send_input_limit=None, token=TOKEN, account="paid", **settings)
        )
        self.proxy = stack.enter_context(Proxy(self.host.url))
        self.direct = Client(self.host.user, TOKEN, self.host.url, rate_limit="off")
        self.home = f"/home/{self.host.user}"
        self.domain = f"{self.host.user}.pythonanywhere.com"
        self._numbers = itertools.count()

    @property
    def disk(self) -> Path:
        return Path(self.host.root) / "home" / self.host.user

    def number(self) -> int:
        return next(self._numbers)

    # ---- what calls are about; each is made if it is not there

    def webapp(self) -> str:
        if not self.direct.webapps.list():
            self.direct.webapps.create(self.domain, "3.11")
        return self.domain

    def website(self) -> str:
        name = f"site-{self.domain}"
        if not self.direct.websites.list():
            self.direct.websites.create(name, "sleep 1000", enabled=False)
        return name

    def task(self) -> int:
        for task in self.direct.always_on.list():
            return task["id"]
        return self.direct.always_on.create("sleep 1000", enabled=False)["id"]

    def job(self) -> int:
        for job in self.direct.schedule.list():
            return job["id"]
        return self.direct.schedule.create("true", 5, hour=3)["id"]

    def console(self) -> int:
        for console in self.direct.consoles.list():
            return console["id"]
        console = self.direct.consoles.create()
        # It starts when its page is opened.
        urllib.request.urlopen(self.host.url + console["console_url"]).close()
        return console["id"]

    def mapping(self) -> int:
        for mapping in self.direct.webapps.static_files.list(self.webapp()):
            return mapping["id"]
        return self.direct.webapps.static_files.create(self.domain, "/static/", f"{self.home}/static")["id"]

    def header(self) -> int:
        for header in self.direct.webapps.static_headers.list(self.webapp()):
            return header["id"]
        return self.direct.webapps.static_headers.create(self.domain, "/static/", "X-A", "1")["id"]

    def file(self, content: bytes = b"content") -> str:
        path = self.disk / "file.txt"
        path.write_bytes(content)
        return f"{self.home}/file.txt"


@contextlib.contextmanager
def account(**settings: Any) -> Iterator[Account]:
    with ExitStack() as stack:
        yield Account(stack, **settings)


def call(client: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    for part in name.split("."):
        client = getattr(client, part)
    return client(*args, **kwargs)


def clear(account: Account, family: str) -> None:
    """Removes what earlier faults made, so that it can be counted."""
    direct = account.direct
    if family == "webapps":
        for webapp in direct.webapps.list():
            direct.webapps.delete(webapp["domain_name"])
        return
    keys = {"websites": "domain_name"}
    with contextlib.suppress(NotFoundError):
        for item in call(direct, f"{family}.list", *scope(account, family)):
            call(direct, f"{family}.delete", *scope(account, family), item[keys.get(family, "id")])


def scope(account: Account, family: str) -> tuple[str, ...]:
    return (account.webapp(),) if family.startswith("webapps.static") else ()


def arguments(account: Account) -> dict[str, Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]]:
    """For each call, what makes ready what it is about and returns its arguments."""

    def of(*args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, kwargs

    a = account
    certificate, key = ((DATA / name).read_text() for name in ("site.crt", "site.key"))
    whole_webapp = {
        "python_version": "3.11",
        "source_directory": a.home,
        "virtualenv_path": "",
        "force_https": False,
        "password_protection_enabled": False,
        "password_protection_username": "me",
        "password_protection_password": "pw",
    }
    whole_job = {"command": "ls", "enabled": False, "interval": "hourly", "minute": 1, "hour": None, "description": "h"}
    task = {"command": "sleep 1000", "description": "y", "enabled": False}

    def certified() -> str:
        a.direct.webapps.ssl.set(a.webapp(), certificate, key)
        return a.domain

    def certified_site() -> str:
        a.direct.domains.ssl.set_lets_encrypt(a.website())
        return f"site-{a.domain}"

    def shared() -> str:
        path = a.file()
        a.direct.files.share(path)
        return path

    made: dict[str, Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]] = {
        "always_on.list": of,
        "always_on.create": lambda: of("sleep 1000", description="x", enabled=False),
        "always_on.get": lambda: of(a.task()),
        "always_on.replace": lambda: of(a.task(), **task),
        "always_on.update": lambda: of(a.task(), description="z"),
        "always_on.delete": lambda: of(a.task()),
        "always_on.restart": lambda: of(a.task()),
        "schedule.list": of,
        "schedule.create": lambda: of("true", 5, hour=3),
        "schedule.get": lambda: of(a.job()),
        "schedule.replace": lambda: of(a.job(), **whole_job),
        "schedule.update": lambda: of(a.job(), minute=6),
        "schedule.delete": lambda: of(a.job()),
        "consoles.list": of,
        "consoles.create": of,
        "consoles.shared_with_you": of,
        "consoles.get": lambda: of(a.console()),
        "consoles.delete": lambda: of(a.console()),
        "consoles.latest_output": lambda: of(a.console()),
        "consoles.send_input": lambda: of(a.console(), "true\n"),
        "cpu.get": of,
        "databases.mysql": of,
        "system_image.get": of,
        "system_image.set": lambda: of(a.direct.system_image.get()["available_system_images"][0]),
        "students.list": of,
        "students.delete": lambda: of("ada"),
        "files.upload": lambda: of(f"{a.home}/up/new-{a.number()}.txt", b"sent"),
        "files.read": lambda: of(a.file()),
        "files.list": lambda: of(a.home),
        "files.tree": lambda: of(a.home),
        "files.delete": lambda: of(a.file()),
        "files.share": lambda: of(a.file()),
        "files.sharing_url": lambda: of(shared()),
        "files.unshare": lambda: of(shared()),
        "webapps.list": of,
        "webapps.create": lambda: of(a.domain, "3.11"),
        "webapps.get": lambda: of(a.webapp()),
        "webapps.replace": lambda: of(a.webapp(), **whole_webapp),
        "webapps.update": lambda: of(a.webapp(), force_https=True),
        "webapps.delete": lambda: of(a.webapp()),
        "webapps.reload": lambda: of(a.webapp()),
        "webapps.disable": lambda: of(a.webapp()),
        "webapps.enable": lambda: of(a.webapp()),
        "webapps.static_files.list": lambda: of(a.webapp()),
        "webapps.static_files.create": lambda: of(a.webapp(), "/s/", f"{a.home}/s"),
        "webapps.static_files.get": lambda: of(a.webapp(), a.mapping()),
        "webapps.static_files.update": lambda: of(a.webapp(), a.mapping(), url="/u/"),
        "webapps.static_files.replace": lambda: of(a.webapp(), a.mapping(), "/r/", "/home/x"),
        "webapps.static_files.delete": lambda: of(a.webapp(), a.mapping()),
        "webapps.static_headers.list": lambda: of(a.webapp()),
        "webapps.static_headers.create": lambda: of(a.webapp(), "/s/", "X-B", "1"),
        "webapps.static_headers.get": lambda: of(a.webapp(), a.header()),
        "webapps.static_headers.update": lambda: of(a.webapp(), a.header(), value="2"),
        "webapps.static_headers.replace": lambda: of(a.webapp(), a.header(), "/t/", "X-C", "3"),
        "webapps.static_headers.delete": lambda: of(a.webapp(), a.header()),
        "webapps.ssl.get": lambda: of(certified()),
        "webapps.ssl.set": lambda: of(a.webapp(), certificate, key),
        "webapps.ssl.set_lets_encrypt": lambda: of(a.webapp()),
        "webapps.ssl.delete": lambda: of(certified()),
        "websites.list": of,
        "websites.create": lambda: of(f"site-{a.domain}", "sleep 1000", enabled=False),
        "websites.get": lambda: of(a.website()),
        "websites.update": lambda: of(a.website(), enabled=False),
        "websites.delete": lambda: of(a.website()),
        "websites.reload": lambda: of(a.website()),
        "domains.ssl.get": lambda: of(certified_site()),
        "domains.ssl.set_lets_encrypt": lambda: of(a.website()),
    }
    for name in ("default_python3_version", "default_python_version", "default_save_and_run_python_version"):
        made[f"python_versions.{name}"] = of
        made[f"python_versions.set_{name}"] = lambda: of("3.11")
    return made
