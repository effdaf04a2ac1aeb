"""What the service's answers and our reports hold, for type checkers: plain dicts at runtime, but for `ConsoleOutput`.

Of the service's answers these are the keys that it documents, and others pass through; nothing here checks that they
are there. Source: https://help.pythonanywhere.com/pages/API/.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypedDict

from ._items import ConsoleOutput

__all__ = [
    "AgentChange",
    "AgentStatus",
    "AlwaysOnTask",
    "Certificate",
    "Console",
    "ConsoleOutput",
    "CpuStatus",
    "CpuUsage",
    "DeployEstimate",
    "DeployStep",
    "Diagnosis",
    "DiagnosisCheck",
    "Drift",
    "HistoryEntry",
    "HistoryStep",
    "InspectedSettings",
    "InstalledRequirements",
    "ListedEntry",
    "LocalStatus",
    "PullReport",
    "PythonVersionInfo",
    "RollbackReport",
    "ScheduledTask",
    "SiteStatus",
    "StaticFile",
    "StaticHeader",
    "StatusReport",
    "Student",
    "SystemImageInfo",
    "Virtualenv",
    "Webapp",
    "Website",
]


class AlwaysOnTask(TypedDict):
    """An always-on task."""

    id: int
    command: str
    description: str
    enabled: bool
    state: str
    logfile: str
    url: str
    user: str


class ScheduledTask(TypedDict):
    """A scheduled task. `hour` and `minute` are UTC; an hourly task has no `hour`."""

    id: int
    command: str
    description: str
    enabled: bool
    interval: Literal["daily", "hourly"]
    hour: int | None
    minute: int
    expiry: str | None
    logfile: str
    printable_time: str
    can_enable: bool
    url: str
    user: str


class Console(TypedDict):
    """A console. `console_url` is the path of the page that starts it."""

    id: int
    user: str
    executable: str
    arguments: str
    working_directory: str | None
    name: str
    console_url: str
    console_frame_url: str


class CpuUsage(TypedDict):
    """CPU seconds of the day."""

    daily_cpu_limit_seconds: int
    daily_cpu_total_usage_seconds: float
    next_reset_time: str


class PythonVersionInfo(TypedDict, total=False):
    """A default version, under the name of what it is the default of, and those available."""

    default_python3_version: str
    default_python_version: str
    default_save_and_run_python_version: str
    available_python3_versions: list[str]
    available_python_versions: list[str]


class SystemImageInfo(TypedDict):
    """The system image, and those available."""

    system_image: str
    available_system_images: list[str]


class Student(TypedDict):
    """A student of the account."""

    username: str


class ListedEntry(TypedDict):
    """What a folder's listing says of a name."""

    type: Literal["file", "directory"]
    url: str


class Webapp(TypedDict):
    """The configuration of a web app."""

    id: int
    user: str
    domain_name: str
    python_version: str
    source_directory: str
    working_directory: str
    virtualenv_path: str
    expiry: str
    force_https: bool
    enabled: bool
    password_protection_enabled: bool
    password_protection_username: str
    password_protection_password: str


class StaticFile(TypedDict):
    """A static file mapping."""

    id: int
    url: str
    path: str


class StaticHeader(TypedDict):
    """A header for the answers below a URL."""

    id: int
    url: str
    name: str
    value: Any


class _Certificate(TypedDict):
    issuer_name: str
    not_after: str
    not_after_datetime: datetime | None
    subject_name: str
    subject_alternate_names: list[str]


class Certificate(_Certificate, total=False):
    """A certificate. `not_after` is the service's text, `not_after_datetime` the same as an aware datetime."""

    cert_type: str


class Website(TypedDict):
    """A website, which runs by a command."""

    id: int
    user: str
    domain_name: str
    enabled: bool
    webapp: dict[str, Any]
    logfiles: dict[str, str]


class AgentChange(TypedDict):
    """What installing or removing an agent did: whether anything was changed, and what to know about.

    ``renewed`` names the files of an existing installation that were damaged or of another build.
    """

    changed: bool
    renewed: list[str]
    warnings: list[str]


class AgentStatus(TypedDict):
    """The status of an agent: whether it answers and is undamaged, in words, and what to know besides."""

    ready: bool
    status: str
    warnings: list[str]


class Virtualenv(TypedDict):
    """A virtualenv on the host: its path in the account, its version of Python, and whether it was made just now."""

    path: str
    python: str
    created: bool


class InstalledRequirements(TypedDict):
    """What an installation of requirements did.

    ``installed`` is false where the virtualenv had what the file says already. ``packages`` counts those that were new,
    ``rounds`` the steps it took, and ``in_one_go`` says why it was left to one call of pip, if it was.
    """

    installed: bool
    packages: int
    rounds: int
    in_one_go: str | None


class InspectedSettings(TypedDict):
    """The Django settings that decide how a project is served; ``settings`` is their module, ``django`` the version.

    ``engines`` are those of ``DATABASES``, ``relative_databases`` the relative paths of those that are files. Of
    ``SECRET_KEY`` it says only whether there is one.
    """

    settings: str
    django: str
    debug: bool
    allowed_hosts: list[str]
    csrf_trusted_origins: list[str]
    static_url: str | None
    static_root: str | None
    media_url: str | None
    media_root: str | None
    engines: list[str]
    relative_databases: list[str]
    has_secret_key: bool
    wsgi_application: str | None


class DeployEstimate(TypedDict):
    """What a way of deploying costs, commands included: requests to the API, and the seconds that it takes at least.

    The requests are exact for ``none`` and ``webapp`` if none is repeated, and a bound for the others unless a job
    takes long.
    """

    executor: str
    requests: int
    seconds: float
    needs: str


class DeployStep(TypedDict):
    """A command that a deploy ran on the host. `exit_status` is ``None`` if it is unknown."""

    step: str
    ok: bool
    exit_status: int | None
    output: str


class Drift(TypedDict):
    """How the host differs. Paths are relative to the project; `unreadable` is path to reason.

    `clean` says that the host has what was deployed and what is here, and that everything could be read. It may have
    more. What a deploy that has not finished may have changed is in `unreadable`, unless a local file tells what it
    shall be.
    """

    changed: list[str]
    missing: list[str]
    unmanaged: list[str]
    not_deployed: list[str]
    differs: list[str]
    unreadable: dict[str, str]
    files: int
    clean: bool


class HistoryStep(TypedDict):
    """A command that a deploy was to run; `ok` is ``None`` if it did not run or its result is unknown."""

    step: str
    ok: bool | None


class HistoryEntry(TypedDict):
    """One thing that was done to a project.

    `operation` is ``"deploy"`` or ``"rollback"``, else what a job did on the host: ``"manage"``, ``"pip"``, ``"run"``,
    ``"hash"`` (of `verify`), ``"archive"`` (of `pull`) or ``"history"``. `outcome` is ``"done"``, ``"failed"``,
    ``"interrupted"`` (cut off, or taken over by force), ``"rolled_back"`` (failed, and the old files were put back),
    ``"running"`` or ``"refused"``. `summary` says why a deploy failed, and what a job did.

    `time` is when it began, in seconds since 1970; `seconds` how long it took, a deploy until its files were in place
    or until it failed. `commit` and `branch` are those of the work tree, and `dirty` says whether it differed from that
    commit: a tracked file of the project did, or a file was deployed that git neither tracks nor ignores. All three are
    ``None`` where git was not asked or could not say, `branch` also if the work tree was at none.

    `uploaded`, `deleted` and `copied` count files, those of a rollback the files that came back and went. `undoes` is
    the deploy that a rollback undid. `exit_status` and `migrations` are those of a job. What is not known is ``None``:
    of a job all that belongs to deploys, and also of a deploy of which the manifest does not tell.
    """

    id: str
    operation: str
    time: int
    seconds: float | None
    outcome: str
    summary: str
    who: str | None
    host: str | None
    commit: str | None
    branch: str | None
    dirty: bool | None
    uploaded: int | None
    deleted: int | None
    copied: int | None
    executor: str | None
    steps: list[HistoryStep]
    undoes: str | None
    exit_status: int | None
    migrations: list[str]


class DiagnosisCheck(TypedDict):
    """One thing that was looked at, and the command that mends it if it is not well."""

    check: str
    state: Literal["ok", "warning", "error"]
    message: str
    command: str | None


class Diagnosis(TypedDict):
    """What is wrong with a project and its account. `ok` says that there are no errors; warnings do not count."""

    ok: bool
    errors: int
    warnings: int
    checks: list[DiagnosisCheck]


class CpuStatus(TypedDict):
    """The CPU seconds of the day, which consoles and tasks use up, and when counting begins anew."""

    used_seconds: float
    limit_seconds: float
    next_reset: str | None


class SiteStatus(TypedDict):
    """A web app, or a website that a command serves; `exists` is false if the account has none at that domain.

    `expiry` is the last day on which it is served, as ``"2026-12-24"``, and `days_left` how many days there are until
    then; less than 0 if it has expired. A free account's web app expires a month after somebody extended it.
    """

    domain: str
    exists: bool
    enabled: bool | None
    python: str | None
    virtualenv: str | None
    expiry: str | None
    days_left: int | None


class LocalStatus(TypedDict):
    """How the local files differ from what was deployed, in numbers of files."""

    differs: bool
    added: int
    changed: int
    removed: int


class StatusReport(TypedDict):
    """An account, its sites and a project.

    `agent` is that of the first site: ``"answers"``, ``"silent"``, ``"needs_reload"`` (the web app has an old token)
    or ``"not_installed"``; ``None`` without a web app. `last_deploy` is ``None`` if nothing was deployed, and `local`
    if no local files were looked at. `requests` is how many it took.
    """

    user: str
    host: str
    cpu: CpuStatus
    sites: list[SiteStatus]
    agent: Literal["answers", "silent", "needs_reload", "not_installed"] | None
    last_deploy: HistoryEntry | None
    local: LocalStatus | None
    warnings: list[str]
    requests: int


class RollbackReport(TypedDict):
    """What a rollback did. `migrations` ran in that deploy or since, and stay: the database is as it was before.

    `resumed` says that an earlier rollback had put the files back and only the rest was left to do; `kept_for_rollback`
    that what was replaced is kept, so that this one can be undone. `warnings` holds anything else to know, such as a
    domain that could not be reloaded.
    """

    deploy: str
    written: int
    deleted: list[str]
    not_deleted: dict[str, str]
    migrations: list[str]
    reloaded: list[str]
    resumed: bool
    kept_for_rollback: bool
    warnings: list[str]


class PullReport(TypedDict):
    """What was pulled; `unreadable` and `skipped` are path to reason, `bytes` the size of the archive.

    `unmatched` are the masks of `include`, as given, that matched nothing.
    """

    written: list[str]
    unchanged: int
    unreadable: dict[str, str]
    skipped: dict[str, str]
    unmatched: list[str]
    bytes: int
