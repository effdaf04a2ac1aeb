"""Does a job on the host: puts the files of a bundle in place, rolls back, hashes, packs, runs a command.

The API can write files and read them, one at a time, and nothing more. So a job is described in JSON, done here, and
what came of it is left as a *receipt*, `receipt-<id>.json`, in the project's state folder, where the API reads it.

Started in two ways: as a program, which reads `job.json` beside the archive (tasks, consoles), or by the agent in a web
app, which calls `run_job` once for each request. A request must be short, so long jobs go in steps: a receipt that says
`running` asks to be called again. Every job may be killed at any moment and started again: it finishes what it began,
or undoes it. A command alone is never started twice.

What changes the project does so only while its deploy's note (*intent*) is the current one, and looks again before
every single change, so that no old job ever works against a newer deploy.

Nothing here knows a user's name: what the API calls /home/<name>/ is the folder that the state folder lies in.
"""

import json
import os
import sys
import time

from . import limits
from .apply import apply
from .archive import archive
from .commands import manage, pip, run
from .errors import StepUnfinished, Refusal, JobError, describe
from .history import history
from .job import Job
from .rollback import rollback
from .tree import hash_tree


def run_job(state, job, limit=None, is_program=False):
    """Does one step of `job`, of about `limit` seconds, and returns the receipt."""
    work = checked_job(state, job, limit, is_program)
    try:
        work.check_age()
        done = work.receipt()
        if done is not None and done["state"] != "running":
            # Whoever did it may have been killed just before the end of this.
            work.remove_folder(done)
            return done
        if job["operation"] in ("apply", "rollback"):
            work.check_current()
    except Refusal as refusal:
        # Not a trace of it: whoever it belonged to is gone.
        return work.new_receipt(refusal.state, error=refusal.error)
    with work.exclusively() as is_alone:
        if not is_alone:
            return work.new_receipt("running", error={"kind": "busy", "message": "another runner does this job"})
        # Whoever had the lock may have ended between our look and our turn.
        done = work.receipt()
        if done is not None and done["state"] != "running":
            return done
        return run_step(work, done)


def refuse(state, job, why):
    """Leaves a receipt that says why a job is not done."""
    work = checked_job(state, job, None)
    return work.finish(work.new_receipt("refused", error={"kind": "refused", "message": why}))


def checked_job(state, job, limit, is_program=False):
    work = Job(state, job, limit, is_program)
    if job.get("format") != limits.FORMAT or job.get("operation") not in OPERATIONS:
        raise ValueError("the job is of another version: upgrade, or install the agent anew")
    return work


def run_step(job, done):
    """One step, in a world where nobody else does this job."""
    started = done["started"] if done else int(time.time())
    steps = done["steps"] + 1 if done else 1
    error, state = None, "done"
    try:
        if done is not None and job.job["operation"] in ("manage", "pip", "run"):
            raise JobError("interrupted", "the command was cut off, and nobody knows what it did until then")
        OPERATIONS[job.job["operation"]](job)
    except StepUnfinished:
        state = "running"
    except JobError as stop:
        error, state = stop.error, stop.state
    except Exception as failure:
        error, state = describe(failure), "failed"
    if state == "refused" and job.has_begun():
        state = "failed"
    receipt = job.new_receipt(state, error=error, started=started, steps=steps)
    if state == "running":
        job.save(job.receipt_path(), receipt)
        return receipt
    if error is not None and error["kind"] == "not_current":
        # The tree is another deploy's by now; what became of this one is still worth knowing.
        job.save(job.receipt_path(), receipt)
        return receipt
    return job.finish(receipt)


def main(folder):
    """Does the job in this folder to its end."""
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    state = os.path.dirname(folder)
    receipt = run_job(state, job, is_program=True)
    while receipt["state"] == "running" and (receipt["error"] or {}).get("kind") != "busy":
        receipt = run_job(state, job, is_program=True)
    message = receipt["error"]["message"] + "\n" if receipt["error"] else ""
    sys.stdout.buffer.write((receipt["output"] + message).encode("utf-8", "replace"))
    return receipt["exit_status"] or 0


OPERATIONS = {
    "apply": apply,
    "rollback": rollback,
    "hash": hash_tree,
    "archive": archive,
    "history": history,
    "manage": manage,
    "pip": pip,
    "run": run,
}
