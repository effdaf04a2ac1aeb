"""Keeps the files that a deploy replaced or deleted for a rollback, if that is wanted and they are not too large."""

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
    """As `keep`, but an error only means that nothing is kept."""
    try:
        return keep(transaction, *what)
    except OSError as error:
        transaction.job.output += "the replaced files could not be kept for a rollback: %s\n" % error
        return False, 0


def keep(transaction, journal, written, gone, not_deleted):
    """Keeps the old files; returns whether they are kept, and their size in bytes."""
    store = store_of(transaction.job)
    if os.path.exists(store):
        # An earlier run was killed after this.
        return True, files.read_json(os.path.join(store, "index.json"))["size"]
    index = dict(index_of(transaction, journal, written, gone), not_deleted=not_deleted)
    wanted = transaction.job.job["rollback"]
    is_kept = wanted["versions"] > 0 and (index["size"] <= wanted["bytes"] or bool(journal["overwritten"]))
    stores = [name for name in os.listdir(transaction.job.state) if re.fullmatch("rollback-[0-9a-f]{16}", name)]
    # Older ones are useless without this one: their files would be mixed with those of this deploy.
    for name in files.newest_first(transaction.job.state, stores)[wanted["versions"] - 1 if is_kept else 0 :]:
        if name != journal["spent"]:
            shutil.rmtree(os.path.join(transaction.job.state, name), ignore_errors=True)
    if is_kept:
        for entry in journal["entries"]:
            if entry[0] == "rmdir":
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(transaction.replaced, entry[2]))
        files.write_json(os.path.join(transaction.replaced, "index.json"), index)
        inside = os.path.join(transaction.job.work, "replaced")
        if transaction.replaced != inside:
            shutil.rmtree(inside, ignore_errors=True)
            shutil.copytree(transaction.replaced, inside, symlinks=True)
        os.rename(inside, store)
    return is_kept, index["size"]


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
    size = sum(old["size"] for old in list(replaced.values()) + list(deleted.values()))
    index = {
        "format": limits.FORMAT,
        "id": transaction.job.id,
        "time": int(time.time()),
        "previous": journal["previous"],
        "size": size,
    }
    return dict(index, files=replaced, added=added, deleted=deleted)


def kept_as(transaction, name):
    """The facts about an old file; `None` if there is none of this name."""
    try:
        facts = os.lstat(os.path.join(transaction.replaced, name))
    except FileNotFoundError:
        return None
    return {"name": name, "mode": stat.S_IMODE(facts.st_mode), "size": facts.st_size}
