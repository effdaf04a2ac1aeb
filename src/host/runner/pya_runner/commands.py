"""The jobs `manage`, `pip` and `run`: one command, which is run once, by the Python of the web app."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

from . import files, limits, variables
from .errors import Cancelled, CommandFailed, JobError, Refusal
from .names import checked_path, native, readable
from .reach import Reach
from .redact import redacted


def manage(job):
    """Runs manage.py with the web app's Python, in its working folder: relative paths in settings count from there."""
    script = os.path.join(job.root, native(checked_path(job.job["manage"])))
    if not os.path.isfile(script):
        raise Refusal("missing", "there is no %s in the project" % job.job["manage"])
    python = interpreter(job)
    run_command(job, [python, script] + job.job["args"], working_folder(job) or os.path.dirname(script))


def pip(job):
    """Installs requirements for the web app's Python."""
    file = os.path.join(job.root, native(checked_path(job.job["requirements"])))
    if not os.path.isfile(file):
        raise Refusal("missing", "there is no %s in the project" % job.job["requirements"])
    python = interpreter(job)
    words = [python, "-m", "pip", "install", "--disable-pip-version-check", "-r", file]
    if not is_virtualenv(python):
        # The system's own packages are read-only.
        words.insert(4, "--user")
    run_command(job, words, job.root)


def run(job):
    """Runs any command, for tasks and consoles."""
    folder = os.path.join(job.root, native(checked_path(job.job["folder"]))) if job.job["folder"] else job.root
    run_command(job, job.job["command"], folder)


def working_folder(job):
    """The folder that the web app works in: the one that the job names, as a process may be older than its settings."""
    return job.local(job.job.get("folder") or "") or ("" if job.is_program else os.getcwd())


def interpreter(job):
    """The Python of the web app. In a web app, `sys.executable` is the server."""
    version = "%d.%d" % sys.version_info[:2]
    wanted = job.job.get("virtualenv")
    if wanted:
        # In the emulator, a virtualenv may lie outside the account.
        python = os.path.join(native(wanted), "bin", "python")
        inside = os.path.join(job.local(wanted), "bin", "python")
        python = inside if os.path.exists(inside) else python
        found = version_of(python)
        if found is None:
            raise Refusal("interpreter", "the virtualenv %s has no working Python" % wanted)
        if not job.is_program and found != version:
            raise Refusal("interpreter", "%s has Python %s, but the web app runs Python %s" % (wanted, found, version))
        return python
    if job.is_program:
        return same_as_the_web_app(job) or sys.executable
    candidates = [os.path.join(sys.prefix, "bin", "python")]
    candidates += [os.path.join(folder, "python" + version) for folder in ("/usr/bin", "/usr/local/bin")]
    candidates.append(os.path.join(sys.base_prefix, "bin", "python" + version))
    for python in candidates:
        if version_of(python) == version:
            return python
    raise Refusal("interpreter", "the web app runs Python %s, which was not found" % version)


def same_as_the_web_app(job):
    """The host's Python of the web app's version, which need not be the one of `python3`; `None` if it is this one."""
    wanted = job.job.get("python")
    if not wanted or wanted == "%d.%d" % sys.version_info[:2]:
        return None
    python = shutil.which("python" + wanted)
    if python is None:
        raise Refusal("interpreter", "the web app runs Python %s, which was not found" % wanted)
    return python


def version_of(python):
    """The version of a Python, as in `3.11`; `None` if it does not run."""
    words = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(words, stdout=subprocess.PIPE, timeout=30, check=True).stdout.decode().strip()
    except (OSError, subprocess.SubprocessError):
        return None


def is_virtualenv(python):
    """Whether a Python belongs to a virtualenv."""
    return os.path.exists(os.path.join(os.path.dirname(os.path.dirname(python)), "pyvenv.cfg"))


def module_path(job):
    """Where Python looks for modules besides its own places: as the web app does."""
    if job.is_program:
        return list(map(job.local, job.job.get("path", ())))
    # Where its own modules and packages are, the interpreter knows best.
    own = tuple(prefix + lib for prefix in (sys.prefix, sys.base_prefix) for lib in ("/lib/python", "/lib64/python"))
    places = [place for place in sys.path if isinstance(place, str) and os.path.isabs(place)]
    return [place for place in places if not place.startswith(own) and "-packages" not in place]


def environment_of(job):
    """The variables of a command. Those that are not to be recorded are in a file that is read once."""
    given = {}
    if job.job.get("variables"):
        path = os.path.join(job.work, "variables.json")
        given = files.read_json(path)
        files.remove(path)
        if given is None:
            raise Refusal("missing", "the variables of this command are gone: give it anew")
    own = variables.of_web_app(job)
    for name in own.keys() & job.job.get("defaults", ()):
        given.pop(name, None)
    environment = dict(variables.inherited(job, own), **given, PYTHONUNBUFFERED="1")
    if job.job["operation"] in ("pip", "requirements"):
        # What is installed may run code of its own, which has no use for the account's token.
        environment.pop("API_TOKEN", None)
    if job.job["operation"] in ("manage", "inspect"):
        places = module_path(job) + [environment.get("PYTHONPATH")]
        environment["PYTHONPATH"] = ":".join(filter(None, places))
    if job.job.get("settings"):
        environment["DJANGO_SETTINGS_MODULE"] = job.job["settings"]
    return environment


def run_command(job, words, folder):
    """Runs a command until it ends, its time is up or it is cancelled. Its own process group is ended as a whole."""
    environment = environment_of(job)
    Reach(job)
    if not os.path.isdir(folder):
        raise Refusal("missing", "there is no folder %s" % readable(folder))
    words = [native(word) for word in words]
    argv = redacted([readable(word) for word in words])
    if job.job["operation"] == "manage":
        argv[1] = os.path.basename(argv[1])
    job.result = {"argv": argv, "interpreter": argv[0], "timed_out": False, "signal": None}
    printed = os.path.join(job.work, "output")
    with command_lock(job, " ".join(argv[1:])) as lock:
        if is_cancelled(job):
            raise Cancelled("it was cancelled before it started")
        # If this runner is killed from here on, the next one must know that the command was started.
        job.save(job.receipt_path(), job.new_receipt("running"))
        status, ended = run_process(job, words, folder, environment, printed, job.job["timeout"], lock)
    job.result["timed_out"] = ended == "timed_out"
    job.output, job.truncated = read_output(printed)
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        job.result["signal"] = names.get(-status, "signal %d" % -status)
        status = 128 - status
    job.exit_status = status
    if ended:
        job.exit_status = status or 1
    if ended == "timed_out":
        raise JobError("timed_out", "the command was stopped after %d s" % job.job["timeout"])
    if ended:
        raise Cancelled("the command was cancelled")
    if status != 0:
        # The status says so, and the output says why.
        raise CommandFailed(status)


def run_process(job, words, folder, environment, printed, limit, lock):
    """Runs a program in a process group of its own; what it prints is appended to a file.

    Returns its status, and why it was ended, if it was: `timed_out` or `cancelled`.
    """
    try:
        with open(printed, "ab") as output:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The program may outlive the runner, and keeps the lock.
                pass_fds=() if lock is None else (lock,),
            )
    except OSError as error:
        raise JobError("local", "%s: %s" % (words[0], error.strerror))
    now, cancelled = time.monotonic(), False
    end, look = now + limit, now + 1
    while process.poll() is None and now < end and not cancelled:
        job.tick(may_stop=False)
        time.sleep(0.02)
        now = time.monotonic()
        if now > look:
            look, cancelled = now + 1, is_cancelled(job)
    if process.poll() is not None:
        return process.returncode, None
    end_group(process)
    return process.returncode, "cancelled" if cancelled else "timed_out"


def is_cancelled(job):
    """Whether the client said that nobody waits for the command any more. A listing is not answered from a cache."""
    return "cancel" in os.listdir(job.work)


@contextlib.contextmanager
def command_lock(job, words):
    """Lets one command at a time change the database or packages: a client that lost sight of one may start another."""
    if job.job["operation"] not in ("manage", "pip", "requirements"):
        yield None
        return
    lock = os.open(os.path.join(job.state, "command.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not files.try_lock(lock):
            if job.job["operation"] != "requirements":
                other = os.read(lock, 200).decode("utf-8", "replace")
                raise Refusal(
                    "busy", "another command is still running in this project (%s): wait until it has ended" % other
                )
            # It may be what an earlier step started, and left when it was killed.
            wait(job)
        words = words[:100] + time.strftime(", since %H:%M UTC", time.gmtime())
        os.ftruncate(lock, 0)
        os.write(lock, words.encode("utf-8", "replace"))
        yield lock
    finally:
        os.close(lock)


def wait(job):
    """Waits a moment for something else to end: for as long as the step may take, and then in another one."""
    if is_cancelled(job):
        raise Cancelled("it was cancelled before it started")
    job.tick()
    time.sleep(0.2)


def end_group(process):
    """Ends a process and all that it started, with TERM first, so that they can finish what they are doing."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + limits.GRACE_SECONDS
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_output(path):
    """What a command printed, or its beginning and its end, and whether something was omitted."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        if size <= limits.OUTPUT_HEAD + limits.OUTPUT_TAIL:
            return file.read().decode("utf-8", "replace"), False
        head = file.read(limits.OUTPUT_HEAD)
        file.seek(size - limits.OUTPUT_TAIL)
        tail = file.read()
    gap = "\n[... %d bytes omitted ...]\n" % (size - limits.OUTPUT_HEAD - limits.OUTPUT_TAIL)
    return head.decode("utf-8", "replace") + gap + tail.decode("utf-8", "replace"), True


def last_lines(path, what):
    """The kind and the message of a failure, with the end of what a program printed."""
    text = read_output(path)[0].strip()
    kind = "space" if re.search("No space left|[Qq]uota exceeded", text) else "program"
    if kind == "space":
        what += ": the disk quota is used up"
    return kind, "%s:\n%s" % (what, text[-1500:]) if text else what
