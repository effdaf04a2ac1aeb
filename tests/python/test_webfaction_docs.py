"""What docs/webfaction.md shows is run, and what it lists is compared with the reference."""

import re

from command import clean_environment
from pages import DOCS, Page, Reader
from webfaction_process import PASSWORD, ServerProcess
from webfaction_reference import REFERENCE

PAGE = Page(DOCS / "webfaction.md")


def test_what_it_shows_works(tmp_path):
    steps = [step.kind for step in PAGE.steps()]
    assert (steps.count("command"), steps.count("python")) == (4, 3)
    server = ServerProcess()
    try:
        credentials = {"WEBFACTION_USERNAME": "widgetsco", "WEBFACTION_PASSWORD": PASSWORD}
        Reader(tmp_path, clean_environment(**credentials, WEBFACTION_URL=server.url)).follow(PAGE)
    finally:
        server.close()


def test_every_call_is_listed_in_its_section():
    rows = re.findall(r"^\| ([A-Z].+?) \| (`.+`) \|$", PAGE.section("Calls"), re.MULTILINE)
    calls = {section: re.findall(r"`(\w+)`", names) for section, names in rows}
    assert calls == {section: [line.split("(")[0] for line in lines] for section, lines in REFERENCE.items()}
