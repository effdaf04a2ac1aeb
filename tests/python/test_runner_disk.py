"""The runner on a disk that is really full, at once or from any step on."""

import json
import os
from pathlib import Path

import pytest
from runner_disks import alone, mount, remount, with_disks
from runner_host import BACK, ID, Host, contents, load, simple, small, write
from runner_steps import Counted

pytestmark = [with_disks, pytest.mark.slow]
MIB = 1 << 20


def next_deploy(host: Host) -> None:
    """The same change by another deploy, which must go through."""
    (host.state / f"intent-{ID}.json").unlink()
    host.note(f"intent-{BACK}.json", host.intent(id=BACK))
    host.work = host.state / f"work-{BACK}"
    host.job["id"] = host.plan["id"] = host.plan["manifest"]["deploy"] = BACK
    host.upload()
    receipt = host.run()
    assert (receipt["state"], receipt["error"]) == ("done", None)
    assert host.tree() == host.expected()
    assert host.leftovers() == set()


@pytest.mark.parametrize("when", ["before", "unpacking", "manifest"])
def test_a_disk_that_is_full_half_way_leaves_the_old_tree_and_with_room_the_next_deploy_goes_through(tmp_path, when):
    def act():
        disk = tmp_path / "disk"
        mount(disk, "size=4m")
        old = {"a.bin": b"a" * MIB, "b.txt": b"old"}
        new = {"a.bin": b"A" * MIB, "b.txt": b"new", "c.bin": b"c" * (2 * MIB)}
        host = Host(disk / "me", old, new if when != "manifest" else {"b.txt": b"new"})
        runner = load()
        if when == "manifest":
            host.plan["manifest"]["files"] = {f"{number:0200}": {} for number in range(20_000)}
        if when == "before":
            # Nothing is even begun to be unpacked.
            runner.files.copy = None
        if when == "unpacking":
            runner.files.check_space = lambda folder, size: Path(folder).mkdir(parents=True, exist_ok=True)
        host.upload()
        receipt = host.run(module=runner)
        assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "space"), receipt
        assert receipt["result"]["undone"]
        assert host.tree() == host.before
        assert host.leftovers() == set()
        assert not (host.state / "manifest-5.json").exists()
        remount(disk, "size=32m")
        next_deploy(host)

    alone(act)


def test_the_bundle_makes_room_for_the_notes(tmp_path):
    def act():
        disk = tmp_path / "disk"
        mount(disk, "size=3m")
        host = Host(disk / "me", {}, {"a.bin": os.urandom(MIB)})
        host.plan["manifest"]["files"] = {f"{number:0200}": {} for number in range(3_300)}
        host.upload()
        notes = 2 * len(json.dumps(host.plan["manifest"]))
        assert MIB + notes < 3 * MIB < 2 * MIB + notes
        assert host.run()["state"] == "done"
        assert host.tree() == host.expected()

    alone(act)


def test_what_an_earlier_deploy_kept_makes_room_for_the_next_one(tmp_path):
    def act():
        disk, runner = tmp_path / "disk", load()
        mount(disk, "size=4m")
        host = Host(disk / "me", {"a.bin": b"a" * MIB}, {"a.bin": b"A" * MIB})
        write(host.state / "rollback-aaaaaaaaaaaaaaaa" / "c000000", b"b" * (2 * MIB))
        runner.limits.RESERVE = MIB // 2
        host.upload()
        receipt = host.run(module=runner)
        assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", True), receipt
        assert receipt["result"]["rollback_bytes"] == MIB
        assert [path.name for path in host.state.glob("rollback-*")] == [f"rollback-{ID}"]
        # Where even that leaves too little, nothing is kept.
        runner.limits.RESERVE = 3 * MIB
        receipt = host.run(job=host.rollback_job(), module=runner)
        assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", False), receipt
        assert host.tree() == host.before
        assert list(host.state.glob("rollback-*")) == []

    alone(act)


def fill(folder: Path, what: str) -> None:
    """Uses up all that a file system has."""
    try:
        if what == "files":
            for number in range(10_000):
                os.close(os.open(folder / f"filler-{number}", os.O_CREAT | os.O_WRONLY))
        filler = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
        while True:
            os.write(filler, bytes(4096))
    except OSError:
        pass


@pytest.mark.parametrize("what", ["bytes", "files"])
def test_a_disk_that_gets_full_at_any_step_loses_nothing(tmp_path, what):
    """Somebody else fills it: a log, an upload. What stays is the old tree or the new one."""

    def act():
        number = failures = 0
        is_through = False
        while not is_through:
            number += 1
            disk = tmp_path / str(number)
            mount(disk, "size=400k,nr_inodes=100")
            host = small(disk / "me")
            with Counted(number, lambda: fill(disk, what)) as counted:  # noqa: B023
                try:
                    receipt = host.run()
                except OSError as error:
                    receipt = error
            is_through = counted.left > 0
            told = f"full from {number} on: {receipt}"
            if isinstance(receipt, OSError):
                assert host.tree() in (host.before, host.expected()), told
                remount(disk, "size=800k,nr_inodes=300")
                receipt = host.run()
            if receipt["state"] == "done":
                assert contents(host.tree()) == contents(host.expected()), told
            else:
                failures += 1
                assert (receipt["error"]["kind"], receipt["result"]["undone"]) == ("space", True), told
                assert host.tree() == host.before, told
                assert not (host.state / "manifest-5.json").exists(), told
            assert host.leftovers() == set(), told
            if receipt["state"] == "failed":
                remount(disk, "size=800k,nr_inodes=300")
                next_deploy(host)
        assert failures > 20

    alone(act)


def test_an_archive_that_the_disk_has_no_room_for_is_none(tmp_path):
    def act():
        disk = tmp_path / "disk"
        mount(disk, "size=3m")
        host = Host(disk / "me", {f"{number}.bin": os.urandom(MIB // 4) for number in range(8)}, {})
        receipt = host.run(job=simple(host, "archive", include=["**"], exclude=[], prune=[]))
        assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "space")
        assert list(host.state.glob("work-*")) == []

    alone(act)
