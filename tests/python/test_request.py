"""`_request` of the drop-in classes: who sends, by which keywords, which answers fail, what is followed and raised."""

import asyncio
import functools
import http.server
import pickle
import sys
import threading
from types import SimpleNamespace
from unittest import mock

import pytest
import requests
from conftest import PROJECT, project_folder, write_tree

import pythonanywhere_api
from pythonanywhere_api import AsyncPythonanywhereApi
from pythonanywhere_api.testing import Emulator

BASE = "/api/v0/user/me/"


@pytest.fixture
def server():
    """A host that answers with what a case puts there by path, and remembers what it was asked."""
    answers, asked, bodies = {}, [], []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.command, self.path, self.headers.get("Authorization")))
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            status, headers, body = answers.get(self.path, (404, {}, b'{"detail": "Not found."}'))
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield SimpleNamespace(answers=answers, asked=asked, bodies=bodies, url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def far(caller, server, unlimited):
    return caller.kind(server.url, "me", "abc123", PROJECT)


def fake(status=200, **more):
    return SimpleNamespace(status_code=status, **more)


# ---- who sends


@pytest.mark.parametrize("verb", ["get", "options", "head", "post", "put", "patch", "delete"])
def test_the_functions_of_requests_are_known_by_identity_and_not_called(caller, host, api, verb):
    with mock.patch("requests.sessions.Session.request", side_effect=AssertionError):
        answer = caller.run(api._request("consoles/7/nothing/", "trying", getattr(requests, verb)))
    assert isinstance(answer, pythonanywhere_api._core.Response)
    assert host.requests[-1].method == verb.upper()


def test_any_other_callable_gets_url_headers_and_keywords_and_its_answer_is_returned(caller, host, api):
    write_tree(host, {"x": b"1"})
    answer = fake(201, note="mine")
    call = mock.Mock(return_value=answer)
    assert caller.run(api._request("cpu/", "task", call, stream=True, foo=1, timeout=5)) is answer
    call.assert_called_once_with(api.base_url + "cpu/", headers=api.protocol_headers, stream=True, foo=1, timeout=5)
    assert api.error_message == ""
    assert host.requests == []


@pytest.mark.parametrize(
    "make",
    [
        lambda: functools.partial(requests.get, timeout=5),
        lambda: lambda url, **keywords: requests.get(url, **keywords),
        lambda: requests.Session().get,
        lambda: functools.partial(requests.request, "GET"),
        lambda: functools.partial(requests.Session().request, "get"),
    ],
    ids=["partial", "lambda", "session", "request", "session.request"],
)
def test_partials_lambdas_and_sessions_send_themselves(caller, host, api, make):
    answer = caller.run(api._request("cpu/", "cpu seconds", make()))
    assert isinstance(answer, requests.Response)
    assert (answer.status_code, api.error_message) == (200, "")
    assert len(host.requests) == 1


def test_a_function_with_the_name_of_a_verb_is_called_like_any_other(caller, host, api):
    def post(url, headers):
        return fake(note="called")

    assert caller.run(api._request("cpu/", "task", post)).note == "called"
    assert host.requests == []


def test_a_patched_function_of_requests_is_called(caller, host, api):
    with mock.patch("requests.get", return_value=fake()) as patched:
        caller.run(api._request("cpu/", "task", requests.get))
    patched.assert_called_once()
    assert host.requests == []


def test_given_headers_are_added_to_those_of_the_account(caller, api):
    seen = []

    def send(url, headers):
        seen.append(headers)
        return fake()

    caller.run(api._request("cpu/", "task", send, headers={"X-One": "1"}))
    caller.run(api._request("cpu/", "task", send, headers=None))
    assert seen == [api.protocol_headers | {"X-One": "1"}, api.protocol_headers]
    assert api.protocol_headers.keys() == {"Authorization"}


@pytest.mark.parametrize("path", ["../x", "%2e%2e/x", "a\0b", "a\\b"])
def test_a_callable_is_not_called_for_a_path_that_leads_elsewhere(caller, api, path):
    call = mock.Mock()
    assert caller.run(api._request(path, "climbing", call)).status_code == 0
    assert api.error_message.startswith("climbing: the path")
    api.base_url = "http://www.pythonanywhere.com/api/v0/user/me/"
    assert caller.run(api._request("cpu/", "plain", call)).status_code == 0
    call.assert_not_called()


def test_a_callable_takes_a_slot_of_the_budget(caller, monkeypatch):
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "2")
    api = caller.kind("http://127.0.0.1:9", f"budget{caller.is_async}", "abc", PROJECT)
    call = mock.Mock(return_value=fake())
    for _ in range(2):
        caller.run(api._request("cpu/", "task", call))
    waiting = threading.Thread(target=lambda: caller.run(api._request("cpu/", "task", call)))
    pythonanywhere_api.testing.set_clock_speed(20)
    try:
        waiting.start()
        waiting.join(0.5)
        assert call.call_count == 2
        waiting.join(30)
        assert call.call_count == 3
    finally:
        pythonanywhere_api.testing.set_clock_speed(1)


@pytest.mark.parametrize(
    "raised", [OSError("unplugged"), requests.ConnectionError("unplugged"), requests.Timeout("unplugged")]
)
def test_an_os_error_of_a_callable_is_told_without_the_token(caller, host, api, raised):
    raised.args = (f"unplugged {host.token}",)
    answer = caller.run(api._request("cpu/", "my task", mock.Mock(side_effect=raised)))
    assert (answer.status_code, answer.ok) == (0, False)
    assert api.error_message.startswith("my task: ")
    assert "unplugged ***" in api.error_message


@pytest.mark.parametrize("raised", [LookupError("mine"), TypeError("mine"), KeyboardInterrupt()])
def test_any_other_exception_of_a_callable_reaches_the_caller(caller, api, raised):
    with pytest.raises(type(raised)) as caught:
        caller.run(api._request("cpu/", "task", mock.Mock(side_effect=raised)))
    assert caught.value is raised
    assert api.error_message == ""


@pytest.mark.parametrize("method", [5, object(), ["get"], b"GET"])
def test_what_is_neither_text_nor_callable_raises(caller, api, method):
    with pytest.raises(TypeError, match="method must be"):
        caller.run(api._request("cpu/", "task", method))


def test_a_coroutine_function_sends_for_the_asynchronous_class_alone(caller, api):
    async def send(url, headers):
        await asyncio.sleep(0)
        return fake(note="awaited")

    if caller.is_async:
        assert caller.run(api._request("cpu/", "task", send)).note == "awaited"
    else:
        with pytest.raises(TypeError, match="plain function"):
            api._request("cpu/", "task", send)


def test_only_the_status_codes_named_are_success(caller, host, api):
    caller.run(api._request("cpu/", "task", mock.Mock(return_value=fake(302)), success_codes=(302,)))
    assert api.error_message == ""
    caller.run(api._request("cpu/", "task", mock.Mock(return_value=fake(202))))
    assert api.error_message.startswith("task: 202")
    api.error_message = ""
    refused = fake(403, reason="Forbidden", content=f"who are you, {host.token}?")
    assert caller.run(api._request("cpu/", "task", mock.Mock(return_value=refused))) is refused
    assert api.error_message == "task: 403 Forbidden: who are you, ***?"


# ---- keywords


@pytest.mark.parametrize("keywords", [{"stream": True}, {"verify": True}, {"allow_redirects": True}, {"auth": None}])
def test_keywords_that_only_requests_has_are_sent_by_requests(caller, host, api, keywords):
    answer = caller.run(api._request("cpu/", "task", **keywords))
    assert isinstance(answer, requests.Response)
    assert (answer.status_code, api.error_message) == (200, "")
    assert answer.json()["daily_cpu_limit_seconds"] >= 0
    url = f"{api.pkg_files_url_part}x.txt"
    answer = caller.run(api._request(url, "task", "post", files={"content": b"1"}, **keywords))
    assert answer.status_code == 201
    assert (project_folder(host) / "x.txt").read_bytes() == b"1"


def test_keywords_that_only_requests_has_are_named_where_it_is_not_installed(caller, host, api, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(TypeError, match=r"'verify'.*requests"):
        caller.run(api._request("cpu/", "task", verify=False))
    assert host.requests == []
    assert caller.run(api._request("cpu/", "task", params={"a": 1}, headers={"X-A": "1"}, timeout=5)).ok


def test_a_keyword_of_nobody_is_named(caller, api):
    with pytest.raises(TypeError, match="colour"):
        caller.run(api._request("cpu/", "task", colour="red"))


@pytest.mark.parametrize(
    ("keywords", "body"),
    [
        ({"data": {"a": [1, 2], "b": None, "c": "d e"}}, b"a=1&a=2&c=d+e"),
        ({"data": [("a", "1"), ("a", "2")]}, b"a=1&a=2"),
        ({"data": "raw é"}, "raw é".encode()),
        ({"data": b"raw"}, b"raw"),
        ({"data": bytearray(b"raw")}, b"raw"),
        ({"data": {}, "json": {"a": 1}}, b'{"a": 1}'),
        ({"data": {"a": "1"}, "json": {"b": 1}}, b"a=1"),
        ({"files": {}, "data": {"a": "1"}}, b"a=1"),
    ],
)
def test_bodies_are_those_of_requests(caller, server, far, keywords, body):
    server.answers[BASE + "x/"] = (200, {}, b"{}")
    caller.run(far._request("x/", "task", "post", **keywords))
    requests.post(server.url + BASE + "x/", **keywords)
    assert server.bodies == [body, body]


# ---- redirects


@pytest.mark.parametrize("keywords", [{}, {"stream": False}], ids=["extension", "requests"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_is_followed_within_its_host(caller, server, far, status, keywords):
    server.answers[BASE + "cpu?a=1"] = (status, {"Location": BASE + "cpu/?a=1"}, b"")
    server.answers[BASE + "cpu/?a=1"] = (200, {}, b'{"ok": 1}')
    answer = caller.run(far._request("cpu", "task", params={"a": 1}, **keywords))
    assert (answer.status_code, answer.json(), far.error_message) == (200, {"ok": 1}, "")
    assert [token for *_, token in server.asked] == ["Token abc123"] * 2
    assert answer.url.endswith("/cpu/?a=1")


@pytest.mark.parametrize("keywords", [{}, {"stream": False}], ids=["extension", "requests"])
@pytest.mark.parametrize("target", ["http://localhost:{port}/x", "https://127.0.0.1:{port}/x", "//other.example/x"])
def test_a_redirect_to_another_host_is_not_followed(caller, server, far, target, keywords):
    port = server.url.rsplit(":", 1)[1]
    server.answers[BASE + "cpu"] = (302, {"Location": target.format(port=port)}, b"")
    answer = caller.run(far._request("cpu", "task", **keywords))
    assert answer.status_code == 302
    assert far.error_message.startswith("task: ")
    assert len(server.asked) == 1


@pytest.mark.parametrize("keywords", [{}, {"stream": False}], ids=["extension", "requests"])
@pytest.mark.parametrize("method", ["post", "delete"])
def test_no_other_method_is_followed(caller, server, far, method, keywords):
    server.answers[BASE + "cpu"] = (307, {"Location": BASE + "cpu/"}, b"")
    answer = caller.run(far._request("cpu", "task", method, **keywords))
    assert (answer.status_code, len(server.asked)) == (307, 1)


@pytest.mark.parametrize("keywords", [{}, {"stream": False}], ids=["extension", "requests"])
def test_a_circle_of_redirects_ends(caller, server, far, keywords):
    server.answers[BASE + "cpu"] = (302, {"Location": BASE + "cpu"}, b"")
    answer = caller.run(far._request("cpu", "task", **keywords))
    assert (answer.status_code, len(server.asked)) == (302, 6)


# ---- raise_for_status


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "BadRequestError"), (403, "ForbiddenError"), (404, "NotFoundError"), (412, "ApiError")]
)
def test_raise_for_status_is_caught_as_an_error_of_requests(caller, server, far, status, kind):
    server.answers[BASE + "x/"] = (status, {}, b'{"detail": "no such luck"}')
    answer = caller.run(far._request("x/", "task"))
    with pytest.raises(requests.HTTPError, match="no such luck") as caught:
        answer.raise_for_status()
    assert isinstance(caught.value, getattr(pythonanywhere_api, kind))
    assert (caught.value.status, caught.value.response) == (status, answer)
    twin = pickle.loads(pickle.dumps(caught.value))  # noqa: S301
    assert (str(twin), twin.status) == (str(caught.value), status)
    assert isinstance(twin, requests.HTTPError)


def test_raise_for_status_needs_no_requests(caller, server, far, monkeypatch):
    answer = caller.run(far._request("x/", "task"))
    monkeypatch.delitem(sys.modules, "requests")
    with pytest.raises(pythonanywhere_api.NotFoundError) as caught:
        answer.raise_for_status()
    assert type(caught.value) is pythonanywhere_api.NotFoundError


def test_headers_are_found_whatever_their_case(caller, server, far):
    server.answers[BASE + "x/"] = (200, {"X-Two": "1"}, b"{}")
    headers = caller.run(far._request("x/", "task")).headers
    assert (headers["x-TWO"], headers.get("X-two"), "X-TWO" in headers) == ("1", "1", True)
    assert headers.get("absent", 5) == 5
    assert dict(headers)["x-two"] == "1"
    with pytest.raises(KeyError):
        headers["absent"]


def test_a_keyword_of_requests_does_not_block_the_event_loop(unlimited):
    with Emulator(rate_limit=None, latency=0.5) as host:
        ticks, status = asyncio.run(ticks_during_a_request(host))
    assert (status, ticks > 5) == (200, True)


async def ticks_during_a_request(host):
    api = AsyncPythonanywhereApi(host.url, host.user, host.token, PROJECT)
    answer = asyncio.ensure_future(api._request("cpu/", "task", stream=False))
    ticks = 0
    while not answer.done():
        await asyncio.sleep(0.02)
        ticks += 1
    return ticks, (await answer).status_code
