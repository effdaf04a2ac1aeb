"""`pya open`: the address is always printed, and a browser is started where there is one."""

import sys
import time

import pytest
from command import Pya, clean_environment, environment_of

from pythonanywhere_api.testing import Emulator

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "BROWSER": "", "WSL_DISTRO_NAME": ""}


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None) as emulator:
        emulator.create_webapp()
        yield emulator


@pytest.fixture
def pya(host, tmp_path):
    host.clear_requests()
    return Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"} | NO_DISPLAY)


def table(pya, *lines: str) -> None:
    (pya.folder / "pyproject.toml").write_text("\n".join(["[tool.pythonanywhere]", *lines, ""]))


def test_the_configured_site_is_opened_without_a_request(pya, host):
    table(pya, 'domain = ["www.example.com", "example.org"]')
    assert pya("open").stdout == "https://www.example.com/\n"
    assert pya("open", "--admin").stdout == "https://www.example.com/admin/\n"
    assert pya("open", "Example.org").stdout == "https://example.org/\n"
    table(pya, 'domain = "www.example.com"', 'site_url = "http://127.0.0.1:8000"')
    assert pya("open").stdout == "http://127.0.0.1:8000/\n"
    assert pya("open", "example.org").stdout == "https://example.org/\n"
    assert pya("open", "--site-url", "http://127.0.0.1:9").stdout == "http://127.0.0.1:9/\n"
    assert host.requests == []


def test_the_only_site_of_the_account_is_found(pya, host):
    assert pya("open").stdout == f"https://{host.user}.pythonanywhere.com/\n"


def test_the_accounts_pages_need_no_token(pya, host, tmp_path):
    nobody = Pya(tmp_path, clean_environment(**NO_DISPLAY))
    assert nobody("open", "--dashboard", "--user", "ada").stdout == "https://www.pythonanywhere.com/user/ada/\n"
    eu = ["--user", "ada", "--host", "eu.pythonanywhere.com"]
    assert nobody("open", "--console", *eu).stdout == "https://eu.pythonanywhere.com/user/ada/consoles/\n"
    assert "--user NAME" in nobody("open", "--dashboard", code=2).stderr
    assert pya("open", "--dashboard").stdout == f"{host.url}/user/{host.user}/\n"
    for wrong in (["--admin", "--console"], ["www.example.com", "--dashboard"]):
        pya("open", *wrong, code=2)
    assert host.requests == []


def test_a_browser_is_started_with_the_address(pya, tmp_path):
    table(pya, 'domain = "www.example.com"')
    seen, browser = tmp_path / "seen", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$@" >{seen}.new && mv {seen}.new {seen}\n')
    browser.chmod(0o755)
    assert pya.json("open", "--admin", BROWSER=str(browser)) == {
        "url": "https://www.example.com/admin/",
        "opened": True,
    }
    end = time.monotonic() + 30
    while not seen.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert seen.read_text() == "https://www.example.com/admin/\n"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have a browser of their own")
def test_without_a_display_the_address_is_all(pya):
    table(pya, 'domain = "www.example.com"')
    done = pya("open")
    assert "no browser was started here: there is no display" in done.stderr
    assert pya.json("open") == {"url": "https://www.example.com/", "opened": False}
