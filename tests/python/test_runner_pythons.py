"""Which Pythons the runner and the agent work on: from 3.8, by syntax and by what is called, to the newest here."""

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from agent_site import TOKEN, Installed, job
from runner_archive import archive, members, programs, sources
from runner_host import HOST, as_program, restored, simple, small

OLDEST = (3, 8)
FILES = [*(HOST / "runner").rglob("*.py"), HOST / "agent.py", HOST / "stub.py"]

# All that is called of the standard library; a number is the version that brought the names after it, where that is
# later than 3.3. Look up what you add: it must be in 3.8 and in the newest version, not deprecated.
CALLS = """
base64 b64decode
bisect bisect_left
contextlib contextmanager 3.4 suppress
errno EDQUOT EEXIST EINVAL EMLINK ENOENT ENOLCK ENOSPC ENOSYS ENOTDIR ENOTEMPTY EOPNOTSUPP EPERM EXDEV
fcntl LOCK_EX LOCK_NB flock
fnmatch fnmatchcase
gzip GzipFile 3.8 BadGzipFile
hashlib sha256
hmac compare_digest new
importlib import_module machinery
importlib.machinery 3.4 ModuleSpec PathFinder.find_spec
io BytesIO RawIOBase
json dump dumps load loads
linecache cache
os O_CREAT O_EXCL O_RDWR O_TRUNC O_WRONLY W_OK X_OK access chmod close environ environ.get fdopen fsdecode fsencode
os fstat ftruncate getpid killpg link listdir lstat makedirs open path.abspath path.basename path.dirname path.exists
os path.expanduser path.getsize path.isdir path.isfile path.islink path.join path.lexists path.realpath path.relpath
os posix_fallocate read readlink rename replace rmdir stat unlink walk write 3.5 scandir
platform python_version
re MULTILINE compile findall 3.4 fullmatch
shutil copy2 copytree rmtree which
signal SIGKILL SIGTERM 3.5 Signals
socket gethostname
stat S_IMODE S_ISDIR S_ISREG
subprocess DEVNULL PIPE Popen SubprocessError 3.5 run
sys base_prefix executable exit meta_path meta_path.insert meta_path.remove modules path_importer_cache
sys path path_importer_cache.pop prefix stderr stderr.flush stdout.buffer.write version_info
tarfile BLOCKSIZE PAX_FORMAT TarError TarInfo open
threading Lock
time gmtime monotonic sleep strftime time
traceback format_exception format_exception_only print_exc print_exception
zipfile BadZipFile ZipFile is_zipfile
zipimport _zip_directory_cache.pop zipimporter
zlib decompress error
contextlib ExitStack
errno ELOOP ENXIO
os O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_RDONLY getcwd mkdir path.isabs symlink utime
os devnull environ.items environb.update path.split
re DOTALL IGNORECASE match search split sub
stat S_ISLNK
"""

# What texts and other built-in types have learned since 3.8.
TOO_NEW = {"removeprefix", "removesuffix", "bit_count", "add_note", "is_relative_to", "with_stem"}


def listed() -> dict[str, dict[str, tuple[int, int]]]:
    """The calls of the list, by module, with the version that brought each."""
    calls: dict[str, dict[str, tuple[int, int]]] = {}
    for line in CALLS.strip().splitlines():
        module, *words = line.split()
        since = (3, 3)
        for word in words:
            if word[0].isdigit():
                since = tuple(map(int, word.split(".")))
            else:
                calls.setdefault(module, {})[word] = since
    return calls


def called(tree: ast.Module) -> set[tuple[str, str]]:
    """What a file imports of the standard library, and what it names in it by way of the modules' names."""
    found, modules = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {(name.asname or name.name).split(".")[0]: name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and not node.module.startswith("pya_runner"):
            found |= {(node.module, name.name) for name in node.names}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and id(node) not in inner:
            names, value = [node.attr], node.value
            while isinstance(value, ast.Attribute):
                names.insert(0, value.attr)
                value = value.value
            if isinstance(value, ast.Name) and value.id in modules:
                module = modules[value.id]
                if module == "importlib" and names[0] == "machinery" and len(names) > 1:
                    module, names = "importlib.machinery", names[1:]
                found.add((module, ".".join(names)))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_oldest_python_can_read_it(path):
    ast.parse(path.read_text(), feature_version=OLDEST)


def test_the_oldest_python_has_all_that_is_called():
    found = set().union(*(called(ast.parse(path.read_text())) for path in FILES))
    calls = listed()
    assert {f"{module}.{name}" for module, name in found if name not in calls.get(module, {})} == set()
    assert [name for names in calls.values() for name, since in names.items() if since > OLDEST] == []
    used = {node.attr for path in FILES for node in ast.walk(ast.parse(path.read_text())) if hasattr(node, "attr")}
    assert used & TOO_NEW == set()


def test_the_modules_import_each_other_by_relative_names_only():
    standard = listed().keys() | {"pya_runner.entry"}
    for name, text in sources().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert {one.name for one in node.names} <= standard, name
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1 or (name, node.module) == ("__main__.py", "pya_runner.entry"), name


def test_the_archive_is_made_of_the_sources_and_always_the_same_way():
    assert programs(members(archive())) == programs(sources())
    with zipfile.ZipFile(archive()) as packed:
        assert packed.testzip() is None
        for member in packed.infolist():
            assert (member.date_time, member.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), 0o100644)
            assert member.compress_type == zipfile.ZIP_DEFLATED
    assert archive().stat().st_size < 30_000


# ---- in the Pythons that are here


def pythons() -> dict[str, str]:
    """The Pythons of this machine from the oldest that the runner supports, one of each minor version."""
    found = {}
    for minor in range(OLDEST[1], 20):
        installed = sorted(Path("~/.pyenv/versions").expanduser().glob(f"3.{minor}.*/bin/python"))
        for python in [*map(str, installed), shutil.which(f"python3.{minor}")]:
            words = [python, "-c", "import sys, zlib; print('%d.%d' % sys.version_info[:2])"]
            if python and subprocess.run(words, capture_output=True, text=True).stdout == f"3.{minor}\n":
                found[f"3.{minor}"] = python
                break
    return found or {"this one": sys.executable}


PYTHONS = pythons()
every_python = pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS.keys())


@every_python
def test_as_a_program_it_does_every_job(tmp_path, python):
    host = small(tmp_path / "home")

    def run(job=None):
        done = as_program(host, job, {"PYTHONWARNINGS": "error", "PATH": os.environ["PATH"]}, python)
        assert done.stderr == ""
        receipt = json.loads((host.state / f"receipt-{(job or host.job)['id']}.json").read_text())
        assert receipt["state"] == "done", receipt["error"]
        return receipt

    run()
    assert host.tree() == host.expected()
    assert set(run(simple(host, "hash", prune=[]))["result"]["files"]) >= {"app/a.py"}
    assert run(simple(host, "archive", include=["**"], exclude=[], prune=[]))["result"]["files"] > 3
    assert run(simple(host, "run", command=["echo", "hello"], folder="", timeout=30))["output"] == "hello\n"
    assert run(simple(host, "history"))["result"]["jobs"] != []
    run(host.rollback_job())
    assert host.tree() == restored(host)


# What a server does: it loads the WSGI file, and a request has a job done.
SERVER = """\
import io, json, sys

path, names = list(sys.path), set(sys.modules)
space = {"__file__": sys.argv[1], "__name__": "wsgi"}
with open(sys.argv[1]) as file:
    exec(compile(file.read(), sys.argv[1], "exec"), space)
finders = list(sys.meta_path)
body = sys.argv[3].encode()
environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/-/pya-agent", "CONTENT_LENGTH": str(len(body)),
           "wsgi.input": io.BytesIO(body), "HTTP_X_PYA_AGENT": sys.argv[2]}
space["application"](environ, lambda status, headers: None)
ours = {name for name in set(sys.modules) - names if "runner.pyz" in str(getattr(sys.modules[name], "__file__", ""))}
print(json.dumps([sys.path == path, sys.meta_path == finders, sorted(ours)]))
"""


@every_python
def test_the_agent_imports_it_and_leaves_the_applications_imports_alone(tmp_path, python):
    installed = Installed(tmp_path / "me", "def application(environ, start_response):\n    return []\n")
    body, identity = job("history")
    signed = "; ".join(f"{name}={value}" for name, value in installed.signed("history", body).items())
    environment = {"HOME": str(tmp_path / "me"), "API_TOKEN": TOKEN, "PYTHONWARNINGS": "error"}
    words = [python, "-c", SERVER, str(installed.wsgi), signed, body.decode()]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    is_path_as_before, are_finders_as_before, ours = json.loads(done.stdout)
    assert (is_path_as_before, are_finders_as_before) == (True, True)
    modules = [name[:-3].replace("/", ".") for name in sources() if name != "__main__.py"]
    assert ours == sorted(name.replace(".__init__", "") for name in modules)
    (receipt,) = (tmp_path / "me" / ".pya").rglob(f"receipt-{identity}.json")
    assert json.loads(receipt.read_text())["state"] == "done"
