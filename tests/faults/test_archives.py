"""`pull` of archives that were changed on the way: an error, or the files as they are, and nothing elsewhere."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pythonanywhere_api import ConfigError
from pythonanywhere_api.testing import set_clock_speed

from .conftest import SOAK
from .outcomes import Row, leaks, run
from .proxy import Answer, Fault, Request
from .test_deploys import OLD, THEIRS, Project, tree

EXAMPLES = 400 if SOAK else 12
NAMES = [
    "/etc/x",
    "../x",
    "a/../../x",
    "a\0b",
    "x" * 5000,
    "con",
    "a//b",
    "./",
    "",
    "app/a.py",
    "app",
    "\u202etxt",
    "a\x1b[2J",
]
TYPES = [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, b"Z"]


def damaged(archive: bytes, chance: random.Random) -> bytes:
    form = chance.randrange(6)
    if form == 0:
        return archive[: chance.randrange(len(archive))]
    if form == 1:
        return changed(archive, chance)
    if form == 2:
        return gzip.compress(changed(gzip.decompress(archive), chance))
    if form == 3:
        return gzip.compress(gzip.decompress(archive) + bytes(chance.choice([512, 64 << 20])))
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=chance.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])) as tar:
        for _ in range(chance.randrange(1, 5)):
            info = tarfile.TarInfo(chance.choice(NAMES).replace("\0", "_") or "x")
            info.type = chance.choice(TYPES)
            info.linkname = chance.choice(["/etc/passwd", "../../x", "app/a.py"])
            info.mode = chance.choice([0o644, 0o4755, 0o777])
            if form == 5:
                info.pax_headers = {"comment": "x" * chance.choice([10, 200_000]), "size": "9" * 15}
            content = b"y" * chance.choice([0, 3, 2000]) if info.type == tarfile.REGTYPE else b""
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return made.getvalue()


def changed(content: bytes, chance: random.Random) -> bytes:
    changing = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        changing[chance.randrange(min(len(changing), 4096))] = chance.randrange(256)
    return bytes(changing)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with ExitStack() as stack:
        yield Project(stack, tmp_path, agent=True)


def test_an_archive_that_was_changed_is_refused(project: Project, row: Row, tmp_path: Path) -> None:
    row.name = "pull of a changed archive"
    into = tmp_path / "around" / "pulled"
    for seed in range(EXAMPLES):
        chance = random.Random(seed)

        def answer(_request: Request, real: bytes, chance: random.Random = chance) -> Answer:
            head, _, body = real.partition(b"\r\n\r\n")
            if not body.startswith(b"\x1f\x8b"):
                return Answer(real)
            body = damaged(body, chance)
            lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
            return Answer(b"\r\n".join([*lines, f"Content-Length: {len(body)}".encode(), b"", body]))

        shutil.rmtree(into.parent, ignore_errors=True)
        into.parent.mkdir()
        project.account.proxy.spoil(Fault("a changed archive", answer, takes_effect=True))
        api = project.api()
        set_clock_speed(100)
        outcome = run(lambda a=api: a.pull(into, **project.via))
        set_clock_speed(1)
        cell, message = f"seed {seed}", api.error_message
        row.count("shape", outcome.word if outcome.error else "error" if message else "ok")
        row.check(not outcome.hangs, cell, "hangs")
        row.check(outcome.error is None or isinstance(outcome.error, ConfigError), cell, "raises", repr(outcome.error))
        row.check(outcome.error or outcome.value or message, cell, "fails without a word")
        said = message + str(outcome.error or "")
        row.check(len(said) < 4000, cell, "quotes too much", len(said))
        row.check(not leaks(outcome.output + message), cell, "shows the token")
        row.check(sorted(path.name for path in into.parent.iterdir()) in ([], ["pulled"]), cell, "wrote elsewhere")
        row.check(not any(path.is_symlink() for path in into.rglob("*")), cell, "made a link")
        if outcome.error is None and not message:
            row.check(tree(into) == OLD | THEIRS, cell, "other files than on the host", sorted(tree(into)))
    row.finish()
