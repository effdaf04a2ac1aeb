"""The faults of the matrix, and what each of them must look like to a caller."""

from __future__ import annotations

import email.utils
import functools
import gzip
import html
import json
import time
from dataclasses import dataclass, field
from urllib.parse import quote

from .proxy import Answer, Ending, Fault, Request

STATUSES = (
    400,
    401,
    402,
    403,
    404,
    405,
    406,
    408,
    409,
    410,
    412,
    413,
    418,
    422,
    451,
    500,
    501,
    502,
    503,
    504,
    507,
    520,
)
#: What the engine repeats where that is safe: a gateway answered, not the service.
TRANSIENT = (408, 502, 503, 504)
LOGIN = (
    b"<!DOCTYPE html><html><head><title>Log in</title></head><body><form action='/login/'>"
    b"<input name='auth-username'></form></body></html>"
)


@dataclass(frozen=True)
class Kind:
    """A fault, and what is documented about it."""

    name: str
    fault: Fault = field(compare=False, repr=False)
    #: "connection" (no whole answer), "timeout", "status", "throttle", or "shape" (not what is promised)
    group: str
    status: int | None = None
    #: Whether it is gone when asked again, so that what is safe to repeat succeeds.
    passes: bool = False
    #: Whether the service did what it was asked.
    takes_effect: bool = False
    #: How much of its time is spent in waiting that no clock of ours shortens.
    is_slow: bool = False

    @property
    def in_json(self) -> bool:
        """Whether an error is in the service's words, and not a page of whoever stands before it."""
        return self.name.endswith(("JSON", "json", "percent"))


def raw(status: int, body: bytes, kind: str = "application/json", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'Fault'}", f"Content-Length: {len(body)}"]
    if kind:
        lines.append(f"Content-Type: {kind}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def reply(status: int, body: bytes, kind: str = "application/json", ending: Ending = "keep", **headers: str) -> Fault:
    content = raw(status, body, kind, **headers)
    return Fault("", lambda _request, _real: Answer(content, ending))


def spoilt(takes_effect: bool, change) -> Fault:
    """A fault made of the real answer, or of one that looks like it where the service was not asked."""

    def answer(request: Request, real: bytes) -> Answer:
        return change(real or raw(200, b'{"detail": "' + b"x" * 200 + b'"}'))

    return Fault("", answer, takes_effect)


def halfway(content: bytes) -> bytes:
    """The head and half of the body; half of the head where there is no body."""
    head, _, body = content.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n" + body[: len(body) // 2] if body else head[: len(head) // 2]


def echo(status: int, form: str) -> Fault:
    """An answer that repeats the request, as error pages of frameworks and proxies do."""

    def answer(request: Request, _real: bytes) -> Answer:
        text = request.raw.decode("utf-8", "replace")
        if form == "json":
            return Answer(raw(status, json.dumps({"detail": text}).encode()))
        if form == "html":
            return Answer(
                raw(status, f"<html><body><pre>{html.escape(text)}</pre></body></html>".encode(), "text/html")
            )
        if form == "percent":
            return Answer(raw(status, json.dumps({"error": quote(text, safe="")}).encode()))
        if form == "location":
            secret = next(line for line in text.split("\r\n") if line.lower().startswith("authorization"))
            return Answer(raw(302, b"", "", Location=f"/login/?next={quote(secret)}"))
        return Answer(raw(status, text.encode(), "text/plain"))

    return Fault("", answer)


@functools.cache
def bomb() -> bytes:
    """100 kB that become 100 MiB, a JSON text."""
    return gzip.compress(b'{"detail": "' + b"0" * (100 << 20) + b'"}', compresslevel=9)


def throttles() -> list[Kind]:
    detail = b'{"detail": "Request was throttled. Expected available in 3 seconds."}'
    nothing = b'{"detail": "Request was throttled."}'
    soon = lambda: email.utils.formatdate(time.time() + 2, usegmt=True)  # noqa: E731

    def kind(name: str, fault: Fault, passes: bool = True) -> Kind:
        return Kind(f"429 {name}", fault, "throttle", 429, passes)

    by_date = Fault("", lambda _request, _real: Answer(raw(429, nothing, Retry_After=soon())))
    return [
        kind("with seconds", reply(429, nothing, Retry_After="2")),
        kind("with zero", reply(429, nothing, Retry_After="0")),
        kind("with a date", by_date),
        kind("with a date in the past", reply(429, nothing, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT")),
        kind("in words", reply(429, detail)),
        kind("silent about when", reply(429, nothing)),
        kind("as HTML", reply(429, b"<html><h1>Too Many Requests</h1></html>", "text/html")),
        kind("empty", reply(429, b"", "")),
        kind("with nonsense", reply(429, nothing, Retry_After="soon")),
        kind("with less than nothing", reply(429, nothing, Retry_After="-5")),
        kind("with a fraction", reply(429, nothing, Retry_After="1.5")),
        kind("for a day", reply(429, nothing, Retry_After="86400"), passes=False),
        kind("for ever", reply(429, nothing, Retry_After="9" * 30)),
        kind(
            "for ever in words",
            reply(429, b'{"detail": "Request was throttled. Expected available in ' + b"9" * 30 + b' seconds."}'),
        ),
    ]


def statuses() -> list[Kind]:
    made = []
    for status in STATUSES:
        bodies = {
            "JSON": (json.dumps({"detail": f"the service says {status}"}).encode(), "application/json"),
            "HTML": (f"<html><head><title>{status}</title></head><h1>{status}</h1></html>".encode(), "text/html"),
            "nothing": (b"", ""),
        }
        made += [
            Kind(f"{status} {form}", reply(status, body, kind), "status", status, status in TRANSIENT)
            for form, (body, kind) in bodies.items()
        ]
    shapes = {
        "message": {"message": "no", "code": "some_code"},
        "error": {"error": "no"},
        "error_type": {"status": "ERROR", "error_type": "x", "error_message": "no"},
        "strange": {"detail": [{"a": None}], "code": 7},
    }
    made += [Kind(f"400 {name}", reply(400, json.dumps(body).encode()), "status", 400) for name, body in shapes.items()]
    return made


def connections() -> list[Kind]:
    def kind(name: str, fault: Fault, group: str = "connection", **facts) -> Kind:
        return Kind(name, fault, group, passes=True, takes_effect=fault.takes_effect, **facts)

    made = [kind("down", Fault("", lambda _request, _real: Answer(ending="down")))]
    made[0] = Kind("down", made[0].fault, "connection", passes=False)
    for effect, when in ((False, "unheard"), (True, "done")):
        made += [
            kind(f"reset, {when}", spoilt(effect, lambda _content: Answer(ending="reset"))),
            kind(f"closed, {when}", spoilt(effect, lambda _content: Answer(ending="close"))),
            kind(f"reset in the head, {when}", spoilt(effect, lambda content: Answer(content[:12], "reset"))),
            kind(f"reset in the body, {when}", spoilt(effect, lambda content: Answer(halfway(content), "reset"))),
            kind(f"truncated, {when}", spoilt(effect, lambda content: Answer(halfway(content), "close"))),
            kind(f"garbage, {when}", spoilt(effect, lambda _content: Answer(b"\x00\x15\xff%PDF\r\n\r\n" * 4, "close"))),
            kind(f"silent, {when}", spoilt(effect, lambda _content: Answer(ending="silent")), "timeout", is_slow=True),
            kind(
                f"silent in the body, {when}",
                spoilt(effect, lambda content: Answer(halfway(content), "silent")),
                "timeout",
                is_slow=True,
            ),
        ]
    made += [
        kind(
            "a head without an end",
            Fault("", lambda _request, _real: Answer(b"HTTP/1.1 200 OK\r\n" + b"X-A: 1\r\n" * 100_000, "close")),
        ),
        kind("a wrong length", spoilt(True, lambda content: Answer(_longer(content), "close"))),
        kind(
            "a wrong chunk",
            Fault(
                "",
                lambda _request, _real: Answer(
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\nzz\r\n{}",
                    "close",
                ),
            ),
        ),
    ]
    return made


def _longer(content: bytes) -> bytes:
    head, _, body = content.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
    lines[0] = b"HTTP/1.1 200 OK"
    return b"\r\n".join([*lines, f"Content-Length: {len(body) + 100}".encode(), b"", b""]) + body


def shapes() -> list[Kind]:
    """Answers that arrive whole, but are not what the endpoint promises."""

    def kind(name: str, fault: Fault, status: int = 200) -> Kind:
        return Kind(name, fault, "shape", status)

    squeezed = {"Content_Encoding": "gzip"}
    return [
        kind("a login page", reply(200, LOGIN, "text/html; charset=utf-8")),
        kind("a login page, 201", reply(201, LOGIN, "text/html"), 201),
        kind("a redirect", reply(302, b"", "", Location="/login/?next=/"), 302),
        kind("a redirect elsewhere", reply(301, b"", "", Location="http://127.0.0.1:9/elsewhere"), 301),
        kind("a redirect to nowhere", reply(307, b"", ""), 307),
        kind("300", reply(300, b"{}"), 300),
        kind("304", reply(304, b"", ""), 304),
        Kind("a gzip bomb", reply(200, bomb(), **squeezed), "shape", 200),
        Kind("a gzip bomb, 500", reply(500, bomb(), **squeezed), "status", 500),
        Kind("a gzip bomb, 404", reply(404, bomb(), **squeezed), "status", 404),
    ]


def echoes() -> list[Kind]:
    made = [
        Kind(f"an echo, {status} {form}", echo(status, form), "status" if status >= 400 else "shape", status)
        for status in (400, 403, 404, 500)
        for form in ("json", "html", "percent", "text")
    ]
    made += [Kind(f"an echo, 200 {form}", echo(200, form), "shape", 200) for form in ("html", "text")]
    return [*made, Kind("an echo, location", echo(302, "location"), "shape", 302)]


@functools.cache
def kinds() -> tuple[Kind, ...]:
    return (*connections(), *statuses(), *throttles(), *shapes(), *echoes())
