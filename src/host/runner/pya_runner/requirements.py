"""The job `requirements`: installs a requirements file in a virtualenv, in steps that end before the request limit.

pip knows no half-done installation. So each requirement is first made into wheels by itself, with what it needs, and
those stay in the state folder until all are installed at once, without the index. A job that is killed goes on there,
and so does another one for the same requirements. Files that say more than names and versions (hashes, addresses,
editable ones) are installed by one call of pip, in the time that one step has.

What was installed last is noted in the virtualenv, so that nothing is done for a file that says the same.
"""

import hashlib
import os
import re
import shutil
import zipfile

from . import files, limits
from .commands import command_lock, environment_of, interpreter, is_virtualenv, last_lines, read_output, run_process
from .errors import Cancelled, JobError, Refusal, StepUnfinished
from .names import checked_path, native
from .reach import Reach

NOTE = ".pya-requirements.json"

# A name with extras, the versions, and the condition.
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(\(?[<>=!~][^;@]*)?(;.*)?")
# Names of packages that are for Windows alone.
WINDOWS = re.compile(r"(?i)py(pi)?win(32|pty|auto)|win32|winshell|windows-curses")
# A line of options that each call of pip gets as they are.
OPTIONS = re.compile(
    r"(?:(?:--no-index|--pre|--prefer-binary|(?:-[if]|--(?:extra-)?index-url|--find-links|--trusted-host|--no-binary"
    r"|--only-binary)[=\s]\s*[^\s-]\S*)(?:\s+|$))+"
)
PLACE = re.compile(r"((?:-f|--find-links)[=\s]\s*)(\S+)")
FILE = re.compile(r"(-r|--requirement|-c|--constraint)[=\s]?\s*(?:'([^']+)'|([^\s'-]\S*))")


def requirements(job):
    """Installs the requirements, unless they are installed."""
    Reach(job)
    file = os.path.join(job.state, "requirements.txt")
    if job.local(job.job["requirements"]) != file:
        # Else it is one that we made: of a project that has none.
        file = os.path.join(job.root, native(checked_path(job.job["requirements"])))
    if not os.path.isfile(file):
        raise Refusal("missing", "there is no %s in the project" % job.job["requirements"])
    python = interpreter(job)
    if not is_virtualenv(python):
        raise Refusal("interpreter", "%s is not a virtualenv" % job.job["virtualenv"])
    listed = Listed(file)
    note = os.path.join(os.path.dirname(os.path.dirname(python)), NOTE)
    job.result = {"installed": False, "packages": 0, "rounds": job.steps, "in_one_go": listed.why}
    job.result["summary"] = "requirements %s" % job.job["requirements"]
    with command_lock(job, job.result["summary"]) as lock:
        if note_in(note) == listed.digest.hexdigest():
            job.result["summary"] += " are installed"
            return
        Installation(job, python, note, listed, lock).run()


def note_in(path):
    try:
        return files.read_json(path)["sha256"]
    except (OSError, ValueError, TypeError, KeyError):
        return None


class Listed:
    """What a requirements file says, and the files that it includes."""

    def __init__(self, file):
        self.file, self.why, self.seen, self.digest = file, None, set(), hashlib.sha256()
        self.options, self.files, self.names, self.versions = [], [], [], {}
        self.read(file)

    def read(self, path, is_constraint=False):
        """Reads a file, and those that it includes; of one with constraints only what is in it counts."""
        real = os.path.realpath(path)
        if real in self.seen:
            return
        self.seen.add(real)
        try:
            with open(real, "rb") as file:
                content = file.read(1 << 20)
        except OSError as error:
            raise Refusal("missing", "%s cannot be read: %s" % (path, error.strerror))
        self.digest.update(b"%d\n%s" % (len(content), content))
        text = content.decode("utf-8", "replace").replace("\r\n", "\n").replace("\\\n", "")
        for line in [] if is_constraint else text.split("\n"):
            line = re.sub(r"(^|\s)#.*", "", line).strip()
            name, file = REQUIREMENT.fullmatch(line), FILE.fullmatch(line)
            if file and "://" not in line and "$" not in line:
                is_constraint, place = (
                    "c" in file.group(1),
                    os.path.join(os.path.dirname(path), file.group(2) or file.group(3)),
                )
                if is_constraint:
                    self.files.append('-c "%s"' % place)
                self.read(place, is_constraint)
            elif OPTIONS.fullmatch(line):
                self.options.append(PLACE.sub(lambda found: located(os.path.dirname(path), *found.groups()), line))
            elif name and "--" not in line:
                self.names.append(line)
                if name.group(2):
                    self.versions[line] = "".join(filter(None, name.groups()))
            elif line and not self.why:
                self.why = "%s has more than names and versions (%.80s)" % (os.path.basename(path), line)


class Installation:
    """One that may have been begun by an earlier step, or another job."""

    def __init__(self, job, python, note, listed, lock):
        self.job, self.python, self.note, self.listed, self.lock = job, python, note, listed, lock
        self.folder = os.path.join(job.state, limits.WHEELS)
        self.wheels, self.cache = os.path.join(self.folder, "made"), os.path.join(self.folder, "cache")
        self.path, self.key = os.path.join(self.folder, "progress.json"), [listed.digest.hexdigest(), note]
        self.printed = os.path.join(job.work, "output")
        self.environment = dict(environment_of(job), PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1")
        self.environment.update(PIP_NO_COLOR="1", PIP_PROGRESS_BAR="off", PIP_CACHE_DIR=self.cache)
        self.progress = None

    def run(self):
        """Goes on from where it was."""
        try:
            self.progress = files.read_json(self.path)
        except ValueError:
            self.progress = None
        if not isinstance(self.progress, dict) or self.progress.get("key") != self.key:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.progress = {"key": self.key, "done": None, "doing": ["", 0], "why": self.listed.why}
        files.make_private(self.wheels)
        if self.progress["why"] is None:
            self.make_wheels()
            if self.install_wheels():
                return self.finish()
            self.progress["why"] = "the wheels that were made one by one do not go together"
            self.save()
            self.job.tick()
        self.job.result["in_one_go"] = self.progress["why"]
        self.pip("the requirements", ["install", "--find-links", self.wheels, "-r", self.listed.file], self.job.root)
        return self.finish()

    def make_wheels(self):
        if self.progress["done"] is None:
            self.progress["done"] = self.already_installed()
            self.save()
        words = ["wheel", "--wheel-dir", self.wheels, "--find-links", self.wheels]
        words += ["-c", os.path.join(self.folder, "constraints.txt")]
        for name in self.listed.names:
            if name not in self.progress["done"]:
                # By its own version, one that cannot be had would be in conflict with itself.
                others = [line for other, line in self.listed.versions.items() if other != name]
                self.write("constraints.txt", others)
                file = self.write("one.txt", self.listed.options + self.listed.files + [name])
                self.pip(name, [*words, "-r", file], self.folder)
                # What it downloaded is in the wheels, and disks are small.
                shutil.rmtree(self.cache, ignore_errors=True)
                self.progress["done"].append(name)
                self.save()
                self.job.tick()

    def already_installed(self):
        """Requirements of one version that is there: what they need is there as well, or the installation tells."""
        if not any("==" in name and ";" not in name for name in self.listed.names):
            # pip may need a second to list what is installed, and only `name==version` is looked up in that list.
            return []
        words, listing = [self.python, "-m", "pip", "freeze", "--all"], self.path + ".txt"
        run_process(self.job, words, self.wheels, self.environment, listing, 60, None)
        there = set(map(plain, files.read_text(listing).splitlines()))
        files.remove(listing)
        return [name for name in self.listed.names if plain(name) in there]

    def install_wheels(self):
        """Installs all wheels at once; whether they go together."""
        self.check_space()
        pre = ["--pre" for line in self.listed.options if "--pre" in line.split()]
        file = self.write("all.txt", pre + self.listed.files + self.listed.names)
        words = ["install", "--no-index", "--no-compile", "--find-links", self.wheels, "-r", file]
        return self.pip("all wheels", words, self.folder, may_fail=True)

    def check_space(self):
        """Raises if what is in the wheels does not fit on the disk besides them."""
        size = 4 << 20
        for path in self.wheel_files():
            with zipfile.ZipFile(path) as wheel:
                size += sum(member.file_size for member in wheel.infolist())
        try:
            files.check_space(self.job.work, size)
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise JobError("space", "the packages take %d MB, which the disk quota has not left" % (size >> 20))

    def wheel_files(self):
        return [os.path.join(self.wheels, name) for name in os.listdir(self.wheels) if name.endswith(".whl")]

    def pip(self, name, words, folder, may_fail=False):
        """Runs pip; whether it succeeded. What takes too long counts as cut off, and so does what was killed before."""
        progress, job = self.progress, self.job
        times = progress["doing"][1] if progress["doing"][0] == name else 0
        progress["doing"] = [name, times + 1] if times < 2 else ["", 0]
        if "install" in words:
            # From here on the virtualenv is not what it was.
            files.remove(self.note)
        self.save()
        if times == 2:
            raise JobError("timed_out", "pip was cut off twice at %s, which takes longer than a request may" % name)
        for path in self.wheel_files() if times else ():
            # pip would take it for a whole one.
            if not zipfile.is_zipfile(path):
                files.remove(path)
        words, limit = [self.python, "-m", "pip", *words], job.job["timeout"]
        status, ended = run_process(job, words, folder, self.environment, self.printed, limit, self.lock)
        if ended == "timed_out":
            raise StepUnfinished
        progress["doing"] = ["", 0]
        self.save()
        if ended:
            raise Cancelled("the requirements were not installed: the job was cancelled")
        if status:
            kind, message = last_lines(self.printed, "pip cannot install %s" % name)
            if re.search(": No module named pip$", message):
                raise JobError(kind, '%s. "%s -m ensurepip" on the host installs pip' % (message, self.python))
            if WINDOWS.match(name):
                message += '\nIt is for Windows: with ; sys_platform == "win32" behind it, it is left out on the host'
            if kind == "space":
                shutil.rmtree(self.folder, ignore_errors=True)
            if kind == "space" or not may_fail:
                raise JobError(kind, message)
        return not status

    def finish(self):
        done = re.findall(r"^Successfully installed (.*)", read_output(self.printed)[0], re.MULTILINE)
        self.job.result.update(installed=True, packages=len(done[-1].split()) if done else 0)
        files.write_json(self.note, {"sha256": self.key[0]})
        shutil.rmtree(self.folder, ignore_errors=True)

    def save(self):
        files.write_json(self.path, self.progress)

    def write(self, name, lines):
        path = os.path.join(self.folder, name)
        files.write_text(path, "".join(line + "\n" for line in lines))
        return path


def located(folder, option, place):
    """The option with a place that is relative to the file that names it, as it is elsewhere."""
    inside = os.path.join(folder, place)
    return option + ('"%s"' % inside if os.path.exists(inside) else place)


def plain(name):
    """A name, with its version, as all of its spellings."""
    return re.sub("[-_.]+", "-", name.replace(" ", "").lower())
