"""The job `apply`: checks a bundle, unpacks it beside the project, and puts its files in place in one transaction."""

import gzip
import io
import json
import os
import tarfile
import zlib

from . import copies, files, limits, retention
from .errors import Incomplete, JobError, StepUnfinished
from .names import checked_name
from .transaction import NOTHING_APPLIED, Transaction


def apply(job):
    """Puts the files of a bundle in place, all of them or none."""
    # Before the journal is written, no file of the project is touched.
    job.result = dict(NOTHING_APPLIED, undone=not job.has_begun())
    transaction = Transaction(job)
    if not transaction.is_planned():
        unpack(job, transaction)
    for part in job.job["parts"] + job.job.get("more", {"parts": []})["parts"]:
        # The disk may be nearly full, and the receipt still needs room.
        files.remove(os.path.join(job.work, checked_name(part["name"])))
    transaction.apply()


def unpack(job, transaction):
    """Stages all files, those that were sent and those that are copied on the host, and plans the transaction."""
    path = os.path.join(job.work, "progress.json")
    progress = files.read_json(path) or {"seen": [], "done": [], "missing": [], "got": None}
    try:
        stage(job, transaction, progress)
    except (StepUnfinished, Incomplete):
        files.write_json(path, progress)
        raise
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise JobError("digest", "the bundle is damaged: %s" % error)


def stage(job, transaction, progress):
    """As `unpack`, from where the last step ended."""
    seen, plan = progress["seen"], None
    if not seen and not progress["done"]:
        check_parts(job, job.job)
        retention.make_room(job, job.job["bytes"] + job.job.get("copies", 0), transaction.staging)
    count = 0
    for name, size, content in members(job, job.job):
        if name == "plan.json":
            plan = json.loads(content.read().decode())
            continue
        if count >= len(seen):
            seen.append([name, files.copy(content, transaction.staged(count)), size])
            # Only here: a step that could end while it skips finished files would never get further.
            job.tick()
        count += 1
    names = ("files", "delete", "clear", "manifest", "remove")
    if not isinstance(plan, dict) or any(name not in plan for name in names):
        raise JobError("digest", "the bundle has no plan")
    copies.complete(job, plan)
    incoming, deletes, clear, manifest, old_notes = (plan[name] for name in names)
    if [[file.get("path"), file.get("sha256"), file.get("size")] for file in incoming[: len(seen)]] != seen:
        raise JobError("digest", "the files in the bundle are not the ones in its plan")
    copies.stage(job, transaction, incoming, progress)
    if progress["missing"]:
        receive(job, transaction, incoming, progress)
    transaction.plan(incoming, deletes, clear, manifest, old_notes, previous=plan.get("previous"))


def receive(job, transaction, incoming, progress):
    """Stages what the host does not have, from the part that is sent for it."""
    wanted, more = {incoming[number]["path"]: number for number in progress["missing"]}, job.job.get("more")
    if more is None:
        job.result["missing"] = sorted(wanted)
        raise Incomplete
    if progress["got"] is None:
        check_parts(job, more)
        progress["got"] = []
    got = set(progress["got"])
    for name, _, content in members(job, more):
        number = wanted.get(name)
        if number is None:
            raise JobError("digest", "%s was not missing" % name)
        if number not in got:
            if files.copy(content, transaction.staged(number)) != incoming[number]["sha256"]:
                raise JobError("digest", "%s is not what the plan says" % name, name)
            got.add(number)
            progress["got"].append(number)
            job.tick()
    missing = [name for name, number in wanted.items() if number not in got]
    if missing:
        raise JobError("missing", "%s was not sent" % missing[0], missing[0])


def members(job, bundle):
    """Name, size and open content of each file in a bundle, and of its plan."""
    total, is_over = 0, False
    with tarfile.open(fileobj=gzip.GzipFile(fileobj=Parts(job, bundle)), mode="r|", encoding="utf-8") as archive:
        for member in archive:
            if is_over or not member.isreg():
                raise JobError("name", "the bundle contains an unexpected member: %r" % member.name)
            is_over = member.name == "plan.json"
            if is_over and member.size > limits.MAX_PLAN_SIZE:
                raise JobError("digest", "the plan of the bundle is too large")
            total += 0 if is_over else member.size
            if not (is_over or member.name.startswith("files/")) or total > bundle["bytes"]:
                raise JobError("digest", "the bundle is not the one that was announced")
            yield member.name if is_over else member.name[6:], member.size, archive.extractfile(member)


def check_parts(job, bundle):
    """Raises unless the parts of a bundle are there, and are what was uploaded."""
    for part in bundle["parts"]:
        path = os.path.join(job.work, checked_name(part["name"]))
        if not os.path.exists(path):
            raise JobError("missing", "%s was not uploaded" % part["name"])
        if os.path.getsize(path) != part["size"] or files.digest_of(path) != part["sha256"]:
            raise JobError("digest", "%s differs from the upload" % part["name"])
        job.tick(may_stop=False)


class Parts(io.RawIOBase):
    """The parts of a bundle as one stream."""

    def __init__(self, job, bundle):
        self.paths = [os.path.join(job.work, checked_name(part["name"])) for part in bundle["parts"]]
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
