"""`Client` and `AsyncClient`: every call of `endpoints.json` against the emulator, and what they do with answers."""

import asyncio
import inspect
import json
import urllib.request
import warnings
from datetime import datetime, timezone
from pathlib import Path

import pytest

import pythonanywhere_api
from pythonanywhere_api import (
    AsyncClient,
    Client,
    ConfigError,
    DecodeError,
    NotFoundError,
    PythonAnywhereWarning,
    types,
)
from pythonanywhere_api.testing import Emulator

DATA = Path(__file__).parents[1] / "data"
ENDPOINTS = json.loads((DATA / "endpoints.json").read_text())["endpoints"]
CALLS = [endpoint["call"] for endpoint in ENDPOINTS]


class Account:
    """A client of either kind on an emulated account, whose calls are made by name and waited for."""

    def __init__(self, kind, host):
        self.host = host
        self.client = kind(host.user, host.token, host.url, rate_limit="off")
        self.is_async = kind is AsyncClient
        self.domain = f"{host.user}.pythonanywhere.com"

    def __call__(self, name, *args, **kwargs):
        method = self.client
        for part in name.split("."):
            method = getattr(method, part)
        result = method(*args, **kwargs)
        return asyncio.run(awaited(result)) if self.is_async else result


async def awaited(coroutine):
    return await coroutine


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, send_input_limit=None, account="paid", students=["ada"]) as host:
        yield host


@pytest.fixture(params=[Client, AsyncClient], ids=["sync", "async"])
def account(request, host):
    return Account(request.param, host)


# ---- the table


def documented(endpoint):
    """The signature that `endpoints.json` promises, as name to default."""
    parameters = {}
    for argument in endpoint["args"]:
        name, equals, default = argument.split(":")[0].partition("=")
        parameters[name.strip()] = eval(default) if equals else inspect.Parameter.empty  # noqa: S307, our own file
    return parameters


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=CALLS)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_call_has_the_documented_signature(kind, endpoint):
    method = kind("me", "t" * 40)
    for part in endpoint["call"].split("."):
        method = getattr(method, part)
    found = {}
    for parameter in inspect.signature(method).parameters.values():
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        found[stars + parameter.name] = parameter.default
    assert found == documented(endpoint)
    assert method.__doc__
    assert method.__name__ == endpoint["call"].rsplit(".", 1)[1]


def test_no_call_is_missing_or_strange():
    client = Client("me", "t" * 40)
    found = set()

    def walk(family, prefix):
        for name in dir(type(family)):
            if name.startswith("_"):
                continue
            value = getattr(type(family), name)
            if isinstance(value, property):
                walk(getattr(family, name), f"{prefix}{name}.")
            elif callable(value):
                found.add(prefix + name)

    families = [name for name in dir(Client) if isinstance(getattr(Client, name), property)]
    for name in families:
        walk(getattr(client, name), f"{name}.")
    assert found == {*CALLS, "files.download", "consoles.run"}


TYPES = {
    "always_on.get": types.AlwaysOnTask,
    "schedule.get": types.ScheduledTask,
    "schedule.update": types.ScheduledTask,
    "consoles.get": types.Console,
    "cpu.get": types.CpuUsage,
    "system_image.get": types.SystemImageInfo,
    "students.list": types.Student,
    "webapps.get": types.Webapp,
    "webapps.list": types.Webapp,
    "webapps.ssl.get": types.Certificate,
    "webapps.static_files.get": types.StaticFile,
    "webapps.static_headers.get": types.StaticHeader,
    "websites.get": types.Website,
}


def test_every_call_reaches_its_endpoint(account):
    """One story in which each call is made once; the emulator's log says which endpoint it reached."""
    call, domain = account, account.domain
    made = {}

    def make(name, *args, **kwargs):
        account.host.clear_requests()
        made[name] = call(name, *args, **kwargs)
        (request,) = account.host.requests
        assert_reaches(name, request)
        return made[name]

    task = make("always_on.create", "sleep 100", description="x")
    assert (task["command"], task["description"], task["enabled"]) == ("sleep 100", "x", True)
    assert [each["id"] for each in make("always_on.list")] == [task["id"]]
    assert make("always_on.get", task["id"])["command"] == "sleep 100"
    make("always_on.restart", task["id"])
    replaced = make("always_on.replace", task["id"], command="sleep 50", description="y", enabled=False)
    assert (replaced["command"], replaced["enabled"]) == ("sleep 50", False)
    assert make("always_on.update", str(task["id"]), description="z")["description"] == "z"
    assert make("always_on.delete", task["id"]) is None

    job = make("schedule.create", "true", 5, hour=3)
    assert (job["interval"], job["hour"], job["minute"], job["description"]) == ("daily", 3, 5, "")
    assert make("schedule.get", job["id"])["id"] == job["id"]
    assert make("schedule.update", job["id"], minute=6)["minute"] == 6
    hourly = make(
        "schedule.replace",
        job["id"],
        command="ls",
        enabled=False,
        interval="hourly",
        minute=1,
        hour=None,
        description="h",
    )
    assert (hourly["interval"], hourly["command"], hourly["enabled"]) == ("hourly", "ls", False)
    assert len(make("schedule.list")) == 1
    assert make("schedule.delete", job["id"]) is None

    console = make("consoles.create")
    assert console["executable"] == "bash"
    assert make("consoles.get", console["id"])["id"] == console["id"]
    assert len(make("consoles.list")) == 1
    assert make("consoles.shared_with_you") == []
    urllib.request.urlopen(account.host.url + console["console_url"]).close()
    assert make("consoles.send_input", console["id"], "echo $((6*7))\n") is None
    while "42" not in make("consoles.latest_output", console["id"]):
        pass
    assert make("consoles.delete", console["id"]) is None

    assert make("cpu.get")["daily_cpu_limit_seconds"] > 0
    assert isinstance(make("databases.mysql"), list)
    for name in ("default_python3_version", "default_python_version", "default_save_and_run_python_version"):
        versions = make(f"python_versions.{name}")
        available = next(value for key, value in versions.items() if key.startswith("available"))
        assert make(f"python_versions.set_{name}", available[0])[name] == available[0]
    image = make("system_image.get")
    chosen = image["available_system_images"][0]
    assert make("system_image.set", chosen)["system_image"] == chosen
    assert [student["username"] for student in make("students.list")] == ["ada"]
    assert make("students.delete", "ada") is None

    path = f"/home/{account.host.user}/a b#/ü.txt"
    assert make("files.upload", path, b"\x00\xff") is True
    assert make("files.upload", path, bytearray(b"new")) is False
    assert make("files.read", path) == b"new"
    assert make("files.list", path.rsplit("/", 1)[0])["ü.txt"]["type"] == "file"
    assert any(each.endswith("ü.txt") for each in make("files.tree", path.rsplit("/", 1)[0]))
    assert make("files.sharing_url", path) is None
    shared = make("files.share", path)
    assert shared.startswith(account.host.url + "/")
    assert make("files.sharing_url", path) == shared
    assert make("files.unshare", path) is None
    assert make("files.delete", path) is None

    assert isinstance(make("webapps.create", domain, "3.11"), dict)
    assert [each["domain_name"] for each in make("webapps.list")] == [domain]
    assert make("webapps.get", domain)["python_version"] == "3.11"
    assert make("webapps.update", domain, force_https=True)["force_https"] is True
    everything = {
        "python_version": "3.11",
        "source_directory": f"/home/{account.host.user}",
        "virtualenv_path": "",
        "force_https": False,
        "password_protection_enabled": False,
        "password_protection_username": "me",
        "password_protection_password": "pw",
    }
    assert make("webapps.replace", domain, **everything)["force_https"] is False
    assert isinstance(make("webapps.reload", domain), dict)
    assert make("webapps.disable", domain) is None
    assert make("webapps.enable", domain) is None
    mapping = make("webapps.static_files.create", domain, "/static/", f"/home/{account.host.user}/static")
    assert make("webapps.static_files.get", domain, mapping["id"])["url"] == "/static/"
    assert make("webapps.static_files.update", domain, mapping["id"], url="/s/")["url"] == "/s/"
    assert make("webapps.static_files.replace", domain, mapping["id"], "/r/", "/home/x")["path"] == "/home/x"
    assert len(make("webapps.static_files.list", domain)) == 1
    assert make("webapps.static_files.delete", domain, mapping["id"]) is None
    header = make("webapps.static_headers.create", domain, "/s/", "X-A", "1")
    assert make("webapps.static_headers.get", domain, header["id"])["name"] == "X-A"
    assert make("webapps.static_headers.update", domain, header["id"], value="2")["value"] == "2"
    assert make("webapps.static_headers.replace", domain, header["id"], "/t/", "X-B", "3")["name"] == "X-B"
    assert len(make("webapps.static_headers.list", domain)) == 1
    assert make("webapps.static_headers.delete", domain, header["id"]) is None
    assert make("webapps.ssl.set_lets_encrypt", domain) is None
    certificate = make("webapps.ssl.get", domain)
    assert certificate["not_after_datetime"] > datetime.now(timezone.utc)
    certificate, key = ((DATA / name).read_text() for name in ("site.crt", "site.key"))
    assert make("webapps.ssl.set", domain, certificate, key) is None
    assert account("webapps.ssl.get", domain)["not_after_datetime"].year > 2100
    assert make("webapps.ssl.delete", domain) is None
    assert make("webapps.delete", domain) is None

    site = make("websites.create", f"site-{domain}", "sleep 100")
    name = site["domain_name"]
    assert site["webapp"]["command"] == "sleep 100"
    assert make("websites.get", name)["enabled"] is True
    assert len(make("websites.list")) == 1
    assert make("websites.update", name, enabled=False)["enabled"] is False
    assert make("websites.reload", name) is None
    make("domains.ssl.set_lets_encrypt", name)
    assert isinstance(make("domains.ssl.get", name), dict)
    assert make("websites.delete", name) is None
    assert set(made) == set(CALLS)
    for name, kind in TYPES.items():
        answer = made[name][0] if name.endswith(".list") else made[name]
        assert kind.__required_keys__ <= set(answer), name


def assert_reaches(name, request):
    endpoint = ENDPOINTS[CALLS.index(name)]
    expected = endpoint["path"].split("?")[0].replace("{path}", "")
    assert request.method == endpoint["http"]
    parts, found = expected.split("/"), request.path.split("/")
    for part, segment in zip(parts, found, strict=False):
        assert part == segment or part.startswith("{"), (expected, request.path)
    assert len(parts) == len(found) or name.startswith("files."), (expected, request.path)


# ---- arguments


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "words"),
    [
        ("always_on.create", (), {}, "missing 1 required positional argument: 'command'"),
        ("always_on.create", ("x", "y", True, 1), {}, "takes from 2 to 4 positional arguments but 5 were given"),
        ("always_on.create", (1,), {}, "always_on.create: command must be a str, not int"),
        ("always_on.create", ("x",), {"enabled": 1}, "enabled must be a bool, not int"),
        ("schedule.create", ("x", True), {}, "minute must be an int, not bool"),
        ("always_on.get", (None,), {}, "id must be an int or a str, not NoneType"),
        ("always_on.update", (1,), {"command": object()}, "object cannot be converted to JSON"),
        ("always_on.update", (1,), {"id": 2}, "got multiple values for argument 'id'"),
        ("files.upload", ("/home/x", "text"), {}, "files.upload: content must be bytes"),
        ("files.download", ("/home/x", 1), {}, "files.download: to must be a path"),
        ("consoles.run", (1, b"ls"), {}, "consoles.run: command must be a str, not bytes"),
        ("consoles.run", (1, "ls", "soon"), {}, "must be real number"),
    ],
)
def test_wrong_arguments_are_told_before_any_request(account, name, args, kwargs, words):
    account.host.clear_requests()
    with pytest.raises(TypeError, match=words.replace("(", "\\(")):
        account(name, *args, **kwargs)
    assert account.host.requests == []


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("files.read", ("relative.txt",)),
        ("files.delete", ("/home/../etc",)),
        ("webapps.get", ("../x",)),
        ("webapps.get", ("",)),
        ("always_on.get", ("",)),
        ("students.delete", ("..",)),
    ],
)
def test_what_would_lead_elsewhere_is_refused_before_any_request(account, name, args):
    account.host.clear_requests()
    with pytest.raises(ConfigError):
        account(name, *args)
    assert account.host.requests == []


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [
        (("", "t" * 40), {}, ConfigError),
        (("me", ""), {}, ConfigError),
        (("me", "t", "http://example.com"), {}, ConfigError),
        (("me", "t" * 40), {"timeout": 0}, ValueError),
        (("me", "t" * 40), {"timeout": float("nan")}, ValueError),
        (("me", "t" * 40), {"rate_limit": "fast"}, ConfigError),
        (("me", "t" * 40), {"rate_limit": True}, TypeError),
        (("me", "t" * 40), {"max_wait": -1.0}, ValueError),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_clients_that_cannot_be_are_refused(kind, args, kwargs, error):
    with pytest.raises(error):
        kind(*args, **kwargs)


# ---- answers


def test_unknown_fields_pass_through(account):
    account.host.faults.add("status", code=200, body='[{"id": 1, "brand_new": {"a": [1.5, null]}}]')
    assert account("always_on.list") == [{"id": 1, "brand_new": {"a": [1.5, None]}}]


@pytest.mark.parametrize("name", ["always_on.list", "cpu.get", "students.list", "files.tree", "files.list"])
@pytest.mark.parametrize("body", ["<html>please log in</html>", '"text"', "[1]", "{", ""])
def test_an_answer_of_another_shape_is_an_error(account, name, body):
    account.host.faults.add("status", code=200, body=body)
    with pytest.raises(DecodeError):
        account(name, *(["/home"] if name.startswith("files.") else []))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, pythonanywhere_api.BadRequestError),
        (401, pythonanywhere_api.AuthenticationError),
        (403, pythonanywhere_api.ForbiddenError),
        (404, NotFoundError),
        (409, pythonanywhere_api.ConflictError),
        (418, pythonanywhere_api.ApiError),
        (500, pythonanywhere_api.ServerError),
    ],
)
def test_each_status_has_its_exception(account, status, error):
    account.host.faults.add("status", code=status, body='{"detail": "no such luck"}')
    with pytest.raises(error) as caught:
        account("cpu.get")
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.detail, caught.value.method) == (status, "no such luck", "GET")
    assert caught.value.path.endswith("/cpu/")


def test_a_console_that_was_not_started_says_which_page_to_open(account):
    console = account("consoles.create")
    with pytest.raises(pythonanywhere_api.ConsoleNotStartedError) as caught:
        account("consoles.latest_output", console["id"])
    assert caught.value.browser_url == f"{account.host.url}/user/{account.host.user}/consoles/{console['id']}/"


def test_a_cname_error_is_a_warning(account):
    account("webapps.create", account.domain, "python311")
    account.host.faults.add("status", code=409, body='{"error": "cname_error"}', path="*/reload/")
    with pytest.warns(PythonAnywhereWarning, match="cname_error"):
        assert account("webapps.reload", account.domain) == {"error": "cname_error"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PythonAnywhereWarning):
            account("webapps.reload", account.domain)


def test_a_web_app_that_was_not_made_is_an_error(account):
    body = '{"status": "ERROR", "error_type": "bad_domain", "error_message": "not yours"}'
    account.host.faults.add("status", code=200, body=body, path="*/webapps/")
    with pytest.raises(pythonanywhere_api.ApiError, match="not yours"):
        account("webapps.create", account.domain, "python311")


# ---- the clients


def test_from_env_reads_the_environment_of_the_moment(host, monkeypatch):
    for name, value in {
        "API_TOKEN": host.token,
        "PYTHONANYWHERE_USERNAME": host.user,
        "PYTHONANYWHERE_SITE": host.url,
    }.items():
        monkeypatch.setenv(name, value)
    with Client.from_env(rate_limit="off") as client:
        assert client.cpu.get()["daily_cpu_limit_seconds"] > 0
    assert (client.username, client.host) == (host.user, host.url)

    async def main():
        async with AsyncClient.from_env() as client:
            return await asyncio.gather(*(client.cpu.get() for _ in range(20)))

    assert len(asyncio.run(main())) == 20
    monkeypatch.delenv("API_TOKEN")
    with pytest.raises(ConfigError, match="API_TOKEN"):
        Client.from_env()


def test_several_accounts_at_once(host):
    with Emulator(rate_limit=None, user="other") as second:
        one = Client(host.user, host.token, host.url)
        two = Client(second.user, second.token, second.url)
        one.files.upload(f"/home/{host.user}/x", b"1")
        two.files.upload("/home/other/x", b"2")
        assert (one.files.read(f"/home/{host.user}/x"), two.files.read("/home/other/x")) == (b"1", b"2")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_the_token_is_never_shown(kind):
    token = "5ecret" * 7
    client = kind("me", token)
    assert token not in repr(client) + str(client) + repr(client.files) + repr(vars(type(client)))
    assert repr(client) == f"{kind.__name__}('me', host='https://www.pythonanywhere.com')"
    with pytest.raises(TypeError):
        json.dumps(client)


def test_rate_limit_and_max_wait_are_options(host):
    client = Client(host.user, host.token, host.url, rate_limit=1, max_wait=0)
    client.cpu.get()
    with pytest.raises(pythonanywhere_api.RateLimitedError) as caught:
        client.cpu.get()
    assert 59 < caught.value.retry_after < 61
