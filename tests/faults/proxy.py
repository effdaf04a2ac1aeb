"""A proxy in front of the emulator that spoils chosen requests, byte for byte.

The emulator's own faults are what users need. The matrix needs more: an answer that breaks off in its head, one that
repeats the request, a host that goes away in the middle. A proxy can do all of that to what the emulator really said,
and the emulator's log still tells which requests took effect.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import io
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

Ending = Literal["keep", "close", "reset", "silent", "down"]


@dataclass
class Request:
    method: str
    target: str
    head: bytes
    body: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.body


@dataclass
class Answer:
    """What goes back: bytes as they are, and what becomes of the connection."""

    content: bytes = b""
    ending: Ending = "keep"
    #: Seconds before the first byte.
    delay: float = 0.0
    #: In how many pieces it is sent, with a pause after each.
    pieces: int = 1


@dataclass
class Fault:
    """What happens to a request. With `takes_effect` the service gets it first, and `answer` gets what it said."""

    name: str
    answer: Callable[[Request, bytes], Answer]
    takes_effect: bool = False


@dataclass
class Plan:
    fault: Fault | None = None
    #: How many requests pass before.
    after: int = 0
    #: How many are spoilt; all of them without a number.
    times: int | None = None
    seen: int = 0
    spoilt: list[str] = field(default_factory=list)

    def take(self, request: Request) -> Fault | None:
        number, self.seen = self.seen, self.seen + 1
        if self.fault is None or number < self.after:
            return None
        if self.times is not None and number >= self.after + self.times:
            return None
        self.spoilt.append(f"{request.method} {request.target}")
        return self.fault


class Proxy:
    """Listens on loopback, and passes on to `backend` what no fault is planned for."""

    def __init__(self, backend: str, certificate: tuple[str, str] | None = None):
        parts = urlsplit(backend)
        assert parts.hostname
        assert parts.port
        self.backend = (parts.hostname, parts.port)
        self.plan = Plan()
        self.connections = 0
        self._tls = None
        if certificate:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*certificate)
        self._lock = threading.Lock()
        self._idle = threading.Condition()
        self._forwarding = 0
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def spoil(self, fault: Fault | None, after: int = 0, times: int | None = None) -> Plan:
        """Sets what happens to the requests that follow, and forgets what was set before."""
        self.plan = Plan(fault, after, times)
        return self.plan

    def up(self) -> None:
        """Listens, at the same port as before."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        """Refuses connections from now on, and ends those that are open."""
        listener, self._listener = self._listener, None
        if listener is not None:
            # Closing alone would leave the thread in `accept`, and the port open.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            _reset(connection)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # A client that is gone, or an end that a fault made: either way there is nobody to tell.
        with contextlib.suppress(OSError, http.client.HTTPException):
            if self._tls:
                connection.settimeout(60)
                connection = self._tls.wrap_socket(connection, server_side=True)
            with self._lock:
                self._open.add(connection)
            backend = http.client.HTTPConnection(*self.backend, timeout=120)
            try:
                with connection, connection.makefile("rb") as reader:
                    while (request := _read(reader)) and self._answer(connection, backend, request):
                        pass
            finally:
                backend.close()
        connection.close()
        with self._lock:
            self._open.discard(connection)

    def _forwarded(self, backend: http.client.HTTPConnection, request: Request) -> bytes:
        with self._idle:
            self._forwarding += 1
        try:
            return _forward(backend, request)
        finally:
            with self._idle:
                self._forwarding -= 1
                self._idle.notify_all()

    def settle(self) -> None:
        """Passes everything on again, and waits until what clients have given up has been done as well."""
        self.spoil(None)
        self.up()
        with self._idle:
            assert self._idle.wait_for(lambda: not self._forwarding, timeout=60)

    def _answer(self, connection: socket.socket, backend: http.client.HTTPConnection, request: Request) -> bool:
        with self._lock:
            fault = self.plan.take(request)
        real = b"" if fault and not fault.takes_effect else self._forwarded(backend, request)
        answer = fault.answer(request, real) if fault else Answer(real)
        if answer.delay:
            time.sleep(answer.delay)
        size = max(1, -(-len(answer.content) // answer.pieces))
        for start in range(0, len(answer.content), size):
            connection.sendall(answer.content[start : start + size])
            if answer.pieces > 1:
                time.sleep(0.005)
        if answer.ending == "silent":
            # Until the client has had enough.
            connection.recv(1)
        if answer.ending == "reset":
            # Whatever was sent should have arrived: a reset discards what has not.
            time.sleep(0.01 if answer.content else 0)
            _reset(connection)
        if answer.ending == "down":
            self.down()
        return answer.ending == "keep"


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Only the last reference closes a socket, and a reader still has one.
        raw = socket.socket(fileno=connection.detach())
        raw.close()


def _read(reader: io.BufferedReader) -> Request | None:
    lines: list[bytes] = []
    if reader.peek(1)[:1] == b"\x16":
        # A TLS handshake, which has no line to wait for.
        return None
    while (line := reader.readline(65536)) not in (b"", b"\r\n"):
        lines.append(line)
    if not lines or line == b"":
        return None
    method, target, _ = lines[0].decode("latin-1").split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (each.decode("latin-1").partition(":") for each in lines[1:])
    }
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = b""
        while length := int(reader.readline().split(b";")[0], 16):
            body += reader.read(length)
            reader.readline()
        reader.readline()
    else:
        body = reader.read(int(headers.get("content-length", 0)))
    return Request(method, target, b"".join(lines) + b"\r\n", body)


def _forward(backend: http.client.HTTPConnection, request: Request) -> bytes:
    """Sends a request on, and returns the answer as it goes over the wire, with a length."""
    lines = request.head.decode("latin-1").split("\r\n")[1:]
    backend.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, _, value in (line.partition(":") for line in lines if line):
        if name.lower() not in ("transfer-encoding", "content-length", "connection"):
            backend.putheader(name, value.strip().encode("latin-1"))
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        backend.putheader("Content-Length", str(len(request.body)))
    backend.endheaders(request.body or None)
    with backend.getresponse() as answer:
        body = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _REPLACED]
        # The emulator's clock runs as fast as the client's here, and that of the account's processes does not.
        kept.append(("Date", email.utils.formatdate(usegmt=True)))
        head = f"HTTP/1.1 {answer.status} {answer.reason}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in kept)
    if answer.status != 204:
        head += f"Content-Length: {len(body)}\r\n"
    return head.encode("latin-1") + b"\r\n" + body


_REPLACED = ("connection", "content-length", "transfer-encoding", "keep-alive", "date")
