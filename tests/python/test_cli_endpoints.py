"""`pya FAMILY VERB`, `pya api` and `pya logs`, as real processes against the emulator."""

import inspect
import json
import subprocess
import time
from datetime import datetime
from pathlib import Path

import pytest
import test_client
from command import Pya, environment_of

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

CERTIFICATES = ("webapps.ssl.get", "domains.ssl.get")


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, send_input_limit=None, account="paid", students=["ada"]) as host:
        yield host


@pytest.fixture
def pya(tmp_path, host):
    return Pya(tmp_path, environment_of(host))


class Typed(test_client.Account):
    """Makes the calls of `Client` by what a user would type."""

    def __init__(self, host, folder: Path):
        super().__init__(Client, host)
        self.pya = Pya(folder, environment_of(host))
        self.typed = {row["call"]: row["command"].split() for row in self.pya.json("api", "--list")}

    def __call__(self, name, *args, **kwargs):
        method = self.client
        for part in name.split("."):
            method = getattr(method, part)
        signature = inspect.signature(method)
        bound = signature.bind(*args, **kwargs).arguments
        words = [word for word in self.typed[name][1:] if not word.isupper() and "=" not in word and "_" not in word]
        stdin = None
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                fields = bound.get(parameter.name, {})
                words += [self.field(*item) for item in fields.items()]
                passwords = [value.encode() for name, value in fields.items() if name.endswith("password")]
                stdin = passwords[0] if passwords else stdin
            elif parameter.name not in bound:
                continue
            elif parameter.name == "content":
                words.append("-")
                stdin = bytes(bound[parameter.name])
            elif parameter.name in ("cert", "private_key"):
                file = self.pya.folder / parameter.name
                file.write_text(bound[parameter.name])
                words.append(str(file))
            elif parameter.default is parameter.empty:
                words.append(str(bound[parameter.name]))
            else:
                words += [f"--{parameter.name.replace('_', '-')}", str(bound[parameter.name])]
        return self.answer(name, words, stdin)

    @staticmethod
    def field(name, value):
        if name.endswith("password"):
            return f"{name}=-"
        return f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value)}"

    def answer(self, name, words, stdin):
        as_json = [] if name == "files.read" else ["--json"]
        command = self.pya.command(*words, *as_json)
        done = subprocess.run(command, env=self.pya.environment, input=stdin, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        if name == "files.read":
            return done.stdout
        answer = json.loads(done.stdout)
        if name == "files.upload":
            return answer["created"]
        if name in CERTIFICATES and answer.get("not_after"):
            moment = answer["not_after"].replace("Z", "+00:00")
            answer["not_after_datetime"] = datetime.strptime(moment, "%Y%m%dT%H%M%S%z")
        return answer


def test_every_endpoint_has_a_command_that_reaches_it(host, tmp_path):
    test_client.test_every_call_reaches_its_endpoint(Typed(host, tmp_path))


def test_lists_are_tables_for_people(pya):
    assert pya("tasks", "list").stdout == ""
    assert "none" in pya("tasks", "list").stderr
    pya("tasks", "create", "true", 5, "--hour", 3, "--description", "nightly")
    header, line = pya("schedule", "list").stdout.splitlines()
    assert header.split()[0] == "ID"
    assert "DESCRIPTION" in header
    assert "nightly" in line
    assert header.index("DESCRIPTION") == line.index("nightly")
    lines = pya("cpu", "get").stdout.splitlines()
    assert lines[0].startswith("daily_cpu_limit_seconds")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["webapps"], 2, "static-files"),
        (["webapps", "get"], 2, "DOMAIN_NAME"),
        (["tasks", "create", "true", "soon"], 2, "invalid value 'soon'"),
        (["always-on", "create", "x", "--enabled", "perhaps"], 2, "invalid value 'perhaps'"),
        (["always-on", "update", "1", "nonsense"], 2, "NAME=TEXT"),
        (["webapps", "get", "no domain"], 2, "is not a domain"),
        (["webapps", "get", "none.example.com"], 5, "404"),
        (["files", "delete", "/home"], 2, "the account depends on it"),
        (["webapps", "ssl", "set", "x.y", "nofile", "nofile"], 2, "nofile"),
        (["api", "GET", "/api/v0/user/somebody/cpu/"], 2, "is not a path of this account"),
        (["api", "GET", "../somebody/cpu/"], 2, "segment"),
        (["api", "POST", "webapps/", "--data", "{"], 2, "is not valid JSON"),
        (["api"], 2, "METHOD"),
        (["logs", "none.example.com"], 2, "there is no /var/log/none.example.com.error.log"),
    ],
)
def test_mistakes_are_told(pya, host, words, code, said):
    done = pya(*words, code=code)
    assert said in done.stderr
    assert host.token not in done.stderr


def test_a_password_that_is_typed_is_taken_with_a_word_about_stdin(pya, host):
    domain = host.create_webapp()["domain_name"]
    protected = pya("webapps", "update", domain, "password_protection_password=s3cret")
    assert "password_protection_password=- reads it from stdin" in protected.stderr
    assert pya.json("webapps", "get", domain)["password_protection_password"] == "s3cret"
    # None takes it away, and is no secret.
    assert "stdin" not in pya("webapps", "update", domain, "password_protection_password=").stderr
    assert pya.json("webapps", "get", domain)["password_protection_password"] == ""
    assert "stdin" in pya("webapps", "update", domain, 'password_protection_password:="s3cret"').stderr


def test_any_request_can_be_sent(pya, host):
    task = pya.json("api", "post", "always_on/", "--data", json.dumps({"command": "sleep 9", "enabled": False}))
    assert task["command"] == "sleep 9"
    assert pya.json("api", "GET", f"/api/v0/user/{host.user}/always_on/")[0]["id"] == task["id"]
    refused = pya("api", "POST", f"files/path/home/{host.user}/x", code=1)
    assert "You must provide a file" in refused.stderr
    made = pya.json(
        "api", "POST", "webapps/", "--form", "domain_name=a.example.com", "--form", "python_version=python311"
    )
    assert made
    tree = pya.json("api", "GET", "files/tree/", "--query", f"path=/home/{host.user}")
    assert isinstance(tree, list)
    assert pya.json("api", "GET", "/api/v1/user/demo/websites/") == []
    assert pya("api", "DELETE", f"always_on/{task['id']}/").stdout == ""
    failed = pya.json("api", "GET", "nothing/", code=5)
    assert failed["error"]["status"] == 404


class Log:
    """A web app's error log, and a `pya logs --follow` on it."""

    def __init__(self, host, pya):
        self.path = Path(host.root) / "var" / "log" / "www.example.com.error.log"
        self.path.write_text("".join(f"line {number}\n" for number in range(30)))
        self.run = pya.start("logs", "www.example.com", "--follow", "--interval", "0.2", "-n", "2")

    def next(self) -> str:
        return self.run.stdout.readline()


def test_a_log_is_followed_through_its_rotation(host, pya):
    assert pya("logs", "www.example.com", code=2).stdout == ""
    log = Log(host, pya)
    try:
        assert [log.next(), log.next()] == ["line 28\n", "line 29\n"]
        with log.path.open("a") as file:
            file.write("added\n")
        assert log.next() == "added\n"
        host.faults.add("status", code=503, times=5)
        log.path.rename(log.path.with_suffix(".log.1"))
        time.sleep(0.5)
        log.path.write_text("new\n")
        assert log.next() == "new\n"
        log.run.send_signal(2)
        assert log.run.wait(timeout=30) == 130
        assert "a new log starts" in log.run.stderr.read()
    finally:
        log.run.kill()
        log.run.communicate()


def test_a_log_is_printed_once(host, pya):
    Path(host.root, "var", "log", "www.example.com.access.log").write_text("one\ntwo\n")
    assert pya("logs", "www.example.com", "access", "-n", "1").stdout == "two\n"
    assert pya.json("logs", "www.example.com", "access")["lines"] == ["one", "two"]
    refused = pya("logs", "www.example.com", "access", "--follow", "--json", code=2)
    assert "no complete JSON document" in refused.stderr
