"""The job `inspect`: the Django settings that decide how a project is served, and no others.

They are imported in a process of its own, by the web app's Python, and may print anything, end the process, or never
come to an end. What that process says is checked as a stranger's; what it prints is thrown away, since it may be a
secret.
"""

import os
import re

from . import files
from .commands import environment_of, interpreter, run_process, working_folder
from .errors import Cancelled, JobError, Refusal
from .names import checked_path, native, readable
from .reach import Reach

# Asked for as it was set: Django makes "/" of a URL that is empty. (Comments in it would not be packed.)
PROGRAM = """\
import json, os, sys
place, sys.path[0] = sys.argv[1:]
del sys.argv[1:]
try:
    import django
    from django.conf import settings
    def text(name):
        return str(getattr(settings, name)) if getattr(settings._wrapped, name, None) else None
    def path(name):
        return text(name) and os.path.abspath(text(name))
    def texts(name):
        return [str(value) for value in getattr(settings, name, None) or ()]
    def relative(database):
        name, is_file = str(database.get("NAME") or ""), str(database.get("ENGINE")).endswith(("sqlite3", "spatialite"))
        return [name] if is_file and name and not name.startswith(("/", ":memory:", "file:")) else []
    found = {"debug": bool(settings.DEBUG), "django": django.get_version(), "settings": settings.SETTINGS_MODULE}
    for name in "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS":
        found[name.lower()] = texts(name)
    for name in "STATIC_URL", "MEDIA_URL", "WSGI_APPLICATION":
        found[name.lower()] = text(name)
    for name in "STATIC_ROOT", "MEDIA_ROOT":
        found[name.lower()] = path(name)
    found["engines"] = [str(database.get("ENGINE")) for database in settings.DATABASES.values()]
    found["relative_databases"] = sum(map(relative, settings.DATABASES.values()), [])
    try:
        found["has_secret_key"] = bool(settings.SECRET_KEY)
    except Exception:
        found["has_secret_key"] = False
except BaseException as error:
    step = error.__traceback__
    while step.tb_next:
        step = step.tb_next
    found = {"error": "%s: %s" % (type(error).__name__, error), "line": step.tb_lineno,
             "file": step.tb_frame.f_code.co_filename}
with open(place, "w") as file:
    json.dump(found, file)
os._exit(0)"""

TEXTS = ("allowed_hosts", "csrf_trusted_origins", "engines", "relative_databases")
FLAGS = ("debug", "has_secret_key")
PATHS = ("static_root", "media_root")
TEXT = ("settings", "django", "static_url", "media_url", "wsgi_application")


def inspect(job):
    """Returns the settings of the project."""
    Reach(job)
    manage = os.path.join(job.root, native(checked_path(job.job["manage"])))
    if not os.path.isfile(manage):
        raise Refusal("missing", "there is no %s in the project" % job.job["manage"])
    python, environment = interpreter(job), environment_of(job)
    module = environment.setdefault("DJANGO_SETTINGS_MODULE", named_in(manage))
    if not module:
        raise Refusal("missing", "%s names no settings module: name it" % job.job["manage"])
    place = os.path.join(job.work, "settings.json")
    files.remove(place)
    words, limit = [python, "-c", PROGRAM, place, os.path.dirname(manage)], job.job["timeout"]
    folder = working_folder(job) or os.path.dirname(manage)
    status, ended = run_process(job, words, folder, environment, os.devnull, limit, None)
    if ended == "cancelled":
        raise Cancelled("the settings were not read: the job was cancelled")
    if ended:
        raise JobError("settings", "importing the settings %s takes longer than %d s" % (module, limit))
    found = found_in(place)
    if found is None:
        raise JobError("settings", "importing the settings %s ended Python with status %d" % (module, status))
    if "error" in found:
        where = "%s, line %s" % (job.remote(str(found.get("file"))), found.get("line"))
        words = "the settings %s cannot be imported: %.500s (%.300s)"
        raise JobError("settings", words % (module, found["error"], where))
    job.result = dict(checked(job, found), summary="settings " + module)


def named_in(manage):
    """The settings module that a `manage.py` names where nothing else does."""
    with open(manage, "rb") as file:
        text = file.read(1 << 16).decode("utf-8", "replace")
    match = re.search(r"DJANGO_SETTINGS_MODULE['\"]\s*,\s*['\"]([\w.]+)", text)
    return match.group(1) if match else ""


def found_in(place):
    """What the process has written; `None` if that is nothing of use."""
    try:
        if os.path.getsize(place) > 1 << 20:
            return None
        found = files.read_json(place)
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def checked(job, found):
    """The fields of the list, each of its type and no longer than anybody would write it."""

    def text(value):
        return readable(str(value))[:1000] if value else None

    result = {name: bool(found.get(name)) for name in FLAGS}
    result.update({name: text(found.get(name)) for name in TEXT})
    result.update({name: text(found.get(name) and job.remote(str(found[name]))) for name in PATHS})
    for name in TEXTS:
        values = found.get(name)
        result[name] = [text(value) or "" for value in values[:100]] if isinstance(values, list) else []
    return result
