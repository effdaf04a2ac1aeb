"""The agent, from its installation to its removal: what it does to the WSGI file and to the site."""

import hashlib
import json
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from bulk_site import WSGI
from conftest import for_both_classes, write_tree
from runner_archive import append
from runner_host import load as load_runner

from pythonanywhere_api import Client, ConfigError
from pythonanywhere_api.testing import set_clock_speed


@for_both_classes
def test_an_agent_is_installed_in_few_requests_and_removed_without_a_trace(site):
    site.host.clear_requests()
    agent, url = site.api.agent, site.host.site_url
    assert site.run(agent.install(site.domain, url))["changed"]
    # Two of them look for a static files mapping that serves the agent's folder.
    assert len(site.host.requests) <= 12
    assert site.run(agent.status(site.domain, url))["ready"]
    write_tree(site.host, {"version.txt": b"0"})
    assert site.page("/x") == "version 0 at /x"

    # Twice is once.
    before = site.wsgi.read_bytes()
    assert not site.run(agent.install(site.domain, url))["changed"]
    assert site.wsgi.read_bytes() == before

    assert site.run(agent.remove(site.domain, url))["changed"]
    assert site.wsgi.read_text() == WSGI
    assert site.notes("agent*") == []
    status = site.run(agent.status(site.domain, url))
    assert (status["ready"], status["status"]) == (False, "not installed")
    assert site.page("/x") == "version 0 at /x"


@for_both_classes
def test_a_changed_wsgi_file_is_shown_and_kept(with_agent):
    site, agent = with_agent, with_agent.api.agent
    site.wsgi.write_text(site.wsgi.read_text() + "# mine\n")
    changed = site.wsgi.read_bytes()
    for call in (agent.remove, agent.install):
        with pytest.raises(ConfigError, match=r"(?s)changed since the agent was installed.*\+# mine"):
            site.run(call(site.domain, site.host.site_url))
        assert site.wsgi.read_bytes() == changed
    assert site.run(agent.remove(site.domain, site.host.site_url, force=True))["changed"]
    assert site.wsgi.read_text() == WSGI


def test_a_replaced_wsgi_file_is_no_installed_agent(with_agent):
    site, agent = with_agent, with_agent.api.agent
    site.wsgi.write_text(WSGI + "# anew\n")
    assert site.run(agent.status(site.domain, site.host.site_url))["status"] == "not installed"
    change = site.run(agent.remove(site.domain, site.host.site_url))
    assert not change["changed"]
    assert "was replaced since" in change["warnings"][0]
    assert site.wsgi.read_text() == WSGI + "# anew\n"
    # The agent's folder had the only copy.
    assert_original_is_kept(site, change)


def assert_original_is_kept(site, change) -> None:
    state = site.remote.parent / ".pya"
    [kept] = state.glob("replaced-wsgi-*.py")
    assert kept.read_text() == WSGI
    assert kept.name in change["warnings"][0]
    assert not (state / f"agent-{site.domain}").exists()


@pytest.mark.parametrize("length", [0, 20])
def test_a_removal_restores_a_wsgi_file_that_was_cut_off_in_its_first_line(with_agent, length):
    site, agent = with_agent, with_agent.api.agent
    write_tree(site.host, {"version.txt": b"0"})
    site.wsgi.write_text(site.wsgi.read_text()[:length])
    assert "damaged" in site.run(agent.status(site.domain, site.host.site_url))["status"]
    assert site.run(agent.remove(site.domain, site.host.site_url))["changed"]
    assert site.wsgi.read_text() == WSGI
    assert site.page() == "version 0 at /"


def test_a_status_says_why_an_agent_is_silent(with_agent):
    site = with_agent
    client = Client(site.host.user, site.host.token, site.host.url)

    def why() -> str:
        status = site.run(site.api.agent.status(site.domain, site.host.site_url))
        assert not status["ready"]
        return status["status"]

    # The agent's own code is damaged: the application runs all the same.
    folder = site.remote.parent / ".pya" / f"agent-{site.domain}"
    code = (folder / "agent.py").read_text()
    (folder / "agent.py").write_text("import nothing_of_the_kind")
    (folder / "loaded.json").unlink()
    client.webapps.reload(site.domain)
    assert site.deploy(executor="none")
    assert site.page() == "version 1 at /"
    assert "it is damaged: agent.py is not as it was installed" in why()
    (folder / "agent.py").write_text(code)
    assert "has not been loaded since" in why()
    client.webapps.disable(site.domain)
    assert "disabled" in why()


def test_a_broken_application_leaves_the_agent_its_path(site):
    broken = site.remote.parent / "broken"
    breaks = f"import os\n\nif os.path.exists({str(broken)!r}):\n    import nothing_of_the_kind\n"
    site.wsgi.write_text(WSGI.replace("import os\n", breaks))
    site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert site.deploy()
    installed = site.wsgi.read_text()
    broken.touch()
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    with pytest.raises(urllib.error.HTTPError) as caught:
        site.page()
    assert caught.value.code == 500
    status = site.run(site.api.agent.status(site.domain, site.host.site_url))
    assert status["ready"]
    assert "nothing_of_the_kind" in status["status"]
    site.write("2")
    assert site.deploy(reload=[])
    assert site.wsgi.read_text() == installed


@pytest.mark.parametrize("damage", ["folder", "note", "code"])
def test_the_site_outlives_the_agents_files_and_the_original_comes_back(site, damage):
    """Whatever the file holds: other ends of lines, quotes, a text over lines, what a stub looks like itself."""
    site.write("1")
    odd = (
        WSGI.encode()
        + b"x = '''\r\n    ]\r\n\"@ORIGINAL@\" \\ \x0c \x7f \xc3\xbc \xf0\x9f\x8e\x89\r\n'''\n# no end of line"
    )
    site.wsgi.write_bytes(odd)
    agent, url = site.api.agent, site.host.site_url
    site.run(agent.install(site.domain, url))
    assert site.deploy()
    # Loaded by now, so that it writes nothing there any more.
    assert site.page() == "version 1 at /"
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    if damage == "folder":
        shutil.rmtree(folder)
    else:
        (folder / ("agent.json" if damage == "note" else "agent.py")).write_text("{")
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    assert site.page() == "version 1 at /"
    if damage == "note":
        status = site.run(agent.status(site.domain, url))
        assert not status["ready"]
        assert "answering, but damaged: agent.json is not as it was installed" in status["status"]
    assert site.run(agent.remove(site.domain, url))["changed"]
    assert site.wsgi.read_bytes() == odd
    assert site.page() == "version 1 at /"
    assert site.notes("agent*") == []


def test_an_original_that_is_lost_is_not_made_up(with_agent):
    site, agent = with_agent, with_agent.api.agent
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    (folder / "agent.json").unlink()
    site.wsgi.write_text(site.wsgi.read_text().replace('"import os', "import os"))
    changed = site.wsgi.read_bytes()
    for call, options in ((agent.install, {}), (agent.remove, {"force": True})):
        with pytest.raises(ConfigError, match=r"the original text of .* is neither in that file nor in"):
            site.run(call(site.domain, site.host.site_url, **options))
        assert site.wsgi.read_bytes() == changed


DIES = """

import os
import time

from .files import write_json

once, run_once = os.path.expanduser("~/once"), run_job


def run_job(state, job, limit=None, **more):
    if job["operation"] != "apply" or os.path.exists(once):
        return run_once(state, job, limit, **more)
    write_json(once, job)
    while not os.path.exists(once + ".begun"):
        time.sleep(0.01)
    os._exit(1)
"""


def test_a_step_that_goes_on_after_its_answer_got_lost_is_waited_for(with_agent):
    """The worker that was asked dies, and somebody else is at the same job already."""
    site = with_agent
    site.takes_no_bundles()
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    append(folder / "runner.pyz", "pya_runner/__init__.py", DIES)
    once, receipts = site.remote.parent / "once", []

    def run_elsewhere():
        while not once.exists():
            time.sleep(0.01)
        (work,) = site.remote.parent.glob(".pya/*/work-*")
        runner = load_runner()
        apply = runner.transaction.Transaction.apply

        def slowly(transaction):
            once.with_name("once.begun").touch()
            time.sleep(1)
            apply(transaction)

        runner.transaction.Transaction.apply = slowly
        receipts.append(runner.run_job(str(work.parent), json.loads(once.read_text())))

    thread = threading.Thread(target=run_elsewhere)
    thread.start()
    set_clock_speed(10)
    try:
        report = site.deploy()
    finally:
        set_clock_speed(1)
    thread.join()
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert [receipt["state"] for receipt in receipts] == ["done"]
    assert site.page() == "version 1 at /"


def test_an_agent_that_is_gone_is_not_taken_for_one_that_is_there(with_agent):
    site = with_agent
    site.wsgi.write_text(WSGI)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "none"), report.stopped
    assert "the agent does not answer" in report.why
    assert site.notes("bundle-*") == []


@pytest.mark.parametrize(
    "start",
    [b"\xef\xbb\xbf", b"# -*- coding: latin-1 -*-\n", b"# -*- coding: utf-8 -*-\n"],
    ids=["mark", "latin", "utf"],
)
def test_a_wsgi_file_is_read_as_python_reads_files(site, start):
    original = start + WSGI.replace("version {", "§ {").encode()
    site.wsgi.write_bytes(original)
    write_tree(site.host, {"version.txt": b"0"})
    before = site.page()
    change = site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert change == {"changed": True, "renewed": [], "warnings": []}
    assert site.page() == before
    assert site.run(site.api.agent.remove(site.domain, site.host.site_url))["changed"]
    assert site.wsgi.read_bytes() == original


def test_an_installation_says_that_the_application_cannot_be_loaded(site):
    site.wsgi.write_text("import nothing_of_this_name\n")
    change = site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert change["changed"]
    (warning,) = change["warnings"]
    assert "the application could not be loaded: ModuleNotFoundError" in warning


@pytest.mark.parametrize("act", ["install", "remove"])
def test_an_edit_of_the_wsgi_file_meanwhile_is_not_lost(site, act):
    agent, url = site.api.agent, site.host.site_url
    if act == "remove":
        assert site.run(agent.install(site.domain, url))["changed"]
    # The second one, right before it is written.
    site.host.faults.add("hold", method="GET", path="*_wsgi.py", after=1, times=1)
    results = []
    call = getattr(agent, act)
    thread = threading.Thread(target=lambda: results.append(site.caller.run(call(site.domain, url))))
    thread.start()
    assert site.host.wait_held(1, timeout=120)
    edited = site.wsgi.read_text() + "# mine\n"
    site.wsgi.write_text(edited)
    site.host.release(site.host.held()[0].number)
    thread.join()
    assert results == [None]
    assert "was just changed by somebody else" in site.api.error_message
    assert site.wsgi.read_text() == edited


@for_both_classes
def test_a_reload_that_failed_is_made_up_for(site):
    agent, url = site.api.agent, site.host.site_url
    write_tree(site.host, {"version.txt": b"0"})
    assert site.page("/x") == "version 0 at /x"
    for act, is_ready in ((agent.install, True), (agent.remove, False)):
        site.host.faults.add("status", code=400, method="POST", path="*/reload/", times=1)
        assert site.caller.run(act(site.domain, url)) is None
        site.host.clear_requests()
        change = site.run(act(site.domain, url))
        assert change["warnings"] == []
        assert [request for request in site.host.requests if request.path.endswith("/reload/")]
        assert site.run(agent.status(site.domain, url))["ready"] is is_ready
    assert site.wsgi.read_text() == WSGI
    assert site.notes("agent*") == []
    assert site.page("/x") == "version 0 at /x"


def damage_file(path: Path, kind: str) -> None:
    """Damages a file of the agent in one of the ways that happen."""
    content = path.read_bytes()
    if kind == "gone":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
        (path / "x").write_text("x")
    else:
        path.write_bytes({"other": b"def (\n", "empty": b"", "cut": content[: len(content) // 2]}[kind])


@pytest.mark.parametrize("kind", ["gone", "folder", "other", "empty", "cut"])
@pytest.mark.parametrize("name", ["agent.py", "runner.pyz", "agent.json"])
def test_a_damaged_file_is_named_by_status_and_renewed_by_install_at_once(with_agent, name, kind):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    folder = site.remote.parent / ".pya" / f"agent-{site.domain}"
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    damage_file(folder / name, kind)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    status = site.run(agent.status(site.domain, url))
    assert not status["ready"]
    assert f"{name} is not as it was installed" in status["status"]
    begun = time.monotonic()
    change = site.run(agent.install(site.domain, url))
    assert time.monotonic() - begun < 30
    assert (change["changed"], change["renewed"]) == (True, [name])
    assert {name: (folder / name).read_bytes() for name in ("agent.py", "runner.pyz", "agent.json")} == {
        name: before[name] for name in ("agent.py", "runner.pyz", "agent.json")
    }
    assert site.run(agent.status(site.domain, url))["ready"]
    assert site.deploy(executor="webapp", domain=site.domain, site_url=url)
    change = site.run(agent.install(site.domain, url))
    assert change == {"changed": False, "renewed": [], "warnings": []}


@pytest.mark.parametrize("length", [0, 30, 0.2, 0.9])
def test_a_stub_that_was_cut_off_is_no_application_to_wrap_and_is_renewed(with_agent, length):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    whole = site.wsgi.read_text()
    site.wsgi.write_text(whole[: length if length in (0, 30) else int(len(whole) * length)])
    assert site.wsgi.name in site.run(agent.status(site.domain, url))["status"]
    change = site.run(agent.install(site.domain, url))
    assert change["renewed"][-1].endswith(site.wsgi.name)
    assert site.wsgi.read_text() == whole
    assert site.run(agent.status(site.domain, url))["ready"]
    assert site.run(agent.remove(site.domain, url))["changed"]
    assert site.wsgi.read_text() == WSGI


def test_a_damaged_line_of_the_stub_is_renewed_and_shown(with_agent):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    whole = site.wsgi.read_text()
    site.wsgi.write_text(whole.replace('_pya_agent["prepare"]', '_pya_agent["prepar"]'))
    assert site.wsgi.name in site.run(agent.status(site.domain, url))["status"]
    change = site.run(agent.install(site.domain, url))
    assert '+    _pya_wrap = _pya_agent["prepar"]' in change["warnings"][0]
    assert site.wsgi.read_text() == whole


def test_a_damaged_note_does_not_decide_what_the_original_is(with_agent):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    (note,) = (site.remote.parent / ".pya").glob("agent-*/agent.json")
    told = json.loads(note.read_text())
    note.write_text(json.dumps(told | {"original": "raise SystemExit"}))
    assert site.run(agent.install(site.domain, url))["renewed"] == ["agent.json"]
    assert json.loads(note.read_text()) == told
    assert site.run(agent.remove(site.domain, url))["changed"]
    assert site.wsgi.read_text() == WSGI


@pytest.mark.parametrize("below", ["", ".pya", ".pya/agent-x/", "mysite/.."])
def test_a_mapping_that_serves_the_agents_files_is_warned_of(with_agent, below):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    client = Client(site.host.user, site.host.token, site.host.url)
    home = f"/home/{site.host.user}"
    client.webapps.static_files.create(site.domain, "/static/", f"{home}/mysite/static")
    assert site.run(agent.status(site.domain, url))["warnings"] == []
    client.webapps.static_files.create(site.domain, "/all/", f"{home}/{below}")
    for call in (agent.status, agent.install):
        (warning,) = site.run(call(site.domain, url))["warnings"]
        assert f'"/all/" of {site.domain} serves "{home}/' in warning


@pytest.mark.parametrize("damage", ["runner", "build"])
def test_an_installation_that_is_not_whole_or_of_another_build_is_renewed(with_agent, damage):
    site, agent, url = with_agent, with_agent.api.agent, with_agent.host.site_url
    folder = site.remote.parent / ".pya" / f"agent-{site.domain}"
    runner = (folder / "runner.pyz").read_bytes()
    if damage == "runner":
        (folder / "runner.pyz").unlink()
    else:
        # As another version of the package left it.
        append(folder / "runner.pyz", "pya_runner/limits.py", "# older\n")
        note = json.loads((folder / "agent.json").read_text())
        note["digests"]["runner.pyz"] = hashlib.sha256((folder / "runner.pyz").read_bytes()).hexdigest()
        (folder / "agent.json").write_text(json.dumps(note | {"build": "0" * 64}))
        Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
        assert "its build differs from this one" in site.run(agent.status(site.domain, url))["status"]
        # What a failed reload leaves is made up for as well.
        site.host.faults.add("status", code=400, method="POST", path="*/reload/", times=1)
        assert site.caller.run(agent.install(site.domain, url)) is None
        assert not site.run(agent.install(site.domain, url))["changed"]
        assert "build" not in site.run(agent.status(site.domain, url))["status"]
        (folder / "runner.pyz").unlink()
    assert site.run(agent.install(site.domain, url))["changed"]
    assert (folder / "runner.pyz").read_bytes() == runner
    assert "build" not in site.run(agent.status(site.domain, url))["status"]
    assert not site.run(agent.install(site.domain, url))["changed"]


def test_an_agent_that_is_gone_is_not_chosen_for_its_old_token(with_agent):
    site = with_agent
    loaded = site.remote.parent / ".pya" / f"agent-{site.domain}" / "loaded.json"
    loaded.write_text(loaded.read_text().replace('"key_check": "', '"key_check": "0'))
    site.wsgi.write_text(WSGI)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "none")
    assert "no agent is installed" in report.why


def test_the_agent_of_a_web_app_that_is_gone_can_be_removed(with_agent):
    site = with_agent
    Client(site.host.user, site.host.token, site.host.url).webapps.delete(site.domain)
    site.wsgi.unlink(missing_ok=True)
    change = site.run(site.api.agent.remove(site.domain, site.host.site_url))
    assert (change["changed"], len(change["warnings"])) == (False, 1)
    assert site.notes("agent-*") == []


def test_an_agent_with_an_old_token_gets_one_reload(with_agent):
    site = with_agent
    # As if the token had been made anew after the last reload.
    loaded = site.remote.parent / ".pya" / f"agent-{site.domain}" / "loaded.json"
    assert site.deploy()
    text = loaded.read_text()
    loaded.write_text(text.replace('"key_check": "', '"key_check": "0'))
    site.write("2")
    assert site.deploy()


def test_half_a_deploy_is_not_reloaded_for_the_sake_of_a_new_token(with_agent):
    site = with_agent
    assert site.deploy()
    site.write("2")
    site.host.faults.add("status", code=400, method="POST", path="*/manifest-*", times=1)
    assert not site.deploy(executor="none", reload=[])
    loaded = site.remote.parent / ".pya" / f"agent-{site.domain}" / "loaded.json"
    loaded.write_text(loaded.read_text().replace('"key_check": "', '"key_check": "0'))
    site.host.clear_requests()
    # Where whatever has the agent's key no longer takes a request for its own.
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        via = {**site.via, "site_url": f"http://127.0.0.1:{server.server_port}", "executor": "webapp"}
        assert site.caller.run(site.api.verify(**via)) is None
        server.shutdown()
    assert "cannot be reloaded in the middle of a deploy" in site.api.error_message
    assert not [request for request in site.host.requests if request.path.endswith("/reload/")]


def test_a_site_that_nobody_serves_is_told_at_once(with_agent):
    site = with_agent
    assert site.deploy()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    via = {**site.via, "site_url": f"http://127.0.0.1:{port}", "executor": "webapp"}
    assert site.caller.run(site.api.manage("check", **via)) is None
    assert "no answer to POST" in site.api.error_message


def test_each_of_two_web_apps_has_an_agent_of_its_own(with_agent):
    """One at the account's own domain, one at a custom domain; its deploys touch the other one in nothing."""
    site, custom = with_agent, "www.example.org"
    assert site.deploy()
    site.host.create_webapp(custom)
    wsgi = site.wsgi.with_name("www_example_org_wsgi.py")
    wsgi.write_text(WSGI.replace("version {version}", "custom {version}"))
    assert site.run(site.api.agent.install(custom, site.host.site_url))["changed"]
    folders = {path.name for path in (site.remote.parent / ".pya").glob("agent-*")}
    assert folders == {f"agent-{site.domain}", f"agent-{custom}"}

    def page() -> str:
        request = urllib.request.Request(site.host.site_url, headers={"Host": custom})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    site.write("2")
    report = site.deploy(domain=custom, reload=[custom], health_url="/")
    assert (report.ok, report.executor, report.reloaded) == (True, "webapp", [custom]), report.stopped
    assert custom in report.why
    assert page() == "custom 2 at /"
    assert site.run(site.api.agent.remove(custom, site.host.site_url))["changed"]
    assert wsgi.read_text().startswith("import os")
    assert page() == "custom 2 at /"
    # The other agent is where it was.
    assert site.run(site.api.agent.status(site.domain, site.host.site_url))["ready"]


def test_a_password_in_front_of_the_site_is_no_obstacle(with_agent):
    site = with_agent
    client = Client(site.host.user, site.host.token, site.host.url)
    client.webapps.update(
        site.domain,
        password_protection_enabled=True,
        password_protection_username="u",
        password_protection_password="p",
    )
    client.webapps.reload(site.domain)
    with pytest.raises(urllib.error.HTTPError, match="401"):
        site.page()
    report = site.deploy(health_url="/")
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
