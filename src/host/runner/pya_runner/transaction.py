"""Changes the project in a transaction: as a whole or not at all, even if the runner is killed in between."""

import contextlib
import errno
import json
import os
import re
import stat
import time

from . import files, limits, retention
from .errors import JobError, Superseded, describe
from .names import checked_path, native, readable
from .planner import Planner
from .reach import PASS, Reach, enter, is_kind


class Transaction:
    """A change of the project: files to put in place, files to remove, and a new manifest.

    Its steps are written to a journal before the first one is made. Whether a step was made shows in the files
    themselves, so that an interrupted transaction is finished by applying all entries again, or undone by undoing them
    in reverse order.
    """

    def __init__(self, job):
        self.job = job
        self.journal_path = os.path.join(job.work, limits.JOURNAL)
        self.undo_path = os.path.join(job.work, "undo")
        self.reach = Reach(job)
        # Folders of the project, and where their links lead.
        self.folders = {}
        elsewhere = self.elsewhere()
        if elsewhere and not self.reach.is_within(os.path.realpath(elsewhere)):
            raise JobError("obstacle", "a link leads %s out of the account" % readable(elsewhere))
        self.staging = elsewhere or os.path.join(job.work, "staging")
        self.replaced = os.path.join(elsewhere or job.work, "replaced")

    def elsewhere(self):
        """Where the files are unpacked if the work folder is on another file system than the project; else `None`.

        Only within one file system is a file moved in one step. The path is written down, since it may come out
        differently once folders have been made.
        """
        noted = os.path.join(self.job.work, limits.ELSEWHERE)
        if os.path.exists(noted):
            return native(files.read_json(noted))
        root = self.job.root
        parent = files.existing_parent(os.path.dirname(root))
        if os.path.isdir(root) and os.stat(root).st_dev != os.stat(parent).st_dev:
            # The project is a file system of its own, so its parent is on another one.
            parent = root
        if os.stat(parent).st_dev == os.stat(self.job.work).st_dev:
            return None
        path = os.path.join(parent, ".%s.pya-%s" % (os.path.basename(root), self.job.id))
        files.write_json(noted, readable(path))
        return path

    def is_planned(self):
        """Whether the journal is written."""
        return os.path.exists(self.journal_path)

    def staged(self, number):
        """Where a new file is until it is put in place."""
        return os.path.join(self.staging, "%06d" % number)

    def place(self, path):
        """The path of a file of the project. Where links lead its folders is for `check_reach` to check."""
        return os.path.join(self.job.root, native(checked_path(path)))

    def check_reach(self, path):
        """Raises unless the API itself would reach this path; returns the real path of its folder."""
        folder = os.path.dirname(checked_path(path))
        if folder not in self.folders:
            self.folders[folder] = readable(self.reach.resolve(self.folder(folder), path))
        return native(self.folders[folder])

    @contextlib.contextmanager
    def target(self, path, make=False):
        """The open folder of a path and the name in it, for one move: no link that was swapped in since is followed."""
        real = self.check_reach(path) if path else os.path.dirname(self.reach.root)
        name = os.path.basename(native(path) if path else self.reach.root)
        with self.reach.opened(real, make=make) as folder:
            yield folder, name

    def digest(self, path):
        """The digest of a file of the project: `None` if there is none, `""` for a link, or one that leads there."""
        try:
            with self.target(path) as (folder, name):
                return files.digest_if_there(name, folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except JobError:
            return ""

    def folder(self, path):
        """As `place`, and the project itself for the empty path."""
        return self.place(path) if path else self.job.root

    # Planning

    def plan(self, incoming, deletes, clear, manifest, old_notes, previous=None, kept=(), overwritten=(), back=None):
        """Writes the journal, after a check of every path that is concerned.

        There is no other copy of the files `overwritten`, so they are kept however full the disk is. `previous` is the
        manifest that a rollback restores: the newest one, unless the client knows better, because a deploy was
        interrupted. `back` is the index of what a rollback restores: folders, too, with their mode bits.
        """
        back = back or {}
        entries = Planner(self).entries(incoming, deletes, clear, back.get("folders", {}))
        for name in old_notes:
            if not re.fullmatch(r"(manifest-[0-9]+|intent-[0-9a-f]{16})\.json", name):
                raise JobError("name", "%r is not a note of a deploy" % name)
        deletes = [checked_path(path) for path in deletes]
        modes = self.note_folders(
            [entry[1] if entry[0].endswith("dir") else os.path.dirname(entry[1]) for entry in entries]
            + [os.path.dirname(path) for path in deletes]
        )
        files.make_private(self.replaced)
        newest = self.job.note_if_there("manifest-%d.json" % (self.job.job["generation"] - 1))
        files.write_json(
            self.journal_path,
            {
                "entries": entries,
                "deletes": deletes,
                "manifest": manifest,
                "previous": previous or newest,
                "old_notes": old_notes,
                "digests": {file["path"]: file.get("sha256") for file in incoming},
                "kept": dict(kept),
                "overwritten": list(overwritten),
                "folders": self.folders,
                "modes": modes,
                "made": back.get("made"),
            },
        )

    def note_folders(self, folders):
        """Resolves the links of these folders and those above now, for the moves later on; returns their mode bits."""
        modes, seen = {}, set()
        for folder in folders:
            while folder not in seen:
                seen.add(folder)
                # A file that cannot be reached is not deleted, and the receipt says why.
                with contextlib.suppress(JobError):
                    self.check_reach(os.path.join(folder, "x"))
                with contextlib.suppress(OSError):
                    mode = os.lstat(self.folder(folder)).st_mode
                    if folder and stat.S_ISDIR(mode):
                        modes[folder] = stat.S_IMODE(mode)
                folder = os.path.dirname(folder)
        return modes

    def need_file(self, path):
        """Raises unless a regular file is there."""
        self.check_reach(path)
        facts = os.lstat(self.place(path))
        if not stat.S_ISREG(facts.st_mode):
            raise JobError("obstacle", "%s is not a regular file" % path, path)

    # Applying and undoing

    def apply(self):
        """Applies all entries and commits; after an error, undoes them and raises it."""
        journal = files.read_json(self.journal_path)
        self.folders.update(journal.get("folders", {}))
        self.job.result = dict(NOTHING_APPLIED)
        if os.path.exists(self.undo_path):
            self.undo(journal, files.read_text(self.undo_path))
        manifest = os.path.join(self.job.state, "manifest-%d.json" % self.job.job["generation"])
        if not os.path.exists(manifest):
            try:
                for entry in journal["entries"]:
                    self.job.check_current()
                    getattr(self, entry[0])(*entry[1:])
                    # The step does not end here: until the next one, the site would serve half of the change.
                    self.job.tick(may_stop=False)
                self.job.check_current()
                for own in journal["manifest"].get("history", [])[-1:]:
                    own["seconds"] = max(0, round(time.time() - own["time"], 1))
                self.job.save(manifest, journal["manifest"], indent=2)
            except Superseded:
                raise
            except Exception as error:
                reason = json.dumps(describe(error))
                # On a full disk even this may fail; if this runner is killed then, the next one finishes instead.
                with contextlib.suppress(OSError):
                    files.write_text(self.undo_path, reason)
                self.undo(journal, reason)
        self.commit(journal)

    def undo(self, journal, error):
        """Undoes all entries, and ends the job with the error that was the reason."""
        error, failed = json.loads(error), {}
        for entry in reversed(journal["entries"]):
            try:
                self.job.check_current()
                getattr(self, "undo_" + entry[0])(*entry[1:])
            except Superseded:
                raise
            except Exception as second:
                failed[entry[1]] = describe(second)["message"]
            self.job.tick(may_stop=False)
        self.job.result = dict(NOTHING_APPLIED, undone=not failed)
        if failed:
            # The work folder now has the only copies of some old files.
            with contextlib.suppress(OSError):
                files.write_text(os.path.join(self.job.work, "not_undone"), json.dumps(failed))
            self.job.result["not_undone"] = failed
            message = "%s; these could not be restored (the old files are in %s): %s"
            error["message"] = message % (error["message"], self.replaced, ", ".join(sorted(failed)))
        stop = JobError(error["kind"], error["message"])
        stop.error = error
        raise stop

    def replace(self, path, number, mode, _existed):
        staged = os.path.join(self.staging, number)
        old = os.path.join(self.replaced, number)
        if not os.path.lexists(staged):
            return  # Already in place.
        if not os.path.islink(staged):
            os.chmod(staged, mode)
        # A runner that was killed here may have left it, and the file may have changed since.
        files.remove(old)
        with self.target(path) as (folder, name):
            with contextlib.suppress(FileNotFoundError):
                files.link_or_copy(name, old, folder)
            os.replace(staged, name, dst_dir_fd=folder)

    def undo_replace(self, path, number, _mode, existed):
        old = os.path.join(self.replaced, number)
        if os.path.lexists(os.path.join(self.staging, number)):
            files.remove(old)
        elif os.path.lexists(old):
            with self.target(path) as (folder, name):
                os.replace(old, name, dst_dir_fd=folder)
        elif not existed:
            # Back to staging, so that a later attempt to undo sees that this entry is undone.
            with contextlib.suppress(FileNotFoundError), self.target(path) as (folder, name):
                os.rename(name, os.path.join(self.staging, number), src_dir_fd=folder)

    def remove(self, path, name):
        kept = os.path.join(self.replaced, name)
        if os.path.lexists(kept):
            return
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.target(path) as (folder, own_name):
            facts = os.stat(own_name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(facts.st_mode):
                raise JobError("obstacle", "%s is not a regular file" % path, path)
            os.rename(own_name, kept, src_dir_fd=folder)

    def undo_remove(self, path, name):
        kept = os.path.join(self.replaced, name)
        if os.path.lexists(kept):
            with self.target(path) as (folder, own_name):
                os.rename(kept, own_name, dst_dir_fd=folder)

    def mkdir(self, path):
        with self.target(path, make=not path) as (folder, name):
            os.close(enter(folder, name, PASS, make=True))

    def undo_mkdir(self, path):
        try:
            with self.target(path) as (folder, name):
                os.rmdir(name, dir_fd=folder)
        except OSError as error:
            # It was not made yet, a file is still in its place, or somebody has put something into it.
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise

    def chmod(self, path, mode):
        with self.target(path) as (folder, name):
            opened = enter(folder, name, PASS, False)
            try:
                # Not the folder itself, which may be opened only to reach what is in it.
                os.chmod("/proc/self/fd/%d" % opened, mode)
            finally:
                os.close(opened)

    def undo_chmod(self, path, _mode):
        # What is there may be what the folder was to replace.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self.chmod(path, 0o700)

    def rmdir(self, path, name):
        # Moved, not removed: on a full disk, it could not be made again.
        kept = os.path.join(self.replaced, name)
        if not os.path.lexists(kept):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.target(path) as (folder, own_name):
                if is_kind(stat.S_ISDIR, own_name, folder):
                    os.rename(own_name, kept, src_dir_fd=folder)
        if os.path.lexists(kept) and os.listdir(kept):
            raise JobError("obstacle", "%s is in the way, and a file was just added to it" % path, path)

    def undo_rmdir(self, path, name):
        self.undo_remove(path, name)

    def commit(self, journal):
        """Does what follows the manifest and is never undone: deletes files, keeps the old ones, removes old notes.

        The new files are in place, and the manifest says so. Errors from here on are reported, and do not fail the job.
        """
        deleted, not_deleted, gone, store = [], dict(journal["kept"]), [], retention.store_of(self.job)
        kept = files.read_json(os.path.join(store, "index.json")) if os.path.isdir(store) else None
        if kept is not None:
            # An earlier run was killed after the deletes: what is there now was put there since, and stays.
            deleted = [path for path in journal["deletes"] if path in kept["deleted"]]
            not_deleted = kept.get("not_deleted", {})
        for number, path in enumerate([] if kept else journal["deletes"]):
            kept = os.path.join(self.replaced, "d%06d" % number)
            try:
                self.job.check_current()
                files.make_private(self.replaced)
                self.remove(path, "d%06d" % number)
                if os.path.lexists(kept):
                    deleted.append(path)
                    gone.append((path, "d%06d" % number))
                self.job.tick(may_stop=False)
            except Superseded:
                raise
            except (OSError, JobError) as error:
                not_deleted[path] = str(error)
        made = journal["made"]
        self.remove_emptied({os.path.dirname(path) for path in deleted} if made is None else made, made)
        written = [entry for entry in journal["entries"] if entry[0] == "replace"]
        is_kept, size = retention.try_to_keep(self, journal, written, gone, not_deleted)
        is_left = journal["overwritten"] and not is_kept
        if is_left:
            # The work folder has the only copies. The mark is a link, for which a full disk has room.
            with contextlib.suppress(OSError):
                files.link_or_copy(self.journal_path, os.path.join(self.job.work, "not_undone"))
        with contextlib.suppress(OSError):
            for name in journal["old_notes"]:
                files.remove(os.path.join(self.job.state, name))
        self.job.result = {
            "written": len(written),
            "deleted": deleted,
            "not_deleted": not_deleted,
            "kept_for_rollback": is_kept,
            "rollback_bytes": size,
            "overwritten": journal["overwritten"],
            "left_in": self.job.remote(readable(self.replaced)) if is_left else "",
            "undone": False,
        }

    def remove_emptied(self, folders, made):
        """Removes folders that are empty now, and those above them; of folders that were `made`, if that is known."""
        for folder in sorted(folders, key=len, reverse=True):
            while folder and (made is None or folder in made):
                try:
                    with self.target(folder) as (above, name):
                        os.rmdir(name, dir_fd=above)
                except FileNotFoundError:
                    # An earlier run that was killed here has removed it, but not yet those above it.
                    pass
                except (OSError, JobError):
                    break
                folder = os.path.dirname(folder)


NOTHING_APPLIED = {
    "written": 0,
    "deleted": [],
    "not_deleted": {},
    "kept_for_rollback": False,
    "rollback_bytes": 0,
    "overwritten": [],
    "left_in": "",
    "undone": False,
}
