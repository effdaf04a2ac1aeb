"""The jobs `manage`, `pip` and `run`: one command, which is run once, by the Python of the web app."""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time

from . import limits
from .errors import CommandFailed, JobError, Refusal
from .names import checked_path, native, readable
from .reach import Reach
from .redact import redacted


def manage(job):
    """Runs manage.py with the web app's Python."""
    script = os.path.join(job.root, native(checked_path(job.job["manage"])))
    if not os.path.isfile(script):
        raise Refusal("missing", "there is no %s in the project" % job.job["manage"])
    python = interpreter(job)
    run_command(job, [python, os.path.basename(script)] + job.job["args"], os.path.dirname(script))


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


def run_command(job, words, folder):
    """Runs a command until it ends or its time is up. It gets its own process group, which is ended as a whole."""
    Reach(job)
    if not os.path.isdir(folder):
        raise Refusal("missing", "there is no folder %s" % job.job["root"])
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    if job.job["operation"] == "pip":
        # What is installed may run code of its own, which has no use for the account's token.
        environment.pop("API_TOKEN", None)
    if job.job.get("settings"):
        environment["DJANGO_SETTINGS_MODULE"] = job.job["settings"]
    words = [native(word) for word in words]
    argv = redacted([readable(word) for word in words])
    job.result = {"argv": argv, "interpreter": argv[0], "timed_out": False, "signal": None}
    printed = os.path.join(job.work, "output")
    with command_lock(job) as lock, open(printed, "wb") as output:
        # If this runner is killed from here on, the next one must know that the command was started.
        job.save(job.receipt_path(), job.new_receipt("running"))
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The command may outlive the runner, and keeps the lock.
                pass_fds=() if lock is None else (lock,),
            )
        except OSError as error:
            raise JobError("local", "%s: %s" % (words[0], error.strerror))
        limit = time.monotonic() + job.job["timeout"]
        while process.poll() is None and time.monotonic() < limit:
            job.tick(may_stop=False)
            time.sleep(0.02)
        if process.poll() is None:
            job.result["timed_out"] = True
            end_group(process)
    job.output, job.truncated = read_output(printed)
    status = process.returncode
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        job.result["signal"] = names.get(-status, "signal %d" % -status)
        status = 128 - status
    job.exit_status = status
    if job.result["timed_out"]:
        job.exit_status = status or 1
        raise JobError("timed_out", "the command was stopped after %d s" % job.job["timeout"])
    if status != 0:
        # The status says so, and the output says why.
        raise CommandFailed(status)


@contextlib.contextmanager
def command_lock(job):
    """Lets one command at a time change the database or packages: a client that lost sight of one may start another."""
    if job.job["operation"] not in ("manage", "pip"):
        yield None
        return
    lock = os.open(os.path.join(job.state, "command.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = os.read(lock, 200).decode("utf-8", "replace")
            raise Refusal(
                "busy", "another command is still running in this project (%s): wait until it has ended" % words
            )
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        words = " ".join(job.result["argv"][1:])[:100] + time.strftime(", since %H:%M UTC", time.gmtime())
        os.ftruncate(lock, 0)
        os.write(lock, words.encode("utf-8", "replace"))
        yield lock
    finally:
        os.close(lock)


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
