"""The emulator, driven over https by `pythonanywhere-core`, the vendor's own client, which we did not write."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pythonanywhere_api.testing import Emulator

CLIENTS = Path(__file__).parent / "clients"


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


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What the foreign client saw, and what the site served afterwards."""
    certificates = tmp_path_factory.mktemp("tls")
    with Emulator(tls=certificates, rate_limit=None, python=sys.executable) as host:
        seen = drive(host, certificates, "core_files_and_webapps.py")
        with urllib.request.urlopen(host.site_url) as page:
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
        with urllib.request.urlopen(f"{host.site_url}/assets/page.txt") as page:
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
