"""What a launch looks like on a terminal, narrow and wide: the sessions that the documentation shows.

`make sessions` writes them anew, and draws the picture of the README.
"""

import json
import os
import re
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from command import Pya, environment_of
from launch_projects import startproject
from pages import DOCS, README, ROOT
from terminal import Terminal

from pythonanywhere_api.testing import Emulator

sys.path.append(str(ROOT / "tools" / "recording"))
from screen import Screen
from svg import draw, read

SESSIONS = DOCS / "sessions"
PICTURE = DOCS / "images" / "launch.svg"
#: The folder for the recording, if the sessions are to be written.
WRITTEN_TO = os.environ.get("PYTHONANYWHERE_WRITE_SESSIONS")


class Recorder(Terminal):
    """A terminal of some width that takes colours, and when it was written what."""

    def __init__(self, columns: int, *arguments, **more):
        self.columns = columns
        self.written: list[tuple[float, str]] = []
        super().__init__(*arguments, **more)

    def read(self, within: float) -> bool:
        before = len(self.shown)
        ready = super().read(within)
        if len(self.shown) > before:
            self.written.append((time.monotonic(), self.shown[before:]))
        return ready


def as_on_the_service(host, text: str) -> str:
    """The text with the addresses and the Python that an account at PythonAnywhere has."""
    text = re.sub(r" *site_url = .*\n", "", text)
    text = text.replace(host.site_url, "https://me.pythonanywhere.com")
    text = text.replace(host.url.removeprefix("http://"), "www.pythonanywhere.com")
    return re.sub(rf"(Python\s+)3\.{sys.version_info.minor}\b", r"\g<1>3.13", text)


def whole(host, written: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """The parts that were read, joined where one ended within what is replaced."""
    parts: list[tuple[float, str]] = []
    for at, text in written:
        whole = as_on_the_service(host, "".join(part for _, part in parts) + text)
        while whole != "".join(as_on_the_service(host, part) for _, part in [*parts, (at, text)]):
            text = parts.pop()[1] + text
        parts.append((at, text))
    return parts


def comparable(text: str) -> str:
    """What has to be the same each time: not how long it took, and not what belongs to a release of Django."""
    text = re.sub(r"(requests, )\d+ (s|min)\b", r"\1N s", text)
    text = re.sub(r"(?i)(django(==| ))[\d.]+", r"\1N", text)
    return re.sub(r"\d+ (static files|migrations)", r"N \1", text)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("columns", [60, 120])
def test_a_launch_looks_as_the_documentation_shows_it(wheels, tmp_path, columns):
    root = startproject(tmp_path)
    with Emulator(user="me", python=sys.executable, package_index=wheels) as host:
        pya = Pya(root, environment_of(host))
        options = ["launch", "--site-url", host.site_url]
        with Recorder(columns, pya, *options, TERM="xterm-256color", NO_COLOR="", BROWSER="true") as terminal:
            terminal.wait_for("Launch it? [y/N] ")
            terminal.type("y\n")
            terminal.end()
        parts = [(at, as_on_the_service(host, text)) for at, text in whole(host, terminal.written)]
    screen = Screen(columns)
    screen.write("$ pya launch\n")
    screen.write("".join(text for _, text in parts))
    page = SESSIONS / f"launch-{columns}.txt"
    if WRITTEN_TO:
        page.write_text(screen.text, encoding="utf-8")
        write_recording(Path(WRITTEN_TO) / f"launch-{columns}.cast", columns, parts)
    assert comparable(screen.text) == comparable(page.read_text(encoding="utf-8")), "run: make sessions"


def write_recording(path: Path, columns: int, parts: list[tuple[float, str]]) -> None:
    """Writes an asciicast."""
    start = parts[0][0]
    header = {"version": 2, "width": columns, "height": 40, "command": "pya launch"}
    header["title"] = "pya launch: from a Django project to a served page on a free account"
    lines = [json.dumps(header), *(json.dumps([round(at - start, 3), "o", text]) for at, text in parts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_what_is_replaced_is_found_wherever_a_part_ended():
    class Host:
        url, site_url = "http://127.0.0.1:1234", "http://127.0.0.1:5678"

    text = "one\n  site_url = x\nhttp://127.0.0.1:5678/ at 127.0.0.1:1234\n"
    for end in range(len(text) - 5):
        parts = whole(Host, [(1.0, text[:end]), (2.0, text[end:-5]), (3.0, text[-5:])])
        assert "".join(as_on_the_service(Host, part) for _, part in parts) == as_on_the_service(Host, text)


def test_the_picture_shows_the_session():
    """It is well-formed, and its lines are those of the wide session."""
    picture = ElementTree.parse(PICTURE)  # noqa: S314 -- it is ours
    lines = ["".join(line.itertext()) for line in picture.iter("{http://www.w3.org/2000/svg}text")]
    session = (SESSIONS / "launch-120.txt").read_text(encoding="utf-8")
    assert lines == [line for line in session.splitlines() if line]
    assert f"/main/{PICTURE.relative_to(ROOT)}" in README.read_text(encoding="utf-8")


def test_a_screen_shows_what_a_terminal_would(tmp_path):
    screen = Screen(10)
    screen.write("one\ntwo", 1.0)
    screen.write("\r\x1b[2Kthree\x1b[1A\r\x1b[3Cs\x1b[1B\n\x1b[1;31mred\x1b[0m 0123456789", 2.0)
    assert screen.text == "ones\nthree\nred 012345\n6789\n"
    assert [line.time for line in screen.lines] == [2.0, 2.0, 2.0, 2.0]
    assert screen.lines[2].cells[0].style == ("1", "31")
    recording = tmp_path / "x.cast"
    write_recording(recording, 20, [(5.0, "a <\n"), (9.0, "\x1b[31mb\x1b[0m\n")])
    picture = draw(*read(recording))
    assert [line.time for line in read(recording)[1].lines] == [0.0, 0.0, 4.0]
    assert "a &lt;" in picture
    assert '<tspan fill="#ff7b72">b</tspan>' in picture
    with pytest.raises(ValueError, match="not known"):
        screen.write("\x1b[5q")
