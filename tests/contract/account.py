"""The account that is asked: an emulator's or a real one. Every request passes the guard first."""

from __future__ import annotations

import inspect
import json
import re
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests

from pythonanywhere_api import Client, NotFoundError, PythonAnywhereError, RateLimitedError
from pythonanywhere_api.testing import Emulator, advance_clock

from .guard import Guard, wsgi_path

ENDPOINTS = json.loads((Path(__file__).parents[1] / "data/endpoints.json").read_text())["endpoints"]
BY_CALL = {endpoint["call"]: endpoint for endpoint in ENDPOINTS}

# The service says how long to wait in its text, and perhaps in a header.
THROTTLED = re.compile(r"Request was throttled\. Expected available in (\d+) seconds?\.")


class NotObserved(Exception):
    """What is asked cannot be seen in this account, or not without the user's leave."""


class Account:
    """One run's view of an account. `client` is for reading only; writes go through `call` and `request`."""

    def __init__(
        self,
        user: str,
        token: str,
        url: str,
        *,
        may_make: frozenset[str] = frozenset(),
        domain: str = "",
        site: str = "",
        large_upload: int | None = None,
        wait: Callable[[float], None] = time.sleep,
        emulator: Emulator | None = None,
    ):
        url = url if "://" in url else f"https://{url}"
        self.user, self.url, self.emulator = user, url, emulator
        self.run = uuid.uuid4().hex[:12]
        self.scratch = f"/home/{user}/pya-contract-{self.run}"
        self.domain = domain
        self.guard = Guard(user, self.scratch, may_make, domain)
        self.large_upload = large_upload
        self.wait = wait
        self.site = emulator.site_url if emulator else site
        # The service's own limit is what is looked at, so the client must not wait before it is reached.
        self.client = Client(user, token, url, rate_limit=10_000, max_wait=0)
        self.http, self.visitor = requests.Session(), requests.Session()
        self.http.trust_env = self.visitor.trust_env = False
        # Kept here and in the client alone, where no failing test prints it.
        self.http.headers["Authorization"] = f"Token {token}"
        self.left_behind: list[str] = []
        # Measurements that several questions share, by their names: some take minutes on a real account.
        self.measured: dict[str, Any] = {}

    @classmethod
    def of(cls, emulator: Emulator, **options: Any) -> Account:
        """The account of an emulator, in which everything may be made."""
        options = {
            "may_make": frozenset(["webapps", "consoles", "schedule", "always_on"]),
            "domain": f"{emulator.user}.pythonanywhere.com",
            "large_upload": (100 << 20) + 1,
            "wait": advance_clock,
            **options,
        }
        return cls(emulator.user, emulator.token, emulator.url, emulator=emulator, **options)

    # ---- asking

    def request(self, method: str, below: str, *, paced: bool = True, **options: Any) -> requests.Response:
        """The raw answer to one request; `below` is what follows `/api/v0/user/<user>/`. Redirects are not followed.

        Args:
            paced: wait and ask again when the service throttles.
        """
        target = f"/api/v0/user/{self.user}/{below}"
        fields = options.get("data") or options.get("json")
        query = f"?{urlencode(options['params'])}" if "params" in options else ""
        self.guard.check(method, target + query, fields if isinstance(fields, dict) else None)
        options = {"allow_redirects": False, "timeout": 120, **options}
        while True:
            answer = self.http.request(method, self.url + target, **options)
            seconds = told(answer)
            if not paced or seconds is None:
                return answer
            self.wait(seconds)

    def path(self, name: str = "") -> str:
        """A path in the scratch folder."""
        return f"{self.scratch}/{name}" if name else self.scratch

    def files_path(self, name: str = "") -> str:
        """The same for `request`."""
        return "files/path" + quote(self.path(name))

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """A call of our own client, by its name in `endpoints.json`."""
        endpoint = BY_CALL[name]
        method: Any = self.client
        for part in name.split("."):
            method = getattr(method, part)
        bound = inspect.signature(method).bind(*args, **kwargs).arguments
        fields = {**bound, **bound.get("fields", {})}
        target = endpoint["path"].replace("{username}", self.user)
        for key, value in bound.items():
            target = target.replace("{" + key + "}", quote(str(value)))
        self.guard.check(endpoint["http"], target, fields)
        while True:
            try:
                return method(*args, **kwargs)
            except RateLimitedError as error:
                if error.retry_after is None:
                    raise
                self.wait(error.retry_after)

    def put(self, files: dict[str, bytes]) -> None:
        """Uploads files into the scratch folder."""
        for name, content in files.items():
            self.call("files.upload", self.path(name), content)

    def visit(self, path: str, **options: Any) -> requests.Response:
        """The answer of the run's web app. An emulator serves all domains at one address."""
        url = (self.site or f"https://{self.domain}") + path
        return self.visitor.get(url, headers={"Host": self.domain}, timeout=120, **options)

    # ---- beginning and end

    def begin(self) -> None:
        """Makes sure that the scratch folder is nobody's."""
        try:
            self.call("files.list", self.scratch)
        except NotFoundError:
            return
        raise NotObserved(f"{self.scratch} is there already")

    def end(self) -> None:
        """Removes all that the run made; what cannot be removed is noted."""
        deletes = {"consoles": "consoles.delete", "schedule": "schedule.delete", "always_on": "always_on.delete"}
        for kind, delete in deletes.items():
            for name in self.guard.own[kind]:
                self._remove(delete, name)
        self._remove("files.delete", self.scratch)
        if self.domain in self.guard.own["webapps"]:
            self._remove("webapps.delete", self.domain)
            # The service keeps the WSGI file under another name when it deletes the web app, and all logs.
            try:
                paths = self.files_of_webapp()
            except PythonAnywhereError as error:
                self.left_behind.append(f"files of {self.domain} in /var/www and /var/log: {error}")
                return
            for path in paths:
                self._remove("files.delete", path)

    def files_of_webapp(self) -> list[str]:
        """The paths outside of the scratch folder that belong to the web app of the run's domain."""
        starts = {"/var/www": wsgi_path(self.domain), "/var/log": f"/var/log/{self.domain}."}
        paths = [f"{folder}/{name}" for folder in starts for name in self.call("files.list", folder)]
        return [path for path in paths if path.startswith(tuple(starts.values()))]

    def _remove(self, call: str, name: str) -> None:
        try:
            self.call(call, name)
        except NotFoundError:
            pass
        except PythonAnywhereError as error:
            self.left_behind.append(f"{name}: {error}")

    @property
    def name(self) -> str:
        """What the report calls it."""
        return "the emulator" if self.emulator else urlsplit(self.url).netloc


def told(answer: requests.Response) -> int | None:
    """How long the service says to wait; `None` if it did not throttle."""
    if answer.status_code != 429:
        return None
    found = THROTTLED.search(answer.text)
    return int(answer.headers.get("Retry-After") or found[1]) if found else None
