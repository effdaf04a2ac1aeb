"""What many files and many requests take: memory that is bounded, and nothing that stays behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

from .conftest import SOAK
from .outcomes import TOKEN

FILES = 100_000 if SOAK else 10_000
REQUESTS = 10_000 if SOAK else 1_000
#: In KiB: the interpreter with the extension, and about 3 KiB a file for its name, digest and place in the plan.
MEMORY = (120 << 10) + 3 * FILES

COMPARE = """\
import json, sys
from pythonanywhere_api import PythonanywhereApi

api = PythonanywhereApi(*sys.argv[1:5])
diff = api.deploy_diff(sys.argv[5])
assert diff is not None, api.error_message
report = api.deploy(diff, dry_run=True, executor="none")
# The peak since this program began; getrusage() counts that of the process which started it, too.
with open("/proc/self/status") as status:
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
print(json.dumps({"added": len(diff.added), "requests": diff.plan["requests"], "ok": report.ok, "memory": memory}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_many_files_are_compared_and_planned_in_bounded_memory(tmp_path: Path) -> None:
    for number in range(FILES):
        folder = tmp_path / f"package{number // 500}"
        if number % 500 == 0:
            folder.mkdir()
        (folder / f"module_{number}.py").write_text(f"number = {number}\n")
    with Emulator(rate_limit=None, token=TOKEN) as host:
        words = [sys.executable, "-c", COMPARE, host.url, host.user, TOKEN, "site", str(tmp_path)]
        environment = os.environ | {"PYTHONANYWHERE_RATE_LIMIT": "off"}
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=1200, check=False)
        assert done.returncode == 0, done.stderr
        # Nothing is there, so nothing has to be listed: the cost does not depend on the number of files.
        assert len(host.requests) <= 4
    found = json.loads(done.stdout)
    assert found["added"] == FILES
    assert found["requests"] >= FILES
    assert found["ok"]
    assert found["memory"] < MEMORY, f"{found['memory']} KiB"


def resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_many_requests_leave_nothing_behind() -> None:
    with Emulator(rate_limit=None, token=TOKEN) as host:

        def ask(count: int) -> None:
            client = Client(host.user, TOKEN, host.url, rate_limit="off")
            for number in range(count):
                if number % 10 == 0:
                    # Time-outs are a matter of requests: no two pools because of them.
                    client = Client(host.user, TOKEN, host.url, rate_limit="off", timeout=30 + number / 1000)
                client.files.upload(f"/home/{host.user}/{number % 50}.txt", b"x" * 1000)
                if number % 500 == 0:
                    host.clear_requests()
            host.clear_requests()

        def held() -> tuple[int, int]:
            return len(os.listdir("/proc/self/fd")), threading.active_count() + len(os.listdir("/proc/self/task"))

        ask(200)
        (files, threads), memory = held(), resident()
        ask(REQUESTS)
        more_files, more_threads = held()
        assert more_files <= files + 8
        assert more_threads <= threads + 4
        # What an allocator keeps for later, whatever the number of requests.
        assert resident() - memory < 24 << 10
