"""Commands that the runner runs: their status and output, their end at a limit, and with which Python."""

import json
import os
import signal
import sys
import time
import types
import zipfile
from pathlib import Path

import pytest
from runner_host import Host, as_program, load, ready, simple, write
from runner_pip import make_virtualenv
from runner_steps import in_child, kill_self

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


# ---- any command


def run(host: Host, *command: str, timeout: float = 30, folder: str = "", module=None):
    job = simple(host, "run", command=list(command), folder=folder, timeout=timeout)
    return host.run(job=job) if module is None else host.run(module=module, job=job)


def test_commands_leave_status_and_output(host):
    receipt = run(host, "bash", "-c", "echo out; echo err >&2; pwd; cat; exit 7")
    assert (receipt["state"], receipt["exit_status"], receipt["error"]) == ("failed", 7, None)
    assert receipt["output"].splitlines() == ["out", "err", str(host.root)]
    assert receipt["result"]["argv"][0] == receipt["result"]["interpreter"] == "bash"
    assert run(host, "true")["exit_status"] == 0
    assert run(host, "pwd", folder="app")["output"] == f"{host.root}/app\n"
    assert run(host, "no-such-program")["error"]["kind"] == "local"
    assert host.tree() == host.before
    assert host.leftovers() - {path.name for path in host.state.glob("receipt-*")} == {host.work.name}


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (signal.SIGRTMIN + 1, "signal 35")])
def test_what_ended_a_command_is_told(host, number, name):
    receipt = run(host, "bash", "-c", f"kill -{number} $$")
    assert (receipt["state"], receipt["exit_status"], receipt["result"]["signal"]) == ("failed", 128 + number, name)


@pytest.mark.parametrize(("folder", "kind"), [("../..", "name"), ("/etc", "name"), ("nowhere", "missing")])
def test_a_command_runs_in_the_project(host, folder, kind):
    assert run(host, "touch", "ran", folder=folder)["error"]["kind"] == kind
    assert host.tree() == host.before


def test_an_output_that_is_no_text_is_made_one(host):
    assert run(host, "printf", r"\xff\xc3\xbc")["output"] == "\ufffdü"


def test_a_command_is_not_given_what_the_server_reads_from(host):
    job = simple(host, "run", command=["cat"], folder="", timeout=30)

    def act():
        reader, writer = os.pipe()
        os.write(writer, b"a request")
        os.close(writer)
        os.dup2(reader, 0)
        assert host.run(job=job)["output"] == ""

    assert in_child(act) == 0


def test_a_long_output_keeps_its_beginning_and_its_end(host):
    receipt = run(host, sys.executable, "-c", "print('first'); print('x' * (2 << 20)); print('last')")
    assert receipt["truncated"]
    assert receipt["output"].startswith("first\n")
    assert receipt["output"].endswith("last\n")
    left_out = len("first\nlast\n") + (2 << 20) + 1 - (1 << 20)
    assert f"\n[... {left_out} bytes omitted ...]\n" in receipt["output"]
    assert len(receipt["output"]) < (1 << 20) + 200


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(host):
    script = "trap '' TERM; sleep 1000 & echo $!; wait; sleep 1000"
    module = load()
    module.limits.GRACE_SECONDS = 0.2
    receipt = run(host, "bash", "-c", script, timeout=2, module=module)
    assert (receipt["state"], receipt["error"]["kind"], receipt["result"]["timed_out"]) == ("failed", "timed_out", True)
    assert receipt["exit_status"] not in (0, None)
    assert ends(int(receipt["output"].split()[0]))


def ends(process: int) -> bool:
    """Whether a process that was killed is gone, or will be."""
    for _ in range(600):
        status = Path(f"/proc/{process}/stat")
        if not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_a_command_that_ends_well_when_it_is_asked_to_has_timed_out_all_the_same(host):
    script = "trap 'echo asked; exit 0' TERM; while true; do sleep 0.02; done"
    receipt = run(host, "bash", "-c", script, timeout=2)
    assert (receipt["state"], receipt["exit_status"], receipt["error"]["kind"]) == ("failed", 1, "timed_out")
    assert receipt["output"].endswith("asked\n")


def test_a_command_that_was_cut_off_is_never_run_again(host):
    job = simple(host, "run", command=["bash", "-c", "echo ran >> ran; sleep 20"], folder="", timeout=90)
    ran = host.root / "ran"

    def kill_once_it_ran(*_):
        if ran.exists() and ran.stat().st_size:
            kill_self()

    def act():
        signal.signal(signal.SIGALRM, kill_once_it_ran)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        host.run(job=job)

    assert in_child(act) == -signal.SIGKILL
    receipt = host.run(job=job)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "interrupted")
    assert ran.read_text() == "ran\n"


def test_a_command_goes_on_when_no_sign_of_life_can_be_given(host):
    module = load()
    module.limits.HEARTBEAT_SECONDS = -1
    real = module.files.write_text

    def write_text(path, *rest, **kwargs):
        if path.endswith("heartbeat"):
            raise OSError(28, "no space")
        return real(path, *rest, **kwargs)

    module.files.write_text = write_text
    receipt = run(host, "bash", "-c", "sleep 0.1; echo ran", module=module)
    assert (receipt["state"], receipt["output"]) == ("done", "ran\n")


# ---- with which Python


class Python:
    """A program that says which Python it is and with what it was called."""

    def __init__(self, folder: Path, version: str = VERSION, name: str = "python"):
        self.path = folder / "bin" / name
        write(self.path, f'#!/bin/sh\nif [ "$1" = -c ]; then echo {version}; else echo "$0" "$@"; fi\n'.encode())
        self.path.chmod(0o755)


def manage(host: Host, module=None, **more):
    write(host.root / "manage.py", b"")
    job = simple(host, "manage", manage="manage.py", args=["migrate", "--no-input"], settings=None, timeout=30)
    job |= {"virtualenv": None} | more
    return host.run(module=module or load(), job=job)


def pretending(**facts):
    """A runner that believes itself in another Python."""
    module = load()
    names = ("prefix", "base_prefix", "executable", "path", "version_info")
    module.commands.sys = types.SimpleNamespace(**{name: getattr(sys, name) for name in names} | facts)
    return module


def test_the_virtualenv_of_the_web_app_is_used(host):
    python = Python(host.home / "venv")
    receipt = manage(host, virtualenv="/home/me/venv")
    assert (receipt["state"], receipt["exit_status"]) == ("done", 0)
    assert receipt["output"] == f"{python.path} {host.root}/manage.py migrate --no-input\n"
    assert receipt["result"]["argv"] == [str(python.path), "manage.py", "migrate", "--no-input"]
    assert receipt["result"]["interpreter"] == str(python.path)


def test_a_virtualenv_out_of_the_account_is_used_as_it_is_named(host, tmp_path):
    python = Python(tmp_path / "venvs" / "a")
    assert manage(host, virtualenv=str(tmp_path / "venvs" / "a"))["result"]["interpreter"] == str(python.path)


@pytest.mark.parametrize("kind", ["missing", "broken", "not executable", "other version"])
def test_a_virtualenv_that_cannot_be_the_web_apps_is_refused(host, kind):
    if kind != "missing":
        python = Python(host.home / "venv", "2.7" if kind == "other version" else VERSION)
        if kind == "broken":
            python.path.write_text("#!/bin/sh\nexit 1\n")
        if kind == "not executable":
            python.path.chmod(0o644)
    receipt = manage(host, virtualenv="/home/me/venv")
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "interpreter")
    assert "/home/me/venv" in receipt["error"]["message"]
    assert receipt["output"] == ""


def test_without_a_virtualenv_it_is_the_python_that_the_server_runs(host, tmp_path):
    """Never `sys.executable`, which is the server; and never one of another version."""
    prefix, base = tmp_path / "prefix", tmp_path / "base"
    server = Python(tmp_path, "3.99", "uwsgi")
    module = pretending(
        prefix=str(prefix), base_prefix=str(base), executable=str(server.path), version_info=(3, 99, 0, "final", 0)
    )
    receipt = manage(host, module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "interpreter")
    python = Python(base, "3.99", "python3.99")
    assert manage(host, module)["result"]["interpreter"] == str(python.path)
    Python(prefix, "3.98")
    assert manage(host, module)["result"]["interpreter"] == str(python.path)
    python = Python(prefix, "3.99")
    assert manage(host, module)["result"]["interpreter"] == str(python.path)


def test_as_a_program_it_uses_the_python_that_runs_it_or_the_virtualenv_whatever_its_version(host):
    write(host.root / "manage.py", b"import sys; print(sys.executable)")
    job = simple(host, "manage", manage="manage.py", args=[], settings=None, timeout=30, virtualenv=None)
    done = as_program(host, job)
    assert (done.returncode, done.stdout) == (0, f"{sys.executable}\n")
    python = Python(host.home / "venv", "2.7")
    job = simple(host, "manage", manage="manage.py", args=[], settings=None, timeout=30, virtualenv="/home/me/venv")
    done = as_program(host, job)
    assert (done.returncode, done.stdout) == (0, f"{python.path} {host.root}/manage.py\n")


# ---- manage.py, pip


@pytest.fixture(scope="module")
def virtualenv(tmp_path_factory):
    """A real one, with the pip of these tests."""
    folder = tmp_path_factory.mktemp("virtualenv") / "venv"
    make_virtualenv(folder)
    return folder


SHOW = b"""\
import json, os, sys
names = ["DJANGO_SETTINGS_MODULE", "DATABASE_URL", "PYTHONPATH"]
print(json.dumps([sys.prefix, os.getcwd(), sys.argv, sys.path, {name: os.environ.get(name) for name in names}]))
exit(3)
"""


def test_manage_py_runs_in_the_working_folder_of_the_web_app_with_its_settings(host, virtualenv, tmp_path, monkeypatch):
    write(host.root / "src" / "manage.py", SHOW)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "of the web app")
    receipt = manage(host, manage="src/manage.py", settings="mysite.settings", virtualenv=str(virtualenv))
    prefix, folder, words, path, environment = json.loads(receipt["output"])
    assert (prefix, folder) == (str(virtualenv), str(tmp_path))
    assert words == [f"{host.root}/src/manage.py", "migrate", "--no-input"]
    assert path[0] == f"{host.root}/src"
    assert environment["DJANGO_SETTINGS_MODULE"] == "mysite.settings"
    assert environment["DATABASE_URL"] == "of the web app"
    assert (receipt["state"], receipt["exit_status"], receipt["error"]) == ("failed", 3, None)


def test_the_working_folder_that_is_named_counts_before_that_of_a_process_that_may_be_older(host, virtualenv):
    write(host.root / "src" / "manage.py", SHOW)
    receipt = manage(host, manage="src/manage.py", virtualenv=str(virtualenv), folder="/home/me/mysite")
    assert json.loads(receipt["output"])[1] == str(host.root)


def test_manage_py_finds_the_modules_that_the_web_app_finds(host, virtualenv, monkeypatch):
    write(host.root / "src" / "manage.py", SHOW)
    monkeypatch.setenv("PYTHONPATH", "/before")
    module = pretending(
        prefix=str(virtualenv),
        path=[
            *("", "relative", "/home/lib", f"{virtualenv}/lib/python3/site-packages", Path("/no/text"), "/other"),
            *(f"{sys.base_prefix}/lib/python3.99", "/home/me/.local/lib/python3/site-packages"),
        ],
    )
    receipt = manage(host, module, manage="src/manage.py", virtualenv=str(virtualenv))
    assert receipt["error"] is None, receipt
    path, environment = json.loads(receipt["output"])[3:]
    assert environment["PYTHONPATH"] == "/home/lib:/other:/before"
    assert path[:4] == [f"{host.root}/src", "/home/lib", "/other", "/before"]


def test_a_task_gives_manage_py_the_folder_and_the_paths_that_the_job_names(host):
    write(host.root / "manage.py", SHOW)
    common = {"manage": "manage.py", "args": [], "settings": "x.y", "timeout": 30, "virtualenv": None}
    job = simple(host, "manage", **common, folder="/home/me/mysite/app", path=["/home/me/lib", "/elsewhere"])
    done = as_program(host, job, environment={"PATH": os.environ["PATH"]})
    _, folder, _, _, environment = json.loads(done.stdout)
    assert folder == f"{host.root}/app"
    assert environment == {
        "DJANGO_SETTINGS_MODULE": "x.y",
        "DATABASE_URL": None,
        "PYTHONPATH": f"{host.home}/lib:/elsewhere",
    }
    job = simple(host, "manage", **common)
    done = as_program(host, job, environment={"PATH": os.environ["PATH"]})
    assert json.loads(done.stdout)[1] == str(host.root)
    job = simple(host, "manage", **common, folder="/home/me/nowhere")
    assert "there is no folder" in as_program(host, job).stdout


# ---- variables for one command


def test_variables_reach_the_command_and_are_read_once(host, monkeypatch):
    monkeypatch.setenv("KEPT", "kept")
    script = (
        "import os; print(sorted(os.environ['SECRET']), os.environ['KEPT'], os.listdir(os.path.dirname(sys.argv[1])))"
    )
    write(host.root / "manage.py", f"import sys\n{script}\n".encode())
    common = {"manage": "manage.py", "settings": None, "timeout": 30, "virtualenv": None, "variables": True}
    job = simple(host, "manage", args=[], **common)
    work = host.state / f"work-{job['id']}"
    job["args"] = [str(work / "x")]
    write(work / "variables.json", json.dumps({"SECRET": "s3cret"}).encode())
    receipt = host.run(job=job)
    assert receipt["state"] == "done", receipt
    assert "['3', 'c', 'e', 'r', 's', 't'] kept" in receipt["output"]
    assert "variables.json" not in receipt["output"]
    kept = [path for path in host.home.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert kept == []
    # Without them it is not run.
    again = host.run(job=job | {"id": "a" * 16})
    assert (again["state"], again["error"]["kind"]) == ("refused", "missing")


def test_variables_of_a_command_that_is_refused_are_gone_as_well(host):
    common = {"manage": "manage.py", "args": [], "settings": None, "timeout": 30, "virtualenv": None}
    job = simple(host, "manage", variables=True, **common)
    write(host.state / f"work-{job['id']}" / "variables.json", b'{"SECRET": "s3cret"}')
    assert host.run(job=job)["state"] == "refused"
    assert [path for path in host.home.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()] == []


# ---- commands that nobody waits for any more


def cancel(host: Host, job) -> None:
    """What the client writes, through the API."""
    write(host.state / f"work-{job['id']}" / "cancel", b"{}")


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_cancelled_command_is_ended_with_all_that_it_started(host, stubborn):
    script = "trap '' TERM; " * stubborn + "sleep 1000 & echo $!; wait; sleep 1000"
    job = simple(host, "run", command=["bash", "-c", script], folder="", timeout=90)
    module = load()
    module.limits.GRACE_SECONDS = 0.2
    output = host.state / f"work-{job['id']}" / "output"
    heartbeat = module.job.Job.tick

    def cancel_once_it_runs(self, **how):
        heartbeat(self, **how)
        if output.read_bytes().endswith(b"\n"):
            cancel(host, job)

    module.job.Job.tick = lambda self, **how: cancel_once_it_runs(self, **how) if output.exists() else None
    begun = time.monotonic()
    receipt = host.run(module=module, job=job)
    assert time.monotonic() - begun < 30
    assert (receipt["state"], receipt["error"]["kind"], receipt["result"]["timed_out"]) == (
        "cancelled",
        "cancelled",
        False,
    )
    assert receipt["exit_status"] not in (0, None)
    assert ends(int(receipt["output"].split()[0]))
    assert host.run(job=simple(host, "history"))["result"]["jobs"][-1]["state"] == "cancelled"
    assert not (host.state / f"work-{job['id']}").exists()


def test_a_command_that_was_cancelled_before_it_started_is_not_started(host):
    job = simple(host, "run", command=["touch", "ran"], folder="", timeout=90)
    cancel(host, job)
    receipt = host.run(job=job)
    assert (receipt["state"], receipt["exit_status"], receipt["error"]["kind"]) == ("cancelled", 1, "cancelled")
    assert not (host.root / "ran").exists()


@pytest.mark.parametrize(
    ("name", "kind"), [("nowhere.py", "missing"), ("../manage.py", "name"), ("/manage.py", "name")]
)
@pytest.mark.parametrize("operation", ["manage", "pip"])
def test_what_is_not_in_the_project_is_not_run(host, operation, name, kind):
    write(host.home / "manage.py", b"print('ran')")
    job = simple(host, operation, manage=name, requirements=name, args=[], settings=None, timeout=30, virtualenv=None)
    receipt = host.run(job=job)
    assert (receipt["error"]["kind"], receipt["output"]) == (kind, "")


def pip(host: Host, module=None, **more):
    job = simple(host, "pip", requirements="requirements.txt", timeout=60) | more
    return host.run(module=module or load(), job=job)


def wheel(path: Path) -> None:
    """A package that needs nothing to be built, and nothing from the network."""
    name = path.name.split("-")[0]
    files = {
        f"{name}.py": "ANSWER = 42\n",
        f"{name}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: us\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{name}-1.0.dist-info/RECORD": f"{name}.py,,\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)


def test_requirements_are_installed_into_the_virtualenv(host, virtualenv):
    """A path in a requirements file counts from the project's folder."""
    (host.root / "wheels").mkdir()
    wheel(host.root / "wheels" / "demo-1.0-py3-none-any.whl")
    write(host.root / "requirements.txt", b"--no-index\n./wheels/demo-1.0-py3-none-any.whl\n")
    receipt = pip(host, virtualenv=str(virtualenv))
    assert (receipt["state"], receipt["exit_status"]) == ("done", 0), receipt["output"]
    assert "Successfully installed demo-1.0" in receipt["output"]
    assert receipt["result"]["argv"] == [
        f"{virtualenv}/bin/python",
        *("-m", "pip", "install", "--disable-pip-version-check", "-r", f"{host.root}/requirements.txt"),
    ]
    assert len(list(virtualenv.glob("lib/python*/site-packages/demo.py"))) == 1


def test_requirements_that_cannot_be_installed_say_why(host, virtualenv):
    write(host.root / "requirements.txt", b"--no-index\nno-such-package-of-ours\n")
    receipt = pip(host, virtualenv=str(virtualenv))
    assert (receipt["state"], receipt["exit_status"], receipt["error"]) == ("failed", 1, None)
    assert "no-such-package-of-ours" in receipt["output"]


def test_without_a_virtualenv_requirements_are_installed_for_the_user(host, tmp_path):
    python = Python(tmp_path / "prefix")
    write(host.root / "requirements.txt", b"")
    receipt = pip(host, pretending(prefix=str(tmp_path / "prefix")), virtualenv=None)
    options = f"-m pip install --user --disable-pip-version-check -r {host.root}/requirements.txt"
    assert receipt["output"] == f"{python.path} {options}\n"


def test_one_command_at_a_time_changes_the_database(host):
    """Whoever lost sight of a migration begins another one."""
    (host.root / "manage.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)\n")
    first = simple(host, "manage", manage="manage.py", args=["migrate"], settings=None, timeout=60, virtualenv=None)
    child = os.fork()
    if child == 0:
        host.run(job=first)
        os._exit(0)
    output = host.state / f"work-{first['id']}" / "output"
    while not (output.exists() and output.read_text().endswith("\n")):
        time.sleep(0.02)
    command = int(output.read_text())
    try:
        for number in range(2):
            second = host.run(job=dict(first, id=f"{7 + number:016x}"))
            assert (second["state"], second["error"]["kind"]) == ("refused", "busy")
            assert "manage.py migrate, since" in second["error"]["message"]
            assert run(host, "true")["state"] == "done"
            if number == 0:
                # The command goes on without its runner.
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
    finally:
        os.kill(command, signal.SIGKILL)
    (host.root / "manage.py").write_text("print('begun')\n")
    # The last one to hold the lock is gone a moment later.
    for _ in range(100):
        third = host.run(job=dict(first, id="9" * 16))
        if third["state"] == "done":
            break
        (host.state / f"receipt-{'9' * 16}.json").unlink()
        time.sleep(0.05)
    assert third["output"] == "begun\n"


def test_the_history_tells_what_was_run(host):
    run(host, "bash", "-c", "exit 3")
    manage(host, virtualenv="/nowhere")
    receipt = host.run(job=simple(host, "history"))
    told = [(job["operation"], job["state"], job["exit_status"], job["summary"]) for job in receipt["result"]["jobs"]]
    missing = "the virtualenv /nowhere has no working Python"
    assert told == [("run", "failed", 3, "-c ***"), ("manage", "refused", 1, missing)]
    assert json.loads((host.state / "history.json").read_text())["jobs"][-1]["operation"] == "history"
