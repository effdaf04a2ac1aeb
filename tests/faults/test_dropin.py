"""The methods of `PythonanywhereApi` and every fault: nothing raised, and a value that agrees with `error_message`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import set_clock_speed

from .account import Account, account
from .conftest import SOAK
from .kinds import Kind, kinds
from .outcomes import TOKEN, Row, leaks, run

PROJECT = "site"
FILES = {
    "site/__init__.py": b'__version__ = "1.2.3"\n',
    "site/views.py": b"views",
    "site/templates/a/b.html": b"<b>",
    "static/a.css": b"a{}",
    "manage.py": b"#!",
}


@dataclass
class Operation:
    name: str
    call: Callable[[Any], Any]
    #: What it returns on an error.
    failure: Any
    #: What it returns where the service says that nothing is there; an error like any other without it.
    absent: Any = ...


def iterated(api: Any) -> list[str]:
    return sorted(str(item) for item in api.files_iterator("**/*"))


OPERATIONS = [
    Operation("_folder_items", lambda api: api._folder_items("site"), None, None),
    Operation("deployed_file_content", lambda api: api.deployed_file_content("manage.py"), None),
    Operation("deployed_version", lambda api: api.deployed_version(), "", ""),
    Operation("deploy_file", lambda api: api.deploy_file("new/a.txt", b"new"), ...),
    Operation("delete_file_or_folder", lambda api: api.delete_file_or_folder("static/a.css"), ...),
    Operation("files_iterator", iterated, ..., ...),
    Operation("find_project_files", lambda api: api.find_project_files("**/*"), None, ...),
    Operation("deployed_code_files", lambda api: api.deployed_code_files(["**/*.py"]), None, ...),
    Operation("available_consoles", lambda api: api.available_consoles(), None),
    Operation("console_execute", lambda api: api.console_execute(api.console, "true"), ""),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Account]:
    with account() as made:
        yield made


def cells(at: int) -> list[tuple[Kind, str]]:
    # Silence lasts for a minute here, whatever the clock says: `Client`, whose time-out can be set, has those cells.
    fast = [kind for kind in kinds() if not kind.is_slow]
    every = [(kind, position) for kind in fast for position in ("first", "second", "every")]
    if SOAK:
        return every
    return [cell for number, cell in enumerate(every) if (number + at) % 9 == 0 and "bomb" not in cell[0].name]


@pytest.mark.parametrize("at", range(len(OPERATIONS)), ids=[each.name for each in OPERATIONS])
def test_a_method_raises_nothing_and_its_value_agrees_with_its_message(shared: Account, row: Row, at: int) -> None:
    operation = OPERATIONS[at]
    row.name = f"PythonanywhereApi.{operation.name}"
    console = shared.console() if "console" in operation.name else 0
    for kind, position in cells(at):
        cell = f"{kind.name}, {position}"
        shared.proxy.settle()
        for name, content in FILES.items():
            path = shared.disk / PROJECT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        usual = operation.call(api_of(shared, console))
        for name, content in FILES.items():
            (shared.disk / PROJECT / name).write_bytes(content)
        api = api_of(shared, console)
        count = None if position == "every" else 1
        plan = shared.proxy.spoil(kind.fault, after=int(position == "second"), times=count)
        set_clock_speed(10_000)
        outcome = run(lambda a=api, o=operation: o.call(a))
        set_clock_speed(1)
        if not plan.spoilt:
            continue
        message = api.error_message
        row.count(kind.group, "error" if message else "ok")
        row.check(not outcome.hangs, cell, "hangs")
        row.check(outcome.error is None, cell, "raises", repr(outcome.error))
        row.check(not leaks(outcome.output + message + repr(api)), cell, "shows the token", message)
        row.check(len(message) < 4000, cell, "quotes too much", len(message))
        value = outcome.value
        is_absence = kind.status == 404 and kind.in_json
        if operation.name in ("deploy_file", "delete_file_or_folder"):
            row.check(bool(value) == bool(message), cell, "the value is not the message", (value, message))
        elif operation.name == "files_iterator":
            row.check(message or is_absence or value == usual, cell, "lost files without a word", value)
            row.check(set(value) <= set(usual), cell, "makes files up", value)
        elif message:
            row.check(value == operation.failure, cell, "a value beside an error", value)
        must_pass = kind.passes and position != "every" and not posts(operation, kind)
        if must_pass:
            row.check(not message, cell, "fails although it may be repeated", message)
        elif operation.absent is not ... and is_absence:
            row.check(message or value == operation.absent, cell, "not absent", value)
        elif operation.name in ("find_project_files", "deployed_code_files", "files_iterator") and is_absence:
            pass
        elif not may_succeed(operation, kind):
            row.check(message, cell, "counts as success", value)
        if not message and not is_absence and operation.name not in ("console_execute", "deploy_file"):
            row.check(value == usual, cell, "another value than without a fault", value)
        if operation.name == "deploy_file":
            done = (shared.disk / PROJECT / "new/a.txt").is_file()
            row.check(done or message or may_succeed(operation, kind), cell, "called deployed, and not there")
            (shared.disk / PROJECT / "new/a.txt").unlink(missing_ok=True)
        if operation.name == "delete_file_or_folder":
            gone = not (shared.disk / PROJECT / "static/a.css").exists()
            row.check(gone or message, cell, "called deleted, and still there")
    row.finish()


def api_of(shared: Account, console: int) -> Any:
    class Api(PythonanywhereApi):
        pass

    api = Api(shared.proxy.url, shared.host.user, TOKEN, PROJECT)
    api.console = console
    return api


def posts(operation: Operation, kind: Kind) -> bool:
    """Whether the spoilt request is one that must not be sent twice."""
    return operation.name == "console_execute" and kind.group != "throttle"


def may_succeed(operation: Operation, kind: Kind) -> bool:
    if kind.name.startswith("429 for ever"):
        return True
    if operation.name in ("console_execute", "deploy_file"):
        # Any body with the documented status will do, but a page in HTML.
        return kind.name in ("an echo, 200 text", "a gzip bomb")
    return False
