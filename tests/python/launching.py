"""`pya launch` as a real process, and what became of it."""

import shutil
import sys
import urllib.request
from pathlib import Path

from command import Pya

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
# The project asks for the Python that this machine has: the emulated account offers more than there are.
PIN = {".python-version": f"{PYTHON}\n"}
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class Slow(Pya):
    """pip takes its time where other tests run beside this."""

    timeout = 600


def add_virtualenvs(host, virtualenv: Path, *names: str) -> None:
    """Puts copies of a virtualenv where launches of these projects look for theirs."""
    for name in names:
        shutil.copytree(virtualenv, Path(host.root) / "home" / host.user / ".virtualenvs" / name, symlinks=True)


def run(pya, host, root, *options, code=0):
    """Launches; returns the report and the requests that it took."""
    before = len(host.requests)
    report = pya.json("launch", root, "--site-url", host.site_url, "--yes", "--no-open", *options, code=code)
    return report, [(request.method, request.path) for request in host.requests[before:]]


def page(host, path="/", domain=None) -> tuple[int, str]:
    domain = domain or f"{host.user.lower()}.pythonanywhere.com"
    request = urllib.request.Request(host.site_url + path, headers={"Host": domain})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def states(report) -> dict[str, str]:
    return {step["step"]: step["state"] for step in report["steps"]}


def count_writes(requests) -> int:
    return sum(method in WRITES for method, _ in requests)
