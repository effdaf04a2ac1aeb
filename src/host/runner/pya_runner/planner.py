"""What a change comes to as single moves, and whether anything is in their way."""

import os
import stat

from .errors import Stop
from .names import readable


class Planner:
    """Makes of a plan the single moves that it takes, after a look at every place that is concerned."""

    def __init__(self, change):
        self.change, self.cleared = change, {}

    def moves(self, incoming, deletes, clear):
        """The moves, in their order."""
        moves = []
        for obstacle in clear:
            moves += self.plan_clearing(obstacle)
        made, targets = {}, {}
        for number, file in enumerate(incoming):
            path = file["path"]
            for folder in self.missing_folders(path, made):
                moves.append(["make", folder])
            # A folder that makes way is gone before the file comes.
            existed = path not in self.cleared and os.path.lexists(self.change.place(path))
            targets[path] = ["put", path, "%06d" % number, self.mode_for(path, file.get("mode")), existed]
        if len(targets) != len(incoming) or not targets.keys().isdisjoint(deletes):
            raise Stop("name", "the bundle names a file twice")
        return moves + list(targets.values())

    def plan_clearing(self, obstacle):
        """Moves that take away what is of ours where something else must go."""
        moves, folders = [], set()
        if obstacle["is_dir"] and os.path.islink(self.change.place(obstacle["path"])):
            raise Stop("obstacle", "%s is a link" % obstacle["path"], obstacle["path"])
        for path in obstacle["files"]:
            if os.path.lexists(self.change.place(path)):
                self.change.need_file(path)
                moves.append(["take", path, "c%06d" % len(self.cleared)])
                self.cleared[path] = "file"
                folder = os.path.dirname(path)
                while obstacle["is_dir"] and len(folder) >= len(obstacle["path"]):
                    folders.add(folder)
                    folder = os.path.dirname(folder)
        if obstacle["is_dir"] and os.path.isdir(self.change.place(obstacle["path"])):
            for folder, below, names in os.walk(self.change.place(obstacle["path"])):
                inside = readable(os.path.relpath(folder, self.change.job.root))
                folders.add(inside)
                for name in names + [name for name in below if os.path.islink(os.path.join(folder, name))]:
                    if os.path.join(inside, readable(name)) not in self.cleared:
                        message = "%s is in the way, and holds what no deploy put there" % obstacle["path"]
                        raise Stop("obstacle", message, obstacle["path"])
        for folder in sorted(folders, key=len, reverse=True):
            moves.append(["unmake", folder, "u%06d" % len(self.cleared)])
            self.cleared[folder] = "folder"
        return moves

    def missing_folders(self, path, made):
        """The folders that `path` needs and that are not there, from the top down."""
        self.change.check_reach(path)
        missing, folder = [], os.path.dirname(path)
        while folder not in made:
            made[folder] = True
            place = self.change.folder(folder)
            is_cleared = self.cleared.get(folder) == "file"
            if not is_cleared and os.path.isdir(place) and self.cleared.get(folder) != "folder":
                if not os.access(place, os.W_OK | os.X_OK):
                    raise Stop("obstacle", "the folder %s cannot be written" % (folder or self.change.job.root), path)
                break
            if os.path.lexists(place) and folder not in self.cleared:
                raise Stop("obstacle", "%s is no folder" % folder, path)
            missing.append(folder)
            if not folder:
                break
            folder = os.path.dirname(folder)
        return reversed(missing)

    def mode_for(self, path, mode):
        """The mode bits of the new file: the plan's, else those of the old one."""
        try:
            facts = os.stat(self.change.place(path))
        except OSError:
            return 0o644 if mode is None else mode & 0o777
        if stat.S_ISDIR(facts.st_mode):
            if self.cleared.get(path) != "folder":
                raise Stop("obstacle", "%s is a folder on the host" % path, path)
            return 0o644 if mode is None else mode & 0o777
        return (stat.S_IMODE(facts.st_mode) if mode is None else mode) & 0o777
