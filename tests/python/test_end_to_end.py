"""The main job, whole: a real Wagtail site is deployed, served, changed, deployed again, and deployed a third time."""

import sys
import urllib.request
from pathlib import Path

import pytest
from sites import WSGI, files_below, make_wagtail_site

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.usefixtures("unlimited"), pytest.mark.slow]

PROJECT = "mysite"
HOME_PAGE = "home/templates/home/welcome_page.html"
CHANGED = [HOME_PAGE, "home/models.py", "requirements.txt"]
REMOVED = ["Dockerfile"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return make_wagtail_site(tmp_path_factory.mktemp("site"), PROJECT)


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None, python=sys.executable) as emulator:
        yield emulator


def page(host) -> str:
    with urllib.request.urlopen(host.site_url, timeout=60) as answer:
        return answer.read().decode()


def test_a_wagtail_site_is_deployed_changed_and_served(site, host):
    api = PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain, virtualenv=sys.prefix)
    remote = Path(host.root) / "home" / host.user / PROJECT
    wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI.format(project=PROJECT))

    # The first deploy sends everything but the database, which is protected, unless it is named.
    host.clear_requests()
    diff = api.deploy_diff(site)
    assert diff is not None, api.error_message
    assert len(diff.added) >= 400
    assert diff.protected == ["db.sqlite3"]
    assert (diff.changed, diff.removed, diff.unmanaged) == ([], [], [])
    report = api.deploy(diff, include=("db.sqlite3",), reload=[domain])
    assert report.ok, report.failed
    assert report.uploaded == sorted([*diff.added, "db.sqlite3"])
    assert report.reloaded == [domain]
    assert files_below(remote) == files_below(site)
    before = page(host)
    assert "Welcome to your new Wagtail site!" in before

    # Three files change and one goes: the diff shows exactly that, and the deploy sends exactly those.
    for name in CHANGED:
        path = site / name
        path.write_text(path.read_text().replace("Welcome to your new", "Changed on the laptop, deployed:") + "\n")
    for name in REMOVED:
        (site / name).unlink()
    host.clear_requests()
    diff = api.deploy_diff(site)
    assert (diff.added, diff.changed, diff.removed) == ([], sorted(CHANGED), REMOVED)
    report = api.deploy(diff, delete=True, reload=[domain])
    assert report.ok, report.failed
    assert (report.uploaded, report.deleted) == (sorted(CHANGED), REMOVED)
    uploads = [request.path for request in host.requests if request.method == "POST" and f"/{PROJECT}/" in request.path]
    assert sorted(path.split(f"/{PROJECT}/", 1)[1] for path in uploads) == sorted(CHANGED)
    # N changed and D deleted: N + D + 6, a listing for the folder that loses a file, the domains, whether there is an
    # agent, and the reload.
    assert len(host.requests) <= len(CHANGED) + len(REMOVED) + 6 + 1 + 1 + 1 + 1
    assert files_below(remote).keys() == files_below(site).keys()
    assert "Changed on the laptop" in page(host)

    # Nothing changed: two requests, nothing sent.
    host.clear_requests()
    diff = api.deploy_diff(site)
    report = api.deploy(diff, delete=True)
    assert report.ok
    assert (report.uploaded, report.deleted) == ([], [])
    assert [request.method for request in host.requests] == ["GET", "GET"]


def test_the_first_deploy_over_an_unmanaged_project_replaces_and_leaves_the_rest(tmp_path, host):
    api = PythonanywhereApi(host.url, host.user, host.token, "older")
    remote = Path(host.root) / "home" / host.user / "older"
    (remote / "pkg").mkdir(parents=True)
    (remote / "pkg" / "code.py").write_text("old")
    (remote / "pkg" / "unknown.py").write_text("not ours")
    (remote / "notes.txt").write_text("not ours either")
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "code.py").write_text("new")
    (tmp_path / "pkg" / "more.py").write_text("more")

    diff = api.deploy_diff(tmp_path)
    assert diff is not None, api.error_message
    assert (diff.added, diff.changed) == (["pkg/more.py"], ["pkg/code.py"])
    assert diff.unmanaged == ["notes.txt", "pkg/unknown.py"]
    report = api.deploy(diff, delete=True)
    assert report.ok, report.failed
    assert report.deleted == []
    assert files_below(remote) == {
        "pkg/code.py": b"new",
        "pkg/more.py": b"more",
        "pkg/unknown.py": b"not ours",
        "notes.txt": b"not ours either",
    }
