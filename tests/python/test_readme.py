"""What the README shows is run, and what it lists is compared with the program."""

import re

from command import Pya, clean_environment, environment_of
from pages import README, Page, Reader, Step

from pythonanywhere_api.testing import Emulator

PAGE = Page(README)


class Visitor(Reader):
    """Does not launch the project, which is empty here: the reader of the tutorial launches one."""

    def do_command(self, step: Step) -> None:
        if step.text != "pya launch":
            super().do_command(step)


def test_what_it_shows_works(tmp_path):
    """In a project with the README's own table in it, and the account that it names."""
    (tmp_path / "manage.py").write_text("")
    (tmp_path / "README.md").write_text("# notes\n")
    (tmp_path / "pyproject.toml").write_text(PAGE.blocks("toml")[0])
    steps = [step.kind for step in PAGE.steps()]
    assert steps.count("command") >= 9
    assert steps.count("python") >= 3
    with Emulator(rate_limit=None, user="me") as host:
        host.create_webapp("me.pythonanywhere.com")
        Visitor(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"}).follow(PAGE)


def test_exit_codes_are_those_of_the_help(tmp_path):
    text = Pya(tmp_path, clean_environment())("--help").stdout
    listed = dict(re.findall(r"^  (\d+) +(.+)$", text, re.MULTILINE))
    table = dict(re.findall(r"^\| (\d+) \| (.+?) \|$", PAGE.text, re.MULTILINE))
    assert len(listed) == 9
    assert table == listed


def test_every_key_of_the_table_is_explained(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.pythonanywhere]\nnonsense = 1\n")
    message = Pya(tmp_path, clean_environment())("ls", code=2).stderr
    keys = message.split("its keys are: ")[1].strip().split(", ")
    assert [key for key in keys if f"`{key}`" not in PAGE.section("Settings")] == []
