"""What `pya` prints: nothing from the host controls a terminal, passwords stay hidden, and tables fit."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from command import Pya, environment_of

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

# The title of the window, a control character of the second set, an override of the writing direction.
EVIL = "\x1b]0;title\x07\x9b2J\u202egpj\u2066"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# What the terminal itself does to line ends.
LINE_END = "\r\n"


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, account="paid", python=sys.executable) as host:
        yield host


@pytest.fixture
def pya(host, tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    return Pya(folder, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def home(host) -> Path:
    return Path(host.root) / "home" / host.user


def on_terminal(pya, *arguments, columns: int = 80, patience: float = 60, **more: str) -> str:
    """What a command shows on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {"TERM": "xterm", **pya.environment, **more}
    with subprocess.Popen(
        pya.command(*arguments), cwd=pya.folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown, deadline = b"", time.monotonic() + patience
        while time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    read = os.read(ours, 65536)
                except OSError:
                    break
                if not read:
                    break
                shown += read
        else:
            process.kill()
            pytest.fail(f"it does not end: {shown!r}")
    os.close(ours)
    return shown.decode().replace(LINE_END, "\n")


def test_names_messages_and_answers_are_escaped(host, pya):
    (home(host) / f"a{EVIL}b.txt").write_text("x")
    console = json.loads(pya("consoles", "create", "--executable", "bash", "--arguments", EVIL, "--json").stdout)
    for command in (
        ["ls"],
        ["ls", "-l"],
        ["ls", "-R"],
        ["files", "list", f"/home/{host.user}"],
        ["consoles", "list"],
        ["consoles", "get", str(console["id"])],
        ["api", "GET", "consoles/"],
        ["-v", "api", "GET", "consoles/"],
    ):
        done = pya(*command)
        assert "title" in done.stdout, command
        assert not RAW.search(done.stdout + done.stderr), (command, done.stdout)


def test_errors_of_the_host_are_escaped(host, pya):
    host.faults.add("status", code=400, body=json.dumps({"detail": f"no {EVIL}"}))
    for options in ([], ["-v"], ["--json"]):
        done = pya("ls", *options, code=1)
        assert "title" in done.stderr
        assert not RAW.search(done.stdout + done.stderr), done.stderr


def test_json_says_the_same_in_escapes(host, pya):
    name = f"a{EVIL}b.txt"
    (home(host) / name).write_text("x")
    text = pya("ls", "--json").stdout
    assert not RAW.search(text)
    assert json.loads(text)["entries"] == [{"name": name, "type": "file"}]
    # What it prints for people is JSON as well.
    assert json.loads(pya("api", "GET", f"files/path/home/{host.user}/").stdout).keys() == {name}


def test_a_log_goes_raw_into_a_pipe_and_escaped_onto_a_terminal(host, pya):
    line = f"GET /{EVIL}\n"
    (Path(host.root) / "var" / "log" / "me.example.com.error.log").write_text(line)
    assert pya("logs", "me.example.com").stdout == line
    shown = on_terminal(pya, "logs", "me.example.com")
    assert shown == "GET /\\u{1b}]0;title\\u{7}\\u{9b}2J\\u{202e}gpj\\u{2066}\n"


def test_the_content_of_a_file_is_whole_in_a_pipe_and_harmless_on_a_terminal(host, pya):
    (home(host) / "a.txt").write_text(EVIL)
    assert pya("cat", "a.txt").stdout == EVIL
    assert not RAW.search(on_terminal(pya, "cat", "a.txt"))


def protected(host) -> str:
    host.create_webapp()
    domain = f"{host.user}.pythonanywhere.com"
    client = Client(host.user, host.token, host.url, rate_limit="off")
    client.webapps.update(domain, password_protection_username="ada", password_protection_password="s3cret-word")
    return domain


def test_a_sites_password_is_shown_to_programs_only(host, pya):
    domain = protected(host)
    for command in (["webapps", "list"], ["webapps", "get", domain]):
        assert "s3cret-word" not in pya(*command).stdout
        assert "s3cret-word" not in on_terminal(pya, *command, "--json")
        answer = pya.json(*command)
        app = answer[0] if isinstance(answer, list) else answer
        assert app["password_protection_password"] == "s3cret-word"
    assert "s3cret-word" not in on_terminal(pya, "api", "GET", "webapps/")
    assert "s3cret-word" in pya("api", "GET", "webapps/").stdout


def test_what_is_printed_of_a_site_has_no_place_for_its_password(host, pya):
    domain = protected(host)
    for command in (["webapps", "list"], ["webapps", "get", domain]):
        for shown in (pya(*command).stdout, on_terminal(pya, *command), on_terminal(pya, *command, columns=300)):
            assert "password_protection_username" in shown.lower()
            assert "protection_password" not in shown.lower()


def project_of_many(pya) -> None:
    """Deployed, and then changed: 70 files come, two change, one goes and one moves."""
    for number in range(4):
        (pya.folder / f"{number}.txt").write_text("x" * 10 * (number + 1))
    pya("deploy", "--project", "site")
    for number in range(70):
        (pya.folder / f"new{number:02}.txt").write_text("y" * 2000)
    (pya.folder / "0.txt").write_text("x" * 5000)
    (pya.folder / "1.txt").write_text("")
    (pya.folder / "2.txt").unlink()
    (pya.folder / "3.txt").rename(pya.folder / "moved.txt")


def test_a_long_list_is_folded_on_a_terminal_and_nowhere_else(pya):
    project_of_many(pya)
    changes = re.compile("^(?:\x1b\\[..m)?[AMDR]", re.MULTILINE)
    shown = on_terminal(pya, "diff", "--project", "site")
    assert len(changes.findall(shown)) == 50
    assert "\n… and 24 more added (--all lists them)\n" in shown
    for line in ("\x1b[33mM\x1b[0m  0.txt", "\x1b[31mD\x1b[0m  2.txt", "\x1b[36mR\x1b[0m  3.txt -> moved.txt"):
        assert f"\n{line}\n" in shown
    for command in ("diff", "deploy"):
        arguments = [command, "--project", "site", *(["--dry-run"] if command == "deploy" else [])]
        plain = pya(*arguments).stdout
        assert len(changes.findall(plain)) == len(plain.splitlines()) == 73 + (command == "diff")
        assert "--all lists them" in on_terminal(pya, *arguments)
        shown = on_terminal(pya, *arguments, "--all", NO_COLOR="1")
        assert plain.replace("\n", "") in shown.replace("\n", "")
    assert len(pya.json("diff", "--project", "site")["added"]) == 71


def test_colours_are_where_they_are_asked_for(pya):
    (pya.folder / "a.txt").write_text("x")
    arguments = ["diff", "--project", "site"]
    plain, coloured = "A  a.txt\n", "\x1b[32mA\x1b[0m  a.txt\n"
    assert pya(*arguments).stdout == plain
    assert pya(*arguments, CLICOLOR_FORCE="1").stdout == coloured
    assert pya(*arguments, CLICOLOR_FORCE="1", NO_COLOR="1").stdout == plain
    assert pya(*arguments, "--color", "always", NO_COLOR="1").stdout == coloured
    assert coloured in on_terminal(pya, *arguments)
    for shown in (on_terminal(pya, *arguments, "--color", "never"), on_terminal(pya, *arguments, NO_COLOR="1")):
        assert plain in shown
        assert coloured not in shown


def test_sizes_are_those_of_both_sides(pya):
    project_of_many(pya)
    for path in pya.folder.glob("new*.txt"):
        path.unlink()
    arguments = ["diff", "--project", "site", "--stat"]
    bar = 38 * "+"
    assert pya(*arguments).stdout.splitlines() == [
        f" 0.txt              |  10 bytes -> 5.0 kB {bar}",
        " 1.txt              | 20 bytes -> 0 bytes",
        " 2.txt              |     30 bytes, stays",
        " 3.txt -> moved.txt |            40 bytes +",
        " 4 files: 5.0 kB to send",
    ]
    shown = on_terminal(pya, *arguments, "--delete", columns=60)
    assert max(len(re.sub("\x1b[^m]*m", "", line)) for line in shown.splitlines() if "|" in line) == 60
    assert "\x1b[32m+\x1b[0m\x1b[31m-\x1b[0m\n" in shown
    assert "\n 4 files: 5.0 kB to send, 70 bytes to delete\n" in shown


@pytest.mark.parametrize("columns", [60, 120])
def test_tables_of_the_project_fit_the_terminal(host, pya, columns):
    host.create_webapp(virtualenv="/home/demo/.virtualenvs/a-rather-long-name-of-a-project-of-somebody")
    for number in range(2):
        (pya.folder / "a.txt").write_text(str(number))
        pya("deploy", "--project", "site")
    for command, part in (("history", "deploy"), ("status", "last deploy"), ("doctor", "web app")):
        shown = on_terminal(pya, command, "--project", "site", columns=columns)
        assert part in shown
        # Messages are no tables, a command is to be copied, and a name may be longer than the line.
        tables = [line for line in shown.splitlines() if not re.match("warning:|error:|     *[$] ", line)]
        wide = [line for line in tables if len(line) > columns]
        assert not [line for line in wide if " " in line[24:]], shown


def test_a_table_fits_the_terminal_and_is_whole_elsewhere(host, pya):
    protected(host)
    lines = on_terminal(pya, "webapps", "list", columns=80).splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("password_protection_username") and line.endswith("ada") for line in lines)
    table = pya("webapps", "list").stdout.splitlines()
    assert len(table) == 2
    assert len(table[1]) > 80
    (home(host) / ("long" * 30)).write_text("")
    listed = on_terminal(pya, "ls", "-l", columns=40).splitlines()
    assert [len(line) for line in listed if "long" in line] == [40]
    assert "long" * 30 in pya("ls", "-l").stdout


@pytest.mark.parametrize("plain", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_a_plain_terminal_gets_no_control_sequences(host, pya, plain):
    for number in range(5):
        (pya.folder / f"{number}.txt").write_text("x")
    assert "\x1b[" in on_terminal(pya, "deploy", "--project", "first")
    for command in (["deploy", "--project", "second"], ["cat", "missing"], ["deploy", "--nothing"]):
        assert "\x1b" not in on_terminal(pya, *command, **plain)


def test_a_wait_for_the_rate_limit_counts_down(tmp_path):
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text("x")
    with Pya(tmp_path, {}).start("emulator", "--clock-speed", "12", **os.environ) as process:
        try:
            line = json.loads(process.stdout.readline())
            names = {"API_TOKEN": "token", "PYTHONANYWHERE_USERNAME": "user", "PYTHONANYWHERE_SITE": "url"}
            pya = Pya(tmp_path, dict(os.environ) | {name: line[key] for name, key in names.items()})
            page = tmp_path / "report.html"
            shown = on_terminal(pya, "deploy", "--project", "site", "--rate-limit", "6", "--report", str(page))
        finally:
            process.terminate()
            process.communicate(timeout=30)
    waits = [int(seconds) for seconds in re.findall(r"waiting (\d+) s for the rate limit", shown)]
    assert len(set(waits)) > 3, shown
    report = page.read_text()
    assert "at most 6 of 6 in a minute; some waited for " in report
    assert '<rect class="wait" x="' in report


@pytest.mark.parametrize("command", [["diff", "--project", "site", "--compare", "names"], ["ls", "-R", "site"]])
def test_commands_other_than_deploys_count_down_as_well(tmp_path, command):
    """Where nobody watches, a line says it once."""
    with Pya(tmp_path, {}).start(
        "emulator", "--clock-speed", "12", "--root", str(tmp_path / "host"), **os.environ
    ) as process:
        try:
            line = json.loads(process.stdout.readline())
            for number in range(6):
                (tmp_path / "host" / "home" / line["user"] / "site" / str(number)).mkdir(parents=True)
            names = {"API_TOKEN": "token", "PYTHONANYWHERE_USERNAME": "user", "PYTHONANYWHERE_SITE": "url"}
            pya = Pya(tmp_path, dict(os.environ) | {name: line[key] for name, key in names.items()})
            shown = on_terminal(pya, *command, "--rate-limit", "4")
            logged = pya(*command, "--rate-limit", "4")
        finally:
            process.terminate()
            process.communicate(timeout=30)
    waits = [int(seconds) for seconds in re.findall(r"waiting (\d+) s for the rate limit", shown)]
    assert len(set(waits)) > 3, shown
    assert len(re.findall(r"waiting \d+ s for the rate limit of files", logged.stderr)) in {1, 2}, logged.stderr


def test_a_deploy_that_was_stopped_while_it_waited_for_the_limit_goes_on(tmp_path):
    """It looks at the state folder first, which waits for the same limit as what was about to be sent."""
    site = tmp_path / "site"
    site.mkdir()
    for number in range(60):
        (site / f"{number}.txt").write_text("x")
    with Pya(site, {}).start(
        "emulator", "--clock-speed", "12", "--root", str(tmp_path / "host"), **os.environ
    ) as process:
        try:
            line = json.loads(process.stdout.readline())
            names = {"API_TOKEN": "token", "PYTHONANYWHERE_USERNAME": "user", "PYTHONANYWHERE_SITE": "url"}
            pya = Pya(site, dict(os.environ) | {name: line[key] for name, key in names.items()})
            remote = tmp_path / "host" / "home" / line["user"] / "site"
            with pya.start("deploy", "--project", "site") as deploy:
                # The first window, but for the requests about the state.
                while not remote.is_dir() or len(list(remote.iterdir())) < 35:
                    assert deploy.poll() is None, deploy.communicate()
                    time.sleep(0.01)
                deploy.send_signal(signal.SIGSTOP)
                time.sleep(1.5)
                deploy.send_signal(signal.SIGCONT)
                said = deploy.communicate(timeout=60)
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert deploy.returncode == 0, said
    assert len(list(remote.iterdir())) == 60
