"""Deploys that the agent in the account's own site announces, carries out and ends: the API is asked for the reload."""

import json
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from agent_site import PATH
from bulk_site import Site
from conftest import Caller, environment, for_both_classes
from relay import changed
from runner_archive import append
from sites import all_files
from test_signed_answers import SPOILT

from pythonanywhere_api import Client, PythonanywhereApi
from pythonanywhere_api.testing import Emulator

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]


@pytest.fixture
def lane(with_agent, relay):
    """A deployed site whose agent is known here, behind the relay."""
    site = with_agent
    assert site.deploy()
    site.via["site_url"] = relay.url
    diff = site.run(site.api.deploy_diff(site.local, **site.via))
    assert not diff.changed
    relay.seen.clear()
    site.host.clear_requests()
    return site


def deploy(site, **options):
    """A diff by the site and a deploy of it."""
    made = site.run(site.api.deploy_diff(site.local, **site.via))
    return site.run(site.api.deploy(made, **{"reload": [site.domain], "delete": True, **site.via, **options}))


def asked(site) -> list[str]:
    """What the API was asked, in words."""
    prefix = f"/api/v0/user/{site.host.user}/"
    return [f"{request.method} {request.path.removeprefix(prefix)}" for request in site.host.requests]


def reloads(site) -> list[str]:
    return [f"POST webapps/{site.domain}/reload/"]


def is_settled(site) -> bool:
    """Whether nothing is left of a deploy but its manifest, its receipt, and what a rollback needs."""
    return not (site.notes("intent-*") or site.notes("work-*") or site.notes("gone-*"))


@for_both_classes
def test_one_changed_file_asks_the_api_for_the_reload_and_the_site_four_times(lane, relay):
    (lane.local / "version.txt").write_text("2")
    report = deploy(lane, health_url="/")
    assert (report.ok, report.executor, report.requests) == (True, "webapp", 1), report.stopped
    assert asked(lane) == reloads(lane)
    assert relay.operations() == ["state", "deploy", "finish"]
    assert len(relay.seen) == 4, "the health check is the only other one"
    assert (lane.page(), report.uploaded) == ("version 2 at /", ["version.txt"])
    assert is_settled(lane)
    assert len(lane.notes("manifest-*")) == 1
    assert report.kept_for_rollback


def test_deploys_in_a_row_wait_for_no_limit(tmp_path, monkeypatch):
    """Ten, at the service's 40 requests a minute."""
    monkeypatch.delenv("PYTHONANYWHERE_RATE_LIMIT", raising=False)
    with Emulator(rate_limit=40, python=sys.executable, account="paid") as host:
        site = Site(Caller(PythonanywhereApi, host), tmp_path / "local")
        site.write("0")
        assert site.run(site.api.agent.install(site.domain, host.site_url))
        assert deploy(site).ok
        begun = time.monotonic()
        for number in range(1, 11):
            host.clear_requests()
            (site.local / "version.txt").write_text(str(number))
            report = deploy(site)
            assert report.ok, report.stopped
            # A process that stood still, on a busy machine, looks at the state folder.
            changes = [request for request in asked(site) if not request.startswith("GET")]
            assert changes == reloads(site)
        assert site.page() == "version 10 at /"
        # Where one waited, it would be for most of a minute.
        assert time.monotonic() - begun < 40


def test_the_first_deploy_of_many_files_is_one_request_to_the_api(with_agent, relay):
    site = with_agent
    site.via["site_url"] = relay.url
    for number in range(1500):
        path = site.local / f"many{number % 40}" / f"{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(random.randbytes(1000))
    site.host.clear_requests()
    report = deploy(site)
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert asked(site) == reloads(site)
    assert all_files(site.remote) == all_files(site.local)
    # Random bytes do not get smaller, and the first piece shows how fast the others arrive.
    assert relay.operations().count("deploy") > 1
    assert relay.operations()[-1] == "finish"
    assert is_settled(site)


def test_deletes_renames_and_obstacles_go_the_same_way(lane):
    (lane.local / "pkg0" / "m0.py").rename(lane.local / "pkg0" / "moved.py")
    (lane.local / "pkg1" / "m1.py").unlink()
    (lane.local / "version.txt").write_text("2")
    report = deploy(lane)
    assert report.ok, report.stopped
    assert asked(lane) == reloads(lane)
    assert all_files(lane.remote) == all_files(lane.local)
    assert sorted(report.deleted) == ["pkg0/m0.py", "pkg1/m1.py"]


def test_what_the_host_lacks_is_brought_to_it_by_the_site_too(lane, relay):
    for number in range(5):
        (lane.local / f"large{number}.bin").write_bytes(random.randbytes(50_000))
    assert deploy(lane).ok
    # The host's copy is another one by now, which only the copy itself shows.
    (lane.remote / "large0.bin").write_bytes(b"changed there")
    (lane.local / "large0.bin").rename(lane.local / "renamed.bin")
    lane.host.clear_requests()
    report = deploy(lane)
    assert report.ok, report.stopped
    assert "could not be copied on the host" in " ".join(report.warnings)
    assert asked(lane) == reloads(lane)
    assert all_files(lane.remote) == all_files(lane.local)
    assert is_settled(lane)


def test_a_deploy_that_fails_on_the_host_changes_nothing_and_takes_its_note_back(lane):
    before = all_files(lane.remote)
    (lane.local / "version.txt").write_text("2")
    (lane.local / "folder").mkdir()
    (lane.local / "folder" / "x.txt").write_text("x")
    (lane.remote / "folder").mkdir()
    (lane.remote / "folder" / "x.txt").mkdir()
    report = deploy(lane)
    assert (report.ok, report.untouched, asked(lane)) == (False, True, [])
    assert all_files(lane.remote) == before
    assert is_settled(lane)


def test_a_site_that_fails_after_the_reload_leaves_a_note_that_says_so(lane, relay):
    (lane.local / "version.txt").write_text("2")
    wsgi = lane.wsgi.read_text()
    lane.wsgi.write_text(wsgi + "\n")
    relay.spoil_pages = 500
    report = deploy(lane, health_url="/")
    relay.spoil_pages = None
    assert not report.ok
    (note,) = (lane.remote.parent / ".pya").rglob("intent-*.json")
    assert json.loads(note.read_text())["ended"] is True
    report = deploy(lane, health_url="/")
    assert report.ok, report.stopped
    assert is_settled(lane)


# Answers that do not count


def lose(relay, operation, attack):
    relay.only, relay.spoil = {operation}, SPOILT[attack]


ATTACKS = ["unsigned", "wrong signature", "forged", "shorter", "not found", "gateway", "password", "cut off", "dropped"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_deploy_whose_answer_is_spoilt_is_looked_up_and_done_once(lane, relay, hurried, attack):
    (lane.local / "version.txt").write_text("2")
    lose(relay, "deploy", attack)
    report = deploy(lane)
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert relay.operations().count("deploy") == 1
    # The receipt is read through the API, and the files went once.
    assert not [request for request in asked(lane) if "bundle-" in request]
    assert (lane.page(), is_settled(lane)) == ("version 2 at /", True)
    assert lane.notes("manifest-*") == ["manifest-2.json"]


@pytest.mark.parametrize("status", [200, 400, 404, 502])
def test_a_deploy_that_never_arrives_goes_by_the_api_and_cannot_arrive_later(lane, relay, hurried, status):
    kept = []

    def swallow(exchange):
        kept.append(exchange)
        return changed(exchange, status=status, content=b'{"id": "00", "receipt": {"state": "done"}}')

    (lane.local / "version.txt").write_text("2")
    relay.only, relay.swallow = {"deploy"}, swallow
    report = deploy(lane)
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert [request for request in asked(lane) if "bundle-" in request]
    assert lane.page() == "version 2 at /"
    assert is_settled(lane)
    (lane.local / "version.txt").write_text("3")
    assert lane.deploy(executor="none")

    def state():
        """But for the agent's own folder, where a worker that starts notes what it has loaded."""
        notes = lane.remote.parent / ".pya"
        paths = sorted(str(path.relative_to(notes)) for path in notes.rglob("*"))
        return all_files(lane.remote), [path for path in paths if not path.startswith("agent-")]

    before = state()
    # Now it arrives, unchanged, and in time.
    (exchange,) = kept
    request = urllib.request.Request(lane.host.site_url + PATH, exchange.body, {"X-Pya-Agent": exchange.signed})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.read() == b"version 3 at /-/pya-agent", "it is the application's"
    assert state() == before


def test_a_body_that_is_changed_on_the_way_is_refused_and_goes_by_the_api(lane, relay, hurried):
    (lane.local / "version.txt").write_text("2")
    relay.only, relay.alter = {"deploy"}, lambda body: body[:-1] + b"x"
    report = deploy(lane)
    assert report.ok, report.stopped
    assert [request for request in asked(lane) if "bundle-" in request]
    assert lane.page() == "version 2 at /"


@pytest.mark.parametrize("attack", ["unsigned", "not found", "dropped"])
@pytest.mark.parametrize("arrives", [True, False])
def test_an_end_whose_answer_is_spoilt_is_made_up_for(lane, relay, hurried, attack, arrives):
    (lane.local / "version.txt").write_text("2")
    lose(relay, "finish", attack)
    if not arrives:
        relay.swallow = lambda exchange: changed(exchange, status=404, content=b"")
    report = deploy(lane)
    assert report.ok, report.stopped
    assert is_settled(lane)
    assert [request for request in asked(lane) if request.startswith("DELETE") and "intent-" in request]


def test_an_agent_that_takes_no_bundles_gets_them_through_the_api(with_agent, relay, caplog):
    site = with_agent
    site.takes_no_bundles()
    site.via["site_url"] = relay.url
    with caplog.at_level("INFO"):
        report = deploy(site)
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert "deploy" not in relay.operations()
    assert "goes through the API, not by the site: its agent is an older one" in caplog.text


def test_the_log_says_by_what_a_bundle_goes(lane, caplog):
    (lane.local / "version.txt").write_text("2")
    with caplog.at_level("INFO"):
        assert deploy(lane).ok
    assert "its agent tells what is on the host, the API is not asked" in caplog.text
    assert "the bundle goes by the site, not through the API" in caplog.text


def test_a_bundle_goes_to_no_address_that_is_not_the_accounts(lane, relay, caplog):
    (lane.local / "version.txt").write_text("2")
    via = {**lane.via, "site_url": "https://www.example.org"}
    with caplog.at_level("INFO"):
        made = lane.run(lane.api.deploy_diff(lane.local, **via))
        report = lane.run(lane.api.deploy(made, reload=[lane.domain], **via))
    assert (report.ok, relay.operations()) == (True, []), report.stopped
    assert "https://www.example.org is not an address of the account" in caplog.text


# Two at once


def test_of_two_clients_at_once_one_by_each_way_at_most_one_goes_on(lane, tmp_path):
    by_api = Site.__new__(Site)
    by_api.__dict__.update(lane.__dict__)
    by_api.local, by_api.api = tmp_path / "other", lane.caller.api()
    wins = []
    for number in range(12):
        versions = {"site": f"site {number}", "api": f"api {number}"}
        lane.write(versions["site"])
        by_api.write(versions["api"])
        diffs = {
            "site": lane.run(lane.api.deploy_diff(lane.local, **lane.via)),
            "api": by_api.run(by_api.api.deploy_diff(by_api.local)),
        }
        before, reports = all_files(lane.remote), {}

        def by(name, made=diffs, number=number, reports=reports):
            one = lane if name == "site" else by_api
            via = {**lane.via, "executor": "auto" if name == "site" else "none"}
            # Both ways get to be the first one.
            time.sleep(max(0, (number - 6) * (1 if name == "site" else -1)) * 0.01)
            reports[name] = one.api.deploy(made[name], **via)

        threads = [threading.Thread(target=by, args=(name,)) for name in versions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = [name for name, report in reports.items() if report.ok]
        assert len(done) < 2, reports
        for name in versions.keys() - set(done):
            assert json.loads(reports[name].to_json())["held"], reports[name].stopped
        version = all_files(lane.remote)["version.txt"].decode()
        assert version == (versions[done[0]] if done else before["version.txt"].decode())
        assert {content.split()[0] for name, content in all_files(lane.remote).items() if name.startswith("pkg")} == {
            version.split()[0].encode()
        }
        assert is_settled(lane)
        wins += done
    assert wins, "somebody must get through"


def test_a_running_deploy_by_the_api_stops_one_by_the_site(lane):
    """The site sees the intent after its own, takes its own back, and the API says who it is."""
    (lane.local / "version.txt").write_text("2")
    made = lane.run(lane.api.deploy_diff(lane.local, **lane.via))
    (folder,) = (path.parent for path in (lane.remote.parent / ".pya").rglob("manifest-1.json"))
    identity = "00112233aabbccdd"
    note = {"format": 1, "id": identity, "who": "ada", "host": "laptop", "since": int(time.time())}
    (folder / f"intent-{identity}.json").write_text(json.dumps(note | {"expires": int(time.time()) + 600}))
    report = lane.run(lane.api.deploy(made, reload=[lane.domain], **lane.via))
    assert not report.ok
    assert "ada@laptop has been deploying since" in report.stopped
    assert lane.notes("intent-*") == [f"intent-{identity}.json"]
    assert lane.page() == "version 1 at /"


def test_a_deploy_that_finished_since_the_diff_stops_one_by_the_site(lane):
    (lane.local / "version.txt").write_text("2")
    made = lane.run(lane.api.deploy_diff(lane.local, **lane.via))
    assert lane.deploy(executor="none")
    report = lane.run(lane.api.deploy(made, reload=[lane.domain], **lane.via))
    assert not report.ok
    assert "another deploy has finished since this diff was made" in report.stopped
    assert is_settled(lane)


# The end of either side

CLIENT = """\
import sys
from pythonanywhere_api import PythonanywhereApi

api = PythonanywhereApi(*sys.argv[1:4], "mysite")
via = {"domain": sys.argv[5], "site_url": sys.argv[6]}
diff = api.deploy_diff(sys.argv[4], **via)
print(api.deploy(diff, reload=[sys.argv[5]], **via).ok)
"""


@pytest.mark.parametrize("operation", ["state", "deploy", "finish"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_client_that_is_killed_leaves_the_truth(lane, relay, operation, when):
    (lane.local / "version.txt").write_text("2")
    host, here, go = lane.host, threading.Event(), threading.Event()

    def hold(exchange, *_):
        here.set()
        go.wait(60)
        return exchange if when == "after" else changed(exchange, status=404, content=b"")

    relay.only = {operation}
    if when == "after":
        relay.spoil = hold
    else:
        relay.swallow = hold
    words = [host.url, host.user, host.token, str(lane.local), lane.domain, relay.url]
    client = subprocess.Popen([sys.executable, "-c", CLIENT, *words], env=environment(host))
    assert here.wait(60)
    client.send_signal(signal.SIGKILL)
    client.wait()
    go.set()
    relay.only, relay.spoil, relay.swallow = set(), None, None
    has_begun = (operation, when) in {("deploy", "after"), ("finish", "before")}
    assert bool(lane.notes("intent-*")) == has_begun
    made = lane.run(lane.api.deploy_diff(lane.local, **lane.via))
    assert bool(made.warnings) == has_begun, made.warnings
    if has_begun:
        assert "did not reload" in " ".join(made.warnings) or operation == "finish"
    report = lane.run(lane.api.deploy(made, reload=[lane.domain], **lane.via))
    assert report.ok, report.stopped
    assert (lane.page(), is_settled(lane)) == ("version 2 at /", True)
    assert all_files(lane.remote) == all_files(lane.local)


# Ends the worker at the call whose number is in a file, which goes with it.
DIES = """

import os

order, left, deploy_unharmed, finish_unharmed = os.path.expanduser("~/die-at"), [0], deploy, finish
remove_order, is_there = os.unlink, os.path.exists


def harmed(function):
    def call(*args, **kwargs):
        if left[0] > 0:
            left[0] -= 1
            if left[0] == 0:
                remove_order(order)
                os._exit(1)
        return function(*args, **kwargs)

    return call


def until(function):
    def call(*args):
        if is_there(order):
            with open(order) as file:
                left[0] = int(file.read())
        try:
            return function(*args)
        finally:
            left[0] = 0

    return call


deploy, finish = until(deploy_unharmed), until(finish_unharmed)
for name in ("open", "replace", "link", "rename", "mkdir", "unlink", "rmdir", "listdir"):
    setattr(os, name, harmed(getattr(os, name)))
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1, 5))
def test_a_site_that_dies_at_any_step_loses_nothing(with_agent, relay, hurried, first):
    """Each fourth step: whatever the report says is so, and after another deploy everything is there."""
    site = with_agent
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    append(folder / "runner.pyz", "pya_runner/__init__.py", DIES)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    assert site.deploy(executor="none")
    site.via["site_url"] = relay.url
    order, died = site.remote.parent / "die-at", 0
    for step in range(first, 400, 4):
        # A process that was silent a while ago is asked again: as another command does.
        site.api = site.caller.api()
        (site.local / "version.txt").write_text(str(step))
        (site.local / "pkg0" / "m0.py").write_text(f"step {step}\n")
        order.write_text(str(step))
        before, report = all_files(site.remote), fresh_deploy(site, relay)
        now = all_files(site.remote)
        if report["ok"]:
            assert now == all_files(site.local), step
        else:
            assert now in (before, all_files(site.local)), (step, report)
            assert not report["untouched"] or now == before, (step, report)
        if order.exists():
            order.unlink()
            break
        died += 1
        assert fresh_deploy(site, relay)["ok"], step
        assert all_files(site.remote) == all_files(site.local), step
        assert site.page() == f"version {step} at /", step
        assert not site.notes("intent-*"), step
    else:
        pytest.fail("there is no end of steps")
    assert died > 5


FRESH = """\
import json
import sys
from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import set_clock_speed

set_clock_speed(20)
api = PythonanywhereApi(*sys.argv[1:4], "mysite")
via = {"domain": sys.argv[5], "site_url": sys.argv[6]}
diff = api.deploy_diff(sys.argv[4], **via)
report = api.deploy(diff, reload=[sys.argv[5]], delete=True, **via)
print(report.to_json())
"""


def fresh_deploy(site, relay) -> dict:
    """A deploy by a process that knows nothing of what happened before."""
    words = [site.host.url, site.host.user, site.host.token, str(site.local), site.domain, relay.url]
    environ = environment(site.host, PYTHONANYWHERE_RATE_LIMIT="off")
    command = [sys.executable, "-c", FRESH, *words]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_replayed_deploy_is_the_applications(lane, relay):
    (lane.local / "version.txt").write_text("2")
    assert deploy(lane).ok
    (exchange,) = (exchange for exchange in relay.seen if exchange.operation == "deploy")
    before = all_files(lane.remote), lane.notes("*")
    request = urllib.request.Request(lane.host.site_url + PATH, exchange.body, {"X-Pya-Agent": exchange.signed})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert b"version 2" in answer.read()
    assert (all_files(lane.remote), lane.notes("*")) == before
