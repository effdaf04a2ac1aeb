"""Deploys and rollbacks that the agent announces itself: the request that brings the bundle brings the intent.

The rule is that of every deploy: the intent is written, then the folder is listed, and only who is alone goes on. Both
are done here on the file system that the API writes to, so it makes no difference by which way the other one came. That
it was alone is noted before anything else is done, and all this under the job's lock: a worker that was killed in
between has begun nothing, and a second one takes nothing back that the first one is at.
"""

import os
import re
import shutil

from . import files, limits
from .entry import checked_job, is_over, run_job
from .errors import describe
from .names import checked_id
from .transaction import NOTHING_APPLIED


def deploy(state, request, piece, limit):
    """Takes a piece of a bundle, announces the deploy with the first one, and does its job once all of it is there."""
    job, note = request["job"], request.get("note")
    if job.get("operation") not in ("apply", "rollback"):
        raise ValueError("this is not announced: %r" % job.get("operation"))
    work = checked_job(state, job, limit)
    done, announced = work.receipt(), os.path.join(work.work, limits.ANNOUNCED)
    if not is_over(done, job):
        if note and done is None and not os.path.exists(announced):
            with work.exclusively() as is_free:
                if is_free and not announce(work, note, request["newest"], announced):
                    return {"alone": False}
        if os.path.exists(announced):
            parts = job.get("parts", []) + job.get("more", {"parts": []})["parts"]
            try:
                take(work, parts, request.get("piece"), piece)
            except OSError as error:
                work.result = dict(NOTHING_APPLIED, undone=True)
                return {"receipt": work.finish(work.new_receipt("failed", error=describe(error)))}
            if not all(has(work, part) for part in parts):
                return {"got": True}
    return {"receipt": run_job(state, job, limit)}


def finish(state, identity, note):
    """Removes the intent of a deploy, or leaves it as `note`, which says what is owed; whether it was still there."""
    own = intent_of(state, checked_id(identity))
    try:
        if note is None:
            os.unlink(own)
        else:
            os.stat(own)
            files.write_json(own, note)
    except FileNotFoundError:
        return {"ended": False}
    return {"ended": True}


def intent_of(state, identity):
    return os.path.join(state, "intent-%s.json" % identity)


def announce(work, note, newest, announced):
    """Writes the intent, then looks: it must be the only one, and the manifest must still be the expected one.

    If not, or on a full disk, it takes everything back.
    """
    own, is_alone = intent_of(work.state, work.id), False
    try:
        work.save(own, note)
        names = os.listdir(work.state)
        manifests = [int(name[9:-5]) for name in names if re.fullmatch(r"manifest-[0-9]+\.json", name)]
        intents = [name for name in names if name.startswith("intent-") and name.endswith(".json")]
        is_alone = intents == [os.path.basename(own)] and max(manifests, default=None) == newest
        if is_alone:
            files.write_text(announced, "")
    finally:
        if not is_alone or not os.path.exists(announced):
            files.remove(own)
            shutil.rmtree(work.work, ignore_errors=True)
    return is_alone


def take(work, parts, place, piece):
    """Writes a piece of a part; the same piece twice is harmless, even while the part is read."""
    if place is None:
        return
    name, offset = place
    if name not in [part["name"] for part in parts]:
        raise ValueError("the job has no part %r" % (name,))
    path = os.path.join(work.work, name)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.seek(offset)
        file.write(piece)


def has(work, part):
    """Whether a part is there as a whole, or was; what is in it is for the job to check."""
    path = os.path.join(work.work, part["name"])
    return work.has_begun() or (os.path.exists(path) and os.path.getsize(path) >= part["size"])
