"""`pya status`: what it says, and how few requests it takes."""

import datetime
import json
import sys
from pathlib import Path

import pytest
from bulk_site import MANAGE, WSGI
from command import Pya, environment_of
from conftest import for_both_classes

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        yield host


@pytest.fixture
def pya(tmp_path, host):
    """In a project with a web app; caches of its own, so that nothing is known of the site."""
    return project(tmp_path, host)


def project(tmp_path, host):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    local = tmp_path / "local"
    local.mkdir()
    (local / "version.txt").write_text("1")
    (local / "manage.py").write_text(MANAGE)
    table = f'[tool.pythonanywhere]\nproject = "mysite"\ndomain = "{domain}"\nsite_url = "{host.site_url}"\n'
    (local / "pyproject.toml").write_text(table)
    caches = {"PYTHONANYWHERE_RATE_LIMIT": "off", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return Pya(local, environment_of(host) | caches)


def asked(pya, host, *arguments, most: int = 6, **more):
    """What it answers, within its requests, none of which changes anything."""
    host.clear_requests()
    answer = pya.json("status", *arguments, **more)
    requests = [request for request in host.requests if request.path.startswith("/api/")]
    assert len(requests) == answer["requests"] <= most
    assert {request.method for request in requests} == {"GET"}
    return answer


def test_it_says_how_the_account_the_site_and_the_project_stand(pya, host):
    domain = f"{host.user}.pythonanywhere.com"
    first = asked(pya, host)
    assert (first["user"], first["host"], first["environment"]) == (host.user, f"{host.url}/", None)
    assert first["cpu"]["limit_seconds"] > first["cpu"]["used_seconds"] >= 0
    (site,) = first["sites"]
    assert (site["domain"], site["exists"], site["enabled"], site["python"]) == (domain, True, True, "3.11")
    # Those of paid accounts do not expire.
    assert (site["expiry"], site["days_left"]) == (None, None)
    assert (first["agent"], first["last_deploy"]) == ("not_installed", None)
    assert first["local"] == {"differs": True, "added": 3, "changed": 0, "removed": 0}
    assert first["warnings"] == []
    assert "none yet" in pya("status").stdout

    pya("deploy")
    second = asked(pya, host)
    assert second["local"] == {"differs": False, "added": 0, "changed": 0, "removed": 0}
    deploy = second["last_deploy"]
    assert (deploy["operation"], deploy["outcome"], deploy["uploaded"]) == ("deploy", "done", 3)
    shown = pya("status").stdout
    assert deploy["id"] in shown
    assert "local files  as deployed" in shown

    pya("agent", "install")
    (pya.folder / "version.txt").write_text("2")
    (pya.folder / "new.py").write_text("")
    (pya.folder / "manage.py").unlink()
    third = asked(pya, host)
    assert third["agent"] == "answers"
    assert third["local"] == {"differs": True, "added": 1, "changed": 1, "removed": 1}
    assert '1 new, 1 changed, 1 removed ("pya diff" lists them)' in pya("status").stdout
    # What the agent's site tells need not be asked for.
    assert asked(pya, host)["requests"] == 2


def test_an_agent_that_does_not_answer_is_said_within_the_requests(pya, host):
    pya("agent", "install")
    pya("deploy")
    Client(host.user, host.token, host.url).webapps.disable(f"{host.user}.pythonanywhere.com")
    answer = asked(pya, host)
    assert (answer["agent"], answer["sites"][0]["enabled"]) == ("silent", False)
    assert "disabled" in pya("status").stdout


def test_a_deploy_that_was_cut_off_is_the_last_one(pya, host):
    pya("deploy")
    (pya.folder / "version.txt").write_text("fail")
    host.faults.add("status", path="**/reload/", code=500)
    pya("deploy", code=1)
    host.faults.clear()
    answer = asked(pya, host)
    assert answer["last_deploy"]["outcome"] == "failed"
    assert answer["local"]["differs"] is False


def test_without_a_project_it_is_about_the_account(pya, host, tmp_path):
    host.create_webapp("www.example.com")
    elsewhere = Pya(tmp_path, pya.environment)
    answer = asked(elsewhere, host)
    assert [site["domain"] for site in answer["sites"]] == [f"{host.user}.pythonanywhere.com", "www.example.com"]
    assert (answer["local"], answer["last_deploy"]) == (None, None)
    one = asked(elsewhere, host, "--domain", "www.example.com")
    assert [site["domain"] for site in one["sites"]] == ["www.example.com"]


def test_a_site_that_the_account_does_not_have_is_said(pya, host):
    answer = asked(pya, host, "--domain", "other.example.com")
    assert (answer["sites"][0]["exists"], answer["agent"]) == (False, None)
    assert "the account does not have it" in pya("status", "--domain", "other.example.com").stdout


def test_an_account_without_web_apps_has_a_status(host, tmp_path):
    pya = Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
    assert asked(pya, host)["sites"] == []
    assert "none yet" in pya("status").stdout


def set_expiry(root: Path, days: int) -> str:
    """Changes when the web app expires, behind the emulator's back."""
    (stored,) = root.rglob("webapps.json")
    apps = json.loads(stored.read_text())
    expiry = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%d")
    apps[0]["expiry"] = expiry
    stored.write_text(json.dumps(apps))
    return expiry


@pytest.mark.parametrize("with_agent", [False, True], ids=["no agent", "agent"])
def test_the_last_week_of_a_web_app_is_warned_of_and_no_other(unlimited, tmp_path, with_agent):
    root = tmp_path / "host"
    with Emulator(rate_limit=None, python=sys.executable, root=str(root)) as host:
        pya = project(tmp_path, host)
        port, token = int(host.url.rsplit(":", 1)[1]), host.token
        pya("deploy")
        if with_agent:
            pya("agent", "install")
    for days, is_warned in ((3, True), (20, False)):
        expiry = set_expiry(root, days)
        with Emulator(rate_limit=None, python=sys.executable, root=str(root), port=port, token=token) as host:
            table = (pya.folder / "pyproject.toml").read_text().split("site_url")[0]
            (pya.folder / "pyproject.toml").write_text(f'{table}site_url = "{host.site_url}"\n')
            words = f"expires in {days} days, on {expiry}"
            status = pya("status")
            assert (words in status.stderr) is is_warned
            assert f"{days} days left, until {expiry}" in status.stdout
            (pya.folder / "version.txt").write_text(str(days))
            # Also where the agent answers and no list of web apps is needed.
            assert (words in pya("deploy").stderr) is is_warned
            (pya.folder / "version.txt").write_text(f"{days} again")
            assert any(words in warning for warning in pya.json("deploy")["warnings"]) is is_warned


@for_both_classes
def test_python_is_told_the_same(with_agent):
    site = with_agent
    assert site.deploy().ok
    report = site.run(site.api.status(site.local, **site.via))
    assert (report["agent"], report["local"]["differs"], report["last_deploy"]["outcome"]) == ("answers", False, "done")
    assert [each["domain"] for each in report["sites"]] == [site.domain]
    assert report["requests"] <= 6
    # Without local files, and of all sites.
    report = site.run(site.api.status())
    assert (report["local"], report["last_deploy"]["operation"]) == (None, "deploy")
    for wrong in ({"no_git": True}, {"executor": "none"}):
        with pytest.raises(TypeError):
            site.run(site.api.status(**wrong))
