"""A published program that uses the documented class deploys a Django project: with that class, and with ours.

Both run on the emulator and must print the same, change the same files by the same requests, and read no more than
before. The class that ours replaces is a black box here: it is installed from the package index and run, in a virtual
environment of its own, which is kept in `.make` for the next run.
"""

import dataclasses
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import DATA, PROJECT, project_folder, write_tree

import pythonanywhere_api
from pythonanywhere_api.testing import Emulator

FOLDER = DATA / "project_manager"
REQUIREMENTS = FOLDER / "requirements.txt"
CACHE = Path(__file__).parents[2] / ".make"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.version_info < (3, 11), reason="the program needs Python 3.11"),
]


@pytest.fixture(scope="module")
def python():
    """The interpreter of the virtual environment that the program is installed in."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = CACHE / f"project-manager-{digest}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "project-manager.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "ready").exists():
            venv.create(home, clear=True, with_pip=True)
            pip = [home / "bin/python", "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-requires-python"]
            installed = subprocess.run([*pip, "-r", REQUIREMENTS], capture_output=True, text=True)
            if installed.returncode != 0 and "CI" not in os.environ:
                pytest.skip(f"the package index cannot be reached: {installed.stderr[-300:]}")
            assert installed.returncode == 0, installed.stderr
            (home / "ready").touch()
    return home / "bin/python"


@dataclass
class Outcome:
    """What a run of the program came to."""

    status: int
    said: str
    changes: list[tuple[str, str, int]]
    """Requests other than GET. Sorted: the program sends files in the order of a set."""
    files: dict[str, bytes]
    reads: int
    """How many folders and files were asked for."""


class Shop:
    """A project under version control, an account on a host for each of the classes, and the program."""

    def __init__(self, folder: Path, python: Path, host: Emulator, which: str):
        self.python, self.host, self.which = python, host, which
        self.home = folder / "home"
        self.root = folder / "Projects" / PROJECT
        self.packages = folder / "packages"
        for made in (self.home, self.root, self.packages):
            made.mkdir(parents=True)
        # Of all that is installed for the tests only our own package.
        (self.packages / "pythonanywhere_api").symlink_to(Path(pythonanywhere_api.__file__).parent)
        self.git("init", "--quiet", "--initial-branch=main")
        remote = folder / "remote.git"
        self.git("init", "--quiet", "--bare", str(remote))
        self.git("remote", "add", "origin", str(remote))

    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(FOLDER / "shims"), str(self.packages)])
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "PYTHONPATH": path,
            "PYTHONHASHSEED": "0",
            "EMULATOR_URL": self.host.url,
            "PYTHONANYWHERE_RATE_LIMIT": "off",
            "PDV_AUTHOR": "me",
            "PDV_AUTHOR_EMAIL": "me@example.com",
            "GIT_AUTHOR_NAME": "me",
            "GIT_AUTHOR_EMAIL": "me@example.com",
            "GIT_COMMITTER_NAME": "me",
            "GIT_COMMITTER_EMAIL": "me@example.com",
            "GIT_CONFIG_GLOBAL": os.devnull,
            # Nothing leaves this machine.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }

    def git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.root, env=self.environment(), check=True, capture_output=True)

    def commit(self, version: str, files: dict[str, str | None]) -> None:
        """Changes files and makes a version of it."""
        files = files | {f"{PROJECT}/__init__.py": f"__version__ = '{version}'\n"}
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", version)
        self.git("tag", f"v{version}")
        self.git("push", "--quiet", "origin", "main", "--tags")

    def run(self, *arguments: str, token: str | None = None) -> Outcome:
        """Runs the program."""
        self.host.clear_requests()
        account = ["--web_domain", "www.pythonanywhere.com", "--web_user", self.host.user]
        command = [self.python, FOLDER / "run.py", self.which, *account, "--web_token", token or self.host.token]
        ended = subprocess.run(
            [*command, *arguments], cwd=self.root, env=self.environment(), capture_output=True, text=True, timeout=120
        )
        said = "\n".join(line for line in ended.stdout.splitlines() if "args parsed at" not in line)
        changes = sorted((it.method, it.path, it.status) for it in self.host.requests if it.method != "GET")
        reads = len(self.host.requests) - len(changes)
        return Outcome(ended.returncode, said or ended.stderr, changes, self.files(), reads)

    def files(self) -> dict[str, bytes]:
        folder = project_folder(self.host)
        return {str(it.relative_to(folder)): it.read_bytes() for it in sorted(folder.rglob("*")) if it.is_file()}


FIRST = {
    "manage.py": "print(1)\n",
    f"{PROJECT}/settings.py": "DEBUG = False\n",
    f"{PROJECT}/urls.py": "urlpatterns = []\n",
    f"{PROJECT}/static/css/main.css": "a {}\n",
    f"{PROJECT}/templates/index.html": "<html>\n",
    f"{PROJECT}/templates/a name with ü.html": "<p>\n",
    f"{PROJECT}/apps/blog/models.py": "# models\n",
    f"{PROJECT}/locale/de/LC_MESSAGES/django.po": "msgid\n",
    "static/logo.txt": "logo\n",
}
SECOND = {
    f"{PROJECT}/urls.py": None,
    f"{PROJECT}/settings.py": "DEBUG = True\n",
    f"{PROJECT}/views.py": "# views\n",
    f"{PROJECT}/templates/a name with ü.html": None,
}
STRANGE = {
    f"{PROJECT}/left/over.py": b"old\n",
    f"{PROJECT}/templates/old [1].html": b"old\n",
    f"{PROJECT}/__pycache__/urls.cpython-311.pyc": b"\0",
    "media/photo.jpg": b"a visitor's\n",
    "db.sqlite": b"theirs\n",
}


def story(shop: Shop) -> list[Outcome]:
    """A first deploy onto a host that has other files, a second version, and checks between them."""
    write_tree(shop.host, STRANGE)
    shop.commit("0.3.1", FIRST)
    outcomes = [
        shop.run("check_deploy", "WORKTREE", "ALL", "CLEANUP"),
        shop.run("deploy_project", "WORKTREE", "ALL", "MASKS=['static/**/*']"),
        shop.run("check_deploy", "WORKTREE", "ALL", "LEAN"),
        shop.run("deploy_project", "WORKTREE"),
    ]
    shop.commit("0.3.2", SECOND)
    return [
        *outcomes,
        shop.run("check_deploy", "WORKTREE", "CLEANUP"),
        shop.run("deploy_project", "WORKTREE", "CLEANUP"),
        shop.run("deploy_project", "WORKTREE", "ALL", "CLEANUP", "LEAN"),
        shop.run("check_deploy", "WORKTREE", "ALL", "CLEANUP"),
    ]


def told(folder: Path, python: Path, host: Emulator, which: str, tell) -> list[Outcome]:
    shutil.rmtree(project_folder(host), ignore_errors=True)
    return tell(Shop(folder / which, python, host, which))


def test_the_project_manager_finds_deploys_and_deletes_the_same_files_with_either_class(python, host, tmp_path):
    original = told(tmp_path, python, host, "original", story)
    ours = told(tmp_path, python, host, "ours", story)
    for before, now in zip(original, ours, strict=True):
        assert dataclasses.replace(now, reads=before.reads) == before
        assert now.reads <= before.reads
    said = [outcome.said for outcome in ours]
    assert "files deployed" in said[1]
    assert "files removed" in said[5]
    assert [outcome.status for outcome in ours[:2]] == [0, 0]
    assert f"{PROJECT}/views.py" in ours[-1].files
    assert f"{PROJECT}/urls.py" not in ours[-1].files
    assert not ours[0].files.keys() & FIRST.keys()


def test_a_name_that_the_original_class_cuts_off_arrives_whole(python, host, tmp_path):
    def deploy(shop: Shop) -> list[Outcome]:
        shop.commit("0.3.1", FIRST | {f"{PROJECT}/templates/c#.html": "<p>\n"})
        return [shop.run("deploy_project", "WORKTREE", "ALL")]

    (original,) = told(tmp_path, python, host, "original", deploy)
    (ours,) = told(tmp_path, python, host, "ours", deploy)
    assert (original.status, ours.status) == (0, 0)
    assert f"{PROJECT}/templates/c#.html" in ours.files.keys() - original.files.keys()


def test_the_project_manager_fails_alike_with_either_class(python, host, tmp_path):
    def refused(shop: Shop) -> list[Outcome]:
        shop.commit("0.3.1", FIRST)
        shop.host.faults.add("status", code=403, method="POST")
        return [shop.run("deploy_project", "WORKTREE", "ALL"), shop.run("check_deploy", "WORKTREE", token="wrong")]

    original = told(tmp_path, python, host, "original", refused)
    host.faults.clear()
    ours = told(tmp_path, python, host, "ours", refused)
    assert [outcome.status for outcome in ours] == [outcome.status for outcome in original]
    assert ours[0].status != 0
    assert ours[0].files == original[0].files == {}
