"""Links on the host: one in a file's place is replaced or left alone, one to a folder is followed, as the API does."""

import contextlib
import os
import shutil
import stat

import pytest
from runner_host import Host, load, ready, simple, tree, write


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def linked(folder, target):
    """A project whose folder `data` is a link, and a deploy that changes, adds and deletes files in it."""
    write(target / "changed", b"old")
    write(target / "sub" / "gone", b"old")
    write(target / "foreign", b"somebody's")
    host = Host(
        folder / "home", {"app.py": b"old"}, {"data/changed": b"new", "data/deep/added": b"new"}, ["data/sub/gone"]
    )
    (host.root / "data").symlink_to(target)
    host.upload()
    return host


@pytest.mark.parametrize("inside", ["mysite/real", "media"])
def test_a_linked_folder_is_followed_within_the_account(tmp_path, inside):
    target = tmp_path / "home" / inside
    host = linked(tmp_path, target)
    before = tree(target)
    receipt = host.run()
    assert (receipt["state"], receipt["result"]["deleted"]) == ("done", ["data/sub/gone"])
    assert tree(target) == {
        "changed": ("file", 0o644, b"new"),
        "deep": ("folder", 0o755),
        "deep/added": ("file", 0o644, b"new"),
        "foreign": ("file", 0o644, b"somebody's"),
    }
    assert os.readlink(host.root / "data") == str(target)
    # And back.
    assert host.run(job=host.rollback_job())["state"] == "done"
    assert tree(target) == before
    assert host.tree() == host.before


def test_a_linked_folder_out_of_the_account_is_not_written(tmp_path):
    outside = tmp_path / "outside"
    host = linked(tmp_path, outside)
    before = tree(outside)
    receipt = host.run()
    assert (receipt["error"]["kind"], receipt["error"]["path"]) == ("obstacle", "data/changed")
    assert (tree(outside), host.tree()) == (before, host.before)


def test_in_a_linked_folder_out_of_the_account_nothing_is_deleted(tmp_path):
    outside = tmp_path / "outside"
    write(outside / "x", b"somebody's")
    host = Host(tmp_path / "home", {}, {"app.py": b"new"}, ["data/x"])
    (host.root / "data").symlink_to(outside)
    host.upload()
    receipt = host.run()
    assert (receipt["state"], list(receipt["result"]["not_deleted"])) == ("done", ["data/x"])
    assert tree(outside) == {"x": ("file", 0o644, b"somebody's")}


def test_nothing_out_of_the_account_makes_way(tmp_path):
    outside = tmp_path / "outside"
    write(outside / "x", b"somebody's")
    host = Host(tmp_path / "home", {}, {"data/x/y": b"new"})
    (host.root / "data").symlink_to(outside)
    host.plan["clear"] = [{"path": "data/x", "is_dir": False, "files": ["data/x"]}]
    host.upload()
    assert host.run()["error"]["kind"] == "obstacle"
    assert tree(outside) == {"x": ("file", 0o644, b"somebody's")}


def test_a_project_that_is_a_link_itself_is_the_place_it_leads_to(tmp_path):
    host = ready(tmp_path)
    elsewhere = host.home / "disk" / "mysite"
    elsewhere.parent.mkdir()
    host.root.rename(elsewhere)
    host.root.symlink_to(elsewhere)
    assert host.run()["state"] == "done"
    assert host.tree() == tree(elsewhere) == host.expected()
    assert host.root.is_symlink()


@pytest.mark.parametrize("operation", ["apply", "hash", "archive", "manage", "pip"])
def test_a_project_that_is_a_link_out_of_the_account_is_neither_written_nor_read(tmp_path, operation):
    host = ready(tmp_path / "account")
    elsewhere = tmp_path / "elsewhere"
    host.root.rename(elsewhere)
    host.root.symlink_to(elsewhere)
    write(elsewhere / "manage.py", b"open('ran', 'w')")
    write(elsewhere / "requirements.txt", b"")
    before = tree(elsewhere)
    more = {
        "apply": {},
        "hash": {"prune": []},
        "archive": {"include": ["**"], "exclude": [], "prune": []},
        "manage": {"args": [], "manage": "manage.py", "virtualenv": None, "timeout": 60},
        "pip": {"requirements": "requirements.txt", "virtualenv": None, "timeout": 60},
    }[operation]
    receipt = host.run(job=None if operation == "apply" else simple(host, operation, **more))
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "obstacle")
    assert "out of the account" in receipt["error"]["message"]
    assert not receipt["result"].get("files")
    assert not receipt["result"].get("parts")
    assert tree(elsewhere) == before


MOVES = ["replace", "remove", "mkdir", "rmdir", "undo_replace", "undo_remove", "undo_mkdir", "undo_rmdir"]


@pytest.mark.parametrize("move", MOVES)
def test_a_folder_replaced_with_a_link_right_before_a_move_leads_nowhere(tmp_path, move):
    """Whichever folder it is: all of them are replaced, with links to folders that look the same."""
    outside = tmp_path / "outside"
    host = Host(
        tmp_path / "home",
        {"a/changed": b"old", "a/way/x": b"old", "a/gone": b"old", "a/b/c/kept": b"old"},
        {"a/changed": b"new", "a/new/deep/file": b"new", "a/way": b"new", "a/b/c/more": b"new"},
        ["a/gone"],
    )
    host.plan["clear"] = [{"path": "a/way", "is_dir": True, "files": ["a/way/x"]}]
    host.upload()
    module, swapped = load(), []
    transaction = module.transaction.Transaction
    real = getattr(transaction, move)

    def move_after_swap(self, *entry):
        if not swapped:
            swapped.append(tree(host.root))
            shutil.copytree(host.root / "a", outside)
            (host.root / "a").rename(tmp_path / "aside")
            (host.root / "a").symlink_to(outside)
        return real(self, *entry)

    setattr(transaction, move, move_after_swap)
    if move.startswith("undo_"):
        real_commit = module.job.Job.check_current
        module.job.Job.check_current = fails_at_the_end(host, real_commit)
    receipt = host.run(module=module)
    assert swapped, receipt
    assert tree(outside) == {path[2:]: what for path, what in swapped[0].items() if path.startswith("a/")}
    assert receipt["state"] == "failed"


def fails_at_the_end(host, real):
    """Lets a transaction fail, once, when its last file is in place."""
    failed = []

    def check_current(self):
        if (host.root / "a" / "b" / "c" / "more").exists() and not failed:
            failed.append(1)
            raise OSError(5, "Input/output error")
        return real(self)

    return check_current


def test_deletes_after_the_manifest_follow_no_new_link_either(tmp_path):
    outside = tmp_path / "outside"
    write(outside / "gone", b"somebody's")
    host = Host(tmp_path / "home", {"a/gone": b"old"}, {"x": b"new"}, ["a/gone"])
    host.upload()
    module = load()
    real = module.transaction.Transaction.commit

    def commit(self, journal):
        (host.root / "a").rename(tmp_path / "aside")
        (host.root / "a").symlink_to(outside)
        return real(self, journal)

    module.transaction.Transaction.commit = commit
    receipt = host.run(module=module)
    assert (receipt["state"], list(receipt["result"]["not_deleted"])) == ("done", ["a/gone"])
    assert tree(outside) == {"gone": ("file", 0o644, b"somebody's")}


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "pipe"])
@pytest.mark.parametrize("operation", ["hash", "archive"])
def test_what_is_swapped_after_its_folder_was_listed_is_not_read(host, tmp_path, operation, kind, monkeypatch):
    write(tmp_path / "outside" / "a.py", b"secret")
    (host.root / "app" / "deep").mkdir()
    write(host.root / "app" / "deep" / "x", b"x")
    real, swapped = os.scandir, []
    app = os.stat(host.root / "app")

    def scandir(folder):
        found = list(real(folder))
        if os.path.samestat(os.stat(folder), app) and not swapped:
            swapped.append(folder)
            place = host.root / "app" / ("deep" if kind == "link to a folder" else "a.py")
            place.rename(tmp_path / "aside")
            if kind == "pipe":
                os.mkfifo(place)
            else:
                place.symlink_to(tmp_path / "outside" / ("" if kind == "link to a folder" else "a.py"))
        return contextlib.nullcontext(found)

    monkeypatch.setattr(os, "scandir", scandir)
    more = {"prune": []} if operation == "hash" else {"include": ["**"], "exclude": [], "prune": []}
    receipt = host.run(job=simple(host, operation, **more))
    assert swapped
    assert receipt["state"] == "done", receipt["error"]
    assert list(receipt["result"]["errors"]) == ["app/deep" if kind == "link to a folder" else "app/a.py"]


def test_a_link_to_nowhere_is_no_folder(host):
    (host.root / "new").symlink_to("nowhere")
    before = host.tree()
    assert host.run()["error"]["kind"] == "obstacle"
    assert host.tree() == before


def test_a_link_in_a_files_place_is_replaced_and_not_written_through(host):
    outside = host.home.parent / "outside"
    outside.write_bytes(b"outside")
    (host.root / "app" / "a.py").unlink()
    (host.root / "app" / "a.py").symlink_to(outside)
    assert host.run()["state"] == "done"
    assert host.tree() == host.expected()
    assert outside.read_bytes() == b"outside"


@pytest.mark.parametrize("kind", ["link", "folder", "pipe"])
def test_only_a_file_is_deleted(host, kind):
    """Whatever has taken its place since is somebody's."""
    place = host.root / "gone" / "x.py"
    place.unlink()
    if kind == "link":
        place.symlink_to(host.root / "foreign.txt")
    elif kind == "folder":
        place.mkdir()
    else:
        os.mkfifo(place)
    receipt = host.run()
    assert (receipt["state"], receipt["result"]["deleted"]) == ("done", [])
    assert list(receipt["result"]["not_deleted"]) == ["gone/x.py"]
    assert os.path.lexists(place)


def test_a_link_is_rolled_back_as_a_link_and_what_it_leads_to_is_left_alone(host):
    outside = host.home / "outside"
    outside.write_text("outside")
    outside.chmod(0o600)
    for name, target in (("app/a.py", outside), ("app/b.py", "nowhere")):
        (host.root / name).unlink()
        (host.root / name).symlink_to(target)
    before = host.tree()
    assert host.run()["state"] == "done"
    assert host.tree()["app/a.py"] == ("file", 0o644, b"new a")
    # In steps: what is ready already must be found, even if it leads nowhere.
    job = host.rollback_job()
    while (receipt := host.run(limit=1e-9, job=job))["state"] == "running":
        pass
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == before
    assert (stat.S_IMODE(outside.stat().st_mode), outside.read_text()) == (0o600, "outside")
