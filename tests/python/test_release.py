"""What `make wheels` built for a release: what is in it, what must not be, and that it works in a fresh environment.

`PYTHONANYWHERE_RELEASE` names the folder, which may hold wheels of any platform and a source distribution.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from elf import needed_versions
from test_wheel import build_folders, use_elsewhere

CHECKOUT = Path(__file__).parents[2]
FOLDER = os.environ.get("PYTHONANYWHERE_RELEASE")
OLDEST_GLIBC = (2, 17)
MOST_BYTES = 9_000_000

pytestmark = pytest.mark.skipif(not FOLDER, reason="`make wheels` builds what a release consists of, and looks at it")


def made(pattern: str) -> list[Path]:
    return sorted((CHECKOUT / FOLDER).glob(pattern)) if FOLDER else []


each_wheel = pytest.mark.parametrize("wheel", made("*.whl"), ids=lambda path: path.name.split("-", 3)[-1])


def version() -> str:
    manifest = (CHECKOUT / "Cargo.toml").read_text()
    return next(line.split('"')[1] for line in manifest.splitlines() if line.startswith("version = "))


def test_every_file_has_the_version_of_the_manifest():
    names = [path.name for path in made("*")]
    assert names
    assert all(name.startswith(f"pythonanywhere_api-{version()}") for name in names), names


@each_wheel
def test_a_wheel_is_small_and_for_every_python_since_3_10(wheel):
    assert wheel.stat().st_size < MOST_BYTES
    assert "-cp310-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    extension = "_core.pyd" if "win_" in wheel.name else "_core.abi3.so"
    assert f"pythonanywhere_api/{extension}" in names
    assert {"pythonanywhere_api/py.typed", "pythonanywhere_api/_core.pyi"} <= set(names)
    assert any(name.endswith(".data/data/share/man/man1/pya.1") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)


@each_wheel
def test_no_path_of_the_build_machine_is_in_a_wheel(wheel):
    folders = build_folders()
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    found = [(name, folder) for name, data in content.items() for folder in folders if folder.encode() in data]
    assert found == []


@pytest.mark.parametrize("wheel", made("*-manylinux*.whl"), ids=lambda path: path.name)
def test_a_wheel_for_linux_asks_for_nothing_that_old_systems_lack(wheel):
    with zipfile.ZipFile(wheel) as archive:
        needed = needed_versions(archive.read("pythonanywhere_api/_core.abi3.so"))
    versions = [tuple(map(int, name.removeprefix("GLIBC_").split("."))) for name in needed if name.startswith("GLIBC_")]
    assert versions, needed
    assert max(versions) <= OLDEST_GLIBC, needed
    assert "GLIBCXX" not in "".join(needed)


def test_the_versions_that_a_file_asks_for_are_read():
    # Whatever this Python was linked against is at least that old.
    with open(sys.executable, "rb") as file:
        assert any(name.startswith("GLIBC_2.") for name in needed_versions(file.read()))


@pytest.mark.parametrize("wheel", made("*-manylinux*_x86_64*.whl"), ids=lambda path: path.name)
def test_a_wheel_works_where_nothing_else_is_installed(wheel, tmp_path):
    use_elsewhere(wheel, tmp_path)
    shown = subprocess.run([tmp_path / "venv/bin/pya", "--version"], capture_output=True, text=True, timeout=60)
    assert shown.stdout == f"pya {version()}\n"
    assert (tmp_path / "venv/share/man/man1/pya.1").is_file()


@pytest.mark.parametrize("archive", made("*.tar.gz"), ids=lambda path: path.name)
def test_the_source_distribution_has_all_that_a_build_needs_and_no_more(archive):
    with tarfile.open(archive) as opened:
        names = {name.split("/", 1)[1] for name in opened.getnames() if "/" in name}
    needed = {"Cargo.toml", "Cargo.lock", "LICENSE", "README.md", "pyproject.toml", "src/lib.rs"}
    needed |= {"src/host/agent.py", "python/pythonanywhere_api/__init__.py", "data/data/share/man/man1/pya.1"}
    assert needed <= names, needed - names
    assert not [name for name in names if name.startswith(("target", ".venv", ".make", "dist"))]


@pytest.mark.skipif(not shutil.which("cargo"), reason="building takes cargo")
@pytest.mark.parametrize("archive", made("*.tar.gz"), ids=lambda path: path.name)
def test_the_source_distribution_resolves_offline_to_the_locked_crates(archive, tmp_path):
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    resolve = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1"]
    done = subprocess.run(resolve, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
