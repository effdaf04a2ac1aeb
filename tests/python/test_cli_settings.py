"""Where `pya` takes its settings from, and what it says when they are wrong: before any request."""

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


def test_the_table_is_found_from_a_folder_below(pya, host):
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
    done = pya("ls", "--host", host.url, code=2, USER=host.user)
    assert "--user" in done.stderr
    assert pya.json("ls", USER=host.user, PYTHONANYWHERE_SITE=host.url)["path"] == f"/home/{host.user}"


def test_a_token_file_is_read(pya, host):
    (pya.folder / "token").write_text(host.token + "\n")
    arguments = ["ls", "--user", host.user, "--host", host.url, "--token-file", "token"]
    pya(*arguments, API_TOKEN="wrong")
    assert "cannot read the token file" in pya(*arguments[:-1], "missing", code=2).stderr


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['token = "s3cret"'], "does not belong"),
        (['api_token = "s3cret"'], "does not belong"),
        (['protect = ["x"]'], "its keys are: allow_tasks, compare"),
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
