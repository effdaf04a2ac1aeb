"""`pya demo`: the whole story on a real site, and what it says where there is no Wagtail."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from command import Pya, clean_environment
from pages import README, Page


class Slow(Pya):
    """pip and a virtualenv take their time where other tests run beside this."""

    timeout = 900


def typed(words: str) -> str:
    """A command without the address, which is another one each time."""
    return re.sub(r" --site-url \S+", " --site-url URL", words)


@pytest.mark.slow
@pytest.mark.timeout(960)
def test_the_demo_shows_what_it_promises(tmp_path):
    # None of these must reach the commands of the story.
    foreign = {"PYTHONANYWHERE_RATE_LIMIT": "1", "PYA_ENV": "staging", "DJANGO_SETTINGS_MODULE": "nowhere"}
    done = Slow(tmp_path, clean_environment(TMPDIR=str(tmp_path), **foreign))("demo", "--json", "--keep")
    story = {typed(command["command"]): command for command in json.loads(done.stdout)["commands"]}
    assert list(story) == [
        "pya launch --site-url URL",
        "pya launch",
        "pya diff",
        "pya deploy --delete",
        "pya deploy",
        "pya rollback",
    ]
    assert {command["exit_code"] for command in story.values()} == {0}
    launched = story["pya launch --site-url URL"]
    assert 0 < launched["writes"] < launched["requests"] <= 30
    assert (story["pya launch"]["requests"] <= 8, story["pya launch"]["writes"]) == (True, 0)
    costs = {words: story[words]["requests"] for words in ("pya diff", "pya deploy --delete", "pya deploy")}
    assert costs == {"pya diff": 0, "pya deploy --delete": 1, "pya deploy": 0}
    assert story["pya rollback"]["requests"] == 1
    check_kept(tmp_path, done.stderr)
    check_readme(done.stderr, json.loads(done.stdout)["files"], story)


def check_readme(shown: str, files: int, story: dict) -> None:
    """The README's figures are those of the demo, and what it shows of commands is what the demo showed."""
    rows = re.findall(r"^\| (?!---).*`(pya [^`]+)`: (?:.*?)(\d+) requests?\b", README.read_text(), re.MULTILINE)
    assert dict(rows) == {
        "pya launch": str(story["pya launch --site-url URL"]["requests"]),
        "pya deploy --delete": str(story["pya deploy --delete"]["requests"]),
        "pya deploy": str(story["pya deploy"]["requests"]),
        "pya rollback": str(story["pya rollback"]["requests"]),
    }
    told = re.findall(r"\| (\d+) requests, (\d+) minutes", README.read_text())
    assert told == [(str(files), str((files - 1) // 40))] * 3
    lines = {same(line.strip()) for line in shown.splitlines()}
    blocks = Page(README).section("Change, deploy, undo")
    printed = [line for block in re.findall(r"```console\n(.*?)```", blocks, re.DOTALL) for line in block.splitlines()]
    assert len(printed) == 18
    assert [line for line in printed if same(line) not in lines] == []


def same(line: str) -> str:
    """A line without what is another one each time: ids, times, the account's name."""
    line = re.sub(r"\b[0-9a-f]{16}\b", "ID", line)
    return re.sub(r"\d+ s$", "N s", line).replace("demo.python", "me.python")


def check_kept(folder: Path, shown: str) -> None:
    """The folder that was kept, and whether the story's own checks say of it what is so."""
    (kept,) = folder.glob("pya-demo-*")
    assert f"kept: {kept}" in shown
    assert "[FAILED]" not in shown
    assert len(re.findall(r"^   \[ok\] ", shown, re.MULTILINE)) == 11
    site, project = kept / "account" / "home" / "demo" / "mysite", kept / "mysite"
    page = "home/templates/home/welcome_page.html"
    assert "Changed on the laptop" in (project / page).read_text()
    # Rolled back: the deleted file is there again, and the page is the first one.
    assert "Welcome to your new Wagtail site!" in (site / page).read_text()
    assert (site / "Dockerfile").is_file()
    assert not (project / "Dockerfile").exists()
    changed = {page, "home/models.py", "mysite/templates/base.html"}
    for path in project.rglob("*"):
        name = path.relative_to(project).as_posix()
        if path.is_file() and name not in changed:
            assert (site / name).read_bytes() == path.read_bytes(), name
    # It was installed for real, in a virtualenv of the account's own.
    (installed,) = (kept / "account" / "home" / "demo" / ".virtualenvs" / "mysite").glob("lib/python*/site-packages")
    assert (installed / "wagtail").is_dir()
    assert (site / "db.sqlite3").stat().st_size > 100_000


def test_without_wagtail_it_says_what_to_install(tmp_path):
    (tmp_path / "wagtail.py").write_text("raise ImportError('not here')\n")
    pya = Pya(tmp_path, clean_environment(PYTHONPATH=str(tmp_path)))
    assert 'pip install "pythonanywhere-api[demo]"' in pya("demo", code=2).stderr


# In the middle of a command: the virtualenv has been made, and pip runs on the emulated host.
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_interrupt_ends_it_and_its_processes(tmp_path):
    with Pya(tmp_path, clean_environment(TMPDIR=str(tmp_path))).start("demo") as process:
        assert process.stderr is not None
        shown = ""
        for line in process.stderr:
            shown += line
            if line.strip().startswith("done  files"):
                break
        else:
            pytest.fail(shown)
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True)
    assert left.stdout == ""


@pytest.mark.slow
def test_a_command_that_fails_ends_the_story(tmp_path):
    """A package that takes the commands' place: its exit code is the reason that is given."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if sys.orig_argv[1:3] == ['-m', 'pythonanywhere_api'] and 'launch' in sys.orig_argv:\n"
        "    sys.stderr.write('no way\\n'); sys.stderr.flush(); import os; os._exit(5)\n"
    )
    pya = Slow(tmp_path, clean_environment(PYTHONPATH=str(tmp_path), TMPDIR=str(tmp_path)))
    done = pya("demo", "--json", code=1)
    assert "     no way\n" in done.stderr
    assert re.search(r"pya launch --site-url \S+ ended with exit code 5", done.stderr)
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"sitecustomize.py"}
