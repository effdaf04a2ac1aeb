"""The commands of `pya` and faults of each group: an exit code that says so, no traceback, and no token."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from .account import Account
from .conftest import SOAK
from .kinds import Kind, kinds
from .outcomes import HANGS_AFTER, TOKEN, Row, leaks

#: `pya` itself with a clock that runs fast, so that pauses between attempts pass.
HURRIED = """\
import sys
from pythonanywhere_api.__main__ import main
from pythonanywhere_api.testing import set_clock_speed

set_clock_speed(1000)
sys.exit(main())
"""
COMMANDS = [
    ["diff", "."],
    ["deploy", ".", "--no-reload", "--executor", "none"],
    ["deploy", ".", "--executor", "none", "--json"],
    ["verify", "."],
    ["history"],
    ["status"],
    ["whoami"],
    ["open"],
    ["doctor"],
    ["launch", ".", "--wsgi", "manage:application", "--dry-run"],
    ["agent", "status", "demo.pythonanywhere.com"],
    ["ls", "/home/demo"],
    ["cat", "/home/demo/file.txt"],
    ["put", "manage.py", "/home/demo/put.py"],
    ["rm", "/home/demo/file.txt"],
    ["reload", "demo.pythonanywhere.com"],
    ["logs", "demo.pythonanywhere.com"],
    ["webapps", "list"],
    ["consoles", "create"],
    ["cpu", "get", "--json"],
    ["api", "GET", "cpu/"],
]
#: One of each kind that a person may meet; the others differ in nothing that the command line could spoil.
SAMPLE = (
    "reset, unheard",
    "truncated, done",
    "garbage, unheard",
    "401 JSON",
    "403 HTML",
    "404 HTML",
    "500 nothing",
    "503 HTML",
    "429 with seconds",
    "a login page",
    "a redirect",
    "an echo, 403 json",
    "an echo, 500 html",
    "an echo, 400 percent",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with ExitStack() as stack:
        made = Account(stack)
        made.webapp()
        (Path(made.host.root) / "var/log" / f"{made.domain}.error.log").write_text("a line\n")
        yield made


@pytest.mark.parametrize("at", range(len(COMMANDS)), ids=[" ".join(command) for command in COMMANDS])
def test_a_command_says_what_went_wrong(shared: Account, row: Row, at: int, tmp_path: Path) -> None:
    command = COMMANDS[at]
    row.name = f"pya {' '.join(command)}"
    # Beside the home folder, where caches are: no project holds that.
    work = tmp_path / "work"
    work.mkdir()
    (work / "manage.py").write_text("import sys\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path / "home"),
        "API_TOKEN": TOKEN,
        "PYTHONANYWHERE_USERNAME": shared.host.user,
        "PYTHONANYWHERE_SITE": shared.proxy.url,
        "PYTHONANYWHERE_RATE_LIMIT": "off",
    }
    chosen = [kind for kind in kinds() if (not kind.is_slow if SOAK else kind.name in SAMPLE)]
    cells = [(kind, times) for kind in chosen for times in (1, None)]
    for kind, times in cells if SOAK else [cells[(at * 5 + step) % len(cells)] for step in (0, 7, 15)]:
        cell = f"{kind.name}, {'first' if times else 'every'}"
        shared.proxy.settle()
        shared.file()
        plan = shared.proxy.spoil(kind.fault, times=times)
        words = [sys.executable, "-c", HURRIED, *command]
        words += (
            ["--project", "site"]
            if command[0] in ("diff", "deploy", "verify", "history", "status", "doctor", "launch")
            else []
        )
        done = subprocess.run(
            words, cwd=work, env=environment, capture_output=True, text=True, timeout=HANGS_AFTER, check=False
        )
        row.check(plan.spoilt or done.returncode, cell, "nothing was asked", done.stderr)
        row.count(kind.group, f"exit {done.returncode}")
        judge(row, cell, kind, times, command, done)
    row.finish()


def judge(
    row: Row, cell: str, kind: Kind, times: int | None, command: list[str], done: subprocess.CompletedProcess[str]
) -> None:
    output = done.stdout + done.stderr
    row.check(done.returncode in range(7), cell, "an exit code that says nothing", done.returncode)
    row.check("Traceback" not in output and "panicked" not in output, cell, "not meant for people", output)
    row.check(not leaks(output), cell, "shows the token", output)
    row.check(done.returncode == 0 or output.strip(), cell, "fails without a word")
    if times is None and kind.group != "shape" and not (kind.status == 404 and command[0] in ("diff", "deploy")):
        row.check(done.returncode != 0, cell, "counts as success", output)
