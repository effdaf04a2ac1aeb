"""Kills the runner, or lets it fail, at any step that it makes: each call of the system that changes a file system."""

import builtins
import os
import signal
import traceback

from runner_host import Host, runner

CALLS = ["replace", "link", "rename", "mkdir", "unlink", "rmdir", "chmod", "listdir", "posix_fallocate", "sendfile"]
CHANGES = ("write", "flush", "truncate", "close")


class Counted:
    """While it is entered, lets `act` happen in place of the n-th step that changes a file system, or lists a folder.

    Calls of `os` count, and all that happens to a file that is open for writing, by the runner or by `shutil`: what was
    written and is not flushed yet is lost by a kill, as in life.
    """

    def __init__(self, number: int, act):
        self.left, self.act, self.real = number, act, {}

    def __enter__(self):
        for name in CALLS:
            self.replace(os, name, self.counted(getattr(os, name)))
        self.replace(os, "open", self.counted_if(os.open, lambda _path, flags, *_: flags & os.O_CREAT))
        real_open = builtins.open

        def is_written(mode: str) -> bool:
            return any(letter in mode for letter in "wax+")

        def open_counted(path, mode="r", *args, **kwargs):
            if not is_written(mode):
                return real_open(path, mode, *args, **kwargs)
            self.count()
            return CountedFile(real_open(path, mode, *args, **kwargs), self)

        self.replace(builtins, "open", open_counted)
        self.replace(
            os, "fdopen", lambda fd, mode="r", *args, **kw: CountedFile(real_open(fd, mode, *args, **kw), self)
        )
        return self

    def __exit__(self, *_):
        for (holder, name), function in self.real.items():
            setattr(holder, name, function)

    def replace(self, holder, name, function):
        self.real[holder, name] = getattr(holder, name)
        setattr(holder, name, function)

    def counted(self, function):
        return self.counted_if(function, lambda *_: True)

    def counted_if(self, function, does_count):
        def call(*args, **kwargs):
            if does_count(*args):
                self.count()
            return function(*args, **kwargs)

        return call

    def count(self):
        self.left -= 1
        if self.left == 0:
            self.act()


class CountedFile:
    def __init__(self, file, counter: Counted):
        self.file, self.counter = file, counter

    def __getattr__(self, name):
        value = getattr(self.file, name)
        return self.counter.counted(value) if name in CHANGES else value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.counter.count()
        finally:
            self.file.close()


def in_child(act) -> int:
    """Runs `act` in a forked child; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(host: Host, number: int, job=None, module=runner) -> bool:
    """Runs the job and kills it at its n-th step; False if it had fewer."""

    def act():
        with Counted(number, kill_self):
            host.run(module=module, job=job)

    status = in_child(act)
    assert status in (0, -signal.SIGKILL)
    return status != 0


def fail_at(host: Host, number: int, code: int, job=None, module=runner):
    """Runs the job with an error at its n-th step.

    Its receipt, or the error if even that could not be written; and whether it had so many steps.
    """

    def fail():
        raise OSError(code, os.strerror(code))

    with Counted(number, fail) as counted:
        try:
            receipt = host.run(module=module, job=job)
        except OSError as error:
            receipt = error
    return receipt, counted.left <= 0
