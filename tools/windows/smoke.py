"""Uses the wheel for Windows under Wine, against an emulator on this machine: ``smoke.py FOLDER WHEEL``.

FOLDER is what ``tools/windows/prepare`` made. Each step is printed with how long it took; the first one that goes wrong
ends the run. What Wine cannot show is in RELEASING.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from pythonanywhere_api.testing import Emulator

WINE = "/usr/lib/wine/wine64"
HERE = Path(__file__).parent
DEPLOY = ("deploy", "--project", "mysite", "--executor", "none")
NO_EMULATOR = "the emulator needs Linux, macOS or WSL"
WSGI = """\
import os

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [open(os.path.expanduser("~/mysite/version.txt"), "rb").read()]
"""


@contextlib.contextmanager
def reported(name: str) -> Iterator[None]:
    start = time.monotonic()
    print(f"{name} ...", flush=True)
    yield
    print(f"    ok, {time.monotonic() - start:.1f} s", flush=True)


class Windows:
    """A Python of Windows with the wheel, and the account that it works with."""

    def __init__(self, folder: Path, wheel: Path, host: Emulator):
        self.python = folder / "python" / "python.exe"
        self.prefix = folder / "prefix"
        self.host = host
        self.project = folder / "project"
        packages = folder / "python" / "site-packages"
        shutil.rmtree(packages, ignore_errors=True)
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages)
        shutil.rmtree(self.project, ignore_errors=True)
        self.project.mkdir()
        ours = ("API_TOKEN", "PYTHONANYWHERE_", "USER", "LOGNAME", "XDG_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)} | {
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "API_TOKEN": host.token,
            "PYTHONANYWHERE_USERNAME": host.user,
            "PYTHONANYWHERE_SITE": host.url,
            "PYTHONANYWHERE_RATE_LIMIT": "off",
        }

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs Python there to its end, and checks the exit code."""
        done = subprocess.run(
            [WINE, str(self.python), *arguments],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "panicked" not in done.stderr, done.stderr
        return done

    def pya(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "pythonanywhere_api", *arguments, code=code)

    def json(self, *arguments: str, code: int = 0) -> dict:
        return json.loads(self.pya(*arguments, "--json", code=code).stdout)

    def write(self, version: str, count: int = 30) -> None:
        for number in range(count):
            path = self.project / "pkg" / f"part{number % 3}" / f"m{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(f"{version} {number}\r\n".encode())
        (self.project / "version.txt").write_text(version)
        scripts = self.project / "env" / "Scripts"
        scripts.mkdir(parents=True, exist_ok=True)
        (self.project / "env" / "pyvenv.cfg").write_text("home = C:\\Python312\r\n")
        (scripts / "python.exe").write_text("")

    def by_agent(self) -> tuple[str, ...]:
        domain = f"{self.host.user}.pythonanywhere.com"
        return ("--project", "mysite", "--domain", domain, "--site-url", self.host.site_url)

    def there(self, path: str) -> Path:
        """A file of the project on the host."""
        return Path(self.host.root) / "home" / self.host.user / "mysite" / path


def imports(windows: Windows) -> None:
    """import, the drop-in class, what the emulator says"""
    done = windows.run(str(HERE / "inside.py"))
    assert done.stdout.splitlines() == ["all as it should be"], done.stdout + done.stderr
    assert windows.there("from/windows.txt").read_bytes() == b"one\r\ntwo\r\n"


def commands(windows: Windows) -> None:
    """pya --version, completions, the commands that need an emulator"""
    assert windows.pya("--version").stdout.startswith("pya ")
    assert "Register-ArgumentCompleter" in windows.pya("completions", "powershell").stdout
    for command in ("emulator", "demo"):
        assert NO_EMULATOR in windows.pya(command, code=2).stderr


def typed_paths(windows: Windows) -> None:
    """paths as they are typed on Windows"""
    assert 'write "mysite/from"' in windows.pya("ls", "mysite\\from", code=2).stderr
    assert "path of this machine" in windows.pya("ls", "C:/Program Files/Git/home/demo", code=2).stderr
    assert windows.pya("ls", "mysite/from").stdout.splitlines() == ["windows.txt"]
    windows.write("0")
    windows.pya("put", "..\\project\\version.txt", "notes/")
    windows.pya("get", "notes/version.txt", "copy.txt")
    assert (windows.project / "copy.txt").read_text() == "0"
    (windows.project / "copy.txt").unlink()


def single_files(windows: Windows) -> None:
    """pya diff and pya deploy, file by file"""
    windows.write("1")
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
    windows.write("2")
    options = windows.by_agent()
    report = windows.json("deploy", *options, "--executor", "webapp", "--reload", domain)
    assert len(report["uploaded"]) == 31, report
    assert windows.there("version.txt").read_text() == "2"
    windows.pya("verify", *options)
    windows.pya("rollback", *options, "--no-reload")
    assert windows.there("version.txt").read_text() == "1"
    windows.pya("pull", "pulled", *options, "--include", "pkg/**")
    assert (windows.project / "pulled" / "pkg" / "part0" / "m0.py").read_bytes() == b"1 0\r\n"
    shutil.rmtree(windows.project / "pulled")


def names(windows: Windows) -> None:
    """pull refuses names that are one on Windows, or none"""
    options = windows.by_agent()
    windows.there("pkg/Same.py").write_text("")
    windows.there("pkg/same.py").write_text("")
    refused = windows.pya("pull", "pulled", *options, "--include", "pkg/*ame.py", code=2).stderr
    assert "collides with another" in refused, refused
    windows.there("pkg/Same.py").rename(windows.there("pkg/aux.py"))
    refused = windows.pya("pull", "pulled", *options, "--include", "pkg/aux.py", code=2).stderr
    assert "cannot exist on this system" in refused, refused
    assert not (windows.project / "pulled").exists()


def interrupts(windows: Windows) -> None:
    """Ctrl-Break and Ctrl-C end a deploy with 130, and the next one takes over at once"""
    windows.write("3", count=400)
    done = windows.run(str(HERE / "interrupt.py"))
    assert done.stdout.split() == ["CTRL_BREAK_EVENT", "130", "CTRL_C_EVENT", "130"], done.stdout + done.stderr
    windows.json(*DEPLOY)
    assert windows.there("version.txt").read_text() == "3"


STEPS = (imports, commands, typed_paths, single_files, places, agent, names, interrupts)


def main() -> int:
    folder, wheel = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    start = time.monotonic()
    with Emulator(rate_limit=None) as host:
        windows = Windows(folder, wheel, host)
        for step in STEPS:
            with reported(str(step.__doc__)):
                step(windows)
    print(f"the wheel for Windows works under Wine: {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
