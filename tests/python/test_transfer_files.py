"""`files.upload` and `files.download` with paths and file objects: streamed, on the caller's thread, all or nothing."""

import asyncio
import contextvars
import hashlib
import io
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import pytest
from conftest import environment
from interrupts import assert_soon

from pythonanywhere_api import AsyncClient, Client, ConfigError, NotFoundError, TransportError
from pythonanywhere_api.testing import Emulator, set_clock_speed

# So much is read at once.
PIECE = 256 * 1024
LENGTHS = [0, 1, 65535, 65536, 65537, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 2_500_000]


class Account:
    """`files` of a client of either kind, whose calls are waited for."""

    def __init__(self, kind, host, **options):
        self.kind, self.host = kind, host
        self.is_async = kind is AsyncClient
        self.files = kind(host.user, host.token, host.url, rate_limit="off", **options).files
        self.path = f"/home/{host.user}/file.bin"
        self.stored = pathlib.Path(host.root) / "home" / host.user / "file.bin"

    def __call__(self, name, *args):
        result = getattr(self.files, name)(*args)
        return asyncio.run(awaited(result)) if self.is_async else result

    def upload(self, content):
        return self("upload", self.path, content)

    def download(self, to):
        return self("download", self.path, to)


async def awaited(coroutine):
    return await coroutine


@pytest.fixture
def host(unlimited):
    # So that what waits between attempts does not wait for long.
    set_clock_speed(20)
    with Emulator(rate_limit=None) as host:
        yield host
    set_clock_speed(1)


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def account(request, host):
    return Account(request.param, host)


def pattern(length):
    """Bytes no piece of which is like another."""
    return (bytes(range(251)) * (length // 251 + 1))[:length]


class Stream(io.RawIOBase):
    """A binary file that cannot seek, and counts."""

    def __init__(self, content, fail_at=None):
        self.rest, self.reads, self.fail_at = io.BytesIO(content), 0, fail_at
        self.threads = set()

    def readable(self):
        return True

    def read(self, size=-1):
        self.reads += 1
        self.threads.add(threading.get_ident())
        if self.reads == self.fail_at:
            raise LookupError("the source is gone")
        return self.rest.read(size)


class Seekable(Stream):
    """The same, but seekable."""

    def seekable(self):
        return True

    def seek(self, offset, whence=0):
        return self.rest.seek(offset, whence)

    def tell(self):
        return self.rest.tell()


# ---- upload


@pytest.mark.parametrize("length", LENGTHS)
def test_every_source_arrives_whole(account, tmp_path, length):
    content = pattern(length)
    local = tmp_path / "local.bin"
    local.write_bytes(content)
    sources = {
        "bytes": lambda: content,
        "bytearray": lambda: bytearray(content),
        "memoryview": lambda: memoryview(content),
        "path": lambda: local,
        "bytes path": lambda: BytesPath(local),
        "file": lambda: local.open("rb"),
        "unbuffered": lambda: local.open("rb", buffering=0),
        "BytesIO": lambda: io.BytesIO(content),
        "stream": lambda: Stream(content),
        "seekable": lambda: Seekable(content),
    }
    for name, make in sources.items():
        account.stored.unlink(missing_ok=True)
        source = make()
        assert account.upload(source) is True, name
        assert account.stored.read_bytes() == content, name
        if hasattr(source, "close"):
            source.close()
    assert account.upload(local) is False


class BytesPath:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return os.fsencode(self.path)


def test_a_file_is_sent_from_where_it_stands(account):
    for kind in (io.BytesIO, Stream, Seekable):
        source = kind(b"headerbody")
        source.read(6)
        account.upload(source)
        assert account.stored.read_bytes() == b"body"
        assert source.read(1) == b""


def test_a_pipe_is_sent(account):
    reader, writer = os.pipe()
    content = pattern(1_000_000)

    def write():
        with open(writer, "wb") as file:
            file.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    with open(reader, "rb") as file:
        assert account.upload(file) is True
    thread.join()
    assert account.stored.read_bytes() == content


def test_files_are_used_on_the_callers_thread(account):
    for source in (Seekable(pattern(3 * PIECE)), Stream(pattern(3 * PIECE))):
        account.upload(source)
        assert source.threads == {threading.get_ident()}
        assert source.reads >= 4


def test_callbacks_of_async_files_have_the_callers_context(host):
    variable = contextvars.ContextVar("variable", default="none")
    seen = set()

    class Watching(Seekable):
        def read(self, size=-1):
            seen.add(variable.get())
            return super().read(size)

    async def main():
        variable.set("mine")
        await Account(AsyncClient, host).files.upload(f"/home/{host.user}/x", Watching(pattern(PIECE * 2)))

    asyncio.run(main())
    assert seen == {"mine"}


@pytest.mark.parametrize("kind", [Seekable, Stream])
def test_a_retry_sends_all_of_it_again(account, kind):
    content = pattern(2 * PIECE + 5)
    source = kind(b"skipped" + content)
    source.read(7)
    account.host.faults.add("reset", times=1, method="POST")
    account.host.faults.add("status", code=503, times=1, method="POST")
    assert account.upload(source) is True
    assert account.stored.read_bytes() == content


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("text", "not str: encode a text, or wrap the path"),
        (5, "not int"),
        (None, "not NoneType"),
        ([b"x"], "not list"),
        pytest.param(io.StringIO("text"), 'opened as text: open it with mode "rb"', id="text file"),
    ],
    ids=repr,
)
def test_what_is_no_content_is_refused_before_any_request(account, source, words):
    account.host.clear_requests()
    with pytest.raises(
        TypeError, match=r"files\.upload: content must be bytes, an os.PathLike or a binary file"
    ) as caught:
        account.upload(source)
    assert words in str(caught.value)
    assert account.host.requests == []


def test_a_hidden_text_file_is_refused_before_any_request(account):
    class Text(Seekable):
        def read(self, size=-1):
            return super().read(size).decode()

    account.host.clear_requests()
    for source in (Text(b"abc"), tempfile.NamedTemporaryFile("w+")):  # noqa: SIM115
        with source, pytest.raises(TypeError, match=r"its read\(\) returned str, not bytes|opened as text"):
            account.upload(source)
    assert account.host.requests == []


@pytest.mark.parametrize("kind", [Seekable, Stream])
def test_what_a_file_raises_reaches_the_caller_unchanged(account, kind):
    account.upload(b"before")
    for fail_at in (1, 3):
        with pytest.raises(LookupError, match=r"^'?the source is gone'?$"):
            account.upload(kind(pattern(4 * PIECE), fail_at=fail_at))
    assert account.stored.read_bytes() == b"before"


def test_a_closed_file_is_refused_before_any_request(account, tmp_path):
    local = tmp_path / "x"
    local.write_bytes(b"x")
    with local.open("rb") as file:
        pass
    account.host.clear_requests()
    with pytest.raises(ValueError, match="closed file"):
        account.upload(file)
    assert account.host.requests == []


@pytest.mark.parametrize("path", ["missing", "folder"])
def test_a_local_file_that_cannot_be_read_is_an_os_error(account, tmp_path, path):
    (tmp_path / "folder").mkdir()
    account.host.clear_requests()
    with pytest.raises(OSError, match=path):
        account.upload(tmp_path / path)
    assert account.host.requests == []


@pytest.mark.parametrize(("says", "words"), [(10, "shorter"), (-10, "longer")])
def test_a_file_that_is_not_as_long_as_it_says_replaces_nothing(account, says, words):
    class Lying(Seekable):
        def tell(self):
            end = super().tell()
            return end + says if end else 0

    account.upload(b"before")
    with pytest.raises(ConfigError, match=words):
        account.upload(Lying(pattern(PIECE + 50)))
    assert account.stored.read_bytes() == b"before"


def test_a_file_that_does_not_block_and_has_nothing_is_an_error(account):
    class Empty(Stream):
        def read(self, size=-1):
            return None if size else b""

    with pytest.raises(BlockingIOError):
        account.upload(Empty(b""))


def test_no_copy_of_a_stream_stays_behind(account, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    account.upload(Stream(pattern(PIECE)))
    with pytest.raises(LookupError):
        account.upload(Stream(pattern(PIECE), fail_at=2))
    assert list(tmp_path.iterdir()) == []


# ---- download


@pytest.mark.parametrize("length", LENGTHS)
def test_every_target_gets_all_of_it(account, tmp_path, length):
    content = pattern(length)
    account.upload(content)
    assert account.download(tmp_path / "path") == length
    assert account.download(str(tmp_path / "str")) == length
    with (tmp_path / "file").open("wb") as file:
        file.write(b"before ")
        assert account.download(file) == length
    with (tmp_path / "raw").open("wb", buffering=0) as file:
        assert account.download(file) == length
    memory = io.BytesIO()
    assert account.download(memory) == length
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {
        "path": content,
        "str": content,
        "file": b"before " + content,
        "raw": content,
    }
    assert memory.getvalue() == content


def test_a_file_that_takes_little_at_a_time_gets_all_of_it(account):
    class Slow(io.RawIOBase):
        def __init__(self):
            self.taken = bytearray()

        def writable(self):
            return True

        def write(self, data):
            part = bytes(data)[:7001]
            self.taken += part
            return len(part)

    content = pattern(PIECE + 3)
    account.upload(content)
    target = Slow()
    assert account.download(target) == len(content)
    assert target.taken == content


@pytest.mark.parametrize("target", [5, None, b"bytes", pytest.param(io.StringIO(), id="text file")], ids=repr)
def test_what_is_no_target_is_refused_before_any_request(account, target):
    account.host.clear_requests()
    with pytest.raises(TypeError, match=r"files\.download: to must be a path or a binary file object"):
        account.download(target)
    assert account.host.requests == []


def test_a_file_that_is_not_for_writing_is_refused_before_any_request(account, tmp_path):
    local = tmp_path / "x"
    local.write_bytes(b"x")
    account.host.clear_requests()
    with local.open("rb") as file, pytest.raises(io.UnsupportedOperation):
        account.download(file)
    assert account.host.requests == []


def test_a_failed_download_leaves_everything_as_it_was(account, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    target = tmp_path / "target"
    target.write_bytes(b"before")
    memory = io.BytesIO(b"before")
    for to in (target, memory, tmp_path / "new"):
        with pytest.raises(NotFoundError):
            account.download(to)
    account.upload(pattern(2_000_000))
    account.host.faults.add("truncate", bytes=1_000_000, method="GET")
    for to in (target, memory, tmp_path / "new"):
        with pytest.raises(TransportError):
            Account(account.kind, account.host, retries=0).download(to)
    assert target.read_bytes() == memory.getvalue() == b"before"
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["target", "tmp"]


def test_a_retry_downloads_it_from_its_start(account, tmp_path):
    content = pattern(1_000_000)
    account.upload(content)
    for to in (tmp_path / "target", io.BytesIO()):
        account.host.faults.add("truncate", bytes=500_000, times=1, method="GET")
        assert account.download(to) == len(content)
    assert (tmp_path / "target").read_bytes() == to.getvalue() == content


def test_what_a_target_raises_reaches_the_caller_unchanged(account):
    class Full(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            if data:
                raise LookupError("full")
            return 0

    account.upload(b"content")
    with pytest.raises(LookupError, match="full"):
        account.download(Full())


# ---- threads, signals, cancellation


def test_many_threads_transfer_at_once(host):
    account = Account(Client, host)
    failures = []

    def work(number):
        try:
            content = os.urandom(100_000 + number)
            path = f"/home/{host.user}/thread{number}"
            account.files.upload(path, Seekable(content))
            memory = io.BytesIO()
            account.files.download(path, memory)
            assert hashlib.sha256(memory.getvalue()).digest() == hashlib.sha256(content).digest()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_many_tasks_transfer_at_once(host):
    async def one(files, number):
        content = os.urandom(100_000 + number)
        path = f"/home/{host.user}/task{number}"
        await files.upload(path, Seekable(content))
        memory = io.BytesIO()
        await files.download(path, memory)
        assert memory.getvalue() == content

    async def main():
        files = Account(AsyncClient, host).files
        await asyncio.gather(*(one(files, number) for number in range(16)))

    asyncio.run(main())


def test_a_cancelled_download_leaves_nothing(host, tmp_path):
    account = Account(AsyncClient, host)
    account.upload(pattern(1_000_000))

    async def main():
        task = asyncio.create_task(awaited(account.files.download(account.path, tmp_path / "target")))
        while not host.held():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    host.faults.add("hold", stage="after")
    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_upload_replaces_nothing(host):
    account = Account(AsyncClient, host)
    account.upload(b"before")

    class Cancelling(Seekable):
        def read(self, size=-1):
            if self.reads == 2:
                task.cancel()
            return super().read(size)

    async def main():
        nonlocal task
        source = Cancelling(pattern(100 * PIECE))
        task = asyncio.create_task(awaited(account.files.upload(account.path, source)))
        with pytest.raises(asyncio.CancelledError):
            await task
        # Nothing of it goes on behind the caller's back, but for the pieces that were on their way.
        reads = 0
        while reads != source.reads:
            reads = source.reads
            await asyncio.sleep(0.3)
        assert reads < 50

    task = None
    asyncio.run(main())
    assert account.stored.read_bytes() == b"before"


INTERRUPTED = """
import io, os, sys, time
from pythonanywhere_api import Client
client = Client.from_env(rate_limit="off")
client.files.upload("/home/demo/x", b"before")

class Endless(io.RawIOBase):
    "Gives a first piece, then sleeps, so that a signal comes while the caller's own code runs."
    reads = position = 0
    def __init__(self, is_seekable): self.is_seekable = is_seekable
    def readable(self): return True
    def seekable(self): return self.is_seekable
    def seek(self, offset, whence=0): self.position = 1 << 22 if whence else offset
    def tell(self): return self.position
    def read(self, size=-1):
        self.reads += size > 0
        if self.reads == 2:
            print("first", flush=True)
            time.sleep(30)
        return b"x" * size

def download():
    print("first", flush=True)
    client.files.download("/home/demo/slow", io.BytesIO())

try:
    CALL
except KeyboardInterrupt:
    print("interrupted", time.monotonic_ns(), flush=True)
    print(client.files.read("/home/demo/x"), os.listdir(os.environ["TMPDIR"]), flush=True)
"""


@pytest.mark.parametrize(
    "call",
    [
        "client.files.upload('/home/demo/x', Endless(False))",
        "client.files.upload('/home/demo/x', Endless(True))",
        "download()",
    ],
    ids=["stream", "file", "download"],
)
def test_ctrl_c_ends_a_transfer(host, tmp_path, call):
    set_clock_speed(1)
    host.faults.add("slow", delay=30, path="*/slow")

    def attempt() -> float:
        with subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED.replace("CALL", call)],
            env=environment(host, TMPDIR=str(tmp_path)),
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "first\n"
            time.sleep(0.5)
            sent = time.monotonic_ns()
            process.send_signal(signal.SIGINT)
            word, moment = process.stdout.readline().split()
            assert word == "interrupted"
            assert process.stdout.readline() == "b'before' []\n"
        assert process.returncode == 0
        return (int(moment) - sent) / 1e9

    assert_soon(attempt, within=0.2)
