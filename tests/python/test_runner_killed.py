"""The runner killed, and failing, at every step of a deploy: no third state, and nothing lost."""

import contextlib
import errno
import os

import pytest
from runner_host import BACK, ID, anew, contents, load, many_accounts, simple, small, tree, write
from runner_steps import Counted, fail_at, in_child, kill_at, kill_self

pytestmark = pytest.mark.slow


@pytest.fixture
def folder():
    with many_accounts() as folder:
        yield folder


@pytest.fixture
def host(tmp_path):
    return small(tmp_path / "home")


def test_killed_at_any_step_the_next_run_finishes(folder):
    number = 1
    while kill_at(host := small(anew(folder)), number):
        receipt = host.run()
        assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
        assert host.tree() == host.expected(), f"killed at {number}"
        assert host.leftovers() == set(), f"killed at {number}"
        number += 1
    assert number > 90


def test_killed_and_superseded_nothing_more_is_touched(folder):
    number = 1
    while kill_at(host := small(anew(folder)), number):
        host.note(f"intent-{BACK}.json", host.intent(id=BACK, takes_over=[ID]))
        is_over = (host.state / f"receipt-{ID}.json").exists()
        before = tree(host.home)
        receipt = host.run()
        if is_over:
            # All that is left to do is to clear up, which concerns no other deploy.
            assert receipt["state"] == "done", f"killed at {number}"
            assert host.tree() == host.expected(), f"killed at {number}"
        else:
            assert receipt["error"]["kind"] == "not_current", f"killed at {number}"
            assert tree(host.home) == before, f"killed at {number}"
        number += 1
    assert number > 90


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=["full", "denied"])
def test_an_error_at_any_step_leaves_the_old_tree_or_the_new_one(folder, code):
    number = failures = 0
    is_through = False
    while not is_through:
        number += 1
        host = small(anew(folder))
        moments = {path: path.stat().st_mtime_ns for path in host.root.rglob("*") if path.is_file()}
        receipt, has_failed = fail_at(host, number, code)
        is_through = not has_failed
        after, told = host.tree(), f"failed at {number}: {receipt}"
        if isinstance(receipt, OSError):
            # Not even a receipt could be written: the next run knows what was done.
            assert after in (host.before, host.expected()), told
        elif receipt["state"] == "done":
            # Deletes come after the manifest, and may fail: the receipt says so. An empty folder may stay.
            left = {*receipt["result"]["not_deleted"], "gone"}
            assert {path: facts for path, facts in after.items() if path not in left} == host.expected(), told
            assert contents(after).keys() - left == contents(host.expected()).keys(), told
        else:
            failures += 1
            assert (receipt["state"], receipt["result"]["undone"]) == ("failed", True), told
            assert after == host.before, told
            assert all(path.stat().st_mtime_ns == moment for path, moment in moments.items()), told
            assert not (host.state / "manifest-5.json").exists(), told
        # Whatever happened, the same job ends well or stays ended.
        again = host.run()
        if isinstance(receipt, OSError):
            assert again["state"] == "done" or again["result"]["undone"], told
            assert host.tree() == (host.expected() if again["state"] == "done" else host.before), told
        else:
            assert again == receipt, told
            assert host.tree() == after, told
        assert host.leftovers() == set(), told
    assert failures > 50


# ---- undoing


def unwritable_manifest(module, then=lambda: None):
    """Lets the last step before a deploy counts fail, so that all that was done is undone."""
    real = module.files.write_json

    def full(path, *rest, **kwargs):
        if "manifest-" in path:
            then()
            raise OSError(errno.ENOSPC, "no space")
        return real(path, *rest, **kwargs)

    module.files.write_json = full
    return module


def test_killed_while_it_undoes_the_next_run_goes_on_undoing(folder):
    number = undone = 0
    while True:
        number += 1
        host = small(anew(folder))

        def act(host=host, number=number):
            host.run(module=unwritable_manifest(load(), Counted(number, kill_self).__enter__))

        if in_child(act) == 0:
            break
        receipt = host.run()
        if (host.state / "manifest-5.json").exists():
            # It was killed before it had noted that it undoes: then it is finished instead.
            assert (receipt["state"], host.tree()) == ("done", host.expected()), f"killed at {number}"
        else:
            undone += 1
            assert (receipt["state"], receipt["result"]["undone"]) == ("failed", True), f"killed at {number}"
            assert host.tree() == host.before, f"killed at {number}"
        assert host.leftovers() == set(), f"killed at {number}"
    assert undone > 40


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_an_error_while_it_undoes_loses_nothing_and_is_told(folder, code):
    number = half = 0
    is_through = False
    while not is_through:
        number += 1
        host = small(anew(folder))

        def fail():
            raise OSError(code, os.strerror(code))

        with contextlib.ExitStack() as stack:
            counted = Counted(number, fail)
            try:
                receipt = host.run(module=unwritable_manifest(load(), lambda: stack.enter_context(counted)))  # noqa: B023
            except OSError:
                receipt = None
        is_through = counted.left > 0
        again = host.run()
        assert receipt in (None, again), f"failed at {number}"
        assert again["state"] == "failed", f"failed at {number}"
        if again["result"]["undone"]:
            assert host.tree() == host.before, f"failed at {number}"
            assert host.leftovers() == set(), f"failed at {number}"
            continue
        half += 1
        after = host.tree()
        kept = contents(tree(host.work / "replaced")).values()
        assert again["result"]["not_undone"], f"failed at {number}"
        for path, facts in host.before.items():
            if after.get(path) != facts:
                is_told = any(f"{path}/".startswith(f"{name}/") for name in again["result"]["not_undone"])
                assert is_told, f"failed at {number}: nothing is said of {path}"
                assert path in again["error"]["message"] or facts[0] == "folder", f"failed at {number}"
                assert facts[0] == "folder" or facts[2] in kept, f"failed at {number}: {path} is lost"
    assert half > 10


def test_what_cannot_be_put_back_is_kept_and_named(host, monkeypatch):
    real = os.replace

    def replace(source, target, **folders):
        if "replaced" in source and target.endswith("a.py"):
            raise OSError(errno.EIO, "broken")
        return real(source, target, **folders)

    monkeypatch.setattr(os, "replace", replace)
    receipt = host.run(module=unwritable_manifest(load()))
    assert (receipt["state"], receipt["result"]["undone"]) == ("failed", False)
    assert list(receipt["result"]["not_undone"]) == ["app/a.py"]
    assert "app/a.py" in receipt["error"]["message"]
    assert b"old a" in contents(tree(host.work / "replaced")).values()
    assert host.tree() == host.before | {"app/a.py": ("file", 0o640, b"new a")}
    # Nobody tidies it away.
    assert host.run() == receipt
    os.utime(host.work, (1, 1))
    (host.state / f"intent-{ID}.json").unlink()
    assert host.run(job=simple(host, "history"))["state"] == "done"
    assert b"old a" in contents(tree(host.work / "replaced")).values()


def test_what_somebody_put_into_a_new_folder_stays_and_is_no_reason_to_fail(host):
    module = unwritable_manifest(load(), lambda: write(host.root / "new" / "log", b"the site's"))
    receipt = host.run(module=module)
    assert (receipt["error"]["kind"], receipt["result"]["undone"]) == ("space", True)
    assert host.tree() == host.before | {"new": ("folder", 0o755), "new/log": ("file", 0o644, b"the site's")}


def test_what_somebody_put_into_a_folder_that_makes_way_is_not_moved_away(host, monkeypatch):
    real = os.rename

    def rename(source, target, **folders):
        if source == "in":
            write(host.root / "folder" / "in" / "log", b"the site's")
        real(source, target, **folders)

    monkeypatch.setattr(os, "rename", rename)
    receipt = host.run()
    assert (receipt["error"]["kind"], receipt["result"]["undone"]) == ("obstacle", True)
    assert host.tree() == host.before | {"folder/in/log": ("file", 0o644, b"the site's")}


def test_superseded_while_it_undoes_nothing_more_is_touched(host):
    after = []

    def supersede():
        host.note("intent-b.json", host.intent(id="b", takes_over=[ID]))
        after.append(host.tree())

    receipt = host.run(module=unwritable_manifest(load(), supersede))
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "not_current")
    assert not receipt["result"]["undone"]
    assert host.tree() == after[0] != host.before


def test_superseded_before_the_deletes_nothing_is_deleted(host):
    module = load()
    real = module.files.write_json

    def write_json(path, *rest, **kwargs):
        real(path, *rest, **kwargs)
        if "manifest-5" in path:
            host.note("intent-b.json", host.intent(id="b", takes_over=[ID]))

    module.files.write_json = write_json
    receipt = host.run(module=module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "not_current")
    assert (host.root / "gone" / "x.py").read_bytes() == b"old x"


def test_a_fault_of_its_own_in_the_middle_is_undone_too(host):
    module = load()
    real, made = module.transaction.Transaction.replace, []

    def replace(self, *entry):
        made.append(entry)
        if len(made) == 3:
            raise KeyError("a fault")
        real(self, *entry)

    module.transaction.Transaction.replace = replace
    receipt = host.run(module=module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "internal")
    assert "KeyError" in receipt["error"]["message"]
    assert receipt["result"]["undone"]
    assert host.tree() == host.before
    assert host.leftovers() == set()


def test_a_sign_of_life_that_cannot_be_given_stops_nobody(host):
    """On a disk that is full, it may come due while the old files are put back."""
    module = load()
    module.limits.HEARTBEAT_SECONDS = -1
    real = module.files.write_text

    def write_text(path, *rest, **kwargs):
        if path.endswith("heartbeat"):
            raise OSError(errno.ENOSPC, "no space")
        return real(path, *rest, **kwargs)

    module.files.write_text = write_text
    receipt = host.run(module=unwritable_manifest(module))
    assert (receipt["error"]["kind"], receipt["result"]["undone"]) == ("space", True)
    assert host.tree() == host.before


def test_a_file_that_was_changed_after_the_kill_is_what_is_kept(host):
    """Killed between keeping the old file and putting the new one there: the place may get another file meanwhile."""
    module = load()
    real = os.replace

    def replace(source, target, **places):
        if target == "a.py":
            kill_self()
        real(source, target, **places)

    def act():
        os.replace = replace
        host.run(module=module)

    assert in_child(act) == -9
    other = host.root / "other"
    other.write_bytes(b"edited since")
    other.rename(host.root / "app" / "a.py")
    assert host.run()["state"] == "done"
    assert b"edited since" in contents(tree(host.state / f"rollback-{ID}")).values()


def test_killed_after_the_deletes_it_still_knows_them_and_deletes_nothing_else(host):
    (host.root / "linked").symlink_to("app")
    host.plan["delete"].append("linked")
    host.upload()
    module = load()
    module.job.Job.finish = lambda *_: kill_self()
    assert in_child(lambda: host.run(module=module)) == -9
    write(host.root / "gone" / "x.py", b"put there since")
    result = host.run()["result"]
    assert (result["deleted"], result["not_deleted"]) == (["gone/x.py"], {"linked": "linked is not a regular file"})
    assert (host.root / "gone" / "x.py").read_bytes() == b"put there since"
