"""Reaches folders and files of the project without following a link out of the account.

If a folder of the project is a link, its files are meant to be where it leads. The API follows such links, and so does
the runner, since a bundle must do the same as single uploads. But the API follows them only within the account; and in
the emulator, an absolute link may lead to the machine that it runs on.

Checking a path is not enough: whoever can write to the project can replace a folder with a link between the check and
the move. So the links are resolved once. Each move then opens the folder that was found, name by name, and follows no
links; it acts relative to the open folder, which stays the same whatever becomes of its path.
"""

import contextlib
import os
import stat

from .errors import JobError, Refusal
from .names import readable

# A folder that is opened only to reach what is in it need not be readable.
PASS = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
LIST = os.O_DIRECTORY | os.O_CLOEXEC | os.O_RDONLY


class Reach:
    """What a job may reach: the account, and the project's own folder if it is elsewhere."""

    def __init__(self, job):
        places = [job.home, "/var/www", "/var/log"]
        if not any(is_below(job.root, place) for place in places):
            places.append(os.path.dirname(job.root))
        self.areas = [os.path.realpath(place) for place in places]
        self.root = os.path.realpath(job.root)
        if not self.is_within(self.root):
            message = "a link leads the project %s out of the account, to %s"
            raise Refusal("obstacle", message % (readable(job.root), readable(self.root)))

    def is_within(self, real):
        """Whether a path without links is one that the job may reach."""
        return any(is_below(real, area) for area in self.areas)

    def resolve(self, folder, path):
        """Where the links of a folder lead, for a file in it."""
        real = os.path.realpath(folder)
        if not self.is_within(real):
            message = "a link leads %s out of the account, to %s" % (path, readable(real))
            raise JobError("obstacle", message, path)
        return real

    @contextlib.contextmanager
    def opened(self, real, flags=PASS, make=False):
        """The open folder at a path that had no links when it was resolved, and must have none now.

        With `make`, folders that are missing are made.
        """
        area = max((area for area in self.areas if is_below(real, area)), key=len)
        names = [name for name in real[len(area) :].split("/") if name]
        folder = os.open(area, flags if not names else PASS)
        try:
            for number, name in enumerate(names, 1):
                below = enter(folder, name, flags if number == len(names) else PASS, make)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)


def enter(folder, name, flags, make):
    """Opens a folder in an open one."""
    if make:
        with contextlib.suppress(FileExistsError):
            # The umask of a server may let everybody write.
            os.mkdir(name, 0o755, dir_fd=folder)
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        if is_kind(stat.S_ISLNK, name, folder):
            raise JobError("obstacle", "%s was just replaced with a link" % readable(name))
        raise


def is_kind(test, name, folder):
    """Whether a name in an open folder is of a kind, such as `stat.S_ISDIR`; links are not followed."""
    try:
        return test(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except OSError:
        return False


def is_below(path, area):
    """Whether a path is an area or lies in it."""
    return path == area or path.startswith(area.rstrip("/") + "/")
