"""The job `venv`: a virtualenv in `~/.virtualenvs`, where the service's guides make them.

One that is there is used and never made anew, whoever made it. Only what a killed job of ours left half-made goes: it
has a mark with the number of its folder, which is renamed when it is finished. The mark is also the lock: a program
that a killed runner left behind holds it until it ends.
"""

import contextlib
import os
import re
import shutil
import sys

from . import files, limits
from .commands import last_lines, run_process, version_of, wait
from .errors import Cancelled, JobError, Refusal
from .names import readable
from .reach import is_below

BEGUN, DONE = ".pya-begun", ".pya-done"


def venv(job):
    """Makes a virtualenv, unless it is there."""
    name, version = job.job["name"], job.job["python"]
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
        raise Refusal("name", "%r cannot be the name of a virtualenv" % (name,))
    if not re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", version):
        raise Refusal("name", "%r is not a version of Python" % (version,))
    folder = os.path.realpath(os.path.join(job.home, ".virtualenvs"))
    if not is_below(folder, os.path.realpath(job.home)):
        raise Refusal("interpreter", "a link leads ~/.virtualenvs out of the account, to %s" % readable(folder))
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o755)
    place = os.path.join(folder, name)
    created = not is_usable(job, place, name, version)
    while created and not make(job, place, name, version):
        # Another job has just begun it.
        wait(job)
        created = not is_usable(job, place, name, version)
    words = "virtualenv %s with Python %s" % (name, version)
    job.result = {"python": version, "created": created, "summary": words if created else words + " is there"}


def is_usable(job, place, name, version):
    """Whether there is a virtualenv. What is there and is none, or another, or half-made by somebody else, stays."""

    def no(why):
        raise Refusal("interpreter", "~/.virtualenvs/%s %s: remove it, or choose another name" % (name, why))

    # It was moved here to be removed, so that no half of it could be taken for somebody's.
    shutil.rmtree(aside(place), ignore_errors=True)
    with contextlib.suppress(OSError):
        os.unlink(aside(place))
    if os.path.islink(place):
        no("is a link")
    if not os.path.lexists(place):
        return False
    if not os.path.isdir(place):
        no("is not a folder")
    if is_half_made(place):
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(os.path.join(place, BEGUN), os.O_RDWR | os.O_NOFOLLOW)
            try:
                while not files.try_lock(lock):
                    wait(job)
                # Whoever held the lock may have finished it.
                if is_half_made(place):
                    remove(place)
            finally:
                os.close(lock)
        return is_usable(job, place, name, version)
    if not os.listdir(place):
        return False
    found = version_in(place)
    if found is None:
        no("is not a virtualenv")
    if found != version:
        no("has Python %s, not %s" % (found, version))
    if version_of(os.path.join(place, "bin", "python")) != version:
        no("has a Python that does not start")
    return True


def is_half_made(place):
    """Whether a folder has the mark of a job that began it, and did not finish it."""
    try:
        with files.open_regular(os.path.join(place, BEGUN)) as file:
            # An empty mark was just made.
            return file.read(100) in (number_of(place), b"" if os.listdir(place) == [BEGUN] else None)
    except OSError:
        return False


def number_of(place):
    return b"%d" % os.lstat(place).st_ino


def version_in(place):
    """The version of Python that a virtualenv was made for; `None` if it is none."""
    try:
        with files.open_regular(os.path.join(place, "pyvenv.cfg")) as file:
            text = file.read(1 << 16).decode("utf-8", "replace")
    except OSError:
        return None
    match = re.search(r"^version(?:_info)?\s*=\s*([0-9]+\.[0-9]+)", text, re.MULTILINE)
    return match and match.group(1)


def make(job, place, name, version):
    """Makes it with the first program that can; false if somebody else is making it."""
    python = python_of(version)
    files.check_space(job.work, limits.VIRTUALENV_SIZE)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment.pop("API_TOKEN", None)
    ways = [[python, "-I", "-m", "venv", place]]
    other = shutil.which("virtualenv", path=os.environ.get("PATH", "") + ":/usr/local/bin:/usr/bin")
    if other:
        ways.append([other, "-p", python, place])
    printed = os.path.join(job.work, "output")
    for words in ways:
        with contextlib.suppress(FileExistsError):
            os.mkdir(place, 0o755)
        mark = os.path.join(place, BEGUN)
        try:
            lock = os.open(mark, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        except (FileExistsError, FileNotFoundError):
            return False
        try:
            if not files.try_lock(lock) or not is_at(lock, mark):
                return False
            os.write(lock, number_of(place))
            status, ended = run_process(job, words, job.work, environment, printed, limits.LONGEST_PROGRAM, lock)
            if not status and not ended and version_of(os.path.join(place, "bin", "python")) == version:
                os.rename(mark, os.path.join(place, DONE))
                return True
            remove(place)
        finally:
            os.close(lock)
        if ended == "cancelled":
            raise Cancelled("the virtualenv was not made: the job was cancelled")
        if ended:
            raise JobError("timed_out", "%s was stopped after %d s" % (" ".join(words[:-1]), limits.LONGEST_PROGRAM))
    raise JobError(*last_lines(printed, "the virtualenv %s could not be made" % name))


def is_at(file, path):
    """Whether an open file is still at its path."""
    try:
        return os.fstat(file).st_ino == os.stat(path).st_ino
    except FileNotFoundError:
        return False


def python_of(version):
    """The host's Python of a version."""
    name = "python" + version
    places = ["/usr/local/bin", "/usr/bin"]
    # The one that runs the web app, if it has this version: another one of it may be of another patch level.
    places.insert(0 if version == "%d.%d" % sys.version_info[:2] else 2, os.path.join(sys.base_prefix, "bin"))
    for python in [*(os.path.join(place, name) for place in places), shutil.which(name)]:
        if python and version_of(python) == version:
            return python
    raise Refusal("interpreter", "there is no Python %s here: choose another version" % version)


def aside(place):
    folder, name = os.path.split(place)
    return os.path.join(folder, ".pya-gone-" + name)


def remove(place):
    """Removes what we began: in one step first, since half of it would have lost its mark."""
    os.rename(place, aside(place))
    shutil.rmtree(aside(place), ignore_errors=True)
