"""The wheel that users install: what is in it, and what must not be.

`make test` looks into the wheel that was built quickly. What holds for the release wheel only is looked at by `make
wheel-check`, which says so by `PYTHONANYWHERE_WHEEL=release` and skips nothing.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
IS_RELEASE = os.environ.get("PYTHONANYWHERE_WHEEL") == "release"
FOLDER = CHECKOUT / ("dist" if IS_RELEASE else "target/wheels")

of_the_release = pytest.mark.skipif(
    not IS_RELEASE, reason="this holds for the release wheel only: `make wheel-check` builds it and looks at it"
)

# Run by a Python that has nothing but the wheel: the extension, its threads, the emulator and the client in it.
USED = """
from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator

with Emulator(rate_limit=None) as host:
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
    assert api.deploy_file("manage.py", b"pass") == "", api.error_message
    assert api.deployed_file_content("manage.py") == b"pass"
"""


@pytest.fixture(scope="module")
def wheel_path():
    wheels = list(FOLDER.glob("*.whl"))
    if not wheels and not IS_RELEASE:
        pytest.skip("no wheel in target/wheels: `make build-dev` makes one, and `make test` always does")
    assert len(wheels) == 1, f"not one wheel is in {FOLDER}, but {len(wheels)}"
    return wheels[0]


@pytest.fixture(scope="module")
def wheel(wheel_path):
    with zipfile.ZipFile(wheel_path) as archive:
        yield archive


def build_folders() -> set[str]:
    """Where things lie on the machine that built the wheel."""
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()
    folders = {str(CHECKOUT), str(Path.home()), sysroot, os.environ.get("CARGO_HOME", "")}
    return {f"{folder}/" for folder in folders if folder not in ("", "/")}


@of_the_release
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


def use_elsewhere(wheel: Path, folder: Path) -> None:
    """Installs a wheel into a virtualenv of its own below `folder`, and uses it there."""
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, timeout=120)
    python = folder / "venv" / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True, timeout=120)
    used = subprocess.run([python, "-c", USED], cwd=folder, capture_output=True, text=True, timeout=120)
    assert (used.returncode, used.stdout, used.stderr) == (0, "", "")


@of_the_release
def test_it_works_where_nothing_else_is_installed(wheel_path, tmp_path):
    use_elsewhere(wheel_path, tmp_path)
    command = [tmp_path / "venv" / "bin" / "pya", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()[-1]) == (0, wheel_path.name.split("-")[1])
