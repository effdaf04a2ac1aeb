"""The calls of `WebfactionApi` and every fault: an error of ours, done once, and neither token nor password shown."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from socketserver import ThreadingMixIn
from typing import Any
from xmlrpc.server import SimpleXMLRPCServer

import pytest

from pythonanywhere_api import PythonAnywhereError
from pythonanywhere_api.testing import set_clock_speed
from pythonanywhere_api.webfaction import WebfactionApi

from .conftest import SOAK
from .kinds import kinds
from .outcomes import TOKEN, Row, leaks, run
from .proxy import Proxy

PASSWORD = TOKEN
CALLS: dict[str, tuple[Any, ...]] = {
    "login": ("demo", PASSWORD),
    "list_apps": (),
    "create_db": ("shop", "mysql", PASSWORD),
    "write_file": ("a.txt", "text"),
    "system": ("true",),
}


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), logRequests=False, allow_none=True)
        self.arrived: list[str] = []

    def _dispatch(self, method: str, params: Any) -> Any:
        self.arrived.append(method)
        return ["session-of-one", {"username": "demo", "id": 1}] if method == "login" else list(params[1:])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_done_once_or_fails(server: Server, row: Row, name: str) -> None:
    row.name = f"WebfactionApi.{name}"
    chosen = [kind for kind in kinds() if not kind.is_slow]
    if not SOAK:
        chosen = [kind for at, kind in enumerate(chosen) if at % 4 == len(name) % 4 and "bomb" not in kind.name]
    with Proxy(f"http://127.0.0.1:{server.server_address[1]}/") as proxy:
        for kind in chosen:
            proxy.settle()
            api = WebfactionApi(proxy.url)
            if name != "login":
                api.login("demo", PASSWORD)
            server.arrived.clear()
            proxy.spoil(kind.fault)
            set_clock_speed(10_000)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome = run(lambda a=api: getattr(a, name)(*CALLS[name]))
            set_clock_speed(1)
            row.count(kind.group, outcome.word)
            row.check(not outcome.hangs, kind.name, "hangs")
            row.check(
                isinstance(outcome.error, PythonAnywhereError), kind.name, "no error of ours", repr(outcome.error)
            )
            row.check(not leaks(outcome.output), kind.name, "shows the password", outcome.output[-300:])
            row.check(len(server.arrived) <= 1, kind.name, "done more than once", server.arrived)
    row.finish()
