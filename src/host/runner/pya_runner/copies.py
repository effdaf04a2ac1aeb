"""Copies on the host in place of uploads: of content that the project has, or that a bundle has once for many files.

A copy is hashed while it is made, before anything is moved, and never a link: who edits one of two equal files must not
change the other. What is not there any more, or has other content by now, the client sends after all.
"""

import contextlib
import hashlib
import os

from . import files, limits
from .errors import JobError
from .names import checked_id, checked_name


def complete(job, plan):
    """Fills in what the plan leaves out since the host knows it: of copies, and of all files that stay as they are."""
    base = plan.get("base")
    if base is None:
        return
    known = (job.note_if_there("manifest-%d.json" % (job.job["generation"] - 1)) or {}).get("files", {})
    states, gone = {}, set(plan["delete"] + base["gone"]).union(*(obstacle["files"] for obstacle in plan["clear"]))
    for file in plan["files"]:
        if "sha256" not in file:
            file.update(known.get(file["copy"], {}))
        states[file["path"]] = {key: file[key] for key in ("sha256", "size", "mode", "origin") if key in file}
    manifest = plan["manifest"]
    manifest["files"] = dict(
        {path: state for path, state in known.items() if path not in gone}, **dict(manifest["files"], **states)
    )
    digest = hashlib.sha256()
    for path, state in sorted(manifest["files"].items()):
        digest.update(("%s\0%s\0" % (path, state.get("sha256") or "")).encode())
    if digest.hexdigest() != base["digest"]:
        raise JobError("digest", "the manifest was changed since the deploy was planned: deploy again")


def stage(job, transaction, incoming, progress):
    """Makes the copies, each of which is tried once; notes what is missing."""
    tried, sent = set(progress["done"] + progress["missing"]), len(progress["seen"])
    for number, file in enumerate(incoming[sent:], sent):
        if number not in tried:
            found = copy(job, transaction, file, transaction.staged(number))
            progress["done" if found else "missing"].append(number)
            job.tick()


def copy(job, transaction, file, target):
    """Copies a file to the staging folder; whether that is the content that is wanted."""
    with contextlib.ExitStack() as stack:
        try:
            if "same" in file:
                source = files.open_regular(transaction.staged(file["same"]))
            elif "kept" in file:
                source = files.open_regular(kept(job, *file["kept"]))
            else:
                source = files.open_regular(*reversed(stack.enter_context(transaction.target(file["copy"]))))
            stack.enter_context(source)
        except (OSError, KeyError, JobError):
            return False
        is_as_large = os.fstat(source.fileno()).st_size == file["size"]
        return is_as_large and files.copy(source, target, file["size"]) == file["sha256"]


def kept(job, deploy, path):
    """Where a file is that a deploy replaced or deleted, and that is kept for a rollback."""
    store = "rollback-" + checked_id(deploy)
    index = job.note_if_there(store + "/index.json") or {"files": {}, "deleted": {}}
    old = index["files"].get(path) or index["deleted"][path]
    return os.path.join(job.state, store, checked_name(old["name"]))


def note_kept(job, plan):
    """Notes in the manifest what this deploy replaces or deletes: another one may want it back."""
    newest = plan.get("previous") or job.note_if_there("manifest-%d.json" % (job.job["generation"] - 1)) or {}
    old, going = newest.get("files", {}), [file["path"] for file in plan["files"]] + plan["delete"]
    going += [path for obstacle in plan["clear"] for path in obstacle["files"]]
    found = {path: old[path]["sha256"] for path in going if (old.get(path, {}).get("size") or 0) >= limits.KEPT_SIZE}
    if found:
        listed = sorted(found, key=lambda path: -old[path]["size"])[: limits.KEPT_LISTED]
        plan["manifest"]["kept"] = {"deploy": job.id, "files": {path: found[path] for path in sorted(listed)}}
