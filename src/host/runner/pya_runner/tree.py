"""Walking the files of the project, and the job `hash`, which returns their digests."""

import contextlib
import os
import stat

from . import files
from .errors import JobError, StepUnfinished
from .names import native, readable
from .reach import LIST, Reach


def walk(job, found, want=lambda path: True):
    """The regular files of the project, folder by folder; everything else, and errors, are added to `found`.

    Each comes with its name and its open folder: by its path, it might be reached through a link that was just made.
    """
    reach, prune, folders = Reach(job), set(job.job["prune"]), [""]
    while folders:
        folder = folders.pop()
        with contextlib.ExitStack() as stack:
            try:
                place = os.path.join(reach.root, native(folder)) if folder else reach.root
                opened = stack.enter_context(reach.opened(place, LIST))
                with os.scandir(opened) as listing:
                    entries = sorted(listing, key=lambda entry: entry.name)
            except (OSError, JobError) as error:
                found["errors"][folder or "."] = getattr(error, "strerror", None) or str(error)
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
                        found["links"][path] = readable(os.readlink(entry.name, dir_fd=opened))
                elif entry.is_dir(follow_symlinks=False):
                    if entry.name in prune:
                        found["skipped"][path] = "not searched"
                    else:
                        below.append(path)
                elif not entry.is_file(follow_symlinks=False):
                    found["skipped"][path] = "not a regular file"
                elif want(path):
                    yield path, entry.name, opened
            folders.extend(reversed(below))


def hash_tree(job):
    """Returns the digest, size and mode bits of each file of the project."""
    notes = os.path.join(job.work, "hashes.json")
    known = (files.read_json(notes) or {"files": {}})["files"]
    found = {"files": {}, "errors": {}, "skipped": {}, "links": {}}
    try:
        for path, name, folder in walk(job, found):
            try:
                if path in known:
                    found["files"][path] = known[path]
                    continue
                with files.open_regular(name, folder) as file:
                    facts = os.fstat(file.fileno())
                    digest = files.digest_of_stream(file)
                found["files"][path] = [digest, facts.st_size, stat.S_IMODE(facts.st_mode)]
            except FileNotFoundError:
                continue
            except OSError as error:
                found["errors"][path] = error.strerror or str(error)
                continue
            job.tick()
    except StepUnfinished:
        known.update(found["files"])
        files.write_json(notes, {"files": known})
        raise
    job.result = found
