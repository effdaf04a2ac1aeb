"""Content that the host has is not sent: renames, copies, reverts, and equal files. Bytes and requests are counted."""

import json
import os
import random

import pytest
from conftest import for_both_classes
from sites import files_below

pytestmark = pytest.mark.slow

SIZE = 20_000


def noise(seed: int, size: int = SIZE) -> bytes:
    """Content that cannot be compressed."""
    return random.Random(seed).randbytes(size)


def put(site, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        path = site.local / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def sent(site, **options):
    """Deploys; the report, the bytes that the service got, and how many requests."""
    site.host.clear_requests()
    report = site.deploy(**{"executor": "webapp", "max_delete": 1000, **options})
    assert report.ok, (report.stopped, report.failed)
    assert files_below(site.remote) == files_below(site.local)
    return report, sum(request.bytes_in for request in site.host.requests), len(site.host.requests)


def actions(report, kind: str) -> dict:
    return {action["path"]: action for action in report.plan["actions"] if action["action"] == kind}


@pytest.fixture
def deployed(with_agent):
    """A site with 40 pictures on the host."""
    site = with_agent
    put(site, {f"images/a{number % 4}/{number}.jpg": noise(number) for number in range(40)})
    sent(site)
    return site


@for_both_classes
def test_a_renamed_folder_sends_its_names_only(with_agent):
    site = with_agent
    put(site, {f"images/{number}.jpg": noise(number) for number in range(40)})
    sent(site)
    (site.local / "images").rename(site.local / "pictures")
    diff = site.run(site.api.deploy_diff(site.local))
    assert diff.renamed == {f"images/{number}.jpg": f"pictures/{number}.jpg" for number in range(40)}
    assert (len(diff.added), len(diff.removed)) == (40, 40)
    assert "R  images/3.jpg -> pictures/3.jpg" in str(diff).splitlines()
    assert len(str(diff).splitlines()) == 40
    dry = site.deploy(dry_run=True, executor="webapp", max_delete=1000)
    report, count, requests = sent(site)
    assert dry.plan == report.plan
    assert report.plan["bytes"] == 0
    assert len(actions(report, "copy")) == 40
    assert (count, requests) < (40 * SIZE / 80, 13)
    assert not (site.remote / "images").exists()
    assert site.run(site.api.deploy_diff(site.local)).is_clean()
    # And back again, by what is on the host.
    assert site.run(site.api.rollback(**site.via))
    assert (site.remote / "images" / "3.jpg").read_bytes() == noise(3)
    assert not (site.remote / "pictures").exists()


def test_many_renames_are_announced_in_a_short_note(with_agent):
    site = with_agent
    put(site, {f"images/a{number % 20}/{number}.txt": b"%d" % number * 50 for number in range(1000)})
    sent(site)
    (site.local / "images").rename(site.local / "pictures")
    _, count, requests = sent(site, max_delete=2000)
    assert (count < 40_000, requests < 13) == (True, True), (count, requests)


def test_without_delete_the_old_file_stays_and_the_new_one_is_a_copy(deployed):
    site = deployed
    (site.local / "images" / "a0").rename(site.local / "pictures")
    site.host.clear_requests()
    report = site.deploy(executor="webapp", delete=False)
    assert report.ok, report.stopped
    assert actions(report, "copy")["pictures/4.jpg"]["from"] == "images/a0/4.jpg"
    assert (site.remote / "images" / "a0" / "4.jpg").read_bytes() == (site.remote / "pictures" / "4.jpg").read_bytes()
    assert os.stat(site.remote / "images" / "a0" / "4.jpg").st_nlink == 1
    assert sum(request.bytes_in for request in site.host.requests) < SIZE


def test_equal_files_go_once(with_agent):
    site = with_agent
    sent(site)
    put(site, {f"copy{number}.bin": noise(1, 100_000) for number in range(20)})
    report, count, _ = sent(site)
    assert report.plan["bytes"] == 100_000
    assert count < 106_000
    assert len({os.stat(site.remote / f"copy{number}.bin").st_ino for number in range(20)}) == 20


def test_a_copy_of_what_is_there_is_not_sent(deployed):
    site = deployed
    put(site, {"copied.jpg": noise(7), "images/a0/0.jpg": noise(8)})
    report, count, _ = sent(site)
    copies = {path: action["from"] for path, action in actions(report, "copy").items()}
    assert copies == {"copied.jpg": "images/a3/7.jpg", "images/a0/0.jpg": "images/a0/8.jpg"}
    assert count < SIZE


def test_two_files_that_swap_their_contents_swap_them_there(deployed):
    site = deployed
    put(site, {"images/a0/0.jpg": noise(1), "images/a1/1.jpg": noise(0)})
    _, count, _ = sent(site)
    assert count < SIZE


def test_a_reverted_change_is_not_sent_again(deployed):
    site = deployed
    put(site, {"images/a0/0.jpg": noise(100), "images/a1/1.jpg": noise(101)})
    (site.local / "images" / "a2" / "2.jpg").unlink()
    sent(site)
    put(site, {"images/a0/0.jpg": noise(0), "images/a1/1.jpg": noise(1), "images/a2/2.jpg": noise(2)})
    report, count, _ = sent(site)
    assert len(actions(report, "copy")) == 3
    assert count < SIZE


def test_small_content_is_sent_since_its_place_is_as_long(with_agent):
    site = with_agent
    sent(site)
    put(site, {"empty": b"", "none.py": b"", "copy.txt": (site.local / "pkg0" / "m0.py").read_bytes()})
    report, _, _ = sent(site)
    assert actions(report, "copy") == {}


def test_the_mode_bits_are_those_of_the_plan_whatever_the_source_has(deployed):
    site = deployed
    put(site, {"run.sh": noise(5)})
    (site.local / "run.sh").chmod(0o755)
    sent(site)
    assert (site.remote / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (site.remote / "images" / "a1" / "5.jpg").stat().st_mode & 0o111 == 0


# ---- what the host does not have after all


def edited(place):
    place.write_bytes(b"edited on the host")


def gone(place):
    place.unlink()


def link(place):
    other = place.with_name("original")
    place.rename(other)
    place.symlink_to(other)


def folder(place):
    place.unlink()
    place.mkdir()


@pytest.mark.parametrize("harm", [edited, gone, link, folder], ids=lambda harm: harm.__name__)
def test_what_the_host_does_not_have_any_more_goes_in_a_second_part(deployed, harm):
    site = deployed
    # What is sent is counted by the API.
    site.takes_no_bundles()
    put(site, {"copied.jpg": noise(7), "other.jpg": noise(8)})
    harm(site.remote / "images" / "a3" / "7.jpg")
    site.host.clear_requests()
    report = site.deploy(executor="webapp", delete=False)
    assert report.ok, report.stopped
    assert [warning for warning in report.warnings if "copied.jpg" in warning]
    assert (site.remote / "copied.jpg").read_bytes() == noise(7)
    assert (site.remote / "other.jpg").read_bytes() == noise(8)
    count = sum(request.bytes_in for request in site.host.requests)
    assert SIZE < count < 2 * SIZE
    uploads = [request.path.rsplit("/")[-1] for request in site.host.requests if "/work-" in request.path]
    assert [name for name in uploads if not name.startswith("receipt")] == ["bundle-000", "more-000"]
    assert site.notes("work-*") == site.notes("intent-*") == []


def test_a_file_that_changes_here_before_the_second_part_fails_the_deploy_and_changes_nothing(deployed):
    site = deployed
    put(site, {"copied.jpg": noise(7), "new.jpg": noise(200)})
    gone(site.remote / "images" / "a3" / "7.jpg")
    before = files_below(site.remote)
    diff = site.run(site.api.deploy_diff(site.local))

    def change(event):
        if type(event).__name__.endswith("Working"):
            put(site, {"copied.jpg": noise(300)})

    report = site.run(site.api.deploy(diff, executor="webapp", progress=change, **site.via))
    assert not report.ok
    assert (report.untouched, "copied.jpg" in report.stopped) == (True, True)
    assert files_below(site.remote) == before
    assert site.notes("work-*") == site.notes("intent-*") == []


def test_a_file_that_changed_since_the_diff_is_sent_as_it_is(deployed):
    site = deployed
    put(site, {"copied.jpg": noise(7), "one.jpg": noise(9, 500), "two.jpg": noise(9, 500)})
    diff = site.run(site.api.deploy_diff(site.local))
    put(site, {"copied.jpg": noise(300), "one.jpg": noise(301)})
    report = site.run(site.api.deploy(diff, executor="webapp", **site.via))
    assert report.ok, report.stopped
    assert files_below(site.remote) == files_below(site.local)
    assert sum("changed after the diff" in warning for warning in report.warnings) == 2


def test_single_uploads_send_everything_and_say_so(deployed):
    site = deployed
    (site.local / "images" / "a0").rename(site.local / "pictures")
    report, count, _ = sent(site, executor="none")
    assert count > 10 * SIZE
    assert report.plan["bytes"] == 10 * SIZE
    assert "the host has the content of 10 files already" in report.why


def test_after_a_deploy_that_was_cut_off_what_is_certain_is_copied_and_the_rest_is_sent(deployed):
    site = deployed
    put(site, {"images/a3/7.jpg": noise(400)})
    site.host.faults.add("status", code=400, method="POST", path="*/manifest-*", times=1)
    assert not site.deploy(executor="none", reload=[])
    site.host.faults.clear()
    put(site, {"copied.jpg": noise(7), "other.jpg": noise(8)})
    report, _, _ = sent(site)
    assert set(actions(report, "copy")) == {"other.jpg"}
    state = json.loads(next((site.remote.parent / ".pya").rglob("manifest-*.json")).read_text())
    assert set(state["files"]) == set(files_below(site.local))


def test_a_rollback_under_a_long_note_knows_what_else_may_have_changed(with_agent):
    site = with_agent
    put(site, {f"many/{number}.txt": b"%d" % number for number in range(300)})
    sent(site)
    put(site, {f"many/{number}.txt": b"new %d" % number for number in range(299)})
    sent(site)
    put(site, {"many/299.txt": b"cut off"})
    site.host.faults.add("status", code=400, method="POST", path="*/manifest-*", times=1)
    assert not site.deploy(executor="none", reload=[])
    site.host.faults.clear()
    assert site.run(site.api.rollback(**site.via))
    put(site, {f"many/{number}.txt": b"%d" % number for number in range(300)})
    # What the last deploy was about is not trusted to be as it was.
    assert site.run(site.api.deploy_diff(site.local)).changed == ["many/299.txt"]
