"""Copies on the host in place of uploads: of content that the project has, or that a bundle has once for many files.

They are hashed while they are made, before anything is moved. What is gone or changed, the client sends after all.
"""

import contextlib
import hashlib
import os

from . import files
from .errors import JobError
from .names import checked_id, checked_name

# Of what is kept for a rollback, the manifest lists so many files at most, of so many bytes at least.
KEPT_LISTED, KEPT_SIZE = 1000, 4096


def complete(job, plan):
    """Fills in what the plan leaves to the newest manifest, and notes what is replaced, which may be wanted back."""
    manifest, uploads = plan["manifest"], plan["files"]
    newest = job.note_if_there("manifest-%d.json" % (job.job["generation"] - 1)) or {}
    going = plan["delete"] + [path for obstacle in plan["clear"] for path in obstacle["files"]]
    base, known = plan.get("base"), newest.get("files", {})
    if base:
        for file in uploads:
            if "sha256" not in file:
                file.update(known.get(file["copy"], {}))
        keys = ("sha256", "size", "mode", "origin")
        states = {file["path"]: {key: file[key] for key in keys if key in file} for file in uploads}
        gone = set(going + base["gone"])
        stays = {path: state for path, state in known.items() if path not in gone}
        manifest["files"] = dict(stays, **dict(manifest["files"], **states))
        digest = hashlib.sha256()
        for path, state in sorted(manifest["files"].items()):
            digest.update(("%s\0%s\0" % (path, state.get("sha256") or "")).encode())
        if digest.hexdigest() != base["digest"]:
            raise JobError("digest", "the manifest was changed since the deploy was planned: deploy again")
    old = (plan.get("previous") or newest).get("files", {})
    going = [path for path in going + [file["path"] for file in uploads] if path in old]
    going = [path for path in going if old[path]["sha256"] and old[path]["size"] >= KEPT_SIZE]
    if going:
        largest = sorted(going, key=lambda path: -old[path]["size"])[:KEPT_LISTED]
        manifest["kept"] = {"deploy": job.id, "files": {path: old[path]["sha256"] for path in sorted(largest)}}


def stage(job, transaction, incoming, progress):
    """Makes the copies, each of which is tried once; notes what is missing."""
    tried, sent = set(progress["done"] + progress["missing"]), len(progress["seen"])
    for number, file in enumerate(incoming[sent:], sent):
        if number not in tried:
            found = copy(job, transaction, file, transaction.staged(number))
            progress["done" if found else "missing"].append(number)
            job.tick()


def copy(job, transaction, file, target):
    """Copies a file; whether that is the content that is wanted."""
    with contextlib.ExitStack() as stack:
        try:
            folder = None
            if "same" in file:
                name = transaction.staged(file["same"])
            elif "kept" in file:
                name = kept(job, *file["kept"])
            else:
                folder, name = stack.enter_context(transaction.target(file["copy"]))
            source = stack.enter_context(files.open_regular(name, folder))
        except (OSError, KeyError, JobError):
            return False
        return files.copy(source, target, file["size"]) == file["sha256"]


def kept(job, deploy, path):
    """Where a file is that is kept for a rollback."""
    store = "rollback-" + checked_id(deploy)
    index = job.note_if_there(store + "/index.json") or {"files": {}, "deleted": {}}
    old = index["files"].get(path) or index["deleted"][path]
    return os.path.join(job.state, store, checked_name(old["name"]))
