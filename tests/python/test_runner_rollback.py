"""What the runner keeps of what a deploy replaced, and how it puts that back: killed and failing at every step, too."""

import errno
import json
import os
import time

import pytest
from runner_host import BACK, ID, Host, anew, contents, load, many_accounts, ready, restored, simple, small, tree, write
from runner_steps import fail_at, kill_at

AGAIN = "c" * 16


@pytest.fixture
def folder():
    with many_accounts() as folder:
        yield folder


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def deployed(folder) -> Host:
    host = small(folder)
    receipt = host.run()
    assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", True)
    return host


# ---- what is kept


def test_what_was_replaced_and_deleted_is_kept_with_its_rights(tmp_path):
    host = deployed(tmp_path)
    store = host.state / f"rollback-{ID}"
    index = json.loads((store / "index.json").read_text())
    assert index["previous"] == {"format": 1, "generation": 4, "deploy": "fedcba9876543210", "files": {}}
    kept = {**index["files"], **index["deleted"]}
    assert {path: (old["mode"], (store / old["name"]).read_bytes()) for path, old in kept.items()} == {
        path: facts[1:] for path, facts in host.before.items() if facts[0] == "file" and path != "foreign.txt"
    }
    assert index["files"].keys() == {"app/a.py"}
    assert index["added"].keys() == {"new/c.py", "run", "folder", "file/f"}
    assert index["size"] == sum(len(facts[2]) for path, facts in host.before.items() if path in kept)


@pytest.mark.parametrize("has_room", [True, False])
def test_what_was_replaced_is_kept_if_that_leaves_the_site_some_room(tmp_path, has_room):
    host, module = small(tmp_path), load()
    if not has_room:
        module.limits.RESERVE = 1 << 50
    write(host.state / "rollback-aaaaaaaaaaaaaaaa" / "c000000", b"older")
    receipt = host.run(module=module)
    assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", has_room)
    assert receipt["result"]["rollback_bytes"] == (23 if has_room else 0)
    assert ("could not be kept for a rollback" in receipt["output"]) is not has_room
    assert host.tree() == host.expected()
    # An older one would be mixed with what this deploy put there.
    assert [path.name for path in host.state.glob("rollback-*")] == [f"rollback-{ID}"] * has_room
    assert host.leftovers() == set()


def test_what_an_earlier_deploy_kept_stays_until_the_new_version_stands(tmp_path):
    host = small(tmp_path)
    older = host.state / "rollback-aaaaaaaaaaaaaaaa"
    write(older / "c000000", b"older")
    write(host.root / "folder" / "in" / "foreign", b"somebody's")
    assert host.run()["result"]["undone"]
    assert (older / "c000000").read_bytes() == b"older"


def test_files_are_kept_by_links_where_that_can_be(tmp_path):
    host = small(tmp_path)
    old = (host.root / "app" / "a.py").stat().st_ino
    assert host.run()["result"]["kept_for_rollback"]
    assert old in {path.stat().st_ino for path in (host.state / f"rollback-{ID}").iterdir()}


# ---- back


def test_a_rollback_puts_back_and_takes_away(host):
    assert host.run()["result"]["kept_for_rollback"]
    (host.root / "new" / "deep" / "c.py").write_text("edited since")
    (host.root / "app" / "a.py").write_text("edited, too")
    receipt = host.run(job=host.rollback_job())
    assert receipt["state"] == "done", receipt["error"]
    assert list(receipt["result"]["not_deleted"]) == ["new/deep/c.py"]
    assert host.tree() == host.before | {
        "new": ("folder", 0o755),
        "new/deep": ("folder", 0o755),
        "new/deep/c.py": ("file", 0o644, b"edited since"),
    }
    assert [path.name for path in host.state.glob("rollback-*")] == [f"rollback-{BACK}"]
    # What it replaced is kept in its turn.
    assert b"edited, too" in contents(tree(host.state / f"rollback-{BACK}")).values()
    manifest = json.loads((host.state / "manifest-6.json").read_text())
    assert (manifest["deploy"], manifest["generation"]) == (BACK, 6)
    assert [path.name for path in host.state.glob("manifest-*")] == ["manifest-6.json"]


@pytest.mark.parametrize("is_freed", [True, False])
def test_what_changed_since_the_deploy_is_kept_somewhere_however_full_the_disk_is(tmp_path, is_freed):
    host, module = deployed(tmp_path), load()
    (host.root / "app" / "a.py").write_text("edited since")
    write_json = module.files.write_json

    def full(path, value, *what, **more):
        has_room = is_freed and not (host.state / f"rollback-{ID}").exists()
        if path.endswith("index.json") and not has_room:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_json(path, value, *what, **more)

    module.files.write_json = full
    receipt = host.run(module=module, job=host.rollback_job())
    assert (receipt["state"], receipt["result"]["overwritten"]) == ("done", ["app/a.py"])
    assert contents(host.tree()) == contents(host.before)
    assert receipt["result"]["kept_for_rollback"] is is_freed
    work, store = host.state / f"work-{BACK}", host.state / f"rollback-{BACK}"
    folder = store if is_freed else work / "replaced"
    assert b"edited since" in contents(tree(folder)).values()
    assert (work / "not_undone").exists() is not is_freed
    assert receipt["result"]["left_in"] == (
        "" if is_freed else host.job["root"].rsplit("/", 1)[0] + "/.pya/" + "/".join(folder.parts[-3:])
    )
    if not is_freed:
        # Which of them it is.
        entries = json.loads((work / "not_undone").read_text())["entries"]
        (name,) = [entry[2] for entry in entries if entry[:2] == ["replace", "app/a.py"]]
        assert (folder / name).read_text() == "edited since"
        # However old it gets.
        os.utime(work, (0, 0))
        (host.state / f"intent-{BACK}.json").unlink()
        assert host.run(job=simple(host, "history"))["state"] == "done"
        assert (folder / name).exists()


@pytest.mark.parametrize(
    ("past", "kept"),
    [([{"id": "old"}, {"id": ID, "outcome": "applied"}, 5, {}], [{"id": "old"}, {}]), ("garbage", []), (None, [])],
)
def test_a_rollback_carries_on_the_history_of_the_newest_manifest(tmp_path, past, kept):
    host = small(tmp_path)
    host.plan["manifest"]["history"] = [{"id": ID, "time": time.time() - 5}]
    host.upload()
    assert host.run()["state"] == "done"
    manifest = json.loads((host.state / "manifest-5.json").read_text())
    (own,) = manifest["history"]
    assert 5 <= own["seconds"] < 60
    # What is damaged in it stops nothing.
    host.note("manifest-5.json", manifest | {"history": past})
    added = [{"id": ID, "outcome": "failed"}, {"id": BACK, "kind": "rollback", "time": time.time()}]
    assert host.run(job=host.rollback_job() | {"history": added})["state"] == "done"
    manifest = json.loads((host.state / "manifest-6.json").read_text())
    *before, own = manifest["history"]
    assert before == [*kept, added[0]]
    assert (own["id"], own["kind"], own["uploaded"], own["deleted"]) == (BACK, "rollback", 4, 2)
    # No client of an earlier version makes it lose what it knows.
    assert host.run(job=host.rollback_job(AGAIN, BACK, 7))["state"] == "done"
    assert json.loads((host.state / "manifest-7.json").read_text())["history"][-1]["id"] == BACK


def test_a_rollback_puts_back_all_that_a_deploy_can_do(tmp_path):
    host = deployed(tmp_path)
    assert host.run(job=host.rollback_job())["state"] == "done"
    assert host.tree() == restored(host)
    assert host.leftovers() == set()


@pytest.mark.parametrize("is_dir", [True, False])
def test_a_rollback_undoes_what_became_of_a_folder_or_a_file(tmp_path, is_dir):
    old = {"x/y/z": b"ours", "x/w": b"ours"} if is_dir else {"x": b"ours"}
    new = {"x": b"a file"} if is_dir else {"x/y/z": b"below"}
    host = Host(tmp_path / "home", old, new)
    host.plan["clear"] = [{"path": "x", "is_dir": is_dir, "files": sorted(old)}]
    host.upload()
    assert host.run()["state"] == "done"
    assert host.run(job=host.rollback_job())["state"] == "done"
    assert host.tree() == host.before


def test_only_what_is_below_a_path_is_in_its_way():
    deletes = ["x0", "x/z", "x!", "x/y/z", "x-1/y", "x", "y"]
    clear, left = load().rollback.cleared_for(["x"], [path for path in deletes if path != "x"])
    assert clear == [{"path": "x", "is_dir": True, "files": ["x/y/z", "x/z"]}]
    assert left == ["x!", "x-1/y", "x0", "y"]
    assert load().rollback.cleared_for(["x/y/"], ["x", "x0"]) == (
        [{"path": "x", "is_dir": False, "files": ["x"]}],
        ["x0"],
    )


def test_a_rollback_that_is_rolled_back_is_the_deploy_again(tmp_path):
    host = deployed(tmp_path)
    new = host.tree()
    assert host.run(job=host.rollback_job())["state"] == "done"
    receipt = host.run(job=host.rollback_job(AGAIN, BACK, 7))
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == new
    assert [path.name for path in host.state.glob("rollback-*")] == [f"rollback-{AGAIN}"]
    assert json.loads((host.state / "manifest-7.json").read_text())["deploy"] == AGAIN
    # And once more.
    receipt = host.run(job=host.rollback_job("d" * 16, AGAIN, 8))
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == restored(host)


def test_folders_are_as_they_were_before_the_deploy_also_empty_ones(tmp_path):
    old = {"read/only/f": b"f", "shared/f": b"f", "stays/f": b"f", "run.sh": b"#!"}
    host = Host(
        tmp_path / "home", old, {"void/new": b"n", "deep/new/f": b"n", "run.sh": b"#!/"}, ["read/only/f", "shared/f"]
    )
    (host.root / "void").mkdir(mode=0o700)
    (host.root / "run.sh").chmod(0o600)
    for name, mode in (("read/only", 0o500), ("shared", 0o2775), ("read", 0o711)):
        (host.root / name).chmod(mode)
    host.upload()
    (host.root / "read" / "only").chmod(0o700)
    host.before = host.tree()
    assert host.run()["state"] == "done"
    assert not {"read", "shared"} & host.tree().keys()
    index = host.state / f"rollback-{ID}" / "index.json"
    kept = json.loads(index.read_text())
    kept["folders"]["read/only"] = 0o500
    index.write_text(json.dumps(kept))
    host.before["read/only"] = ("folder", 0o500)
    receipt = host.run(job=host.rollback_job())
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == host.before
    assert host.leftovers() == set()


def test_a_rollback_names_the_migrations_since_the_deploy(tmp_path):
    host = deployed(tmp_path)
    jobs = [{"id": "1" * 16, "migrations": ["a.0001"]}, {"id": ID}, {"id": "2" * 16, "migrations": ["a.0002"]}]
    host.note("history.json", {"format": 1, "jobs": jobs})
    assert host.run(job=host.rollback_job())["result"]["migrations"] == ["a.0002"]


def test_what_was_written_since_the_deploy_is_kept_however_full_the_disk_is(tmp_path):
    host, module = deployed(tmp_path), load()
    module.limits.RESERVE = 1 << 50
    index = json.loads((host.state / f"rollback-{ID}" / "index.json").read_text())
    again = next(path for path in index["deleted"] if path.startswith("gone/"))
    write(host.root / "app" / "a.py", b"the application's own")
    write(host.root / again, b"somebody's")
    receipt = host.run(job=host.rollback_job(), module=module)
    assert receipt["state"] == "done", receipt["error"]
    assert receipt["result"]["overwritten"] == sorted(["app/a.py", again])
    assert receipt["result"]["kept_for_rollback"]
    assert host.tree() == restored(host)
    kept = contents(tree(host.state / f"rollback-{BACK}")).values()
    assert {b"the application's own", b"somebody's"} <= set(kept)


def test_only_the_latest_deploy_is_rolled_back(tmp_path):
    host = deployed(tmp_path)
    (host.state / "manifest-5.json").unlink()
    host.note("manifest-6.json", {"format": 1, "generation": 6, "deploy": "somebody's", "files": {}})
    before = host.tree()
    receipt = host.run(job=host.rollback_job(generation=7))
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "not_latest")
    assert receipt["result"]["undone"]
    assert host.tree() == before
    assert (host.state / f"rollback-{ID}" / "index.json").exists()
    assert host.leftovers() == set()


@pytest.mark.parametrize("target", ["a" * 16, "../rollback-x", 5])
def test_of_what_nothing_is_kept_nothing_is_rolled_back(tmp_path, target):
    host = deployed(tmp_path)
    before = host.tree()
    receipt = host.run(job=host.rollback_job(target=target))
    assert receipt["error"]["kind"] == ("missing" if target == "a" * 16 else "name")
    assert receipt["state"] == ("refused" if target == "a" * 16 else "failed")
    assert receipt["result"]["undone"]
    assert host.tree() == before


def test_what_is_in_the_way_of_a_rollback_is_no_loss(tmp_path):
    host = deployed(tmp_path)
    write(host.root / "file" / "foreign", b"somebody's")
    before = host.tree()
    receipt = host.run(job=host.rollback_job())
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "obstacle")
    assert receipt["result"]["undone"]
    assert host.tree() == before
    assert (host.state / f"rollback-{ID}" / "index.json").exists()


def test_a_store_that_lacks_a_file_is_no_loss(tmp_path):
    host = deployed(tmp_path)
    (host.state / f"rollback-{ID}" / "c000000").unlink()
    before = host.tree()
    receipt = host.run(job=host.rollback_job())
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "local")
    assert receipt["result"]["undone"]
    assert host.tree() == before


# ---- killed, and failing, at every step


@pytest.mark.slow
def test_a_rollback_killed_at_any_step_is_finished_by_the_next_run(folder):
    number = 1
    while True:
        host = deployed(anew(folder))
        job = host.rollback_job()
        if not kill_at(host, number, job):
            break
        receipt = host.run(job=job)
        assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
        assert host.tree() == restored(host), f"killed at {number}"
        assert host.leftovers() == set(), f"killed at {number}"
        number += 1
    assert number > 90


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=["full", "denied"])
def test_an_error_at_any_step_of_a_rollback_leaves_the_new_tree_or_the_old_one(folder, code):
    number = failures = 0
    is_through = False
    while not is_through:
        number += 1
        host = deployed(anew(folder))
        new, old = host.tree(), restored(host)
        job = host.rollback_job()
        receipt, has_failed = fail_at(host, number, code, job)
        is_through = not has_failed
        after, told = host.tree(), f"failed at {number}: {receipt}"
        if isinstance(receipt, OSError):
            assert after in (new, old), told
        elif receipt["state"] == "done":
            left = {*receipt["result"]["not_deleted"], "new"}
            assert {path: facts for path, facts in after.items() if path not in left} == old, told
            assert contents(after).keys() - left == contents(old).keys(), told
        else:
            failures += 1
            assert (receipt["state"], receipt["result"]["undone"]) == ("failed", True), told
            assert after == new, told
            assert not (host.state / "manifest-6.json").exists(), told
            # It can be tried again.
            again = host.rollback_job(AGAIN)
            assert host.run(job=again)["state"] == "done", told
            assert host.tree() == old, told
            assert {path.name for path in host.state.glob("work-*")} == set(), told
            continue
        again = host.run(job=job)
        if isinstance(receipt, OSError):
            assert again["state"] == "done" or again["result"]["undone"], told
            assert host.tree() == (old if again["state"] == "done" else new), told
        else:
            assert (again, host.tree()) == (receipt, after), told
        assert host.leftovers() == set(), told
    assert failures > 40
