"""The history of jobs, which is kept longer than their receipts, the job `history`, and the history of deploys."""

import os
import re

from . import files, limits


def history(job):
    """Returns the jobs of this project, the latest last."""
    job.result = {"jobs": known_jobs(job)}


def known_jobs(job):
    """The jobs in the history, as far as it can be read."""
    try:
        return (files.read_json(os.path.join(job.state, "history.json")) or {}).get("jobs", [])
    except ValueError:
        return []


def migrations_since(job, deploy):
    """What ran on the database from a deploy on. A history too short to know that deploy is all from then on."""
    jobs = known_jobs(job)
    start = [number for number, known in enumerate(jobs) if known.get("id") == deploy][-1:] or [0]
    return list(dict.fromkeys(name for known in jobs[start[0] :] for name in known.get("migrations", ())))


def carried_on(past, added, uploaded, deleted):
    """The history of deploys after a rollback, the last one `added`: an entry replaces the one of the same deploy."""
    ids = {entry["id"] for entry in added}
    for own in added[-1:]:
        own.update(uploaded=uploaded, deleted=deleted)
    past = past if isinstance(past, list) else []
    past = [entry for entry in past if isinstance(entry, dict) and entry.get("id") not in ids]
    return (past + added)[-limits.HISTORY_KEPT :]


def applied_migrations(receipt):
    """The migrations that Django says it applied: a rollback cannot revert them, and names them."""
    if receipt["operation"] not in ("manage", "run"):
        return []
    return re.findall(r"^ *Applying (\S+)\.\.\. OK", receipt["output"], re.MULTILINE)


def remember(job, receipt):
    """Adds a job to the history."""
    kept = {key: receipt[key] for key in ("id", "operation", "state", "started", "finished", "exit_status")}
    kept["summary"] = summary(receipt)
    migrations = applied_migrations(receipt)
    if migrations:
        kept["migrations"] = migrations
    others = [other for other in known_jobs(job) if other.get("id") != job.id]
    job.save(
        os.path.join(job.state, "history.json"),
        {"format": limits.FORMAT, "jobs": others[-limits.HISTORY_KEPT + 1 :] + [kept]},
    )


def summary(receipt):
    """What a job did, in a line."""
    if receipt["error"]:
        return (receipt["error"]["message"].strip().splitlines() or [""])[-1][:200]
    result = receipt["result"]
    if "summary" in result:
        return result["summary"][:200]
    if "written" in result:
        return "%d written, %d deleted" % (result["written"], len(result["deleted"]))
    if "argv" in result:
        return " ".join(result["argv"][1:])[:200]
    return "%d files" % result["files"] if isinstance(result.get("files"), int) else ""
