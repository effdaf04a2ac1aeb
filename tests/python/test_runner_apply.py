"""The runner puts the files of a bundle in place."""

import json
import os
import stat

import pytest
from runner_host import NEW_TREE, OLD_TREE, Host, as_program, contents, ready, small, tree, write


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def test_a_bundle_is_put_in_place(host):
    receipt = host.run()
    assert (receipt["state"], receipt["exit_status"], receipt["error"]) == ("done", 0, None)
    assert contents(host.tree()) == {name: text for name, text in (OLD_TREE | NEW_TREE).items() if name != "gone/x.py"}
    assert host.tree() == host.expected()
    assert receipt["result"]["deleted"] == ["gone/x.py"]
    assert not (host.root / "gone").exists()
    assert stat.S_IMODE((host.root / "run_x").stat().st_mode) == 0o755
    assert json.loads((host.state / "manifest-5.json").read_text()) == host.plan["manifest"]
    assert not (host.state / "manifest-4.json").exists()
    assert host.receipt() == receipt
    assert host.leftovers() == set()
    history = json.loads((host.state / "history.json").read_text())["jobs"]
    assert [(job["operation"], job["state"]) for job in history] == [("apply", "done")]
    # Done is done: nothing happens a second time.
    (host.root / "app" / "a.py").write_text("later")
    assert host.run() == receipt
    assert (host.root / "app" / "a.py").read_text() == "later"


def test_a_bundle_in_many_parts_and_many_steps_is_the_same(host):
    host.upload(cut=97)
    assert len(host.job["parts"]) > 10
    steps = 1
    while host.run(limit=1e-9)["state"] == "running":
        steps += 1
    assert steps > len(NEW_TREE)
    assert host.receipt()["steps"] == steps
    assert host.tree() == host.expected()
    assert host.leftovers() == set()


def test_a_project_that_is_not_there_yet_is_made(tmp_path):
    host = Host(tmp_path / "home", {}, {"a/b": b"new", "c": b"new"})
    host.root.rmdir()
    host.upload()
    assert host.run()["state"] == "done"
    assert host.tree() == host.expected()


def test_mode_bits_are_the_plans_else_those_of_the_file_that_was_there(tmp_path):
    host = Host(tmp_path / "home", {"kept": b"old", "given": b"old"}, {"kept": b"new", "given": b"new", "new": b"new"})
    for file, mode in zip(host.plan["files"], (None, 0o4711, None), strict=True):
        file["mode"] = mode
    for name in ("kept", "given"):
        (host.root / name).chmod(0o4600)
    host.upload()
    assert host.run()["state"] == "done"
    # Whose rights a program runs with is nothing that a deploy decides.
    assert {name: facts[1] for name, facts in host.tree().items()} == {"kept": 0o600, "given": 0o711, "new": 0o644}


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_nobody_else_may_write_whatever_the_server_lets_them(tmp_path, umask):
    host = small(tmp_path)
    before = os.umask(umask)
    try:
        assert host.run()["state"] == "done"
    finally:
        os.umask(before)
    made = stat.S_IMODE((host.root / "new").stat().st_mode)
    assert made == 0o755 & ~umask
    state = [host.state, *host.state.rglob("*")]
    assert [path for path in state if stat.S_IMODE(path.stat().st_mode) & 0o022] == []
    assert stat.S_IMODE(host.state.stat().st_mode) == 0o700


# ---- what is in the way


def test_what_is_in_the_way_is_no_loss(host):
    (host.root / "new").write_text("a file where a folder is needed")
    before = host.tree()
    receipt = host.run()
    assert (receipt["error"]["kind"], receipt["error"]["path"]) == ("obstacle", "new/deep/c.py")
    assert host.tree() == before
    assert host.leftovers() == set()


def test_a_folder_where_a_file_must_go_is_no_loss(host):
    write(host.root / "run_x" / "somebody's", b"somebody's")
    before = host.tree()
    receipt = host.run()
    assert (receipt["error"]["kind"], receipt["error"]["path"]) == ("obstacle", "run_x")
    assert host.tree() == before


@pytest.mark.parametrize("is_dir", [True, False])
def test_what_the_plan_lets_go_makes_way(tmp_path, is_dir):
    old = {"x/y/z": b"ours", "x/w": b"ours"} if is_dir else {"x": b"ours"}
    new = {"x": b"a file"} if is_dir else {"x/y/z": b"below"}
    host = Host(tmp_path / "home", old, new)
    host.plan["clear"] = [{"path": "x", "is_dir": is_dir, "files": sorted(old)}]
    host.upload()
    assert host.run()["state"] == "done"
    assert contents(host.tree()) == new
    assert host.tree() == host.expected()


@pytest.mark.parametrize("other", ["file", "link", "link to a folder"])
def test_a_folder_with_anything_else_in_it_does_not_make_way(tmp_path, other):
    host = Host(tmp_path / "home", {"x/y": b"ours"}, {"x": b"a file"})
    if other == "file":
        write(host.root / "x" / "z", b"somebody's")
    else:
        (host.root / "x" / "z").symlink_to("nowhere" if other == "link" else host.home)
    host.plan["clear"] = [{"path": "x", "is_dir": True, "files": ["x/y"]}]
    host.upload()
    before = (host.root / "x").stat().st_mtime_ns
    assert host.run()["error"]["kind"] == "obstacle"
    assert host.tree() == host.before
    # It was seen before the first move.
    assert (host.root / "x").stat().st_mtime_ns == before


@pytest.mark.parametrize("is_dir", [True, False])
def test_a_link_does_not_make_way(tmp_path, is_dir):
    """The plan lets our own files go; a link in their place is somebody's, and what it leads to is, too."""
    outside = tmp_path / "home" / "outside"
    host = Host(tmp_path / "home", {}, {"x": b"a file"} if is_dir else {"x/y": b"below"})
    write(outside / "y", b"somebody's")
    (host.root / "x").symlink_to(outside if is_dir else outside / "y")
    host.plan["clear"] = [{"path": "x", "is_dir": is_dir, "files": ["x/y"] if is_dir else ["x"]}]
    host.upload()
    assert host.run()["error"]["kind"] == "obstacle"
    assert host.tree() == host.before
    assert tree(outside) == {"y": ("file", 0o644, b"somebody's")}


# ---- as a program


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_do_not_depend_on_the_locale(host, locale):
    """An application server may run Python without UTF-8: whatever a name holds, it is the same bytes."""
    environment = {"PATH": os.environ["PATH"], "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = as_program(host, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.tree() == host.expected()


def test_as_a_program_it_reads_the_job_beside_it(host):
    done = as_program(host)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.tree() == host.expected()
    assert host.leftovers() == set()


def test_as_a_program_it_says_what_went_wrong(host):
    host.job["parts"][0]["sha256"] = "0" * 64
    done = as_program(host)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "bundle-000 differs from the upload\n"
    assert host.receipt()["error"]["kind"] == "digest"
