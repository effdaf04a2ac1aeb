"""Every call of `Client` and every fault: the documented error or success, done once, and no token anywhere."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pythonanywhere_api import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    Client,
    ConflictError,
    ConsoleNotStartedError,
    DecodeError,
    ForbiddenError,
    NotFoundError,
    PythonAnywhereError,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)
from pythonanywhere_api.testing import set_clock_speed

from .account import ENDPOINTS, Account, account, arguments, call, clear
from .conftest import SOAK
from .kinds import Kind, kinds
from .outcomes import TOKEN, Outcome, Row, leaks, run
from .proxy import Proxy

CLASSES = {
    400: BadRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: ConsoleNotStartedError,
    429: RateLimitedError,
}
#: What a gzip bomb may take, in KiB: the documented limit of an answer, some copies of it, and no more.
MEMORY = 300 << 10
#: The families in which a call makes something that can be counted.
COUNTED = {"always_on", "schedule", "consoles", "webapps", "webapps.static_files", "webapps.static_headers", "websites"}


@pytest.fixture(scope="module")
def shared() -> Iterator[Account]:
    with account(students=["ada"]) as made:
        yield made


def is_repeatable(name: str) -> bool:
    """What the engine may send again after a failure that leaves open whether it was done."""
    return ENDPOINTS[name]["http"] != "POST" or name == "files.upload"


def chosen(name: str) -> list[tuple[Kind, str]]:
    """The cells of a row: all of them in a soak test, else a part that differs from row to row and covers all kinds."""
    cells = [(kind, position) for kind in kinds() for position in ("first", "every")]
    if SOAK:
        return cells
    shift = sorted(ENDPOINTS).index(name)
    fast = [cell for cell in cells if not cell[0].is_slow and "bomb" not in cell[0].name]
    rare = [cell for cell in cells if cell[0].is_slow or "bomb" in cell[0].name]
    # Neighbouring rows get other cells: after some rows every cell has had its turn, for calls of each kind.
    part = [cell for at, cell in enumerate(fast) if (at + shift) % 9 == 0]
    return part if shift % 5 else [*part, rare[shift // 5 % len(rare)]]


def expected(name: str, kind: Kind, position: str) -> tuple[type[BaseException], ...]:
    """What the call must raise; nothing where it must succeed."""
    if position == "first" and kind.passes and (is_repeatable(name) or kind.group == "throttle"):
        # A 429 that the service sends was not done, so it is always repeated, but for the limit of consoles.
        return (RateLimitedError,) if name == "consoles.create" and kind.group == "throttle" else ()
    match kind.group:
        case "connection":
            return (TransportError,)
        case "timeout":
            return (RequestTimeoutError,)
        case "throttle":
            return (RateLimitedError,)
        case "status":
            assert kind.status is not None
            if kind.status == 404 and not kind.in_json:
                # Not the service's own words: an error, but none that says that nothing is there.
                return (ApiError,)
            return (CLASSES.get(kind.status, ServerError if kind.status >= 500 else ApiError),)
        case _:
            return (DecodeError, ApiError)


def may_succeed(name: str, kind: Kind) -> bool:
    """Where success is as good as the error."""
    if kind.name.startswith("429 for ever"):
        # A number that nobody can mean: obeying it ends in an error, taking our own window instead in success.
        return True
    if name == "files.sharing_url" and kind.status == 404 and kind.in_json:
        # The one call for which "not there" is an answer.
        return True
    # What has no answer to be read takes any body with the documented status, but a page in HTML.
    undocumented = kind.name in ("an echo, 200 text", "a gzip bomb") and ENDPOINTS[name]["http"] != "DELETE"
    return undocumented and (
        ENDPOINTS[name]["returns"] == "None" or name in ("webapps.reload", "webapps.create", "files.upload")
    )


def peak() -> int:
    """The largest resident memory of this process since `forget_peak`, in KiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_a_call_ends_as_documented_whatever_goes_wrong(shared: Account, row: Row, name: str) -> None:
    row.name = f"Client.{name}"
    prepare = arguments(shared)[name]
    family = name.rpartition(".")[0]
    counts = name.endswith(".create") and family in COUNTED
    for kind, position in chosen(name):
        if kind.is_slow and name == "webapps.reload":
            # It waits for minutes, whatever time-out is asked for: a reload is silent for so long.
            continue
        cell = f"{kind.name}, {position}"
        shared.proxy.settle()
        if counts:
            clear(shared, family)
        args, kwargs = prepare()
        if name == "students.delete" and not shared.direct.students.list():
            # Students join an account by themselves: no call makes another one.
            break
        # A service that is slow because the machine is busy must not look like one that is silent.
        patience = (0.3 if position == "every" else 1.5) if kind.is_slow else 30.0
        retries = 1 if kind.is_slow and position == "every" else 3
        client = Client(shared.host.user, TOKEN, shared.proxy.url, timeout=patience, retries=retries)
        shared.host.clear_requests()
        plan = shared.proxy.spoil(kind.fault, times=1 if position == "first" else None)
        is_bomb = "bomb" in kind.name and sys.platform == "linux"
        before = forget_peak() if is_bomb else 0
        # A 429 may ask for minutes, and no socket is slow then.
        set_clock_speed(10_000 if kind.group == "throttle" else 1000)
        outcome = run(lambda c=client, n=name, a=args, k=kwargs: call(c, n, *a, **k))
        set_clock_speed(1)
        row.count(kind.group, outcome.word)
        judge(row, cell, name, kind, position, outcome)
        row.check(plan.spoilt, cell, "a fault was planned and never happened")
        if is_bomb:
            row.check(peak() - before < MEMORY, cell, "takes too much memory", f"{peak() - before} KiB")
        arrived = [r for r in shared.host.requests if r.method == ENDPOINTS[name]["http"]]
        if not is_repeatable(name):
            row.check(len(arrived) <= 1, cell, "done more than once", arrived)
        elif kind.group in ("status", "shape") and not kind.passes and position == "first":
            row.check(not arrived, cell, "repeated although the service had answered", arrived)
        shared.proxy.settle()
        if counts:
            made = len(call(shared.direct, f"{family}.list", *(args[:1] if "static" in family else ())))
            done = outcome.error is None or kind.takes_effect
            row.check(made == int(done), cell, f"made {made} times", outcome.word)
        elif name == "files.upload":
            there = (Path(shared.host.root) / args[0].lstrip("/")).exists()
            row.check(there or outcome.error or may_succeed(name, kind), cell, "called uploaded, and not there")
    row.finish()


def judge(row: Row, cell: str, name: str, kind: Kind, position: str, outcome: Outcome) -> None:
    row.check(not outcome.hangs, cell, "hangs")
    row.check(not leaks(outcome.output), cell, "shows the token", outcome.output)
    error, wanted = outcome.error, expected(name, kind, position)
    if may_succeed(name, kind) and error is None:
        return
    if not wanted:
        row.check(error is None, cell, "fails although it may be repeated", repr(error))
        return
    if error is None:
        row.blame(cell, "counts as success", outcome.value)
        return
    row.check(isinstance(error, PythonAnywhereError), cell, "no error of ours", repr(error))
    is_absence = isinstance(error, NotFoundError) and not kind.in_json and kind.status == 404
    row.check(not is_absence, cell, "takes a proxy's word for what is not there", repr(error))
    row.check(isinstance(error, wanted), cell, "another error than documented", f"{error!r}, not {wanted}")
    if isinstance(error, ApiError) and kind.group in ("status", "throttle"):
        row.check(error.status == kind.status, cell, "loses the status", repr(error))
    row.check(str(error).strip(), cell, "says nothing")
    row.check(len(str(error)) < 2000, cell, "quotes too much", len(str(error)))


@pytest.mark.parametrize("wrong", ["unknown", "other host", "expired", "no TLS"])
def test_a_certificate_that_is_wrong_ends_a_call_at_once(
    shared: Account, row: Row, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row.name = f"wrong certificate: {wrong}"
    data = Path(__file__).parents[1] / "data"
    name = "expired" if wrong == "expired" else "site"
    pair = (str(data / f"{name}.crt"), str(data / f"{name}.key"))
    if wrong in ("other host", "expired"):
        monkeypatch.setenv("SSL_CERT_FILE", pair[0])
    set_clock_speed(1000)
    with Proxy(shared.host.url, None if wrong == "no TLS" else pair) as proxy:
        client = Client(shared.host.user, TOKEN, proxy.url.replace("http:", "https:"))
        for name in sorted(ENDPOINTS)[:: 1 if SOAK else 10]:
            args, kwargs = arguments(shared)[name]()
            shared.host.clear_requests()
            connections = proxy.connections
            outcome = run(lambda n=name, a=args, k=kwargs: call(client, n, *a, **k))
            row.count("certificate", outcome.word)
            row.check(isinstance(outcome.error, TransportError), name, "no transport error", repr(outcome.error))
            row.check(not shared.host.requests, name, "something was sent", shared.host.requests)
            row.check(not leaks(outcome.output), name, "shows the token", outcome.output)
            attempts = proxy.connections - connections
            row.check(attempts <= 1 or wrong == "no TLS", name, "tried again", attempts)
    row.finish()
