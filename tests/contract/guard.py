"""The guard in front of the account: what a contract test may send.

Reading is free. Writing is for the scratch folder of this run and for what this run has made itself; everything else is
refused before it is sent. It looks at requests, not at calls, so that it holds for every client that asks it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

READING = {"GET", "HEAD", "OPTIONS"}

# What may be made, if the user opts in: the list of the service, and what names one of it.
KINDS = {"webapps": "domain_name", "consoles": "id", "schedule": "id", "always_on": "id"}


class OutsideScratch(Exception):
    """A test was about to touch what is not its own."""


@dataclass
class Guard:
    """What one run may touch."""

    user: str
    scratch: str
    may_make: frozenset[str] = frozenset()
    domain: str = ""
    own: dict[str, set[str]] = field(default_factory=lambda: {kind: set() for kind in KINDS})

    def check(self, method: str, target: str, fields: Mapping[str, object] | None = None) -> None:
        """Raises `OutsideScratch` unless the request may be sent; `target` is its path with its query."""
        if method in READING:
            return
        parts = urlsplit(target)
        version, start, user, rest = (unquote(parts.path).split("/", 5) + [""] * 6)[2:6]
        fields = fields or {}
        if (version, start, user) == ("v0", "user", self.user):
            family, _, below = rest.partition("/")
            if family == "files":
                allowed = self._may_write(method, below, parse_qs(parts.query), fields)
            elif family in KINDS and below:
                allowed = below.split("/")[0] in self.own[family]
            else:
                allowed = method == "POST" and self._may_make(family, fields)
            if allowed:
                return
        raise OutsideScratch(f"{method} {target} is not for this run: it may write in {self.scratch} and what it made")

    def made(self, kind: str, name: object) -> None:
        """From now on this one belongs to the run."""
        self.own[kind].add(str(name))

    def _may_make(self, family: str, fields: Mapping[str, object]) -> bool:
        return family in self.may_make and (family != "webapps" or fields.get("domain_name") == self.domain)

    def _may_write(self, method: str, below: str, query: dict[str, list[str]], fields: Mapping[str, object]) -> bool:
        if below == "sharing/":
            paths = query.get("path", []) if method == "DELETE" else [str(fields.get("path", ""))]
            return bool(paths) and all(self._is_in_scratch(path) for path in paths)
        if not below.startswith("path/"):
            return False
        path = below.removeprefix("path")
        return self._is_in_scratch(path) or self._belongs_to_webapp(method, path)

    def _is_in_scratch(self, path: str) -> bool:
        segments = [segment for segment in path.split("/") if segment]
        if "." in segments or ".." in segments:
            return False
        # The folder itself is deleted in the end.
        return ("/" + "/".join(segments) + "/").startswith(self.scratch + "/")

    def _belongs_to_webapp(self, method: str, path: str) -> bool:
        if self.domain not in self.own["webapps"]:
            return False
        folder, _, name = path.rpartition("/")
        if folder == "/var/log":
            return method == "DELETE" and name.startswith(f"{self.domain}.")
        # Its name when the web app is deleted begins with that of the file.
        return path.startswith(wsgi_path(self.domain)) and folder == "/var/www"


def wsgi_path(domain: str) -> str:
    """Where the service keeps the WSGI file of a domain."""
    return f"/var/www/{domain.lower().replace('.', '_')}_wsgi.py"
