"""The runner copies what the host has: digests are checked, nothing is moved before all is there, nothing is a link."""

import errno
import io
import json
import os
import shutil

import pytest
from runner_host import ID, Host, anew, bundle, contents, copying, everything, load, many_accounts, sha256, write
from runner_steps import fail_at, kill_at

LARGE = b"x" * 5000


def send_more(host: Host, files: dict[str, bytes]) -> None:
    """What the client sends in a second part."""
    part = bundle([(f"files/{path}", content) for path, content in files.items()])
    (host.work / "more-000").write_bytes(part)
    parts = [{"name": "more-000", "sha256": sha256(part), "size": len(part)}]
    host.job["more"] = {"parts": parts, "bytes": sum(map(len, files.values()))}


def move(folder) -> Host:
    """A folder is renamed, a file is copied, two swap their contents, and one new content goes to two places."""
    old = {"old/a": b"1", "old/in/b": b"2", "stays": b"3", "left": b"4", "right": b"5"}
    new = {"new/a": b"1", "new/in/b": b"2", "copied": b"3", "left": b"5", "right": b"4", "one": b"6", "two": b"6"}
    sources = {
        "new/a": {"copy": "old/a"},
        "new/in/b": {"copy": "old/in/b"},
        "copied": {"copy": "stays"},
        "left": {"copy": "right"},
        "right": {"copy": "left"},
        "two": {"same": 0},
    }
    return copying(folder, old, new, sources, ["old/a", "old/in/b"])


@pytest.fixture
def host(tmp_path):
    return move(tmp_path / "home")


def test_a_copy_has_the_content_of_before_the_deploy_and_the_mode_of_the_plan(host):
    receipt = host.run()
    assert (receipt["state"], receipt["error"]) == ("done", None)
    assert host.tree() == host.expected()
    assert host.leftovers() == set()


def test_a_copy_is_never_a_link(host):
    assert host.run()["state"] == "done"
    files = [path for path in host.root.rglob("*") if path.is_file()]
    kept = [path for path in (host.state / f"rollback-{ID}").iterdir() if path.is_file()]
    assert len({path.stat().st_ino for path in files + kept}) == len(files + kept)
    with (host.root / "stays").open("wb") as file:
        file.write(b"edited")
    assert (host.root / "copied").read_bytes() == b"3"


def test_a_chain_of_renames_moves_each_content_one_further(tmp_path):
    old, new = {"a": b"1", "b": b"2", "c": b"3"}, {"b": b"1", "c": b"2", "d": b"3"}
    host = copying(tmp_path, old, new, {"b": {"copy": "a"}, "c": {"copy": "b"}, "d": {"copy": "c"}}, ["a"])
    assert host.run()["state"] == "done"
    assert contents(host.tree()) == new


def test_a_copy_may_come_from_what_makes_way_for_it(tmp_path):
    host = Host(tmp_path, {"a/b": b"1", "c": b"2"}, {"a": b"1", "c/d": b"2"})
    host.plan["clear"] = [
        {"path": "a", "is_dir": True, "files": ["a/b"]},
        {"path": "c", "is_dir": False, "files": ["c"]},
    ]
    for file, source in zip(host.plan["files"], ("a/b", "c"), strict=True):
        file["copy"] = source
    host.upload([("plan.json", json.dumps(host.plan).encode())])
    assert host.run()["state"] == "done"
    assert contents(host.tree()) == {"a": b"1", "c/d": b"2"}


def test_many_steps_come_to_the_same(host):
    steps = 1
    while host.run(limit=1e-9)["state"] == "running":
        steps += 1
    assert steps > len(host.new)
    assert host.tree() == host.expected()


def test_room_is_needed_for_copies_too(host):
    module, asked = load(), []
    real = module.files.check_space
    module.files.check_space = lambda folder, size: asked.append(size) or real(folder, size)
    assert host.run(module=module)["state"] == "done"
    # Afterwards, whether what was replaced leaves enough of it.
    assert asked == [sum(map(len, host.new.values())), module.limits.RESERVE]


# ---- what the plan leaves to the manifest


def test_what_the_manifest_says_need_not_be_sent(tmp_path):
    old, new = {"old": b"1", "stays": b"2", "going": b"3", "lost": b"4"}, {"new": b"1", "sent": b"5"}
    host = copying(tmp_path, old, new, {"new": {"copy": "old"}}, ["old", "going"])
    states = {path: {"sha256": sha256(content), "size": 1, "mode": 0o640} for path, content in old.items()}
    host.note("manifest-4.json", {"format": 1, "generation": 4, "deploy": "0" * 16, "files": states})
    host.plan["files"][1] = {"path": "new", "copy": "old"}
    host.plan["manifest"]["files"] = {"adopted": {"sha256": "7", "size": 7}}
    sent = {"sha256": sha256(b"5"), "size": 1, "mode": 0o644}
    after = {"adopted": {"sha256": "7", "size": 7}, "new": states["old"], "sent": sent, "stays": states["stays"]}
    whole = "".join(f"{path}\0{state['sha256']}\0" for path, state in sorted(after.items()))
    host.plan["base"] = {"gone": ["lost"], "digest": sha256(whole.encode())}

    def upload():
        host.upload([("files/sent", b"5"), ("plan.json", json.dumps(host.plan).encode())])

    upload()
    assert host.run()["state"] == "done"
    assert json.loads((host.state / "manifest-5.json").read_text())["files"] == after
    assert host.tree()["new"] == ("file", 0o640, b"1")


def test_a_manifest_that_is_another_one_than_the_client_read_is_an_error(tmp_path):
    host = copying(tmp_path, {"old": b"1"}, {"new": b"1"}, {"new": {"copy": "old"}})
    host.plan["files"] = [{"path": "new", "copy": "old"}]
    host.plan["base"] = {"gone": [], "digest": "0" * 64}
    host.upload([("plan.json", json.dumps(host.plan).encode())])
    receipt = host.run()
    assert (receipt["error"]["kind"], receipt["result"]["undone"]) == ("digest", True)
    assert "deploy again" in receipt["error"]["message"]
    assert host.tree() == host.before


# ---- what is kept for a rollback


def revert(folder) -> Host:
    """A deploy that brings back what the one before it replaced and deleted."""
    host = Host(folder, {"changed": LARGE, "going": b"y" * 5000}, {"changed": b"new"}, ["going"])
    states = {path: {"sha256": sha256(facts), "size": 5000} for path, facts in contents(host.tree()).items()}
    host.note("manifest-4.json", {"format": 1, "generation": 4, "deploy": "0" * 16, "files": states})
    host.upload()
    assert host.run()["state"] == "done"
    kept = json.loads((host.state / "manifest-5.json").read_text())["kept"]
    assert kept == {"deploy": ID, "files": {path: state["sha256"] for path, state in states.items()}}

    second = "a" * 16
    for path in host.state.glob("intent-*.json"):
        path.unlink()
    host.note(f"intent-{second}.json", host.intent(id=second))
    host.new = {"changed": LARGE, "back/going": b"y" * 5000}
    entries = zip(host.new.items(), ("changed", "going"), strict=True)
    host.plan["files"] = [
        {"path": path, "sha256": sha256(content), "size": 5000, "mode": 0o644, "kept": [ID, source]}
        for (path, content), source in entries
    ]
    host.plan.update(delete=[], remove=[])
    host.plan["manifest"].update(generation=6, deploy=second)
    host.job.update(id=second, generation=6, bytes=0)
    host.work = host.state / f"work-{second}"
    host.upload([("plan.json", json.dumps(host.plan).encode())])
    return host


def test_what_is_kept_for_a_rollback_need_not_be_sent(tmp_path):
    host = revert(tmp_path)
    assert host.run()["state"] == "done"
    assert contents(host.tree()) == host.new


def test_what_is_not_kept_any_more_is_missing(tmp_path):
    host = revert(tmp_path)
    shutil.rmtree(host.state / f"rollback-{ID}")
    assert host.run()["result"]["missing"] == sorted(host.new)


# ---- what is not there, or another file


def changed(place):
    place.write_bytes(b"!")


def longer(place):
    with place.open("ab") as file:
        file.write(b"!")


def link(place):
    other = place.with_name("elsewhere")
    place.rename(other)
    place.symlink_to(other)


def pipe(place):
    place.unlink()
    os.mkfifo(place)


def folder(place):
    place.unlink()
    place.mkdir()


def gone(place):
    place.unlink()


def out_of_the_account(place):
    outside = place.parents[3] / "outside"
    write(outside / "a", b"1")
    shutil.rmtree(place.parent)
    place.parent.symlink_to(outside)


BROKEN = [changed, longer, link, pipe, folder, gone, out_of_the_account]


@pytest.mark.parametrize("harm", BROKEN, ids=lambda harm: harm.__name__)
def test_what_is_not_there_any_more_is_named_and_then_sent(tmp_path, harm):
    host = copying(
        tmp_path / "home",
        {"old/a": b"1", "b": b"2", "c": b"3"},
        {"new/a": b"1", "d": b"2", "e": b"4"},
        {"new/a": {"copy": "old/a"}, "d": {"copy": "b"}},
    )
    harm(host.root / "old" / "a")
    before = nodes(host.root)
    receipt = host.run()
    assert (receipt["state"], receipt["exit_status"], receipt["error"]) == ("incomplete", None, None)
    assert (receipt["result"]["missing"], receipt["result"]["undone"]) == (["new/a"], True)
    assert nodes(host.root) == before
    # Who asks once more gets the same answer, and nothing that was staged is lost.
    assert host.run() == receipt
    staged = contents_of(host.work / "staging")
    send_more(host, {"new/a": b"1"})
    receipt = host.run()
    assert (receipt["state"], receipt["steps"]) == ("done", 2)
    assert staged == {b"4", b"2"}
    assert {path: (host.root / path).read_bytes() for path in host.new} == host.new
    assert host.leftovers() == set()


def nodes(root) -> dict:
    """What is there, without a look into it: a pipe would never end."""
    return {path: (os.lstat(path).st_ino, os.lstat(path).st_mtime_ns) for path in root.rglob("*")}


def contents_of(folder) -> set[bytes]:
    return {path.read_bytes() for path in folder.iterdir() if path.stat().st_size == 1} - {b"!"}


def test_all_that_is_missing_is_named_at_once(host):
    for name in ("old/a", "stays", "right"):
        (host.root / name).unlink()
    assert host.run()["result"]["missing"] == ["copied", "left", "new/a"]


@pytest.mark.parametrize(
    ("files", "kind"),
    [({}, "missing"), ({"copied": b"?"}, "digest"), ({"copied": b"3", "one": b"6"}, "digest")],
    ids=["nothing", "other content", "more than was missing"],
)
def test_a_second_part_that_is_not_what_was_missing_is_an_error(host, files, kind):
    (host.root / "stays").unlink()
    before = host.tree()
    assert host.run()["state"] == "incomplete"
    send_more(host, files)
    receipt = host.run()
    assert (receipt["state"], receipt["error"]["kind"], receipt["result"]["undone"]) == ("failed", kind, True)
    assert host.tree() == before
    assert host.leftovers() == set()


def test_a_source_that_changes_while_it_is_copied_is_missing(host):
    module = load()
    real = module.files.open_regular

    def open_regular(name, folder=None):
        file = real(name, folder)
        if name == "stays":
            changed(host.root / "stays")
        return file

    module.files.open_regular = open_regular
    assert host.run(module=module)["result"]["missing"] == ["copied"]


def test_a_source_that_grows_without_end_takes_no_room(host):
    module = load()
    real = module.files.open_regular

    class Endless(io.FileIO):
        def read(self, size):
            return b"3" * size

    def open_regular(name, folder=None):
        file = real(name, folder)
        return Endless(os.dup(file.fileno())) if name == "stays" else file

    module.files.open_regular = open_regular
    assert host.run(module=module)["result"]["missing"] == ["copied"]


def test_a_disk_that_is_full_while_it_copies_fails_the_deploy_and_is_not_taken_for_a_missing_file(host):
    module = load()
    real = module.files.copy

    def copy(source, target, most=None):
        if most is not None:
            raise OSError(errno.ENOSPC, "no space")
        return real(source, target, most)

    module.files.copy = copy
    receipt = host.run(module=module)
    assert (receipt["error"]["kind"], receipt["result"]["undone"]) == ("space", True)
    assert host.tree() == host.before


# ---- killed, or failing, at any step


@pytest.mark.slow
def test_killed_at_any_step_of_copying_the_next_run_finishes():
    with many_accounts() as folder:
        number = 1
        while kill_at(host := everything(anew(folder)), number):
            receipt = host.run()
            assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
            assert host.tree() == host.expected(), f"killed at {number}"
            assert host.leftovers() == set(), f"killed at {number}"
            number += 1
        assert number > 110


@pytest.mark.slow
def test_killed_at_any_step_before_or_after_the_second_part_the_next_run_finishes():
    with many_accounts() as folder:
        for is_second in (False, True):
            number = 1
            while True:
                host = everything(anew(folder))
                (host.root / "template").unlink()
                del host.before["template"]
                if is_second:
                    assert host.run()["state"] == "incomplete"
                    send_more(host, {"page": b"3"})
                if not kill_at(host, number):
                    break
                if not is_second:
                    assert host.run()["state"] == "incomplete", f"killed at {number}"
                    assert host.tree() == host.before, f"killed at {number}"
                    send_more(host, {"page": b"3"})
                receipt = host.run()
                assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
                assert host.tree() == host.expected(), f"killed at {number}"
                assert host.leftovers() == set(), f"killed at {number}"
                number += 1
            assert number > 40


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=["full", "denied"])
def test_an_error_at_any_step_of_copying_leaves_the_old_tree_or_the_new_one(code):
    with many_accounts() as folder:
        number, is_through = 0, False
        while not is_through:
            number += 1
            host = everything(anew(folder))
            receipt, has_failed = fail_at(host, number, code)
            is_through = not has_failed
            if isinstance(receipt, OSError):
                receipt = host.run()
            if receipt["state"] == "failed":
                assert host.tree() == host.before, f"failed at {number}: {receipt}"
            else:
                assert receipt["state"] == "done", f"failed at {number}: {receipt}"
                left = receipt["result"]["not_deleted"]
                after, expected = contents(host.tree()), contents(host.expected())
                assert {path: after[path] for path in after if path not in left} == expected, f"failed at {number}"
        assert number > 110
