"""A Python of Windows under Wine that has the wheel, for ``smoke.py`` and its steps."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pythonanywhere_api.testing import Emulator

WINE = "/usr/lib/wine/wine64"
WINE_SERVER = "/usr/lib/wine/wineserver64"
HERE = Path(__file__).parent


@contextlib.contextmanager
def reported(name: str) -> Iterator[None]:
    """Prints what is tried, and then how long it took."""
    start = time.monotonic()
    print(f"{name} ...", flush=True)
    yield
    print(f"    ok, {time.monotonic() - start:.1f} s", flush=True)


class Windows:
    """A Python of Windows with a project, and the account that it works with."""

    def __init__(self, folder: Path, host: Emulator, project: Path):
        self.prepared = folder
        self.python = folder / "python" / "python.exe"
        self.prefix = folder / "prefix"
        self.host = host
        self.folder = project
        self.folder.mkdir()
        ours = ("API_TOKEN", "PYA_", "PYTHONANYWHERE_", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
        unix = ("USER", "LOGNAME", "XDG_", "DBUS_SESSION_BUS_ADDRESS")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(ours + unix)} | {
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            "API_TOKEN": host.token,
            "PYTHONANYWHERE_USERNAME": host.user,
            "PYTHONANYWHERE_SITE": host.url,
            "PYTHONANYWHERE_RATE_LIMIT": "off",
        }

    def boot(self) -> None:
        """Starts Windows, so that not each program does that for itself. It ends a minute after the last one.

        Its services keep the output of the program that they start with open, which nobody would see the end of.
        """
        nowhere = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        # Refused where one runs already.
        subprocess.run([WINE_SERVER, "--persistent=60"], env=self.environment, **nowhere, timeout=60)
        subprocess.run([WINE, "wineboot"], env=self.environment, **nowhere, check=True, timeout=300)

    def run(self, *arguments: str, code: int = 0, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Runs Python there to its end, and checks the exit code. `typed` is its input, `more` are variables."""
        return self.start(self.python, *arguments, code=code, typed=typed, **more)

    def start(
        self, program: Path, *arguments: str, code: int = 0, typed: str = "", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """The same for any program of Windows."""
        done = subprocess.run(
            [WINE, str(program), *arguments],
            cwd=self.folder,
            env=self.environment | more,
            input=typed,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=600,
        )
        assert done.returncode == code, f"{arguments}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "panicked" not in done.stderr, done.stderr
        return done

    def command(self, *arguments: str) -> list[str]:
        """How to start `pya` there."""
        return [WINE, str(self.python), "-m", "pythonanywhere_api", *arguments]

    def install(self, wheel: Path) -> None:
        """Has pip put the wheel into this Python, in place of the one before."""
        for made in ("Lib", "Scripts", "share"):
            shutil.rmtree(self.python.parent / made, ignore_errors=True)
        options = ("--isolated", "--no-index", "--no-deps", "--no-warn-script-location", "--disable-pip-version-check")
        self.run("-m", "pip", "install", *options, str(wheel))

    def pya(self, *arguments: str, code: int = 0, typed: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        """Runs `pya` there."""
        return self.run("-m", "pythonanywhere_api", *arguments, code=code, typed=typed, **more)

    def json(self, *arguments: str, code: int = 0, typed: str = "", **more: str) -> Any:
        """Runs `pya --json` there, and returns the document that it prints."""
        return json.loads(self.pya(*arguments, "--json", code=code, typed=typed, **more).stdout)

    def there(self, path: str) -> Path:
        """A file of the project on the host."""
        return Path(self.host.root) / "home" / self.host.user / "mysite" / path
