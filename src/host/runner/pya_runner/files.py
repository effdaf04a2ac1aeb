"""Reading, writing, linking, hashing and removing files. What is written is never seen half-written."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import stat

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


def link_or_copy(source, target, folder=None):
    """Makes a hard link, or a copy where the file system has no hard links; `source` may be in an open folder."""
    try:
        os.link(source, target, src_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS):
            raise
        copy_as_it_is(source, target + ".copy", folder)
        os.rename(target + ".copy", target)


def copy_as_it_is(source, target, folder):
    """Copies a file with its mode bits and times, or a link as a link."""
    facts = os.stat(source, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(facts.st_mode):
        remove(target)
        os.symlink(os.readlink(source, dir_fd=folder), target)
        return
    with open_regular(source, folder) as file:
        copy(file, target)
        facts = os.fstat(file.fileno())
    os.chmod(target, stat.S_IMODE(facts.st_mode))
    os.utime(target, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def open_regular(name, folder=None):
    """Opens a file for reading if it is a regular one now: a link is not followed, and a pipe not waited for."""
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return open(file, "rb")


def copy(source, target, most=None):
    """Writes a stream to a file and returns its digest; not much more than `most` bytes."""
    digest = hashlib.sha256()
    with open(target, "wb") as file:
        while True:
            content = source.read(limits.CHUNK_SIZE)
            if not content or (most is not None and file.tell() > most):
                return digest.hexdigest()
            digest.update(content)
            file.write(content)


def digest_of(path):
    """The SHA-256 digest of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return digest_of_stream(file)


def digest_of_stream(file):
    """The SHA-256 digest of what an open file has, in hexadecimal."""
    digest = hashlib.sha256()
    for content in iter(lambda: file.read(limits.CHUNK_SIZE), b""):
        digest.update(content)
    return digest.hexdigest()


def digest_if_there(name, folder=None):
    """The digest of a file, which may be in an open folder: `None` if there is none, `""` for a link."""
    try:
        with open_regular(name, folder) as file:
            return digest_of_stream(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return ""
        if error.errno in (errno.EINVAL, errno.ENXIO):
            return None
        raise


def make_private(folder):
    """Makes a folder, and those above it that are missing, which nobody else may enter, whatever the umask."""
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        os.chmod(path, 0o700)


def tighten(folder):
    """Takes from everybody else what the API gives them: the files in a folder of ours, and the folder itself."""
    os.chmod(folder, 0o700)
    with os.scandir(folder) as entries:
        for entry in entries:
            # Another runner may remove it.
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mode & 0o077:
                    os.chmod(entry.path, 0o600)


def try_lock(lock):
    """Takes the lock of an open file; whether nobody else holds it. Not every file system has locks."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise
    return True


def check_space(folder, size):
    """Raises unless `size` bytes can be written. A quota does not show in any other way."""
    make_private(folder)
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
    """Writes `size` bytes, for file systems that cannot reserve space."""
    zeros = bytes(limits.CHUNK_SIZE)
    while size > 0:
        size -= file.write(zeros[: min(size, limits.CHUNK_SIZE)])
    file.flush()


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
