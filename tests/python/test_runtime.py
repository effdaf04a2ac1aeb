"""Threads, signals, forks, event loops, the end of the interpreter: real processes, real signals."""

import asyncio
import contextvars
import pickle
import signal
import socketserver
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from conftest import PROJECT, environment, write_tree
from interrupts import assert_soon

import pythonanywhere_api
from pythonanywhere_api import AsyncPythonanywhereApi, PythonanywhereApi, _core
from pythonanywhere_api.testing import Emulator

PRELUDE = """
import asyncio, os, signal, sys, threading, time
from pythonanywhere_api import AsyncPythonanywhereApi, PythonanywhereApi
api = PythonanywhereApi.from_env("mysite")
"""


def script(host, body, **more):
    """Runs a script against the emulator and returns the finished process."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", PRELUDE + textwrap.dedent(body)],
        env=environment(host, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check(done):
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    assert done.stderr == ""
    return done.stdout.split()


# ---- Ctrl-C


INTERRUPTED = """
api.available_consoles()
try:
    print("first", flush=True)
    CALL
except KeyboardInterrupt:
    print("interrupted", time.monotonic_ns(), flush=True)
    # What was given up leaves the class usable.
    os.environ["PYTHONANYWHERE_RATE_LIMIT"] = "off"
    print(api.available_consoles() is not None, flush=True)
"""


@pytest.mark.parametrize(
    "call",
    [
        "api.available_consoles()",
        "list(api.files_iterator('**')); list(api.files_iterator('**')); api.available_consoles()",
        "asyncio.run(AsyncPythonanywhereApi.from_env('mysite').available_consoles())",
    ],
    ids=["call", "iterator", "async"],
)
def test_ctrl_c_ends_a_wait_for_the_rate_limit_within_200_ms(host, call):
    source = PRELUDE + INTERRUPTED.replace("CALL", call)

    def attempt() -> float:
        with subprocess.Popen(
            [sys.executable, "-c", source],
            env=environment(host, PYTHONANYWHERE_RATE_LIMIT="1"),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "first\n"
            time.sleep(0.7)
            sent = time.monotonic_ns()
            process.send_signal(signal.SIGINT)
            word, moment = process.stdout.readline().split()
            assert word == "interrupted"
            assert process.stdout.readline() == "True\n"
        assert process.returncode == 0
        return (int(moment) - sent) / 1e9

    assert_soon(attempt, within=0.2)


def test_ctrl_c_ends_a_request_whose_answer_does_not_come(host):
    host.faults.add("slow", delay=100)
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + "print('go', flush=True)\napi.available_consoles()"],
        env=environment(host),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not host.requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=50)
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in errors


def test_signal_handlers_run_during_a_call_and_let_it_go_on(host):
    host.faults.add("slow", delay=0.6, times=1)
    done = script(
        host,
        """
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append("alarm"))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        print(api.available_consoles() is not None, seen)
        """,
    )
    assert check(done) == ["True", "['alarm']"]


# ---- fork


FORKS = {
    "os.fork": """
        pid = os.fork()
        if pid == 0:
            ok = api.available_consoles() is not None and list(api.files_iterator("**")) == ["x.py"]
            os._exit(0 if ok else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """,
    "multiprocessing": """
        import multiprocessing
        with multiprocessing.get_context("fork").Pool(3) as pool:
            print(int(pool.map(api.deployed_file_content, ["x.py"] * 9) != [b"1"] * 9))
    """,
    "grandchild": """
        def child(depth):
            pid = os.fork()
            if pid == 0:
                ok = api.deployed_file_content("x.py") == b"1"
                os._exit(child(depth - 1) if ok and depth else int(not ok))
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(child(3))
    """,
    "while busy": """
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                api.deployed_file_content("x.py")
        threads = [threading.Thread(target=busy) for _ in range(4)]
        [thread.start() for thread in threads]
        codes = []
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                os._exit(int(api.deployed_file_content("x.py") != b"1"))
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop.set()
        [thread.join() for thread in threads]
        print(max(codes))
    """,
    "iterator": """
        files = api.files_iterator("**")
        assert next(files) == "x.py"
        pid = os.fork()
        if pid == 0:
            try:
                list(files)
            except RuntimeError as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """,
    "asyncio": """
        aio = AsyncPythonanywhereApi.from_env("mysite")
        assert asyncio.run(aio.deployed_file_content("x.py")) == b"1"
        pid = os.fork()
        if pid == 0:
            os._exit(int(asyncio.run(aio.deployed_file_content("x.py")) != b"1"))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """,
    "in a callback": """
        def fork(path):
            pid = os.fork()
            if pid == 0:
                try:
                    ok = api.deployed_file_content("x.py") == b"1"
                finally:
                    os._exit(0 if ok else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        api.find_project_files("*", fork)
    """,
}


@pytest.mark.parametrize("body", FORKS.values(), ids=FORKS)
def test_a_forked_child_works(host, body):
    write_tree(host, {"x.py": b"1"})
    # From 3.12 on, Python warns of any fork of a process with threads. That it works all the same is what is tested.
    quiet = 'import warnings\nwarnings.filterwarnings("ignore", "This process", DeprecationWarning)\n'
    first = 'assert api.deployed_file_content("x.py") == b"1"\n'
    assert check(script(host, quiet + first + textwrap.dedent(body))) == ["0"]


# ---- threads


def test_other_threads_run_during_a_call(host):
    host.faults.add("slow", delay=0.5, times=1)
    api = PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    ticks = 0
    worker = threading.Thread(target=api.available_consoles)
    worker.start()
    while worker.is_alive():
        ticks += 1
        time.sleep(0.005)
    assert ticks > 10


def test_ten_threads_share_one_budget(host):
    # 20 requests a minute, 30 wanted: the budget lets 20 go at once and keeps the others back.
    source = """
        def work():
            mine = PythonanywhereApi.from_env("mysite")
            for _ in range(3):
                mine.available_consoles()
        for _ in range(10):
            threading.Thread(target=work, daemon=True).start()
        sys.stdin.read()
    """
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(source)],
        env=environment(host, PYTHONANYWHERE_RATE_LIMIT="20"),
        stdin=subprocess.PIPE,
    ) as process:
        wait_until(lambda: len(host.requests) >= 20)
        # One more would come now: the next one that may go is due in some seconds.
        time.sleep(0.5)
        process.communicate(b"", timeout=60)
    assert process.returncode == 0
    assert len(host.requests) == 20
    assert all(request.status == 200 for request in host.requests)


def test_callbacks_run_on_the_calling_thread(host):
    write_tree(host, {"x.py": b"1"})
    api = PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    seen = []
    api.find_project_files("**", lambda path: seen.append(threading.get_ident()))
    assert seen == [threading.get_ident()]


# ---- who drives: nothing but a waiting thread, or the attendant while it is away


@pytest.fixture
def stumbling(unlimited):
    """A project of four folders, one of which fails twice first: 7 requests, the last after a back-off."""
    with Emulator(rate_limit=None) as host:
        write_tree(host, {f"{folder}/x.py": b"1" for folder in "abcd"})
        host.faults.add("status", code=503, path="**/d/", times=2)
        yield host


def test_requests_go_on_while_a_callback_runs(stumbling):
    api = PythonanywhereApi(stumbling.url, stumbling.user, stumbling.token, PROJECT)

    def skip(path):
        if path.endswith(".py"):
            wait_until(lambda: len(stumbling.requests) == 7)
        return False

    assert api.find_project_files("**", skip) == {"a/x.py", "b/x.py", "c/x.py", "d/x.py"}


def test_a_search_runs_ahead_while_the_caller_works(stumbling):
    api = PythonanywhereApi(stumbling.url, stumbling.user, stumbling.token, PROJECT)
    files = api.files_iterator("**")
    first = next(files)
    wait_until(lambda: len(stumbling.requests) == 7)
    assert sorted([first, *files]) == ["a/x.py", "b/x.py", "c/x.py", "d/x.py"]


def test_a_callback_may_call_the_package(host):
    write_tree(host, {"a/x.py": b"1", "b/x.py": b"2"})
    api = PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    contents = {}

    def skip(path):
        if path.endswith(".py"):
            contents[path] = api.deployed_file_content(path)
        return False

    assert api.find_project_files("**", skip) == {"a/x.py", "b/x.py"}
    assert contents == {"a/x.py": b"1", "b/x.py": b"2"}


def test_connections_that_the_server_closed_meanwhile_are_not_used():
    with ClosingServer() as server:
        api = PythonanywhereApi(server.url, "me", "0" * 40, PROJECT)
        for count in range(1, 6):
            # A POST that creates is not repeated: it fails if it is sent to a connection that is no more.
            assert api._request("consoles/", "create", "POST").status_code == 200, api.error_message
            assert server.requests == count
            server.closed.wait()
            server.closed.clear()


async def test_threads_and_tasks_call_at_the_same_time(host):
    write_tree(host, {"x.py": b"1"})
    blocking = PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    awaited = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    in_threads = [asyncio.to_thread(blocking.deployed_file_content, "x.py") for _ in range(20)]
    in_tasks = [awaited.deployed_file_content("x.py") for _ in range(20)]
    assert await asyncio.gather(*in_threads, *in_tasks) == [b"1"] * 40


class ClosingServer(socketserver.ThreadingTCPServer):
    """Answers one request for each connection, and closes it without having said so."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.requests = 0
        self.closed = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *args):
        self.shutdown()
        super().__exit__(*args)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        self.closed.set()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
            self.server.requests += 1
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def wait_until(condition):
    """Fails by the suite's time limit if it never comes true."""
    while not condition():
        time.sleep(0.005)


# ---- asyncio


async def test_callbacks_run_on_the_loop_with_the_callers_context(host):
    write_tree(host, {"x.py": b"1"})
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    name = contextvars.ContextVar("name", default="nobody")
    name.set("caller")
    seen = []
    await api.find_project_files("**", lambda path: seen.append((threading.get_ident(), name.get())))
    assert seen == [(threading.get_ident(), "caller")]


async def test_calls_are_coroutines(host):
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    coroutine = api.deployed_version()
    assert asyncio.iscoroutine(coroutine)
    task = asyncio.create_task(coroutine)
    assert await task == ""
    with pytest.raises(RuntimeError, match="already awaited"):
        await coroutine
    never_awaited = api.deployed_version()
    never_awaited.close()
    results = await asyncio.gather(*(api.deployed_version() for _ in range(50)))
    assert results == [""] * 50


async def test_cancelling_drops_the_request(host):
    host.faults.add("slow", delay=20, times=1)
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    task = asyncio.create_task(api.available_consoles())
    while not host.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    host.faults.add("slow", delay=20, times=1)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(api.available_consoles(), 0.1)
    host.faults.clear()
    assert await api.available_consoles() is not None


async def test_cancelling_ends_a_wait_for_the_rate_limit(host, monkeypatch):
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "1")
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    await api.available_consoles()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(api.available_consoles(), 0.1)
    assert len(host.requests) == 1


def test_several_loops_one_after_the_other_and_in_threads(host):
    write_tree(host, {"x.py": b"1"})
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)

    async def read():
        files = [item async for item in api.files_iterator("**")]
        return files, await api.deployed_file_content("x.py")

    for _ in range(3):
        assert asyncio.run(read()) == (["x.py"], b"1")
    results = []
    threads = [threading.Thread(target=lambda: results.append(asyncio.run(read()))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(["x.py"], b"1")] * 4


def test_uvloop(host):
    uvloop = pytest.importorskip("uvloop")
    write_tree(host, {"x.py": b"1"})
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    asked = []

    async def read():
        found = await api.find_project_files("**", asked.append)
        return found, await asyncio.gather(*(api.deployed_file_content("x.py") for _ in range(20)))

    assert uvloop.run(read()) == ({"x.py"}, [b"1"] * 20)
    assert asked == ["x.py"]


def test_other_tasks_run_during_a_call(host):
    host.faults.add("slow", delay=0.4, times=1)
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)

    async def both():
        ticks = 0
        task = asyncio.create_task(api.available_consoles())
        while not task.done():
            ticks += 1
            await asyncio.sleep(0.005)
        return ticks

    assert asyncio.run(both()) > 10


# ---- the end of the interpreter


EXITS = {
    "daemon threads": """
        for _ in range(8):
            threading.Thread(target=lambda: [api.available_consoles() for _ in range(10**6)], daemon=True).start()
        time.sleep(0.3)
    """,
    "daemon threads that search with a callback": """
        def search():
            while True:
                api.find_project_files("**", lambda path: False)
        for _ in range(8):
            threading.Thread(target=search, daemon=True).start()
        time.sleep(0.3)
    """,
    "an event loop in a daemon thread": """
        aio = AsyncPythonanywhereApi.from_env("mysite")
        async def forever():
            while True:
                await asyncio.gather(*(aio.find_project_files("**", lambda path: False) for _ in range(8)))
        threading.Thread(target=asyncio.run, args=(forever(),), daemon=True).start()
        time.sleep(0.3)
    """,
    "an abandoned iterator": """
        files = api.files_iterator("**")
        next(files)
    """,
    "an abandoned coroutine": """
        aio = AsyncPythonanywhereApi.from_env("mysite")
        async def main():
            asyncio.get_running_loop().create_task(aio.available_consoles())
            await asyncio.sleep(0)
        asyncio.run(main())
        aio.available_consoles()
    """,
    "a call at exit": """
        import atexit
        atexit.register(api.available_consoles)
    """,
    "sys.exit in a callback": """
        api.find_project_files("**", lambda path: sys.exit(0))
    """,
}


@pytest.mark.parametrize("body", EXITS.values(), ids=EXITS)
def test_exit_with_work_in_flight_neither_hangs_nor_crashes(host, body):
    write_tree(host, {f"{letter}/x.py": b"1" for letter in "abcdefgh"} | {"x.py": b"1"})
    check(script(host, body, PYTHONANYWHERE_RATE_LIMIT="off"))


# ---- the module


def test_nothing_starts_and_nothing_is_read_at_import():
    source = """
        import os, sys, threading
        before = set(sys.modules)
        import pythonanywhere_api
        threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else threading.active_count()
        heavy = {"asyncio", "logging", "json", "ssl", "requests", "http"} & (set(sys.modules) - before)
        print(threads, sorted(heavy))
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1 []\n"


def test_a_second_interpreter_gets_a_clear_import_error():
    # As mod_wsgi makes them: Python itself refuses such a module only in those with a lock of their own.
    source = """
        import sys, textwrap
        import pythonanywhere_api
        if sys.version_info >= (3, 13):
            import _interpreters as interpreters
            second = interpreters.create("legacy")
        else:
            import _xxsubinterpreters as interpreters
            second = interpreters.create(isolated=False)
        code = '''
        try:
            import pythonanywhere_api
        except ImportError as error:
            print(error)
        '''
        interpreters.run_string(second, textwrap.dedent(code))
        interpreters.destroy(second)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)], capture_output=True, text=True, timeout=30, check=False
    )
    assert "in use in another interpreter" in done.stdout, done.stderr
    assert done.returncode == 0, done.stderr


def test_every_kind_of_error_has_its_exception():
    raised_as_they_came = {"Local", "Callback"}
    for kind, name in _core._error_classes():
        if kind in raised_as_they_came:
            assert name is None
        else:
            assert issubclass(getattr(pythonanywhere_api, name), pythonanywhere_api.PythonAnywhereError), kind


@pytest.mark.parametrize(
    ("name", "bases"),
    [
        ("ConfigError", (ValueError,)),
        ("TransportError", (ConnectionError, OSError)),
        ("RequestTimeoutError", (TimeoutError, pythonanywhere_api.TransportError)),
        ("BadRequestError", (ValueError, pythonanywhere_api.ApiError)),
        ("ForbiddenError", (PermissionError, pythonanywhere_api.ApiError)),
        ("NotFoundError", (FileNotFoundError, pythonanywhere_api.ApiError)),
        ("ConsoleNotStartedError", (pythonanywhere_api.ApiError,)),
        ("PythonAnywhereWarning", (UserWarning,)),
    ],
)
def test_exceptions_are_what_people_expect_and_pickle(name, bases):
    kind = getattr(pythonanywhere_api, name)
    assert issubclass(kind, bases)
    facts = {"status": 404, "path": "/x", "retry_after": 1.5} if issubclass(kind, pythonanywhere_api.ApiError) else {}
    error = kind("it went wrong", **facts)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(copy), str(copy), vars(copy)) == (kind, "it went wrong", vars(error))


def test_log_records_reach_pythons_logging(host):
    host.faults.add("status", code=503, times=1)
    done = script(
        host,
        """
        import logging
        logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(name)s %(levelname)s")
        api.available_consoles()
        """,
    )
    assert check(done)[:2] == ["pythonanywhere_api.client.send", "DEBUG"]
