"""Names and paths: which ones are allowed, and how they are converted between JSON and the file system."""

import os
import re

from .errors import JobError


def checked_path(path):
    """`path`, if it stays below the project."""
    if not isinstance(path, str) or "\0" in path or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise JobError("name", "%r leads out of the project" % (path,))
    return path


def checked_name(name):
    """`name`, if it can be the name of one of our files."""
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.-]*", name):
        raise JobError("name", "%r is not a valid name" % (name,))
    return name


def checked_id(text):
    """`text`, if it can be the id of a job or a deploy."""
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{16}", text):
        raise JobError("name", "%r is not a valid id" % (text,))
    return text


def native(text):
    """A text as this Python passes it to the system: names are UTF-8, whatever encoding a server sets for Python."""
    return os.fsdecode(text.encode("utf-8", "surrogateescape"))


def local(home, path):
    """A path of the API as one of this machine."""
    parts = path.split("/")
    if path.startswith("/home/") and len(parts) > 2:
        return os.path.join(home, *map(native, parts[3:]))
    return native(path)


def readable(text):
    """A name or a message from the system as a text that JSON can hold."""
    return os.fsencode(text).decode("utf-8", "replace") if is_native(text) else text


def is_native(text):
    """Whether a text may have come from the system."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        # It did not come from the system, so it needs no conversion.
        return False
    return True
