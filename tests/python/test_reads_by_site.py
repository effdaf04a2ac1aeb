"""History, rollback and pull where the account's own site answers: what the API is asked still, what is believed."""

import random

import pytest
from conftest import for_both_classes
from relay import changed
from sites import all_files
from test_deploy_by_site import asked, deploy, is_settled, lane, lose, reloads

__all__ = ["lane"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_cache")]


@for_both_classes
def test_the_history_comes_from_the_site(lane, relay):
    (lane.local / "version.txt").write_text("2")
    assert deploy(lane).ok
    by_api = lane.run(lane.api.history())
    lane.host.clear_requests()
    relay.seen.clear()
    by_site = lane.run(lane.api.history(domain=lane.domain, site_url=relay.url))
    assert (by_site, asked(lane)) == (by_api, [])
    assert relay.operations() == ["state", "read"]


@pytest.mark.parametrize("attack", ["unsigned", "forged", "shorter", "not found", "cut off", "dropped"])
def test_a_history_that_is_spoilt_is_read_through_the_api(lane, relay, attack):
    by_api = lane.run(lane.api.history())
    lose(relay, "read", attack)
    assert lane.run(lane.api.history(domain=lane.domain, site_url=relay.url)) == by_api
    assert relay.operations() == ["state", "read"]


@for_both_classes
def test_a_rollback_asks_the_api_for_the_reload(lane, relay):
    before = all_files(lane.remote)
    (lane.local / "version.txt").write_text("2")
    (lane.local / "pkg0" / "m0.py").unlink()
    (lane.local / "new.txt").write_text("new")
    assert deploy(lane).ok
    lane.host.clear_requests()
    relay.seen.clear()
    report = lane.run(lane.api.rollback(reload=[lane.domain], **lane.via))
    assert (report["written"], report["deleted"]) == (2, ["new.txt"])
    assert asked(lane) == reloads(lane)
    assert relay.operations() == ["state", "read", "deploy", "finish"]
    assert (all_files(lane.remote), is_settled(lane)) == (before, True)
    assert lane.page() == "version 1 at /"


@pytest.mark.parametrize("operation", ["deploy", "finish", "read"])
@pytest.mark.parametrize("attack", ["unsigned", "not found", "dropped"])
def test_a_rollback_whose_answers_are_spoilt_is_done_once(lane, relay, hurried, operation, attack):
    before = all_files(lane.remote)
    (lane.local / "version.txt").write_text("2")
    assert deploy(lane).ok
    lose(relay, operation, attack)
    assert lane.run(lane.api.rollback(reload=[lane.domain], **lane.via))["written"] == 1
    assert (all_files(lane.remote), is_settled(lane)) == (before, True)
    assert lane.notes("manifest-*") == ["manifest-3.json"]


def test_a_rollback_that_never_arrives_goes_by_the_api(lane, relay, hurried):
    before = all_files(lane.remote)
    (lane.local / "version.txt").write_text("2")
    assert deploy(lane).ok
    relay.only, relay.swallow = {"deploy"}, lambda exchange: changed(exchange, status=404)
    assert lane.run(lane.api.rollback(reload=[lane.domain], **lane.via))["written"] == 1
    assert (all_files(lane.remote), is_settled(lane)) == (before, True)


@for_both_classes
def test_a_pull_reads_its_archive_from_the_site_in_pieces(lane, relay, tmp_path):
    content = random.randbytes(15 << 20)
    (lane.remote / "large.bin").write_bytes(content)
    lane.host.clear_requests()
    relay.seen.clear()
    report = lane.run(lane.api.pull(tmp_path / "pulled", **lane.via))
    assert "large.bin" in report["written"]
    assert (tmp_path / "pulled" / "large.bin").read_bytes() == content
    assert relay.operations() == ["state", "archive", "read", "read", "read"]
    # What is left of the job goes.
    assert [request.split()[0] for request in asked(lane)] == ["DELETE"]
    assert is_settled(lane)


@pytest.mark.parametrize("attack", ["unsigned", "forged", "shorter", "not found", "cut off"])
def test_an_archive_that_is_spoilt_is_read_through_the_api(lane, relay, tmp_path, attack):
    lose(relay, "read", attack)
    assert lane.run(lane.api.pull(tmp_path / "pulled", **lane.via))
    assert {path.name: path.read_bytes() for path in (tmp_path / "pulled").rglob("*.py")} == {
        path.name: path.read_bytes() for path in lane.remote.rglob("*.py")
    }
    assert is_settled(lane)
