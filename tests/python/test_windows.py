"""What holds on Windows and can be seen here; `make windows` tries the rest there."""

import subprocess
import sys

import pytest

SENTENCE = "the emulator needs Linux, macOS or WSL"

# The extension is loaded before, so that only our own modules take this system for Windows.
PREPARED = "import sys, pytest, pythonanywhere_api; sys.platform = 'win32'\n"


def output_of(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", PREPARED + code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_emulator_says_where_it_runs():
    code = "try:\n    from pythonanywhere_api.testing import Emulator\nexcept ImportError as error:\n    print(error)"
    assert output_of(code) == SENTENCE + "\n"


def test_the_fixture_skips_tests_where_there_is_no_emulator():
    code = (
        "from pythonanywhere_api import pytest_plugin\n"
        "function = getattr(pytest_plugin.pythonanywhere, '__wrapped__', None) or pytest_plugin.pythonanywhere\n"
        "try:\n    next(function(pytest.MonkeyPatch()))\nexcept pytest.skip.Exception as skipped:\n    print(skipped)"
    )
    assert output_of(code) == SENTENCE + "\n"


@pytest.mark.parametrize("shell", ["bash", "elvish", "fish", "powershell", "zsh"])
def test_every_shell_has_a_completion_script(shell):
    command = [sys.executable, "-m", "pythonanywhere_api", "completions", shell]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "rollback" in done.stdout
    assert "dry-run" in done.stdout
    assert done.stderr == ""
