"""Walking the files of the project, and the job `hash`, which returns their digests."""

import contextlib
import os
import stat

from . import files
from .errors import StepUnfinished
from .names import native, readable


def walk(job, found, want=lambda path: True):
    """The regular files of the project, folder by folder; everything else, and errors, are added to `found`."""
    prune, folders = set(job.job["prune"]), [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(job.root, native(folder))) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found["errors"][folder or "."] = error.strerror or str(error)
            continue
        if folder and any(entry.name == "pyvenv.cfg" for entry in entries):
            found["skipped"][folder] = "a virtualenv"
            continue
        below = []
        for entry in entries:
            path = os.path.join(folder, readable(entry.name))
            if native(readable(entry.name)) != entry.name:
                found["errors"][path] = "its name is not UTF-8"
            elif entry.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    found["links"][path] = readable(os.readlink(entry.path))
            elif entry.is_dir():
                if entry.name in prune:
                    found["skipped"][path] = "not searched"
                else:
                    below.append(path)
            elif not entry.is_file():
                found["skipped"][path] = "not a regular file"
            elif want(path):
                yield path, entry
        folders.extend(reversed(below))


def hash_tree(job):
    """Returns the digest, size and mode bits of each file of the project."""
    path = os.path.join(job.work, "hashes.json")
    known = (files.read_json(path) or {"files": {}})["files"]
    found = {"files": {}, "errors": {}, "skipped": {}, "links": {}}
    try:
        for name, entry in walk(job, found):
            try:
                if name in known:
                    found["files"][name] = known[name]
                    continue
                facts = entry.stat(follow_symlinks=False)
                found["files"][name] = [files.digest_of(entry.path), facts.st_size, stat.S_IMODE(facts.st_mode)]
            except FileNotFoundError:
                continue
            except OSError as error:
                found["errors"][name] = error.strerror or str(error)
                continue
            job.tick()
    except StepUnfinished:
        known.update(found["files"])
        files.write_json(path, {"files": known})
        raise
    job.result = found
