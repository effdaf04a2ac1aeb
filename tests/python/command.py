"""The command `pya` as a real process, with an emulated account for its service."""

import json
import os
import subprocess
import sys
from pathlib import Path

# Whoever runs the tests may have an account of their own.
OURS = (
    *("API_TOKEN", "PYA_", "PYTHONANYWHERE_", "USER", "LOGNAME"),
    *("NO_COLOR", "GITHUB_", "DBUS_SESSION_BUS_ADDRESS"),
)
#: Without a file in it, so nobody is logged in; and no test puts anything into a keyring that somebody uses.
NOBODY = {"XDG_CONFIG_HOME": "/nonexistent/config", "PYA_KEYRING": "off"}


def clean_environment(**more: str) -> dict[str, str]:
    """This process' environment without what `pya` reads, and with `more`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return ours | NOBODY | more


def environment_of(host) -> dict[str, str]:
    """The environment that names the account of `host`."""
    return clean_environment(API_TOKEN=host.token, PYTHONANYWHERE_USERNAME=host.user, PYTHONANYWHERE_SITE=host.url)


class Pya:
    """Runs `pya` in `folder` with an environment."""

    # In seconds; none of most commands takes long.
    timeout = 120

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.environment = environment

    def command(self, *arguments) -> list[str]:
        return [sys.executable, "-m", "pythonanywhere_api", *map(str, arguments)]

    def __call__(self, *arguments, code: int = 0, text: str | None = None, **more: str):
        """Runs it to its end, checks the exit code, and returns the finished process."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | more,
            input=text,
            capture_output=True,
            text=True,
            timeout=self.timeout,
        )
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        assert "panicked" not in done.stderr
        return done

    def json(self, *arguments, code: int = 0, **more: str):
        """Runs it with `--json` and returns the one document on stdout."""
        return json.loads(self(*arguments, "--json", code=code, **more).stdout)

    def start(self, *arguments, **more: str) -> subprocess.Popen[str]:
        """Starts it; the caller ends it."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
