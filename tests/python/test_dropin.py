"""The drop-in classes: members, attributes, `error_message`, replaced members. Each case runs for both."""

import copy
import json
import logging
import pickle
import time
from unittest import mock

import pytest
from conftest import PROJECT, project_folder, write_tree

import pythonanywhere_api
from pythonanywhere_api import AsyncPythonanywhereApi, ConfigError, PythonanywhereApi, _core

MEMBERS = [
    "__init__", "error_message", "project_name", "_folder_items", "_from_json", "_prepare_collector", "_request",
    "available_consoles", "console_execute", "deployed_code_files", "deployed_file_content", "deployed_version",
    "deploy_file", "delete_file_or_folder", "files_iterator", "find_project_files", "from_env",
]  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("kind", [PythonanywhereApi, AsyncPythonanywhereApi])
def test_every_member_is_there(kind, name):
    assert hasattr(kind, name)


def test_attributes_are_as_documented(caller):
    api = caller.kind("eu.pythonanywhere.com", "me", "abc", "site")
    assert vars(api) == {
        "base_url": "https://eu.pythonanywhere.com/api/v0/user/me/",
        "consoles_url_part": "consoles/",
        "pkg_files_url_part": "files/path/home/me/site/",
        "protocol_headers": {"Authorization": "Token abc"},
        "web_user": "me",
        "skip_enter_folder": api.skip_enter_folder,
    }
    assert api.skip_enter_folder("x/.") is False
    assert (api.error_message, api.project_name) == ("", "site")
    api.project_name = "other"
    assert (api.project_name, api.pkg_files_url_part) == ("other", "files/path/home/me/other/")


def test_a_file_is_written_read_replaced_listed_and_deleted(caller, host, api):
    assert caller.run(api.deploy_file("pkg/mod.py", b"one")) == ""
    assert caller.run(api.deploy_file("pkg/mod.py", b"two")) == ""
    assert (project_folder(host) / "pkg/mod.py").read_bytes() == b"two"
    assert caller.run(api.deployed_file_content("pkg/mod.py")) == b"two"
    assert caller.run(api._folder_items("")) == [{"file_path": "pkg", "type": "directory"}]
    assert caller.run(api._folder_items("/pkg/")) == [{"file_path": "pkg/mod.py", "type": "file"}]
    assert caller.run(api.delete_file_or_folder("pkg")) == ""
    assert caller.run(api._folder_items("")) == []
    assert not (project_folder(host) / "pkg").exists()
    assert api.error_message == ""


def test_what_is_not_there(caller, host, api):
    assert caller.run(api.deployed_file_content("nope.py")) is None
    assert "404" in api.error_message
    assert caller.run(api._folder_items("nope")) is None
    assert api.error_message == ""
    error = caller.run(api.delete_file_or_folder("nope.py"))
    assert "404" in error
    assert api.error_message == error


def test_a_folder_is_not_a_file_nor_the_reverse(caller, host, api):
    write_tree(host, {"a/b.py": b""})
    assert caller.run(api.deployed_file_content("a")) is None
    assert "folder" in api.error_message
    assert caller.run(api._folder_items("a/b.py")) is None
    assert "a file" in api.error_message


@pytest.mark.parametrize(
    ("source", "version"),
    [(b'"""doc"""\n__version__ = "1.2.3"\n', "1.2.3"), (b"__version__='0.1'", "0.1"), (b"x = 1", ""), (None, "")],
)
def test_the_deployed_version(caller, host, api, source, version):
    if source is not None:
        write_tree(host, {f"{PROJECT}/__init__.py": source})
    assert caller.run(api.deployed_version()) == version
    assert api.error_message == ""


def test_remote_root_may_be_anywhere_in_the_account(caller, host):
    root = f"/home/{host.user}/sites/live"
    api = caller.api(remote_root=root)
    assert caller.run(api.deploy_file("x.py", b"1")) == ""
    assert (project_folder(host, "sites") / "live/x.py").read_bytes() == b"1"
    assert caller.run(api.find_project_files()) == {"x.py"}


# ---- error_message


def test_assigned_texts_accumulate_and_the_empty_one_clears(api):
    api.error_message = "one"
    api.error_message = "two"
    assert api.error_message == "one\n\ntwo"
    api.error_message = ""
    assert api.error_message == ""
    with pytest.raises(TypeError):
        api.error_message = None


def test_failures_are_appended_and_success_clears(caller, api):
    caller.run(api.deployed_file_content("a"))
    caller.run(api.deployed_file_content("b"))
    first, second = api.error_message.split("\n\n")
    assert '"a"' in first
    assert '"b"' in second
    assert caller.run(api.deploy_file("c", b"")) == ""
    assert api.error_message == ""


def test_a_failed_operation_returns_its_own_error_alone(caller, api):
    api.error_message = "before"
    error = caller.run(api.delete_file_or_folder("x"))
    assert "before" not in error
    assert api.error_message == f"before\n\n{error}"


@pytest.mark.parametrize("path", ["../x.py", "a/../../x.py", "/etc/passwd", "a//b", "", ".", "a/./b", "nul\0"])
def test_paths_that_leave_the_project_are_refused_before_any_request(caller, host, api, path):
    assert caller.run(api.deploy_file(path, b"x")) != ""
    assert caller.run(api.delete_file_or_folder(path)) != ""
    assert caller.run(api.deployed_file_content(path)) is None
    assert host.requests == []


@pytest.mark.parametrize("project", ["", ".", "..", "a/b", "../x", "nul\0"])
def test_a_project_name_that_is_none_is_told_before_any_request(caller, host, project):
    api = caller.api(project=project)
    assert caller.run(api.find_project_files("**")) is None
    assert "project name" in api.error_message
    assert "project name" in caller.run(api.deploy_file("x", b""))
    assert host.requests == []


@pytest.mark.parametrize("token", ["", "Token s3cret", "s3cret\n", "s3 cret"])
def test_a_missing_or_malformed_token_is_told_and_never_shown(caller, host, token):
    api = caller.kind(host.url, host.user, token, PROJECT)
    assert caller.run(api.available_consoles()) is None
    assert "API token" in api.error_message
    assert not token or token not in api.error_message
    assert host.requests == []


NO_HOSTS = {
    "http://www.pythonanywhere.com": "use https",
    "ftp://x": "neither https nor http",
    "": "it is empty",
    "a b": "invalid",
    "https://u:p@h": "credentials",
    "https://": "it contains no host name",
    "https:///": "it contains no host name",
    "http:/127.0.0.1": "without a path",
    "www.pythonanywhere.com/user": "without a path",
}


@pytest.mark.parametrize("domain", NO_HOSTS)
def test_a_host_that_is_none_is_told(caller, domain):
    for api in (
        caller.kind(domain, "me", "abc", PROJECT),
        copy.copy(caller.kind(domain, "me", "abc", PROJECT)),
    ):
        assert caller.run(api.available_consoles()) is None
        assert NO_HOSTS[domain] in api.error_message
        assert caller.run(api.find_project_files("**")) is None
        assert ":p@" not in api.error_message


@pytest.mark.parametrize(
    ("user", "why"), [("", "is missing"), ("..", "is not valid"), ("a/b", "is not valid"), ("a?b", "is not valid")]
)
def test_a_user_that_is_none_is_told_before_any_request(caller, host, user, why):
    api = caller.kind(host.url, user, host.token, PROJECT)
    assert caller.run(api.available_consoles()) is None
    assert why in api.error_message
    assert caller.run(api.find_project_files("**")) is None
    assert why in caller.run(api.deploy_file("x", b""))
    assert host.requests == []


@pytest.mark.parametrize("path", ["../x", "..\\..\\x", ".\t./x", "%2e%2e/x", "a\0b"])
def test_a_url_path_that_climbs_is_refused_before_any_request(caller, host, api, path):
    assert caller.run(api._request(path, "climbing")).status_code == 0
    assert api.error_message.startswith("climbing: the path")
    assert host.requests == []


@pytest.mark.usefixtures("hurried")
def test_no_answer_is_no_exception(caller, unlimited):
    api = caller.kind("http://127.0.0.1:9", "me", "abc", PROJECT)
    response = caller.run(api._request("consoles/", "looking", timeout=5, method="POST"))
    assert (response.status_code, response.ok, response.content) == (0, False, b"")
    assert api.error_message.startswith("looking: ")
    with pytest.raises(pythonanywhere_api.TransportError):
        response.raise_for_status()


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_error_answers_are_told_with_status_and_words(caller, host, api, status):
    host.faults.add("status", code=status, body='{"detail": "no such luck"}')
    assert f"{status} no such luck" in caller.run(api.deploy_file("x", b""))
    assert caller.run(api.available_consoles()) is None
    assert caller.run(api.console_execute(1, "ls")) == ""
    assert caller.run(api.deployed_version()) == ""
    assert f"{status} no such luck" in api.error_message


def test_a_host_that_is_down_is_told_soon_at_every_call(caller):
    api = caller.kind("http://127.0.0.1:9", "me", "abc", PROJECT)
    start = time.monotonic()
    for _ in range(20):
        assert caller.run(api.deployed_file_content("x")) is None
        assert "127.0.0.1:9" in api.error_message
    assert time.monotonic() - start < 5


def test_a_page_of_html_is_no_success(caller, host, api):
    host.faults.add("html", code=200)
    assert "200 OK" in caller.run(api.deploy_file("x", b""))
    assert "200 OK" in caller.run(api.delete_file_or_folder("x"))
    assert caller.run(api.deployed_file_content("x")) is None
    assert caller.run(api.find_project_files("**")) is None
    assert api.error_message != ""


def test_a_404_of_something_else_does_not_say_that_nothing_is_there(caller, host, api):
    assert caller.run(api.find_project_files("**")) == set()
    assert caller.run(api.deployed_version()) == ""
    assert api.error_message == ""
    host.faults.add("html", code=404)
    assert caller.run(api.find_project_files("**")) is None
    assert "404 Not Found" in api.error_message
    api.error_message = ""
    assert caller.run(api.deployed_version()) == ""
    assert "404 Not Found" in api.error_message
    assert caller.run(api._folder_items("")) is None
    assert "404 Not Found" in caller.run(api.delete_file_or_folder("x"))


# ---- _request and its response


def test_request_answers_as_requests_does(caller, host, api):
    write_tree(host, {"x.json": b'{"a": [1, 2]}', "folder/y": b""})
    response = caller.run(api._request(f"files/path/home/{host.user}/{PROJECT}/x.json", "reading"))
    assert (response.status_code, response.ok, response.reason) == (200, True, "OK")
    assert response.content == b'{"a": [1, 2]}'
    assert response.json() == {"a": [1, 2]}
    assert response.text == '{"a": [1, 2]}'
    assert response.url == f"{api.base_url}files/path/home/{host.user}/{PROJECT}/x.json"
    assert response.headers["Content-Type"].startswith("application/octet-stream")
    assert response.headers.get("no-such") is None
    assert bool(response)
    response.raise_for_status()


def test_request_fails_for_other_codes_than_those_named(caller, host, api):
    response = caller.run(api._request("nowhere/", "my task"))
    assert response.status_code == 404
    assert api.error_message.startswith("my task: ")
    caller.run(api._request("nowhere/", "my task", success_codes=[404]))
    assert api.error_message == ""


def test_request_takes_verbs_as_text_in_any_case(caller, host, api):
    for method, sent in [(None, "GET"), ("post", "POST"), ("DELETE", "DELETE"), ("Patch", "PATCH")]:
        host.clear_requests()
        caller.run(api._request("consoles/7/nothing/", "trying", method))
        assert [request.method for request in host.requests] == [sent]
    with pytest.raises(ValueError, match="verb"):
        caller.run(api._request("consoles/", "trying", "FETCH"))
    with pytest.raises(TypeError):
        caller.run(api._request("consoles/", "trying", 5))


@pytest.mark.parametrize(
    "files",
    [{"content": b"data"}, {"content": ("name.txt", b"data")}, {"content": "data"}, [("content", b"data")]],
)
def test_request_sends_files(caller, host, api, files):
    url = f"{api.pkg_files_url_part}x.txt"
    assert caller.run(api._request(url, "sending", method="post", files=files)).status_code == 201
    assert (project_folder(host) / "x.txt").read_bytes() == b"data"


class Fake:
    """An answer that only has what is read of it."""

    def __init__(self, status_code=200, content=b"", value=None):
        self.status_code = status_code
        self.content = content
        self.value = value

    def json(self):
        if self.value is None:
            raise ValueError("no JSON")
        return self.value


def test_from_json_calls_the_objects_own_method(caller, api):
    assert caller.run(api._from_json(Fake(value=[1, {"a": None}]))) == [1, {"a": None}]
    assert api.error_message == ""
    assert caller.run(api._from_json(Fake(content=b"<html>" + b"x" * 500))) is None
    assert "<html>" + "x" * 194 in api.error_message
    assert "x" * 195 not in api.error_message


@pytest.mark.parametrize("content", ["<html>é" + "x" * 500, ("<html>é" + "x" * 500).encode(), bytearray(b"no text")])
def test_from_json_quotes_content_that_is_text_or_bytes(caller, api, content):
    assert caller.run(api._from_json(Fake(content=content))) is None
    if not isinstance(content, bytearray):
        assert api.error_message.endswith("<html>é" + "x" * 193)


def test_from_json_quotes_no_token_not_even_a_part_of_it(caller, host, api):
    for filler in range(150, 200):
        api.error_message = ""
        assert caller.run(api._from_json(Fake(content="x" * filler + host.token + "y" * 100))) is None
        assert host.token[:4] not in api.error_message


@pytest.mark.parametrize("kind", ["directory", "file", "symlink", "", None, 7])
def test_folder_items_pass_the_type_on_and_only_directories_are_folders(caller, host, api, kind):
    api._request = make_replacement(
        caller, lambda url, *a, **k: Fake(value={"x": {"type": kind}} if url.endswith(f"{PROJECT}/") else {})
    )
    assert caller.run(api._folder_items("")) == [{"file_path": "x", "type": kind}]
    assert caller.run(api.find_project_files("**")) == (set() if kind == "directory" else {"x"})


@pytest.mark.usefixtures("hurried")
def test_answers_that_are_no_json_are_told(caller, host, api):
    host.faults.add("garbage")
    assert caller.run(api.available_consoles()) is None
    assert api.error_message != ""
    api.error_message = ""
    assert caller.run(api.find_project_files("*")) is None
    assert api.error_message != ""


# ---- subclasses, patches, attributes


def test_subclasses_have_their_own_constructor_and_attributes(caller, host):
    class Mine(caller.kind):
        def __init__(self, project, *, colour):
            super().__init__(host.url, host.user, host.token, project)
            self.colour = colour

    api = Mine("mysite", colour="red")
    assert api.colour == "red"
    assert caller.run(api.deploy_file("x", b"1")) == ""
    assert isinstance(api, caller.kind)


@pytest.mark.parametrize("root", ["", "/", "//", "rel", "~/mysite"])
def test_a_remote_root_that_is_no_folder_is_refused_before_any_request(caller, host, root):
    api = caller.kind(host.url, host.user, host.token, PROJECT, remote_root=root)
    error = caller.run(api.delete_file_or_folder("home"))
    assert error.startswith(f'deleting "home": remote_root is "{root}": give the absolute path')
    assert caller.run(api.find_project_files("**")) is None
    with pytest.raises(ConfigError, match="remote_root"):
        caller.run(api.deploy_diff("."))
    assert host.requests == []
    api.pkg_files_url_part = "files/path/"
    assert caller.run(api.deploy_file("x", b"1")) != ""
    assert host.requests == []


def test_neither_class_is_an_instance_of_the_other(api):
    kinds = [kind for kind in (PythonanywhereApi, AsyncPythonanywhereApi) if isinstance(api, kind)]
    assert kinds == [type(api)]
    with pytest.raises(TypeError, match="cannot create"):
        _core._PythonanywhereBase()


def test_an_instance_can_be_pickled_with_its_attributes(api):
    api.skip_enter_folder = str.isupper
    api.error_message = "failed before"
    twin = pickle.loads(pickle.dumps(api))  # noqa: S301
    assert (type(twin), vars(twin)) == (type(api), vars(api))
    assert (twin.project_name, twin.error_message) == (PROJECT, "failed before")


def make_replacement(caller, function):
    """A function for the class at hand: the asynchronous one may be given a coroutine function."""
    if not caller.is_async:
        return function

    async def replacement(*args, **kwargs):
        return function(*args, **kwargs)

    return replacement


def test_a_replaced_request_is_called_for_everything(caller, host, api):
    calls = []

    def request(url_path, task, **kwargs):
        calls.append((url_path, kwargs.get("method", "GET")))
        if url_path.endswith(f"{PROJECT}/"):
            return Fake(value={"a.py": {"type": "file"}, "sub": {"type": "directory"}})
        if url_path.endswith("sub/"):
            return Fake(value={"b.py": {"type": "file"}})
        if url_path == "consoles/":
            return Fake(value=[{"id": 5}])
        if url_path.endswith("get_latest_output/"):
            return Fake(value={"output": "done"})
        return Fake(content=b"__version__ = '7'")

    with mock.patch.object(caller.kind, "_request", make_replacement(caller, lambda self, *a, **k: request(*a, **k))):
        assert caller.run(api.find_project_files("**")) == {"a.py", "sub/b.py"}
        assert sorted(caller.list(api.files_iterator("**"))) == ["a.py", "sub/b.py"]
        assert caller.run(api.available_consoles()) == [{"id": 5}]
        assert caller.run(api.console_execute(5, "ls")) == "done"
        assert caller.run(api.deployed_version()) == "7"
        assert caller.run(api.deployed_file_content("x#.py")) == b"__version__ = '7'"
        assert caller.run(api.deploy_file("x", b"1")) == ""
        assert caller.run(api.delete_file_or_folder("x")) == ""
        assert caller.run(api._folder_items("sub")) == [{"file_path": "sub/b.py", "type": "file"}]
    assert host.requests == []
    assert (f"{api.pkg_files_url_part}x%23.py", "GET") in calls
    assert [method for _, method in calls][-3:] == ["POST", "DELETE", "GET"]
    # The patch is gone, so is its effect.
    assert caller.run(api.find_project_files("**")) == set()
    assert len(host.requests) == 1


@pytest.mark.parametrize("raised", [OSError("the disk is gone"), KeyboardInterrupt()])
def test_what_reading_a_file_raises_reaches_the_caller(caller, host, api, raised):
    class Broken:
        def read(self):
            raise raised

    for kwargs in ({"files": {"content": Broken()}}, {"data": Broken()}):
        with pytest.raises(type(raised)):
            caller.run(api._request("files/path/home/x", "upload", method="POST", **kwargs))
    assert host.requests == []


@pytest.mark.parametrize("params", [{"path": "/home/a b"}, "path=%2Fhome%2Fa+b", b"path=/home/a%20b"])
def test_params_are_pairs_or_a_query(caller, host, api, params):
    caller.run(api._request("files/tree/", "look", params=params))
    assert host.requests[-1].query == "path=%2Fhome%2Fa+b"


def test_a_replaced_request_may_call_the_method_it_gets(host, unlimited):
    requests = pytest.importorskip("requests")
    used = []

    class AsDocumented(PythonanywhereApi):
        def _request(self, url_path, task, method=requests.get, success_codes=(200, 201), **request_kwargs):
            used.append(method.__name__)
            response = method(self.base_url + url_path, headers=self.protocol_headers, **request_kwargs)
            if response.status_code not in success_codes:
                self.error_message = f"{task}: {response.status_code}"
            return response

    api = AsDocumented(host.url, host.user, host.token, PROJECT)
    assert api.deploy_file("x.py", b"1") == ""
    assert api.deployed_file_content("x.py") == b"1"
    assert api.delete_file_or_folder("x.py") == ""
    assert used == ["post", "get", "delete"]


def test_one_instance_may_be_patched(caller, host, api):
    other = caller.api()
    with mock.patch.object(api, "_request", make_replacement(caller, lambda *a, **k: Fake(value=[]))):
        assert caller.run(api.available_consoles()) == []
        assert host.requests == []
        caller.run(other.available_consoles())
        assert len(host.requests) == 1


def test_the_verdict_of_a_replaced_request_is_error_message(caller, host, api):
    def fail(*args, **kwargs):
        api.error_message = "not today"
        return Fake(status_code=500)

    api._request = make_replacement(caller, fail)
    assert caller.run(api.deploy_file("x", b"")) == "not today"
    assert api.error_message == "not today"
    api.error_message = ""
    assert caller.run(api.find_project_files("**")) is None
    assert api.error_message != ""

    def absent(*args, **kwargs):
        api.error_message = "nothing there"
        return Fake(404, value={"detail": "no such folder"})

    api.error_message = ""
    api._request = make_replacement(caller, absent)
    assert caller.run(api._folder_items("x")) is None
    assert api.error_message == ""
    assert caller.run(api.find_project_files("**")) == set()
    api.error_message = "set before"
    api._request = make_replacement(caller, lambda *a, **k: Fake(value=[]))
    assert caller.run(api.available_consoles()) is None


def test_which_statuses_are_a_success_is_a_replacements_matter(caller, host, api):
    api._request = make_replacement(caller, lambda *a, **k: Fake(404, b"gone already", []))
    assert caller.run(api.delete_file_or_folder("x.py")) == ""
    assert caller.run(api.deployed_file_content("x.py")) == b"gone already"
    assert api.error_message == ""


def test_a_replacement_may_call_what_it_replaces(caller, host):
    write_tree(host, {"a/x.py": b"1"})
    seen = []

    if caller.is_async:

        class Logging(AsyncPythonanywhereApi):
            async def _request(self, url_path, task, **kwargs):
                seen.append(url_path)
                return await super()._request(url_path, task, **kwargs)

            async def _folder_items(self, path):
                seen.append(path)
                return await super()._folder_items(path)
    else:

        class Logging(PythonanywhereApi):
            def _request(self, url_path, task, **kwargs):
                seen.append(url_path)
                return super()._request(url_path, task, **kwargs)

            def _folder_items(self, path):
                seen.append(path)
                return super()._folder_items(path)

    api = caller.api(Logging)
    assert caller.run(api.find_project_files("**")) == {"a/x.py"}
    assert seen == ["", api.pkg_files_url_part, "a", f"{api.pkg_files_url_part}a/"]
    assert caller.run(api.deployed_file_content("a/x.py")) == b"1"


def test_replaced_folder_items_are_searched(caller, host, api):
    tree = {"": [("a", "directory"), ("x.py", "file")], "a": [("a/y.py", "file"), ("a/z.txt", "symlink")]}
    api._folder_items = make_replacement(
        caller, lambda path: [{"file_path": name, "type": kind} for name, kind in tree[path]]
    )
    assert caller.run(api.find_project_files("**")) == {"x.py", "a/y.py", "a/z.txt"}
    assert sorted(caller.list(api.files_iterator("**/*.py"))) == ["a/y.py", "x.py"]
    assert host.requests == []

    def failing(path):
        if path == "a":
            api.error_message = "a is locked"
            return None
        return [{"file_path": name, "type": kind} for name, kind in tree[path]]

    api._folder_items = make_replacement(caller, failing)
    assert caller.run(api.find_project_files("**")) is None
    assert "a is locked" in api.error_message


def test_a_replaced_files_iterator_is_used_by_the_searches(caller, host, api):
    masks = []

    def items(mask):
        masks.append(mask)
        return [{"file_path": "a.py", "type": "file"}, "b.py", "c.txt"]

    if caller.is_async:

        async def iterate(mask, level_index=0):
            for item in items(mask):
                yield item
    else:

        def iterate(mask, level_index=0):
            yield from items(mask)

    api.files_iterator = iterate
    assert caller.run(api.find_project_files("m1", lambda path: path == "c.txt")) == {"a.py", "b.py"}
    assert caller.run(api.deployed_code_files(["m2", "m3"])) == {"a.py", "b.py", "c.txt"}
    assert masks == ["m1", "m2", "m3"]
    assert host.requests == []


def test_a_skipper_counts_for_its_own_search_alone(caller, host):
    write_tree(host, {"a/x.py": b"1", "b/y.py": b"2"})
    if caller.is_async:

        class Own(AsyncPythonanywhereApi):
            async def files_iterator(self, path_mask, level_index=0):
                async for item in super().files_iterator(path_mask, level_index):
                    yield item
    else:

        class Own(PythonanywhereApi):
            def files_iterator(self, path_mask, level_index=0):
                yield from super().files_iterator(path_mask, level_index)

    api = caller.api(Own)

    def fail(path):
        raise LookupError(path)

    assert caller.run(api.find_project_files("**", lambda path: path == "a/.")) == {"b/y.py"}
    with pytest.raises(LookupError):
        caller.run(api.find_project_files("**", fail))
    assert caller.run(api.find_project_files("**")) == {"a/x.py", "b/y.py"}


def test_a_skipper_that_must_be_awaited_is_refused(caller, host, api):
    write_tree(host, {"x.py": b"1"})

    async def skip(path):
        return False

    with pytest.raises(TypeError, match="plain function"):
        caller.run(api.find_project_files("**", skip))


def test_an_exception_of_a_replacement_reaches_the_caller(caller, api):
    raised = LookupError("mine")

    def fail(*args, **kwargs):
        raise raised

    api._request = make_replacement(caller, fail)
    with pytest.raises(LookupError) as caught:
        caller.run(api.available_consoles())
    assert caught.value is raised


def test_attributes_are_read_at_each_call(caller, host, api):
    write_tree(host, {"x.py": b"1"}, project="elsewhere")
    api.pkg_files_url_part = f"files/path/home/{host.user}/elsewhere/"
    assert caller.run(api.find_project_files()) == {"x.py"}
    api.project_name = PROJECT
    assert caller.run(api.find_project_files()) == set()
    api.consoles_url_part = "nowhere/"
    assert caller.run(api.available_consoles()) is None
    api.consoles_url_part = "consoles/"
    assert caller.run(api.available_consoles()) is not None
    api.protocol_headers = {"Authorization": "Token wrong"}
    assert caller.run(api.available_consoles()) is None
    assert "401" in api.error_message
    api.base_url = "http://www.pythonanywhere.com/api/v0/user/me/"
    assert caller.run(api.available_consoles()) is None
    assert "https" in api.error_message


@pytest.mark.parametrize("attribute", ["base_url", "protocol_headers", "consoles_url_part", "pkg_files_url_part"])
def test_attributes_of_a_wrong_type_raise(caller, api, attribute):
    setattr(api, attribute, 5)
    with pytest.raises(TypeError):
        caller.run(api.available_consoles())


@pytest.mark.parametrize("content", ["text", None, 5, ["a"]])
def test_content_must_be_bytes(caller, api, content):
    with pytest.raises(TypeError):
        caller.run(api.deploy_file("x", content))


@pytest.mark.parametrize("content", [bytearray(b"abc"), memoryview(b"abc")])
def test_content_may_be_bytes_like(caller, host, api, content):
    assert caller.run(api.deploy_file("x", content)) == ""
    assert (project_folder(host) / "x").read_bytes() == b"abc"


@pytest.mark.parametrize("arguments", [(), ("h",), ("h", "u", "t", 5), (1, "u", "t", "p")])
def test_constructors_check_types(caller, arguments):
    with pytest.raises(TypeError):
        caller.kind(*arguments)


# ---- from_env


def clear_environment(monkeypatch):
    for name in ["API_TOKEN", "PYTHONANYWHERE_USERNAME", "PYTHONANYWHERE_SITE", "PYTHONANYWHERE_DOMAIN", "LOGNAME"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USER", "laptop")


def test_from_env_reads_the_environment_at_the_call(caller, monkeypatch):
    clear_environment(monkeypatch)
    with pytest.raises(ConfigError, match="API_TOKEN"):
        caller.kind.from_env("p")
    monkeypatch.setenv("API_TOKEN", "abc")
    with pytest.raises(ConfigError, match="PYTHONANYWHERE_USERNAME"):
        caller.kind.from_env("p")
    monkeypatch.setenv("PYTHONANYWHERE_USERNAME", "me")
    api = caller.kind.from_env("p")
    assert type(api) is caller.kind
    assert api.base_url == "https://www.pythonanywhere.com/api/v0/user/me/"
    assert api.protocol_headers == {"Authorization": "Token abc"}
    monkeypatch.delenv("PYTHONANYWHERE_USERNAME")
    monkeypatch.setenv("PYTHONANYWHERE_DOMAIN", "eu.pythonanywhere.com")
    with pytest.raises(ConfigError, match="PYTHONANYWHERE_USERNAME"):
        caller.kind.from_env("p")
    monkeypatch.setenv("HOME", "/home/laptop")
    assert caller.kind.from_env("p").base_url == "https://eu.pythonanywhere.com/api/v0/user/laptop/"
    monkeypatch.setenv("PYTHONANYWHERE_SITE", "http://127.0.0.1:8000")
    assert caller.kind.from_env("p", remote_root="/srv/x").pkg_files_url_part == "files/path/srv/x/"


# ---- logging


@pytest.mark.usefixtures("hurried")
def test_what_is_raised_while_a_record_is_logged_reaches_the_caller(host):
    """Signal handlers run in any Python code, and so in `logging`."""

    class Raising(logging.Handler):
        def emit(self, record):
            raise KeyboardInterrupt(record.getMessage())

    api = pythonanywhere_api.PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    assert api.available_consoles() == []
    logger, handler = logging.getLogger("pythonanywhere_api"), Raising()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    host.faults.add("status", code=503, times=1)
    try:
        with pytest.raises(KeyboardInterrupt, match="503"):
            api.available_consoles()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert api.available_consoles() == []


# ---- secrets


def test_what_a_server_repeats_of_the_token_is_masked(caller, host, api):
    page = f"<pre>Authorization: Token {host.token}</pre>"
    host.faults.add("status", code=403, body=page, content_type="text/html", times=3)
    assert "Token ***" in caller.run(api.deploy_file("x", b""))
    response = caller.run(api._request("cpu/", "looking"))
    # The caller has the token anyway, and asked for this.
    assert response.text == page
    assert caller.run(api._from_json(response)) is None
    assert api.error_message.count("***") >= 2
    assert host.token not in api.error_message


def test_the_token_is_shown_in_one_place_only(caller, host, api, caplog):
    caplog.set_level(0)
    host.faults.add("status", code=500, times=3)
    caller.run(api.deploy_file("x", b""))
    caller.run(api.find_project_files("**"))
    response = caller.run(api._request("nowhere/", "t"))
    shown = [repr(api), str(api), api.error_message, repr(response), response.url, repr(response.headers), caplog.text]
    shown += [json.dumps({name: str(value) for name, value in vars(api).items() if name != "protocol_headers"})]
    assert all(host.token not in text for text in shown)
