"""The runner as a host gets it: the zip archive that the built package uploads, and changes to it."""

import ast
import atexit
import functools
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

# What Python finds in the archive by itself, and the member that holds the other modules.
FILES = ["__main__.py", "pya_runner/__init__.py"]
MODULES = "pya_runner/modules.json"

SOURCES = Path(__file__).parents[2] / "src" / "host" / "runner"

# In a process of its own: the tests of the runner fork, and would take the threads of an emulator with them.
UPLOAD = """\
import sys
from pathlib import Path
from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator

with Emulator(rate_limit=None) as host:
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
    assert api.agent.install(domain, host.site_url)
    (uploaded,) = Path(host.root).rglob("runner.pyz")
    sys.stdout.buffer.write(uploaded.read_bytes())
"""


@functools.cache
def archive() -> Path:
    """The archive that the installed package uploads, once a process."""
    folder = Path(tempfile.mkdtemp(prefix="pya-runner-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = subprocess.run([sys.executable, "-c", UPLOAD], stdout=subprocess.PIPE, timeout=120, check=True)
    path = folder / "runner.pyz"
    path.write_bytes(made.stdout)
    assert programs(members(path)) == programs(sources()), (
        "the installed package has another runner than the sources: build it first"
    )
    return path


def sources() -> dict[str, str]:
    """The files of the runner by the names that they have in the archive."""
    return {path.relative_to(SOURCES).as_posix(): path.read_text() for path in sorted(SOURCES.rglob("*.py"))}


def programs(texts: dict[str, str]) -> dict[str, str]:
    """What sources do, whatever their comments and docstrings, which are not packed."""
    return {name: program(text) for name, text in texts.items()}


def program(text: str) -> str:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return ast.dump(tree)


def members(path: Path) -> dict[str, str]:
    """The files that an archive was made of, by name: its modules are one member."""
    with zipfile.ZipFile(path) as packed:
        texts = {name: packed.read(name).decode() for name in packed.namelist()}
    modules = json.loads(texts.pop(MODULES))
    return {**texts, **{f"pya_runner/{name}.py": text for name, text in modules.items()}}


def write_members(path: Path, texts: dict[str, str]) -> None:
    """Makes an archive of these files, in one step."""
    files, modules = {}, {}
    for name, text in texts.items():
        if name in FILES:
            files[name] = text
        else:
            modules[Path(name).stem] = text
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in {**files, MODULES: json.dumps(modules)}.items():
            packed.writestr(name, text)
    path.write_bytes(content.getvalue())


def append(path: Path, name: str, text: str) -> None:
    """Lets a module of an archive end with `text`."""
    texts = members(path)
    write_members(path, {**texts, name: texts[name] + text})
