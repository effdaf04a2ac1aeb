"""An account for the tests of the runner: a project, a deploy that is about to change it, and what it should become.

The runner works on the host's own Python, so it is driven here as it is there, from its archive: no client, no server.
"""

import contextlib
import gzip
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from runner_archive import archive

HOST = Path(__file__).parents[2] / "src" / "host"
ID, OLD, BACK = "0123456789abcdef", "fedcba9876543210", "b" * 16
NAMES = ["a#b.txt", "ü.txt", "u\u0308.txt", "🎉", "-dash", "new\nline", "e" * 255, "sp ace/x;y", ".hidden/.x", "%2F"]
OLD_TREE = {"app/a.py": b"old a", "app/b.py": b"old b", "gone/x.py": b"old x", "foreign.txt": b"somebody's"}
NEW_TREE = {
    "app/a.py": b"new a",
    "app/b.py": b"old b",
    "new/deep/c.py": b"c",
    "run_x": b"#!",
    **dict.fromkeys(NAMES, b"n"),
}
# What is at a path: ("file", mode bits, content), ("folder", mode bits) or ("link", target).
Tree = dict[str, tuple]

AGENT = compile((HOST / "agent.py").read_bytes(), str(HOST / "agent.py"), "exec")


def load():
    """A runner of its own, to be patched at will: from the archive, as the agent loads it."""
    agent = {"__name__": "agent_under_test"}
    exec(AGENT, agent)  # noqa: S102 -- our own file
    return agent["load_package"](str(archive()))


runner = load()


# ---- an account


class Host:
    """An account with a project, and a deploy that is about to change it."""

    def __init__(self, home: Path, old: dict[str, bytes], new: dict[str, bytes], deletes=(), root: Path | None = None):
        self.home, self.root = home, root or home / "mysite"
        self.state = home / ".pya" / "00112233aabbccdd"
        self.work = self.state / f"work-{ID}"
        self.new = dict(new)
        self.root.mkdir(parents=True, exist_ok=True)
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
            "root": str(root or "/home/me/mysite"),
            "bytes": sum(map(len, new.values())),
            "generation": 5,
        }
        self.plan = {
            "format": 1,
            "id": ID,
            "files": [
                {
                    "path": name,
                    "sha256": sha256(content),
                    "size": len(content),
                    "mode": 0o755 if name.startswith("run") else 0o644,
                }
                for name, content in self.new.items()
            ],
            "delete": list(deletes),
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

    def members(self) -> list[tuple]:
        """What the client would pack."""
        members = [(f"files/{name}", content) for name, content in self.new.items()]
        return [*members, ("plan.json", json.dumps(self.plan).encode())]

    def upload(self, members=None, cut: int = 1 << 20) -> None:
        """Puts the bundle there, as the client would. The project as it is now is the old one."""
        self.before = self.tree()
        stream = bundle(self.members() if members is None else members)
        self.work.mkdir(exist_ok=True)
        self.job["parts"] = []
        for number, start in enumerate(range(0, len(stream), cut)):
            part, name = stream[start : start + cut], f"bundle-{number:03}"
            (self.work / name).write_bytes(part)
            self.job["parts"].append({"name": name, "sha256": sha256(part), "size": len(part)})

    def run(self, limit=None, module=runner, job=None):
        return module.run_job(str(self.state), self.job if job is None else job, limit)

    def receipt(self):
        return json.loads((self.state / f"receipt-{ID}.json").read_text())

    def tree(self) -> Tree:
        return tree(self.root)

    def expected(self) -> Tree:
        """The project after the deploy, by the words of the plan."""
        return planned(self.before, self.plan, self.new)

    def leftovers(self) -> set[str]:
        """What is in the state folder or beside the project and should not stay."""
        kept = {"history.json", *(f"manifest-{number}.json" for number in range(4, 8))}
        kept |= {f"{kind}-{id}{end}" for id in (ID, BACK) for kind, end in KEPT}
        beside = {path.name for path in self.root.parent.glob(".*.pya-*")}
        return {path.name for path in self.state.iterdir()} - kept | beside

    def rollback_job(self, id: str = BACK, target: str = ID, generation: int = 6):
        """The job that rolls a deploy back, with its note in place of the deploy's."""
        for path in self.state.glob("intent-*.json"):
            path.unlink()
        self.note(f"intent-{id}.json", self.intent(id=id))
        more = {"id": id, "operation": "rollback", "target": target, "generation": generation}
        return {key: value for key, value in self.job.items() if key not in ("parts", "bytes")} | more


KEPT = [("receipt", ".json"), ("intent", ".json"), ("rollback", "")]


def planned(before: Tree, plan, contents: dict[str, bytes]) -> Tree:
    """What becomes of a tree by a plan."""
    after = dict(before)
    for obstacle in plan["clear"]:
        for path in obstacle["files"]:
            after.pop(path, None)
        if obstacle["is_dir"]:
            for path in [path for path in after if f"{path}/".startswith(obstacle["path"] + "/")]:
                assert after.pop(path)[0] == "folder"
    for file in plan["files"]:
        for folder in above(file["path"]):
            after.setdefault(folder, ("folder", 0o755))
        old = before.get(file["path"], ("nothing",))
        mode = file["mode"]
        if mode is None:
            mode = old[1] if old[0] == "file" else 0o644
        after[file["path"]] = ("file", mode, contents[file["path"]])
    for path in plan["delete"]:
        if after.pop(path, None):
            for folder in above(path):
                if not any(name.startswith(folder + "/") for name in after):
                    after.pop(folder, None)
    return after


def above(path: str) -> list[str]:
    """The folders that a path lies in, the nearest first."""
    return [str(folder) for folder in Path(path).parents][:-1]


def simple(host: Host, operation: str, **more):
    """A job that needs no deploy."""
    identity = f"{len(list(host.state.glob('receipt-*'))) + 1:016x}"
    job = {"format": 1, "id": identity, "operation": operation, "created": int(time.time()), "root": "/home/me/mysite"}
    return job | more


@contextlib.contextmanager
def many_accounts():
    """A folder for accounts by the hundred; in memory where that is possible: on a disk they take thrice as long."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def anew(folder: Path) -> Path:
    """A folder for the next account, without the one before: all of them would be much for a memory."""
    shutil.rmtree(folder / "account", ignore_errors=True)
    return folder / "account"


def ready(folder: Path) -> Host:
    """An account with all kinds of names, and a deploy that only waits to be run."""
    host = Host(folder / "home", OLD_TREE, NEW_TREE, ["gone/x.py"])
    host.upload()
    return host


def small(folder: Path, root: Path | None = None) -> Host:
    """A deploy that does everything there is to do, with as few files as that takes."""
    old = {
        "app/a.py": b"old a",
        "gone/x.py": b"old x",
        "foreign.txt": b"somebody's",
        "folder/in/f": b"old f",
        "file": b"old file",
    }
    new = {"app/a.py": b"new a", "new/c.py": b"new c", "run": b"#!", "folder": b"a file", "file/f": b"in a folder"}
    host = Host(folder, old, new, ["gone/x.py"], root)
    host.plan["files"][0]["mode"] = None
    host.plan["clear"] = [
        {"path": "folder", "is_dir": True, "files": ["folder/in/f"]},
        {"path": "file", "is_dir": False, "files": ["file"]},
    ]
    for name, mode in (("app/a.py", 0o640), ("folder", 0o750), ("folder/in", 0o710), ("foreign.txt", 0o600)):
        (host.root / name).chmod(mode)
    (host.root / "empty").mkdir(mode=0o700)
    (host.root / "dangling").symlink_to("nowhere")
    host.upload()
    return host


def copying(folder, old, new, sources, deletes=()) -> Host:
    """A deploy that sends those of `new` that have no source, and copies the others."""
    host = Host(folder, old, new, deletes)
    entries = {file["path"]: file for file in host.plan["files"]}
    sent = [path for path in new if path not in sources]
    host.plan["files"] = [entries[path] for path in sent] + [entries[path] | sources[path] for path in sources]
    host.job["bytes"] = sum(len(new[path]) for path in sent)
    host.job["copies"] = sum(len(new[path]) for path in sources)
    members = [(f"files/{path}", new[path]) for path in sent]
    host.upload([*members, ("plan.json", json.dumps(host.plan).encode())])
    return host


def everything(folder) -> Host:
    """A deploy with copies that is `small` in all else."""
    host = small(folder)
    for path, content in {"images/a": b"1", "images/b": b"2", "template": b"3"}.items():
        write(host.root / path, content)
    copies = {"pictures/a": "images/a", "pictures/b": "images/b", "page": "template"}
    sent = list(host.new)
    for path, source in copies.items():
        host.new[path] = (host.root / source).read_bytes()
        entry = {"path": path, "sha256": sha256(host.new[path]), "size": 1, "mode": 0o600, "copy": source}
        host.plan["files"].append(entry)
    host.plan["delete"] += ["images/a", "images/b"]
    members = [(f"files/{name}", host.new[name]) for name in sent]
    host.upload([*members, ("plan.json", json.dumps(host.plan).encode())])
    return host


def as_program(host: Host, job=None, environment=None, python=sys.executable):
    """Runs a job as tasks and consoles do."""
    job = job or host.job
    work = host.state / f"work-{job['id']}"
    work.mkdir(exist_ok=True)
    (work / "job.json").write_text(json.dumps(job))
    shutil.copyfile(archive(), work / "runner.pyz")
    return subprocess.run([python, work / "runner.pyz"], env=environment, capture_output=True, text=True, timeout=60)


def restored(host: Host) -> Tree:
    """`small` after a rollback: everything is as it was, also the mode bits of folders that were gone."""
    return dict(host.before)


# ---- files


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def tree(root: Path) -> Tree:
    """All that lies below a folder, links not followed."""
    found: Tree = {}
    for folder, below, names in os.walk(root):
        for name in below + names:
            path = os.path.join(folder, name)
            inside, mode = os.path.relpath(path, root), os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                found[inside] = ("link", os.readlink(path))
            elif stat.S_ISDIR(mode):
                found[inside] = ("folder", stat.S_IMODE(mode))
            else:
                found[inside] = ("file", stat.S_IMODE(mode), Path(path).read_bytes())
    return found


def contents(found: Tree) -> dict[str, bytes]:
    return {path: facts[2] for path, facts in found.items() if facts[0] == "file"}


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
