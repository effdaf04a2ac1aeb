"""Carries out a job on the host: applies a bundle, rolls back, hashes, packs, runs a command, prepares a site.

The API can only write and read files, one at a time. So a job is described in JSON and carried out here, and its
outcome is written as a *receipt*, `receipt-<id>.json`, to the project's state folder, where the API can read it.

It is started in two ways: as a program that reads `job.json` beside the archive (tasks, consoles), or by the agent in
a web app, which calls `run_job` once per request. Requests must be short, so long jobs are done in steps: a receipt in
the state `running` asks for another call. A job may be killed at any moment and started again: it then finishes what it
started, or undoes it. Only commands are never started twice.

A job changes the project only while its deploy's note (the *intent*) is the current one, and checks that again before
each single change, so that an old job never interferes with a newer deploy.

The user's name is not needed: what the API calls /home/<name>/ is the folder that contains `.pya`, with the state
folders.
"""

import json
import os
import sys
import time

from . import limits
from .apply import apply
from .archive import archive
from .commands import manage, pip, run
from .errors import Incomplete, JobError, Refusal, StepUnfinished, describe
from .history import history
from .inspect import inspect
from .job import Job
from .requirements import requirements
from .rollback import rollback
from .tree import hash_tree
from .variables import change_variables
from .venv import venv


def run_job(state, job, limit=None, is_program=False, loaded=None):
    """Runs one step of `job`, of about `limit` seconds, and returns the receipt.

    `loaded` has the variables with which a web app was loaded that runs it.
    """
    work = checked_job(state, job, limit, is_program, loaded)
    try:
        work.check_age()
        done = work.receipt()
        if is_over(done, job):
            work.clean_up(done)
            return done
        if job["operation"] in ("apply", "rollback"):
            work.check_current()
    except Refusal as refusal:
        # Write nothing: the client that the job belonged to is gone.
        return work.new_receipt(refusal.state, error=refusal.error)
    with work.exclusively() as is_alone:
        if not is_alone:
            return work.new_receipt(
                "running", error={"kind": "busy", "message": "another runner is working on this job"}
            )
        # The previous holder of the lock may have finished since we looked for the receipt.
        done = work.receipt()
        if is_over(done, job):
            return done
        return run_step(work, done)


def is_over(receipt, job):
    """Whether nothing is left to do: an incomplete job goes on once it is sent more."""
    return receipt and receipt["state"] != "running" and not (receipt["state"] == "incomplete" and "more" in job)


def refuse(state, job, why):
    """Writes a receipt that says why a job is refused."""
    work = checked_job(state, job, None)
    return work.finish(work.new_receipt("refused", error={"kind": "refused", "message": why}))


def checked_job(state, job, limit, is_program=False, loaded=None):
    """The job, if this version of the runner knows its operation."""
    work = Job(state, job, limit, is_program, loaded)
    if job.get("format") != limits.FORMAT or job.get("operation") not in OPERATIONS:
        raise ValueError("the job is from another version: upgrade, or reinstall the agent")
    return work


def run_step(job, done):
    """Runs one step; the caller holds the job's lock."""
    started = done["started"] if done else int(time.time())
    steps = done["steps"] + 1 if done else 1
    error, state = None, "done"
    try:
        if done is not None and job.job["operation"] in ("manage", "pip", "run"):
            raise JobError("interrupted", "the command was interrupted; its effects are unknown")
        job.steps = steps
        OPERATIONS[job.job["operation"]](job)
    except StepUnfinished:
        state = "running"
    except Incomplete:
        state = "incomplete"
    except JobError as stop:
        error, state = stop.error, stop.state
    except Exception as failure:
        error, state = describe(failure), "failed"
    if state == "refused" and job.has_begun():
        state = "failed"
    receipt = job.new_receipt(state, error=error, started=started, steps=steps)
    if state in ("running", "incomplete"):
        job.save(job.receipt_path(), receipt)
        return receipt
    if error is not None and error["kind"] == "not_current":
        # The project belongs to another deploy now: record the outcome and touch nothing else.
        job.save(job.receipt_path(), receipt)
        return receipt
    return job.finish(receipt)


def main(folder):
    """Runs the job in this folder until it is finished, and returns an exit status."""
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
    "venv": venv,
    "inspect": inspect,
    "requirements": requirements,
    "variables": change_variables,
}
