"""What the README shows is run, and what it lists is compared with the program."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command import Pya, clean_environment, environment_of

from pythonanywhere_api.testing import Emulator

README = Path(__file__).parents[2] / "README.md"
# Commands that set something up, or have a test of their own.
NOT_RUN = ("pip install", "pya demo", "export ", "make ")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with the README's own table in it, and the account that it names."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "manage.py").write_text("")
    (folder / "README.md").write_text("# notes\n")
    (folder / "pyproject.toml").write_text(blocks("toml")[0])
    with Emulator(rate_limit=None, user="me") as host:
        host.create_webapp("me.pythonanywhere.com")
        yield folder, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"}


def test_the_commands_run(project):
    folder, environment = project
    pya = Pya(folder, environment)
    lines = [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    commands = [line for line in lines if not line.startswith(NOT_RUN)]
    assert len(commands) >= 9
    for command in commands:
        name, *arguments = shlex.split(command)
        assert name == "pya"
        pya(*arguments)


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_examples_run(project, number):
    folder, environment = project
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[number]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_exit_codes_are_those_of_the_help(tmp_path):
    text = Pya(tmp_path, clean_environment())("--help").stdout
    listed = dict(re.findall(r"^  (\d+) +(.+)$", text, re.MULTILINE))
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", README.read_text(), re.MULTILINE))
    assert len(listed) == 9
    assert table == listed


def test_every_key_of_the_table_is_explained(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.pythonanywhere]\nnonsense = 1\n")
    message = Pya(tmp_path, clean_environment())("ls", code=2).stderr
    keys = message.split("there are: ")[1].strip().split(", ")
    section = README.read_text().split("## Settings")[1].split("##")[0]
    assert [key for key in keys if f"`{key}`" not in section] == []
