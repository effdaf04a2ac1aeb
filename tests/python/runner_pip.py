"""Virtualenvs with pip and folders of wheels for the tests of the runner, all made without a network."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pip

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def make_virtualenv(place: Path) -> Path:
    """A virtualenv with this Python's own pip, in a moment; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    (packages(place) / "pip").symlink_to(Path(pip.__file__).parent)
    return place / "bin" / "python"


def packages(place: Path) -> Path:
    (folder,) = place.glob("lib/python*/site-packages")
    return folder


def add_wheel(folder: Path, name: str, version: str, *needs: str) -> Path:
    """A distribution of one module, as a build backend would write it."""
    folder.mkdir(parents=True, exist_ok=True)
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needed = "".join(f"Requires-Dist: {need}\n" for need in needs)
    members = {
        f"{module}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, text in members.items():
            wheel.writestr(member, text)
        record = "".join(f"{member},,\n" for member in [*members, f"{info}/RECORD"])
        wheel.writestr(f"{info}/RECORD", record)
    return path


def installed(place: Path) -> dict[str, str]:
    """What is installed in a virtualenv, besides pip."""
    names = [path.name[: -len(".dist-info")].rsplit("-", 1) for path in packages(place).glob("*.dist-info")]
    return dict(sorted(names))
