"""Virtualenvs with pip and folders of wheels for the tests of the runner, all made without a network."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def make_virtualenv(place: Path) -> Path:
    """A virtualenv with this Python's own pip, in a moment; returns its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    found = find_spec("pip")
    assert found is not None, "these tests need pip"
    assert found.origin is not None
    (packages(place) / "pip").symlink_to(Path(found.origin).parent)
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


def wheel_of(folder: Path, name: str) -> None:
    """A wheel of a distribution that is installed here, for tests that need a real one; with what it needs."""
    found = distribution(name)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.metadata['Name'].replace('-', '_')}-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in found.files or ():
            if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in ("INSTALLER", "RECORD"):
                wheel.write(file.locate(), file.as_posix())
        (record,) = {f"{file.parts[0]}/RECORD" for file in found.files or () if file.name == "METADATA"}
        wheel.writestr(record, "".join(f"{member},,\n" for member in [*wheel.namelist(), record]))
    for need in found.requires or ():
        if ";" not in need:
            wheel_of(folder, re.split(r"[^A-Za-z0-9._-]", need)[0])
