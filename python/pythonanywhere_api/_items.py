"""Values that the extension creates in Python: subclasses of ``str``, headers, a collector's source, and times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from posixpath import splitext
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


class ItemCollector:
    """Returned by `PythonanywhereApi._prepare_collector`; collectors take it as ``item_collector``."""

    def __init__(self, api: Any, skip: Callable[[str], bool] | None) -> None:
        if skip is not None and not callable(skip):
            raise TypeError(f"the callback that skips files must be callable, not {type(skip).__name__}")
        self._api = api
        self._skip = skip
        # Folders are left out before they are listed.
        api.skip_enter_folder = skip

    def __call__(self, path_mask: str) -> list[tuple[str, str]]:
        """Returns pairs of file extension and path for the files that match."""
        items = self._api.files_iterator(path_mask)
        paths = [item if isinstance(item, str) else item["file_path"] for item in items]
        return [(splitext(path)[1], str(path)) for path in paths if not self._skips(path)]

    def _skips(self, path: str) -> bool:
        skipped: Any = self._skip(path) if self._skip else False
        if hasattr(skipped, "__await__"):
            skipped.close()
            raise TypeError("the callback that skips files must be a plain function, not a coroutine function")
        return bool(skipped)


class Headers(Mapping[str, str]):
    """Headers of an answer. Names are found whatever their case; one that came several times is joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        for name, value in pairs:
            name = name.lower()
            self._values[name] = f"{self._values[name]}, {value}" if name in self._values else value

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


class ConsoleOutput(str):
    """What a command in a console wrote, as text that also holds how the command ended."""

    exit_status: int | None
    """Of the command, where a shell ran it; else ``None``."""
    is_complete: bool
    """Whether the text is known to be all of the output. If not, its first line says so."""

    def __new__(cls, text: str, exit_status: int | None = None, is_complete: bool = True) -> ConsoleOutput:
        output = super().__new__(cls, text)
        output.exit_status = exit_status
        output.is_complete = is_complete
        return output

    def __reduce__(self) -> tuple[type[ConsoleOutput], tuple[str, int | None, bool]]:
        return type(self), (str(self), self.exit_status, self.is_complete)


class Verb(str):
    """An HTTP verb, callable like the function of requests by that name.

    A replaced ``_request`` that was written for the interface's documentation calls what it gets for ``method``;
    requests is imported only then.
    """

    __slots__ = ()

    @property
    def __name__(self) -> str:
        return self.lower()

    def __call__(self, url: str, **kwargs: Any) -> Any:
        import requests

        kwargs.setdefault("timeout", 600)
        return requests.request(str(self), url, **kwargs)  # noqa: S113, the time-out is among the keywords


def parse_time(text: str) -> datetime | None:
    """The service's ``20261123T120000Z``, or ISO 8601, as an aware datetime; ``None`` for anything else."""
    for form in ("%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=timezone.utc)
        except ValueError:
            continue
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)
