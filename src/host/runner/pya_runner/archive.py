"""The job `archive`: packs files of the project into parts that are small enough for the API."""

import fnmatch
import gzip
import io
import os
import stat
import tarfile

from . import files, limits
from .errors import StepUnfinished
from .tree import walk


def archive(job):
    """Packs files of the project, in steps."""
    includes = [mask.split("/") for mask in job.job["include"]]
    excludes = [mask.split("/") for mask in job.job["exclude"]]

    def want(path):
        parts = path.split("/")
        return any(matches(mask, parts) for mask in includes) and not any(matches(mask, parts) for mask in excludes)

    progress_path = os.path.join(job.work, "archive.json")
    progress = files.read_json(progress_path) or {"packed": [], "bytes": 0, "sizes": [], "errors": {}}
    packed = set(progress["packed"])
    found = {"errors": {}, "skipped": {}, "links": {}}
    output = ArchiveParts(job.work, progress["sizes"])
    group = Group(output)
    try:
        for path, name, folder in walk(job, found, want):
            if path in packed:
                continue
            try:
                progress["bytes"] += group.add(path, name, folder)
            except Unreadable as error:
                progress["errors"][path] = str(error)
            progress["packed"].append(path)
            if group.size > limits.GROUP_SIZE:
                group.end()
                job.tick()
        group.end(is_last=True)
    except StepUnfinished:
        progress["sizes"] = output.sizes
        output.close()
        files.write_json(progress_path, progress)
        raise
    output.close()
    parts = []
    for number, size in enumerate(output.sizes):
        name = "archive-%03d" % number
        parts.append({"name": name, "sha256": files.digest_of(os.path.join(job.work, name)), "size": size})
    found["errors"].update(progress["errors"])
    count = len(progress["packed"]) - len(progress["errors"])
    job.result = dict(found, parts=parts, files=count, bytes=progress["bytes"])


class Unreadable(Exception):
    """A file could not be packed, or not as it was; the archive is valid without it."""


class Group:
    """A group of files, as one gzip member of the archive: concatenated members are one gzip stream."""

    def __init__(self, output):
        self.output, self.gzip, self.size = output, None, 0

    def add(self, path, name, folder):
        """Packs a file and returns its size. Errors other than `Unreadable` concern the archive itself."""
        try:
            file = files.open_regular(name, folder)
        except OSError as error:
            raise Unreadable(error.strerror or str(error))
        with file:
            facts = os.fstat(file.fileno())
            info = tarfile.TarInfo(path)
            info.size, info.mode = facts.st_size, stat.S_IMODE(facts.st_mode)
            if self.gzip is None:
                self.gzip = gzip.GzipFile(fileobj=self.output, mode="wb", compresslevel=6, mtime=0)
            self.gzip.write(info.tobuf(tarfile.PAX_FORMAT, encoding="utf-8"))
            left, failure = info.size, None
            while left > 0:
                content = b""
                if failure is None:
                    try:
                        content = file.read(min(left, limits.CHUNK_SIZE))
                        failure = None if content else "it became shorter while it was being packed"
                    except OSError as error:
                        failure = error.strerror or str(error)
                # The archive must stay valid; the client skips the files that the errors name.
                content = content or bytes(min(left, limits.CHUNK_SIZE))
                self.gzip.write(content)
                left -= len(content)
            self.gzip.write(bytes(-info.size % tarfile.BLOCKSIZE))
        self.size += info.size
        if failure is not None:
            raise Unreadable(failure)
        return info.size

    def end(self, is_last=False):
        """Ends the member, and with the last one the archive."""
        if is_last and self.gzip is None:
            self.gzip = gzip.GzipFile(fileobj=self.output, mode="wb", compresslevel=6, mtime=0)
        if self.gzip is not None:
            if is_last:
                self.gzip.write(bytes(2 * tarfile.BLOCKSIZE))
            self.gzip.close()
        self.gzip, self.size = None, 0


class ArchiveParts(io.RawIOBase):
    """A stream that is split into files. What exceeds `sizes` was left by a killed runner, and is dropped."""

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
            if self.file is None or self.sizes[-1] >= limits.PART_SIZE:
                if self.file is not None:
                    self.file.close()
                self.sizes.append(0)
                self.file = open(self.path(), "wb")
            count = self.file.write(content[written : written + limits.PART_SIZE - self.sizes[-1]])
            self.sizes[-1] += count
            written += count
        return written

    def close(self):
        if self.file is not None:
            self.file.close()
        super().close()


def matches(mask, parts):
    """Whether a path matches a mask, segment by segment; `**` matches any number of folders."""
    if not mask:
        return not parts
    if mask[0] == "**" and len(mask) > 1:
        return any(matches(mask[1:], parts[skip:]) for skip in range(len(parts)))
    if mask[0] == "**":
        return bool(parts)
    return bool(parts) and fnmatch.fnmatchcase(parts[0], mask[0]) and matches(mask[1:], parts[1:])
