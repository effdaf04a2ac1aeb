"""What a client asks before it plans a deploy: the state folder in one answer."""

import contextlib
import hashlib
import os
import re
import time

from . import files, limits
from .names import local


def read_state(folder, have, root=None):
    """The notes in a state folder, and its newest manifest unless the client has the one with the digest `have`.

    Also whether there is nothing yet at the project's place, `root`.
    """
    home = os.path.dirname(os.path.dirname(os.path.abspath(folder)))
    is_new = bool(root) and root.startswith("/home/") and not os.path.lexists(local(home, root))
    for _ in range(limits.READ_RETRIES):
        with contextlib.suppress(FileNotFoundError):
            found = look(folder, have) if os.path.isdir(folder) else {"entries": None, "texts": {}}
            return dict(found, is_new=is_new)
        # A deploy went on between the listing and the reading.
        time.sleep(limits.READ_RETRY_SECONDS)
    raise OSError("the state folder changes too fast")


def read_piece(folder, name, offset, size):
    """A piece of a file that clients read; `None` if there is no such file."""
    if not re.fullmatch(r"history\.json|rollback-[0-9a-f]{16}/index\.json|work-[0-9a-f]{16}/archive-[0-9]{3,}", name):
        raise ValueError("nobody reads %r" % (name,))
    try:
        with files.open_regular(os.path.join(folder, name)) as file:
            file.seek(offset)
            return file.read(min(size, limits.MAX_PIECE))
    except OSError:
        return None


def look(folder, have):
    entries, texts, manifests, found = [], {}, [], {}
    with os.scandir(folder) as listing:
        for entry in listing:
            name = entry.name
            if re.fullmatch("(intent|maintenance|manifest|rollback|work)-[!-~]+|history[.]json", name):
                entries.append([name, entry.is_dir()])
                if re.fullmatch("manifest-[0-9]{1,20}[.]json", name):
                    manifests.append(name)
                elif name[0] in "im" and name.endswith(".json"):
                    texts[name] = text_of(read(folder, name))
    if manifests:
        name = max(manifests, key=lambda name: int(name[9:-5]))
        content = read(folder, name)
        found = {"manifest": name, "digest": hashlib.sha256(content).hexdigest()}
        if found["digest"] != have:
            texts[name] = text_of(content)
    # What is missing, because it is too long or no text, is read through the API.
    return dict(found, entries=entries, texts={name: text for name, text in texts.items() if text is not None})


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read(limits.MAX_STATE_TEXT + 1)


def text_of(content):
    with contextlib.suppress(UnicodeDecodeError):
        if len(content) <= limits.MAX_STATE_TEXT:
            return content.decode()
    return None
