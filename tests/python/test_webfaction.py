"""WebFaction's API against `xmlrpc.server` in a process of its own: every call, values, faults, sessions."""

import asyncio
import datetime
import inspect
import logging
import math
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import xmlrpc.client

import pytest
from interrupts import assert_soon
from webfaction_process import PASSWORD, ServerProcess
from webfaction_reference import SIGNATURES, further, sample
from webfaction_server import ACCOUNT, SESSION

from pythonanywhere_api import ConfigError, PythonAnywhereError, TransportError
from pythonanywhere_api.webfaction import AsyncWebfactionApi, WebfactionApi, WebfactionFault


@pytest.fixture(scope="module")
def running():
    server = ServerProcess()
    yield server
    server.close()


@pytest.fixture
def server(running):
    running.arrived()
    return running


class Face:
    """One of the two classes, with calls that wait."""

    def __init__(self, kind, url):
        self.kind = kind
        self.api = kind(url)

    def __getattr__(self, name):
        def call(*args, **kwargs):
            result = getattr(self.api, name)(*args, **kwargs)
            if self.kind is WebfactionApi:
                return result

            async def wait():
                return await result

            return asyncio.run(wait())

        return call


@pytest.fixture(params=[WebfactionApi, AsyncWebfactionApi], ids=["sync", "async"])
def face(request, server):
    return Face(request.param, server.url)


@pytest.fixture
def api(face, server):
    """Logged in, with nothing arrived yet."""
    face.login("widgetsco", PASSWORD)
    server.arrived()
    return face


def documented(name):
    """The signature that a method written by hand would have."""
    return inspect.signature(eval(f"lambda self, {SIGNATURES[name]}: None"))  # noqa: S307


# ---- every call


def test_there_are_48_calls_and_no_other():
    assert len(SIGNATURES) == 48
    for kind in (WebfactionApi, AsyncWebfactionApi):
        public = {name for name in dir(kind) if not name.startswith("_")}
        assert public == set(SIGNATURES) | {"call", "url", "session_id"}


@pytest.mark.parametrize("kind", [WebfactionApi, AsyncWebfactionApi])
@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_as_documented(kind, name):
    method = getattr(kind, name)
    assert inspect.signature(method) == documented(name)
    assert (method.__name__, method.__qualname__) == (name, f"{kind.__name__}.{name}")
    assert method.__module__ == "pythonanywhere_api.webfaction"
    assert "Returns:" in method.__doc__


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name != "login"])
def test_every_call_arrives_with_name_order_and_types(api, server, name):
    parameters = list(documented(name).parameters.values())[1:]
    plain = {p.name: sample(name, p.name) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    more = [value for p in parameters if p.kind is p.VAR_POSITIONAL for value in further(name, p.name)]
    required = [plain[p.name] for p in parameters if p.name in plain and p.default is p.empty]

    getattr(api, name)(*plain.values(), *more)
    getattr(api, name)(*required)
    getattr(api, name)(**dict(reversed(plain.items())))

    as_sent = [list(value) if isinstance(value, tuple) else value for value in more]
    expected = [[*plain.values(), *as_sent], required, list(plain.values())]
    assert typed(server.arrived()) == typed([(name, [SESSION, *values]) for values in expected])


def typed(value):
    """With the type of each value, since `True == 1`."""
    if isinstance(value, (list, tuple)):
        return [typed(item) for item in value]
    return type(value), value


def test_a_gap_before_an_argument_is_filled_with_the_default(api, server):
    api.delete_website("site", https=False)
    api.create_email("a@b.example", "box", autoresponder_message="away")
    assert typed(server.arrived()) == typed(
        [
            ("delete_website", [SESSION, "site", None, False]),
            ("create_email", [SESSION, "a@b.example", "box", False, "", "away"]),
        ]
    )


def test_the_examples_of_the_reference(api):
    assert api.create_domain("widgetcompany.example", "www", "design") == {
        "domain": "widgetcompany.example",
        "id": 47255,
        "subdomains": ["www", "design"],
    }
    domains = ["widgetcompany.example", "www.widgetcompany.example"]
    assert api.create_website("widgets_on_the_web", "174.133.82.194", True, domains, ["django", "/"]) == {
        "https": True,
        "id": 67074,
        "ip": "174.133.82.194",
        "name": "widgets_on_the_web",
        "site_apps": [["django", "/"]],
        "subdomains": domains,
    }
    apps = ("django", "/"), ("wordpress", "/blog")
    answer = api.update_website("widgets_on_the_web", "174.133.82.195", True, domains, *apps)
    assert answer["site_apps"] == [["django", "/"], ["wordpress", "/blog"]]
    assert api.replace_in_file("myfile.txt", ("eggs", "spam")) == ""


def test_an_old_script_may_go_on_passing_the_session(face, server):
    session_id, account = face.login("widgetsco", PASSWORD)
    assert account == ACCOUNT
    face.create_domain(session_id, "widgetcompany.example", "www", "design")
    face.list_apps(session_id)
    face.replace_in_file(session_id, "myfile.txt", ("eggs", "spam"))
    assert server.arrived()[1:] == [
        ("create_domain", [SESSION, "widgetcompany.example", "www", "design"]),
        ("list_apps", [SESSION]),
        ("replace_in_file", [SESSION, "myfile.txt", ["eggs", "spam"]]),
    ]


# ---- sessions


def test_a_login_is_kept_and_can_be_carried_on(face, server):
    assert face.api.session_id is None
    with pytest.raises(ConfigError, match="login"):
        face.list_apps()
    assert server.arrived() == []
    assert face.login("widgetsco", PASSWORD, "Web55") == [SESSION, ACCOUNT]
    assert server.arrived() == [("login", ["widgetsco", PASSWORD, "Web55"])]
    other = Face(face.kind, server.url)
    other.api.session_id = face.api.session_id
    other.list_apps()
    assert server.arrived() == [("list_apps", [SESSION])]
    other.api.session_id = None
    with pytest.raises(ConfigError):
        other.list_apps()


def test_a_refused_login_begins_no_session(face):
    with pytest.raises(WebfactionFault) as caught:
        face.login("widgetsco", "wrong")
    assert (caught.value.code, caught.value.message) == (7, "no login for widgetsco with ***")
    assert face.api.session_id is None


def test_other_calls_take_their_arguments_as_they_are(api, server):
    assert api.call("tests.echo", 1, "two") == [1, "two"]
    assert api.call("list_apps", api.api.session_id) == []
    assert server.arrived() == [("tests.echo", [1, "two"]), ("list_apps", [SESSION])]
    for bad in ("", "a b", "x</methodName>", "ü"):
        with pytest.raises(ConfigError, match="name"):
            api.call(bad)


# ---- values


NOON = datetime.datetime(2012, 2, 29, 12, 0, 1)
VALUES = [
    None,
    True,
    False,
    0,
    2**31 - 1,
    -(2**31),
    2**31,
    -(2**63),
    2**63 - 1,
    0.5,
    -1e300,
    1e-300,
    "",
    " blank ends ",
    "grün ß € \U0001f600",
    "<&>\"' ]]> &amp;",
    "tab\tline\n",
    b"",
    bytes(range(256)) * 9,
    NOON,
    datetime.datetime(1, 1, 1),
    [],
    [1, "two", [3.0, None]],
    {},
    {"ü & <": {"b": [True, b"\0"]}, "a": 1},
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_come_back_as_they_went(face, value):
    assert typed(face.call("tests.echo", value, [value], {"member": value})) == typed(
        [value, [value], {"member": value}]
    )


def test_returns_survive_the_line_ends_of_xml(face):
    assert face.call("tests.length", "one\r\ntwo\r\t") == 10


def test_kindred_values_are_taken_too(face, server):
    class Name(str):
        pass

    values = [
        (1, (2,)),
        bytearray(b"x"),
        Name("n"),
        NOON.replace(microsecond=999999),
        xmlrpc.client.Binary(b"y"),
        xmlrpc.client.DateTime(NOON),
    ]
    assert face.call("tests.echo", *values) == [[1, [2]], b"x", "n", NOON, b"y", NOON]


def circle():
    items: list[object] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (2**63, OverflowError, "64 bits"),
        (-(2**63) - 1, OverflowError, "as str"),
        ("s3cret\x00", ConfigError, r"U\+0000"),
        ("s3cret\x0b", ConfigError, r"U\+000B"),
        ({"s3cret\x1b": 1}, ConfigError, r"U\+001B"),
        ("s3cret\ud800", ConfigError, "surrogates"),
        (math.nan, ConfigError, "NaN"),
        (-math.inf, ConfigError, "inf"),
        (NOON.replace(tzinfo=datetime.timezone.utc), ConfigError, "time zone"),
        (circle(), ConfigError, "deeper"),
        ({1: 2}, TypeError, "keys"),
        pytest.param(object(), TypeError, "cannot carry object", id="object"),
        ({"s3cret"}, TypeError, "cannot carry set"),
        (datetime.date(2012, 1, 1), TypeError, "date"),
    ],
    ids=repr,
)
def test_what_cannot_be_said_is_refused_before_it_is_sent(api, server, value, error, words):
    for call in (lambda: api.write_file("f", value), lambda: api.call("write_file", "f", [value])):
        with pytest.raises(error, match=words) as caught:
            call()
        assert "write_file: " in str(caught.value)
        assert "s3cret" not in str(caught.value)
    assert server.arrived() == []


def test_an_answer_in_latin_1_is_read():
    server = ServerProcess("iso-8859-1")
    try:
        assert WebfactionApi(server.url).call("tests.echo", "grün ß") == ["grün ß"]
    finally:
        server.close()


# ---- faults


def test_faults_are_exceptions_with_code_and_message(face):
    with pytest.raises(WebfactionFault) as caught:
        face.call("tests.fault", -32500, "no <such> thing: grün")
    fault = caught.value
    assert isinstance(fault, PythonAnywhereError)
    assert (fault.code, fault.message) == (-32500, "no <such> thing: grün")
    assert str(fault) == "fault -32500: no <such> thing: grün"
    again = pickle.loads(pickle.dumps(fault))  # noqa: S301
    assert (type(again), again.code, again.message) == (WebfactionFault, fault.code, fault.message)


# ---- secrets


def test_session_and_password_are_in_no_text(face, server, caplog):
    caplog.set_level(logging.DEBUG)
    texts = []

    def fails(name, *args):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            getattr(face, name)(*args)
        texts.extend([repr(caught.value), "".join(traceback.format_exception(caught.value))])

    fails("login", "widgetsco", "wrong")
    face.login("widgetsco", PASSWORD)
    fails("system", "echo")
    fails("change_mailbox_password", "box", "hunter2\0")
    fails("call", "tests.fault", 1, f"{SESSION} again")
    texts.extend([repr(face.api), str(face.api), caplog.text])
    assert "***" in texts[0]
    # The source lines of a traceback are the caller's own.
    everything = "\n".join(line for text in texts for line in text.splitlines() if not line.startswith("    "))
    for secret in (SESSION, PASSWORD, '"wrong"', "'wrong'", "with wrong", "hunter2"):
        assert secret not in everything
    with pytest.raises(TypeError):
        pickle.dumps(face.api)


# ---- Python's side


def test_wrong_arguments_are_refused_as_python_does(api, server):
    calls = [
        ("list_apps", (1,), {}),
        ("delete_app", (), {}),
        ("create_app", ("a",), {}),
        ("create_app", (), {"name": "a", "extra_info": ""}),
        ("create_app", ("a", "b", True, "", "", 6), {}),
        ("delete_app", ("a",), {"name": "a"}),
        ("delete_app", ("a",), {"nome": "a"}),
        ("create_domain", (), {"subdomains": "x"}),
        ("create_domain", (), {}),
    ]
    for name, args, kwargs in calls:
        parameters = SIGNATURES[name]
        scope: dict[str, object] = {}
        exec(f"class {api.kind.__name__}:\n def {name}(self, {parameters}): pass", scope)  # noqa: S102
        with pytest.raises(TypeError) as expected:
            getattr(scope[api.kind.__name__](), name)(*args, **kwargs)  # type: ignore[operator]
        with pytest.raises(TypeError) as got:
            getattr(api, name)(*args, **kwargs)
        # Python from 3.13 on goes on with what may have been meant.
        assert str(got.value) == str(expected.value).partition(". Did you mean")[0]
    assert server.arrived() == []


def test_methods_are_methods(face):
    kind = face.kind
    assert face.api.system == face.api.system
    assert inspect.ismethod(face.api.system)
    assert inspect.isroutine(kind.system)
    assert list(inspect.signature(face.api.system).parameters) == ["cmd"]
    assert pickle.loads(pickle.dumps(kind.system)) is kind.system  # noqa: S301
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'self'"):
        kind.list_apps()
    with pytest.raises(TypeError):
        kind.list_apps(object())
    # By this name Sphinx' autodoc tells methods from attributes.
    assert type(kind.system).__name__ == "instancemethod"
    assert repr(kind.system) == f"<method {kind.__name__}.system>"


def test_subclasses_and_patches_work(server, monkeypatch):
    class Panel(WebfactionApi):
        def __init__(self, url):
            super().__init__(url, timeout=20)
            self.log = []

        def system(self, cmd):
            self.log.append(cmd)
            return super().system(cmd)

    panel = Panel(server.url)
    panel.login("widgetsco", PASSWORD)
    assert panel.system("ls") == "$ ls\n"
    assert panel.log == ["ls"]
    assert repr(panel) == f"Panel('{server.url}')"
    monkeypatch.setattr(panel, "list_apps", lambda: ["patched"])
    assert panel.list_apps() == ["patched"]

    class Forgetful(WebfactionApi):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match="super"):
        Forgetful().list_apps()


def test_importing_the_package_does_not_import_this():
    code = "import sys, pythonanywhere_api; print('pythonanywhere_api.webfaction' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("bad", ["http://panel.example.com/", "ftp://127.0.0.1/", "https://me:pw@h/", "", "https://"])
def test_what_is_no_safe_url_is_refused(bad):
    with pytest.raises(ConfigError) as caught:
        WebfactionApi(bad)
    assert "pw" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_the_default_is_where_the_service_was():
    api = WebfactionApi()
    assert api.url == "https://api.webfaction.com/"
    assert WebfactionApi("https://panel.example.com/RPC2?key=s3cret").url.endswith("/RPC2?key=s3cret")
    assert "s3cret" not in repr(WebfactionApi("https://panel.example.com/RPC2?key=s3cret"))
    for bad in (0, -1, math.nan):
        with pytest.raises(ValueError, match="timeout"):
            WebfactionApi(timeout=bad)


# ---- threads, signals, forks


def test_calls_run_at_once(server):
    api = WebfactionApi(server.url)
    api.login("widgetsco", PASSWORD)
    begun = threading.Barrier(3)

    def sleep():
        begun.wait(10)
        assert api.system("sleep 0.5")

    threads = [threading.Thread(target=sleep) for _ in range(2)]
    for thread in threads:
        thread.start()
    begun.wait(10)
    assert api.call("tests.echo", "meanwhile") == ["meanwhile"]
    for thread in threads:
        thread.join(10)

    async def gather():
        api = AsyncWebfactionApi(server.url)
        await api.login("widgetsco", PASSWORD)
        return await asyncio.gather(api.list_dbs(), api.system("ls"), api.call("tests.echo", 1))

    assert asyncio.run(gather()) == [
        [{"id": 1, "name": "shop", "db_type": "mysql", "machine": "Web55"}],
        "$ ls\n",
        [1],
    ]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_ctrl_c_ends_a_call(server, kind):
    call = "api.system('sleep 30')"
    if kind == "async":
        call = "asyncio.run(twin.system('sleep 30'))"
    code = f"""
    import asyncio, sys, time
    from pythonanywhere_api.webfaction import AsyncWebfactionApi, WebfactionApi
    api, twin = WebfactionApi(sys.argv[1]), AsyncWebfactionApi(sys.argv[1])
    api.session_id = twin.session_id = "{SESSION}"
    print("ready", flush=True)
    try:
        {call}
    except KeyboardInterrupt:
        print(time.monotonic_ns(), api.call("tests.echo", "goes on"), flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), server.url]

    def attempt() -> float:
        before = len(server.arrived())
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            deadline = time.monotonic() + 60
            while len(server.arrived()) == before:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            sent = time.monotonic_ns()
            process.send_signal(signal.SIGINT)
            at, answer = process.stdout.readline().split(" ", 1)
            assert process.wait(60) == 0
        assert answer == "['goes on']\n"
        return (int(at) - sent) / 1e9

    assert_soon(attempt, within=0.5)


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_a_forked_child_goes_on_with_the_session(server):
    code = f"""
    import os, sys
    from pythonanywhere_api.webfaction import WebfactionApi
    api = WebfactionApi(sys.argv[1])
    api.login("widgetsco", "{PASSWORD}")
    child = os.fork()
    print(api.system("ls"), flush=True)
    if child:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    command = [sys.executable, "-c", textwrap.dedent(code), server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split()) == (0, ["$", "ls", "$", "ls"]), done.stderr


@pytest.mark.usefixtures("hurried")
def test_nobody_there_is_told():
    gone = ServerProcess()
    gone.close()
    with pytest.raises(TransportError, match="nothing is listening there"):
        WebfactionApi(gone.url).login("widgetsco", PASSWORD)
