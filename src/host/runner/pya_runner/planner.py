"""Plans a transaction: the entries of its journal, if nothing is in their way."""

import os
import stat

from .errors import JobError
from .names import readable


class Planner:
    """Turns what a bundle or a rollback asks for into journal entries, and checks each path that they concern."""

    def __init__(self, transaction):
        self.transaction, self.cleared = transaction, {}

    def entries(self, incoming, deletes, clear, folders):
        """The entries, in the order in which they are applied; `folders` come back with these mode bits."""
        entries = []
        for obstacle in clear:
            entries += self.clearing(obstacle)
        made, targets = {}, {}
        for path in sorted(folders):
            entries += [["mkdir", folder] for folder in self.missing_folders(path + "/x", made)]
        for number, file in enumerate(incoming):
            path = file["path"]
            for folder in self.missing_folders(path, made):
                entries.append(["mkdir", folder])
            # A folder in its way is gone before the file comes.
            existed = path not in self.cleared and os.path.lexists(self.transaction.place(path))
            targets[path] = ["replace", path, "%06d" % number, self.mode_for(path, file.get("mode")), existed]
        if len(targets) != len(incoming) or not targets.keys().isdisjoint(deletes):
            raise JobError("name", "the bundle names a file twice")
        # Last, and the deepest first: they may forbid to write or to enter.
        back = [
            ["chmod", entry[1], folders[entry[1]]] for entry in entries if entry[0] == "mkdir" and entry[1] in folders
        ]
        return entries + list(targets.values()) + back[::-1]

    def clearing(self, obstacle):
        """Entries that remove files of ours which are in the way of others."""
        entries, folders = [], set()
        if obstacle["is_dir"] and os.path.islink(self.transaction.place(obstacle["path"])):
            raise JobError("obstacle", "%s is a link" % obstacle["path"], obstacle["path"])
        for path in obstacle["files"]:
            if os.path.lexists(self.transaction.place(path)):
                self.transaction.need_file(path)
                entries.append(["remove", path, "c%06d" % len(self.cleared)])
                self.cleared[path] = "file"
                folder = os.path.dirname(path)
                while obstacle["is_dir"] and len(folder) >= len(obstacle["path"]):
                    folders.add(folder)
                    folder = os.path.dirname(folder)
        if obstacle["is_dir"] and os.path.isdir(self.transaction.place(obstacle["path"])):
            for folder, below, names in os.walk(self.transaction.place(obstacle["path"])):
                inside = readable(os.path.relpath(folder, self.transaction.job.root))
                folders.add(inside)
                for name in names + [name for name in below if os.path.islink(os.path.join(folder, name))]:
                    if os.path.join(inside, readable(name)) not in self.cleared:
                        message = "%s is in the way, and contains files that no deploy put there" % obstacle["path"]
                        raise JobError("obstacle", message, obstacle["path"])
        for folder in sorted(folders, key=len, reverse=True):
            entries.append(["rmdir", folder, "u%06d" % len(self.cleared)])
            self.cleared[folder] = "folder"
        return entries

    def missing_folders(self, path, made):
        """The folders that `path` needs and that do not exist, from the top down."""
        self.transaction.check_reach(path)
        missing, folder = [], os.path.dirname(path)
        while folder not in made:
            made[folder] = True
            place = self.transaction.folder(folder)
            is_cleared = self.cleared.get(folder) == "file"
            if not is_cleared and os.path.isdir(place) and self.cleared.get(folder) != "folder":
                if not os.access(place, os.W_OK | os.X_OK):
                    raise JobError(
                        "obstacle", "the folder %s is not writable" % (folder or self.transaction.job.root), path
                    )
                break
            if os.path.lexists(place) and folder not in self.cleared:
                raise JobError("obstacle", "%s is not a folder" % folder, path)
            missing.append(folder)
            if not folder:
                break
            folder = os.path.dirname(folder)
        return reversed(missing)

    def mode_for(self, path, mode):
        """The mode bits of the new file: those of the plan, else those of the old file."""
        try:
            facts = os.stat(self.transaction.place(path))
        except OSError:
            return 0o644 if mode is None else mode & 0o777
        if stat.S_ISDIR(facts.st_mode):
            if self.cleared.get(path) != "folder":
                raise JobError("obstacle", "%s is a folder on the host" % path, path)
            return 0o644 if mode is None else mode & 0o777
        return (stat.S_IMODE(facts.st_mode) if mode is None else mode) & 0o777
