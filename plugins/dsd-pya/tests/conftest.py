"""A Django project in git, as somebody has it who tries django-simple-deploy, and a fresh free account for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command import clean_environment, environment_of
from launch_projects import make_wheels, startproject, write

from pythonanywhere_api.testing import Emulator

FILES = {
    "requirements.txt": "Django\n",
    ".gitignore": "__pycache__/\ndb.sqlite3\n",
    # The emulated account offers more Pythons than this machine has.
    ".python-version": f"{sys.version_info.major}.{sys.version_info.minor}\n",
}
#: What django-simple-deploy brings along, as the host installs it.
FRAMEWORK = ["django-simple-deploy", "pluggy", "toml", "requests", "certifi", "charset-normalizer", "idna", "urllib3"]
GIT = {"GIT_CONFIG_GLOBAL": os.devnull} | {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))
}
MORE = "\n\nINSTALLED_APPS += ['django_simple_deploy']\n"


class Project:
    """A project, and the environment of the shell that its commands run in."""

    def __init__(self, root: Path, environment: dict[str, str], manage: str = "manage.py"):
        self.root = root
        # With the commands of this environment, pya and git.
        path = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        self.environment = environment | GIT | {"PYTHONDONTWRITEBYTECODE": "1", "PATH": path}
        self.manage = root / manage
        self.settings = self.manage.parent / "mysite" / "settings.py"

    def run(self, *words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words,
            cwd=self.manage.parent,
            env=self.environment,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )

    def git(self, *words: str) -> str:
        done = self.run("git", "-C", str(self.root), *words)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def deploy(self, *words: str, text: str | None = None, code: int = 0) -> str:
        """Runs `manage.py deploy`, checks its exit status, and returns what it printed."""
        done = self.run(sys.executable, self.manage.name, "deploy", *words, text=text)
        assert done.returncode == code, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def written(self) -> str:
        """All that was written into the project, logs included."""
        files = [path for path in self.root.rglob("*") if path.is_file() and ".git" not in path.parts]
        return "\n".join(path.read_text(errors="replace") for path in files)


def make_project(folder: Path, environment: dict[str, str]) -> Project:
    project = Project(write(startproject(folder), FILES), environment)
    begin(project)
    return project


def begin(project: Project) -> None:
    """Adds the framework, and makes the first commit."""
    with project.settings.open("a") as settings:
        settings.write(MORE)
    project.git("init", "--quiet")
    project.git("add", "--all")
    project.git("commit", "--quiet", "--message", "Begin")


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    return make_wheels(tmp_path_factory.mktemp("wheels"), FRAMEWORK)


@pytest.fixture
def host(wheels):
    """A fresh free account, with the service's limit."""
    with Emulator(python=sys.executable, package_index=wheels) as emulator:
        yield emulator


@pytest.fixture
def project(host, tmp_path):
    """A project in a shell that names the account by the token and the service only."""
    environment = environment_of(host)
    del environment["PYTHONANYWHERE_USERNAME"]
    return make_project(tmp_path, environment)


@pytest.fixture
def lonely(tmp_path):
    """A project in a shell that names no account."""
    return make_project(tmp_path, clean_environment())
