"""The runner packs files of the project: the same bytes each time, in any number of steps, killed at any of them."""

import errno
import gzip
import io
import os
import tarfile
import types

import pytest
from runner_host import Host, Tree, anew, contents, load, many_accounts, ready, sha256, simple, write
from runner_steps import fail_at, kill_at

FILES = {"a.txt": b"a" * 700, "app/b.py": b"b" * 10, "app/c.py": os.urandom(2000), "empty": b"", "z/ü 🎉": b"z"}


@pytest.fixture
def folder():
    with many_accounts() as folder:
        yield folder


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path / "home", FILES, {})


@pytest.fixture
def packer():
    """A runner that cuts small: a group after each file, and parts of 300 bytes."""
    module = load()
    module.limits.PART_SIZE, module.limits.GROUP_SIZE = 300, 1
    return module


def packed(host: Host, job, module, limit=None) -> tuple[dict, bytes]:
    """The result, and the archive as who fetches it puts it together."""
    while (receipt := host.run(limit, module, job))["state"] == "running":
        pass
    assert receipt["state"] == "done", receipt["error"]
    work, stream = host.state / f"work-{job['id']}", b""
    for part in receipt["result"]["parts"]:
        piece = (work / part["name"]).read_bytes()
        assert (len(piece), sha256(piece)) == (part["size"], part["sha256"])
        assert len(piece) <= module.limits.PART_SIZE
        stream += piece
    return receipt["result"], stream


def job_for(host: Host, include=("**",), exclude=(), **more):
    return simple(host, "archive", include=list(include), exclude=list(exclude), prune=["__pycache__"], **more)


def unpacked(stream: bytes) -> Tree:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(stream))) as archive:
        members = archive.getmembers()
        assert len({member.name for member in members}) == len(members)
        assert all(member.isreg() for member in members)
        return {member.name: ("file", member.mode, archive.extractfile(member).read()) for member in members}


def test_an_archive_holds_what_was_asked_for(tmp_path, packer):
    host = ready(tmp_path)
    (host.root / "app" / "b.py").chmod(0o750)
    write(host.root / "app" / "__pycache__" / "a.pyc", b"")
    write(host.root / "venv" / "pyvenv.cfg", b"")
    (host.root / "link").symlink_to("app")
    result, stream = packed(host, job_for(host, ["**/*"], ["**/*.txt"]), packer)
    assert unpacked(stream) == {
        "app/a.py": ("file", 0o644, b"old a"),
        "app/b.py": ("file", 0o750, b"old b"),
        "gone/x.py": ("file", 0o644, b"old x"),
    }
    assert (result["files"], result["bytes"], result["errors"]) == (3, 15, {})
    assert result["skipped"].keys() == {"app/__pycache__", "venv"}
    assert result["links"] == {"link": "app"}


@pytest.mark.parametrize(
    ("include", "exclude", "found"),
    [
        (["**"], [], {"a.txt", "app/b.py", "app/c.py", "empty", "z/ü 🎉"}),
        (["*"], [], {"a.txt", "empty"}),
        (["app/**"], ["**/c*"], {"app/b.py"}),
        (["**/?.py", "z/*"], [], {"app/b.py", "app/c.py", "z/ü 🎉"}),
        (["**/app/*"], ["app/[!b].py"], {"app/b.py"}),
        (["nothing"], [], set()),
        (["**"], ["**"], set()),
    ],
)
def test_masks_say_what_is_packed(host, packer, include, exclude, found):
    result, stream = packed(host, job_for(host, include, exclude), packer)
    assert unpacked(stream).keys() == found
    assert result["files"] == len(found)


def test_the_same_tree_gives_the_same_bytes_in_any_number_of_steps(host, packer):
    archives = []
    for limit in (None, 1e-9):
        for path in host.root.rglob("*"):
            os.utime(path, (len(archives), len(archives)))
        archives.append(packed(host, job_for(host), packer, limit)[1])
    # A disk lists names in the order that it likes.
    real = os.scandir
    packer.os = types.SimpleNamespace(**vars(os) | {"scandir": lambda path: Reversed(real(path))})
    archives.append(packed(host, job_for(host), packer)[1])
    assert archives[0] == archives[1] == archives[2]
    assert contents(unpacked(archives[0])) == FILES


class Reversed(list):
    def __init__(self, listing):
        super().__init__(sorted(listing, key=lambda entry: entry.name, reverse=True))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_large_files_and_parts_as_they_are_cut_in_life(tmp_path):
    """A file over many chunks, in parts that end in its middle."""
    module = load()
    module.limits.PART_SIZE, module.limits.CHUNK_SIZE = 100_000, 1 << 10
    host = Host(tmp_path / "home", {"large": os.urandom(350_000), "small": b"s"}, {})
    result, stream = packed(host, job_for(host), module)
    assert len(result["parts"]) == 4
    assert unpacked(stream) == host.tree()


@pytest.mark.slow
def test_killed_at_any_step_the_archive_is_the_same(folder, packer):
    number, whole = 1, None
    while True:
        host = Host(anew(folder), FILES, {})
        job = job_for(host)
        if whole is None:
            _, whole = packed(host, job, packer)
            job = job_for(host)
        # Two steps, and a third one that is killed.
        for _ in range(2):
            assert host.run(1e-9, packer, job)["state"] == "running"
        if not kill_at(host, number, job, packer):
            break
        result, stream = packed(host, job, packer)
        assert stream == whole, f"killed at {number}"
        assert (result["files"], result["bytes"]) == (len(FILES), sum(map(len, FILES.values())))
        number += 1
    assert number > 30


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_an_error_at_any_step_is_told_and_no_archive_is_damaged(folder, packer, code):
    """A disk that is full while the archive is written is no fault of the file that is being packed."""
    number = failures = 0
    is_through = False
    while not is_through:
        number += 1
        host = Host(anew(folder), FILES, {})
        job = job_for(host)
        receipt, has_failed = fail_at(host, number, code, job, packer)
        is_through = not has_failed
        if not isinstance(receipt, OSError) and receipt["state"] != "done":
            failures += 1
            kind = "space" if code == errno.ENOSPC else "local"
            assert (receipt["state"], receipt["error"]["kind"]) == ("failed", kind), f"failed at {number}"
            continue
        result, stream = packed(host, job, packer)
        assert contents(unpacked(stream)) == FILES, f"failed at {number}"
        assert result["errors"] == {}
    assert failures > 20


@pytest.mark.parametrize("change", ["shorter", "longer", "gone", "unreadable"])
def test_a_file_that_changes_while_it_is_packed_damages_nothing(host, packer, monkeypatch, change):
    target = host.root / "app" / "c.py"
    real, real_open = os.fstat, os.open
    seen = []

    def fstat(number):
        facts = real(number)
        seen.extend([number] * (facts.st_size == 2000))
        # The first look is whether it is a file.
        if facts.st_size == 2000 and len(seen) > 1:
            target.write_bytes(b"c" * {"shorter": 500, "longer": 5000}[change])
        return facts

    if change in ("shorter", "longer"):
        monkeypatch.setattr(os, "fstat", fstat)
    else:

        def open_(path, *rest, **kwargs):
            if path == target.name:
                raise OSError(*((2, "No such file") if change == "gone" else (13, "Permission denied")))
            return real_open(path, *rest, **kwargs)

        monkeypatch.setattr(os, "open", open_)
    result, stream = packed(host, job_for(host), packer)
    found = contents(unpacked(stream))
    if change == "longer":
        assert result["errors"] == {}
        assert found.pop("app/c.py") == b"c" * 2000
    else:
        assert result["errors"].keys() == {"app/c.py"}
        found.pop("app/c.py", None)
    # All others are there and whole.
    assert found == {name: content for name, content in FILES.items() if name != "app/c.py"}
    assert result["files"] == len(FILES) - len(result["errors"])


def test_an_archive_stays_until_it_was_fetched_and_longer_than_its_job(host, packer):
    job = job_for(host)
    _, stream = packed(host, job, packer)
    assert packed(host, job, packer)[1] == stream
    host.run(job=simple(host, "history"))
    assert packed(host, job, packer)[1] == stream
