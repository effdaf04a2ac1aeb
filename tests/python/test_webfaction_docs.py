"""What docs/webfaction.md shows is run, and what it lists is compared with the reference."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command import Pya, clean_environment
from webfaction_process import PASSWORD, ServerProcess
from webfaction_reference import REFERENCE

PAGE = (Path(__file__).parents[2] / "docs" / "webfaction.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def environment():
    server = ServerProcess()
    credentials = {"WEBFACTION_USERNAME": "widgetsco", "WEBFACTION_PASSWORD": PASSWORD, "WEBFACTION_URL": server.url}
    yield clean_environment(**credentials)
    server.close()


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_examples_run(environment, number):
    command = [sys.executable, "-c", blocks("python")[number]]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_commands_run(environment, tmp_path):
    lines = [line.removeprefix("$ ") for line in blocks("console")[0].splitlines()]
    commands = [shlex.split(line) for line in lines if not line.startswith("export ")]
    assert len(commands) == 4
    for name, *arguments in commands:
        assert name == "pya"
        Pya(tmp_path, environment)(*arguments)


def test_every_call_is_listed_in_its_section():
    listed = PAGE.split("## Calls")[1].split("##")[0]
    rows = re.findall(r"^\| ([A-Z].+?) \| (`.+`) \|$", listed, re.MULTILINE)
    calls = {section: re.findall(r"`(\w+)`", names) for section, names in rows}
    assert calls == {section: [line.split("(")[0] for line in lines] for section, lines in REFERENCE.items()}
