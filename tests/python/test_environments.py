"""Environments: tables in `pyproject.toml` that override others, for every command."""

import json

import pytest
from command import Pya, clean_environment

from pythonanywhere_api.testing import Emulator

TABLE = """\
[tool.pythonanywhere]
user = "{user}"
host = "{host}"
project = "mysite"
domain = "www.example.com"

[tool.pythonanywhere.env.staging]
project = "mysite-staging"
domain = "staging.example.com"
masks = "*.py"

[tool.pythonanywhere.env.bob]
user = "bob"
"""


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None, account="paid") as emulator:
        emulator.create_webapp("www.example.com")
        emulator.create_webapp("staging.example.com")
        yield emulator


@pytest.fixture
def pya(host, tmp_path):
    host.clear_requests()
    (tmp_path / "pyproject.toml").write_text(TABLE.format(user=host.user, host=host.url))
    (tmp_path / "a.py").write_text("1")
    return Pya(tmp_path, clean_environment(API_TOKEN=host.token, PYTHONANYWHERE_RATE_LIMIT="off"))


def test_an_environment_overrides_the_keys_that_it_has(pya, host):
    assert pya.json("diff")["added"] == ["a.py", "pyproject.toml"]
    assert pya.json("diff", "--env", "staging")["added"] == ["a.py"]
    assert pya.json("--env", "staging", "deploy")["reloaded"] == ["staging.example.com"]
    assert any("/mysite-staging/a.py" in request.path for request in host.requests)
    assert not any(request.path.endswith("/mysite/a.py") for request in host.requests)
    # The other place knows nothing of it.
    assert pya.json("diff")["added"] == ["a.py", "pyproject.toml"]
    assert [entry["operation"] for entry in pya.json("history", "--env", "staging")] == ["deploy"]
    assert pya.json("history") == []


def test_the_variable_names_it_as_well_and_the_option_counts_first(pya, host):
    assert pya.json("reload", PYA_ENV="staging")["reloaded"] == ["staging.example.com"]
    assert pya.json("reload", PYA_ENV="")["reloaded"] == ["www.example.com"]
    pya("ls", code=4, PYA_ENV="bob")
    assert "/user/bob/" in host.requests[-1].path
    assert pya.json("reload", "--env", "staging", PYA_ENV="bob")["reloaded"] == ["staging.example.com"]


@pytest.mark.parametrize(
    "command", ["ls", "diff", "deploy", "reload", "logs", "whoami", "status", "open", "webapps list", "agent status"]
)
def test_an_unknown_one_lists_those_that_there_are(pya, host, command):
    done = pya(*command.split(), "--env", "stagin", code=2)
    assert 'no environment has the name "stagin"' in done.stderr
    assert "there are: bob, staging" in done.stderr
    assert host.requests == []


def test_without_a_table_there_is_none(pya, host):
    (pya.folder / "pyproject.toml").unlink()
    done = pya("ls", "--user", host.user, "--host", host.url, "--env", "staging", code=2)
    assert "[tool.pythonanywhere.env.staging]" in done.stderr
    assert host.requests == []


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('[tool.pythonanywhere.env.x]\nprotect = ["db"]', '[tool.pythonanywhere.env.x] has no key "protect"'),
        ('[tool.pythonanywhere.env.x]\ndelete = "yes"', "[tool.pythonanywhere.env.x]: "),
        ('[tool.pythonanywhere.env.x]\ntoken = "s3cret"', "does not belong"),
        ('[tool.pythonanywhere.env.x.env.y]\nuser = "me"', 'has no key "env"'),
        ('[tool.pythonanywhere.env]\nx = "staging"', "is not a table"),
        ('[tool.pythonanywhere]\nenv = "staging"', "expected tables"),
    ],
)
def test_a_mistake_in_one_shows_in_all(pya, host, lines, words):
    (pya.folder / "pyproject.toml").write_text(lines)
    for more in ([], ["--env", "x"]):
        done = pya("ls", "--user", host.user, "--host", host.url, *more, code=2)
        assert words in done.stderr
        assert "s3cret" not in done.stderr
    assert host.requests == []


def test_the_environment_that_holds_is_said(pya, host):
    assert pya.json("whoami", "--env", "staging")["environment"] == "staging"
    assert json.loads(pya("status", "--json", "--env", "staging").stdout)["environment"] == "staging"
    assert "environment staging" in pya("status", "--env", "staging").stdout
