"""A job in the state folder: its lock and heartbeat, its receipt, and whether it may still run."""

import contextlib
import os
import platform
import re
import shutil
import socket
import time

from . import files, limits
from .errors import Refusal, StepUnfinished, Superseded
from .history import remember
from .names import local, readable


class Job:
    """One job, for the time of one step."""

    def __init__(self, state, job, limit, is_program=False, loaded=None):
        if not isinstance(job.get("id"), str) or not re.fullmatch("[0-9a-f]{16}", job["id"]):
            raise ValueError("the job has no id")
        self.state, self.job, self.id = os.path.abspath(state), job, job["id"]
        self.home = os.path.dirname(os.path.dirname(self.state))
        self.work = os.path.join(self.state, "work-" + self.id)
        self.root = self.local(job["root"])
        self.deadline = None if limit is None else time.monotonic() + limit
        self.is_program, self.last_heartbeat = is_program, 0.0
        # The variables that the web app was loaded with.
        self.notes, self.loaded, self.steps = {}, loaded or {}, 1
        self.output, self.truncated, self.exit_status, self.result = "", False, None, {}

    def local(self, path):
        """A path of the API as one of this machine."""
        return local(self.home, path)

    def check_age(self):
        """Raises if the job is too old to be started."""
        age = time.time() - self.job["created"]
        # Clocks may differ by minutes, but a job from the far future is as wrong as an old one.
        if not -limits.LIFETIME < age < limits.LIFETIME:
            raise Refusal("stale", "the job is %d minutes old, which is too old to start" % (age // 60))

    def tick(self, may_stop=True):
        """Writes a heartbeat when one is due, and ends the step when its time is up."""
        now = time.monotonic()
        if now - self.last_heartbeat > limits.HEARTBEAT_SECONDS:
            self.last_heartbeat = now
            # On a full disk this fails, which must stop nobody, least of all a job that is being undone.
            with contextlib.suppress(OSError):
                files.write_text(os.path.join(self.work, "heartbeat"), "%s %d" % (socket.gethostname(), time.time()))
        if may_stop and self.deadline is not None and now > self.deadline:
            raise StepUnfinished

    def remote(self, path):
        """A path of this machine as one of the API, if it has another there."""
        parts = self.job["root"].split("/")
        if self.job["root"].startswith("/home/") and len(parts) > 2 and (path + "/").startswith(self.home + "/"):
            return "/home/" + parts[2] + path[len(self.home) :]
        return path

    # Receipts

    def receipt_path(self):
        """Where the receipt is written."""
        return os.path.join(self.state, "receipt-%s.json" % self.id)

    def save(self, path, value, indent=None):
        """Writes a note. A temporary file that a killed runner leaves is in the work folder, and removed with it."""
        files.write_json(path, value, indent, folder=self.work if os.path.isdir(self.work) else None)

    def receipt(self):
        """The receipt so far; `None` if there is none."""
        return files.read_json(self.receipt_path())

    def new_receipt(self, state, error=None, started=None, steps=1):
        """A receipt that says what is known now."""
        status = self.exit_status
        if status is None and state not in ("running", "incomplete"):
            status = 0 if state == "done" else 1
        return {
            "format": limits.FORMAT,
            "id": self.id,
            "operation": self.job["operation"],
            "state": state,
            "exit_status": status,
            "output": readable(self.output),
            "truncated": self.truncated,
            "started": started or int(time.time()),
            "finished": None if state == "running" else int(time.time()),
            "python": platform.python_version(),
            "steps": steps,
            "error": error and dict(error, message=readable(error["message"])),
            "result": self.result,
        }

    def finish(self, receipt):
        """Writes the receipt, and removes what is no longer needed."""
        files.make_private(self.state)
        try:
            self.save(self.receipt_path(), receipt)
        except OSError:
            if receipt["state"] == "done":
                raise
            # The unpacked files may be what fills the disk.
            self.remove_folder(receipt)
            self.save(self.receipt_path(), receipt)
        # What counts is the receipt; a full disk may have had room for that and no more.
        with contextlib.suppress(OSError):
            remember(self, receipt)
        self.clean_up(receipt)
        return receipt

    def clean_up(self, receipt):
        """Removes what this job and earlier ones left; whoever was killed at it did not get that far."""
        self.remove_folder(receipt)
        with contextlib.suppress(OSError):
            self.tidy()

    def has_begun(self):
        """Whether files of the project may have been changed."""
        return os.path.exists(os.path.join(self.work, limits.JOURNAL))

    def remove_folder(self, receipt):
        """Removes the work folder, unless it has an archive to fetch, files to restore, or some to go on with."""
        is_archive = receipt["operation"] == "archive" and receipt["state"] == "done"
        is_half = receipt["state"] != "done" and self.has_begun() and not receipt["result"].get("undone")
        is_half = is_half or receipt["result"].get("left_in")
        if not is_archive and not is_half and receipt["state"] != "incomplete" and files.remove_elsewhere(self.work):
            # In one step rather than file by file: half a folder would mislead the next runner.
            gone = os.path.join(self.state, "gone-" + self.id)
            shutil.rmtree(gone, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.rename(self.work, gone)
            shutil.rmtree(gone, ignore_errors=True)

    def tidy(self):
        """Removes old receipts, and the folders of jobs that can never be continued."""
        names = os.listdir(self.state)
        receipts = [name for name in names if name.startswith("receipt-") and name.endswith(".json")]
        for name in files.newest_first(self.state, receipts)[limits.RECEIPTS_KEPT :]:
            files.remove(os.path.join(self.state, name))
        for name in names:
            if name.startswith("gone-") or (name == limits.WHEELS and self.is_old(name, 4)):
                shutil.rmtree(os.path.join(self.state, name), ignore_errors=True)
            notes = {"%s-%s.json" % (kind, name[5:]) for kind in ("intent", "maintenance")}
            if name.startswith("work-") and notes.isdisjoint(names):
                path = os.path.join(self.state, name)
                if os.path.exists(os.path.join(path, "not_undone")):
                    continue
                with contextlib.suppress(OSError):
                    if self.is_old(name) and files.remove_elsewhere(path):
                        shutil.rmtree(path, ignore_errors=True)

    def is_old(self, name, lifetimes=1):
        """Whether a folder of the state has not been used for longer than a job lives."""
        return time.time() - os.stat(os.path.join(self.state, name)).st_mtime > lifetimes * limits.LIFETIME

    # Who may run

    @contextlib.contextmanager
    def exclusively(self):
        """Holds the job's lock while the block runs; gives whether it could be taken."""
        files.make_private(self.work)
        # What the API made can be read by everybody.
        os.chmod(os.path.dirname(self.state), 0o700)
        files.tighten(self.state)
        os.chmod(self.work, 0o700)
        lock = os.open(os.path.join(self.work, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not files.try_lock(lock):
                yield False
                return
            try:
                is_same = os.fstat(lock).st_ino == os.stat(os.path.join(self.work, "lock")).st_ino
            except FileNotFoundError:
                is_same = False
            if not is_same:
                # The lock file was removed with its folder, since the job is finished.
                yield False
                return
            # Machines may share the home folder without sharing locks.
            heartbeat = files.read_text(os.path.join(self.work, "heartbeat")).split()
            if (
                len(heartbeat) == 2
                and heartbeat[0] != socket.gethostname()
                and time.time() - int(heartbeat[1]) < limits.HEARTBEAT_EXPIRES
            ):
                yield False
                return
            self.tick(may_stop=False)
            yield True
            files.remove(os.path.join(self.work, "heartbeat"))
        finally:
            os.close(lock)

    def check_current(self):
        """Raises unless this job's deploy is the one that may change the project."""

        def no(why):
            raise Superseded("not_current", "this deploy is no longer the current one: %s" % why)

        now, own = time.time(), "intent-%s.json" % self.id
        names = os.listdir(self.state) if os.path.isdir(self.state) else []
        if own not in names:
            no("its note is gone")
        newest = 0
        for name in names:
            if name.startswith("intent-") and name.endswith(".json"):
                try:
                    intent = self.note(name)
                except FileNotFoundError:
                    if name == own:
                        no("its note is gone")
                    continue
                if intent is None:
                    no("%s cannot be read" % name)
                if name != own and self.id in intent.get("takes_over", ()):
                    no("another deploy took over")
                if name == own and intent.get("ended"):
                    no("it has ended")
                if name == own and (intent.get("expires") or now) < now:
                    no("its note has expired")
                # An intent that is renewed may be older: uploading a bundle can take long.
                if name == own and not intent.get("expires") and intent["since"] + limits.LIFETIME <= now:
                    no("it started too long ago")
            elif re.fullmatch(r"manifest-[0-9]+\.json", name):
                newest = max(newest, int(name[9:-5]))
        generation = self.job["generation"]
        if (
            newest != generation - 1
            and (self.note_if_there("manifest-%d.json" % newest) or {}).get("deploy") != self.id
        ):
            no("another deploy has finished since (manifest %d)" % newest)

    def note(self, name):
        """A note in the state folder, read again when it has changed; `None` if it cannot be read.

        The API may be writing it, so reading is retried for a while.
        """
        path = os.path.join(self.state, name)
        for _ in range(limits.READ_RETRIES):
            facts = os.stat(path)
            version = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            if self.notes.get(name, (None,))[0] == version:
                return self.notes[name][1]
            with contextlib.suppress(ValueError):
                value = files.read_json(path)
                if isinstance(value, dict):
                    self.notes[name] = (version, value)
                    return value
            time.sleep(limits.READ_RETRY_SECONDS)
        return None

    def note_if_there(self, name):
        """As `note`, and `None` if there is no such note."""
        try:
            return self.note(name)
        except FileNotFoundError:
            return None
