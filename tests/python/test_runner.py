"""The runner on the host, alone: real files, real processes, killed and failing at every step.

`src/host/runner.py` runs on the host's own Python, so it is driven here as it is, by its path.
"""

import ast
import gzip
import hashlib
import importlib.util
import io
import json
import os
import signal
import stat
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HOST = Path(__file__).parents[2] / "src" / "host"
ID, OLD = "0123456789abcdef", "fedcba9876543210"
NAMES = ["a#b.txt", "ü.txt", "u\u0308.txt", "🎉", "-dash", "new\nline", "e" * 255, "sp ace/x;y", ".hidden/.x", "%2F"]


def load():
    spec = importlib.util.spec_from_file_location("runner_under_test", HOST / "runner.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


runner = load()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Host:
    """An account with a project, and a deploy that is about to change it."""

    def __init__(self, home: Path, old: dict[str, bytes], new: dict[str, bytes], deletes=(), **changes):
        self.home, self.root = home, home / "mysite"
        self.state = home / ".pya" / "00112233aabbccdd"
        self.work = self.state / f"work-{ID}"
        self.old, self.new, self.deletes = dict(old), dict(new), list(deletes)
        self.root.mkdir(parents=True)
        for name, content in old.items():
            write(self.root / name, content)
        self.state.mkdir(parents=True)
        self.note("manifest-4.json", {"format": 1, "generation": 4, "deploy": OLD, "files": {}})
        self.note(f"intent-{ID}.json", self.intent())
        self.job = {
            "format": 1,
            "id": ID,
            "operation": "apply",
            "created": int(time.time()),
            "root": "/home/me/mysite",
            "bytes": sum(map(len, new.values())),
            "generation": 5,
            "rollback": {"versions": 1, "bytes": 1 << 20},
        } | changes
        self.plan = {
            "format": 1,
            "id": ID,
            "files": [
                {"path": name, "sha256": sha256(content), "size": len(content), "mode": 0o755 if "x" in name else 0o644}
                for name, content in self.new.items()
            ],
            "delete": self.deletes,
            "clear": [],
            "manifest": {"format": 1, "generation": 5, "deploy": ID, "remote_root": "/home/me/mysite", "files": {}},
            "remove": ["manifest-4.json"],
        }

    @staticmethod
    def intent(**changes):
        now = int(time.time())
        return {"format": 1, "id": ID, "since": now, "expires": now + 600, "ended": False, "takes_over": []} | changes

    def note(self, name: str, value) -> None:
        (self.state / name).write_text(json.dumps(value))

    def upload(self, members=None, cut: int = 1 << 20) -> None:
        """Puts the bundle there, as the client would."""
        if members is None:
            members = [(f"files/{name}", content) for name, content in self.new.items()]
            members.append(("plan.json", json.dumps(self.plan).encode()))
        stream = bundle(members)
        self.work.mkdir(exist_ok=True)
        self.job["parts"] = []
        for number, start in enumerate(range(0, len(stream), cut)):
            part, name = stream[start : start + cut], f"bundle-{number:03}"
            (self.work / name).write_bytes(part)
            self.job["parts"].append({"name": name, "sha256": sha256(part), "size": len(part)})

    def run(self, limit=None, module=runner):
        return module.run_job(str(self.state), self.job, limit)

    def receipt(self):
        return json.loads((self.state / f"receipt-{ID}.json").read_text())

    def tree(self) -> dict[str, bytes]:
        return tree(self.root)

    def expected(self) -> dict[str, bytes]:
        kept = {name: content for name, content in self.old.items() if name not in self.deletes}
        return kept | self.new

    def leftovers(self) -> set[str]:
        known = {f"receipt-{ID}.json", "history.json", f"intent-{ID}.json", "manifest-4.json", "manifest-5.json"}
        return {path.name for path in self.state.iterdir()} - known - {f"rollback-{ID}"}


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def bundle(members) -> bytes:
    """A gzip member for each, as the client makes them for groups of files."""
    pieces = []
    for member in members:
        name, content, *kind = member
        info = tarfile.TarInfo(name)
        info.size, info.type = len(content), *(kind or [tarfile.REGTYPE])
        info.linkname = "/etc/passwd" if kind else ""
        padding = bytes(-len(content) % tarfile.BLOCKSIZE)
        pieces.append(gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + content + padding, mtime=0))
    pieces.append(gzip.compress(bytes(2 * tarfile.BLOCKSIZE), mtime=0))
    return b"".join(pieces)


OLD_TREE = {"app/a.py": b"old a", "app/b.py": b"old b", "gone/x.py": b"old x", "foreign.txt": b"somebody's"}
NEW_TREE = {
    "app/a.py": b"new a",
    "app/b.py": b"old b",
    "new/deep/c.py": b"c",
    "run_x": b"#!",
    **dict.fromkeys(NAMES, b"n"),
}


@pytest.fixture
def host(tmp_path):
    host = Host(tmp_path / "home", OLD_TREE, NEW_TREE, ["gone/x.py"])
    host.upload()
    return host


def test_python_3_8_can_read_what_runs_on_the_host():
    for name in ("runner.py", "agent.py", "stub.py"):
        ast.parse((HOST / name).read_text(), feature_version=(3, 8))


def test_a_bundle_is_put_in_place(host):
    receipt = host.run()
    assert (receipt["state"], receipt["exit_status"], receipt["error"]) == ("done", 0, None)
    assert host.tree() == host.expected()
    assert receipt["result"]["deleted"] == ["gone/x.py"]
    assert not (host.root / "gone").exists()
    assert stat.S_IMODE((host.root / "run_x").stat().st_mode) == 0o755
    assert json.loads((host.state / "manifest-5.json").read_text())["deploy"] == ID
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


# ---- killed, and failing, at every step

CALLS = ["replace", "link", "rename", "mkdir", "unlink", "rmdir", "chmod", "listdir", "open"]


class Counted:
    """Lets `act` happen at the n-th call of anything that changes a file system."""

    def __init__(self, module, number: int, act):
        self.left, self.act = number, act
        real = {name: getattr(os, name) for name in CALLS}
        real_open = open

        def wrap(function):
            def call(*args, **kwargs):
                self.count()
                return function(*args, **kwargs)

            return call

        for name, function in real.items():
            setattr(os, name, wrap(function))
        module.open = lambda path, mode="r", **kwargs: (
            self.count() if "r" not in mode or "+" in mode else None,
            real_open(path, mode, **kwargs),
        )[1]
        self.real = real

    def count(self):
        self.left -= 1
        if self.left == 0:
            self.act()

    def restore(self):
        for name, function in self.real.items():
            setattr(os, name, function)


def in_child(act) -> int:
    """Runs `act` in a forked child; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            act()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(host: Host, number: int) -> bool:
    """Runs the job and kills it at its n-th step; False if it had fewer."""

    def act():
        module = load()
        Counted(module, number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        host.run(module=module)

    return in_child(act) == -signal.SIGKILL


def small(tmp_path: Path, number: int) -> Host:
    host = Host(tmp_path / str(number), OLD_TREE, {"app/a.py": b"new a", "new/c.py": b"c", "d": b"d"}, ["gone/x.py"])
    host.upload()
    return host


def test_killed_at_any_step_the_next_run_finishes(tmp_path):
    number = 1
    while kill_at(host := small(tmp_path, number), number):
        receipt = host.run()
        assert receipt["state"] == "done", f"killed at {number}: {receipt['error']}"
        assert host.tree() == host.expected(), f"killed at {number}"
        assert host.leftovers() == set(), f"killed at {number}"
        number += 1
    assert number > 50


def test_killed_and_superseded_nothing_more_is_touched(tmp_path):
    number = 1
    while kill_at(host := small(tmp_path, number), number):
        host.note("intent-aaaaaaaaaaaaaaaa.json", host.intent(id="a" * 16, takes_over=[ID]))
        is_over = (host.state / f"receipt-{ID}.json").exists()
        before = tree(host.home)
        assert is_over or host.run()["error"]["kind"] == "not_current"
        assert tree(host.home) == before, f"killed at {number}"
        number += 3


@pytest.mark.parametrize("code", [28, 13], ids=["full", "denied"])
def test_an_error_at_any_step_leaves_the_old_tree_or_the_new_one(tmp_path, code):
    failures = 0
    for number in range(1, 300):
        host = small(tmp_path, number)
        before = {path: path.stat().st_mtime_ns for path in host.root.rglob("*") if path.is_file()}

        def fail():
            raise OSError(code, os.strerror(code))

        module = load()
        counted = Counted(module, number, fail)
        try:
            receipt = host.run(module=module)
        except OSError:
            # Not even a receipt could be written: the next run knows what was done.
            receipt = None
        finally:
            counted.restore()
        if counted.left > 0:
            break
        if receipt is None:
            assert host.tree() in (OLD_TREE, host.expected()), f"failed at {number}"
        elif receipt["state"] != "done":
            failures += 1
            assert host.tree() == OLD_TREE, f"failed at {number}: {receipt}"
            assert all(path.stat().st_mtime_ns == moment for path, moment in before.items())
            assert not (host.state / "manifest-5.json").exists()
        else:
            # Deletes come after the manifest, and may stay undone: the receipt says so.
            left = set(receipt["result"]["not_deleted"])
            assert host.tree().keys() - left == host.expected().keys(), f"failed at {number}"
        # Whatever happened, the same job ends well or stays ended.
        host.run()
    assert failures > 20


def test_killed_while_it_undoes_the_next_run_goes_on_undoing(tmp_path):
    number = 1
    while True:
        host = small(tmp_path, number)

        def act(host=host, number=number):
            module = load()
            real = module.write_json

            def full(path, *rest, **kwargs):
                if "manifest-5" in path:
                    Counted(module, number, lambda: os.kill(os.getpid(), signal.SIGKILL))
                    raise OSError(28, "no space")
                return real(path, *rest, **kwargs)

            module.write_json = full
            host.run(module=module)

        if in_child(act) != -signal.SIGKILL:
            break
        receipt = host.run()
        if (host.state / "manifest-5.json").exists():
            # It was killed before it had noted that it undoes: then it is finished instead.
            assert host.tree() == host.expected()
        else:
            assert (receipt["state"], receipt["result"]["undone"]) == ("failed", True), f"killed at {number}"
            assert host.tree() == OLD_TREE, f"killed at {number}"
        number += 1
    assert number > 10


trees = st.dictionaries(st.sampled_from(["a", "b", "c/d", "c/e", "f/g/h"]), st.binary(max_size=20), max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=trees, new=trees, number=st.integers(1, 80), data=st.data())
def test_any_change_killed_anywhere_ends_as_planned(tmp_path_factory, old, new, number, data):
    deletes = data.draw(st.lists(st.sampled_from(sorted(old.keys() - new.keys()) or ["z"]), unique=True))
    host = Host(tmp_path_factory.mktemp("law") / "home", old, new, deletes)
    host.upload()
    kill_at(host, number)
    assert host.run()["state"] == "done"
    assert host.tree() == host.expected()


# ---- who may work


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda host: host.job.update(created=int(time.time()) - 1900), "stale"),
        (lambda host: (host.state / f"intent-{ID}.json").unlink(), "not_current"),
        (lambda host: host.note(f"intent-{ID}.json", host.intent(ended=True)), "not_current"),
        (lambda host: host.note(f"intent-{ID}.json", host.intent(expires=1)), "not_current"),
        (lambda host: host.note(f"intent-{ID}.json", host.intent(since=1)), "not_current"),
        (lambda host: host.note("intent-b.json", host.intent(id="b", takes_over=[ID])), "not_current"),
        (lambda host: host.note("manifest-5.json", {"deploy": "somebody"}), "not_current"),
    ],
)
def test_only_the_current_deploy_is_begun_and_else_nothing_is_written(host, change, kind):
    change(host)
    before = tree(host.home)
    receipt = host.run()
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", kind)
    assert tree(host.home) == before


def test_a_deploy_that_is_taken_over_in_the_middle_stops(host):
    module = load()
    real, moves = os.replace, []

    def replace(source, target):
        real(source, target)
        if "mysite" in target:
            moves.append(target)
            if len(moves) == 3:
                host.note("intent-b.json", host.intent(id="b", takes_over=[ID]))

    module.os = type(
        "Os", (), {"__getattr__": lambda self, name: replace if name == "replace" else getattr(os, name)}
    )()
    receipt = host.run(module=module)
    assert receipt["error"]["kind"] == "not_current"
    assert len(moves) == 3
    assert not (host.state / "manifest-5.json").exists()


def test_the_second_of_two_leaves(host):
    with (host.work / "lock").open("w") as lock:
        import fcntl

        fcntl.flock(lock, fcntl.LOCK_EX)
        before = tree(host.home)
        receipt = host.run()
        assert (receipt["state"], receipt["error"]["kind"]) == ("running", "busy")
        assert tree(host.home) == before
    # Another machine's sign of life counts where locks do not reach.
    (host.work / "beat").write_text(f"elsewhere {int(time.time())}")
    assert host.run()["error"]["kind"] == "busy"
    (host.work / "beat").write_text(f"elsewhere {int(time.time()) - 60}")
    assert host.run()["state"] == "done"


# ---- bundles that are not what they should be


def hostile(name: str):
    plan = ("plan.json", b"{}")
    return {
        "climbs": [("files/../out", b"x"), plan],
        "absolute": [("/etc/out", b"x"), plan],
        "other folder": [("other/a", b"x"), plan],
        "link": [("files/a", b"", tarfile.SYMTYPE), plan],
        "hard link": [("files/a", b"", tarfile.LNKTYPE), plan],
        "device": [("files/a", b"", tarfile.CHRTYPE), plan],
        "folder": [("files/a", b"", tarfile.DIRTYPE), plan],
        "more after the plan": [plan, ("files/a", b"x")],
        "no plan": [("files/a", b"x")],
        "too much": [("files/a", bytes(10_000)), plan],
        "plan of something else": [("files/a", b"x"), plan],
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "climbs",
        "absolute",
        "other folder",
        "link",
        "hard link",
        "device",
        "folder",
        "more after the plan",
        "no plan",
        "too much",
        "plan of something else",
    ],
)
def test_a_hostile_bundle_changes_nothing(host, name):
    host.upload(hostile(name))
    outside = tree(host.home.parent)
    receipt = host.run()
    assert (receipt["state"], receipt["result"]["undone"]) == ("failed", True)
    assert receipt["error"]["kind"] in ("name", "digest", "internal")
    assert host.tree() == OLD_TREE
    assert {path for path in tree(host.home.parent) if ".pya" not in path} == {p for p in outside if ".pya" not in p}


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "a//b", "", "."])
def test_a_plan_cannot_name_what_is_outside(host, path):
    host.plan["files"][0]["path"] = path
    members = [
        (f"files/{file['path']}", host.new[name]) for file, name in zip(host.plan["files"], host.new, strict=True)
    ]
    host.upload([*members, ("plan.json", json.dumps(host.plan).encode())])
    assert host.run()["state"] == "failed"
    assert host.tree() == OLD_TREE


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "", "."])
@pytest.mark.parametrize("field", ["delete", "clear"])
def test_a_plan_cannot_take_away_what_is_outside(host, path, field):
    (host.home / "out").write_text("outside")
    host.plan[field] = [path] if field == "delete" else [{"path": path, "is_dir": False, "files": [path]}]
    host.upload()
    assert host.run()["error"]["kind"] == "name"
    assert host.tree() == OLD_TREE
    assert (host.home / "out").read_text() == "outside"


def test_what_cannot_be_put_back_is_kept_and_named(host):
    module = load()
    real, real_json = os.replace, module.write_json

    def full(path, *rest, **kwargs):
        if "manifest-5" in path:
            raise OSError(28, "no space")
        return real_json(path, *rest, **kwargs)

    def replace(source, target):
        if "replaced" in source and target.endswith("a.py"):
            raise OSError(5, "broken")
        return real(source, target)

    module.write_json = full
    module.os = type(
        "Os", (), {"__getattr__": lambda self, name: replace if name == "replace" else getattr(os, name)}
    )()
    receipt = host.run(module=module)
    assert (receipt["state"], receipt["result"]["undone"]) == ("failed", False)
    assert list(receipt["result"]["not_undone"]) == ["app/a.py"]
    assert "app/a.py" in receipt["error"]["message"]
    assert b"old a" in tree(host.work / "replaced").values()
    assert host.tree() == OLD_TREE | {"app/a.py": b"new a"}
    # Nobody tidies it away.
    assert host.run() == receipt
    os.utime(host.work, (1, 1))
    (host.state / f"intent-{ID}.json").unlink()
    runner.run_job(str(host.state), simple(host, "history"))
    assert b"old a" in tree(host.work / "replaced").values()


def test_a_note_that_is_being_written_is_waited_for(host):
    own = host.state / f"intent-{ID}.json"
    text = own.read_text()
    own.write_text(text[:20])
    child = os.fork()
    if child == 0:
        time.sleep(0.3)
        own.write_text(text)
        os._exit(0)
    assert host.run()["state"] == "done"
    os.waitpid(child, 0)


def test_who_comes_late_finds_it_done(host):
    """Between the look for a receipt and the lock, another one did it all."""
    module = load()
    real = module.Job.alone

    def alone(self):
        if not (host.state / f"receipt-{ID}.json").exists():
            assert host.run()["state"] == "done"
        return real(self)

    module.Job.alone = alone
    assert host.run(module=module)["state"] == "done"
    assert host.receipt()["state"] == "done"
    assert host.tree() == host.expected()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_damaged_bundle_changes_nothing(host, damage):
    (part,) = host.job["parts"]
    path = host.work / part["name"]
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else content[:-20] + b"x" * 20)
    receipt = host.run()
    assert receipt["error"]["kind"] == ("missing" if damage == "missing" else "digest")
    # The same with digests that fit: whoever can write the job can write them.
    if damage != "missing":
        host.upload()
        content = (host.work / part["name"]).read_bytes()[:-60]
        (host.work / part["name"]).write_bytes(content)
        host.job["parts"] = [{"name": part["name"], "size": len(content), "sha256": sha256(content)}]
        (host.state / f"receipt-{ID}.json").unlink()
        assert host.run()["state"] == "failed"
    assert host.tree() == OLD_TREE


def test_what_is_in_the_way_is_no_loss(host):
    (host.root / "new").write_text("a file where a folder is needed")
    receipt = host.run()
    assert receipt["error"]["kind"] == "obstacle"
    assert (host.root / "new").read_text() == "a file where a folder is needed"
    assert host.tree().items() >= OLD_TREE.items()


@pytest.mark.parametrize("is_dir", [True, False])
def test_what_the_plan_lets_go_makes_way(tmp_path, is_dir):
    old = {"x/y/z": b"ours", "x/w": b"ours"} if is_dir else {"x": b"ours"}
    new = {"x": b"a file"} if is_dir else {"x/y/z": b"below"}
    host = Host(tmp_path / "home", old, new)
    host.plan["clear"] = [{"path": "x", "is_dir": is_dir, "files": sorted(old)}]
    host.upload()
    assert host.run()["state"] == "done"
    assert host.tree() == new


def test_a_folder_with_anything_else_in_it_does_not_make_way(tmp_path):
    host = Host(tmp_path / "home", {"x/y": b"ours", "x/z": b"somebody's"}, {"x": b"a file"})
    host.plan["clear"] = [{"path": "x", "is_dir": True, "files": ["x/y"]}]
    host.upload()
    assert host.run()["error"]["kind"] == "obstacle"
    assert host.tree() == host.old


# ---- what is kept


def test_what_was_replaced_is_kept_unless_it_is_too_much(host):
    host.job["rollback"] = {"versions": 1, "bytes": 3}
    (host.state / "rollback-aaaaaaaaaaaaaaaa").mkdir()
    receipt = host.run()
    assert (receipt["state"], receipt["result"]["kept_for_rollback"]) == ("done", False)
    # An older one would be mixed with what this deploy put there.
    assert [path.name for path in host.state.glob("rollback-*")] == []


def test_a_rollback_puts_back_and_takes_away(host):
    assert host.run()["result"]["kept_for_rollback"]
    (host.root / "new" / "deep" / "c.py").write_text("edited since")
    (host.state / f"intent-{ID}.json").unlink()
    back = "b" * 16
    host.note(f"intent-{back}.json", host.intent(id=back))
    job = host.job | {"id": back, "operation": "rollback", "target": ID, "generation": 6}
    receipt = runner.run_job(str(host.state), job)
    assert receipt["state"] == "done", receipt["error"]
    assert list(receipt["result"]["not_deleted"]) == ["new/deep/c.py"]
    assert host.tree() == OLD_TREE | {"new/deep/c.py": b"edited since"}
    assert [path.name for path in host.state.glob("rollback-*")] == [f"rollback-{back}"]
    assert json.loads((host.state / "manifest-6.json").read_text())["deploy"] == back


def undo(host):
    """Rolls the deploy back."""
    (host.state / f"intent-{ID}.json").unlink()
    back = "b" * 16
    host.note(f"intent-{back}.json", host.intent(id=back))
    job = host.job | {"id": back, "operation": "rollback", "target": ID, "generation": 6}
    return runner.run_job(str(host.state), job)


@pytest.mark.parametrize("is_dir", [True, False])
def test_a_rollback_undoes_what_became_of_a_folder_or_a_file(tmp_path, is_dir):
    old = {"x/y/z": b"ours", "x/w": b"ours"} if is_dir else {"x": b"ours"}
    new = {"x": b"a file"} if is_dir else {"x/y/z": b"below"}
    host = Host(tmp_path / "home", old, new)
    host.plan["clear"] = [{"path": "x", "is_dir": is_dir, "files": sorted(old)}]
    host.upload()
    assert host.run()["state"] == "done"
    assert undo(host)["state"] == "done"
    assert host.tree() == old


def test_a_link_is_rolled_back_as_a_link_and_what_it_leads_to_is_left_alone(host):
    outside = host.home / "outside"
    outside.write_text("outside")
    outside.chmod(0o600)
    for name, target in (("app/a.py", outside), ("app/b.py", "nowhere")):
        (host.root / name).unlink()
        (host.root / name).symlink_to(target)
    assert host.run()["state"] == "done"
    assert not (host.root / "app" / "a.py").is_symlink()
    assert undo(host)["state"] == "done"
    assert os.readlink(host.root / "app" / "a.py") == str(outside)
    assert os.readlink(host.root / "app" / "b.py") == "nowhere"
    assert (stat.S_IMODE(outside.stat().st_mode), outside.read_text()) == (0o600, "outside")


def test_killed_after_the_deletes_it_still_knows_them_and_deletes_nothing_else(host):
    module = load()
    module.Job.finish = lambda self, receipt: os.kill(os.getpid(), signal.SIGKILL)
    assert in_child(lambda: host.run(module=module)) == -signal.SIGKILL
    write(host.root / "gone" / "x.py", b"put there since")
    assert host.run()["result"]["deleted"] == ["gone/x.py"]
    assert (host.root / "gone" / "x.py").read_bytes() == b"put there since"


# ---- looking, packing, running


def simple(host, operation, **more):
    identity = f"{len(list(host.state.glob('receipt-*'))) + 1:016x}"
    return {
        "format": 1,
        "id": identity,
        "operation": operation,
        "created": int(time.time()),
        "root": "/home/me/mysite",
    } | more


def test_every_file_is_hashed_in_any_number_of_steps(host):
    write(host.root / "venv" / "pyvenv.cfg", b"")
    write(host.root / "__pycache__" / "x.pyc", b"")
    (host.root / "link").symlink_to("/etc/passwd")
    job = simple(host, "hash", prune=["__pycache__"])
    steps = 1
    while (receipt := runner.run_job(str(host.state), job, 1e-9))["state"] == "running":
        steps += 1
    assert steps >= len(OLD_TREE)
    result = receipt["result"]
    assert {name: digest for name, (digest, *_) in result["files"].items()} == {
        n: sha256(c) for n, c in OLD_TREE.items()
    }
    assert result["links"] == {"link": "/etc/passwd"}
    assert result["skipped"].keys() == {"venv", "__pycache__"}


def test_an_archive_holds_what_was_asked_for(host, monkeypatch):
    monkeypatch.setattr(runner, "PART", 300)
    monkeypatch.setattr(runner, "GROUP", 1)
    job = simple(host, "archive", include=["**/*"], exclude=["**/*.txt"], prune=[])
    while (receipt := runner.run_job(str(host.state), job, 1e-9))["state"] == "running":
        pass
    work = host.state / f"work-{job['id']}"
    content = b""
    for part in receipt["result"]["parts"]:
        piece = (work / part["name"]).read_bytes()
        assert (len(piece), sha256(piece)) == (part["size"], part["sha256"])
        assert len(piece) <= 300
        content += piece
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
        found = {member.name: archive.extractfile(member).read() for member in archive}
    assert found == {name: content for name, content in OLD_TREE.items() if not name.endswith(".txt")}
    assert receipt["result"]["files"] == len(found)


def run(host, *command, timeout=30):
    return runner.run_job(str(host.state), simple(host, "run", command=list(command), folder="", timeout=timeout))


def test_commands_leave_status_and_output(host):
    receipt = run(host, "bash", "-c", "echo out; echo err >&2; pwd; exit 7")
    assert (receipt["state"], receipt["exit_status"]) == ("failed", 7)
    assert receipt["output"].splitlines() == ["out", "err", str(host.root)]
    assert run(host, "true")["exit_status"] == 0
    assert run(host, "bash", "-c", "kill -9 $$")["result"]["signal"] == "SIGKILL"
    assert run(host, "no-such-program")["error"]["kind"] == "local"


def test_a_long_output_keeps_its_beginning_and_its_end(host):
    receipt = run(host, sys.executable, "-c", "print('first'); print('x' * (2 << 20)); print('last')")
    assert receipt["truncated"]
    assert receipt["output"].startswith("first\n")
    assert receipt["output"].endswith("last\n")
    assert "bytes are left out here" in receipt["output"]
    assert len(receipt["output"]) < (1 << 20) + 200


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(host):
    script = "trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000"
    runner.GRACE = 0.2
    receipt = run(host, "bash", "-c", script, timeout=0.5)
    assert (receipt["state"], receipt["error"]["kind"], receipt["result"]["timed_out"]) == ("failed", "timed_out", True)
    assert receipt["exit_status"] not in (0, None)
    child = int(receipt["output"].split()[0])
    for _ in range(100):
        status = Path(f"/proc/{child}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.05)
    else:
        pytest.fail("what the command started still runs")


def test_a_command_that_was_cut_off_is_never_run_again(host):
    job = simple(host, "run", command=["bash", "-c", "echo ran >> ran; sleep 5"], folder="", timeout=30)

    def act():
        signal.setitimer(signal.ITIMER_REAL, 0.7)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        runner.run_job(str(host.state), job)

    assert in_child(act) == -signal.SIGKILL
    receipt = runner.run_job(str(host.state), job)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "interrupted")
    assert (host.root / "ran").read_text() == "ran\n"


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_names_do_not_depend_on_the_locale(host, locale):
    """An application server may run Python without UTF-8: whatever a name holds, it is the same bytes."""
    (host.work / "job.json").write_text(json.dumps(host.job))
    (host.work / "runner.py").write_bytes((HOST / "runner.py").read_bytes())
    environment = {"PATH": os.environ["PATH"], "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, host.work / "runner.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.tree() == host.expected()


def test_as_a_program_it_reads_the_job_beside_it(host):
    (host.work / "job.json").write_text(json.dumps(host.job))
    (host.work / "runner.py").write_bytes((HOST / "runner.py").read_bytes())
    done = subprocess.run([sys.executable, host.work / "runner.py"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert host.tree() == host.expected()
    assert host.leftovers() == set()
