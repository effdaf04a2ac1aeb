"""What a site answers counts if the agent signed it for this very request; else the API is asked. Over real sockets."""

import json
import os
import socket
import stat
import time
from pathlib import Path

import pytest
from bulk_site import WSGI
from conftest import for_both_classes
from relay import changed
from runner_archive import append

from pythonanywhere_api import Client
from pythonanywhere_api.testing import advance_clock

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]


@pytest.fixture
def lane(with_agent, relay):
    """A deployed site whose agent is known here, behind the relay."""
    site = with_agent
    assert site.deploy()
    site.via["site_url"] = relay.url
    return site


def diff(site):
    """A diff by the site if it answers: the diff, and how many requests the API got."""
    site.host.clear_requests()
    made = site.run(site.api.deploy_diff(site.local, **site.via))
    return made, len(site.host.requests)


def is_empty(made) -> bool:
    return made.compare == "manifest" and not (made.added or made.changed or made.removed)


@for_both_classes
def test_where_nothing_changed_the_site_is_asked_once_and_the_api_never(lane, relay):
    made, requests = diff(lane)
    assert (is_empty(made), requests, relay.operations()) == (True, 0, ["state"])
    report = lane.run(lane.api.deploy(made, reload=[lane.domain], **lane.via))
    assert (report.ok, report.requests, relay.operations()) == (True, 0, ["state"])
    assert lane.host.requests == []
    # The manifest goes once; afterwards only its digest does.
    assert "manifest-1.json" in json.loads(relay.seen[0].content)["texts"]
    made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 0)
    assert json.loads(relay.seen[-1].content)["texts"] == {}


def test_the_site_tells_what_another_machine_deployed(lane, relay):
    assert is_empty(diff(lane)[0])
    (lane.local / "version.txt").write_text("2")
    other = lane.run(lane.api.deploy_diff(lane.local))
    assert lane.run(lane.api.deploy(other)).ok
    made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 0)
    (lane.local / "version.txt").write_text("3")
    made, requests = diff(lane)
    assert (made.changed, requests) == (["version.txt"], 0)


def test_a_signed_answer_stands_for_the_list_of_web_apps(lane, relay):
    (lane.local / "version.txt").write_text("2")
    made, _ = diff(lane)
    report = lane.run(lane.api.deploy(made, reload=[lane.domain], executor="none", **lane.via))
    assert report.ok, report.stopped
    paths = [request.path for request in lane.host.requests]
    assert not [path for path in paths if path.endswith("/webapps/")], paths
    # A diff that the API told says nothing of the site.
    (lane.local / "version.txt").write_text("3")
    made = lane.run(lane.api.deploy_diff(lane.local))
    lane.host.clear_requests()
    assert lane.run(lane.api.deploy(made, reload=[lane.domain], executor="none", **lane.via)).ok
    assert [request for request in lane.host.requests if request.path.endswith("/webapps/")]


def endless(_, handler):
    """A body that does not end, a little at a time."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"1\r\n \r\n")
        time.sleep(0.1)


def cut_off(exchange, handler):
    """The beginning of the answer, and then the end of the connection."""
    handler.send_response(200)
    for name, value in exchange.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(exchange.content)))
    handler.end_headers()
    handler.wfile.write(exchange.content[:-10])
    raise ConnectionError


def drop(*_):
    raise ConnectionError


SPOILT = {
    "unsigned": lambda exchange, _: changed(exchange, headers={"x-pya-agent": None}),
    "wrong signature": lambda exchange, _: changed(exchange, headers={"x-pya-agent": "v=1; sig=" + "0" * 64}),
    "another version": lambda exchange, _: changed(
        exchange, headers={"x-pya-agent": exchange.headers["x-pya-agent"].replace("v=1", "v=2")}
    ),
    "forged": lambda exchange, _: changed(exchange, content=b'{"entries": [], "texts": {}, "time": 1}'),
    "changed": lambda exchange, _: changed(exchange, content=exchange.content.replace(b"manifest-1", b"manifest-2")),
    "longer": lambda exchange, _: changed(exchange, content=exchange.content + b" "),
    "shorter": lambda exchange, _: changed(exchange, content=exchange.content[:-1]),
    "empty": lambda exchange, _: changed(exchange, content=b""),
    "another status": lambda exchange, _: changed(exchange, status=203),
    "not found": lambda exchange, _: changed(exchange, status=404),
    "redirect": lambda exchange, _: changed(exchange, status=302, headers={"location": "/elsewhere"}),
    "gateway": lambda exchange, _: changed(exchange, status=502),
    "password": lambda exchange, _: changed(exchange, status=401, headers={"www-authenticate": "Basic"}),
    "many headers": lambda exchange, _: changed(exchange, headers={f"x-{number}": "x" for number in range(2000)}),
    "long header": lambda exchange, _: changed(exchange, headers={"x-long": "x" * 2_000_000}),
    "too long": lambda exchange, _: changed(exchange, content=b" " * (10 << 20)),
    "cut off": cut_off,
    "dropped": drop,
    "endless": endless,
}


@pytest.mark.parametrize("attack", SPOILT)
def test_an_answer_that_is_spoilt_on_the_way_counts_as_none(lane, relay, attack):
    (lane.local / "version.txt").write_text("2")
    relay.spoil = SPOILT[attack]
    begun = time.monotonic()
    made, requests = diff(lane)
    assert (made.changed, made.added, made.removed) == (["version.txt"], [], [])
    # An answer of another status may be the application's: then the API is asked for the agent, and for the time.
    assert requests in (2, 3)
    assert relay.operations() == ["state"]
    assert time.monotonic() - begun < 60
    # The site is not asked again at once, neither by this nor by what follows.
    made, requests = diff(lane)
    assert (requests, relay.operations()) == (2, ["state"])


def test_an_old_answer_does_not_count_for_a_new_question(lane, relay):
    """Be it kept by somebody who wishes ill, or by a cache."""
    diff(lane)
    old = relay.seen[-1]
    (lane.local / "version.txt").write_text("2")
    assert lane.run(lane.api.deploy(lane.run(lane.api.deploy_diff(lane.local)))).ok
    relay.spoil = lambda *_: old
    made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 3)


def test_answers_that_change_places_do_not_count(lane, relay):
    """The one of an operation for that of another, at the same moment."""
    answers = {}

    def swap(exchange, _):
        answers[exchange.operation] = exchange
        return answers.get("status", exchange)

    relay.spoil = swap
    assert lane.run(lane.api.agent.status(lane.domain, relay.url))["ready"]
    made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 3)


def test_a_site_that_is_not_there_costs_nothing_but_the_try(lane):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        lane.via["site_url"] = f"http://127.0.0.1:{closed.getsockname()[1]}"
        made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 2)


def test_another_agent_is_found_through_the_api_once_and_known_from_then_on(lane, relay, own_cache):
    (known,) = own_cache.glob("agent-*")
    known.write_text(json.dumps({"id": "0" * 32}))
    made, requests = diff(lane)
    assert (is_empty(made), requests, relay.operations()) == (True, 1, ["state", "state"])
    made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 0)


def test_a_clock_that_is_wrong_is_set_by_the_api_once(site, relay):
    """The agent takes nothing that is two minutes old."""
    site.wsgi.write_text("import time\nright = time.time\ntime.time = lambda: right() + 400\n" + WSGI)
    # The service's clock is that of the host; both go on so for the rest of this process.
    advance_clock(400)
    site.run(site.api.agent.install(site.domain, site.host.site_url))
    assert site.deploy(executor="none")
    site.via["site_url"] = relay.url
    (known,) = Path(os.environ["XDG_CACHE_HOME"]).rglob("agent-*")
    known.write_text(json.dumps({"id": json.loads(known.read_text())["id"], "behind": 0}))
    # As a process that has not asked the service yet.
    site.api = site.caller.api()
    made, requests = diff(site)
    assert (is_empty(made), requests, relay.operations()) == (True, 1, ["state", "state"])
    assert abs(json.loads(known.read_text())["behind"] - 400) < 60
    site.api = site.caller.api()
    made, requests = diff(site)
    assert (is_empty(made), requests, relay.operations()) == (True, 0, ["state"] * 3)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"id": "short"}', '{"id": 5}', "folder", "long"])
def test_a_damaged_cache_counts_as_none(lane, relay, own_cache, damage):
    assert diff(lane)[1] == 0
    for path in own_cache.iterdir():
        path.unlink()
        if damage == "folder":
            path.mkdir()
        else:
            path.write_text("x" * (6 << 20) if damage == "long" else damage)
    (lane.local / "version.txt").write_text("2")
    made, requests = diff(lane)
    assert (made.changed, requests) == (["version.txt"], 2)


def test_a_manifest_in_the_cache_counts_by_its_digest(lane, relay, own_cache):
    assert diff(lane)[1] == 0
    (kept,) = own_cache.glob("manifest-*")
    kept.write_text(kept.read_text().replace("version.txt", "another.txt"))
    made, requests = diff(lane)
    assert (is_empty(made), requests) == (True, 0)


def test_nobody_else_reads_what_is_kept_here(lane, relay, own_cache):
    diff(lane)
    assert stat.S_IMODE(own_cache.stat().st_mode) == 0o700
    names = sorted(path.name.split("-")[0] for path in own_cache.iterdir())
    assert names == ["agent", "manifest"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in own_cache.iterdir()} == {0o600}
    # Neither the token nor the key made from it.
    assert all(lane.host.token not in path.read_text() for path in own_cache.iterdir())


def test_a_damaged_manifest_on_the_host_is_seen_as_through_the_api(lane, relay):
    (state,) = [path.parent for path in lane.remote.parent.glob(".pya/*/manifest-1.json")]
    (state / "manifest-2.json").write_bytes(b"\xff\xfe")
    by_site, _ = diff(lane)
    by_api = lane.run(lane.api.deploy_diff(lane.local))
    assert by_site.warnings == by_api.warnings != []
    assert str(by_site) == str(by_api)


def test_an_interrupted_deploy_is_seen_as_through_the_api(lane, relay):
    (lane.local / "version.txt").write_text("2")
    lane.host.faults.add("status", code=500, method="POST", path="*/version.txt", times=50)
    assert not lane.run(lane.api.deploy(lane.run(lane.api.deploy_diff(lane.local)))).ok
    lane.host.faults.clear()
    by_site, _ = diff(lane)
    by_api = lane.run(lane.api.deploy_diff(lane.local))
    assert by_site.warnings == by_api.warnings != []
    assert (str(by_site), by_site.changed) == (str(by_api), by_api.changed)


def test_a_project_that_was_never_deployed_is_seen_by_the_site(with_agent, relay):
    with_agent.via["site_url"] = relay.url
    made, _ = diff(with_agent)
    assert "version.txt" in made.added
    assert relay.operations() == ["state"]


def test_an_older_agent_is_asked_for_nothing_but_jobs(with_agent, relay):
    """Its answers are not signed."""
    site = with_agent
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    code = (folder / "agent.py").read_text()
    unsigned = code.replace('            ("X-Pya-Agent", "v=%d; sig=%s" % (VERSION, signature)),\n', "")
    short = "json.dumps(dict(known, time=int(time.time()), **answer))"
    older = unsigned.replace(short, 'json.dumps({"id": known["id"]})')
    assert older.count(short) == 0 != unsigned.count(short)
    (folder / "agent.py").write_text(older)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    site.via["site_url"] = relay.url
    report = site.deploy()
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    made, requests = diff(site)
    assert (is_empty(made), requests) == (True, 2)


# Jobs


def with_counter(site):
    """A command that counts its runs on the host."""
    path = site.remote.parent / "runs"
    manage = f"open({str(path)!r}, 'a').write('x')\nprint('counted')\n"
    (site.local / "manage.py").write_text(manage)
    assert site.deploy(site_url=site.host.site_url)
    return path


def test_receipts_come_with_the_answers(lane, relay):
    runs = with_counter(lane)
    lane.host.clear_requests()
    drift = lane.run(lane.api.verify(lane.local, **lane.via))
    assert (drift["clean"], len(lane.host.requests)) == (True, 0)
    assert relay.operations() == ["state", "hash"]
    result = lane.run(lane.api.manage("check", **lane.via))
    assert (result.output, runs.read_text()) == ("counted\n", "x")
    assert not [request for request in lane.host.requests if "receipt-" in request.path]


@pytest.mark.parametrize(
    "attack", ["unsigned", "wrong signature", "forged", "shorter", "not found", "gateway", "cut off", "dropped"]
)
def test_a_command_whose_answer_is_spoilt_is_looked_up_and_never_run_twice(lane, relay, attack):
    runs = with_counter(lane)
    relay.only, relay.spoil = {"manage"}, SPOILT[attack]
    result = lane.run(lane.api.manage("check", **lane.via))
    assert (result.exit_status, result.output) == (0, "counted\n")
    assert runs.read_text() == "x"
    assert relay.operations().count("manage") == 1


def test_nor_where_the_service_cannot_tell_for_a_moment_what_became_of_it(lane, relay):
    runs = with_counter(lane)
    relay.only, relay.spoil = {"manage"}, SPOILT["dropped"]
    lane.host.faults.add("status", code=500, method="GET", path="*/receipt-*", times=2)
    result = lane.run(lane.api.manage("check", **lane.via))
    assert (result.exit_status, result.output) == (0, "counted\n")
    assert runs.read_text() == "x"
    assert relay.operations().count("manage") == 1


@pytest.mark.parametrize("attack", ["unsigned", "forged", "not found", "gateway", "cut off", "dropped"])
def test_a_deploy_whose_answers_are_spoilt_is_done_once(lane, relay, attack):
    relay.only, relay.spoil = {"apply"}, SPOILT[attack]
    lane.write("2")
    report = lane.deploy()
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert lane.page() == "version 2 at /"
    assert len(lane.notes("manifest-*")) == 1
    assert not lane.notes("intent-*")
    assert is_empty(lane.run(lane.api.deploy_diff(lane.local)))


@pytest.mark.parametrize("status", [200, 404])
def test_a_job_that_never_arrives_changes_nothing_and_is_not_taken_for_done(lane, relay, status):
    runs = with_counter(lane)

    def answer(exchange):
        return changed(exchange, status=status, content=b'{"id": "00", "receipt": {"state": "done"}}')

    relay.only, relay.swallow = {"manage", "apply", "deploy"}, answer
    assert lane.caller.run(lane.api.manage("check", **lane.via)) is None
    assert "does not answer" in lane.api.error_message
    lane.write("2")
    report = lane.deploy()
    assert not report.ok
    assert "does not answer" in report.stopped
    assert lane.page() == "version 1 at /"
    assert not runs.exists()


BREAKS = """

import os

read_before = read_state


def read_state(*words):
    if os.path.exists(os.path.expanduser("~/dies")):
        os._exit(1)
    return read_before(*words)
"""


def test_a_worker_that_dies_over_a_question_is_no_reason_to_fail(with_agent, relay):
    site = with_agent
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    append(folder / "runner.pyz", "pya_runner/__init__.py", BREAKS)
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    assert site.deploy(executor="none")
    site.via["site_url"] = relay.url
    assert diff(site)[1] == 0
    (site.remote.parent / "dies").touch()
    made, requests = diff(site)
    assert (is_empty(made), requests) == (True, 2)
