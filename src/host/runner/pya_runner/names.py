"""Names and paths: which of them stay below the project, and what they are in this Python."""

import os
import re

from .errors import JobError


def checked_path(path):
    """A path that stays below the project."""
    if not isinstance(path, str) or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise JobError("name", "%r leads out of the project" % (path,))
    return path


def checked_name(name):
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9.-]*", name):
        raise JobError("name", "%r is no name of ours" % (name,))
    return name


def checked_id(text):
    if not isinstance(text, str) or not re.fullmatch("[0-9a-f]{16}", text):
        raise JobError("name", "%r is no id" % (text,))
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
