"""The job `rollback`: restores what a deploy replaced or deleted, and removes what it added."""

import base64
import bisect
import json
import os
import re
import zlib

from . import files, limits
from .errors import Refusal
from .history import carried_on, migrations_since
from .names import checked_id, checked_name
from .transaction import NOTHING_APPLIED, Transaction


def rollback(job):
    """Restores what a deploy replaced or deleted, and removes what it added."""
    job.result = dict(NOTHING_APPLIED, undone=not job.has_begun())
    transaction = Transaction(job)
    if not transaction.is_planned():
        stage_old_files(job, transaction)
    transaction.apply()
    job.result["migrations"] = migrations_since(job, job.job["target"])


def stage_old_files(job, transaction):
    """Links the old files into the staging folder, and plans the transaction."""
    store = os.path.join(job.state, "rollback-" + checked_id(job.job["target"]))
    index = files.read_json(os.path.join(store, "index.json"))
    if index is None:
        raise Refusal("missing", "no files were kept for a rollback of deploy %s" % job.job["target"])
    newest = job.note_if_there("manifest-%d.json" % (job.job["generation"] - 1)) or {}
    if newest.get("deploy") != job.job["target"]:
        why = "another deploy has finished since (%s): its files would be mixed with older ones"
        raise Refusal("not_latest", why % newest.get("deploy", "unknown"))
    files.make_private(transaction.staging)
    incoming = []
    for path, old in sorted(list(index["files"].items()) + list(index["deleted"].items())):
        staged = os.path.join(transaction.staging, "%06d" % len(incoming))
        incoming.append({"path": path, "mode": old["mode"]})
        if not os.path.lexists(staged):
            files.link_or_copy(os.path.join(store, checked_name(old["name"])), staged)
            job.tick()
    deletes, kept = [], {}
    for path, digest in sorted(index["added"].items()):
        if transaction.digest(path) in (None, digest):
            deletes.append(path)
        else:
            kept[path] = "it was changed after that deploy added it"
    overwritten = written_since(job, transaction, store, index)
    paths = [file["path"] for file in incoming] + [path + "/" for path in index.get("folders", {})]
    clear, deletes = cleared_for(paths, deletes)
    manifest = dict(index["previous"] or {"format": limits.FORMAT, "remote_root": job.job["root"], "files": {}})
    # Interrupted deploys may have changed these since, so their content is unknown.
    note = job.note_if_there("intent-%s.json" % job.id) or {}
    if "packed" in note:
        note = json.loads(zlib.decompress(base64.b64decode(note["packed"])).decode())
    changed = {path for key in ("pending", "deletes") for path in note.get(key, ())}
    changed -= {path for key in ("files", "deleted", "added") for path in index[key]}
    files_now = dict(manifest["files"], **{path: {"sha256": None, "size": None} for path in sorted(changed)})
    past = carried_on(newest.get("history"), job.job.get("history", []), len(incoming), len(deletes))
    manifest.update(generation=job.job["generation"], deploy=job.id, files=files_now, history=past)
    manifest.pop("kept", None)
    old_notes = [name for name in os.listdir(job.state) if re.fullmatch(r"manifest-[0-9]+\.json", name)]
    old_notes = [name for name in old_notes if int(name[9:-5]) < job.job["generation"]]
    transaction.plan(incoming, deletes, clear, manifest, old_notes, kept=kept, overwritten=overwritten, back=index)


def written_since(job, transaction, store, index):
    """Files that the rollback overwrites although they changed after the deploy: there is no other copy of them."""
    found = []
    for path, old in sorted(list(index["files"].items()) + list(index["deleted"].items())):
        digest, stored = transaction.digest(path), os.path.join(store, checked_name(old["name"]))
        # An interrupted rollback may have restored it already.
        if digest not in (None, old.get("deployed")) and digest != files.digest_if_there(stored):
            found.append(path)
        job.tick(may_stop=False)
    return found


def cleared_for(paths, deletes):
    """Splits the deletes: files that are in the way of those to be restored, and the others."""
    clear, cleared, going, deletes = [], set(), set(deletes), sorted(deletes)
    for path in paths:
        above = path
        while os.path.dirname(above):
            above = os.path.dirname(above)
            if above in going and above not in cleared:
                clear.append({"path": above, "is_dir": False, "files": [above]})
                cleared.add(above)
        # "0" is what follows "/": all between them are below.
        below = deletes[bisect.bisect_left(deletes, path + "/") : bisect.bisect_left(deletes, path + "0")]
        if below:
            clear.append({"path": path, "is_dir": True, "files": below})
            cleared.update(below)
    return clear, [path for path in deletes if path not in cleared]
