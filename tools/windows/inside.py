"""Run by a Python of Windows: what the package does there. Prints one line if all is as it should be."""

import os
import sys

import pythonanywhere_api
from pythonanywhere_api import Client, ConfigError, PythonanywhereApi

assert sys.platform == "win32"

api = PythonanywhereApi.from_env("mysite")
assert api.deploy_file("from/windows.txt", b"one\r\ntwo\r\n") == "", api.error_message
assert api.deployed_file_content("from/windows.txt") == b"one\r\ntwo\r\n"
assert list(api.files_iterator("**/*")) == ["from/windows.txt"], api.error_message
error = api.deploy_file("from\\other.txt", b"")
assert 'write "from/other.txt"' in error, error

with Client.from_env() as client:
    assert client.cpu.get()["daily_cpu_limit_seconds"] > 0
    try:
        client.files.read("/home/me\\x")
    except ConfigError as refused:
        assert "backslash" in str(refused)
    else:
        raise AssertionError("a backslash was taken")

try:
    from pythonanywhere_api.testing import Emulator
except ImportError as missing:
    assert str(missing) == "the emulator needs Linux, macOS or WSL", missing
else:
    raise AssertionError(Emulator)

assert os.path.basename(pythonanywhere_api._core.__file__).endswith(".pyd")
print("all as it should be")
