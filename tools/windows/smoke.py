"""Uses the wheel for Windows under Wine, against an emulator on this machine: ``smoke.py FOLDER WHEEL``.

FOLDER is what ``tools/windows/prepare`` made; helpers come from ``tests/python``, which has to be on the path. Each
step is printed with how long it took, and the first one that goes wrong ends the run. CONTRIBUTING.md lists what Wine
cannot show.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import account_steps
from machine import HERE, Windows, reported
from terminal import Terminal

from pythonanywhere_api.testing import Emulator

DEPLOY = ("deploy", "--project", "mysite", "--executor", "none")
NO_EMULATOR = "the emulator needs Linux, macOS or WSL"
WSGI = """\
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [open(os.path.expanduser("~/mysite/version.txt"), "rb").read()]
"""


def write_version(windows: Windows, version: str, count: int = 30) -> None:
    """Writes the project in a version, with a virtualenv of Windows beside it."""
    for number in range(count):
        path = windows.folder / "pkg" / f"part{number % 3}" / f"m{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{version} {number}\r\n".encode())
    (windows.folder / "version.txt").write_text(version)
    scripts = windows.folder / "env" / "Scripts"
    scripts.mkdir(parents=True, exist_ok=True)
    (windows.folder / "env" / "pyvenv.cfg").write_text("home = C:\\Python312\r\n")
    (scripts / "python.exe").write_text("")


def by_agent(windows: Windows) -> tuple[str, ...]:
    domain = f"{windows.host.user}.pythonanywhere.com"
    return ("--project", "mysite", "--domain", domain, "--site-url", windows.host.site_url)


def imports(windows: Windows) -> None:
    """import, the drop-in class, what the emulator says"""
    done = windows.run(str(HERE / "inside.py"))
    assert done.stdout.splitlines() == ["all as it should be"], done.stdout + done.stderr
    assert windows.there("from/windows.txt").read_bytes() == b"one\r\ntwo\r\n"


def commands(windows: Windows) -> None:
    """pya.exe --version, completions, help, the commands that need an emulator"""
    program = windows.python.parent / "Scripts" / "pya.exe"
    assert windows.start(program, "--version").stdout.startswith("pya ")
    assert NO_EMULATOR in windows.start(program, "demo", code=2).stderr
    assert "Register-ArgumentCompleter" in windows.pya("completions", "powershell").stdout
    assert NO_EMULATOR in windows.pya("emulator", code=2).stderr
    assert "--dashboard" in windows.pya("open", "--help").stdout


def typed_paths(windows: Windows) -> None:
    """paths as they are typed on Windows"""
    assert 'write "mysite/from"' in windows.pya("ls", "mysite\\from", code=2).stderr
    assert "path of this machine" in windows.pya("ls", "C:/Program Files/Git/home/demo", code=2).stderr
    assert windows.pya("ls", "mysite/from").stdout.splitlines() == ["windows.txt"]
    write_version(windows, "0")
    windows.pya("put", "..\\project\\version.txt", "notes/")
    windows.pya("get", "notes/version.txt", "copy.txt")
    assert (windows.folder / "copy.txt").read_text() == "0"
    (windows.folder / "copy.txt").unlink()


def single_files(windows: Windows) -> None:
    """pya diff and pya deploy, file by file"""
    write_version(windows, "1")
    diff = windows.json("diff", "--project", "mysite")
    assert len(diff["added"]) == 31, diff
    report = windows.json(*DEPLOY)
    assert sorted(report["uploaded"]) == sorted(diff["added"]), report
    assert not [path for path in report["uploaded"] if "\\" in path or path.startswith("env/")]
    assert windows.there("pkg/part0/m0.py").read_bytes() == b"1 0\r\n", "CRLF is sent as it is"
    assert windows.json(*DEPLOY)["uploaded"] == []


def places(windows: Windows) -> None:
    """caches are where Windows has them"""
    found = [path.relative_to(windows.prefix).as_posix() for path in windows.prefix.rglob("pythonanywhere-api")]
    assert any(place.endswith("AppData/Local/pythonanywhere-api") for place in found), found


def agent(windows: Windows) -> None:
    """the agent: install, deploy in bulk, verify, rollback, pull"""
    host, domain = windows.host, f"{windows.host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    (Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py").write_text(WSGI)
    windows.pya("agent", "install", domain, "--site-url", host.site_url)
    write_version(windows, "2")
    options = by_agent(windows)
    report = windows.json("deploy", *options, "--executor", "webapp", "--reload", domain)
    assert len(report["uploaded"]) == 31, report
    assert windows.there("version.txt").read_text() == "2"
    windows.pya("verify", *options)
    windows.pya("rollback", *options, "--no-reload")
    assert windows.there("version.txt").read_text() == "1"
    windows.pya("pull", "pulled", *options, "--include", "pkg/**")
    assert (windows.folder / "pulled" / "pkg" / "part0" / "m0.py").read_bytes() == b"1 0\r\n"
    shutil.rmtree(windows.folder / "pulled")


def names(windows: Windows) -> None:
    """pull refuses names that are one on Windows, or none"""
    options = by_agent(windows)
    windows.there("pkg/Same.py").write_text("")
    windows.there("pkg/same.py").write_text("")
    refused = windows.pya("pull", "pulled", *options, "--include", "pkg/*ame.py", code=2).stderr
    assert "collides with another" in refused, refused
    windows.there("pkg/Same.py").rename(windows.there("pkg/aux.py"))
    refused = windows.pya("pull", "pulled", *options, "--include", "pkg/aux.py", code=2).stderr
    assert "cannot exist on this system" in refused, refused
    assert not (windows.folder / "pulled").exists()


def interrupts(windows: Windows) -> None:
    """Ctrl-C at a terminal ends a deploy with 130, and the next one takes over at once"""
    write_version(windows, "3", count=400)
    with Terminal(windows, *DEPLOY, "-v") as terminal:
        # The first upload is logged: it is under way.
        terminal.wait_for("POST", within=300)
        terminal.type("\x03")
        terminal.end(130)
    windows.json(*DEPLOY)
    assert windows.there("version.txt").read_text() == "3"


STEPS = (imports, commands, typed_paths, single_files, places, agent, names, interrupts)


def main() -> int:
    folder, wheel = (Path(argument).resolve() for argument in sys.argv[1:])
    start = time.monotonic()
    # Outside the checkout, whose rules of git leave out what is made in it.
    with tempfile.TemporaryDirectory() as projects, Emulator(rate_limit=None) as host:
        windows = Windows(folder, host, Path(projects, "project"))
        windows.boot()
        with reported("pip installs the wheel"):
            windows.install(wheel)
        for step in STEPS + account_steps.STEPS:
            with reported(str(step.__doc__)):
                step(windows)
    print(f"the wheel for Windows works under Wine: {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
