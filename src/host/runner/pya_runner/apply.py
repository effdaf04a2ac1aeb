"""The job `apply`: checks a bundle, unpacks it beside the project, and puts its files in place in one transaction."""

import gzip
import io
import json
import os
import tarfile
import zlib

from . import files, limits, retention
from .errors import JobError, StepUnfinished
from .names import checked_name
from .transaction import NOTHING_APPLIED, Transaction


def apply(job):
    """Puts the files of a bundle in place, all of them or none."""
    # Before the journal is written, no file of the project is touched.
    job.result = dict(NOTHING_APPLIED, undone=not job.has_begun())
    transaction = Transaction(job)
    if not transaction.is_planned():
        unpack(job, transaction)
    for part in job.job["parts"]:
        # The disk may be nearly full, and the receipt still needs room.
        files.remove(os.path.join(job.work, checked_name(part["name"])))
    transaction.apply()


def unpack(job, transaction):
    """Unpacks the bundle into the staging folder, and plans the transaction."""
    progress_path = os.path.join(job.work, "progress.json")
    seen = (files.read_json(progress_path) or {"seen": []})["seen"]
    if not seen:
        check_parts(job)
        retention.make_room(job, job.job["bytes"], transaction.staging)
    count, total, plan = 0, 0, None
    try:
        with tarfile.open(fileobj=gzip.GzipFile(fileobj=Parts(job)), mode="r|", encoding="utf-8") as archive:
            for member in archive:
                is_plan = member.name == "plan.json"
                if is_plan and member.size > limits.MAX_PLAN_SIZE:
                    raise JobError("digest", "the plan of the bundle is too large")
                if plan is not None or not member.isreg():
                    raise JobError("name", "the bundle contains an unexpected member: %r" % member.name)
                content = archive.extractfile(member)
                if is_plan:
                    plan = json.loads(content.read().decode())
                    continue
                total += member.size
                if not member.name.startswith("files/") or total > job.job["bytes"]:
                    raise JobError("digest", "the bundle is not the one that was announced")
                if count >= len(seen):
                    digest = files.copy(content, os.path.join(transaction.staging, "%06d" % count))
                    seen.append([member.name[6:], digest, member.size])
                    # Only here: a step that could end while it skips finished files would never get further.
                    job.tick()
                count += 1
    except StepUnfinished:
        files.write_json(progress_path, {"seen": seen})
        raise
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise JobError("digest", "the bundle is damaged: %s" % error)
    names = ("files", "delete", "clear", "manifest", "remove")
    if not isinstance(plan, dict) or any(name not in plan for name in names):
        raise JobError("digest", "the bundle has no plan")
    incoming, deletes, clear, manifest, old_notes = (plan[name] for name in names)
    if [[file.get("path"), file.get("sha256"), file.get("size")] for file in incoming] != seen:
        raise JobError("digest", "the files in the bundle are not the ones in its plan")
    transaction.plan(incoming, deletes, clear, manifest, old_notes, previous=plan.get("previous"))


def check_parts(job):
    """Raises unless the parts of the bundle are there, and are what was uploaded."""
    for part in job.job["parts"]:
        path = os.path.join(job.work, checked_name(part["name"]))
        if not os.path.exists(path):
            raise JobError("missing", "%s was not uploaded" % part["name"])
        if os.path.getsize(path) != part["size"] or files.digest_of(path) != part["sha256"]:
            raise JobError("digest", "%s differs from the upload" % part["name"])
        job.tick(may_stop=False)


class Parts(io.RawIOBase):
    """The parts of a bundle as one stream."""

    def __init__(self, job):
        self.paths = [os.path.join(job.work, checked_name(part["name"])) for part in job.job["parts"]]
        self.file = None

    def readable(self):
        return True

    def readinto(self, buffer):
        while True:
            if self.file is None:
                if not self.paths:
                    return 0
                self.file = open(self.paths.pop(0), "rb")
            count = self.file.readinto(buffer)
            if count:
                return count
            self.file.close()
            self.file = None
