"""What ``files_iterator`` yields."""

from __future__ import annotations

from typing import Any


class FileItem(str):
    """The path of a file relative to the project, which also answers ``["file_path"]`` and ``["type"]``.

    The interface's documentation promises dicts with these two keys, while scripts and collectors use the items as
    strings; so they are both.
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> str:
        if key == "file_path":
            return str(self)
        if key == "type":
            return "file"
        return super().__getitem__(key)
