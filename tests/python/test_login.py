"""Logins: a token that is kept on this machine, for one account, and goes nowhere else."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import Pya, clean_environment
from fake_keyring import FakeKeyring
from terminal import Terminal

from pythonanywhere_api.testing import Emulator

# The file of the logins holds the token where no keyring answers.
pytestmark = pytest.mark.writes_token


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None, user="ada") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def other():
    with Emulator(rate_limit=None, user="bob") as emulator:
        yield emulator


@pytest.fixture
def pya(host, tmp_path):
    """`pya` of somebody who has not logged in, on a machine without a keyring."""
    host.clear_requests()
    (tmp_path / "work").mkdir()
    environment = clean_environment(XDG_CONFIG_HOME=str(tmp_path / "config"), PYTHONANYWHERE_RATE_LIMIT="off")
    return Pya(tmp_path / "work", environment)


@pytest.fixture
def keyring(tmp_path, pya):
    if sys.platform != "linux":
        pytest.skip("the keyring is that of a Linux desktop")
    with FakeKeyring(tmp_path) as keyring:
        pya.environment |= keyring.environment
        yield keyring


def log_in(pya, host, token=None, code=0, **more):
    arguments = ["login", "--host", host.url, "--user", host.user]
    return pya(*arguments, text=f"{token or host.token}\n", code=code, **more)


def kept(tmp_path) -> Path:
    return tmp_path / "config" / "pythonanywhere-api" / "logins.json"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_kept_in_a_file_where_no_keyring_answers_and_used_from_then_on(pya, host, tmp_path):
    assert "pya login" in pya("ls", code=2).stderr
    done = log_in(pya, host)
    assert done.stdout == f"logged in as ada at {host.url.removeprefix('http://')}; the token is in {kept(tmp_path)}\n"
    assert "no keyring" in done.stderr
    assert (mode(kept(tmp_path)), mode(kept(tmp_path).parent)) == (0o600, 0o700)
    assert pya.json("ls")["path"] == "/home/ada"
    assert pya.json("whoami") == {
        "user": "ada", "host": f"{host.url}/", "token": "login_file", "environment": None
    }  # fmt: skip
    assert pya("logout").stdout == f"logged out: ada at {host.url.removeprefix('http://')}\n"
    assert not kept(tmp_path).exists()
    assert "API token is missing" in pya("ls", code=2).stderr
    assert pya.json("logout") == {"forgotten": [], "warnings": []}


def test_login_tells_programs_where_the_token_is(pya, host, tmp_path):
    done = pya("login", "--json", "--host", host.url, "--user", "ada", text=host.token)
    place = {"place": "file", "path": str(kept(tmp_path))}
    assert json.loads(done.stdout) == {"user": "ada", "host": f"{host.url}/", **place}


def test_a_terminal_is_asked_and_shows_no_token(pya, host):
    with Terminal(pya, "login", "--host", host.url) as terminal:
        terminal.answer("User name at PythonAnywhere: ", "ada")
        terminal.answer("API token of ada (not shown): ", host.token)
        assert "/user/ada/account/" in terminal.asked
        shown = terminal.end()
        assert "logged in as ada" in shown
        assert host.token not in terminal.asked + shown
        assert terminal.echoes


def test_ctrl_c_at_the_question_keeps_nothing_and_shows_again_what_is_typed(pya, host, tmp_path):
    with Terminal(pya, "login", "--host", host.url, "--user", "ada") as terminal:
        terminal.wait_for("(not shown): ")
        assert not terminal.echoes
        terminal.type(host.token + "\x03")
        terminal.end(130)
        assert terminal.echoes
        assert host.token not in terminal.shown
    assert not kept(tmp_path).exists()
    assert host.requests == []


def test_a_token_that_is_not_accepted_is_not_kept(pya, host, other, tmp_path):
    done = log_in(pya, host, token="wrong", code=4)
    assert "is not accepted by 127.0.0.1" in done.stderr
    assert "Nothing was kept" in done.stderr
    assert not kept(tmp_path).exists()
    # The right token of this host, for a name that is another account's.
    arguments = ["login", "--json", "--host", host.url, "--user", "bob"]
    done = pya(*arguments, text=host.token, code=4)
    assert "belongs to another account than bob" in done.stderr
    assert json.loads(done.stdout)["error"]["kind"] == "Forbidden"
    assert not kept(tmp_path).exists()
    for malformed in ("", "Token abc"):
        assert "API token" in log_in(pya, host, token=malformed or "\n", code=2).stderr


def test_whoami_says_that_the_token_is_of_another_account(pya, host):
    done = pya("whoami", "--host", host.url, "--user", "bob", code=4, API_TOKEN=host.token)
    assert "belongs to another account than bob" in done.stderr
    assert "$API_TOKEN" in done.stderr
    assert pya("whoami", "--host", host.url, "--user", "bob", code=4, API_TOKEN="wrong").stderr.count("$API_TOKEN") == 1


@pytest.mark.parametrize("named", ["option", "environment", "table"])
@pytest.mark.parametrize("what", ["user", "host"])
def test_the_token_goes_to_no_other_account(pya, host, other, named, what):
    log_in(pya, host)
    other.clear_requests()
    host.clear_requests()
    value = {"user": "bob", "host": other.url}[what]
    arguments, environment = ["ls"], {}
    if named == "option":
        arguments += [f"--{what}", value]
    elif named == "environment":
        environment = {{"user": "PYTHONANYWHERE_USERNAME", "host": "PYTHONANYWHERE_SITE"}[what]: value}
    else:
        (pya.folder / "pyproject.toml").write_text(f'[tool.pythonanywhere]\n{what} = "{value}"\n')
    done = pya(*arguments, code=2, **environment)
    assert "API token is missing" in done.stderr
    assert "You are logged in as ada" in done.stderr
    assert host.requests == other.requests == []


def test_what_is_given_counts_before_what_is_kept(pya, host):
    log_in(pya, host)
    pya("ls", code=4, API_TOKEN="wrong", PYTHONANYWHERE_USERNAME="ada", PYTHONANYWHERE_SITE=host.url)
    assert "is used before what is kept" in log_in(pya, host, API_TOKEN="wrong").stderr
    (pya.folder / "token").write_text("wrong")
    pya("ls", "--token-file", "token", "--user", "ada", "--host", host.url, code=4)


def test_of_several_logins_one_has_to_be_named(pya, host, other):
    log_in(pya, host)
    log_in(pya, other)
    for command in ("ls", "logout"):
        done = pya(command, code=2)
        assert "you are logged in as ada at" in done.stderr
        assert "bob at" in done.stderr
    assert pya.json("ls", "--user", "bob")["path"] == "/home/bob"
    assert pya.json("ls", "--host", host.url)["path"] == "/home/ada"
    assert [gone["user"] for gone in pya.json("logout", "--user", "bob")["forgotten"]] == ["bob"]
    assert pya.json("ls")["path"] == "/home/ada"
    log_in(pya, other)
    assert [gone["user"] for gone in pya.json("logout", "--all")["forgotten"]] == ["ada", "bob"]


@pytest.mark.parametrize("expression", ["PythonanywhereApi.from_env('mysite')", "Client.from_env()"])
def test_programs_do_not_use_it(pya, host, expression):
    log_in(pya, host)
    program = f"from pythonanywhere_api import *\n{expression}"
    environment = pya.environment | {"PYTHONANYWHERE_USERNAME": "ada", "PYTHONANYWHERE_SITE": host.url}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert "the API token is missing" in done.stderr


def test_a_file_that_others_can_read_is_refused(pya, host, tmp_path):
    log_in(pya, host)
    kept(tmp_path).chmod(0o644)
    for command in ("ls", "logout", "whoami"):
        done = pya(command, code=2)
        assert "can be read or changed by other users" in done.stderr
    assert "other users" in log_in(pya, host, code=2).stderr
    host.clear_requests()
    # Where the token is given, the file does not matter.
    pya("ls", "--user", "ada", "--host", host.url, API_TOKEN=host.token)


def test_a_keyring_that_answers_has_the_token_and_the_file_has_not(pya, host, keyring, tmp_path):
    assert log_in(pya, host).stdout.endswith("the token is in the system's keyring\n")
    assert keyring.secrets() == {f"ada@{host.url}": host.token}
    assert host.token not in kept(tmp_path).read_text()
    assert mode(kept(tmp_path)) == 0o600
    assert pya.json("ls")["path"] == "/home/ada"
    assert pya.json("whoami")["token"] == "keyring"
    log_in(pya, host)
    assert len(keyring.items) == 1
    pya("logout")
    assert keyring.secrets() == {}
    assert not kept(tmp_path).exists()


def test_the_keyring_is_left_alone_by_those_who_are_not_logged_in(pya, host, keyring):
    pya("ls", code=2)
    pya("ls", "--user", "ada", "--host", host.url, API_TOKEN=host.token)
    pya("logout")
    assert keyring.connections == 0


def test_a_keyring_that_lost_the_token_is_said(pya, host, keyring):
    log_in(pya, host)
    keyring.items.clear()
    done = pya("ls", code=2)
    assert "no longer in the system's keyring" in done.stderr
    assert "pya login --user ada" in done.stderr


def test_a_silent_keyring_is_waited_for_three_seconds(pya, host, keyring, tmp_path):
    keyring.silent = True
    began = time.monotonic()
    done = log_in(pya, host)
    assert 3 <= time.monotonic() - began < 60
    assert "it did not answer within 3 s" in done.stderr
    assert "the token is in " + str(kept(tmp_path)) in done.stdout
    assert keyring.connections == 1


def test_where_there_is_no_bus_the_file_has_the_token_at_once(pya, host, keyring, tmp_path):
    done = log_in(pya, host, DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent/bus")
    assert "no keyring of the system has it" in done.stderr
    assert str(kept(tmp_path)) in done.stdout


def test_the_keyring_can_be_switched_off(pya, host, keyring, tmp_path):
    done = log_in(pya, host, PYA_KEYRING="off")
    assert "PYA_KEYRING is off" in done.stderr
    assert host.token in kept(tmp_path).read_text()
    assert keyring.connections == 0


def test_a_token_in_a_keyring_that_falls_silent_is_said_and_forgotten(pya, host, keyring, tmp_path):
    log_in(pya, host)
    keyring.silent = True
    done = pya("ls", code=2)
    assert "did not answer within 3 s" in done.stderr
    assert "the token of ada at" in done.stderr
    done = pya("logout", code=1)
    assert "may still be in the system's keyring" in done.stderr
    assert not kept(tmp_path).exists()


def test_a_locked_keyring_is_waited_for_at_a_terminal(pya, host, keyring):
    log_in(pya, host)
    keyring.is_locked, keyring.unlock_after = True, 5
    with Terminal(pya, "whoami") as terminal:
        terminal.wait_for("waiting for the system's keyring")
        assert "with the token of the system's keyring" in terminal.end()
    assert keyring.prompts == 1


def test_a_locked_keyring_gets_the_token_once_it_is_unlocked(pya, host, keyring, tmp_path):
    log_in(pya, host)
    keyring.is_locked, keyring.unlock_after = True, 5
    with Terminal(pya, "login", "--host", host.url, "--user", "ada") as terminal:
        terminal.answer("API token of ada (not shown): ", host.token)
        terminal.wait_for("waiting for the system's keyring")
        assert "the token is in the system's keyring" in terminal.end()
    assert host.token not in kept(tmp_path).read_text()
    assert len(keyring.items) == 1


def test_a_token_is_not_typed_where_the_question_cannot_be_shown(pya, host):
    command = pya.command("login", "--host", host.url, "--user", "ada")
    with Terminal(pya, "whoami") as terminal:
        terminal.end(2)
        done = subprocess.run(
            command, cwd=pya.folder, env=pya.environment, stdin=terminal.theirs, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert "stderr is not a terminal" in done.stderr


@pytest.mark.parametrize(
    ("stop", "code"),
    [(lambda terminal: terminal.type("\x03"), 130), (lambda terminal: terminal.process.terminate(), 143)],
    ids=["ctrl-c", "sigterm"],
)
@pytest.mark.parametrize("command", ["whoami", "doctor"])
def test_a_signal_ends_the_wait_for_the_keyring(pya, host, keyring, command, stop, code):
    log_in(pya, host)
    keyring.is_locked, keyring.unlock_after = True, 300
    with Terminal(pya, command) as terminal:
        terminal.wait_for("waiting for the system's keyring")
        stop(terminal)
        terminal.end(code)


def test_the_user_must_be_given_where_nobody_can_be_asked(pya, host):
    done = pya("login", "--host", host.url, text=host.token, code=2)
    assert "--user NAME" in done.stderr
    assert host.requests == []


def start(pya, *arguments):
    return subprocess.Popen(
        pya.command(*arguments), cwd=pya.folder, env=pya.environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def test_logins_at_the_same_time_are_all_kept(pya, host, other, tmp_path):
    log_in(pya, host)
    with Emulator(rate_limit=None, user="cleo") as third, Emulator(rate_limit=None, user="dido") as fourth:
        hosts = [other, third, fourth]
        runs = [start(pya, "login", "--host", each.url, "--user", each.user) for each in hosts]
        runs.append(start(pya, "logout", "--user", host.user))
        for run, text in zip(runs, [*(each.token for each in hosts), None], strict=True):
            said, _ = run.communicate(text, timeout=60)
            assert run.returncode == 0, said
    content = kept(tmp_path).read_text()
    assert [each["user"] for each in sorted(json.loads(content)["logins"], key=lambda each: each["user"])] == [
        "bob", "cleo", "dido"
    ]  # fmt: skip
    assert host.token not in content


def test_a_change_waits_for_that_of_another_process_and_reading_does_not(pya, host, other, tmp_path):
    fcntl = pytest.importorskip("fcntl")
    log_in(pya, host)
    other.clear_requests()
    lock = kept(tmp_path).with_name("logins.lock")
    assert mode(lock) == 0o600
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        before = kept(tmp_path).read_text()
        run = start(pya, "login", "--host", other.url, "--user", "bob")
        run.stdin.write(other.token)
        run.stdin.close()
        deadline = time.monotonic() + 60
        while not other.requests and time.monotonic() < deadline:
            time.sleep(0.01)
        assert other.requests
        # What this process does while it has the lock, that one must not undo.
        assert pya.json("ls")["path"] == "/home/ada"
        changed = json.loads(before)
        changed["logins"].append(changed["logins"][0] | {"user": "zoe"})
        assert kept(tmp_path).read_text() == before
        kept(tmp_path).write_text(json.dumps(changed))
    assert run.wait(60) == 0, run.stdout.read()
    run.stdout.close()
    logins = json.loads(kept(tmp_path).read_text())["logins"]
    assert sorted(each["user"] for each in logins) == ["ada", "bob", "zoe"]


def test_a_byte_order_mark_before_the_token_is_none_of_it(pya, host, tmp_path):
    (pya.folder / "token").write_text(f"\ufeff{host.token}\r\n", encoding="utf-8")
    pya("ls", "--token-file", "token", "--user", "ada", "--host", host.url)
    log_in(pya, host, token=f"\ufeff{host.token}")
    assert f'"{host.token}"' in kept(tmp_path).read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_list_of_another_user_is_refused(pya, host, tmp_path):
    log_in(pya, host)
    os.chown(kept(tmp_path), 12345, -1)
    assert "belongs to another user" in pya("ls", code=2).stderr
