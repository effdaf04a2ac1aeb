"""The project on another file system than the state folder: files are unpacked beside it, and moved in from there."""

import errno
import json
import os
import time
from pathlib import Path

import pytest
from runner_disks import alone, mount, with_disks
from runner_host import BACK, ID, Host, load, many_accounts, restored, small, tree
from runner_steps import fail_at, kill_at

pytestmark = [with_disks, pytest.mark.slow]
LAYOUTS = ["beside", "own", "nothing there"]
# Every step is tried on one disk; here it is enough if each is tried with some layout.
STRIDE = len(LAYOUTS)


@pytest.fixture
def folder():
    with many_accounts() as folder:
        yield folder


def on_other_disk(folder: Path, layout: str) -> Host:
    """A project in a folder of another disk, one that is a disk of its own, or one whose folders are all missing."""
    if layout == "own":
        mount(folder / "mysite", "size=4m")
        return small(folder)
    mount(folder / "disk", "size=4m")
    if layout == "beside":
        return small(folder, folder / "disk" / "mysite")
    new = {"a": b"a", "b/c": b"c"}
    host = Host(folder, {}, new, root=folder / "disk" / "deep" / "er" / "mysite")
    host.root.rmdir()
    host.root.parent.rmdir()
    host.root.parent.parent.rmdir()
    host.upload()
    return host


def litter(host: Host) -> list[str]:
    """What lies anywhere in the account and is neither the project's nor kept."""
    found = [str(path) for path in host.home.rglob("*.pya-*")]
    return found + sorted(host.leftovers())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("limit", [None, 1e-9], ids=["at once", "in steps"])
def test_a_bundle_is_put_in_place_and_rolled_back(tmp_path, layout, limit):
    def act():
        host = on_other_disk(tmp_path, layout)
        while (receipt := host.run(limit))["state"] == "running":
            assert not host.root.exists() or host.tree().items() >= host.before.items()
        assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", True), receipt
        assert host.tree() == host.expected()
        assert litter(host) == []
        job = host.rollback_job()
        while (receipt := host.run(limit, job=job))["state"] == "running":
            assert host.tree().items() >= host.expected().items()
        assert receipt["state"] == "done", receipt
        assert host.tree() == restored(host)
        assert litter(host) == []

    alone(act)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_killed_the_next_run_finishes(folder, layout):
    def act():
        number = 1 + LAYOUTS.index(layout)
        while kill_at(host := on_other_disk(folder / str(number), layout), number):
            receipt = host.run()
            assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
            assert host.tree() == host.expected(), f"killed at {number}"
            assert litter(host) == [], f"killed at {number}"
            number += STRIDE
        assert number > 70

    alone(act)


def test_killed_at_any_step_what_there_is_no_room_for_is_not_kept_by_half(folder):
    """A rollback would delete what the index calls added."""

    def act():
        number = 1
        while True:
            host = on_other_disk(folder / str(number), "beside")
            module = load()
            module.limits.RESERVE = 1 << 50
            if not kill_at(host, number, module=module):
                break
            receipt = host.run(module=module)
            assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", False), f"killed at {number}"
            assert list(host.state.glob("rollback-*")) == [], f"killed at {number}"
            assert litter(host) == [], f"killed at {number}"
            number += 1

    alone(act)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=["full", "denied"])
def test_an_error_at_any_step_leaves_the_old_tree_or_the_new_one(folder, code):
    def act():
        number = failures = 0
        is_through = False
        while not is_through:
            number += 1
            host = on_other_disk(folder / str(number), "own")
            receipt, has_failed = fail_at(host, number, code)
            is_through = not has_failed
            told = f"failed at {number}: {receipt}"
            if not isinstance(receipt, OSError) and receipt["state"] == "failed":
                failures += 1
                assert (receipt["result"]["undone"], host.tree()) == (True, host.before), told
                assert litter(host) == [], told
            receipt = host.run()
            if receipt["state"] == "done":
                left = {*receipt["result"]["not_deleted"], "gone"}
                after = {path: facts for path, facts in host.tree().items() if path not in left}
                assert after == host.expected(), told
            assert litter(host) == [], told
        assert failures > 50

    alone(act)


def test_a_rollback_that_is_killed_is_finished_by_the_next_run(folder):
    def act():
        number = 1
        while True:
            host = on_other_disk(folder / str(number), "beside")
            assert host.run()["state"] == "done"
            job = host.rollback_job()
            if not kill_at(host, number, job):
                break
            receipt = host.run(job=job)
            assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
            assert host.tree() == restored(host), f"killed at {number}"
            assert litter(host) == [], f"killed at {number}"
            number += 2
        assert number > 90

    alone(act)


def test_what_a_deploy_left_that_another_one_took_over_is_tidied_away(tmp_path):
    def act():
        host = on_other_disk(tmp_path, "beside")
        assert kill_at(host, 30)
        (beside,) = host.root.parent.glob(".*")
        assert beside.name == f".mysite.pya-{ID}"
        (host.state / f"intent-{ID}.json").unlink()
        host.note(f"intent-{BACK}.json", host.intent(id=BACK, takes_over=[ID]))
        job = host.job | {"id": BACK, "operation": "rollback", "target": "a" * 16}
        assert host.run(job=job)["error"]["kind"] == "missing"
        # It may be at work still, somewhere.
        assert beside.exists()
        os.utime(host.work, (time.time() - 1801,) * 2)
        assert host.run(job=job | {"operation": "history", "id": "c" * 16})["state"] == "done"
        assert not beside.exists()
        assert not host.work.exists()

    alone(act)


def test_only_what_it_put_there_itself_is_tidied_away(tmp_path):
    def act():
        host = on_other_disk(tmp_path, "beside")
        work = host.state / ("work-" + "d" * 16)
        work.mkdir()
        (work / "elsewhere.json").write_text(json.dumps(str(host.root)))
        os.utime(work, (1, 1))
        assert host.run()["state"] == "done"
        assert not work.exists()
        assert tree(host.root) == host.expected()

    alone(act)


def test_a_folder_that_is_linked_to_another_disk_is_no_place_to_move_files_to(tmp_path):
    """Files that are moved in at once come from the same disk; what cannot be done so is not done at all."""

    def act():
        mount(tmp_path / "home" / "disk", "size=4m")
        host = Host(tmp_path / "home", {"app.py": b"old"}, {"app.py": b"new", "data/new": b"new"})
        (host.root / "data").symlink_to(host.home / "disk")
        host.upload()
        receipt = host.run()
        assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "local")
        assert receipt["result"]["undone"]
        assert host.tree() == host.before
        assert list((host.home / "disk").iterdir()) == []
        assert litter(host) == []

    alone(act)
