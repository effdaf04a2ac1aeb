"""The agent in the account's own web app: runs signed jobs, and passes everything else on to the application.

The API cannot run anything on the host, so this is how files are unpacked and commands run without a browser. Security
does not depend on a secret address: a request is accepted only if it is signed with a key derived from the account's
API token, which every web app has in its environment. Everything that is not correctly signed goes to the application
unchanged, so that nobody can tell from outside whether there is an agent. Answers are signed with the same key, for the
request that they answer and no other: a client believes nothing else that the site says.

It needs only the standard library, of Python 3.8 or later. The stub in the WSGI file calls `prepare`, runs the original
file, and passes its application, or its failure, to what `prepare` returned.
"""

import contextlib
import hashlib
import hmac
import importlib
import importlib.machinery
import json
import linecache
import os
import platform
import re
import sys
import threading
import time
import traceback
import zipfile
import zipimport
import zlib

VERSION = 1
PATH = "/-/pya-agent"
HEADER = "HTTP_X_PYA_AGENT"

LONGEST_BODY = 64 * 1024
# Of a request that signs its length: a piece of a bundle.
LONGEST_PIECE = 17 << 20
# A longer answer is read through the API.
LONGEST_ANSWER = 8 << 20
# Seconds that the clocks may differ, including the time that the request takes.
WINDOW = 120
# Seconds that a nonce is kept: longer than its request can be replayed.
NONCES_KEPT = 300
# Seconds that one request may take; commands have their own limit.
LONGEST_STEP = 60

# The zip archive with the runner, in the agent's folder, and the package in it.
RUNNER, PACKAGE = "runner.pyz", "pya_runner"

# What the agent accepts. Other commands need a task or a console, which visitors of the site cannot reach.
OPERATIONS = {"apply", "rollback", "hash", "archive", "history", "manage", "pip"}
OPERATIONS |= {"venv", "inspect", "requirements", "variables"}

SIGNED = re.compile(
    r"v=([0-9]{1,6}); id=([0-9a-f]{32}); op=([a-z_]{1,20}); time=([0-9]{1,12}); nonce=([0-9a-f]{32}); "
    r"body=([0-9a-f]{64})(?:; length=([0-9]{1,8}))?; sig=([0-9a-f]{64})"
)


def prepare(folder, agent_id, wsgi_file, original, variables=None):
    """Prepares the agent before the application is loaded; returns a function that wraps the application.

    `folder` is the agent's own, `wsgi_file` the path under which the WSGI file runs, and `original` its text before the
    agent was installed, which tracebacks show. The stub has put `variables` into the environment.
    """
    agent = Agent(folder, agent_id, os.environ.get("API_TOKEN", ""))
    agent.variables = variables
    agent.close_folder()
    # An entry without a modification time is never compared with the file, which contains the stub.
    linecache.cache[wsgi_file] = (len(original), None, original.splitlines(True), wsgi_file)

    def wrap(application, failure):
        if failure is None and not callable(application):
            failure = TypeError("the WSGI file defines no callable 'application'")
        if failure is not None:
            application = broken(failure)
        agent.note_load(failure)
        return with_agent(agent, application)

    return wrap


def with_agent(agent, application):
    """The application, except for requests to the agent."""

    def application_with_agent(environ, start_response):
        # The only cost for requests that are not for the agent.
        if HEADER not in environ:
            return application(environ, start_response)
        answer = agent.answer(environ)
        if answer is None:
            return application(environ, start_response)
        status, content, signature = answer
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store, no-transform"),
            ("X-Pya-Agent", "v=%d; sig=%s" % (VERSION, signature)),
        ]
        start_response(status, headers)
        return [content]

    return application_with_agent


def broken(failure):
    """Replaces an application that could not be loaded: fails at each request, as the host's server does."""
    # The first frame is the stub's, which would be shown with a wrong line of the original.
    trace = failure.__traceback__ and failure.__traceback__.tb_next
    log_failure(failure, trace)
    # Else the server would show the frames of the stub.
    failure.with_traceback(None)

    def application(environ, start_response):
        log_failure(failure, trace)
        if isinstance(failure, Exception):
            raise failure.with_traceback(None)
        # Anything else, such as SystemExit, would end the server's process at each request.
        raise RuntimeError("the application could not be loaded: " + in_words(failure)) from failure

    return application


def log_failure(failure, trace):
    """Writes to the error log why the application could not be loaded."""
    print("Error running WSGI application", file=sys.stderr)
    traceback.print_exception(type(failure), failure, trace)
    sys.stderr.flush()


def in_words(failure):
    """The type and message of an exception, even of one that has no printable message."""
    return traceback.format_exception_only(type(failure), failure)[-1].strip()


class Agent:
    """The agent of one web app."""

    def __init__(self, folder, agent_id, token):
        self.folder, self.id, self.variables = folder, agent_id, None
        self.nonces = os.path.join(folder, "nonces")
        self.key = None
        if token:
            self.key = mac(token.encode(), "pythonanywhere-api agent key\n" + agent_id)
        self.runner, self.loading, self.loaded = None, threading.Lock(), None

    def close_folder(self):
        """Keeps other users of the machine out: files uploaded by the API can be read by everybody."""
        if os.path.lexists(self.nonces) and not os.path.isdir(self.nonces):
            os.unlink(self.nonces)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.nonces, 0o700)
        for place in (os.path.dirname(self.folder), self.folder, self.nonces):
            os.chmod(place, 0o700)
        for entry in os.scandir(self.folder):
            if entry.is_file(follow_symlinks=False):
                os.chmod(entry.path, 0o600)

    def build(self):
        """Identifies this agent and its runner among others of the same version; `None` if they cannot be read.

        It is the digest of names and sources, not of the archive: equal sources may be compressed to different bytes.
        """
        digest = hashlib.sha256()
        try:
            with open(os.path.join(self.folder, "agent.py"), "rb") as file:
                digest.update(framed("agent.py", file.read()))
            with zipfile.ZipFile(os.path.join(self.folder, RUNNER)) as archive:
                for name in archive.namelist():
                    digest.update(framed(name, archive.read(name)))
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
            return None
        return digest.hexdigest()

    def note_load(self, failure):
        """Writes the note that `pya agent status` reads if the site does not answer."""
        check = None if self.key is None else mac(self.key, "pythonanywhere-api agent check").hex()[:32]
        self.loaded = self.build()
        note = {
            "format": 1,
            "version": VERSION,
            "build": self.loaded,
            "id": self.id,
            "has_token": self.key is not None,
            "key_check": check,
            "python": platform.python_version(),
            "prefix": sys.prefix,
            "time": int(time.time()),
            "failed": None if failure is None else in_words(failure),
        }
        place = os.path.join(self.folder, "loaded.json")
        temporary = "%s.%d" % (place, os.getpid())
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(note, file)
            os.replace(temporary, place)
        except OSError:
            # A full disk must not prevent the site from starting.
            traceback.print_exc()

    def answer(self, environ):
        """Status, body and signature of the answer to a request; `None` if it is not for the agent, or not signed."""
        signed = self.check(environ)
        if signed is None:
            return None
        operation, nonce, digest, length = signed
        taken = mac(self.key, "pythonanywhere-api agent answer\n" + nonce).hex()[:32]
        known = {"id": taken, "build": self.loaded, "takes": LONGEST_PIECE}
        answer, status = {}, "200 OK"
        body = read_exactly(environ["wsgi.input"], length)
        if body is None or hashlib.sha256(body).hexdigest() != digest:
            status, answer = "400 Bad Request", {"error": "the body is not the one that was signed"}
        elif operation != "status":
            try:
                answer = self.work(operation, body)
            except (Exception, SystemExit):
                # The receipt has the errors that the runner expects; the error log gets the others.
                traceback.print_exc()
            if operation == "read" and not isinstance(answer, bytes):
                status, answer = "404 Not Found", {"error": "there is no such file"}
        content = answer
        if not isinstance(answer, bytes):
            content = json.dumps(dict(known, time=int(time.time()), **answer)).encode()
        if len(content) > LONGEST_ANSWER:
            content = json.dumps(known).encode()
        said = (str(VERSION), self.id, status[:3], operation, nonce, hashlib.sha256(content).hexdigest())
        return status, content, mac(self.key, "\n".join(("pythonanywhere-api agent signed answer", *said))).hex()

    def check(self, environ):
        """The operation, nonce, digest and length of a request whose header is correctly signed, in time, and new.

        The body is not read before that, and a request with another body is answered, not passed on: its length is
        `None` if it is not the one that was signed, or too long.
        """
        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        if self.key is None or path != PATH or environ.get("REQUEST_METHOD") != "POST":
            return None
        match = SIGNED.fullmatch(environ[HEADER])
        if match is None:
            return None
        version, agent_id, operation, moment, nonce, digest, signed, signature = match.groups()
        text = "\n".join((version, agent_id, "POST", path, operation, digest, moment, nonce, *filter(None, (signed,))))
        if not hmac.compare_digest(mac(self.key, text).hex(), signature):
            return None
        if version != str(VERSION) or agent_id != self.id or abs(time.time() - int(moment)) > WINDOW:
            return None
        if not self.take_nonce(nonce):
            return None
        length = environ.get("CONTENT_LENGTH", "")
        is_right = re.fullmatch("[0-9]{1,8}", length) and signed in (None, length)
        if not is_right or int(length) > (LONGEST_PIECE if signed else LONGEST_BODY):
            return operation, nonce, digest, None
        return operation, nonce, digest, int(length)

    def take_nonce(self, nonce):
        """Whether a nonce is new. Nonces are files, so that all workers know them, even after a reload."""
        try:
            file = os.open(os.path.join(self.nonces, nonce), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            # The time of the file system, which may be on another machine.
            now = os.fstat(file).st_mtime
            os.close(file)
        except FileExistsError:
            return False
        except OSError:
            # A nonce that is not recorded could be replayed.
            traceback.print_exc()
            return False
        self.forget_nonces(now - NONCES_KEPT)
        return True

    def forget_nonces(self, before):
        """Removes nonces whose requests are too old to be accepted."""
        try:
            for entry in os.scandir(self.nonces):
                # Another worker may be faster.
                with contextlib.suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        os.unlink(entry.path)
        except OSError:
            # Old nonces only take up space.
            traceback.print_exc()

    def work(self, operation, body):
        """Runs one step of a job, or looks at a state folder; returns what the answer says of it.

        The first line of the body says what is wanted; a piece of a bundle follows it.
        """
        line, _, piece = body.partition(b"\n")
        request = json.loads(line.decode())
        if not re.fullmatch("[0-9a-f]{16}", request["state"]):
            raise ValueError("there is no such state folder")
        folder = os.path.join(os.path.dirname(self.folder), request["state"])
        runner = self.load_runner()
        if operation == "state":
            return runner.read_state(folder, request.get("have"), request.get("root"))
        if operation == "read":
            return runner.read_piece(folder, request["name"], request["offset"], request["size"])
        if operation == "finish":
            return runner.finish(folder, request["id"], request.get("note"))
        job, limit = request["job"], max(1, min(LONGEST_STEP, float(request.get("limit", 45))))
        if operation == "deploy":
            return runner.deploy(folder, request, piece, limit)
        if job.get("operation") != operation:
            raise ValueError("the job is not the operation that was signed: %r" % operation)
        if operation not in OPERATIONS:
            return {"receipt": runner.refuse(folder, job, "the agent does not accept the operation %s" % operation)}
        return {"receipt": runner.run_job(folder, job, limit=limit, loaded=self.variables)}

    def load_runner(self):
        """The runner, which is loaded when it is first needed: most processes of a web app never need it."""
        with self.loading:
            if self.runner is None:
                self.runner = load_package(os.path.join(self.folder, RUNNER))
            return self.runner


def load_package(archive):
    """Imports the runner's package from its zip archive.

    A finder of our own locates the package, so that `sys.path` stays as it is, and other threads import as usual. The
    package imports all of its modules at once, because the archive may be replaced later; `sys.modules` gets nothing
    else of ours.
    """
    forget_package(archive)
    finder = ArchiveFinder(archive)
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(PACKAGE)
    finally:
        sys.meta_path.remove(finder)


class ArchiveFinder:
    """Finds the runner's package in its archive, and nothing else. Its modules are found by way of its `__path__`."""

    def __init__(self, archive):
        self.archive = archive

    def find_spec(self, name, path=None, target=None):
        """As the import system calls it."""
        if name != PACKAGE:
            return None
        return importlib.machinery.PathFinder.find_spec(name, [self.archive])


def forget_package(archive):
    """Makes Python forget an older package, and what it has cached of an older archive at the same path."""
    for name in list(sys.modules):
        if name == PACKAGE or name.startswith(PACKAGE + "."):
            del sys.modules[name]
    for place in (archive, os.path.join(archive, PACKAGE)):
        sys.path_importer_cache.pop(place, None)
    # The cached directory of the archive: offsets of an older archive are wrong in a newer one.
    importer = zipimport.zipimporter(archive)
    if hasattr(importer, "invalidate_caches"):
        importer.invalidate_caches()
    else:
        # Before Python 3.10 there is no other way.
        zipimport._zip_directory_cache.pop(archive, None)


def framed(name, content):
    """A file as input of a digest, with its length, so that no two sets of files look the same."""
    return b"%s %d\n%s" % (name.encode(), len(content), content)


def mac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def read_exactly(stream, length):
    """`length` bytes, or all there are: one read may give less. `None` if the rest does not come."""
    pieces = []
    if length is None:
        return None
    try:
        while length > 0:
            piece = stream.read(length)
            if not piece:
                break
            pieces.append(piece)
            length -= len(piece)
    except OSError:
        return None
    return b"".join(pieces)
