"""`pya pull` as a real process: what comes, what is named, and that no archive stays on the host."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from bulk_site import WSGI, agent_without_bundles
from command import Pya, environment_of
from runner_archive import append

from pythonanywhere_api.testing import Emulator

pytestmark = pytest.mark.slow


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        yield host


class Project:
    """A deployed project with an agent."""

    def __init__(self, folder: Path, host: Emulator):
        self.host = host
        self.domain = domain = f"{host.user}.pythonanywhere.com"
        host.create_webapp(domain)
        wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
        wsgi.write_text(WSGI)
        folder.mkdir()
        (folder / "version.txt").write_text("1")
        table = f'[tool.pythonanywhere]\nproject = "mysite"\ndomain = "{domain}"\nsite_url = "{host.site_url}"\n'
        (folder / "pyproject.toml").write_text(table)
        self.pya = Pya(folder, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
        self.pya("agent", "install")
        self.pya("deploy")
        self.home = Path(host.root) / "home" / host.user
        self.remote = self.home / "mysite"
        for name in ("media/a.txt", "media/deep/b.txt"):
            (self.remote / name).parent.mkdir(parents=True, exist_ok=True)
            (self.remote / name).write_text(name)

    def left(self) -> list[str]:
        return [path.name for path in (self.home / ".pya").rglob("work-*")]


@pytest.fixture
def project(tmp_path, host):
    return Project(tmp_path / "local", host)


def test_a_download_that_fails_leaves_no_archive(project, tmp_path):
    agent_without_bundles(project.host, project.domain)
    project.host.faults.add("status", code=404, method="GET", path="*archive-000", times=1)
    project.pya("pull", tmp_path / "here", code=5)
    assert project.left() == []
    assert not (tmp_path / "here").exists()


def test_a_refused_archive_and_an_interrupted_pull_leave_none_either(project, tmp_path):
    agent_without_bundles(project.host, project.domain)
    (tmp_path / "here" / "media").mkdir(parents=True)
    (tmp_path / "here" / "media" / "a.txt").write_text("mine")
    project.pya("pull", tmp_path / "here", code=2)
    assert project.left() == []

    project.host.faults.add("hold", method="GET", path="*archive-000", times=1)
    run = project.pya.start("pull", tmp_path / "there")
    assert project.host.wait_held(1, timeout=120)
    assert project.left() != []
    os.kill(run.pid, signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    assert project.left() == []


TAMPERED = """

import gzip
import hashlib
import io
import os
import tarfile


def member(name, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.USTAR_FORMAT) + bytes(-(-size // 512) * 512)


def long_name(length):
    info = tarfile.TarInfo("n" * length)
    return info.tobuf({format})


def archive(job):
    content = gzip.compress({content} + bytes(1024))
    with open(os.path.join(job.work, "archive-000"), "wb") as file:
        file.write(content)
    part = dict(name="archive-000", sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    job.result = dict(parts=[part], errors=dict(), skipped=dict(), links=dict(), files=1, bytes=1)
    job.result.update({more})


OPERATIONS["archive"] = archive
"""

# Runs `pya` and says what it took.
MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True, errors="replace")
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([done.returncode, done.stdout + done.stderr, peak]))
"""

GNU = "tarfile.GNU_FORMAT"


@pytest.mark.parametrize(
    ("content", "more", "why"),
    [
        pytest.param(
            "long_name(40 << 20)", "format=tarfile.GNU_FORMAT", "a header of 41943041 bytes", id="long GNU name"
        ),
        pytest.param("long_name(40 << 20)", "format=tarfile.PAX_FORMAT", "a header of 4194", id="long pax name"),
        pytest.param("long_name(5000)", "format=tarfile.GNU_FORMAT", "a name of 5000 bytes", id="name over 4 KiB"),
        pytest.param("long_name(5000)", "format=tarfile.PAX_FORMAT", "a name of 5000 bytes", id="pax name over 4 KiB"),
        pytest.param("member('x') + member('y')", "", "more than the host announced", id="more members"),
        pytest.param("member('x', size=200 << 20)", "", "more than the host announced", id="more bytes"),
        pytest.param("b''.join(member('f%06d' % n) for n in range(50_000))", "", "announced", id="many members"),
        pytest.param("member('x', size=200 << 20)", "bytes=200 << 20", "more than 1048576 bytes", id="max size"),
        pytest.param("member('x')", "errors={'e' * 5000: 'x'}", "a name that is too long", id="name in the receipt"),
        pytest.param("member('x')", "parts=[dict(part, name='../x')]", "an unexpected part", id="part"),
        pytest.param("member('x')", "parts=[dict(part, size=10 << 20)]", "larger than its files", id="size of a part"),
    ],
)
def test_an_archive_that_is_not_as_announced_ends_the_pull_in_little_memory(project, tmp_path, content, more, why):
    (archive,) = (project.home / ".pya").glob("agent-*/runner.pyz")
    kind = more.removeprefix("format=") if more.startswith("format=") else GNU
    more = "{}" if more.startswith("format=") or not more else f"dict({more})"
    append(archive, "pya_runner/entry.py", TAMPERED.format(content=content, format=kind, more=more))
    project.pya("reload")
    words = ["pull", tmp_path / "here", "--max-size", "1M"]
    pya = Path(sys.executable).with_name("pya")
    made = subprocess.run(
        [sys.executable, "-c", MEASURED, pya, *map(str, words)],
        cwd=project.pya.folder,
        env=project.pya.environment,
        capture_output=True,
        timeout=120,
        check=True,
    )
    status, said, peak = json.loads(made.stdout)
    assert status in (1, 2), said
    assert why in said
    assert "nothing was written" in said or "description of its archive" in said
    assert len(said) < 1000
    assert peak < 100_000, f"{peak} kB"
    assert not (tmp_path / "here").exists()
    assert project.left() == []


def test_a_part_that_is_longer_than_announced_is_not_downloaded_to_its_end(project, tmp_path):
    (archive,) = (project.home / ".pya").glob("agent-*/runner.pyz")
    text = TAMPERED.format(
        content="member('x') + os.urandom(50 << 20)", format=GNU, more="dict(parts=[dict(part, size=99)])"
    )
    append(archive, "pya_runner/entry.py", text)
    project.pya("reload")
    assert "more than" in project.pya("pull", tmp_path / "here", code=3).stderr
    assert not (tmp_path / "here").exists()


def test_what_is_larger_than_allowed_is_refused_before_it_is_downloaded(project, tmp_path):
    (project.remote / "media" / "large").write_bytes(os.urandom(3000))
    project.host.clear_requests()
    said = project.pya("pull", tmp_path / "here", "--max-size", "2k", code=2).stderr
    assert "more than 2048 bytes" in said
    assert "--max-size" in said
    assert [
        request.path for request in project.host.requests if "archive" in request.path and request.method == "GET"
    ] == []
    assert project.left() == []
    project.pya("pull", tmp_path / "here", "--max-size", "4k")


@pytest.mark.parametrize(
    ("masks", "came", "unmatched"),
    [
        (["media/"], ["media/a.txt", "media/deep/b.txt"], []),
        (["media/**/"], ["media/a.txt", "media/deep/b.txt"], []),
        (["media/."], ["media/a.txt"], []),
        (["media", "*.txt"], ["version.txt"], ["media"]),
        (["media/", "medai/", "**/*.jpg"], ["media/a.txt", "media/deep/b.txt"], ["medai/", "**/*.jpg"]),
    ],
)
def test_a_folder_is_meant_by_its_slash_and_masks_for_nothing_are_named(project, tmp_path, masks, came, unmatched):
    words = [word for mask in masks for word in ("--include", mask)]
    report = project.pya.json("pull", tmp_path / "here", *words, code=1 if unmatched else 0)
    assert (report["written"], report["unmatched"]) == (came, unmatched)


def test_a_mask_for_nothing_is_told_and_one_that_is_not_relative_is_refused(project, tmp_path):
    told = project.pya("pull", tmp_path / "here", "--include", "media", code=1).stderr
    assert "no file on the host matches the mask media (write media/ for everything in a folder)" in told
    project.host.clear_requests()
    for option in ("--include", "--exclude"):
        assert 'begins with "/"' in project.pya("pull", tmp_path / "here", option, "/media/**", code=2).stderr
    assert project.host.requests == []


def test_programs_come_as_programs_and_the_umask_counts(project, tmp_path):
    (project.remote / "media" / "deep" / "b.txt").chmod(0o775)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "version.txt").write_text("a program of mine")
    (tmp_path / "here" / "version.txt").chmod(0o755)
    (project.remote / "version.txt").chmod(0o755)
    before = os.umask(0o027)
    try:
        project.pya("pull", tmp_path / "here", "--overwrite")
    finally:
        os.umask(before)
    modes = {name: (tmp_path / "here" / name).stat().st_mode & 0o777 for name in ("media/a.txt", "media/deep/b.txt")}
    assert modes == {"media/a.txt": 0o640, "media/deep/b.txt": 0o750}
    assert (tmp_path / "here" / "version.txt").stat().st_mode & 0o777 == 0o750
