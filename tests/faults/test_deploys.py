"""What is done with a project and every fault at each request: a true report, and a next deploy that repairs."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pythonanywhere_api import ConfigError, PythonanywhereApi, PythonAnywhereError
from pythonanywhere_api.testing import set_clock_speed

from .account import Account
from .conftest import SOAK
from .kinds import Kind, kinds
from .outcomes import TOKEN, Outcome, Row, leaks, run
from .proxy import Proxy

PROJECT = "site"
OLD = {"manage.py": "import sys\n", "app/a.py": "old a", "app/b.py": "old b", "app/gone.py": "gone", "same.txt": "same"}
NEW = {"manage.py": "import sys\n", "app/a.py": "new a", "app/b.py": "new b", "new/c.py": "new c", "same.txt": "same"}
#: Not ours, and protected: neither may ever be touched.
THEIRS = {"theirs.txt": "theirs", "db.sqlite3": "precious"}
WSGI = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""


def tree(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def write(root: Path, files: dict[str, str]) -> None:
    shutil.rmtree(root, ignore_errors=True)
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


class Project:
    """A project that was deployed once and has changed since; `restore` brings its account back to that."""

    def __init__(self, stack: ExitStack, folder: Path, agent: bool):
        self.agent = agent
        self.account = Account(stack, python=sys.executable)
        self.site = stack.enter_context(Proxy(self.account.host.site_url))
        self.local, self.backup = folder / "local", folder / "backup"
        self.remote = self.account.disk / PROJECT
        self.account.webapp()
        wsgi = Path(self.account.host.root) / "var/www" / f"{self.account.domain.replace('.', '_')}_wsgi.py"
        wsgi.write_text(WSGI)
        self.domain = self.account.domain
        self.via = (
            {"domain": self.domain, "site_url": self.site.url, "executor": "webapp"} if agent else {"executor": "none"}
        )
        api = self.api()
        if agent:
            assert api.agent.install(self.domain, self.site.url), api.error_message
        # Two of them, so that undoing the last one does not remove the project.
        for files in ({"same.txt": "same"}, OLD):
            write(self.local, files)
            report = api.deploy(api.deploy_diff(self.local), **self.via)
            assert report.ok, report.to_json()
        for name, content in THEIRS.items():
            (self.remote / name).write_text(content)
        write(self.local, NEW)
        shutil.copytree(self.account.disk, self.backup, symlinks=True)
        self.wsgi, self.wsgi_text = wsgi, wsgi.read_bytes()

    def api(self) -> PythonanywhereApi:
        return PythonanywhereApi(self.account.proxy.url, self.account.host.user, TOKEN, PROJECT)

    def restore(self) -> None:
        for proxy in (self.account.proxy, self.site):
            proxy.settle()
        for folder in self.changing():
            self.replace(folder)
        # What is known of an agent would spare requests that are to meet faults.
        shutil.rmtree(os.environ["XDG_CACHE_HOME"], ignore_errors=True)
        if self.wsgi.read_bytes() != self.wsgi_text or self.agents() != self.agents(self.backup):
            # Not otherwise: a worker that starts in between would find no agent, and serve without one from then on.
            for folder in (self.backup / ".pya").glob("agent-*"):
                self.replace(Path(".pya", folder.name))
            self.wsgi.write_bytes(self.wsgi_text)
            self.account.direct.webapps.reload(self.domain)

    def changing(self) -> list[Path]:
        """The project and the notes about it, but not the agent; relative to the home folder."""
        notes = [Path(".pya", path.name) for path in (self.backup / ".pya").iterdir()]
        return [Path(PROJECT), *(path for path in notes if not path.name.startswith("agent-"))]

    def agents(self, home: Path | None = None) -> list[tuple[str, bytes]]:
        """What the agent consists of; its folders hold what it was asked, which differs."""
        folders = ((home or self.account.disk) / ".pya").glob("agent-*")
        return sorted(
            (path.name, path.read_bytes()) for folder in folders for path in folder.iterdir() if path.is_file()
        )

    def replace(self, folder: Path) -> None:
        """Puts a folder of the account in the state of the backup."""
        deadline = time.monotonic() + 60
        # A job that nobody waits for any more goes on for a moment, and makes its folder again.
        while (self.account.disk / folder).exists():
            assert time.monotonic() < deadline, "a job does not end"
            shutil.rmtree(self.account.disk / folder, ignore_errors=True)
            time.sleep(0.02 if self.agent else 0)
        shutil.copytree(self.backup / folder, self.account.disk / folder, symlinks=True, dirs_exist_ok=True)

    def notes(self) -> list[str]:
        """What every state file holds, as text."""
        return [
            path.read_bytes().decode("latin-1") for path in (self.account.disk / ".pya").rglob("*") if path.is_file()
        ]


@dataclass
class Operation:
    name: str
    call: Callable[[Project, PythonanywhereApi], Any]
    agent: bool = False
    #: Whether it may change the project's files.
    changes: bool = False


def deploy(project: Project, api: PythonanywhereApi, **options: Any) -> Any:
    # The diff is made with the same faults: where there is none, nothing is deployed either.
    diff = api.deploy_diff(project.local)
    return diff and api.deploy(diff, **{"delete": True, **project.via, **options})


def pulled(project: Project, api: PythonanywhereApi) -> Any:
    shutil.rmtree(project.backup.parent / "pulled", ignore_errors=True)
    report = api.pull(project.backup.parent / "pulled", **project.via)
    if report is not None:
        assert set(tree(project.backup.parent / "pulled")) == {*OLD, *THEIRS}
    return report


OPERATIONS = [
    Operation("diff by the manifest", lambda project, api: api.deploy_diff(project.local)),
    Operation("diff by names", lambda project, api: api.deploy_diff(project.local, compare="names")),
    Operation("diff by content", lambda project, api: api.deploy_diff(project.local, compare="content")),
    Operation("deploy, file by file", deploy, changes=True),
    Operation("deploy and reload", lambda p, api: deploy(p, api, reload=[p.domain]), changes=True),
    Operation("history", lambda _project, api: api.history()),
    Operation("status", lambda p, api: api.status(p.local, domain=p.domain, site_url=p.site.url), agent=True),
    Operation("deploy by the agent", lambda p, api: deploy(p, api, reload=[p.domain]), agent=True, changes=True),
    Operation("verify", lambda project, api: api.verify(project.local, **project.via), agent=True),
    Operation("rollback", lambda project, api: api.rollback(**project.via), agent=True, changes=True),
    Operation("manage", lambda project, api: api.manage("check", **project.via), agent=True),
    Operation("pull", pulled, agent=True),
    Operation("agent status", lambda p, api: api.agent.status(p.domain, p.site.url), agent=True),
    Operation("agent install", lambda p, api: api.agent.install(p.domain, p.site.url), agent=True),
    Operation("agent remove", lambda p, api: api.agent.remove(p.domain, p.site.url), agent=True),
]


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Project]]:
    made: dict[bool, Project] = {}
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")

        def get(agent: bool) -> Project:
            if agent not in made:
                made[agent] = Project(stack, tmp_path_factory.mktemp("project"), agent)
            return made[agent]

        yield get


def cells(at: int, requests: int, is_cheap: bool) -> Iterator[tuple[Kind, int, int | None]]:
    """Kind, how many requests pass before, and how many are spoilt."""
    fast = [kind for kind in kinds() if not kind.is_slow and (SOAK or "bomb" not in kind.name)]
    every = [(kind, after, times) for kind in fast for after in range(requests) for times in (1, None)]
    if SOAK:
        yield from every
        return
    share = (24 if is_cheap else 7) if requests > 1 else 10
    step = max(1, len(every) // share)
    # The golden ratio spreads what is left out over kinds and requests alike.
    yield from (every[(at + int(number * step * 1.618)) % len(every)] for number in range(share))


@pytest.mark.parametrize("at", range(len(OPERATIONS)), ids=[each.name for each in OPERATIONS])
def test_the_report_is_true_and_the_next_deploy_repairs(projects: Callable[[bool], Project], row: Row, at: int) -> None:
    operation = OPERATIONS[at]
    row.name = operation.name
    project = projects(operation.agent)
    project.restore()
    api = project.api()
    plan = project.account.proxy.spoil(None)
    assert operation.call(project, api) is not None, api.error_message
    for kind, after, times in cells(at, plan.seen, not operation.agent):
        cell = f"{kind.name}, request {after} {'alone' if times else 'and all after it'}"
        project.restore()
        api = project.api()
        plan = project.account.proxy.spoil(kind.fault, after, times)
        set_clock_speed(100)
        outcome = run(lambda a=api: operation.call(project, a))
        set_clock_speed(1)
        if not plan.spoilt:
            continue
        judge(row, cell, project, kind, outcome, api)
        if operation.changes:
            compare_with_disk(row, cell, project, outcome)
            repair(row, cell, project)
        else:
            row.check(tree(project.remote) == OLD | THEIRS, cell, "changed files", tree(project.remote))
    row.finish()


def judge(row: Row, cell: str, project: Project, kind: Kind, outcome: Outcome, api: PythonanywhereApi) -> None:
    value, error, message = outcome.value, outcome.error, api.error_message
    failed = error is not None or value is None or getattr(value, "ok", True) is False
    row.count(kind.group, type(error).__name__ if error else "error" if failed else "ok")
    row.check(not outcome.hangs, cell, "hangs")
    # What the host cannot do, or what stands in the way, is raised: a mistake of who asked, not of the network.
    row.check(error is None or isinstance(error, ConfigError), cell, "raises", repr(error))
    row.check(error or not failed or message, cell, "fails without a word", value)
    text = outcome.output + message + (value.to_json() if hasattr(value, "to_json") else "")
    row.check(not leaks(text), cell, "shows the token", text[-300:])
    row.check(not any(leaks(note) for note in project.notes()), cell, "writes the token into the state folder")


def compare_with_disk(row: Row, cell: str, project: Project, outcome: Outcome) -> None:
    report, there = outcome.value, tree(project.remote)
    for name, content in THEIRS.items():
        row.check(there.get(name) == content, cell, "touched what is not ours", name)
    if not hasattr(report, "uploaded"):
        return
    for name in report.uploaded:
        row.check(there.get(name) == NEW[name], cell, "called uploaded, and is not", name)
    for name in report.deleted:
        row.check(name not in there, cell, "called deleted, and is there", name)
    if report.ok:
        row.check(there == NEW | THEIRS, cell, "called ok, and is not", sorted(there))
    else:
        row.check(report.failed or report.warnings or report.to_json(), cell, "not ok without a reason")
    for name in set(NEW) - set(there):
        row.check(not report.ok, cell, "lost a file", name)


def repair(row: Row, cell: str, project: Project) -> None:
    """The next deploy, with nothing in its way."""
    for proxy in (project.account.proxy, project.site):
        proxy.settle()
    api = project.api()
    try:
        report = deploy(project, api, reload=[project.domain])
    except PythonAnywhereError as error:
        row.blame(cell, "the next deploy raises", repr(error))
        return
    row.check(report and report.ok, cell, "the next deploy fails", report.to_json() if report else api.error_message)
    row.check(
        tree(project.remote) == NEW | THEIRS, cell, "the next deploy repairs nothing", sorted(tree(project.remote))
    )
    left = [path.name for path in (project.account.disk / ".pya").rglob("intent-*")]
    row.check(not left, cell, "notes stay", left)
    again = api.deploy_diff(project.local)
    row.check(again is not None and again.is_clean(), cell, "never clean", again or api.error_message)
    for path in (project.account.disk / ".pya").rglob("manifest-*.json"):
        row.check(json.loads(path.read_text()), cell, "an empty manifest")
