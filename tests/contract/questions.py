"""What nobody documents of the service, as questions with a probe for each.

A probe says what it saw, and raises `NotObserved` where it cannot see. No answer is right or wrong: the client works
with each, and the emulator has a switch for those that matter; `test_switches.py` proves that the probes tell the
switches' settings apart.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from .account import Account, NotObserved
from .agent import agent
from .throttling import measured

Probe = Callable[[Account], tuple[Any, str]]


@dataclass(frozen=True)
class Question:
    """A question about the service."""

    key: str
    asks: str
    probe: Probe


QUESTIONS: dict[str, Question] = {}


def question(asks: str) -> Callable[[Probe], Probe]:
    """Makes a question of a probe, which returns the answer as a value and in words."""

    def register(probe: Probe) -> Probe:
        QUESTIONS[probe.__name__] = Question(probe.__name__, asks, probe)
        return probe

    return register


# ---- the rate limit


@question("Does a 429 carry Retry-After?")
def retry_after(account: Account) -> tuple[Any, str]:
    header = measured(account).retry_after
    return header is not None, f"Retry-After: {header}" if header is not None else "no such header"


@question("Has each method of an endpoint a limit of its own?")
def bucket_per_method(account: Account) -> tuple[Any, str]:
    status = measured(account).other_method
    return status != 429, f"after GET was throttled, DELETE of the same endpoint answered {status}"


@question("Do refused requests count?")
def refused_requests_count(account: Account) -> tuple[Any, str]:
    status = measured(account).after_refusals
    return status == 429, f"after five refused requests and the wait that was told first, the next answered {status}"


@question("Does each request's minute end on its own (a sliding log)?")
def sliding_log(account: Account) -> tuple[Any, str]:
    first, second = measured(account).after_the_first_minute
    words = f"one request, 30 s, the rest, and when the first turned a minute old: {first}, then {second}"
    return (first != 429, second == 429) == (True, True), words


@question("How many requests a minute pass?")
def requests_a_minute(account: Account) -> tuple[Any, str]:
    passed = measured(account).passed
    return passed, f"{passed} passed, the next was refused"


# ---- files


@question("How is an upload of more than 100 MiB answered?")
def upload_limit(account: Account) -> tuple[Any, str]:
    size = account.large_upload
    if size is None:
        raise NotObserved("sends more than 100 MiB: PYTHONANYWHERE_CONTRACT_LARGE=1 allows it")
    path = account.files_path("large.bin")
    try:
        answer = account.request("POST", path, data=Form(size), headers={"Content-Type": Form.TYPE})
    except requests.ConnectionError as error:
        return "closed", f"the connection was closed while {size} bytes were sent ({type(error).__name__})"
    if answer.ok:
        account.request("DELETE", path)
    return answer.status_code, f"{size} bytes: {answer.status_code} {answer.text[:80]}".strip()


class Form:
    """A multipart form with a file of zeros, made while it is sent."""

    TYPE = "multipart/form-data; boundary=contract"
    HEAD = b'--contract\r\nContent-Disposition: form-data; name="content"; filename="x"\r\n\r\n'
    TAIL = b"\r\n--contract--\r\n"

    def __init__(self, size: int):
        self.size = size

    def __len__(self) -> int:
        return len(self.HEAD) + self.size + len(self.TAIL)

    def __iter__(self) -> Any:
        yield self.HEAD
        block = bytes(1 << 20)
        for start in range(0, self.size, len(block)):
            yield block[: self.size - start]
        yield self.TAIL


@question("Does an upload put a new file in the old one's place (by a rename)?")
def overwrite_replaces(account: Account) -> tuple[Any, str]:
    look = agent(account)
    account.put({"numbered.txt": b"old"})
    before = look("hold", "numbered.txt")["inode"]
    account.put({"numbered.txt": b"new"})
    after = look("stat", "numbered.txt")["inode"]
    same = before == after
    return not same, "the file kept its inode" if same else "the file got another inode"


@question("What does a download get if its file is replaced meanwhile?")
def overwrite_under_download(account: Account) -> tuple[Any, str]:
    # More than what sockets keep underway between a server and a client that reads slowly.
    size = 12 << 20
    account.put({"download.bin": b"a" * size})
    with requests.Session() as http:
        http.trust_env = False
        http.headers.update(account.http.headers)
        http.mount(account.url, SmallReceiveBuffer())
        url = f"{account.url}/api/v0/user/{account.user}/{account.files_path('download.bin')}"
        answer = http.get(url, stream=True, timeout=120)
        if answer.status_code != 200:
            raise NotObserved(f"the download was refused: {answer.status_code}")
        content = bytearray(answer.raw.read(1 << 10))
        account.put({"download.bin": b"b" * size})
        try:
            while piece := answer.raw.read(1 << 16):
                content += piece
        except HTTPError as error:
            return "torn", f"it broke off after {len(content)} of {size} bytes ({type(error).__name__})"
    if content == b"a" * size:
        return "old", "the old content, whole (or a proxy had it already)"
    return "torn", f"{content.count(b'a')} bytes of the old content and {content.count(b'b')} of the new"


class SmallReceiveBuffer(HTTPAdapter):
    """Connections whose server notices soon that nobody reads."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> Any:
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)]
        return super().init_poolmanager(*args, socket_options=options, **kwargs)


@question("Does a replaced file keep its mode bits?")
def keep_mode(account: Account) -> tuple[Any, str]:
    look = agent(account)
    account.put({"tool.sh": b"#!/bin/sh\n"})
    before = look("chmod", "tool.sh", mode="0751")["mode"]
    account.put({"tool.sh": b"#!/bin/sh\ntrue\n"})
    after = look("stat", "tool.sh")["mode"]
    return before == after, f"{before} before, {after} after"


@question("What mode bits has a new file?")
def new_mode(account: Account) -> tuple[Any, str]:
    look = agent(account)
    account.put({"new.txt": b""})
    mode = look("stat", "new.txt")["mode"]
    return mode, mode


@question("Has a download's content type a charset?")
def download_charset(account: Account) -> tuple[Any, str]:
    account.put({"plain.txt": b"text"})
    content_type = account.request("GET", account.files_path("plain.txt")).headers.get("Content-Type", "")
    return "charset" in content_type, content_type


@question("How is DELETE of a file with a slash at its end answered?")
def delete_with_slash(account: Account) -> tuple[Any, str]:
    account.put({"slash.txt": b"text"})
    status = account.request("DELETE", account.files_path("slash.txt") + "/").status_code
    gone = account.request("GET", account.files_path("slash.txt")).status_code == 404
    return status, f"{status}, and the file is {'gone' if gone else 'there'}"


@question("In which order does files/tree come?")
def tree_order(account: Account) -> tuple[Any, str]:
    # Made in an order that is neither sorted nor its reverse.
    account.put({f"order/{name}": b"" for name in ("m.txt", "b/x.txt", "z.txt", "a.txt", "b/a.txt")})
    paths = account.call("files.tree", account.path("order"))
    order = "sorted" if paths == sorted(paths) else "reversed" if paths == sorted(paths, reverse=True) else "neither"
    names = ", ".join(path.removeprefix(account.path("order/")) for path in paths)
    return order, f"{order}: {names}"


# ---- paths


@question("How is a path without its last slash answered?")
def append_slash(account: Account) -> tuple[Any, str]:
    answer = account.request("GET", "cpu")
    location = answer.headers.get("Location", "")
    return answer.status_code, f"{answer.status_code} {location}".strip()


@question("Are two slashes in a path taken for one?")
def merged_slashes(account: Account) -> tuple[Any, str]:
    account.put({"merged.txt": b"text"})
    files = account.request("GET", "files/path/" + account.path("merged.txt")).status_code
    others = account.request("GET", "cpu//").status_code
    return {"files": files, "others": others}, f"below files/path: {files}; elsewhere: {others}"


# ---- the account and its web apps


@question("Are there tasks in this account?")
def tasks(account: Account) -> tuple[Any, str]:
    statuses = {name: account.request("GET", f"{name}/").status_code for name in ("schedule", "always_on")}
    return statuses, ", ".join(f"{name}: {status}" for name, status in statuses.items())


@question("How is a new web app answered?")
def webapp_created(account: Account) -> tuple[Any, str]:
    answer = agent(account).created
    content_type = answer.headers.get("Content-Type", "")
    return [answer.status_code, content_type], f"{answer.status_code} as {content_type}"


@question("How is a reload answered?")
def reload_status(account: Account) -> tuple[Any, str]:
    answer = agent(account).reload()
    return answer.status_code, f"{answer.status_code} {answer.text[:80]}".strip()


@question("Do web apps get several requests at once in one process (threads)?")
def webapp_threads(account: Account) -> tuple[Any, str]:
    served = agent(account)("served")
    image = account.client.system_image.get()["system_image"]
    flags = ", ".join(f"{name}: {served[name]}" for name in ("wsgi.multithread", "wsgi.multiprocess"))
    return served["wsgi.multithread"], f"{flags}, on the system image {image}"


@question("Do threads that a web app starts run between its requests?")
def background_threads(account: Account) -> tuple[Any, str]:
    look = agent(account)
    first: dict[int, int] = {}
    for attempt in range(30):
        served = look("served")
        ticks = first.setdefault(served["pid"], served["ticks"])
        if served["ticks"] > ticks:
            return True, f"a thread had run by request {attempt + 1}"
    return False, f"no thread ran in {attempt + 1} requests to {len(first)} processes"


@question("How is a certificate's last moment written?")
def not_after_form(account: Account) -> tuple[Any, str]:
    forms = {"compact": r"\d{8}T\d{6}Z", "extended": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"}
    for app in account.client.webapps.list():
        answer = account.request("GET", f"webapps/{app['domain_name']}/ssl/")
        if answer.status_code == 200:
            written = answer.json()["not_after"]
            form = next((name for name, form in forms.items() if re.fullmatch(form, written)), "another")
            return form, written
    raise NotObserved("no web app of this account has a certificate")


@question("How is a second web app at the same domain refused?")
def taken_domain(account: Account) -> tuple[Any, str]:
    agent(account)
    fields = {"domain_name": account.domain, "python_version": "python311"}
    answer = account.request("POST", "webapps/", data=fields)
    return answer.status_code, f"{answer.status_code} {answer.text[:80]}"
