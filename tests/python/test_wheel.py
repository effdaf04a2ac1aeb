"""The wheel that users install: what is in it, and what must not be."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel():
    wheels = list((CHECKOUT / "dist").glob("*.whl"))
    if not wheels:
        pytest.skip("no wheel in dist/: `make build` makes one, and `make test` always does")
    assert len(wheels) == 1, "an old wheel is left in dist/"
    with zipfile.ZipFile(wheels[0]) as archive:
        yield archive


def build_folders() -> set[str]:
    """Where things lie on the machine that built the wheel."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    folders = {str(CHECKOUT), str(Path.home()), sysroot, os.environ.get("CARGO_HOME", "")}
    return {f"{folder}/" for folder in folders if folder not in ("", "/")}


def test_no_path_of_the_build_machine_is_in_it(wheel):
    folders = build_folders()
    assert len(folders) >= 2
    found = [(name, folder) for name in wheel.namelist() for folder in folders if folder.encode() in wheel.read(name)]
    assert found == []


def test_it_is_one_wheel_for_every_python_since_3_10_and_is_typed(wheel):
    names = wheel.namelist()
    assert "pythonanywhere_api/_core.abi3.so" in names
    assert {"pythonanywhere_api/py.typed", "pythonanywhere_api/_core.pyi"} <= set(names)
    (tags,) = [wheel.read(name).decode() for name in names if name.endswith(".dist-info/WHEEL")]
    assert "cp310-abi3" in tags


def test_the_licence_comes_along(wheel):
    (licence,) = [wheel.read(name).decode() for name in wheel.namelist() if name.endswith("/LICENSE")]
    assert "the pythonanywhere-api contributors" in licence
