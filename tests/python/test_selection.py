"""Which files `pya` takes: what git says, what is protected, and what another machine built."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command import Pya, environment_of

from pythonanywhere_api import ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator

PROJECT = "site"


@pytest.fixture
def host():
    with Emulator(rate_limit=None) as emulator:
        yield emulator


@pytest.fixture
def remote(host):
    return Path(host.root) / "home" / host.user / PROJECT


@pytest.fixture
def pya(host, tmp_path):
    """`pya` in an empty git repository, on a machine with settings of its own."""
    work, home = tmp_path / "work", tmp_path / "laptop"
    work.mkdir()
    home.mkdir()
    config = home / "gitconfig"
    config.write_text('[user]\nname = n\nemail = e@example.com\n[protocol "file"]\nallow = always\n')
    environment = environment_of(host) | {
        "PYTHONANYWHERE_RATE_LIMIT": "off",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "GIT_CONFIG_GLOBAL": str(config),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    pya = Pya(work, {name: value for name, value in environment.items() if name not in ("GIT_DIR", "GIT_INDEX_FILE")})
    git(pya, "init", "-q")
    return pya


def git(pya, *arguments):
    subprocess.run(["git", *arguments], cwd=pya.folder, env=pya.environment, check=True, capture_output=True)


def put(pya, **files):
    for name, text in files.items():
        (pya.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (pya.folder / name).write_text(text)


def deploy(pya, *arguments, **more):
    return pya.json("deploy", "--project", PROJECT, *arguments, **more)


def elsewhere(pya, tmp_path) -> Pya:
    """The same project in a clone on another machine."""
    git(pya, "add", ".")
    git(pya, "commit", "-qm", "1")
    clone, home = tmp_path / "clone", tmp_path / "ci"
    subprocess.run(["git", "clone", "-q", pya.folder, clone], env=pya.environment, check=True)
    return Pya(clone, pya.environment | {"XDG_CONFIG_HOME": str(home), "HOME": str(home)})


def test_what_a_laptop_built_is_left_by_the_ci_and_removed_by_the_laptop(pya, host, remote, tmp_path):
    put(pya, **{"m.py": "", ".gitignore": "static/\n", ".pythonanywhereignore": "!static/\n", "static/app.js": "built"})
    assert "static/app.js" in deploy(pya)["uploaded"]
    ci = elsewhere(pya, tmp_path)
    diff = ci.json("diff", "--project", PROJECT)
    assert (diff["removed"], diff["left"]) == ([], ["static/app.js"])
    done = ci("deploy", "--project", PROJECT, "--delete")
    assert "static/app.js" in done.stderr
    assert "--delete-untracked" in done.stderr
    assert (remote / "static/app.js").read_text() == "built"

    (pya.folder / "static/app.js").unlink()
    assert deploy(pya, "--delete")["deleted"] == ["static/app.js", "static"]


def test_a_ci_that_builds_may_remove_what_others_built(pya, remote, tmp_path):
    put(pya, **{"m.py": "", ".gitignore": "static/\n", ".pythonanywhereignore": "!static/\n", "static/app.js": "built"})
    deploy(pya)
    ci = elsewhere(pya, tmp_path)
    assert ci.json("diff", "--project", PROJECT, "--delete-untracked")["removed"] == ["static/app.js"]
    assert deploy(ci, "--delete", "--delete-untracked")["deleted"] == ["static/app.js", "static"]
    assert not (remote / "static").exists()


def test_git_that_refuses_ends_the_deploy_with_its_words_before_any_request(pya, host):
    put(pya, **{"m.py": "", "x.log": "", ".gitignore": "*.log\n"})
    owner = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    done = pya("deploy", "--project", PROJECT, code=2, **owner)
    assert "dubious ownership" in done.stderr
    assert "safe.directory" in done.stderr
    assert "--no-git" in done.stderr
    assert host.requests == []
    assert deploy(pya, "--no-git", **owner)["uploaded"] == [".gitignore", "m.py"]


def test_without_git_the_gitignore_files_decide_and_that_is_said_once(pya):
    put(pya, **{"m.py": "", "x.log": "", ".gitignore": "*.log\n"})
    done = pya("deploy", "--project", PROJECT, PATH="/nonexistent")
    assert done.stderr.count("is not installed") == 1
    assert "x.log" not in pya.json("diff", "--project", PROJECT)["unchanged"]
    assert "not installed" not in pya("diff", "--project", PROJECT, "--no-git", PATH="/nonexistent").stderr


def test_a_project_costs_one_process_of_git_and_each_submodule_one_more(pya, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    lib = Pya(other, pya.environment)
    git(lib, "init", "-q")
    put(lib, **{"lib.py": ""})
    git(lib, "add", ".")
    git(lib, "commit", "-qm", "1")
    put(pya, **{"m.py": ""})
    git(pya, "submodule", "--quiet", "add", str(other), "lib")
    log, bin_ = tmp_path / "log", tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "git").write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {shutil.which("git")} "$@"\n')
    (bin_ / "git").chmod(0o755)
    path = {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
    assert deploy(pya, **path)["uploaded"] == [".gitmodules", "lib/lib.py", "m.py"]
    calls = log.read_text().splitlines()
    # And one more tells the commit that is deployed.
    assert ["status" in call for call in calls] == [False, False, True], calls
    assert all("core.fsmonitor=false" in call for call in calls)


def test_a_hook_that_deploys_is_not_led_to_its_own_index(pya, tmp_path):
    put(pya, **{"m.py": "", "x.log": "", ".gitignore": "*.log\n"})
    lost = {
        "GIT_DIR": "/nonexistent",
        "GIT_INDEX_FILE": "/nonexistent",
        "GIT_WORK_TREE": "/",
        "GIT_ICASE_PATHSPECS": "1",
    }
    assert deploy(pya, **lost)["uploaded"] == [".gitignore", "m.py"]


def test_include_is_an_option_that_must_match_and_a_key_that_may(pya, host):
    put(pya, **{"m.py": "", ".env": "S=1", ".gitignore": ".env\n"})
    done = pya("deploy", "--project", PROJECT, "--include", "conf/.env", code=2)
    assert "--include" in done.stderr
    assert "conf/.env" in done.stderr
    assert host.requests == []
    put(pya, **{"pyproject.toml": f'[tool.pythonanywhere]\nproject = "{PROJECT}"\ninclude = [".env", "conf/.env"]\n'})
    done = pya("diff")
    assert done.stdout.split() == ["A", ".env", "A", ".gitignore", "A", "m.py", "A", "pyproject.toml"]
    assert "conf/.env" in done.stderr


def test_diff_says_how_many_files_each_source_left_out(pya):
    put(pya, **{"m.py": "", ".gitignore": "*.log\n", ".pythonanywhereignore": "*.md\n", "a.md": "", "x.log": ""})
    put(pya, **{".git/info/exclude": "*.tmp\n", "y.tmp": "", "z.tmp": "", "__pycache__/x.pyc": ""})
    left_out = pya.json("diff", "--project", PROJECT)["left_out"]
    assert {source: (what["files"], what["folders"]) for source, what in left_out.items()} == {
        ".git/info/exclude": (2, 0),
        ".gitignore": (1, 0),
        ".pythonanywhereignore": (1, 0),
        "never deployed": (0, 2),
    }


def test_python_has_the_same_powers(pya, host, monkeypatch):
    put(pya, **{"m.py": "", "tracked.log": "", ".gitignore": "*.log\n"})
    git(pya, "add", "-f", "tracked.log")
    put(pya, pointer=f"version https://git-lfs.github.com/spec/v1\noid sha256:{7:064}\nsize 9\n")
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")
    api = PythonanywhereApi(host.url, host.user, host.token, PROJECT)
    with pytest.raises(ConfigError, match="allow_lfs_pointers=True"):
        api.deploy_diff(pya.folder)
    diff = api.deploy_diff(pya.folder, allow_lfs_pointers=True, delete_untracked=True)
    assert (diff.added, diff.left) == ([".gitignore", "m.py", "pointer", "tracked.log"], [])
    diff = api.deploy_diff(pya.folder, allow_lfs_pointers=True, no_git=True)
    assert diff.added == [".gitignore", "m.py", "pointer"]
