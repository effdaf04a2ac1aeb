"""Where `pya` takes its settings from, and what it says when they are wrong: before any request."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from command import Pya, clean_environment, environment_of

from pythonanywhere_api.testing import Emulator


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None) as emulator:
        yield emulator


@pytest.fixture
def pya(host, tmp_path):
    """`pya` in a folder whose table names the account; the environment has the token alone."""
    host.clear_requests()
    return Pya(tmp_path, clean_environment(API_TOKEN=host.token, PYTHONANYWHERE_RATE_LIMIT="off"))


def table(pya: Pya, *lines: str) -> None:
    (pya.folder / "pyproject.toml").write_text("\n".join(["[tool.pythonanywhere]", *lines, ""]))


def work_tree(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", folder], check=True)


def test_the_table_is_found_from_a_folder_below(pya, host):
    work_tree(pya.folder)
    table(pya, f'user = "{host.user}"', f'host = "{host.url}"')
    below = pya.folder / "app" / "deep"
    below.mkdir(parents=True)
    (pya.folder / "app" / "pyproject.toml").write_text("[tool.black]\n")
    answer = Pya(below, pya.environment).json("ls")
    assert answer["path"] == f"/home/{host.user}"


def test_options_come_before_the_environment_and_that_before_the_table(pya, host):
    table(pya, 'user = "table"', 'host = "http://127.0.0.1:9"')
    environment = {"PYTHONANYWHERE_USERNAME": "environment", "PYTHONANYWHERE_SITE": host.url}
    pya("ls", code=4, **environment)
    assert "/user/environment/" in host.requests[-1].path
    assert pya.json("ls", "--user", host.user, **environment)["path"] == f"/home/{host.user}"


def test_user_counts_only_on_pythonanywhere(pya, host):
    there = {"PYTHONANYWHERE_DOMAIN": "eu.pythonanywhere.com", "HOME": f"/home/{host.user}"}
    done = pya("ls", code=2, USER=host.user, PYTHONANYWHERE_SITE=host.url, HOME=f"/home/{host.user}")
    assert "--user" in done.stderr
    pya("ls", code=2, **there | {"USER": host.user, "PYTHONANYWHERE_SITE": host.url, "HOME": "/root"})
    assert pya.json("ls", "--host", host.url, USER=host.user, **there)["path"] == f"/home/{host.user}"
    assert pya.json("ls", "--host", host.url, LOGNAME=host.user, **there)["path"] == f"/home/{host.user}"


def test_the_table_names_the_user_before_the_login_name(pya, host):
    table(pya, f'user = "{host.user}"', f'host = "{host.url}"')
    there = {"PYTHONANYWHERE_DOMAIN": "pythonanywhere.com", "HOME": "/home/runner", "USER": "runner"}
    assert pya.json("ls", "--host", host.url, **there)["path"] == f"/home/{host.user}"
    assert pya.json("ls", PYTHONANYWHERE_SITE=host.url, USER="runner")["path"] == f"/home/{host.user}"


UNREACHABLE = {"HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}


@pytest.mark.parametrize("domain", ["www.example.com", "me.pythonanywhere.com", "127.0.0.1:1", "pythonanywhere.com"])
def test_the_domain_of_a_web_app_is_no_host(pya, domain):
    done = pya("ls", "--user", "me", code=3, PYTHONANYWHERE_DOMAIN=domain, **UNREACHABLE)
    assert "https://www.pythonanywhere.com/" in done.stderr


@pytest.mark.parametrize("below", [False, True], ids=["no work tree", "in a work tree below"])
def test_a_table_above_the_work_tree_is_passed_over(pya, host, below):
    table(pya, f'user = "{host.user}"', f'host = "{host.url}"')
    folder = pya.folder / "app" / "deep"
    folder.mkdir(parents=True)
    if below:
        work_tree(pya.folder / "app")
    done = Pya(folder, pya.environment)("ls", code=2)
    assert f"{pya.folder / 'pyproject.toml'} is ignored" in done.stderr
    assert "--user" in done.stderr
    assert host.requests == []


def test_a_file_above_without_our_table_is_not_mentioned(pya, host):
    (pya.folder / "pyproject.toml").write_text("[tool.black]\n")
    below = pya.folder / "app"
    below.mkdir()
    assert Pya(below, pya.environment)("ls", "--user", host.user, "--host", host.url).stderr == ""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_a_table_of_another_user_is_passed_over(pya, host):
    work_tree(pya.folder)
    table(pya, f'user = "{host.user}"', f'host = "{host.url}"')
    os.chown(pya.folder / "pyproject.toml", 12345, -1)
    done = pya("ls", code=2, SUDO_UID="54321")
    assert "is ignored: it belongs to another user" in done.stderr
    assert host.requests == []
    assert pya.json("ls", SUDO_UID="12345")["path"] == f"/home/{host.user}"


@pytest.mark.parametrize("name", ["example.com", "https://www.pythonanywhere.com.example.org", "https://10.0.0.1:8000"])
def test_the_table_names_no_host_but_the_services_own(pya, name):
    table(pya, 'user = "me"', f'host = "{name}"')
    done = pya("ls", code=2, **UNREACHABLE)
    assert f"--host {name}" in done.stderr
    # A host that the user names is used, and named in a warning.
    host = name.removeprefix("https://")
    for given, environment in (["--host", name], {}), ([], {"PYTHONANYWHERE_SITE": name}):
        done = pya("ls", *given, code=3, **UNREACHABLE, **environment)
        assert f"the API token is sent to {host}" in done.stderr


def test_the_table_names_hosts_of_the_service(pya):
    table(pya, 'user = "me"', 'host = "eu.pythonanywhere.com"')
    done = pya("ls", code=3, **UNREACHABLE)
    assert "https://eu.pythonanywhere.com/" in done.stderr
    assert "the API token is sent" not in done.stderr


@pytest.mark.parametrize(
    ("address", "is_theirs"),
    [
        ("https://www.example.com", True),
        ("https://WWW.example.com", True),
        ("https://me.pythonanywhere.com", True),
        ("https://me.eu.pythonanywhere.com", True),
        ("http://127.0.0.1:9", True),
        ("https://you.pythonanywhere.com", False),
        ("https://www.example.com:8443", False),
        ("https://www.example.com.example.org", False),
        ("https://example.com", False),
    ],
)
def test_the_table_sends_requests_to_no_site_but_the_accounts_own(pya, host, address, is_theirs):
    account = ['user = "me"', f'host = "{host.url}"', 'project = "mysite"', 'domain = "www.example.com"']
    table(pya, *account, f'site_url = "{address}"')
    # The table names an account that the token is not of.
    done = pya("history", code=4 if is_theirs else 2)
    assert ("may name no other site" in done.stderr) is not is_theirs
    assert (f"--site-url {address}" in done.stderr) is not is_theirs
    assert bool(host.requests) is is_theirs


def test_verbose_shows_each_request(pya, host):
    said = pya("ls", "-v", "--user", host.user, "--host", host.url).stderr
    path = f"/api/v0/user/{host.user}/files/path/home/{host.user}/"
    line = rf"request: GET {re.escape(path)}: 200 in \d+\.\d+ s, 0 bytes sent, \d+ received, waited \d+\.\d s"
    assert re.search(line, said), said
    assert host.token not in said


@pytest.mark.writes_token
def test_a_token_file_is_read(pya, host):
    (pya.folder / "token").write_text(host.token + "\n")
    arguments = ["ls", "--user", host.user, "--host", host.url, "--token-file", "token"]
    pya(*arguments, API_TOKEN="wrong")
    assert "cannot read the token file" in pya(*arguments[:-1], "missing", code=2).stderr
    # It never ends.
    assert "the token file /dev/zero is longer than 64 KiB" in pya(*arguments[:-1], "/dev/zero", code=2).stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['token = "s3cret"'], "does not belong"),
        (['api_token = "s3cret"'], "does not belong"),
        (['protect = ["x"]'], "its keys are: allow_lfs_pointers, allow_tasks"),
        (['delete = "yes"'], "delete"),
        (["domain = 3"], "a string or a list"),
        (["max_file_size = 'huge'"], "max_file_size"),
        (["rate_limit = 'fast'"], "rate limit"),
        (["timeout = -1"], "timeout"),
        (["user = 'me'", "user = 'you'"], "duplicate key"),
    ],
)
def test_a_table_that_is_wrong_is_refused(pya, host, lines, words):
    table(pya, *lines)
    (pya.folder / "x.py").write_text("")
    # The environment's limit would be taken before the table's was looked at.
    arguments = ["diff", "--project", "p", "--host", host.url, "--user", host.user]
    done = pya(*arguments, code=2, PYTHONANYWHERE_RATE_LIMIT="")
    assert words in done.stderr
    assert "s3cret" not in done.stderr
    assert host.requests == []


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        ([], {"API_TOKEN": ""}, "API token is missing"),
        ([], {"API_TOKEN": "Token abc"}, "malformed"),
        (["--user", ""], {"PYTHONANYWHERE_USERNAME": ""}, "--user"),
        (["--host", "http://example.com"], {}, "https"),
        (["--host", "ftp://example.com"], {}, "scheme"),
        (["--project", "../other"], {}, "project name"),
        (["--project", "a/b"], {}, "project name"),
        (["--remote-root", "/home/x/../y"], {}, ".."),
        (["--timeout", "0"], {}, "seconds"),
        (["--rate-limit", "0"], {}, "rate limit"),
        (["no-such-folder"], {}, "no-such-folder"),
        (["/"], {}, "home"),
        (["--mask", "../*"], {}, ".."),
    ],
)
def test_mistakes_are_told_before_any_request(host, tmp_path, arguments, environment, words):
    host.clear_requests()
    (tmp_path / "manage.py").write_text("")
    named = [] if "--project" in arguments else ["--project", "p"]
    done = Pya(tmp_path, environment_of(host) | environment)("diff", *named, *arguments, code=2)
    assert words in done.stderr
    assert host.requests == []


def test_the_project_is_not_guessed(host, tmp_path):
    (tmp_path / "manage.py").write_text("")
    done = Pya(tmp_path, environment_of(host))("diff", code=2)
    assert f'perhaps "{tmp_path.name}"' in done.stderr


def test_a_deploy_from_a_subfolder_is_one_of_the_project(pya, host):
    work_tree(pya.folder)
    table(pya, f'user = "{host.user}"', f'host = "{host.url}"', 'project = "sub"')
    below = pya.folder / "app"
    below.mkdir()
    (below / "views.py").write_text("")
    assert Pya(below, pya.environment).json("diff")["added"] == ["app/views.py", "pyproject.toml"]


def test_the_table_names_another_folder(pya, host):
    table(
        pya, f'user = "{host.user}"', f'host = "{host.url}"', 'project = "rooted"', 'root = "src"', 'masks = "**/*.py"'
    )
    (pya.folder / "src").mkdir()
    (pya.folder / "src" / "a.py").write_text("")
    (pya.folder / "src" / "b.txt").write_text("")
    assert pya.json("diff")["added"] == ["a.py"]
