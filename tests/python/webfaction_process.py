"""The server of `webfaction_server.py` as a process."""

import subprocess
import sys
import xmlrpc.client
from pathlib import Path

SCRIPT = Path(__file__).parent / "webfaction_server.py"
PASSWORD = "widgetsrock"


class ServerProcess:
    """The server's process, and what arrived there."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/"

    def arrived(self):
        with xmlrpc.client.ServerProxy(self.url, allow_none=True, use_builtin_types=True) as proxy:
            return [(name, params) for name, params in proxy.tests.arrived()]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)
