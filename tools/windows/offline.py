"""Run by a Python of Windows that has the package: what can be tried without a server."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pythonanywhere_api import PythonanywhereApi

NO_EMULATOR = "the emulator needs Linux, macOS or WSL"
# Nothing listens there, so what gets as far as a request says that.
NOWHERE = "http://127.0.0.1:9"


def pya(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    account = {"API_TOKEN": "x" * 40, "PYTHONANYWHERE_USERNAME": "me", "PYTHONANYWHERE_SITE": NOWHERE}
    command = [sys.executable, "-m", "pythonanywhere_api", *arguments]
    return subprocess.run(
        command, cwd=folder, env=os.environ | account, capture_output=True, text=True, encoding="utf-8", timeout=120
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "manage.py").write_text("pass\n")
        for command in ("emulator", "demo"):
            done = pya(folder, command)
            assert (done.returncode, NO_EMULATOR in done.stderr) == (2, True), done
        done = pya(folder, "ls", "docs\\notes")
        assert (done.returncode, 'write "docs/notes"' in done.stderr) == (2, True), done
        done = pya(folder, "diff", "--project", "mysite", "--timeout", "2")
        assert done.returncode == 3, done
        done = pya(folder, "completions", "powershell")
        assert (done.returncode, "rollback" in done.stdout) == (0, True), done
    api = PythonanywhereApi(NOWHERE, "me", "x" * 40, "mysite")
    assert "backslash" in api.deploy_file("a\\b", b"")
    try:
        import pythonanywhere_api.testing
    except ImportError as missing:
        assert str(missing) == NO_EMULATOR
    else:
        raise AssertionError(pythonanywhere_api.testing)
    print("all as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main())
