"""Tests of deploy.py, with the account of the fixture `pythonanywhere`: nothing leaves this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from deploy import deploy

from pythonanywhere_api.testing import Emulator

DOMAIN = "demo.pythonanywhere.com"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A project of two files."""
    (tmp_path / "manage.py").write_text("print('hello')\n")
    (tmp_path / "old.py").write_text("")
    return tmp_path


@pytest.fixture
def account(pythonanywhere: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An account with a web app, named by the environment as it is in CI."""
    pythonanywhere.create_webapp(DOMAIN)
    monkeypatch.setenv("API_TOKEN", pythonanywhere.token)
    monkeypatch.setenv("PYTHONANYWHERE_USERNAME", pythonanywhere.user)
    monkeypatch.setenv("PYTHONANYWHERE_SITE", pythonanywhere.url)
    return pythonanywhere


def deployed(account: Emulator) -> set[str]:
    """The files that are in the account."""
    folder = Path(account.root, "home", account.user, "mysite")
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_sends_changes_and_deletes_what_is_gone(account: Emulator, site: Path) -> None:
    assert deploy(str(site), "mysite", DOMAIN) == 0
    assert deployed(account) == {"manage.py", "old.py"}
    (site / "old.py").unlink()
    assert deploy(str(site), "mysite", DOMAIN) == 0
    assert deployed(account) == {"manage.py"}


def test_sends_nothing_if_nothing_changed(account: Emulator, site: Path) -> None:
    deploy(str(site), "mysite", DOMAIN)
    account.clear_requests()
    assert deploy(str(site), "mysite", DOMAIN) == 0
    assert [request.method for request in account.requests] == ["GET", "GET"]


def test_a_failed_upload_fails_the_deploy_and_reloads_nothing(account: Emulator, site: Path) -> None:
    account.faults.add("status", method="POST", path="**/old.py", code=403)
    assert deploy(str(site), "mysite", DOMAIN) == 1
    assert not [request for request in account.requests if request.path.endswith("/reload/")]
    account.faults.clear()
    assert deploy(str(site), "mysite", DOMAIN) == 0
    assert deployed(account) == {"manage.py", "old.py"}
