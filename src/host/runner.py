"""Does a job on the host: puts the files of a bundle in place, rolls back, hashes, packs, runs a command.

The API can write files and read them, one at a time, and nothing more. So a job is described in JSON, done here, and
what came of it is left as a *receipt*, `receipt-<id>.json`, in the project's state folder, where the API reads it.

Started in two ways: as a program, which reads `job.json` beside itself (tasks, consoles), or by the agent in a web app,
which calls `run_job` once for each request. A request must be short, so long jobs go in steps: a receipt that says
`running` asks to be called again. Every job may be killed at any moment and started again: it finishes what it began,
or undoes it. A command alone is never started twice.

What changes the project does so only while its deploy's note (*intent*) is the current one, and looks again before
every single change, so that no old job ever works against a newer deploy.

Standard library only, Python 3.8 and later, one file: it must run wherever it is put. Nothing here knows a user's name:
what the API calls /home/<name>/ is the folder that the state folder lies in.
"""

import contextlib
import errno
import fcntl
import fnmatch
import gzip
import hashlib
import io
import json
import os
import platform
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import time
import traceback
import zlib

FORMAT = 1
LIFETIME = 30 * 60  # seconds after which a job is not begun any more
ELSEWHERE = "elsewhere.json"  # the note of a work folder that says where else its job has files
RECEIPTS = 20  # that are kept
HISTORY = 50  # jobs that are remembered
BEAT = 5  # seconds between signs of life
DEAD = 20  # seconds after which a runner on another machine is taken for dead
PART = 95 << 20  # bytes: below what the API lets through in one piece
GROUP = 4 << 20  # bytes of files that an archive step packs before it looks at the time
CHUNK = 1 << 20
OUTPUT_HEAD, OUTPUT_TAIL = 64 << 10, 960 << 10
GRACE = 5  # seconds between TERM and KILL
LOOKS, LOOK = 40, 0.05  # how often, and how many seconds apart, a half-written note is looked at
LARGEST_PLAN = 64 << 20


class Stop(Exception):
    """Ends a job: its state, the kind of error, and what to say."""

    state = "failed"

    def __init__(self, kind, message, path=None):
        super().__init__(message)
        self.error = {"kind": kind, "message": message}
        if path is not None:
            self.error["path"] = path


class Refusal(Stop):
    """Nothing was begun."""

    state = "refused"


class Superseded(Refusal):
    """Another deploy is the current one, or none: nothing may be touched, not even to undo."""


class Later(Exception):
    """The time of this step is up."""


# --------------------------------------------------------------------------------------------------------- entry points


def run_job(state, job, limit=None):
    """Does one step of `job`, of about `limit` seconds, and returns the receipt."""
    work = Job(state, job, limit)
    try:
        work.check_age()
        done = work.receipt()
        if done is not None and done["state"] != "running":
            # Whoever did it may have been killed just before the end of this.
            work.remove_folder(done)
            return done
        if job["operation"] in ("apply", "rollback"):
            work.check_current()
    except Refusal as refusal:
        # Not a trace of it: whoever it belonged to is gone.
        return work.new_receipt(refusal.state, error=refusal.error)
    with work.alone() as is_alone:
        if not is_alone:
            return work.new_receipt("running", error={"kind": "busy", "message": "another runner does this job"})
        # Whoever had the lock may have ended between our look and our turn.
        done = work.receipt()
        if done is not None and done["state"] != "running":
            return done
        return work.step(done)


def refuse(state, job, why):
    """Leaves a receipt that says why a job is not done."""
    work = Job(state, job, None)
    return work.finish(work.new_receipt("refused", error={"kind": "refused", "message": why}))


def main():
    """Does the job beside this file to its end."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "job.json"), encoding="utf-8") as file:
        job = json.load(file)
    receipt = run_job(os.path.dirname(here), job)
    while receipt["state"] == "running" and (receipt["error"] or {}).get("kind") != "busy":
        receipt = run_job(os.path.dirname(here), job)
    message = receipt["error"]["message"] + "\n" if receipt["error"] else ""
    sys.stdout.buffer.write((receipt["output"] + message).encode("utf-8", "replace"))
    return receipt["exit_status"] or 0


# ------------------------------------------------------------------------------------------------------------------ job


class Job:
    """One job, as far as one step of it goes."""

    def __init__(self, state, job, limit):
        if not isinstance(job.get("id"), str) or not re.fullmatch("[0-9a-f]{16}", job["id"]):
            raise ValueError("the job has no id")
        if job.get("format") != FORMAT or job.get("operation") not in OPERATIONS:
            raise ValueError("the job is of another version: upgrade, or install the agent anew")
        self.state, self.job, self.id = os.path.abspath(state), job, job["id"]
        self.home = os.path.dirname(os.path.dirname(self.state))
        self.work = os.path.join(self.state, "work-" + self.id)
        self.root = self.local(job["root"])
        self.deadline = None if limit is None else time.monotonic() + limit
        self.beaten = 0.0
        self.notes = {}
        self.output, self.truncated, self.exit_status, self.result = "", False, None, {}

    def local(self, path):
        """Where that which the API calls `path` is for us."""
        parts = path.split("/")
        if path.startswith("/home/") and len(parts) > 2:
            return os.path.join(self.home, *map(native, parts[3:]))
        return native(path)

    def check_age(self):
        age = time.time() - self.job["created"]
        # A clock may differ by minutes; a job from tomorrow is as wrong as one from yesterday.
        if not -LIFETIME < age < LIFETIME:
            raise Refusal("stale", "the job is %d minutes old: it is not begun any more" % (age // 60))

    def tick(self, may_stop=True):
        """Gives a sign of life, and ends the step when its time is up."""
        now = time.monotonic()
        if now - self.beaten > BEAT:
            self.beaten = now
            # A disk that is full stops those who need room, and least of all one who is undoing.
            with contextlib.suppress(OSError):
                write_text(os.path.join(self.work, "beat"), "%s %d" % (socket.gethostname(), time.time()))
        if may_stop and self.deadline is not None and now > self.deadline:
            raise Later

    def step(self, done):
        """One step, in a world where nobody else does this job."""
        started = done["started"] if done else int(time.time())
        steps = done["steps"] + 1 if done else 1
        error, state = None, "done"
        try:
            if done is not None and self.job["operation"] in ("manage", "pip", "run"):
                raise Stop("interrupted", "the command was cut off, and nobody knows what it did until then")
            OPERATIONS[self.job["operation"]](self)
        except Later:
            state = "running"
        except Stop as stop:
            error, state = stop.error, stop.state
        except Exception as failure:
            error, state = described(failure), "failed"
        if state == "refused" and self.has_begun():
            state = "failed"
        receipt = self.new_receipt(state, error=error, started=started, steps=steps)
        if state == "running":
            self.save(self.receipt_path(), receipt)
            return receipt
        if error is not None and error["kind"] == "not_current":
            # The tree is another deploy's by now; what became of this one is still worth knowing.
            self.save(self.receipt_path(), receipt)
            return receipt
        return self.finish(receipt)

    # Receipts

    def receipt_path(self):
        return os.path.join(self.state, "receipt-%s.json" % self.id)

    def save(self, path, value, indent=None):
        """Writes a note. What a killed one leaves half-written lies in the work folder, and goes with it."""
        write_json(path, value, indent, folder=self.work if os.path.isdir(self.work) else None)

    def receipt(self):
        return read_json(self.receipt_path())

    def new_receipt(self, state, error=None, started=None, steps=1):
        status = self.exit_status
        if status is None and state != "running":
            status = 0 if state == "done" else 1
        return {
            "format": FORMAT,
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
        """Leaves the receipt, and nothing else that is not needed."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        try:
            self.save(self.receipt_path(), receipt)
        except OSError:
            if receipt["state"] == "done":
                raise
            # What it unpacked may be what fills the disk.
            self.remove_folder(receipt)
            self.save(self.receipt_path(), receipt)
        # The receipt counts; a full disk that had room for it may have none for this.
        with contextlib.suppress(OSError):
            self.remember(receipt)
        self.remove_folder(receipt)
        with contextlib.suppress(OSError):
            self.tidy()
        return receipt

    def has_begun(self):
        """Whether files of the project may have been moved."""
        return os.path.exists(os.path.join(self.work, "moves.json"))

    def remove_folder(self, receipt):
        """An archive stays until it was fetched, and old files stay that may not have been put back."""
        is_archive = receipt["operation"] == "archive" and receipt["state"] == "done"
        is_half = receipt["state"] != "done" and self.has_begun() and not receipt["result"].get("undone")
        if not is_archive and not is_half and remove_elsewhere(self.work):
            # At once, and not file by file: half a folder would tell the next one another story.
            gone = os.path.join(self.state, "gone-" + self.id)
            shutil.rmtree(gone, ignore_errors=True)
            with contextlib.suppress(OSError):
                os.rename(self.work, gone)
            shutil.rmtree(gone, ignore_errors=True)

    def remember(self, receipt):
        path = os.path.join(self.state, "history.json")
        try:
            jobs = (read_json(path) or {}).get("jobs", [])
        except ValueError:
            jobs = []
        kept = {key: receipt[key] for key in ("id", "operation", "state", "started", "finished", "exit_status")}
        kept["summary"] = self.summary(receipt)
        migrations = applied_migrations(receipt)
        if migrations:
            kept["migrations"] = migrations
        others = [job for job in jobs if job.get("id") != self.id]
        self.save(path, {"format": FORMAT, "jobs": others[-HISTORY + 1 :] + [kept]})

    def summary(self, receipt):
        if receipt["error"]:
            return (receipt["error"]["message"].strip().splitlines() or [""])[-1]
        result = receipt["result"]
        if "written" in result:
            return "%d written, %d deleted" % (result["written"], len(result["deleted"]))
        if "argv" in result:
            return " ".join(result["argv"][1:])[:200]
        return "%d files" % result["files"] if isinstance(result.get("files"), int) else ""

    def tidy(self):
        """Removes old receipts, and the folders of jobs that can never go on."""
        names = os.listdir(self.state)
        receipts = [name for name in names if name.startswith("receipt-") and name.endswith(".json")]
        for name in newest_first(self.state, receipts)[RECEIPTS:]:
            remove(os.path.join(self.state, name))
        for name in names:
            if name.startswith("gone-"):
                shutil.rmtree(os.path.join(self.state, name), ignore_errors=True)
            notes = {"%s-%s.json" % (kind, name[5:]) for kind in ("intent", "errand")}
            if name.startswith("work-") and notes.isdisjoint(names):
                path = os.path.join(self.state, name)
                if os.path.exists(os.path.join(path, "not_undone")):
                    continue
                with contextlib.suppress(OSError):
                    if time.time() - os.stat(path).st_mtime > LIFETIME and remove_elsewhere(path):
                        shutil.rmtree(path, ignore_errors=True)

    # Who may work

    @contextlib.contextmanager
    def alone(self):
        """Whether nobody else does this job, for as long as the block runs."""
        os.makedirs(self.work, mode=0o700, exist_ok=True)
        # The API makes folders that everybody can read.
        os.chmod(self.state, 0o700)
        lock = os.open(os.path.join(self.work, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                    raise
            try:
                is_same = os.fstat(lock).st_ino == os.stat(os.path.join(self.work, "lock")).st_ino
            except FileNotFoundError:
                is_same = False
            if not is_same:
                # The folder that it lay in is gone, with the job that it was for.
                yield False
                return
            # The home folder may be shared by machines that do not share locks.
            beat = read_text(os.path.join(self.work, "beat")).split()
            if len(beat) == 2 and beat[0] != socket.gethostname() and time.time() - int(beat[1]) < DEAD:
                yield False
                return
            self.tick(may_stop=False)
            yield True
            remove(os.path.join(self.work, "beat"))
        finally:
            os.close(lock)

    def check_current(self):
        """Raises unless our deploy is the one that may change the project."""

        def no(why):
            raise Superseded("not_current", "this deploy is not the current one any more: %s" % why)

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
                    no("another one took over")
                if name == own and intent.get("ended"):
                    no("it ended")
                if name == own and (intent.get("expires") or now) < now:
                    no("its note has expired")
                # One that is kept fresh may be older: a bundle takes as long to go up as it takes.
                if name == own and not intent.get("expires") and intent["since"] + LIFETIME <= now:
                    no("it began too long ago")
            elif re.fullmatch(r"manifest-[0-9]+\.json", name):
                newest = max(newest, int(name[9:-5]))
        generation = self.job["generation"]
        if (
            newest != generation - 1
            and (self.note_if_there("manifest-%d.json" % newest) or {}).get("deploy") != self.id
        ):
            no("another one has ended since (manifest %d)" % newest)

    def note(self, name):
        """A note in the state folder, read anew when it was changed; `None` if it cannot be read.

        The API may be writing it: what is half-written is looked at again for a while.
        """
        path = os.path.join(self.state, name)
        for _ in range(LOOKS):
            facts = os.stat(path)
            version = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            if self.notes.get(name, (None,))[0] == version:
                return self.notes[name][1]
            with contextlib.suppress(ValueError):
                value = read_json(path)
                if isinstance(value, dict):
                    self.notes[name] = (version, value)
                    return value
            time.sleep(LOOK)
        return None

    def note_if_there(self, name):
        try:
            return self.note(name)
        except FileNotFoundError:
            return None


# ------------------------------------------------------------------------------------------------------ apply, rollback


def apply(job):
    """Puts the files of a bundle in their places, all or none."""
    # Until the moves are written down, no file of the project is touched.
    job.result = dict(NOTHING_APPLIED, undone=not job.has_begun())
    change = Change(job)
    if not change.is_planned():
        unpack(job, change)
    for part in job.job["parts"]:
        # The disk may be as good as full, and the receipt still needs room.
        remove(os.path.join(job.work, checked_name(part["name"])))
    change.carry_out()


def unpack(job, change):
    """Unpacks the bundle into the staging folder, and plans the change."""
    progress_path = os.path.join(job.work, "progress.json")
    seen = (read_json(progress_path) or {"seen": []})["seen"]
    if not seen:
        check_parts(job)
        check_space(change.staging, job.job["bytes"])
    count, total, plan = 0, 0, None
    try:
        with tarfile.open(fileobj=gzip.GzipFile(fileobj=Parts(job)), mode="r|", encoding="utf-8") as archive:
            for member in archive:
                is_plan = member.name == "plan.json"
                if is_plan and member.size > LARGEST_PLAN:
                    raise Stop("digest", "the plan of the bundle is larger than any plan")
                if plan is not None or not member.isreg():
                    raise Stop("name", "the bundle holds what is no file of it: %r" % member.name)
                content = archive.extractfile(member)
                if is_plan:
                    plan = json.loads(content.read().decode())
                    continue
                total += member.size
                if not member.name.startswith("files/") or total > job.job["bytes"]:
                    raise Stop("digest", "the bundle is not the one that was announced")
                if count >= len(seen):
                    digest = copy(content, os.path.join(change.staging, "%06d" % count))
                    seen.append([member.name[6:], digest, member.size])
                    # Only here: a step that ends while it passes over what is done would never get further.
                    job.tick()
                count += 1
    except Later:
        write_json(progress_path, {"seen": seen})
        raise
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise Stop("digest", "the bundle is damaged: %s" % error)
    names = ("files", "delete", "clear", "manifest", "remove")
    if not isinstance(plan, dict) or any(name not in plan for name in names):
        raise Stop("digest", "the bundle has no plan")
    files, deletes, clear, manifest, old_notes = (plan[name] for name in names)
    if [[file.get("path"), file.get("sha256"), file.get("size")] for file in files] != seen:
        raise Stop("digest", "what the bundle holds is not what it says that it holds")
    change.plan(files, deletes, clear, manifest, old_notes, previous=plan.get("previous"))


def check_parts(job):
    for part in job.job["parts"]:
        path = os.path.join(job.work, checked_name(part["name"]))
        if not os.path.exists(path):
            raise Stop("missing", "%s was not uploaded" % part["name"])
        if os.path.getsize(path) != part["size"] or digest_of(path) != part["sha256"]:
            raise Stop("digest", "%s is not what was uploaded" % part["name"])
        job.tick(may_stop=False)


def check_space(folder, size):
    """Fails unless so many bytes can be written: quotas are not visible otherwise."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    probe = os.path.join(folder, "probe")
    try:
        with open(probe, "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, max(1, size))
            except (OSError, AttributeError) as error:
                if getattr(error, "errno", errno.ENOSYS) not in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                    raise
                write_zeros(file, size)
    finally:
        remove(probe)


def write_zeros(file, size):
    zeros = bytes(CHUNK)
    while size > 0:
        size -= file.write(zeros[: min(size, CHUNK)])
    file.flush()


class Parts(io.RawIOBase):
    """The parts of a bundle as one stream."""

    def __init__(self, job):
        self.paths = [os.path.join(job.work, checked_name(part["name"])) for part in job.job["parts"]]
        self.file = None

    def readable(self):
        return True

    def readinto(self, buffer):
        while True:
            if self.file is None:
                if not self.paths:
                    return 0
                self.file = open(self.paths.pop(0), "rb")
            count = self.file.readinto(buffer)
            if count:
                return count
            self.file.close()
            self.file = None


def rollback(job):
    """Puts back what a deploy replaced, and removes what it added."""
    job.result = dict(NOTHING_APPLIED, undone=not job.has_begun())
    change = Change(job)
    if not change.is_planned():
        stage_old_files(job, change)
    change.carry_out()


def stage_old_files(job, change):
    store = os.path.join(job.state, "rollback-" + checked_id(job.job["target"]))
    index = read_json(os.path.join(store, "index.json"))
    if index is None:
        raise Refusal("missing", "nothing is kept of the deploy %s" % job.job["target"])
    newest = job.note_if_there("manifest-%d.json" % (job.job["generation"] - 1)) or {}
    if newest.get("deploy") != job.job["target"]:
        why = "another deploy ended since (%s): what it put there would be mixed with older files"
        raise Refusal("not_latest", why % newest.get("deploy", "unknown"))
    os.makedirs(change.staging, mode=0o700, exist_ok=True)
    files = []
    for path, old in sorted(list(index["files"].items()) + list(index["deleted"].items())):
        staged = os.path.join(change.staging, "%06d" % len(files))
        files.append({"path": path, "mode": old["mode"]})
        if not os.path.lexists(staged):
            link_or_copy(os.path.join(store, checked_name(old["name"])), staged)
            job.tick()
    deletes, kept = [], {}
    for path, digest in sorted(index["added"].items()):
        if digest_if_there(change.place(path)) in (None, digest):
            deletes.append(path)
        else:
            kept[path] = "it was changed since that deploy added it"
    overwritten = written_since(job, change, store, index)
    clear, deletes = cleared_for([file["path"] for file in files], deletes)
    manifest = dict(index["previous"] or {"format": FORMAT, "remote_root": job.job["root"], "files": {}})
    # What deploys that were cut off changed since, or may have, is not as it was then.
    note = job.note_if_there("intent-%s.json" % job.id) or {}
    changed = {path for key in ("pending", "deletes") for path in note.get(key, ())}
    changed -= {path for key in ("files", "deleted", "added") for path in index[key]}
    files_now = dict(manifest["files"], **{path: {"sha256": None, "size": None} for path in sorted(changed)})
    manifest.update(generation=job.job["generation"], deploy=job.id, files=files_now)
    old_notes = [name for name in os.listdir(job.state) if re.fullmatch(r"manifest-[0-9]+\.json", name)]
    old_notes = [name for name in old_notes if int(name[9:-5]) < job.job["generation"]]
    change.plan(
        files, deletes, clear, manifest, old_notes, kept=kept, spent=os.path.basename(store), overwritten=overwritten
    )


def written_since(job, change, store, index):
    """Files that come back and are other by now than the deploy left them: what is there has no other copy."""
    found = []
    for path, old in sorted(list(index["files"].items()) + list(index["deleted"].items())):
        digest, stored = digest_if_there(change.place(path)), os.path.join(store, checked_name(old["name"]))
        # One that was cut off may have put it back already.
        if digest not in (None, old.get("put"), digest_if_there(stored)):
            found.append(path)
        job.tick(may_stop=False)
    return found


def cleared_for(paths, deletes):
    """Which of the files that go make way for those that come back, and which just go."""
    clear, cleared, going = [], set(), set(deletes)
    for path in paths:
        above = path
        while os.path.dirname(above):
            above = os.path.dirname(above)
            if above in going and above not in cleared:
                clear.append({"path": above, "is_dir": False, "files": [above]})
                cleared.add(above)
        below = [name for name in deletes if name.startswith(path + "/")]
        if below:
            clear.append({"path": path, "is_dir": True, "files": below})
            cleared.update(below)
    return clear, [path for path in deletes if path not in cleared]


class Change:
    """A change of the project: staged files that go in, files that go out, a new manifest.

    It is written down as single moves before the first is made. Of each move the files themselves tell whether it was
    made, so that a killed one is finished by making all moves again, or undone by making them backwards.
    """

    def __init__(self, job):
        self.job = job
        self.moves_path = os.path.join(job.work, "moves.json")
        self.undo_path = os.path.join(job.work, "undo")
        self.areas = [os.path.realpath(area) for area in (job.root, job.home, "/var/www", "/var/log")]
        self.reached = set()
        elsewhere = self.elsewhere()
        self.staging = elsewhere or os.path.join(job.work, "staging")
        self.replaced = os.path.join(elsewhere or job.work, "replaced")

    def elsewhere(self):
        """Where the files are unpacked if the work folder lies on another file system than the project.

        Only within one are files moved at once. The place is noted: once folders are made, what lies beside the project
        may be another one.
        """
        noted = os.path.join(self.job.work, ELSEWHERE)
        if os.path.exists(noted):
            return native(read_json(noted))
        root = self.job.root
        parent = existing_parent(os.path.dirname(root))
        if os.path.isdir(root) and os.stat(root).st_dev != os.stat(parent).st_dev:
            # The project is a file system of its own: beside it is another one.
            parent = root
        if os.stat(parent).st_dev == os.stat(self.job.work).st_dev:
            return None
        path = os.path.join(parent, ".%s.pya-%s" % (os.path.basename(root), self.job.id))
        write_json(noted, readable(path))
        return path

    def is_planned(self):
        return os.path.exists(self.moves_path)

    def place(self, path):
        """Where a file of the project lies. What its folders are links to is for `check_reach` to say."""
        return os.path.join(self.job.root, native(checked_path(path)))

    def check_reach(self, path):
        """Raises unless the API itself would reach this place.

        Whoever made a folder of the project a link to another place meant its files to be there. The API follows such
        links, and so do we: else a bundle would do something else than single uploads. But it follows them only to
        what is the account's; and in the emulator, an absolute link may lead to the machine that it runs on.
        """
        folder = os.path.dirname(self.place(path))
        if folder not in self.reached:
            real = os.path.realpath(folder)
            if not any(real == area or real.startswith(area + "/") for area in self.areas):
                raise Stop("obstacle", "a link leads %s out of the account, to %s" % (path, real), path)
            self.reached.add(folder)

    def folder(self, path):
        """As `place`, with the project itself for the empty path."""
        return self.place(path) if path else self.job.root

    # Planning

    def plan(self, files, deletes, clear, manifest, old_notes, kept=None, spent=None, previous=None, overwritten=()):
        """Writes down all moves, after a look at every place that is concerned.

        `overwritten` has no other copy, so that what is replaced is kept whatever its size. `previous` is what a
        rollback makes the manifest of: what the newest one says, unless the client knows better, since a deploy was
        cut off.
        """
        moves, self.cleared = [], {}
        for obstacle in clear:
            moves += self.plan_clearing(obstacle)
        made, targets = {}, {}
        for number, file in enumerate(files):
            path = file["path"]
            for folder in self.missing_folders(path, made):
                moves.append(["make", folder])
            # A folder that makes way is gone before the file comes.
            existed = path not in self.cleared and os.path.lexists(self.place(path))
            targets[path] = ["put", path, "%06d" % number, self.mode_for(path, file.get("mode")), existed]
        if len(targets) != len(files) or not targets.keys().isdisjoint(deletes):
            raise Stop("name", "the bundle names a file twice")
        moves += targets.values()
        for name in old_notes:
            if not re.fullmatch(r"(manifest-[0-9]+|intent-[0-9a-f]{16})\.json", name):
                raise Stop("name", "%r is no note of a deploy" % name)
        os.makedirs(self.replaced, mode=0o700, exist_ok=True)
        newest = self.job.note_if_there("manifest-%d.json" % (self.job.job["generation"] - 1))
        write_json(
            self.moves_path,
            {
                "moves": moves,
                "deletes": [checked_path(path) for path in deletes],
                "manifest": manifest,
                "previous": previous or newest,
                "old_notes": old_notes,
                "digests": {file["path"]: file.get("sha256") for file in files},
                "kept": kept or {},
                "spent": spent,
                "overwritten": list(overwritten),
            },
        )

    def plan_clearing(self, obstacle):
        """Moves that take away what is of ours where something else must go."""
        moves, folders = [], set()
        if obstacle["is_dir"] and os.path.islink(self.place(obstacle["path"])):
            raise Stop("obstacle", "%s is a link" % obstacle["path"], obstacle["path"])
        for path in obstacle["files"]:
            if os.path.lexists(self.place(path)):
                self.need_file(path)
                moves.append(["take", path, "c%06d" % len(self.cleared)])
                self.cleared[path] = "file"
                folder = os.path.dirname(path)
                while obstacle["is_dir"] and len(folder) >= len(obstacle["path"]):
                    folders.add(folder)
                    folder = os.path.dirname(folder)
        if obstacle["is_dir"] and os.path.isdir(self.place(obstacle["path"])):
            for folder, below, names in os.walk(self.place(obstacle["path"])):
                inside = readable(os.path.relpath(folder, self.job.root))
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
        self.check_reach(path)
        missing, folder = [], os.path.dirname(path)
        while folder not in made:
            made[folder] = True
            place = self.folder(folder)
            is_cleared = self.cleared.get(folder) == "file"
            if not is_cleared and os.path.isdir(place) and self.cleared.get(folder) != "folder":
                if not os.access(place, os.W_OK | os.X_OK):
                    raise Stop("obstacle", "the folder %s cannot be written" % (folder or self.job.root), path)
                break
            if os.path.lexists(place) and folder not in self.cleared:
                raise Stop("obstacle", "%s is no folder" % folder, path)
            missing.append(folder)
            if not folder:
                break
            folder = os.path.dirname(folder)
        return reversed(missing)

    def need_file(self, path):
        self.check_reach(path)
        facts = os.lstat(self.place(path))
        if not stat.S_ISREG(facts.st_mode):
            raise Stop("obstacle", "%s is no regular file" % path, path)

    def mode_for(self, path, mode):
        """The mode bits of the new file: the plan's, else those of the old one."""
        try:
            facts = os.stat(self.place(path))
        except OSError:
            return 0o644 if mode is None else mode & 0o777
        if stat.S_ISDIR(facts.st_mode):
            if self.cleared.get(path) != "folder":
                raise Stop("obstacle", "%s is a folder on the host" % path, path)
            return 0o644 if mode is None else mode & 0o777
        return (stat.S_IMODE(facts.st_mode) if mode is None else mode) & 0o777

    # Carrying out

    def carry_out(self):
        plan = read_json(self.moves_path)
        self.job.result = dict(NOTHING_APPLIED)
        if os.path.exists(self.undo_path):
            self.undo(plan, read_text(self.undo_path))
        manifest = os.path.join(self.job.state, "manifest-%d.json" % self.job.job["generation"])
        if not os.path.exists(manifest):
            try:
                for move in plan["moves"]:
                    self.job.check_current()
                    getattr(self, "do_" + move[0])(*move[1:])
                    # Not at the end of a step: meanwhile the site would be served half a change.
                    self.job.tick(may_stop=False)
                self.job.check_current()
                self.job.save(manifest, plan["manifest"], indent=2)
            except Superseded:
                raise
            except Exception as error:
                reason = json.dumps(described(error))
                # On a full disk even this fails; if we are killed now, the next one finishes instead.
                with contextlib.suppress(OSError):
                    write_text(self.undo_path, reason)
                self.undo(plan, reason)
        self.conclude(plan)

    def undo(self, plan, error):
        """Puts everything back, and ends the job with the error that was the reason."""
        error, failed = json.loads(error), {}
        for move in reversed(plan["moves"]):
            try:
                self.job.check_current()
                getattr(self, "undo_" + move[0])(*move[1:])
            except Superseded:
                raise
            except Exception as second:
                failed[move[1]] = described(second)["message"]
            self.job.tick(may_stop=False)
        self.job.result = dict(NOTHING_APPLIED, undone=not failed)
        if failed:
            # The only copies of some old files are in the work folder now.
            with contextlib.suppress(OSError):
                write_text(os.path.join(self.job.work, "not_undone"), json.dumps(failed))
            self.job.result["not_undone"] = failed
            message = "%s; and these could not be put back (the old files are in %s): %s"
            error["message"] = message % (error["message"], self.replaced, ", ".join(sorted(failed)))
        stop = Stop(error["kind"], error["message"])
        stop.error = error
        raise stop

    def do_put(self, path, number, mode, _existed):
        staged, place = os.path.join(self.staging, number), self.place(path)
        old = os.path.join(self.replaced, number)
        if not os.path.lexists(staged):
            return  # It is in its place.
        if not os.path.islink(staged):
            os.chmod(staged, mode)
        # One that was killed here may have left it; since then the file may have become another one.
        remove(old)
        with contextlib.suppress(FileNotFoundError):
            link_or_copy(place, old)
        os.replace(staged, place)

    def undo_put(self, path, number, _mode, existed):
        old = os.path.join(self.replaced, number)
        if os.path.lexists(os.path.join(self.staging, number)):
            remove(old)
        elif os.path.lexists(old):
            os.replace(old, self.place(path))
        elif not existed:
            # Not away: of one that is undone already, the next one that undoes must find it here.
            with contextlib.suppress(FileNotFoundError):
                os.rename(self.place(path), os.path.join(self.staging, number))

    def do_take(self, path, name):
        kept = os.path.join(self.replaced, name)
        if not os.path.lexists(kept) and os.path.lexists(self.place(path)):
            self.need_file(path)
            os.rename(self.place(path), kept)

    def undo_take(self, path, name):
        kept = os.path.join(self.replaced, name)
        if os.path.lexists(kept):
            os.rename(kept, self.place(path))

    def do_make(self, folder):
        # A server may let everybody write to what its processes make.
        os.makedirs(self.folder(folder), mode=0o755, exist_ok=True)

    def undo_make(self, folder):
        try:
            os.rmdir(self.folder(folder))
        except OSError as error:
            # It was not made yet, the file is still there that makes way for it, or somebody has put something there.
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise

    def do_unmake(self, folder, name):
        # Moved, not removed: on a disk that is full by then, it could not be made again.
        place, kept = self.place(folder), os.path.join(self.replaced, name)
        if not os.path.lexists(kept) and os.path.isdir(place):
            os.rename(place, kept)
        if os.path.lexists(kept) and os.listdir(kept):
            raise Stop("obstacle", "%s is in the way, and something was put into it just now" % folder, folder)

    def undo_unmake(self, folder, name):
        kept = os.path.join(self.replaced, name)
        if os.path.lexists(kept):
            os.rename(kept, self.place(folder))

    def conclude(self, plan):
        """What follows the manifest, and is not undone: deletes, what is kept for a rollback, the end of old notes.

        The new files are there, and the manifest says so. What fails from here on is told, and is no reason to fail.
        """
        deleted, not_deleted, gone = [], dict(plan["kept"]), []
        kept = read_json(os.path.join(self.store(), "index.json")) if os.path.isdir(self.store()) else None
        if kept is not None:
            # We were killed after this: who has put something there since then meant it.
            deleted = [path for path in plan["deletes"] if path in kept["deleted"]]
            not_deleted = kept.get("not_deleted", {})
        for number, path in enumerate([] if kept else plan["deletes"]):
            kept = os.path.join(self.replaced, "d%06d" % number)
            try:
                self.job.check_current()
                os.makedirs(self.replaced, mode=0o700, exist_ok=True)
                self.do_take(path, "d%06d" % number)
                if os.path.lexists(kept):
                    deleted.append(path)
                    gone.append((path, "d%06d" % number))
                self.job.tick(may_stop=False)
            except Superseded:
                raise
            except (OSError, Stop) as error:
                not_deleted[path] = str(error)
        self.remove_emptied({os.path.dirname(path) for path in deleted})
        written = [move for move in plan["moves"] if move[0] == "put"]
        is_kept, size = self.try_to_keep(plan, written, gone, not_deleted)
        with contextlib.suppress(OSError):
            for name in plan["old_notes"]:
                remove(os.path.join(self.job.state, name))
        if plan["spent"]:
            shutil.rmtree(os.path.join(self.job.state, plan["spent"]), ignore_errors=True)
        self.job.result = {
            "written": len(written),
            "deleted": deleted,
            "not_deleted": not_deleted,
            "kept_for_rollback": is_kept,
            "rollback_bytes": size,
            "overwritten": plan["overwritten"],
            "undone": False,
        }

    def store(self):
        """Where what was replaced is kept."""
        return os.path.join(self.job.state, "rollback-" + self.job.id)

    def try_to_keep(self, *what):
        """As `keep`; what cannot be kept is not."""
        try:
            return self.keep(*what)
        except OSError as error:
            self.job.output += "what was replaced could not be kept: %s\n" % error
            return False, 0

    def remove_emptied(self, folders):
        for folder in sorted(folders, key=len, reverse=True):
            while folder:
                try:
                    os.rmdir(self.folder(folder))
                except FileNotFoundError:
                    # One that was killed here has removed it, and none above it yet.
                    pass
                except OSError:
                    break
                folder = os.path.dirname(folder)

    def keep(self, plan, written, gone, not_deleted):
        """Keeps what was replaced, if that is wanted and not too much; whether it did, and how many bytes it is."""
        store = self.store()
        if os.path.exists(store):
            # We were killed after this.
            return True, read_json(os.path.join(store, "index.json"))["size"]
        index = dict(self.index(plan, written, gone), not_deleted=not_deleted)
        wanted = self.job.job["rollback"]
        is_kept = wanted["versions"] > 0 and (index["size"] <= wanted["bytes"] or bool(plan["overwritten"]))
        stores = [name for name in os.listdir(self.job.state) if re.fullmatch("rollback-[0-9a-f]{16}", name)]
        # Older ones are of no use without this one: they would be mixed with what it put there.
        for name in newest_first(self.job.state, stores)[wanted["versions"] - 1 if is_kept else 0 :]:
            if name != plan["spent"]:
                shutil.rmtree(os.path.join(self.job.state, name), ignore_errors=True)
        if is_kept:
            for move in plan["moves"]:
                if move[0] == "unmake":
                    with contextlib.suppress(OSError):
                        os.rmdir(os.path.join(self.replaced, move[2]))
            write_json(os.path.join(self.replaced, "index.json"), index)
            inside = os.path.join(self.job.work, "replaced")
            if self.replaced != inside:
                shutil.rmtree(inside, ignore_errors=True)
                shutil.copytree(self.replaced, inside, symlinks=True)
            os.rename(inside, store)
        return is_kept, index["size"]

    def index(self, plan, written, gone):
        """What a rollback needs to know."""
        files, added, deleted = {}, {}, {}
        for _, path, number, _, _ in written:
            old = self.old(number)
            put = plan["digests"].get(path) or digest_if_there(self.place(path))
            if old is not None:
                files[path] = dict(old, put=put)
            else:
                added[path] = put
        for path, name in gone + [(move[1], move[2]) for move in plan["moves"] if move[0] == "take"]:
            old = self.old(name)
            if old is not None:
                deleted[path] = old
        size = sum(old["size"] for old in list(files.values()) + list(deleted.values()))
        index = {
            "format": FORMAT,
            "id": self.job.id,
            "time": int(time.time()),
            "previous": plan["previous"],
            "size": size,
        }
        return dict(index, files=files, added=added, deleted=deleted)

    def old(self, name):
        """What is kept under this name."""
        try:
            facts = os.lstat(os.path.join(self.replaced, name))
        except FileNotFoundError:
            return None
        return {"name": name, "mode": stat.S_IMODE(facts.st_mode), "size": facts.st_size}


NOTHING_APPLIED = {
    "written": 0,
    "deleted": [],
    "not_deleted": {},
    "kept_for_rollback": False,
    "rollback_bytes": 0,
    "overwritten": [],
    "undone": False,
}


# -------------------------------------------------------------------------------------------------------- hash, archive


def walk(job, found, want=lambda path: True):
    """The regular files of the project, sorted by folder; tells in `found` what is none, or could not be read."""
    prune, folders = set(job.job["prune"]), [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(os.path.join(job.root, native(folder))) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            found["errors"][folder or "."] = error.strerror or str(error)
            continue
        if folder and any(entry.name == "pyvenv.cfg" for entry in entries):
            found["skipped"][folder] = "a virtualenv"
            continue
        below = []
        for entry in entries:
            path = os.path.join(folder, readable(entry.name))
            if native(readable(entry.name)) != entry.name:
                found["errors"][path] = "its name is not UTF-8"
            elif entry.is_symlink():
                with contextlib.suppress(FileNotFoundError):
                    found["links"][path] = readable(os.readlink(entry.path))
            elif entry.is_dir():
                if entry.name in prune:
                    found["skipped"][path] = "not looked into"
                else:
                    below.append(path)
            elif not entry.is_file():
                found["skipped"][path] = "no regular file"
            elif want(path):
                yield path, entry
        folders.extend(reversed(below))


def hash_tree(job):
    """The digest of every file of the project."""
    path = os.path.join(job.work, "hashes.json")
    known = (read_json(path) or {"files": {}})["files"]
    found = {"files": {}, "errors": {}, "skipped": {}, "links": {}}
    try:
        for name, entry in walk(job, found):
            try:
                if name in known:
                    found["files"][name] = known[name]
                    continue
                facts = entry.stat(follow_symlinks=False)
                found["files"][name] = [digest_of(entry.path), facts.st_size, stat.S_IMODE(facts.st_mode)]
            except FileNotFoundError:
                continue
            except OSError as error:
                found["errors"][name] = error.strerror or str(error)
                continue
            job.tick()
    except Later:
        known.update(found["files"])
        write_json(path, {"files": known})
        raise
    job.result = found


def archive(job):
    """Packs files of the project into parts that the API lets through."""
    includes = [mask.split("/") for mask in job.job["include"]]
    excludes = [mask.split("/") for mask in job.job["exclude"]]

    def want(path):
        parts = path.split("/")
        return any(matches(mask, parts) for mask in includes) and not any(matches(mask, parts) for mask in excludes)

    progress_path = os.path.join(job.work, "archive.json")
    progress = read_json(progress_path) or {"packed": [], "bytes": 0, "sizes": [], "errors": {}}
    packed = set(progress["packed"])
    found = {"errors": {}, "skipped": {}, "links": {}}
    output = ArchiveParts(job.work, progress["sizes"])
    group = Group(output)
    try:
        for path, entry in walk(job, found, want):
            if path in packed:
                continue
            try:
                progress["bytes"] += group.add(path, entry.path)
            except Unreadable as error:
                progress["errors"][path] = str(error)
            progress["packed"].append(path)
            if group.size > GROUP:
                group.end()
                job.tick()
        group.end(is_last=True)
    except Later:
        progress["sizes"] = output.sizes
        output.close()
        write_json(progress_path, progress)
        raise
    output.close()
    parts = []
    for number, size in enumerate(output.sizes):
        name = "archive-%03d" % number
        parts.append({"name": name, "sha256": digest_of(os.path.join(job.work, name)), "size": size})
    found["errors"].update(progress["errors"])
    count = len(progress["packed"]) - len(progress["errors"])
    job.result = dict(found, parts=parts, files=count, bytes=progress["bytes"])


class Unreadable(Exception):
    """A file that could not be packed, or not as it is; the archive is whole without it."""


class Group:
    """Files as one gzip member of an archive; members one after another are one gzip stream."""

    def __init__(self, output):
        self.output, self.gzip, self.size = output, None, 0

    def add(self, name, path):
        """Packs a file and returns its size. An error that is no `Unreadable` is one of the archive itself."""
        try:
            file = open(path, "rb")
        except OSError as error:
            raise Unreadable(error.strerror or str(error))
        with file:
            facts = os.fstat(file.fileno())
            info = tarfile.TarInfo(name)
            info.size, info.mode = facts.st_size, stat.S_IMODE(facts.st_mode)
            if self.gzip is None:
                self.gzip = gzip.GzipFile(fileobj=self.output, mode="wb", compresslevel=6, mtime=0)
            self.gzip.write(info.tobuf(tarfile.PAX_FORMAT, encoding="utf-8"))
            left, failure = info.size, None
            while left > 0:
                content = b""
                if failure is None:
                    try:
                        content = file.read(min(left, CHUNK))
                        failure = None if content else "it became shorter while it was packed"
                    except OSError as error:
                        failure = error.strerror or str(error)
                # The archive must stay whole; whoever unpacks it leaves out what the errors name.
                content = content or bytes(min(left, CHUNK))
                self.gzip.write(content)
                left -= len(content)
            self.gzip.write(bytes(-info.size % tarfile.BLOCKSIZE))
        self.size += info.size
        if failure is not None:
            raise Unreadable(failure)
        return info.size

    def end(self, is_last=False):
        if is_last and self.gzip is None:
            self.gzip = gzip.GzipFile(fileobj=self.output, mode="wb", compresslevel=6, mtime=0)
        if self.gzip is not None:
            if is_last:
                self.gzip.write(bytes(2 * tarfile.BLOCKSIZE))
            self.gzip.close()
        self.gzip, self.size = None, 0


class ArchiveParts(io.RawIOBase):
    """A stream that is cut into files. `sizes` says how much of it is sure; the rest was left by a killed one."""

    def __init__(self, folder, sizes):
        self.folder, self.sizes, self.file = folder, list(sizes), None
        if sizes:
            self.file = open(self.path(), "r+b")
            self.file.truncate(sizes[-1])
            self.file.seek(sizes[-1])

    def path(self):
        return os.path.join(self.folder, "archive-%03d" % (len(self.sizes) - 1))

    def writable(self):
        return True

    def write(self, content):
        content, written = memoryview(content), 0
        while written < len(content):
            if self.file is None or self.sizes[-1] >= PART:
                if self.file is not None:
                    self.file.close()
                self.sizes.append(0)
                self.file = open(self.path(), "wb")
            count = self.file.write(content[written : written + PART - self.sizes[-1]])
            self.sizes[-1] += count
            written += count
        return written

    def close(self):
        if self.file is not None:
            self.file.close()
        super().close()


def matches(mask, parts):
    """Whether a path matches a mask, segment by segment; `**` stands for any number of folders."""
    if not mask:
        return not parts
    if mask[0] == "**" and len(mask) > 1:
        return any(matches(mask[1:], parts[skip:]) for skip in range(len(parts)))
    if mask[0] == "**":
        return bool(parts)
    return bool(parts) and fnmatch.fnmatchcase(parts[0], mask[0]) and matches(mask[1:], parts[1:])


# ------------------------------------------------------------------------------------------------- history and commands


def history(job):
    job.result = {"jobs": (read_json(os.path.join(job.state, "history.json")) or {"jobs": []})["jobs"]}


def manage(job):
    """Runs manage.py with the web app's Python."""
    script = os.path.join(job.root, native(checked_path(job.job["manage"])))
    if not os.path.isfile(script):
        raise Refusal("missing", "there is no %s in the project" % job.job["manage"])
    python = interpreter(job)
    run_command(job, [python, os.path.basename(script)] + job.job["args"], os.path.dirname(script))


def pip(job):
    """Installs requirements for the web app's Python."""
    file = os.path.join(job.root, native(checked_path(job.job["requirements"])))
    if not os.path.isfile(file):
        raise Refusal("missing", "there is no %s in the project" % job.job["requirements"])
    python = interpreter(job)
    words = [python, "-m", "pip", "install", "--disable-pip-version-check", "-r", file]
    if not is_virtualenv(python):
        # The host's own packages are read-only.
        words.insert(4, "--user")
    run_command(job, words, job.root)


def applied_migrations(receipt):
    """Those that Django says it applied: no rollback takes them back, and must be able to name them."""
    if receipt["operation"] not in ("manage", "run"):
        return []
    return re.findall(r"^ *Applying (\S+)\.\.\. OK", receipt["output"], re.MULTILINE)


def run(job):
    """Runs any command."""
    folder = os.path.join(job.root, native(checked_path(job.job["folder"]))) if job.job["folder"] else job.root
    run_command(job, job.job["command"], folder)


def interpreter(job):
    """The Python of the web app. Inside one, `sys.executable` is the server."""
    version = "%d.%d" % sys.version_info[:2]
    wanted = job.job.get("virtualenv")
    is_script = __name__ == "__main__"
    if wanted:
        # In the emulator, a virtualenv may lie outside the account.
        python = os.path.join(native(wanted), "bin", "python")
        inside = os.path.join(job.local(wanted), "bin", "python")
        python = inside if os.path.exists(inside) else python
        found = version_of(python)
        if found is None:
            raise Refusal("interpreter", "the virtualenv %s has no Python that runs" % wanted)
        if not is_script and found != version:
            raise Refusal("interpreter", "%s is Python %s, and the web app runs %s" % (wanted, found, version))
        return python
    if is_script:
        return same_as_the_web_app(job) or sys.executable
    candidates = [os.path.join(sys.prefix, "bin", "python")]
    candidates += [os.path.join(folder, "python" + version) for folder in ("/usr/bin", "/usr/local/bin")]
    candidates.append(os.path.join(sys.base_prefix, "bin", "python" + version))
    for python in candidates:
        if version_of(python) == version:
            return python
    raise Refusal("interpreter", "no Python %s was found, which is what the web app runs" % version)


def same_as_the_web_app(job):
    """The host's Python of the version that the web app runs: what `python3` is, is another setting."""
    wanted = job.job.get("python")
    if not wanted or wanted == "%d.%d" % sys.version_info[:2]:
        return None
    python = shutil.which("python" + wanted)
    if python is None:
        raise Refusal("interpreter", "there is no python%s, which is what the web app runs" % wanted)
    return python


def version_of(python):
    words = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        return subprocess.run(words, stdout=subprocess.PIPE, timeout=30, check=True).stdout.decode().strip()
    except (OSError, subprocess.SubprocessError):
        return None


def is_virtualenv(python):
    return os.path.exists(os.path.join(os.path.dirname(os.path.dirname(python)), "pyvenv.cfg"))


def run_command(job, words, folder):
    """Runs a command to its end or its limit. It is in a process group of its own, which ends as a whole."""
    if not os.path.isdir(folder):
        raise Refusal("missing", "there is no folder %s" % job.job["root"])
    environment = dict(os.environ, PYTHONUNBUFFERED="1")
    if job.job.get("settings"):
        environment["DJANGO_SETTINGS_MODULE"] = job.job["settings"]
    words = [native(word) for word in words]
    argv = [readable(word) for word in words]
    job.result = {"argv": argv, "interpreter": argv[0], "timed_out": False, "signal": None}
    printed = os.path.join(job.work, "output")
    with only_one(job) as lock, open(printed, "wb") as output:
        # If we are killed from here on, the next one must know that the command was begun.
        job.save(job.receipt_path(), job.new_receipt("running"))
        try:
            process = subprocess.Popen(
                words,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # It may outlive us.
                pass_fds=() if lock is None else (lock,),
            )
        except OSError as error:
            raise Stop("local", "%s: %s" % (words[0], error.strerror))
        limit = time.monotonic() + job.job["timeout"]
        while process.poll() is None and time.monotonic() < limit:
            job.tick(may_stop=False)
            time.sleep(0.02)
        if process.poll() is None:
            job.result["timed_out"] = True
            end_group(process)
    job.output, job.truncated = read_output(printed)
    status = process.returncode
    if status < 0:
        names = {number.value: number.name for number in signal.Signals}
        job.result["signal"] = names.get(-status, "signal %d" % -status)
        status = 128 - status
    job.exit_status = status
    if job.result["timed_out"]:
        job.exit_status = status or 1
        raise Stop("timed_out", "the command was ended after %d s" % job.job["timeout"])
    if status != 0:
        # The status says it, and the output says why.
        raise CommandFailed(status)


@contextlib.contextmanager
def only_one(job):
    """One command at a time that changes database or packages: whoever lost sight of one may start another."""
    if job.job["operation"] not in ("manage", "pip"):
        yield None
        return
    lock = os.open(os.path.join(job.state, "command.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = os.read(lock, 200).decode("utf-8", "replace")
            raise Refusal("busy", "another command still runs in this project (%s): wait for its end" % words)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        words = " ".join(job.result["argv"][1:])[:100] + time.strftime(", since %H:%M UTC", time.gmtime())
        os.ftruncate(lock, 0)
        os.write(lock, words.encode("utf-8", "replace"))
        yield lock
    finally:
        os.close(lock)


class CommandFailed(Stop):
    def __init__(self, status):
        super().__init__("status", "it ended with exit status %d" % status)
        self.error = None


def end_group(process):
    """Ends a process with all that it started: they may hold on to what they do, so first they are asked."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def read_output(path):
    """What a command printed: whole, or its beginning and its end."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        if size <= OUTPUT_HEAD + OUTPUT_TAIL:
            return file.read().decode("utf-8", "replace"), False
        head = file.read(OUTPUT_HEAD)
        file.seek(size - OUTPUT_TAIL)
        tail = file.read()
    gap = "\n[... %d bytes are left out here ...]\n" % (size - OUTPUT_HEAD - OUTPUT_TAIL)
    return head.decode("utf-8", "replace") + gap + tail.decode("utf-8", "replace"), True


OPERATIONS = {
    "apply": apply,
    "rollback": rollback,
    "hash": hash_tree,
    "archive": archive,
    "history": history,
    "manage": manage,
    "pip": pip,
    "run": run,
}


# ---------------------------------------------------------------------------------------------------------------- files


def checked_path(path):
    """A path that stays below the project."""
    if not isinstance(path, str) or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise Stop("name", "%r leads out of the project" % (path,))
    return path


def checked_name(name):
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.-]*", name):
        raise Stop("name", "%r is no name of ours" % (name,))
    return name


def checked_id(text):
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{16}", text):
        raise Stop("name", "%r is no id" % (text,))
    return text


def native(text):
    """A text as this Python hands it to the system: its encoding may be ASCII inside a server, and names are UTF-8."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def readable(text):
    """A name or a message from the system as a text that can stand in JSON."""
    return os.fsencode(text).decode("utf-8", "replace") if is_native(text) else text


def is_native(text):
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        # It never went through the system, so it is a text already.
        return False
    return True


def existing_parent(path):
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def newest_first(folder, names):
    dated = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            dated.append((os.stat(os.path.join(folder, name)).st_mtime_ns, name))
    return [name for _, name in sorted(dated, reverse=True)]


def described(failure):
    """What a receipt says of an exception."""
    if isinstance(failure, Stop):
        return failure.error
    if not isinstance(failure, OSError):
        lines = traceback.format_exception(type(failure), failure, failure.__traceback__)
        return {"kind": "internal", "message": "".join(lines)}
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return {"kind": "space", "message": "the disk quota is used up"}
    return {"kind": "local", "message": str(failure)}


def link_or_copy(source, target):
    """Another name for a file, or a copy where the file system knows no such thing."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        shutil.copy2(source, target + ".copy", follow_symlinks=False)
        os.rename(target + ".copy", target)


def copy(source, target):
    """Writes a stream to a file and returns its digest."""
    digest = hashlib.sha256()
    with open(target, "wb") as file:
        while True:
            content = source.read(CHUNK)
            if not content:
                return digest.hexdigest()
            digest.update(content)
            file.write(content)


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for content in iter(lambda: file.read(CHUNK), b""):
            digest.update(content)
    return digest.hexdigest()


def digest_if_there(path):
    return digest_of(path) if os.path.isfile(path) else None


def remove_elsewhere(work):
    """Removes what the job of this work folder has on the project's file system; whether nothing of it is left."""
    path = native(read_json(os.path.join(work, ELSEWHERE)) or "")
    if not path.endswith(".pya-" + work[-16:]):
        return True
    shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def remove(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def read_text(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_text(path, text, folder=None):
    """Through a temporary file, in `folder` if given: whoever reads sees the old text or the new one."""
    temporary = "%s.%d.tmp" % (os.path.join(folder, os.path.basename(path)) if folder else path, os.getpid())
    try:
        write_new(temporary, text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            remove(temporary)
        raise


def write_new(path, text):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def read_json(path):
    text = read_text(path)
    return json.loads(text) if text else None


def write_json(path, value, indent=None, folder=None):
    write_text(path, json.dumps(value, indent=indent) + "\n", folder)


if __name__ == "__main__":
    sys.exit(main())
