"""Refuses to open files for writing once the account's disk is full, in every Python that the account runs.

It is imported as `sitecustomize`, from a folder in `PYTHONPATH` that also has `quota.json`: `quota` in bytes,
`counted` (the real folders that count) and `guarded` (the paths by which the account's processes know them). There is
no other way without privileges: nothing of the kernel limits how much the folders of a process may hold. Programs that
are not Python are not held back.
"""

import errno
import importlib
import json
import os
import sys
import time

# A scan takes at most a tenth of the time.
SHARE, LEAST_PAUSE = 10, 0.05
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Disk:
    def __init__(self, quota, counted, guarded):
        self.quota, self.counted, self.guarded = quota, counted, tuple(guarded)
        self.full, self.next_scan = False, 0.0

    def used(self):
        folders, used = list(self.counted), 0
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        elif entry.is_file(follow_symlinks=False):
                            used += entry.stat(follow_symlinks=False).st_size
            except OSError:
                # It is gone already.
                continue
        return used

    def is_full(self):
        started = time.monotonic()
        if started >= self.next_scan:
            self.full = self.used() >= self.quota
            ended = time.monotonic()
            self.next_scan = ended + max(LEAST_PAUSE, SHARE * (ended - started))
        return self.full

    def audit(self, event, arguments):
        if event != "open":
            return
        path, mode, flags = arguments
        is_write = any(letter in mode for letter in "wax+") if isinstance(mode, str) else flags & WRITES
        if not is_write or isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        if path.startswith(self.guarded) and self.is_full():
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), path)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "quota.json"), encoding="utf-8") as file:
        settings = json.load(file)
    sys.addaudithook(Disk(**settings).audit)
    # The account sees none of this, and a module of its own by this name counts.
    sys.path[:] = [folder for folder in sys.path if folder != here]
    ours = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as error:
        if error.name != "sitecustomize":
            raise
        # Whoever imports this module expects to find it there.
        sys.modules["sitecustomize"] = ours


main()
