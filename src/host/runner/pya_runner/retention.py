"""Keeps the files that the last deploy replaced or deleted for a rollback, whatever their size.

They cost no more than they did before the deploy, but where that leaves the site no room for its own files they go.
"""

import contextlib
import os
import re
import shutil
import stat
import time

from . import files, limits


def store_of(job):
    """The folder where the old files of a deploy are kept."""
    return os.path.join(job.state, "rollback-" + job.id)


def try_to_keep(transaction, *what):
    """As `keep`, but an error only means that nothing is kept; returns whether that is so, too."""
    try:
        try:
            return True, keep(transaction, *what)
        except OSError:
            if not forget(transaction.job):
                raise
            return True, keep(transaction, *what)
    except OSError as error:
        transaction.job.output += "the replaced files could not be kept for a rollback: %s\n" % error
        return False, 0
    finally:
        # They are useless without those of this deploy.
        with contextlib.suppress(OSError):
            forget(transaction.job)


def keep(transaction, journal, written, gone, not_deleted):
    """Keeps the old files; returns their size in bytes."""
    job, store = transaction.job, store_of(transaction.job)
    if os.path.exists(store):
        # An earlier run was killed after this.
        return files.read_json(os.path.join(store, "index.json"))["size"]
    index = dict(index_of(transaction, journal, written, gone), not_deleted=not_deleted)
    for entry in journal["entries"]:
        if entry[0] == "rmdir":
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(transaction.replaced, entry[2]))
    inside = os.path.join(job.work, "replaced")
    if transaction.replaced != inside:
        shutil.rmtree(inside, ignore_errors=True)
        shutil.copytree(transaction.replaced, inside, symlinks=True)
    files.write_json(os.path.join(inside, "index.json"), index)
    if not journal["overwritten"]:
        try:
            make_room(job, limits.RESERVE, job.work)
        except OSError:
            raise OSError("less than %d MiB would stay free" % (limits.RESERVE >> 20)) from None
    os.rename(inside, store)
    return index["size"]


def make_room(job, size, folder):
    """Raises unless `size` bytes can be written, once the old files of earlier deploys have made room if need be."""
    try:
        files.check_space(folder, size)
    except OSError:
        if not forget(job):
            raise
        files.check_space(folder, size)


def forget(job):
    """Removes the old files of other deploys, each in one step; whether there were any."""
    own = os.path.basename(store_of(job))
    stores = [name for name in os.listdir(job.state) if re.fullmatch("rollback-[0-9a-f]{16}", name) and name != own]
    for name in stores:
        gone = os.path.join(job.state, "gone-" + name[9:])
        with contextlib.suppress(OSError):
            os.rename(os.path.join(job.state, name), gone)
        shutil.rmtree(gone, ignore_errors=True)
    return bool(stores)


def index_of(transaction, journal, written, gone):
    """The index of the old files, which a rollback reads."""
    replaced, added, deleted = {}, {}, {}
    for _, path, number, _, _ in written:
        old = kept_as(transaction, number)
        deployed = journal["digests"].get(path) or transaction.digest(path)
        if old is not None:
            replaced[path] = dict(old, deployed=deployed)
        else:
            added[path] = deployed
    for path, name in gone + [(entry[1], entry[2]) for entry in journal["entries"] if entry[0] == "remove"]:
        old = kept_as(transaction, name)
        if old is not None:
            deleted[path] = old
    return {
        "format": limits.FORMAT,
        "id": transaction.job.id,
        "operation": transaction.job.job["operation"],
        "time": int(time.time()),
        "previous": journal["previous"],
        "size": sum(old["size"] for old in list(replaced.values()) + list(deleted.values())),
        "files": replaced,
        "added": added,
        "deleted": deleted,
        # Folders that are gone, with their mode bits, and those that were made.
        "folders": {
            path: mode for path, mode in journal["modes"].items() if not os.path.isdir(transaction.place(path))
        },
        "made": [entry[1] for entry in journal["entries"] if entry[0] == "mkdir"],
    }


def kept_as(transaction, name):
    """The facts about an old file; `None` if there is none of this name."""
    try:
        facts = os.lstat(os.path.join(transaction.replaced, name))
    except FileNotFoundError:
        return None
    return {"name": name, "mode": stat.S_IMODE(facts.st_mode), "size": facts.st_size}
