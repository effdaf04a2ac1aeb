"""`consoles.run`: commands in real terminals, typed and waited for."""

import asyncio
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from pythonanywhere_api import (
    AsyncClient,
    Client,
    ConfigError,
    ConsoleNotStartedError,
    ForbiddenError,
    NotFoundError,
)
from pythonanywhere_api.testing import Emulator
from pythonanywhere_api.types import ConsoleOutput


class Account:
    """Consoles of a client of either kind, whose commands are waited for."""

    def __init__(self, kind, host):
        self.host = host
        self.is_async = kind is AsyncClient
        self.consoles = kind(host.user, host.token, host.url, rate_limit="off").consoles
        self.maker = Client(host.user, host.token, host.url, rate_limit="off").consoles

    def open(self, executable="bash", arguments=""):
        console = self.maker.create(executable, arguments)
        urllib.request.urlopen(self.host.url + console["console_url"]).close()
        return console["id"]

    def run(self, *args, **kwargs):
        result = self.consoles.run(*args, **kwargs)
        return asyncio.run(awaited(result)) if self.is_async else result

    def left_behind(self):
        return list((Path(self.host.root) / "home" / self.host.user).glob(".pya-run-*"))


async def awaited(coroutine):
    return await coroutine


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, send_input_limit=None, account="paid") as host:
        yield host


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def account(request, host):
    return Account(request.param, host)


def test_the_output_of_a_shells_command_comes_back_exactly(account):
    console = account.open()
    for command, output, status in [
        ("echo hi", "hi\n", 0),
        ("true", "", 0),
        ("printf 'no newline'", "no newline", 0),
        ("echo out; echo err >&2; false", "out\nerr\n", 1),
        ("(exit 42)", "", 42),
        ("cd /tmp", "", 0),
        ("pwd", "/tmp\n", 0),
        ("echo 'it!' \"$((6*7))\" \\\\ `echo x`", "it! 42 \\ x\n", 0),
        ("for i in 1 2\ndo\n\techo $i\ndone", "1\n2\n", 0),
        ("cat <<E\nhére\nE", "hére\n", 0),
        ("printf '\\033[31mred\\033[0m\\n'", "red\n", 0),
        ("printf '10%%\\r20%%\\r100%%\\n'", "100%\n", 0),
    ]:
        result = account.run(console, command)
        assert (result, result.exit_status, result.is_complete) == (output, status, True), command
        assert type(result) is ConsoleOutput
    assert account.left_behind() == []


def test_a_syntax_error_is_an_output_and_a_status(account):
    console = account.open()
    result = account.run(console, "if then")
    assert "syntax error" in result
    assert result.exit_status not in (0, None)
    assert account.run(console, "echo 'unclosed").exit_status != 0
    assert account.run(console, "echo fine") == "fine\n"


def test_long_output_comes_back_whole(account):
    console = account.open()
    result = account.run(console, "seq 1 20000")
    assert result.splitlines() == [str(number) for number in range(1, 20001)]


def test_a_command_wider_than_the_terminal_is_no_problem(account):
    console = account.open()
    words = " ".join(f"word{number}" for number in range(200))
    assert account.run(console, f"echo {words}") == words + "\n"


def test_an_id_may_be_text(account):
    assert account.run(str(account.open()), "echo hi") == "hi\n"


def test_a_command_that_does_not_end_is_told_and_goes_on(account):
    console = account.open()
    with pytest.raises(TimeoutError, match=r"no end of the command within 1\.0 s"):
        account.run(console, "sleep 2; touch ~/done", timeout=1)
    # Nothing is typed into what runs there.
    account.maker.send_input(console, "\n")
    assert account.run(console, "ls ~/done | wc -l", timeout=20) == "1\n"


@pytest.mark.parametrize("ends", ["poll", "limit"])
def test_a_command_that_is_given_up_leaves_no_file_even_when_it_ends_later(account, ends):
    console = account.open()
    account.run(console, "true")
    if ends == "poll":
        # The first one is for the prompt.
        fault = account.host.faults.add("status", code=403, path="*get_latest_output/", after=1, times=1)
        with pytest.raises(ForbiddenError):
            account.run(console, "sleep 2; echo late; touch ~/done")
        account.host.faults.remove(fault)
    else:
        with pytest.raises(TimeoutError):
            account.run(console, "sleep 2; echo late; touch ~/done", timeout=1)
    assert account.left_behind() == []
    done = Path(account.host.root) / "home" / account.host.user / "done"
    while not done.exists():
        time.sleep(0.05)
    # Only now the shell has ended the line.
    assert account.run(console, "echo hi", timeout=60) == "hi\n"
    assert account.left_behind() == []


@pytest.mark.usefixtures("hurried")
def test_nothing_is_typed_where_there_is_no_prompt(account):
    console = account.open()
    account.run(console, "true")
    account.maker.send_input(console, "python3 -q\n")
    while ">>> " not in account.maker.latest_output(console):
        pass
    account.host.clear_requests()
    with pytest.raises(ConfigError, match='not at its prompt, so nothing was typed: its last line is ">>> "'):
        account.run(console, "echo hi")
    assert not any(request.method == "POST" for request in account.host.requests)


def test_a_console_that_was_not_started_says_which_page_to_open(account):
    console = account.maker.create()
    with pytest.raises(ConsoleNotStartedError) as caught:
        account.run(console["id"], "ls")
    assert caught.value.browser_url == account.host.url + console["console_url"]


def test_a_console_that_is_not_there_is_not_found(account):
    with pytest.raises(NotFoundError):
        account.run(99, "ls")


@pytest.mark.parametrize("args", [("x", "ls"), (1, ""), (1, " \n"), (-1, "ls")], ids=repr)
def test_what_cannot_be_is_refused_before_any_request(account, args):
    account.host.clear_requests()
    with pytest.raises(ConfigError):
        account.run(*args)
    assert account.host.requests == []


def test_a_command_that_is_too_long_is_refused(account):
    console = account.open()
    with pytest.raises(ConfigError, match="too long to type"):
        account.run(console, "echo " + "x" * 5000)


def test_python_consoles_answer_with_what_they_print(account):
    console = account.open("python3", "-q")
    for command, output in [
        ("6 * 7", "42\n"),
        ("x = 1", ""),
        ("x = 1", ""),
        ("print('a\\nb')", "a\nb\n"),
        ("'" + "y" * 100 + "'", "'" + "y" * 100 + "'\n"),
    ]:
        result = account.run(console, command)
        assert (result, result.is_complete, result.exit_status) == (output, True, None), command


def test_the_same_command_again_and_again_ends_each_time(account):
    console = account.open("python3", "-q")
    assert [account.run(console, "1") for _ in range(30)] == ["1\n"] * 30


def test_output_whose_beginning_is_lost_says_so(account):
    console = account.open("python3", "-q")
    result = account.run(console, "print('\\n'.join(str(number) for number in range(1000)))")
    assert result.is_complete is False
    first, *_, last = result.splitlines()
    assert first.startswith("[the service keeps about 500 characters")
    assert last == "999"


def test_few_requests_are_made(account):
    console = account.open()
    account.run(console, "true")
    account.host.clear_requests()
    begun = time.monotonic()
    account.run(console, "sleep 3; echo hi")
    # What a busy machine takes longer is looked at every three seconds.
    looks = 9 + int(max(0.0, time.monotonic() - begun - 6) / 3)
    kinds = [request.path.split("/")[-2] for request in account.host.requests]
    assert kinds.count("send_input") == 1
    assert kinds.count("get_latest_output") <= looks
    assert len(account.host.requests) <= looks + 4


def test_threads_run_in_consoles_of_their_own(host):
    account = Account(Client, host)
    consoles = [account.open() for _ in range(4)]
    results = {}

    def work(console):
        results[console] = [account.run(console, f"echo {console}.{number}") for number in range(3)]

    threads = [threading.Thread(target=work, args=(console,)) for console in consoles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {console: [f"{console}.{number}\n" for number in range(3)] for console in consoles}


def test_output_is_text_that_pickles():
    import copy
    import pickle

    output = ConsoleOutput("text", 3, is_complete=False)
    for twin in (pickle.loads(pickle.dumps(output)), copy.copy(output)):  # noqa: S301
        assert (twin, twin.exit_status, twin.is_complete) == ("text", 3, False)
