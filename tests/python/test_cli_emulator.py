"""`pya emulator`: the ready line, the options, and the end by a signal."""

import json
import signal
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import Pya, clean_environment


@pytest.fixture
def pya(tmp_path):
    return Pya(tmp_path, clean_environment())


@contextmanager
def emulator(pya, *arguments, end=signal.SIGTERM):
    """The ready line of a running emulator, which ends well at the end."""
    with pya.start("emulator", *arguments) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, process.stderr.read()
            yield json.loads(line)
        finally:
            process.send_signal(end)
            rest, errors = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, ""), errors


def fetch(host: dict, path: str, token: str | None = None, context: ssl.SSLContext | None = None) -> int:
    url = f"{host['url'].rstrip('/')}/api/v0/user/{host['user']}/{path}"
    request = urllib.request.Request(url, headers={"Authorization": f"Token {token or host['token']}"})
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_leaves_nothing_behind(pya, end):
    with emulator(pya, end=end) as host:
        assert {"url", "user", "token", "root", "site_url", "paths"} <= host.keys()
        root = Path(host["root"])
        assert (root / "home" / host["user"]).is_dir()
        assert fetch(host, f"files/path/home/{host['user']}/") == 200
        assert fetch(host, f"files/path/home/{host['user']}/", token="wrong") == 401
    assert not root.exists()


def test_a_named_folder_stays(pya):
    with emulator(pya, "--root", "account", "--user", "ada") as host:
        assert host["user"] == "ada"
        client = Pya(
            pya.folder,
            clean_environment(API_TOKEN=host["token"], PYTHONANYWHERE_USERNAME="ada", PYTHONANYWHERE_SITE=host["url"]),
        )
        client("put", "-", "kept.txt", text="kept")
    assert (pya.folder / "account" / "home" / "ada" / "kept.txt").read_text() == "kept"


def test_the_token_can_be_given_in_a_file(pya):
    (pya.folder / "token").write_text("0123456789abcdef\n")
    with emulator(pya, "--token-file", "token") as host:
        assert host["token"] == "0123456789abcdef"


@pytest.mark.parametrize(("limit", "refused"), [(["--rate-limit", "3"], 2), (["--rate-limit", "off"], 0)])
def test_the_rate_limit_is_kept(pya, limit, refused):
    with emulator(pya, *limit) as host:
        statuses = [fetch(host, f"files/path/home/{host['user']}/") for _ in range(5)]
    assert statuses.count(429) == refused
    assert statuses.count(200) == 5 - refused


def test_it_serves_https_with_an_authority_of_its_own(pya):
    with emulator(pya, "--tls", "ca") as host:
        assert host["url"].startswith("https://")
        certificates = [
            path for path in (pya.folder / "ca").iterdir() if path.suffix == ".pem" or path.suffix == ".crt"
        ]
        context = ssl.create_default_context(cafile=str(next(path for path in certificates if "ca" in path.name)))
        assert fetch(host, f"files/path/home/{host['user']}/", context=context) == 200
        assert fetch(host, f"files/path/home/{host['user']}/", context=context, token="wrong") == 401


def is_there(process: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
def test_tasks_do_not_outlive_an_emulator_that_is_killed(pya):
    with pya.start("emulator", "--account", "paid", "--root", "account") as process:
        host = json.loads(process.stdout.readline())
        fields = urllib.parse.urlencode({"command": "sleep 300 & echo $$ $!; wait"}).encode()
        address = f"{host['url']}/api/v0/user/{host['user']}/always_on/"
        request = urllib.request.Request(address, fields, {"Authorization": f"Token {host['token']}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 201
        log = pya.folder / "account" / "var" / "log" / "alwayson-log-1.log"
        deadline = time.monotonic() + 120
        while not (log.exists() and log.read_text().endswith("\n")):
            assert time.monotonic() < deadline, "the task does not start"
            time.sleep(0.01)
        processes = [int(word) for word in log.read_text().split()]
        assert len(processes) == 2
        assert all(map(is_there, processes))
        process.kill()
        process.communicate(timeout=30)
    while any(map(is_there, processes)):
        assert time.monotonic() < deadline, f"of {processes} some are still there"
        time.sleep(0.01)


def test_the_limits_of_the_account_can_be_chosen(pya):
    (pya.folder / "wheels").mkdir()
    limits = ["--disk-quota", "1k", "--request-limit", "5", "--webapp-days", "3", "--package-index", "wheels"]
    with emulator(pya, *limits) as host:
        with urllib.request.urlopen(host["package_index"], timeout=30) as answer:
            assert answer.status == 200
        account = {
            "API_TOKEN": host["token"],
            "PYTHONANYWHERE_USERNAME": host["user"],
            "PYTHONANYWHERE_SITE": host["url"],
        }
        (pya.folder / "large").write_bytes(b"x" * 2000)
        assert "quota" in pya("put", "large", "large", code=1, **account).stderr


def test_wrong_options_are_usage_errors(pya):
    pya("emulator", "--request-limit", "0", code=2)
    pya("emulator", "--disk-quota", "much", code=2)
    pya("emulator", "--account", "rich", code=2)
    pya("emulator", "--clock-speed", "0", code=2)
    pya("emulator", "--port", "70000", code=2)
    pya("emulator", "--rate-limit", "0", code=2)
