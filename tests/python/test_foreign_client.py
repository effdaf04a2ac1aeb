"""The emulator, driven over https by clients that we did not write.

`pythonanywhere-core` is the vendor's own; `pypawapi` knows nearly every endpoint and expects what its users met.
"""

import json
import os
import re
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pythonanywhere_api.testing import Emulator

CLIENTS = Path(__file__).parent / "clients"
DATA = Path(__file__).parents[1] / "data"


def drive(host, certificates, script, *arguments):
    """What a script of the foreign client saw."""
    assert host.url.startswith("https://")
    environment = os.environ | {
        "API_TOKEN": host.token,
        "PYTHONANYWHERE_SITE": urlsplit(host.url).netloc,
        "PYTHONANYWHERE_USERNAME": host.user,
        "REQUESTS_CA_BUNDLE": str(certificates / "ca.pem"),
    }
    done = subprocess.run(
        [sys.executable, CLIENTS / script, f"/home/{host.user}", f"{host.user}.pythonanywhere.com", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def trusting(certificates: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates / "ca.pem")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the foreign client saw, and what the site served afterwards."""
    certificates = tmp_path_factory.mktemp("tls")
    with Emulator(tls=certificates, rate_limit=None, python=sys.executable) as host:
        seen = drive(host, certificates, "core_files_and_webapps.py")
        with urllib.request.urlopen(host.site_url, context=trusting(certificates)) as page:
            served = page.read().decode()
        yield seen | {"user": host.user, "site": served}


def test_files_are_written_listed_read_and_deleted(seen):
    assert (seen["created"], seen["replaced"]) == (201, 200)
    assert seen["content"] == "\0second"
    assert {name: entry["type"] for name, entry in seen["listing"].items()} == {"deep": "directory"}
    assert seen["json_file_is_bytes"]
    assert (seen["deleted"], seen["folder_stays"], seen["folder_deleted"]) == (204, {}, 204)


def test_refusals_are_in_the_words_of_the_service(seen):
    home = f"/home/{seen['user']}"
    assert f"No such file or directory: {home}/nothing" in seen["missing"]
    assert f"{home}/nothing does not exist" in seen["no_tree"]
    assert "File does not exist" in seen["deleted_twice"]


def test_the_tree_is_absolute_and_marks_folders(seen):
    core = f"/home/{seen['user']}/core"
    assert sorted(seen["tree"]) == [f"{core}/data.json", f"{core}/deep/", f"{core}/deep/page.txt"]


def test_sharing_serves_the_file_to_everybody_until_it_ends(seen):
    assert not seen["not_shared"]
    assert seen["shared"] == ["successfully shared", True]
    assert seen["shared_again"] != "successfully shared"
    assert seen["content_of_link"] == "\0second"
    assert (seen["unshared"], seen["after_unsharing"]) == (204, 404)


def test_a_web_app_is_made_reloaded_and_served(seen):
    domain = f"{seen['user']}.pythonanywhere.com"
    assert (seen["webapp"], seen["webapps"]) == (domain, [domain])
    assert "failed" in seen["second_webapp"]
    assert seen["site"] == "served by a foreign hand"


def test_tasks_sites_and_the_rest_answer_what_the_vendors_client_reads(tmp_path):
    settings = {"account": "paid", "rate_limit": None, "python": sys.executable, "students": ["ada", "bob"]}
    with Emulator(tls=tmp_path, **settings) as host:
        seen = drive(host, tmp_path, "core_tasks_and_sites.py", "ada")
        with urllib.request.urlopen(f"{host.site_url}/assets/page.txt", context=trusting(tmp_path)) as page:
            assert page.read() == b"a static page"
    assert (seen["task"]["printable_time"], seen["task"]["interval"]) == ("16:05", "daily")
    assert seen["task"]["logfile"] == "/user/demo/files/var/log/tasklog-1-daily-at-1605-echo_it.log"
    assert (seen["same_task"], seen["deleted"], seen["tasks_left"]) == (True, True, [])
    assert (seen["hourly"]["interval"], seen["hourly"]["hour"], seen["hourly"]["minute"]) == ("hourly", None, 7)
    assert (seen["refused_twice"], seen["same_website"], seen["websites_left"]) == (True, True, [])
    assert seen["reloaded"] == seen["certified"] == {"status": "OK"}
    assert seen["certificate"]["subject_alternate_names"] == ["site.example.com"]
    assert seen["students"] == {"students": [{"username": "ada"}, {"username": "bob"}]}
    assert seen["student_removed"] == 204
    assert set(seen["cpu"]) == {"daily_cpu_limit_seconds", "next_reset_time", "daily_cpu_total_usage_seconds"}


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """What `pypawapi` saw of every endpoint that it knows, and which requests it made of them."""
    certificates = tmp_path_factory.mktemp("tls")
    settings = {"account": "paid", "rate_limit": None, "send_input_limit": None, "students": ["ada", "bob"]}
    with Emulator(tls=certificates, python=sys.executable, **settings) as host:
        seen = drive(host, certificates, "pypawapi_everything.py", "ada", str(DATA))
        pairs = {(request.method, request.endpoint) for request in host.requests if request.endpoint}
    return seen | {"pairs": pairs}


def test_a_second_client_reaches_nearly_every_endpoint(everything):
    lines = (DATA / "documented_pairs.txt").read_text().split("# Beyond")[0].splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#")]
    documented = {(method, path.split("{username}/")[1].split("?")[0]) for method, path in pairs}
    reached = {(method, endpoint.replace("files/path{*}", "files/path{}")) for method, endpoint in everything["pairs"]}
    unreached = {pair for pair in documented if (pair[0], re.sub(r"{\w+}", "{}", pair[1])) not in reached}
    # It never replaces a thing as a whole.
    assert {method for method, _ in unreached} == {"PUT"}


def test_files_are_as_a_second_client_expects(everything):
    home = "/home/demo"
    assert everything["files"] == {
        "new": [True, False],
        "content": "\0second",
        "no content": None,
        "folder": {"deep": "directory"},
        "no folder": None,
        "tree": [f"{home}/paw/deep/", f"{home}/paw/deep/page.txt"],
        "no tree": None,
        "missing": ["NotFoundError", 404, f"No such file or directory: {home}/nothing"],
        "not shared": None,
        "shared": True,
        "of share": "\0second",
        "ended": [True, None],
        "deleted": [True, True],
    }


def test_consoles_are_as_a_second_client_expects(everything):
    words = "Console not yet started. Please load it (or its iframe) in a browser first"
    assert everything["console"] == {
        "same": True,
        "shared": [],
        "not started": ["StatusError", 412, words],
        "typed": True,
        "killed": [True, []],
        "every shell": True,
    }


def test_tasks_are_as_a_second_client_expects(everything):
    assert everything["scheduled"] == {
        "made": {
            "command": "echo it",
            "hour": 16,
            "minute": 5,
            "printable_time": "16:05",
            "enabled": False,
            "description": "daily",
        },
        "hourly": {"interval": "hourly", "hour": None, "minute": 7, "enabled": True},
        "same": True,
        "updated": "16:06",
        "became hourly": None,
        "wrong": ["BadRequestError", 400, None],
        "deleted": [True, True, []],
        "missing": ["NotFoundError", 404, "Not found."],
    }
    assert everything["always on"] == {
        "made": {"command": "sleep 100", "enabled": False, "description": "always", "state": "Paused"},
        "same": True,
        "updated": "sleep 200",
        "restarted": True,
        "deleted": [True, []],
    }


def test_web_apps_are_as_a_second_client_expects(everything):
    domain = "demo.pythonanywhere.com"
    app = everything["webapp"]
    assert (app["made"], app["version"]) == ([True, [domain]], "3.10")
    updated = {"source_directory": "/home/demo/src", "force_https": True, "python_version": "3.9"}
    assert app["updated"] | updated == app["updated"]
    protected = {f"password_protection_{name}": value for name, value in (("enabled", True), ("username", "me"))}
    assert app["protected"] | updated | protected == app["protected"]
    # A reload fails while it is disabled.
    assert app["switched"] == [True, False, True, True]
    missing = ["NotFoundError", 404, "Not found."]
    assert (app["no certificate"], app["certificate"]) == (missing, [True, domain])
    assert app["wrong certificate"] == ["BadRequestError", 400, None]
    # It reads a status here, where other deletions are answered with nothing.
    assert app["certificate removed"] == [True, missing]
    assert everything["webapp deleted"] == [True, []]


def test_static_mappings_are_as_a_second_client_expects(everything):
    file = {"id": 1, "url": "/a/", "path": "/home/demo/a"}
    header = {"id": 1, "url": "/a/", "name": "X-Two", "value": "2"}
    for name, updated in (("static file", file), ("static header", header)):
        assert everything[name] == {"same": True, "updated": updated, "deleted": [True, []]}


def test_the_account_is_as_a_second_client_expects(everything):
    assert everything["versions"] == ["3.10"] * 6
    assert everything["image"] == ["haggis"] * 2
    assert (everything["students"], everything["students left"]) == ([["ada", "bob"], True], [{"username": "bob"}])
    assert set(everything["cpu"]) == {
        "daily_cpu_limit_seconds",
        "next_reset_time",
        "daily_cpu_total_usage_seconds",
    }
    assert everything["stranger"] == ["InvalidTokenError", 401, "Invalid token."]
