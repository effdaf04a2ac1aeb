"""The guard: a run touches nothing but its scratch folder and what it made itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

from .account import Account, NotObserved
from .agent import agent
from .guard import Guard, OutsideScratch
from .report import Report

HOME = "/api/v0/user/demo/"
SCRATCH = "/home/demo/pya-contract-1"
DOMAIN = "demo.pythonanywhere.com"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def guard():
    guard = Guard("demo", SCRATCH, frozenset(["webapps", "consoles"]), DOMAIN)
    guard.made("consoles", 7)
    return guard


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("POST", "files/path/home/demo/mysite/manage.py", {}),
        ("DELETE", "files/path/home/demo/", {}),
        ("DELETE", "files/path/home/demo/pya-contract-", {}),
        ("DELETE", "files/path/home/demo/pya-contract-12", {}),
        ("DELETE", "files/path/home/demo/pya-contract-1/../mysite", {}),
        ("DELETE", "files/path/home/demo/pya-contract-1/%2e%2e/mysite", {}),
        ("POST", "files/path/home/other/pya-contract-1/x", {}),
        ("POST", "files/path/var/www/demo_pythonanywhere_com_wsgi.py", {}),
        ("DELETE", "files/path/var/log/demo.pythonanywhere.com.access.log", {}),
        ("POST", "files/pathology", {}),
        ("POST", "files/sharing/", {"path": "/home/demo/secret"}),
        ("POST", "files/sharing/", {}),
        ("DELETE", "files/sharing/?path=/home/demo/secret", {}),
        ("DELETE", "files/sharing/?path=/home/demo/pya-contract-1/x&path=/home/demo/secret", {}),
        ("DELETE", "files/sharing/", {}),
        ("DELETE", "consoles/8/", {}),
        ("POST", "webapps/", {"domain_name": "mine.example.com", "python_version": "3.11"}),
        ("POST", "webapps/demo.pythonanywhere.com/reload/", {}),
        ("DELETE", "webapps/demo.pythonanywhere.com/", {}),
        ("POST", "schedule/", {"command": "true"}),
        ("DELETE", "schedule/7/", {}),
        ("PATCH", "system_image/", {"system_image": "innit"}),
        ("PATCH", "default_python_version/", {}),
        ("DELETE", "students/ada/", {}),
        ("POST", "/api/v1/user/demo/websites/", {"domain_name": DOMAIN}),
        ("POST", "/api/v0/user/other/files/path/home/demo/pya-contract-1/x", {}),
        ("POST", "/", {}),
    ],
)
def test_what_is_not_the_runs_own_is_refused(guard, method, target, fields):
    with pytest.raises(OutsideScratch):
        guard.check(method, target if target.startswith("/") else HOME + target, fields)


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        ("GET", "files/path/home/demo/mysite/manage.py", {}),
        ("GET", "webapps/", {}),
        ("POST", "files/path/home/demo/pya-contract-1/a/b%20c", {}),
        ("DELETE", "files/path/home/demo/pya-contract-1", {}),
        ("POST", "files/sharing/", {"path": SCRATCH + "/x"}),
        ("DELETE", f"files/sharing/?path={SCRATCH}/x", {}),
        ("POST", "consoles/", {"executable": "bash"}),
        ("DELETE", "consoles/7/", {}),
        ("POST", "webapps/", {"domain_name": DOMAIN}),
    ],
)
def test_reading_the_scratch_folder_and_what_was_made_are_allowed(guard, method, target, fields):
    guard.check(method, HOME + target, fields)


def test_a_web_app_of_the_run_may_be_written_and_its_logs_deleted(guard):
    guard.made("webapps", DOMAIN)
    wsgi = "files/path/var/www/demo_pythonanywhere_com_wsgi.py"
    for method, target in [
        ("POST", wsgi),
        ("DELETE", wsgi + ".bak"),
        ("DELETE", f"files/path/var/log/{DOMAIN}.error.log"),
        ("POST", f"webapps/{DOMAIN}/reload/"),
    ]:
        guard.check(method, HOME + target)
    for method, target in [
        ("POST", f"files/path/var/log/{DOMAIN}.error.log"),
        ("DELETE", "files/path/var/log/other.example.com.error.log"),
        ("DELETE", "files/path/var/www/other_example_com_wsgi.py"),
        ("DELETE", "files/path/var/www/demo_pythonanywhere_com_wsgi.py/../x"),
    ]:
        with pytest.raises(OutsideScratch):
            guard.check(method, HOME + target)


def test_nothing_that_is_refused_is_sent():
    with Emulator(rate_limit=None) as host:
        account = Account.of(host, may_make=frozenset())
        for write in (
            lambda: account.call("files.upload", "/home/demo/x", b""),
            lambda: account.call("files.delete", "/home/demo"),
            lambda: account.call("webapps.create", DOMAIN, "3.11"),
            lambda: account.call("system_image.set", "innit"),
            lambda: account.request("DELETE", "files/path/home/demo/x"),
            lambda: account.request("DELETE", "files/sharing/", params={"path": "/home/demo/x"}),
        ):
            with pytest.raises(OutsideScratch):
                write()
        assert host.requests == []


def snapshot(root):
    """Every file of an account but the emulator's own."""
    files = (path for path in Path(root).rglob("*") if path.is_file() and ".emulator" not in path.parts)
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def run_as_on_a_real_account(host, tmp_path, **variables):
    """Runs facts and questions in a process of their own, with an emulator in the place of the real host."""
    report = tmp_path / "report.json"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHONANYWHERE_")}
    environment |= {
        "PYTHONANYWHERE_CONTRACT_USER": host.user,
        "PYTHONANYWHERE_CONTRACT_HOST": host.url,
        "PYTHONANYWHERE_CONTRACT_REPORT": str(report),
        "API_TOKEN": host.token,
        **variables,
    }
    tests = ["tests/contract/test_facts.py", "tests/contract/test_questions.py"]
    # The slowest question makes nothing that others do not make as well.
    options = ["-q", "-p", "no:cacheprovider", "-k", "not overwrite_under_download"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert host.token not in done.stdout + done.stderr + report.read_text()
    content = json.loads(report.read_text())
    assert content["left_behind"] == []
    return {each["key"]: each for each in content["questions"]}, done.stdout


def test_a_real_account_is_left_as_it_was(tmp_path):
    with Emulator(rate_limit=None) as host:
        host.create_webapp()
        site = Path(host.root) / "home" / host.user / "mysite"
        site.mkdir()
        (site / "manage.py").write_text("precious")
        before = snapshot(host.root)
        host.clear_requests()
        seen, printed = run_as_on_a_real_account(host, tmp_path)
        assert snapshot(host.root) == before
        writes = [request for request in host.requests if request.method not in ("GET", "HEAD")]
    assert len(writes) > 20
    # A share's path is in the body; everything else names the scratch folder.
    outside = {each.path for each in writes if "/pya-contract-" not in each.raw_path + each.query}
    assert outside == {HOME + "files/sharing/"}
    not_observed = {key for key, each in seen.items() if not each["observed"]}
    assert not_observed == NEEDS_LEAVE | THROTTLE_IS_OFF
    for key in NEEDS_LEAVE:
        assert f"{seen[key]['asks']} not observed: " in printed
    assert "webapps to PYTHONANYWHERE_CONTRACT_MAKE" in seen["keep_mode"]["said"]
    assert "PYTHONANYWHERE_CONTRACT_LARGE=1" in seen["upload_limit"]["said"]


NEEDS_LEAVE = {
    "upload_limit",
    "overwrite_replaces",
    "keep_mode",
    "new_mode",
    "webapp_created",
    "reload_status",
    "taken_domain",
    "webapp_threads",
    "background_threads",
    # Here no web app has a certificate.
    "not_after_form",
}
THROTTLE_IS_OFF = {
    "retry_after",
    "bucket_per_method",
    "refused_requests_count",
    "sliding_log",
    "requests_a_minute",
}


def test_what_a_user_allows_is_made_and_removed(tmp_path):
    domain = "contract.example.com"
    allowed = {
        "PYTHONANYWHERE_CONTRACT_MAKE": "webapps,consoles,schedule,always_on",
        "PYTHONANYWHERE_CONTRACT_LARGE": "1",
        "PYTHONANYWHERE_CONTRACT_DOMAIN": domain,
    }
    with Emulator(rate_limit=None, account="paid", python=sys.executable) as host:
        host.create_webapp()
        before = snapshot(host.root)
        seen, _ = run_as_on_a_real_account(host, tmp_path, PYTHONANYWHERE_CONTRACT_SITE=host.site_url, **allowed)
        assert snapshot(host.root) == before
        with Client(host.user, host.token, host.url) as client:
            assert [app["domain_name"] for app in client.webapps.list()] == [f"{host.user}.pythonanywhere.com"]
            assert client.consoles.list() == client.schedule.list() == client.always_on.list() == []
        made = {request.path.split("/")[5] for request in host.requests if request.method == "POST"}
    assert {"webapps", "consoles", "schedule", "always_on"} <= made
    assert {key for key, each in seen.items() if not each["observed"]} == THROTTLE_IS_OFF | {"not_after_form"}


def test_a_domain_that_is_in_use_is_left_alone():
    with Emulator(rate_limit=None, account="paid") as host:
        host.create_webapp()
        account = Account.of(host)
        with pytest.raises(NotObserved, match="in use"):
            agent(account)
        with Client(host.user, host.token, host.url) as client:
            client.webapps.delete(account.domain)
        # What an earlier web app left there is the user's.
        account.measured.clear()
        with pytest.raises(NotObserved, match="in use"):
            agent(account)
        assert account.guard.own["webapps"] == set()


def test_what_cannot_be_removed_is_reported():
    with Emulator(rate_limit=None) as host:
        account, report = Account.of(host), Report()
        account.begin()
        account.put({"x": b""})
        host.faults.add("status", code=403, method="DELETE", body='{"message": "not today"}')
        account.end()
        report.left_behind = account.left_behind
        assert account.scratch in report.lines()[0]
        assert "not today" in report.lines()[0]
