"""`pya pull` as a real process: what comes, what is named, and that no archive stays on the host."""

import os
import signal
import sys
from pathlib import Path

import pytest
from bulk_site import WSGI
from command import Pya, environment_of

from pythonanywhere_api.testing import Emulator


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        yield host


class Project:
    """A deployed project with an agent."""

    def __init__(self, folder: Path, host: Emulator):
        self.host = host
        domain = f"{host.user}.pythonanywhere.com"
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
    project.host.faults.add("status", code=404, method="GET", path="*archive-000", times=1)
    project.pya("pull", tmp_path / "here", code=5)
    assert project.left() == []
    assert not (tmp_path / "here").exists()


def test_a_refused_archive_and_an_interrupted_pull_leave_none_either(project, tmp_path):
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
