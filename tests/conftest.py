"""No output of the whole suite shows a token: what tests print, log and write, and what they start prints.

Every emulator makes up a token of its own, which occurs nowhere by chance. After each test it is looked for in all that
was captured, in the output of all processes that ended, and in the files that are left: below the test's temporary
folder and in the account. The one place that may show it is `protocol_headers`; a test that writes it down itself is
marked `writes_token`.
"""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pythonanywhere_api.testing import Emulator, restore_clock

#: Where packages are, which nobody here writes, and what is as large as no file of ours.
PASSED_OVER = {"site-packages", ".git", "node_modules"}
LARGEST, MOST = 1 << 20, 4000


@pytest.fixture(autouse=True)
def real_time() -> Iterator[None]:
    """The clock of a process that runs many tests is as each of them expects it, whatever the one before did to it.

    What an emulator starts has the system's clock, so that the agent takes requests of another time for old ones.
    """
    yield
    restore_clock()


class Canary:
    """The tokens of a test's emulators, and where one of them was seen."""

    def __init__(self) -> None:
        self.tokens: set[bytes] = set()
        #: Those of emulators that were stopped: nothing shows them after this test.
        self.ended: set[bytes] = set()
        self.seen: list[str] = []

    def look(self, text: str | bytes | None, where: str) -> None:
        content = text.encode("utf-8", "replace") if isinstance(text, str) else text or b""
        if any(token in content for token in self.tokens):
            self.seen.append(where)

    def look_below(self, root: Path) -> None:
        left = MOST
        for folder, folders, files in os.walk(root):
            folders[:] = [name for name in folders if name not in PASSED_OVER]
            for name in files:
                path = Path(folder, name)
                left -= 1
                if left < 0:
                    return
                try:
                    if path.is_file() and not path.is_symlink() and path.stat().st_size <= LARGEST:
                        self.look(path.read_bytes(), str(path))
                except OSError:
                    # Gone meanwhile, or not to be read: then nobody else reads it either.
                    continue


CANARY = Canary()


def started(host: Any) -> None:
    # A short one, as some tests choose, may be part of any word.
    if len(host.token) >= 16 and len(set(host.token)) > 4:
        CANARY.tokens.add(host.token.encode())


def watch() -> None:
    """Notes each emulator's token when it starts, and looks at its account before that is removed."""
    enter, leave, start, stop = Emulator.__enter__, Emulator.__exit__, Emulator.start, Emulator.stop
    communicate = subprocess.Popen.communicate

    def entering(host: Any) -> Any:
        entered = enter(host)
        started(host)
        return entered

    def starting(host: Any) -> Any:
        begun = start(host)
        started(host)
        return begun

    def look_at_account(host: Any) -> None:
        try:
            root = Path(host.root)
        except RuntimeError:
            return  # It does not run any more.
        for folder in ("home", "var"):
            CANARY.look_below(root / folder)
        CANARY.ended.add(host.token.encode())

    def leaving(host: Any, *reason: Any) -> Any:
        look_at_account(host)
        return leave(host, *reason)

    def stopping(host: Any) -> Any:
        look_at_account(host)
        return stop(host)

    def listening(process: Any, *args: Any, **kwargs: Any) -> Any:
        out, err = communicate(process, *args, **kwargs)
        words = [process.args] if isinstance(process.args, str) else [os.fsdecode(word) for word in process.args]
        # Its first line is for the program that started it, and holds the token.
        if "emulator" not in words:
            for name, text in (("stdout", out), ("stderr", err)):
                CANARY.look(text, f"{name} of {' '.join(words)[:200]}")
        return out, err

    Emulator.__enter__, Emulator.__exit__ = entering, leaving
    Emulator.start, Emulator.stop = starting, stopping
    subprocess.Popen.communicate = listening  # type: ignore[method-assign]


def pytest_configure() -> None:
    watch()


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    report = yield
    if report.when != "teardown":
        return report
    if folder := getattr(item, "funcargs", {}).get("tmp_path"):
        CANARY.look_below(folder)
    for title, text in report.sections:
        CANARY.look(text, title)
    CANARY.tokens -= CANARY.ended
    CANARY.ended.clear()
    seen, CANARY.seen = CANARY.seen, []
    if seen and not item.get_closest_marker("writes_token"):
        report.outcome = "failed"
        report.longrepr = "the token is shown in:\n" + "\n".join(sorted(set(seen))[:20])
    return report
