"""Fixtures: an account of the emulator, and the two drop-in classes behind one face, so that a case runs for both."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from launch_projects import make_wheels
from relay import Relay
from runner_pip import make_virtualenv

from pythonanywhere_api import AsyncPythonanywhereApi, PythonanywhereApi
from pythonanywhere_api.testing import Emulator, restore_clock, set_clock_speed

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# In a job of GitHub Actions messages are annotations.
os.environ.pop("GITHUB_ACTIONS", None)

DATA = Path(__file__).parent.parent / "data"
PROJECT = "mysite"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow on an idle machine is not stuck where it takes some times as long on a busy one."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rate limit of ours: the cases below send many requests, and the emulator's limit is off as well."""
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")


@pytest.fixture
def host(unlimited: None) -> Iterator[Emulator]:
    with Emulator(rate_limit=None) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip installs in an emulated account without the network: Django and a small Flask."""
    return make_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def virtualenv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtualenv to be copied, with the pip of these tests: to have one made takes most of the time of a launch."""
    made = tmp_path_factory.mktemp("virtualenv") / "made"
    make_virtualenv(made)
    return made


@pytest.fixture
def hurried() -> Iterator[None]:
    """What the client waits for passes quickly: pauses between attempts, a prompt that does not come."""
    set_clock_speed(20)
    yield
    restore_clock()


class Caller:
    """Makes instances of one of the two classes and waits for what their methods return."""

    def __init__(self, kind: type[Any], emulator: Emulator):
        self.kind = kind
        self.emulator = emulator

    @property
    def is_async(self) -> bool:
        return self.kind is AsyncPythonanywhereApi

    def api(self, kind: type[Any] | None = None, project: str = PROJECT, **kwargs: Any) -> Any:
        host = self.emulator
        return (kind or self.kind)(host.url, host.user, host.token, project, **kwargs)

    def run(self, result: Any) -> Any:
        """The value of a call: at once, or awaited in an event loop of its own."""
        if not inspect.isawaitable(result):
            return result

        async def wait() -> Any:
            return await result

        return asyncio.run(wait())

    def list(self, files: Any) -> list[Any]:
        """All items of `files_iterator`."""
        if not self.is_async:
            return list(files)

        async def collect() -> list[Any]:
            return [item async for item in files]

        return asyncio.run(collect())


@pytest.fixture(params=[PythonanywhereApi, AsyncPythonanywhereApi], ids=["sync", "async"])
def caller(request: pytest.FixtureRequest, host: Emulator) -> Caller:
    return Caller(request.param, host)


@pytest.fixture
def api(caller: Caller) -> Any:
    return caller.api()


def project_folder(host: Emulator, project: str = PROJECT) -> Path:
    return Path(host.root) / "home" / host.user / project


def write_tree(host: Emulator, files: dict[str, bytes], project: str = PROJECT) -> None:
    """Puts files into the account, past the API."""
    for name, content in files.items():
        path = project_folder(host, project) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def listed_folders(host: Emulator, project: str = PROJECT) -> list[str]:
    """The project's folders that were asked for, relative, one entry for each request."""
    prefix = f"/api/v0/user/{host.user}/files/path/home/{host.user}/{project}"
    paths = [request.path for request in host.requests if request.method == "GET"]
    return [path.removeprefix(prefix).strip("/") for path in paths if path.startswith(prefix)]


def mask_vectors() -> dict[str, Any]:
    return json.loads((DATA / "masks.json").read_text(encoding="utf-8"))


def environment(host: Emulator, **more: str) -> dict[str, str]:
    """The environment for a child process that uses the emulator."""
    return os.environ | {
        "API_TOKEN": host.token,
        "PYTHONANYWHERE_USERNAME": host.user,
        "PYTHONANYWHERE_SITE": host.url,
        **more,
    }


@pytest.fixture
def site(request: pytest.FixtureRequest, unlimited: None, tmp_path: Path) -> Iterator[Any]:
    """A web app on a paid account and a project that is deployed to it.

    What a deploy does is written once, in Rust, and the classes differ in how one waits for it. So `PythonanywhereApi`
    goes through all of it, and `AsyncPythonanywhereApi` through the tests `for_both_classes`: each operation once.
    """
    # It needs this module.
    from bulk_site import Site

    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        made = Site(Caller(getattr(request, "param", PythonanywhereApi), host), tmp_path / "local")
        made.write("1")
        yield made


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that no other test knows; what is in it of sites."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pythonanywhere-api" / "sites"


@pytest.fixture
def relay(site: Any) -> Iterator[Relay]:
    """Somebody between the client and the site."""
    with Relay(site.host.site_url) as relay:
        yield relay


for_both_classes = pytest.mark.parametrize(
    "site", [PythonanywhereApi, AsyncPythonanywhereApi], indirect=True, ids=["sync", "async"]
)


@pytest.fixture
def with_agent(site: Any) -> Any:
    """The same with the agent installed."""
    change = site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert change == {"changed": True, "renewed": [], "warnings": []}
    return site
