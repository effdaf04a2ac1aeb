"""Reading, writing, linking, hashing and removing files. What is written is never seen half-written."""

import contextlib
import errno
import hashlib
import json
import os
import shutil

from . import limits
from .names import native


def existing_parent(path):
    """The nearest existing folder above `path`, or `path` itself."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def newest_first(folder, names):
    """Those of the files that exist, the last modified first."""
    dated = []
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            dated.append((os.stat(os.path.join(folder, name)).st_mtime_ns, name))
    return [name for _, name in sorted(dated, reverse=True)]


def link_or_copy(source, target):
    """Makes a hard link, or a copy where the file system has no hard links."""
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
            content = source.read(limits.CHUNK_SIZE)
            if not content:
                return digest.hexdigest()
            digest.update(content)
            file.write(content)


def digest_of(path):
    """The SHA-256 digest of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for content in iter(lambda: file.read(limits.CHUNK_SIZE), b""):
            digest.update(content)
    return digest.hexdigest()


def digest_if_there(path):
    """The digest of a file; `None` if there is none."""
    return digest_of(path) if os.path.isfile(path) else None


def remove_elsewhere(work):
    """Removes what the job of this work folder keeps on the project's file system; whether all of it is gone."""
    path = native(read_json(os.path.join(work, limits.ELSEWHERE)) or "")
    if not path.endswith(".pya-" + work[-16:]):
        return True
    shutil.rmtree(path, ignore_errors=True)
    return not os.path.lexists(path)


def remove(path):
    """Removes a file, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def read_text(path):
    """The text of a file; empty if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def write_text(path, text, folder=None):
    """Writes through a temporary file, in `folder` if given: a reader sees the old text or the new one."""
    temporary = "%s.%d.tmp" % (os.path.join(folder, os.path.basename(path)) if folder else path, os.getpid())
    try:
        write_new(temporary, text)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            remove(temporary)
        raise


def write_new(path, text):
    """Writes a file that nobody else may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def read_json(path):
    """The value in a JSON file; `None` if there is none."""
    text = read_text(path)
    return json.loads(text) if text else None


def write_json(path, value, indent=None, folder=None):
    """Writes a value as `write_text` writes a text."""
    write_text(path, json.dumps(value, indent=indent) + "\n", folder)
