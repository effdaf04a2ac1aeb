"""Command lines as people type them: help as a command, what may be left out, and what is said about a slip."""

import sys
from pathlib import Path

import pytest
from bulk_site import Site
from command import Pya, clean_environment, environment_of
from conftest import Caller

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, account="paid", python=sys.executable) as host:
        yield host


@pytest.fixture
def pya(host, tmp_path):
    return Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        (["help"], ["--help"]),
        (["help", "deploy"], ["deploy", "--help"]),
        (["help", "webapps", "list"], ["webapps", "list", "--help"]),
        (["help", "agent"], ["agent", "--help"]),
    ],
)
def test_help_is_a_command(tmp_path, typed, same):
    alone = Pya(tmp_path, clean_environment())
    assert alone(*typed).stdout == alone(*same).stdout


def log(host, domain: str, kind: str, text: str) -> None:
    (Path(host.root) / "var" / "log" / f"{domain}.{kind}.log").write_text(text)


def test_logs_are_those_of_the_only_site(host, pya):
    assert "has no site" in pya("logs", code=2).stderr
    host.create_webapp("one.example.com")
    log(host, "one.example.com", "error", "an error\n")
    log(host, "one.example.com", "access", "a visit\n")
    assert pya("logs").stdout == "an error\n"
    assert pya("logs", "access").stdout == "a visit\n"
    assert pya("logs", "one.example.com", "access").stdout == "a visit\n"
    host.create_webapp("two.example.com")
    assert "one.example.com, two.example.com" in pya("logs", code=2).stderr


def test_logs_are_those_of_the_configured_site(host, pya):
    for domain in ("one.example.com", "two.example.com"):
        host.create_webapp(domain)
        log(host, domain, "error", f"of {domain}\n")
    (pya.folder / "pyproject.toml").write_text('[tool.pythonanywhere]\ndomain = "two.example.com"\n')
    host.clear_requests()
    assert pya("logs").stdout == "of two.example.com\n"
    assert len(host.requests) == 1


def test_a_command_on_the_host_needs_no_separator(host, pya):
    site = Site(Caller(PythonanywhereApi, host), pya.folder / "site")
    site.write("1")
    site.run(site.api.agent.install(site.domain, host.site_url))
    site.deploy()
    where = ["--project", "mysite", "--domain", site.domain, "--site-url", host.site_url]
    assert "manage.py check --deploy" in pya("manage", *where, "check", "--deploy").stdout
    where = ["--project", "mysite", "--site-url", host.site_url]
    assert "manage.py check" in pya("manage", site.domain, *where, "check").stdout
    assert pya("run", "--project", "mysite", "--allow-tasks", "echo", "-n", "a.b").stdout.strip() == "a.b"


def test_a_proposal_never_turns_the_meaning_round(pya):
    said = pya("deploy", "--exclude", "secret.txt", code=2).stderr
    assert "--include" not in said
    assert ".gitignore" in said
    assert "--delete" in pya("deploy", "--delet", code=2).stderr
