"""`pya webfaction`: calls from the command line."""

import json
import signal
import time

import pytest
from command import Pya, clean_environment
from webfaction_process import PASSWORD, ServerProcess
from webfaction_reference import SIGNATURES
from webfaction_server import ACCOUNT, SESSION


@pytest.fixture(scope="module")
def server():
    server = ServerProcess()
    yield server
    server.close()


@pytest.fixture
def pya(server, tmp_path):
    server.arrived()
    environment = {name: value for name, value in clean_environment().items() if not name.startswith("WEBFACTION_")}
    credentials = {"WEBFACTION_USERNAME": "widgetsco", "WEBFACTION_PASSWORD": PASSWORD, "WEBFACTION_URL": server.url}
    return Pya(tmp_path, environment | credentials)


def test_a_call_is_made_in_a_session_of_its_own(pya, server):
    done = pya("webfaction", "system", "ls -l")
    assert (done.stdout, done.stderr) == ("$ ls -l\n", "")
    assert server.arrived() == [("login", ["widgetsco", PASSWORD]), ("system", [SESSION, "ls -l"])]


def test_arguments_get_the_types_of_the_call(pya, server):
    pya("webfaction", "create_website", "site", "1.2.3.4", "true", "a.example, b.example", '["django", "/"]')
    pya("webfaction", "create_domain", "a.example", "www", "mail", WEBFACTION_MACHINE="Web55")
    pya("webfaction", "set_apache_acl", '["a", "b"]', "rw")
    pya("webfaction", "create_user", "me", "bash", "")
    pya("webfaction", "--", "create_cronjob", "-x")
    arrived = server.arrived()
    assert arrived[2] == ("login", ["widgetsco", PASSWORD, "Web55"])
    assert [call for call in arrived if call[0] != "login"] == [
        ("create_website", [SESSION, "site", "1.2.3.4", True, ["a.example", "b.example"], ["django", "/"]]),
        ("create_domain", [SESSION, "a.example", "www", "mail"]),
        ("set_apache_acl", [SESSION, ["a", "b"], "rw"]),
        ("create_user", [SESSION, "me", "bash", []]),
        ("create_cronjob", [SESSION, "-x"]),
    ]


def test_answers_are_printed_for_people_and_for_programs(pya):
    databases = [{"id": 1, "name": "shop", "db_type": "mysql", "machine": "Web55"}]
    assert pya.json("webfaction", "list_dbs") == databases
    assert json.loads(pya("webfaction", "list_dbs").stdout) == databases
    assert pya.json("webfaction", "login") == ACCOUNT
    assert pya.json("webfaction", "system", "ls") == "$ ls\n"


def test_a_password_can_come_on_stdin(pya, server):
    pya("webfaction", "change_mailbox_password", "box", "-", text="hunter2\n")
    assert server.arrived()[1] == ("change_mailbox_password", [SESSION, "box", "hunter2"])
    assert "stdin" in pya("webfaction", "change_mailbox_password", "box", "-", text="", code=2).stderr


def test_a_fault_fails_and_shows_no_session(pya):
    done = pya("webfaction", "system", "echo", "--json", code=1)
    assert done.stderr == "error: system: fault 1: *** says: stderr\n\n"
    assert json.loads(done.stdout) == {
        "ok": False,
        "error": {"kind": "Fault", "code": 1, "message": "*** says: stderr\n"},
    }
    done = pya("webfaction", "login", code=1, WEBFACTION_PASSWORD="wrong")
    assert "fault 7: no login for widgetsco with ***" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "there is no call"),
        (["delete_app"], "an argument is missing: pya webfaction delete_app NAME"),
        (["list_apps", "x"], "too many arguments: pya webfaction list_apps"),
        (["create_app", "a", "b", "yes", ""], "autostart must be true or false"),
        (["replace_in_file", "f", "[1, 2]"], "changes must be a JSON list of strings"),
        (["login", "me", "secret"], "WEBFACTION_PASSWORD"),
        (["list_apps", "--url", "http://panel.example.com"], "https"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_sent(pya, server, arguments, words):
    assert words in pya("webfaction", *arguments, code=2).stderr
    assert server.arrived() == []


@pytest.mark.parametrize("missing", ["WEBFACTION_USERNAME", "WEBFACTION_PASSWORD"])
def test_missing_credentials_are_named(pya, server, missing):
    assert f"set {missing}" in pya("webfaction", "list_apps", code=2, **{missing: ""}).stderr
    assert server.arrived() == []


def test_every_call_is_listed_and_the_variables_are_in_the_help(pya):
    listed = pya("webfaction", "?", code=2).stderr
    assert set(listed.split("the calls are: ")[1].strip().split(", ")) == set(SIGNATURES)
    text = pya("webfaction", "--help").stdout
    for name in ("WEBFACTION_USERNAME", "WEBFACTION_PASSWORD", "WEBFACTION_MACHINE", "WEBFACTION_URL", "--json"):
        assert name in text


def test_ctrl_c_interrupts(pya, server):
    with pya.start("webfaction", "system", "sleep 30") as process:
        deadline = time.monotonic() + 60
        while not any(name == "system" for name, _ in server.arrived()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
