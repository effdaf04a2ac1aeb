"""The variables of a web app: the job that changes them, and what a command gets of them.

They are one file of texts in `~/.pya/variables-<domain>`, which the stub in the WSGI file reads when the web app is
loaded. New values come in a file of the job's own, and no receipt has one.
"""

import json
import os
import re

from . import files, limits
from .errors import JobError, Refusal
from .names import checked_name, native

NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
# They decide for whom a command works, and what code it runs; the settings module has its own option.
RESERVED = re.compile("API_TOKEN|HOME|PATH|DJANGO_SETTINGS_MODULE|(LD_|PYTHON).*")


def change_variables(job):
    """Sets and removes variables. Done twice, it is as done once."""
    if job.is_program:
        raise Refusal("refused", "only the agent of the web app keeps its variables")
    new, gone = set(job.job["set"]), set(job.job["unset"])
    given = (files.read_json(os.path.join(job.work, "variables.json")) or {}) if new else {}
    if given.keys() != new or not all(isinstance(value, str) and "\0" not in value for value in given.values()):
        raise Refusal("missing", "the values of the variables are gone: give them anew")
    for name in new | gone:
        if not NAME.fullmatch(name) or (name in new and RESERVED.fullmatch(name)):
            raise Refusal("name", "the variable %r cannot be set" % (name,))
    folder = folder_of(job)
    if os.path.islink(folder):
        raise Refusal("obstacle", "%s is a link: remove it" % job.remote(folder))
    files.make_private(folder)
    files.tighten(folder)
    lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not files.try_lock(lock):
            job.tick()
        old = read(job, folder)
        kept = {name: value for name, value in old.items() if name not in gone}
        kept.update(given)
        if len(json.dumps(kept)) > limits.MAX_VARIABLES:
            raise Refusal("too_long", "the variables are longer than 64 KiB: put long texts in files")
        if kept != old:
            job.save(os.path.join(folder, "variables.json"), kept)
    finally:
        os.close(lock)
    words = ["set " + name for name in sorted(new)] + ["unset " + name for name in sorted(gone)]
    # Where an earlier reload failed, nothing is changed and yet the web app has other ones.
    known = {"changed": kept != old, "loaded": kept == job.loaded}
    job.result = {"names": sorted(kept), "summary": ", ".join(words), **known}


def folder_of(job):
    """Where the variables of the job's web app are."""
    return os.path.join(job.home, ".pya", "variables-" + checked_name(job.job["domain"]))


def read(job, folder):
    """The variables in a folder."""
    path = os.path.join(folder, "variables.json")
    try:
        with files.open_regular(path) as file:
            found = json.loads(file.read(2 * limits.MAX_VARIABLES).decode())
        if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()):
            return found
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        # The reason may quote a value.
        pass
    raise JobError("local", "%s is damaged: it is not a JSON object of texts" % job.remote(path))


def of_web_app(job):
    """The variables of the web app whose environment a command is to have, as they are now."""
    return read(job, folder_of(job)) if job.job.get("domain") else {}


def inherited(job, own):
    """What a command inherits, with the web app's own variables as they are now, not as the web app was loaded."""
    environment = dict(os.environ)
    for name, value in job.loaded.items() if job.job.get("domain") else ():
        if environment.get(name) == native(value):
            del environment[name]
    for name, value in own.items():
        # What the WSGI file itself gave to one of them stays.
        if name not in job.loaded or name not in environment:
            environment[name] = native(value)
    return environment
