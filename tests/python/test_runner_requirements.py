"""Requirements in rounds: what is installed, what is not done twice, and what becomes of one that is cut off."""

import hashlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from runner_host import Host, ready, simple
from runner_pip import add_wheel, installed, make_virtualenv, packages
from runner_steps import in_child, kill_self

pytestmark = pytest.mark.slow

# Takes its time where a file says so, and notes each call that installs something, or lists it; else it is pip.
SLOW_PIP = """\
import os, runpy, sys, time
home = os.path.expanduser("~")
text = ""
if "freeze" in sys.argv:
    open(home + "/listed", "a").close()
if "-r" in sys.argv:
    with open(home + "/calls", "a") as calls:
        calls.write(" ".join(sys.argv[1:]) + "\\n")
    text = open(sys.argv[sys.argv.index("-r") + 1]).read()
while text and os.path.exists(home + "/slow") and open(home + "/slow").read() in text:
    time.sleep(0.05)
sys.path.insert(0, {real!r})
sys.argv[0] = "pip"
del sys.modules["pip"]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


class Account(Host):
    """An account with a virtualenv and a folder of wheels."""

    def ask_for(self, *lines: str, name: str = "requirements.txt") -> None:
        (self.root / name).write_text("\n".join(["--no-index", "--find-links=wheels", *lines, ""]))

    def wheel(self, name: str, version: str, *needs: str) -> Path:
        return add_wheel(self.root / "wheels", name, version, *needs)

    @property
    def virtualenv(self) -> Path:
        return self.home / ".virtualenvs" / "site"

    def task(self, **more):
        words = {"requirements": "requirements.txt", "virtualenv": "/home/me/.virtualenvs/site", "timeout": 60}
        return simple(self, "requirements", **(words | more))

    def install(self, limit: float | None = 45, job=None, **more):
        """Does as a client does: asks until it is over."""
        job = job or self.task(**more)
        receipt = self.run(limit, job=job)
        while receipt["state"] == "running":
            receipt = self.run(limit, job=job)
        return receipt

    def make_slow(self, monkeypatch, word: str) -> None:
        """Lets pip never end where a requirement has this word, until the file `slow` goes."""
        monkeypatch.setenv("HOME", str(self.home))
        folder = packages(self.virtualenv) / "pip"
        real = folder.resolve().parent
        folder.unlink()
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "__main__.py").write_text(SLOW_PIP.format(real=str(real)))
        (self.home / "slow").write_text(word)

    def calls(self) -> list[str]:
        return (self.home / "calls").read_text().splitlines()


@pytest.fixture
def host(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    made = ready(tmp_path)
    made.__class__ = Account
    make_virtualenv(made.virtualenv)
    return made


def test_what_a_file_says_is_installed_and_not_again_until_it_says_something_else(host):
    host.wheel("shop", "1.0", "basket>=2")
    for version in ("2.0", "2.1"):
        host.wheel("basket", version)
    host.ask_for("shop  # the shop", "", "basket==2.0 ; python_version > '3'")
    receipt = host.install()
    assert receipt["state"] == "done", receipt["error"]
    expected = {"installed": True, "packages": 2, "rounds": 1, "in_one_go": None}
    assert receipt["result"].items() >= expected.items()
    # The version that is pinned further down counts for what the first one needs.
    assert installed(host.virtualenv) == {"basket": "2.0", "shop": "1.0"}
    assert not (host.state / "wheels").exists()

    receipt = host.install()
    assert receipt["result"].items() >= {"installed": False, "packages": 0}.items()

    host.ask_for("shop", "basket==2.1")
    assert host.install()["result"]["packages"] == 1
    assert installed(host.virtualenv) == {"basket": "2.1", "shop": "1.0"}
    host.ask_for("shop", "basket==2.0", "nothing")
    receipt = host.install()
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "program")
    assert "pip cannot install nothing" in receipt["error"]["message"]
    assert "No matching distribution found for nothing" in receipt["error"]["message"]
    host.ask_for("shop", "basket==2.1")
    # Nothing was changed by the one that failed.
    assert not host.install()["result"]["installed"]


def test_what_is_there_in_the_version_that_is_asked_for_is_not_fetched_again(host, monkeypatch):
    for name in ("one", "two", "three"):
        host.wheel(name, "1.0")
    host.ask_for("one==1.0", "two==1.0")
    host.install()
    host.make_slow(monkeypatch, "never")
    host.ask_for("one==1.0", "Two == 1.0", "three==1.0")
    assert host.install()["result"]["packages"] == 1
    assert [call.split()[0] for call in host.calls()] == ["wheel", "install"]
    assert (host.home / "listed").exists()
    # Somebody has removed one: the note in the virtualenv is of no use then, and goes with it.
    (host.virtualenv / ".pya-requirements.json").unlink()
    assert host.install()["result"].items() >= {"installed": True, "packages": 0}.items()


def test_each_step_ends_in_time_and_the_next_one_goes_on(host, monkeypatch):
    names = [f"package{number}" for number in range(4)]
    for name in names:
        host.wheel(name, "1.0")
    host.ask_for(*names)
    host.make_slow(monkeypatch, "never")
    receipt = host.install(limit=0.01)
    assert receipt["state"] == "done", receipt["error"]
    assert receipt["result"]["rounds"] == receipt["steps"] == 5
    assert [call.split()[0] for call in host.calls()] == ["wheel"] * 4 + ["install"]
    assert list(installed(host.virtualenv)) == names
    # No line is a name with a version alone, so it need not be known which ones are there.
    assert not (host.home / "listed").exists()


def test_included_files_and_constraints_count(host):
    for version in ("1.0", "2.0"):
        host.wheel("shop", version)
        host.wheel("basket", version)
    # Quoted, as a shell would have it.
    (host.root / "its requirements").mkdir()
    host.ask_for("-r 'its requirements/base.txt'", "-c limits.txt", "basket")
    (host.root / "its requirements" / "base.txt").write_text("-r base.txt\nsh\\\nop\n")
    (host.root / "limits.txt").write_text("shop<2\n")
    receipt = host.install()
    assert receipt["state"] == "done", receipt["error"]
    assert installed(host.virtualenv) == {"basket": "2.0", "shop": "1.0"}
    assert not host.install()["result"]["installed"]
    (host.root / "limits.txt").write_text("shop<3\nbasket<2\n")
    assert host.install()["result"]["installed"]
    (host.root / "limits.txt").unlink()
    receipt = host.install()
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "missing")
    assert "limits.txt" in receipt["error"]["message"]


@pytest.mark.parametrize(
    "line",
    ["./wheels/shop-1.0-py3-none-any.whl", "shop==1.0 --hash=sha256:{digest}", "shop @ file://{wheel}", "{wheel}"],
)
def test_what_cannot_be_made_one_by_one_is_installed_in_one_go(host, line):
    wheel = host.wheel("shop", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    host.ask_for(line.format(wheel=wheel, digest=digest))
    receipt = host.install()
    assert receipt["state"] == "done", receipt["error"]
    assert "has more than names and versions" in receipt["result"]["in_one_go"]
    assert installed(host.virtualenv) == {"shop": "1.0"}
    assert not host.install()["result"]["installed"]


def test_wheels_that_do_not_go_together_are_left_to_pip(host):
    # By itself, each gets the newest. Together only the older shop will do.
    host.wheel("shop", "1.0", "basket<2")
    host.wheel("shop", "2.0", "basket>=2")
    host.wheel("till", "1.0", "basket<2")
    host.wheel("basket", "1.0")
    host.wheel("basket", "2.0")
    host.ask_for("shop", "till")
    receipt = host.install()
    assert receipt["state"] == "done", receipt["error"]
    assert "do not go together" in receipt["result"]["in_one_go"]
    assert installed(host.virtualenv) == {"basket": "1.0", "shop": "1.0", "till": "1.0"}


@pytest.mark.parametrize("name", ["nowhere", "pywin32"])
def test_one_that_cannot_be_had_is_not_in_conflict_with_itself(host, name):
    host.wheel("alpha", "1.0")
    host.wheel(name, "2.0")
    host.ask_for("alpha==1.0", f"{name}==306")
    receipt = host.install()
    message = receipt["error"]["message"]
    assert receipt["state"] == "failed"
    assert f"No matching distribution found for {name}==306" in message
    assert "conflict" not in message
    assert ('sys_platform == "win32"' in message) is (name == "pywin32")
    host.ask_for("alpha==1.0", f'{name}==306; sys_platform == "win32"')
    assert host.install()["state"] == "done"
    assert installed(host.virtualenv) == {"alpha": "1.0"}


def test_one_that_is_cut_off_twice_fails_by_name(host, monkeypatch):
    for name in ("quick", "torch"):
        host.wheel(name, "1.0")
    host.ask_for("quick", "torch")
    host.make_slow(monkeypatch, "torch")
    receipt = host.install(timeout=8)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "timed_out")
    assert "cut off twice at torch" in receipt["error"]["message"]
    # The quick one was made once, and the way is free for another try.
    assert len(host.calls()) == 3
    (host.home / "slow").unlink()
    receipt = host.install()
    assert receipt["state"] == "done", receipt["error"]
    assert len(host.calls()) == 5
    assert list(installed(host.virtualenv)) == ["quick", "torch"]


@pytest.mark.parametrize(
    "option", ["--find-links ../wheels", "-f ../wheels --no-index", "--find-links=../mysite/wheels"]
)
def test_places_are_relative_to_the_file_that_names_them(host, option):
    add_wheel(host.home / "wheels", "shop", "1.0")
    host.wheel("shop", "1.0")
    (host.root / "requirements.txt").write_text(f"--no-index\n{option}\nshop\n")
    receipt = host.install()
    assert receipt["state"] == "done", receipt["error"]
    assert receipt["result"]["in_one_go"] is None


def test_half_a_wheel_of_one_that_was_cut_off_is_fetched_again(host, monkeypatch):
    wheel = host.wheel("shop", "1.0")
    host.ask_for("shop")
    host.make_slow(monkeypatch, "shop")
    job = host.task(timeout=6)
    assert host.run(45, job=job)["state"] == "running"
    half = host.state / "wheels" / "made" / wheel.name
    half.write_bytes(wheel.read_bytes()[:100])
    (host.home / "slow").unlink()
    receipt = host.install(job=job)
    assert receipt["state"] == "done", receipt["error"]
    assert installed(host.virtualenv) == {"shop": "1.0"}


@pytest.mark.parametrize("word", ["package2", "all"])
def test_a_killed_one_goes_on_where_it_was_also_as_another_job(host, monkeypatch, word):
    names = [f"package{number}" for number in range(4)]
    for name in names:
        host.wheel(name, "1.0")
    host.ask_for(*names)
    host.make_slow(monkeypatch, word if word != "all" else "package0\npackage1")
    job = host.task()

    def act():
        signal.signal(signal.SIGALRM, lambda *_: is_slow() and kill_self())
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        host.install(job=job)

    def is_slow():
        calls = (host.home / "calls").read_text() if (host.home / "calls").exists() else ""
        return calls.count("\n") == (3 if word != "all" else 5)

    assert in_child(act) == -signal.SIGKILL
    before = len(host.calls())
    # The pip that the killed runner left behind still has the lock.
    receipt = host.run(0.5, job=job)
    assert (receipt["state"], len(host.calls())) == ("running", before)
    (host.home / "slow").unlink()
    receipt = host.install(job=host.task() if word == "all" else job)
    assert receipt["state"] == "done", receipt["error"]
    done = [call for call in host.calls()[before:] if call.startswith("wheel")]
    assert len(done) == (2 if word != "all" else 0)
    assert list(installed(host.virtualenv)) == names


def test_a_full_disk_is_named_and_given_back(host, monkeypatch):
    host.wheel("shop", "1.0")
    host.ask_for("shop")
    host.make_slow(monkeypatch, "never")
    pip = packages(host.virtualenv) / "pip" / "__main__.py"
    text = pip.read_text()
    pip.write_text("import sys\nprint('OSError: [Errno 28] No space left on device')\nsys.exit(1)\n")
    receipt = host.install()
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "space")
    assert not (host.state / "wheels").exists()
    pip.write_text(text)
    module = __import__("runner_host").load()

    def check_space(*_):
        raise OSError(122, "quota")

    module.files.check_space = check_space
    receipt = host.run(45, module=module, job=host.task())
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "space")
    assert "the packages take 4 MB" in receipt["error"]["message"]
    assert not (host.state / "wheels").exists()
    assert installed(host.virtualenv) == {}


def test_a_cancelled_one_ends_at_once(host, monkeypatch):
    host.wheel("shop", "1.0")
    host.ask_for("shop")
    host.make_slow(monkeypatch, "shop")
    job = host.task()

    def cancel():
        while not (host.home / "calls").exists():
            time.sleep(0.02)
        (host.state / f"work-{job['id']}" / "cancel").write_text("{}")

    thread = threading.Thread(target=cancel)
    thread.start()
    receipt = host.install(job=job)
    thread.join()
    assert receipt["state"] == "cancelled"
    (host.home / "slow").unlink()
    assert host.install()["state"] == "done"


def test_a_file_of_the_state_folder_will_do(host):
    host.wheel("shop", "1.0")
    (host.state / "requirements.txt").write_text(f"--no-index\n--find-links {host.root}/wheels\nshop\n")
    receipt = host.install(requirements=f"/home/me/.pya/{host.state.name}/requirements.txt")
    assert receipt["state"] == "done", receipt["error"]
    assert installed(host.virtualenv) == {"shop": "1.0"}
    for other in (f"/home/me/.pya/{host.state.name}/history.json", "/home/me/.pya/0011223344556677/requirements.txt"):
        assert host.install(requirements=other)["error"]["kind"] == "name"


def test_wrong_files_and_virtualenvs_are_refused(host, tmp_path):
    for requirements, kind in [("none.txt", "missing"), ("../x", "name"), ("/etc/passwd", "name")]:
        assert host.install(requirements=requirements)["error"]["kind"] == kind
    host.ask_for("shop")
    assert host.install(virtualenv="/home/me/.virtualenvs/none")["error"]["kind"] == "interpreter"
    (host.root / "requirements.txt").write_text("-r other.txt\n")
    assert "other.txt" in host.install()["error"]["message"]


def test_notes_of_others_are_worth_nothing(host):
    host.wheel("shop", "1.0")
    host.ask_for("shop")
    note = host.virtualenv / ".pya-requirements.json"
    for content in ("", "[]", "{", '{"sha256": 1}', "x" * 100_000):
        note.write_text(content)
        assert host.install()["result"]["installed"], content
    for content in ("", "[]", "{", json.dumps({"key": []}), "5"):
        (host.state / "wheels").mkdir(exist_ok=True)
        (host.state / "wheels" / "progress.json").write_text(content)
        note.unlink()
        receipt = host.install()
        assert receipt["state"] == "done", (content, receipt["error"])
