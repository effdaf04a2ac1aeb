"""The compiled part of the package, and its reference manual."""

import builtins
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Generic, Literal, Protocol, TypeAlias, TypeVar, final, type_check_only

from typing_extensions import Buffer, Self, disjoint_base

from ._items import FileItem, Headers, ItemCollector
from .types import (
    AgentChange,
    AgentStatus,
    AlwaysOnTask,
    Certificate,
    Console,
    ConsoleOutput,
    CpuUsage,
    DeployEstimate,
    DeployStep,
    Diagnosis,
    Drift,
    HistoryEntry,
    InspectedSettings,
    InstalledRequirements,
    ListedEntry,
    PullReport,
    PythonVersionInfo,
    RollbackReport,
    ScheduledTask,
    StaticFile,
    StaticHeader,
    StatusReport,
    Student,
    SystemImageInfo,
    Virtualenv,
    Webapp,
    Website,
)

_T = TypeVar("_T")

_Executor: TypeAlias = Literal["auto", "webapp", "always_on", "schedule", "console", "none"]

__all__ = [
    "AgentOfWebApp",
    "AlwaysOn",
    "AsyncAlwaysOn",
    "AsyncClient",
    "AsyncConsoles",
    "AsyncCpu",
    "AsyncDatabases",
    "AsyncDomains",
    "AsyncDomainsSsl",
    "AsyncFiles",
    "AsyncFilesIterator",
    "AsyncPythonVersions",
    "AsyncPythonanywhereApi",
    "AsyncSchedule",
    "AsyncStudents",
    "AsyncSystemImage",
    "AsyncWebapps",
    "AsyncWebappsSsl",
    "AsyncWebappsStaticFiles",
    "AsyncWebappsStaticHeaders",
    "AsyncWebsites",
    "Client",
    "CommandResult",
    "Consoles",
    "Coroutine",
    "Cpu",
    "Databases",
    "DeployDiff",
    "DeployReport",
    "Domains",
    "DomainsSsl",
    "Emulator",
    "Faults",
    "Files",
    "FilesIterator",
    "HeldRequest",
    "LaunchEvent",
    "LaunchReport",
    "LoggedRequest",
    "ProgressEvent",
    "PythonVersions",
    "PythonanywhereApi",
    "Response",
    "Schedule",
    "Students",
    "SystemImage",
    "Webapps",
    "WebappsSsl",
    "WebappsStaticFiles",
    "WebappsStaticHeaders",
    "Websites",
    "_ClientBase",
    "_Family",
    "_PythonanywhereBase",
    "__version__",
    "_error_classes",
    "_never_skip",
    "_webfaction_classes",
    "advance_clock",
    "cli_main",
    "launch",
    "launch_async",
    "restore_clock",
    "set_clock_speed",
]

__version__: Final[str]

@disjoint_base
class _Family:
    """The endpoints of one family on one account."""

    def __new__(cls, parent: Any, /) -> Self: ...

@final
class AlwaysOn(_Family):
    """The `always_on` endpoints. Methods raise the service\'s errors: see `Client`."""

    def list(self) -> builtins.list[AlwaysOnTask]:
        """Lists the always-on tasks.

        Endpoint: ``GET always_on/``.
        """
    def create(self, command: str, description: str = "", enabled: bool = True) -> AlwaysOnTask:
        """Creates an always-on task. It starts at once if it is enabled.

        Endpoint: ``POST always_on/``.
        """
    def get(self, id: int | str) -> AlwaysOnTask:
        """Returns an always-on task.

        Endpoint: ``GET always_on/{id}/``.
        """
    def replace(self, id: int | str, **fields: Any) -> AlwaysOnTask:
        """Sets all fields of an always-on task: command, description, enabled.

        Endpoint: ``PUT always_on/{id}/``.
        """
    def update(self, id: int | str, **fields: Any) -> AlwaysOnTask:
        """Sets some fields of an always-on task: command, description, enabled.

        Endpoint: ``PATCH always_on/{id}/``.
        """
    def delete(self, id: int | str) -> None:
        """Stops and deletes an always-on task.

        Endpoint: ``DELETE always_on/{id}/``.
        """
    def restart(self, id: int | str) -> AlwaysOnTask:
        """Restarts the task's process.

        Endpoint: ``POST always_on/{id}/restart/``.
        """

@type_check_only
class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...

@type_check_only
class _Writable(Protocol):
    def write(self, data: bytes, /) -> int | None: ...

@final
class Consoles(_Family):
    """The `consoles` endpoints. Methods raise the service\'s errors: see `Client`."""

    def list(self) -> builtins.list[Console]:
        """Lists the consoles.

        Endpoint: ``GET consoles/``.
        """
    def create(self, executable: str = "bash", arguments: str = "", working_directory: str | None = None) -> Console:
        """Creates a console, which starts when its page is opened in a browser. 429 means that no more are allowed.

        Endpoint: ``POST consoles/``.
        """
    def shared_with_you(self) -> builtins.list[Console]:
        """Lists the consoles that other users share with this account.

        Endpoint: ``GET consoles/shared_with_you/``.
        """
    def get(self, id: int | str) -> Console:
        """Returns a console.

        Endpoint: ``GET consoles/{id}/``.
        """
    def delete(self, id: int | str) -> None:
        """Closes a console.

        Endpoint: ``DELETE consoles/{id}/``.
        """
    def latest_output(self, id: int | str) -> str:
        """Returns about the last 500 characters of a console's output, terminal escapes included.

        Endpoint: ``GET consoles/{id}/get_latest_output/``.
        """
    def send_input(self, id: int | str, input: str) -> None:
        """Types text into a console; end a line with a newline. The limit is 120 requests a minute.

        Endpoint: ``POST consoles/{id}/send_input/``.
        """
    def run(self, id: int | str, command: str, timeout: float = 60) -> ConsoleOutput:
        """Runs a command in a console, waits until it has ended, and returns its output without terminal escapes.

        The service gives only about the last 500 characters of a console. In a ``bash`` console the output therefore
        goes through a hidden file in the home folder, which is removed at the end: all of it comes back, standard
        error included, and the exit status. The command runs in the shell itself, so that ``cd`` and ``export`` last,
        with the terminal as its input; several lines are fine.

        In any other console (``python3``, ``mysql``, …) the command is typed, and has ended when the same prompt is
        there again. The output is what the terminal still shows then. In Python's, a comment that tells where the
        output begins is typed after a command of one line.

        Consoles are polled less and less often, in the end every 3 seconds: the service allows 40 requests a minute. A
        console that was just started gets 10 seconds to show its prompt.

        Args:
            id: number of the console. It must be at its prompt: nothing is typed into a program that runs there.
            command: what to type, without a newline at its end. In ``bash`` at most about 3 900 characters.
            timeout: seconds to wait for its end. Waiting for the rate limit may add to them.

        Returns:
            The output, a ``str`` with two more attributes: ``exit_status``, an ``int`` in ``bash`` and else ``None``,
            and ``is_complete``. Where that is false, the beginning may be lost, and the first line says so.

        Raises:
            ConsoleNotStartedError: its page, ``browser_url``, must be opened in a browser first.
            ConfigError: the console is not at its prompt, or the command cannot be typed. Nothing was typed.
            RequestTimeoutError: the command did not end in time. It goes on in the console.

        Endpoints: ``GET consoles/{id}/``, ``POST consoles/{id}/send_input/``,
        ``GET consoles/{id}/get_latest_output/``, ``GET`` and ``DELETE files/path{path}``.
        """

@final
class Cpu(_Family):
    """The `cpu` endpoints. Methods raise the service\'s errors: see `Client`."""

    def get(self) -> CpuUsage:
        """Returns the CPU seconds of the day: daily_cpu_limit_seconds, daily_cpu_total_usage_seconds, next_reset_time.

        Endpoint: ``GET cpu/``.
        """

@final
class Databases(_Family):
    """The `databases` endpoints. Methods raise the service\'s errors: see `Client`."""

    def mysql(self) -> builtins.list[dict[str, Any]] | dict[str, Any]:
        """Lists the MySQL databases.

        Endpoint: ``GET databases/mysql/``.
        """

@final
class Domains(_Family):
    """Domains of websites. Methods raise the service's errors: see `Client`."""

    @property
    def ssl(self) -> DomainsSsl: ...

@final
class DomainsSsl(_Family):
    """Certificates of websites' domains. Methods raise the service's errors: see `Client`."""

    def get(self, domain_name: str) -> Certificate:
        """Returns the certificate of a website's domain.

        Endpoint: ``GET v1 domains/{domain_name}/ssl/``.
        """
    def set_lets_encrypt(self, domain_name: str) -> Certificate:
        """Asks the service to obtain a certificate from Let's Encrypt and to renew it.

        Endpoint: ``POST v1 domains/{domain_name}/ssl/``.
        """

@final
class Files(_Family):
    """The `files` endpoints. Methods raise the service\'s errors: see `Client`."""

    def read(self, path: str) -> bytes:
        """Reads a file. Raises DecodeError if it is a folder.

        Endpoint: ``GET files/path{path}``.
        """
    def list(self, path: str) -> dict[str, ListedEntry]:
        """Lists a folder, one level deep. Raises DecodeError if it is a file.

        Endpoint: ``GET files/path{path}``.
        """
    def upload(self, path: str, content: Buffer | os.PathLike[str] | os.PathLike[bytes] | _Readable) -> bool:
        """Writes a file, creating its folders and replacing an existing file.

        A local file and a file object are read while they are sent, so that memory does not limit their size. The
        service is told the length before the first byte. A file object that can seek is measured for that, and sent
        from where it stands to its end; one that cannot (a pipe, a socket) is copied to a temporary file on disk first.
        Its methods are called on the calling thread, in `AsyncClient` on the event loop's thread with the caller's
        context variables.

        A failure on the way is retried, from where the file stood.

        Args:
            path: where to, absolute.
            content: bytes or another buffer, a path as ``pathlib.Path``, or a binary file object.

        Returns:
            True if the file is new, false if it was replaced.

        Raises:
            TypeError: for a ``str``, which may be meant as a path or as a text, and for a file opened as text; nothing
                was sent.
            OSError: the local file cannot be read, or its length changed while it was sent. What is at `path` is as it
                was, as with the next two.
            ConfigError: a file object gave more or less than it had when it was measured.
            Exception: whatever the file object raised, unchanged.

        Endpoint: ``POST files/path{path}``.
        """
    def download(self, path: str, to: str | os.PathLike[str] | os.PathLike[bytes] | _Writable) -> int:
        """Downloads a file to disk, or into a binary file object.

        The content goes to a temporary file first. Given a path, that is in the same folder and takes the place of what
        is there (whose mode it keeps, and symbolic links are followed) once it is whole. Given a file object, its
        ``write`` is called only when all has arrived, on the calling thread, in `AsyncClient` on the event loop's. On a
        failure the target is as it was, and the temporary file is gone. An answer that breaks off is retried.

        Args:
            path: what, absolute.
            to: path of a local file in a folder that exists, or a binary file object.

        Returns:
            The length in bytes.

        Raises:
            TypeError: `to` is neither a path nor a binary file; nothing was asked of the service.
            OSError: the local file cannot be written.
            NotFoundError: there is no such file in the account. DecodeError if it is a folder.
            Exception: whatever the file object raised, unchanged.

        Endpoint: ``GET files/path{path}``.
        """
    def delete(self, path: str) -> None:
        """Deletes a file, or a folder and everything in it.

        Endpoint: ``DELETE files/path{path}``.
        """
    def share(self, path: str) -> str:
        """Shares a file: anyone who knows the address can read it.

        Endpoint: ``POST files/sharing/``.
        """
    def sharing_url(self, path: str) -> str | None:
        """Returns the address at which a file is shared.

        Endpoint: ``GET files/sharing/?path={path}``.
        """
    def unshare(self, path: str) -> None:
        """Stops sharing a file.

        Endpoint: ``DELETE files/sharing/?path={path}``.
        """
    def tree(self, path: str) -> builtins.list[str]:
        """Returns the paths two levels deep; folders end with a slash.

        Silently cut to 1000 entries: a hint, not a basis for decisions.

        Endpoint: ``GET files/tree/?path={path}``.
        """

@final
class PythonVersions(_Family):
    """The `python_versions` endpoints. Methods raise the service\'s errors: see `Client`."""

    def default_python3_version(self) -> PythonVersionInfo:
        """Returns the default Python 3 version and the available ones.

        Endpoint: ``GET default_python3_version/``.
        """
    def set_default_python3_version(self, version: str) -> PythonVersionInfo:
        """Sets the default Python 3 version.

        Endpoint: ``PATCH default_python3_version/``.
        """
    def default_python_version(self) -> PythonVersionInfo:
        """Returns the default Python version and the available ones.

        Endpoint: ``GET default_python_version/``.
        """
    def set_default_python_version(self, version: str) -> PythonVersionInfo:
        """Sets the default Python version.

        Endpoint: ``PATCH default_python_version/``.
        """
    def default_save_and_run_python_version(self) -> PythonVersionInfo:
        """Returns the Python version of the editor's run button and the available ones.

        Endpoint: ``GET default_save_and_run_python_version/``.
        """
    def set_default_save_and_run_python_version(self, version: str) -> PythonVersionInfo:
        """Sets the Python version of the editor's run button.

        Endpoint: ``PATCH default_save_and_run_python_version/``.
        """

@final
class Schedule(_Family):
    """The `schedule` endpoints. Methods raise the service\'s errors: see `Client`."""

    def list(self) -> builtins.list[ScheduledTask]:
        """Lists the scheduled tasks.

        Endpoint: ``GET schedule/``.
        """
    def create(
        self,
        command: str,
        minute: int,
        hour: int | None = None,
        interval: str = "daily",
        enabled: bool = True,
        description: str = "",
    ) -> ScheduledTask:
        """Creates a scheduled task, daily at hour and minute (UTC) or hourly at a minute.

        Endpoint: ``POST schedule/``.
        """
    def get(self, id: int | str) -> ScheduledTask:
        """Returns a scheduled task.

        Endpoint: ``GET schedule/{id}/``.
        """
    def replace(self, id: int | str, **fields: Any) -> ScheduledTask:
        """Sets all fields of a scheduled task: command, enabled, interval, hour, minute, description.

        Endpoint: ``PUT schedule/{id}/``.
        """
    def update(self, id: int | str, **fields: Any) -> ScheduledTask:
        """Sets some fields of a scheduled task: command, enabled, interval, hour, minute, description.

        Endpoint: ``PATCH schedule/{id}/``.
        """
    def delete(self, id: int | str) -> None:
        """Deletes a scheduled task.

        Endpoint: ``DELETE schedule/{id}/``.
        """

@final
class Students(_Family):
    """The `students` endpoints. Methods raise the service\'s errors: see `Client`."""

    def list(self) -> builtins.list[Student]:
        """Lists the account's students.

        Endpoint: ``GET students/``.
        """
    def delete(self, student: str) -> None:
        """Removes a student from the account's students.

        Endpoint: ``DELETE students/{student}/``.
        """

@final
class SystemImage(_Family):
    """The `system_image` endpoints. Methods raise the service\'s errors: see `Client`."""

    def get(self) -> SystemImageInfo:
        """Returns the system image and the available ones.

        Endpoint: ``GET system_image/``.
        """
    def set(self, image: str) -> SystemImageInfo:
        """Sets the system image.

        Endpoint: ``PATCH system_image/``.
        """

@final
class Webapps(_Family):
    """The `webapps` endpoints. Methods raise the service\'s errors: see `Client`."""

    @property
    def ssl(self) -> WebappsSsl: ...
    @property
    def static_files(self) -> WebappsStaticFiles: ...
    @property
    def static_headers(self) -> WebappsStaticHeaders: ...
    def list(self) -> builtins.list[Webapp]:
        """Lists the web apps.

        Endpoint: ``GET webapps/``.
        """
    def create(self, domain_name: str, python_version: str) -> dict[str, Any]:
        """Creates a web app with manual configuration and overwrites its WSGI file.

        The version is written like python313 or 3.13.

        Endpoint: ``POST webapps/``.

        Returns:
            The service's remark on it, with the new web app as ``webapp``.
        """
    def get(self, domain_name: str) -> Webapp:
        """Returns the configuration of a web app.

        Endpoint: ``GET webapps/{domain_name}/``.
        """
    def replace(self, domain_name: str, **fields: Any) -> Webapp:
        """Sets all fields of a web app; a reload applies them: python_version, source_directory, virtualenv_path,
        force_https, password_protection_enabled, password_protection_username, password_protection_password.

        Endpoint: ``PUT webapps/{domain_name}/``.
        """
    def update(self, domain_name: str, **fields: Any) -> Webapp:
        """Sets some of the fields that replace takes; a reload applies them.

        Endpoint: ``PATCH webapps/{domain_name}/``.
        """
    def delete(self, domain_name: str) -> None:
        """Deletes a web app. The site goes offline; files stay.

        Endpoint: ``DELETE webapps/{domain_name}/``.
        """
    def disable(self, domain_name: str) -> None:
        """Takes a web app offline.

        Endpoint: ``POST webapps/{domain_name}/disable/``.
        """
    def enable(self, domain_name: str) -> None:
        """Puts a web app back online.

        Endpoint: ``POST webapps/{domain_name}/enable/``.
        """
    def reload(self, domain_name: str) -> dict[str, Any]:
        """Reloads a web app. It is not repeated after a time-out, because the web app may have been reloaded.

        Endpoint: ``POST webapps/{domain_name}/reload/``.
        """

@final
class WebappsSsl(_Family):
    """Certificates of web apps. Methods raise the service's errors: see `Client`."""

    def get(self, domain_name: str) -> Certificate:
        """Returns the certificate of a web app.

        Endpoint: ``GET webapps/{domain_name}/ssl/``.
        """
    def set(self, domain_name: str, cert: str, private_key: str) -> None:
        """Sets the certificate of a web app, given as certificate chain and private key in PEM.

        Endpoint: ``POST webapps/{domain_name}/ssl/``.
        """
    def set_lets_encrypt(self, domain_name: str) -> None:
        """Asks the service to obtain a certificate from Let's Encrypt and to renew it.

        Endpoint: ``POST webapps/{domain_name}/ssl/``.
        """
    def delete(self, domain_name: str) -> None:
        """Removes the certificate of a web app.

        Endpoint: ``DELETE webapps/{domain_name}/ssl/``.
        """

@final
class WebappsStaticFiles(_Family):
    """Static file mappings of web apps. Methods raise the service's errors: see `Client`."""

    def list(self, domain_name: str) -> builtins.list[StaticFile]:
        """Lists the static file mappings of a web app.

        Endpoint: ``GET webapps/{domain_name}/static_files/``.
        """
    def create(self, domain_name: str, url: str, path: str) -> StaticFile:
        """Maps a URL to a folder; a reload applies it.

        Endpoint: ``POST webapps/{domain_name}/static_files/``.
        """
    def get(self, domain_name: str, id: int | str) -> StaticFile:
        """Returns a static file mapping.

        Endpoint: ``GET webapps/{domain_name}/static_files/{id}/``.
        """
    def replace(self, domain_name: str, id: int | str, url: str, path: str) -> StaticFile:
        """Sets the URL and folder of a mapping; a reload applies them.

        Endpoint: ``PUT webapps/{domain_name}/static_files/{id}/``.
        """
    def update(self, domain_name: str, id: int | str, **fields: Any) -> StaticFile:
        """Sets the URL or folder of a mapping (url, path); a reload applies it.

        Endpoint: ``PATCH webapps/{domain_name}/static_files/{id}/``.
        """
    def delete(self, domain_name: str, id: int | str) -> None:
        """Removes a mapping; a reload applies it.

        Endpoint: ``DELETE webapps/{domain_name}/static_files/{id}/``.
        """

@final
class WebappsStaticHeaders(_Family):
    """Static headers of web apps. Methods raise the service's errors: see `Client`."""

    def list(self, domain_name: str) -> builtins.list[StaticHeader]:
        """Lists the static headers of a web app.

        Endpoint: ``GET webapps/{domain_name}/static_headers/``.
        """
    def create(self, domain_name: str, url: str, name: str, value: str) -> StaticHeader:
        """Adds a header to the responses below a URL; a reload applies it.

        Endpoint: ``POST webapps/{domain_name}/static_headers/``.
        """
    def get(self, domain_name: str, id: int | str) -> StaticHeader:
        """Returns a static header.

        Endpoint: ``GET webapps/{domain_name}/static_headers/{id}/``.
        """
    def replace(self, domain_name: str, id: int | str, url: str, name: str, value: str) -> StaticHeader:
        """Sets the URL, name and value of a header; a reload applies them.

        Endpoint: ``PUT webapps/{domain_name}/static_headers/{id}/``.
        """
    def update(self, domain_name: str, id: int | str, **fields: Any) -> StaticHeader:
        """Sets the URL, name or value of a header (url, name, value); a reload applies it.

        Endpoint: ``PATCH webapps/{domain_name}/static_headers/{id}/``.
        """
    def delete(self, domain_name: str, id: int | str) -> None:
        """Removes a header; a reload applies it.

        Endpoint: ``DELETE webapps/{domain_name}/static_headers/{id}/``.
        """

@final
class Websites(_Family):
    """The `websites` endpoints. Methods raise the service\'s errors: see `Client`."""

    def list(self) -> builtins.list[Website]:
        """Lists the websites, each of which is served by a command.

        Endpoint: ``GET v1 websites/``.
        """
    def create(self, domain_name: str, command: str, enabled: bool = True) -> Website:
        """Creates a website that a command serves on a socket.

        Endpoint: ``POST v1 websites/``.
        """
    def get(self, domain_name: str) -> Website:
        """Returns a website.

        Endpoint: ``GET v1 websites/{domain_name}/``.
        """
    def update(self, domain_name: str, **fields: Any) -> Website:
        """Sets some fields of a website: enabled, or webapp with a command.

        Endpoint: ``PATCH v1 websites/{domain_name}/``.
        """
    def delete(self, domain_name: str) -> None:
        """Deletes a website.

        Endpoint: ``DELETE v1 websites/{domain_name}/``.
        """
    def reload(self, domain_name: str) -> None:
        """Restarts a website's command.

        Endpoint: ``POST v1 websites/{domain_name}/reload/``.
        """

@disjoint_base
class _ClientBase:
    """What `Client` and `AsyncClient` share."""

    @classmethod
    def from_env(cls, **kwargs: Any) -> Self:
        """Creates a client from ``API_TOKEN``, ``PYTHONANYWHERE_USERNAME`` and ``PYTHONANYWHERE_SITE``, read now.

        Args:
            kwargs: the keyword arguments of the class.

        Raises:
            ConfigError: a variable that is needed is missing.
        """
    @property
    def username(self) -> str:
        """The account's user name."""
    @property
    def host(self) -> str:
        """The service's address, like ``https://www.pythonanywhere.com``."""

class Client(_ClientBase):
    """An account on PythonAnywhere, the whole REST API. Errors are raised.

    One attribute for each family of endpoints, one method for each endpoint. Answers are the service's JSON as plain
    dicts and lists, unknown fields included. Connections and rate budget belong to the process: clients are cheap, and
    several accounts may be used at once, from several threads. As a context manager it leaves to later processes what
    this one asked of the service within the last minute.

    Source: https://help.pythonanywhere.com/pages/API/.

    Raises:
        ConfigError: an argument that cannot be sent, before any request.
        ApiError: an error status, as the subclass for it; attributes hold the service's own words.
        TransportError, RequestTimeoutError: no answer came after the retries.
        DecodeError: an answer that is not what the endpoint promises.
    """

    def __new__(
        cls,
        username: str,
        token: str,
        host: str = "www.pythonanywhere.com",
        *,
        timeout: float | None = None,
        rate_limit: int | Literal["off"] | None = None,
        retries: int | None = None,
        max_wait: float | None = None,
    ) -> Self:
        """Takes an account. Nothing is sent yet.

        Args:
            username: the account's user name.
            token: the API token that the Account page shows. It appears in no repr, error or log.
            host: host of the service, or its URL (``http://127.0.0.1:8000`` for the emulator).
            timeout: seconds without a byte after which an attempt is given up; by default 60.
            rate_limit: requests a minute for every endpoint, or ``"off"``; by default what the service documents.
            retries: how often a request that is safe to repeat is repeated; by default 4.
            max_wait: seconds to wait for the rate limit before `RateLimitedError` is raised; by default as long as
                it takes.

        Raises:
            ConfigError: user, token or host cannot be one.
            ValueError: a number is out of range.
        """

    @property
    def always_on(self) -> AlwaysOn: ...
    @property
    def consoles(self) -> Consoles: ...
    @property
    def cpu(self) -> Cpu: ...
    @property
    def databases(self) -> Databases: ...
    @property
    def domains(self) -> Domains: ...
    @property
    def files(self) -> Files: ...
    @property
    def python_versions(self) -> PythonVersions: ...
    @property
    def schedule(self) -> Schedule: ...
    @property
    def students(self) -> Students: ...
    @property
    def system_image(self) -> SystemImage: ...
    @property
    def webapps(self) -> Webapps: ...
    @property
    def websites(self) -> Websites: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        _kind: type[BaseException] | None = None,
        _value: BaseException | None = None,
        _traceback: TracebackType | None = None,
        /,
    ) -> None: ...

@final
class AsyncAlwaysOn(_Family):
    """`always_on` of an `AsyncClient`: as `AlwaysOn`, awaited."""

    async def list(self) -> builtins.list[AlwaysOnTask]: ...
    async def create(self, command: str, description: str = "", enabled: bool = True) -> AlwaysOnTask: ...
    async def get(self, id: int | str) -> AlwaysOnTask: ...
    async def replace(self, id: int | str, **fields: Any) -> AlwaysOnTask: ...
    async def update(self, id: int | str, **fields: Any) -> AlwaysOnTask: ...
    async def delete(self, id: int | str) -> None: ...
    async def restart(self, id: int | str) -> AlwaysOnTask: ...

@final
class AsyncConsoles(_Family):
    """`consoles` of an `AsyncClient`: as `Consoles`, awaited."""

    async def list(self) -> builtins.list[Console]: ...
    async def create(
        self, executable: str = "bash", arguments: str = "", working_directory: str | None = None
    ) -> Console: ...
    async def shared_with_you(self) -> builtins.list[Console]: ...
    async def get(self, id: int | str) -> Console: ...
    async def delete(self, id: int | str) -> None: ...
    async def latest_output(self, id: int | str) -> str: ...
    async def send_input(self, id: int | str, input: str) -> None: ...
    async def run(self, id: int | str, command: str, timeout: float = 60) -> ConsoleOutput: ...

@final
class AsyncCpu(_Family):
    """`cpu` of an `AsyncClient`: as `Cpu`, awaited."""

    async def get(self) -> CpuUsage: ...

@final
class AsyncDatabases(_Family):
    """`databases` of an `AsyncClient`: as `Databases`, awaited."""

    async def mysql(self) -> builtins.list[dict[str, Any]] | dict[str, Any]: ...

@final
class AsyncDomains(_Family):
    """`domains` of an `AsyncClient`: as `Domains`, awaited."""

    @property
    def ssl(self) -> AsyncDomainsSsl: ...

@final
class AsyncDomainsSsl(_Family):
    """`domains.ssl` of an `AsyncClient`: as `DomainsSsl`, awaited."""

    async def get(self, domain_name: str) -> Certificate: ...
    async def set_lets_encrypt(self, domain_name: str) -> Certificate: ...

@final
class AsyncFiles(_Family):
    """`files` of an `AsyncClient`: as `Files`, awaited."""

    async def read(self, path: str) -> bytes: ...
    async def list(self, path: str) -> dict[str, ListedEntry]: ...
    async def upload(self, path: str, content: Buffer | os.PathLike[str] | os.PathLike[bytes] | _Readable) -> bool: ...
    async def download(self, path: str, to: str | os.PathLike[str] | os.PathLike[bytes] | _Writable) -> int: ...
    async def delete(self, path: str) -> None: ...
    async def share(self, path: str) -> str: ...
    async def sharing_url(self, path: str) -> str | None: ...
    async def unshare(self, path: str) -> None: ...
    async def tree(self, path: str) -> builtins.list[str]: ...

@final
class AsyncPythonVersions(_Family):
    """`python_versions` of an `AsyncClient`: as `PythonVersions`, awaited."""

    async def default_python3_version(self) -> PythonVersionInfo: ...
    async def set_default_python3_version(self, version: str) -> PythonVersionInfo: ...
    async def default_python_version(self) -> PythonVersionInfo: ...
    async def set_default_python_version(self, version: str) -> PythonVersionInfo: ...
    async def default_save_and_run_python_version(self) -> PythonVersionInfo: ...
    async def set_default_save_and_run_python_version(self, version: str) -> PythonVersionInfo: ...

@final
class AsyncSchedule(_Family):
    """`schedule` of an `AsyncClient`: as `Schedule`, awaited."""

    async def list(self) -> builtins.list[ScheduledTask]: ...
    async def create(
        self,
        command: str,
        minute: int,
        hour: int | None = None,
        interval: str = "daily",
        enabled: bool = True,
        description: str = "",
    ) -> ScheduledTask: ...
    async def get(self, id: int | str) -> ScheduledTask: ...
    async def replace(self, id: int | str, **fields: Any) -> ScheduledTask: ...
    async def update(self, id: int | str, **fields: Any) -> ScheduledTask: ...
    async def delete(self, id: int | str) -> None: ...

@final
class AsyncStudents(_Family):
    """`students` of an `AsyncClient`: as `Students`, awaited."""

    async def list(self) -> builtins.list[Student]: ...
    async def delete(self, student: str) -> None: ...

@final
class AsyncSystemImage(_Family):
    """`system_image` of an `AsyncClient`: as `SystemImage`, awaited."""

    async def get(self) -> SystemImageInfo: ...
    async def set(self, image: str) -> SystemImageInfo: ...

@final
class AsyncWebapps(_Family):
    """`webapps` of an `AsyncClient`: as `Webapps`, awaited."""

    @property
    def ssl(self) -> AsyncWebappsSsl: ...
    @property
    def static_files(self) -> AsyncWebappsStaticFiles: ...
    @property
    def static_headers(self) -> AsyncWebappsStaticHeaders: ...
    async def list(self) -> builtins.list[Webapp]: ...
    async def create(self, domain_name: str, python_version: str) -> dict[str, Any]: ...
    async def get(self, domain_name: str) -> Webapp: ...
    async def replace(self, domain_name: str, **fields: Any) -> Webapp: ...
    async def update(self, domain_name: str, **fields: Any) -> Webapp: ...
    async def delete(self, domain_name: str) -> None: ...
    async def disable(self, domain_name: str) -> None: ...
    async def enable(self, domain_name: str) -> None: ...
    async def reload(self, domain_name: str) -> dict[str, Any]: ...

@final
class AsyncWebappsSsl(_Family):
    """`webapps.ssl` of an `AsyncClient`: as `WebappsSsl`, awaited."""

    async def get(self, domain_name: str) -> Certificate: ...
    async def set(self, domain_name: str, cert: str, private_key: str) -> None: ...
    async def set_lets_encrypt(self, domain_name: str) -> None: ...
    async def delete(self, domain_name: str) -> None: ...

@final
class AsyncWebappsStaticFiles(_Family):
    """`webapps.static_files` of an `AsyncClient`: as `WebappsStaticFiles`, awaited."""

    async def list(self, domain_name: str) -> builtins.list[StaticFile]: ...
    async def create(self, domain_name: str, url: str, path: str) -> StaticFile: ...
    async def get(self, domain_name: str, id: int | str) -> StaticFile: ...
    async def replace(self, domain_name: str, id: int | str, url: str, path: str) -> StaticFile: ...
    async def update(self, domain_name: str, id: int | str, **fields: Any) -> StaticFile: ...
    async def delete(self, domain_name: str, id: int | str) -> None: ...

@final
class AsyncWebappsStaticHeaders(_Family):
    """`webapps.static_headers` of an `AsyncClient`: as `WebappsStaticHeaders`, awaited."""

    async def list(self, domain_name: str) -> builtins.list[StaticHeader]: ...
    async def create(self, domain_name: str, url: str, name: str, value: str) -> StaticHeader: ...
    async def get(self, domain_name: str, id: int | str) -> StaticHeader: ...
    async def replace(self, domain_name: str, id: int | str, url: str, name: str, value: str) -> StaticHeader: ...
    async def update(self, domain_name: str, id: int | str, **fields: Any) -> StaticHeader: ...
    async def delete(self, domain_name: str, id: int | str) -> None: ...

@final
class AsyncWebsites(_Family):
    """`websites` of an `AsyncClient`: as `Websites`, awaited."""

    async def list(self) -> builtins.list[Website]: ...
    async def create(self, domain_name: str, command: str, enabled: bool = True) -> Website: ...
    async def get(self, domain_name: str) -> Website: ...
    async def update(self, domain_name: str, **fields: Any) -> Website: ...
    async def delete(self, domain_name: str) -> None: ...
    async def reload(self, domain_name: str) -> None: ...

class AsyncClient(_ClientBase):
    """An account on PythonAnywhere, the whole REST API: as `Client`, with awaited calls.

    Works over several ``asyncio.run()`` and under uvloop. Cancelling a call drops its request.
    """

    def __new__(
        cls,
        username: str,
        token: str,
        host: str = "www.pythonanywhere.com",
        *,
        timeout: float | None = None,
        rate_limit: int | Literal["off"] | None = None,
        retries: int | None = None,
        max_wait: float | None = None,
    ) -> Self:
        """As for `Client`."""

    @property
    def always_on(self) -> AsyncAlwaysOn: ...
    @property
    def consoles(self) -> AsyncConsoles: ...
    @property
    def cpu(self) -> AsyncCpu: ...
    @property
    def databases(self) -> AsyncDatabases: ...
    @property
    def domains(self) -> AsyncDomains: ...
    @property
    def files(self) -> AsyncFiles: ...
    @property
    def python_versions(self) -> AsyncPythonVersions: ...
    @property
    def schedule(self) -> AsyncSchedule: ...
    @property
    def students(self) -> AsyncStudents: ...
    @property
    def system_image(self) -> AsyncSystemImage: ...
    @property
    def webapps(self) -> AsyncWebapps: ...
    @property
    def websites(self) -> AsyncWebsites: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        _kind: type[BaseException] | None = None,
        _value: BaseException | None = None,
        _traceback: TracebackType | None = None,
        /,
    ) -> None: ...

@disjoint_base
class _PythonanywhereBase:
    """What `PythonanywhereApi` and `AsyncPythonanywhereApi` share."""

    base_url: str
    """``https://<web_domain>/api/v0/user/<web_user>/``. A changed one obeys the same rules: https, or loopback."""
    consoles_url_part: str
    """``consoles/``."""
    protocol_headers: dict[str, str]
    """Headers of every request, ``{"Authorization": "Token …"}``: the one place that shows the token. A pickled
    instance holds them, for worker processes: keep it as secret as the token."""
    web_user: str
    """The account's user name."""
    pkg_files_url_part: str
    """``files/path/home/<web_user>/<project_name>/``, set anew when `project_name` is assigned."""
    skip_enter_folder: Callable[[str], bool]
    """Asked by `files_iterator` with ``"<folder>/."`` before a folder is entered; true leaves it out."""

    def __init__(
        self, web_domain: str, web_user: str, web_token: str, project_name: str, *, remote_root: str | None = None
    ) -> None:
        """Sets up an instance; values are checked when they are used.

        Args:
            web_domain: host of the service, like ``"www.pythonanywhere.com"`` or ``"eu.pythonanywhere.com"``; may
                carry a scheme, as in ``"http://127.0.0.1:8000"`` for the emulator.
            web_user: the account's user name.
            web_token: the API token that the Account page shows.
            project_name: name of the project's folder and package.
            remote_root: absolute path of the project in the account; by default ``/home/<web_user>/<project_name>``.

        Raises:
            TypeError: an argument is not a ``str``.
        """
    @classmethod
    def from_env(cls, project_name: str, **kwargs: Any) -> Self:
        """Creates an instance from ``API_TOKEN``, ``PYTHONANYWHERE_USERNAME`` and ``PYTHONANYWHERE_SITE``, read now.

        On the service itself, which sets ``PYTHONANYWHERE_DOMAIN``, ``USER`` is the user.

        Raises:
            ConfigError: token or user name is missing.
        """
    @property
    def error_message(self) -> str:
        """The errors so far, or ``""``.

        Settled when an operation ends: success clears, a failure is appended after an empty line. Assigning a text
        appends it, assigning ``""`` clears. In threads and tasks rely on returned values instead. A subclass which
        replaces `_request`, `_folder_items` or `files_iterator` needs an instance for each thread or task.
        """
    @error_message.setter
    def error_message(self, text: str) -> None: ...
    @property
    def project_name(self) -> str:
        """The project's name; assigning sets `pkg_files_url_part` too."""
    @project_name.setter
    def project_name(self, name: str) -> None: ...

class PythonanywhereApi(_PythonanywhereBase):
    """A project on PythonAnywhere. No method raises for a network or HTTP error: see `error_message`.

    Attributes are read at each call. Replaced members (`_request`, `_folder_items`, `files_iterator`, by a subclass,
    a patched class or instance) are called by the methods built on them. Paths are relative to the project's root,
    with ``/`` between, and sent as they are, whatever characters they hold.

    Source: https://help.pythonanywhere.com/pages/API/ (``files`` and ``consoles``).
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def _folder_items(self, path: str) -> list[dict[str, str]] | None:
        """Lists a folder of the project, one level deep.

        Returns:
            Dicts with ``file_path`` (relative to the project) and ``type``, sorted by name. The type is what the
            service says; any but ``"directory"`` counts as a file. ``None`` if there is no such folder (`error_message`
            is cleared) or on error (it is set).

        Source: ``GET files/path{path}``.
        """
    def _from_json(self, response: Any) -> Any:
        """Returns what the response's own ``json()`` returns.

        If that fails, it returns ``None``, and `error_message` quotes the first 200 characters of ``content``, bytes or
        text.
        """
    def _prepare_collector(self, skip: Callable[[str], bool]) -> ItemCollector:
        """Sets `skip_enter_folder` and returns an item collector for a collector of files.

        Returns:
            A callable that takes a mask and returns pairs of file extension (``""`` without one) and path.
        """
    def _request(
        self,
        url_path: str,
        task: str,
        method: str | Callable[..., Any] | None = None,
        success_codes: Iterable[int] = (200, 201),
        **request_kwargs: Any,
    ) -> Any:
        """Sends a request to `base_url` + `url_path`, after waiting for the rate limit.

        A GET that the service redirects within its own host (to the same path with a slash at its end) is followed;
        no other redirect is.

        Args:
            url_path: the path, already quoted.
            task: the purpose of the request, with which the error message begins.
            method: an HTTP verb (by default ``GET``), one of requests' own functions (``requests.post``), which is
                sent here like the verb, or any other callable. That is called as
                ``method(url, headers=…, **request_kwargs)``, and what it returns is the answer. An ``OSError`` that it
                raises, like all errors of requests, becomes `error_message`; any other exception reaches the caller.
            success_codes: status codes that are not errors; by default 200 and 201. They alone decide.
            request_kwargs: ``params``, ``data``, ``json``, ``files``, ``headers``, ``timeout`` (seconds). Any other
                (``stream``, ``verify``, ``auth``, …) is for requests, which then sends the request; it has to be
                installed.

        Returns:
            A `Response`, or what the callable (or requests) returned; a `Response` with ``status_code`` 0 if no answer
            came.

        Raises:
            TypeError: a keyword that needs requests where it is not installed, or an argument of a wrong type.
            ValueError: `method` is a text that is not an HTTP verb.
        """
    def available_consoles(self) -> list[dict[str, Any]] | None:
        """Lists the account's consoles.

        Returns:
            The service's dicts, or ``None`` on error.

        Source: ``GET consoles/``.
        """
    def console_execute(self, con_id: int | str, command: str) -> str:
        """Types a command into a console and returns its latest output (about 500 characters, with terminal escapes).

        Returns:
            The output, ``""`` on error: for one, if the console's page was never opened in a browser.

        Source: ``POST consoles/{id}/send_input/``, ``GET consoles/{id}/get_latest_output/``.
        """
    def deployed_code_files(
        self, path_masks: Iterable[str], skip_file_path: Callable[[str], bool] | None = None
    ) -> set[str] | None:
        """Finds the files that match any of several masks, in one search; see `find_project_files`.

        Raises:
            TypeError: `path_masks` is a text rather than a sequence of texts.
        """
    def deployed_file_content(self, file_path: str) -> bytes | None:
        """Reads a file of the project.

        Returns:
            Its content, or ``None`` on error, also if it isn't there.

        Source: ``GET files/path{path}``.
        """
    def deployed_version(self) -> str:
        """Reads ``__version__ = "…"`` from ``<project>/__init__.py`` below the project's root.

        Returns:
            The version; ``""`` if there is none (no error), or on error.
        """
    def deploy_file(self, file_path: str, file_content: bytes | bytearray | memoryview) -> str:
        """Writes a file of the project, making its folders and replacing what is there. It is retried.

        Returns:
            ``""``, or what went wrong.

        Source: ``POST files/path{path}``.
        """
    def delete_file_or_folder(self, file_path: str) -> str:
        """Deletes a file of the project, or a folder with all below it.

        Returns:
            ``""``, or what went wrong, also if there is nothing.

        Source: ``DELETE files/path{path}``.
        """
    def files_iterator(self, path_mask: str, level_index: int = 0) -> FilesIterator:
        """Finds files lazily, in no particular order.

        Args:
            path_mask: see `find_project_files`.
            level_index: how many of its first segments are names rather than patterns.

        Returns:
            An iterator of `FileItem`: paths that also answer ``["file_path"]`` and ``["type"]``. It goes
            on after a folder that fails and ends with `error_message` set.
        """
    def find_project_files(
        self,
        path_mask: str = "",
        skip_file_path: Callable[[str], bool] | None = None,
        collector: Any = None,
    ) -> set[str] | None:
        """Finds the project's files that match a mask.

        Args:
            path_mask: relative to the project's root; ``*``, ``?`` and ``[…]`` as in ``fnmatch.fnmatchcase`` within a
                segment, ``**`` for any number of folders. ``""`` and ``"."`` are the files of the root.
            skip_file_path: asked once for each file found, and once for each folder as ``"<folder>/."``; true leaves it
                and all below it out, and saves the requests for it. What it raises reaches the caller.
            collector: an object with ``collect(mask)`` and ``files`` that does the search instead.

        Returns:
            Paths relative to the project; ``None`` if any folder could not be read. A project not there is empty.
        """
    def deploy_diff(
        self,
        local_root: str | os.PathLike[str],
        path_masks: Iterable[str] | None = None,
        skip_file_path: Callable[[str], bool] | None = None,
        compare: Literal["manifest", "names", "content"] | None = None,
        *,
        protected: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
        strict: bool = False,
        max_file_size: int | None = None,
        no_git: bool = False,
        allow_lfs_pointers: bool = False,
        delete_untracked: bool = False,
        domain: str | None = None,
        site_url: str | None = None,
    ) -> DeployDiff | None:
        """Compares a local project with what is deployed. Sends no write.

        Args:
            local_root: the project's folder on this machine.
            path_masks: what the deploy is about; by default ``("**/*",)``.
            skip_file_path: as for `find_project_files`.
            compare: what the service's side is known from; by default the manifest of the last deploy, else names.
            protected: patterns in ``.gitignore`` syntax of files never to touch; by default databases, secrets such as
                ``.env`` and ``production.env``, and folders for uploads. A list of nothing but ``!pattern`` keeps the
                default. What ``!pattern`` matches is deployed in spite of ignore rules, too.
            include: masks of files to deploy even if they are protected or ignored; each must match something.
            strict: whether links to folders, sockets and the like are an error.
            max_file_size: in bytes, by default 100 MiB.
            no_git: use only the ``.gitignore`` files, without running git.
            allow_lfs_pointers: deploy Git LFS pointers as they are if their content has not been fetched.
            delete_untracked: count files as `removed <DeployDiff.removed>`, too, that git did not track and that
                another machine sent, for a CI that builds them.
            domain: the web app whose agent tells the state on the host, where it is known from an earlier call and
                answers: in one request to the site, and none to the API.
            site_url: where its site is, if not at the domain.

        Returns:
            The differences; ``None`` with `error_message` set on network and HTTP errors.

        Raises:
            ConfigError: a local mistake, before any request: no such folder, an empty selection, git that refuses, ….
            OSError: a local file cannot be read.
        """
    def deploy(
        self,
        diff: DeployDiff,
        *,
        delete: bool = False,
        delete_unmanaged: bool = False,
        max_delete: int | None = None,
        include: Iterable[str] | None = None,
        dry_run: bool = False,
        reload: Iterable[str] | None = None,
        executor: _Executor = "auto",
        force: bool = False,
        progress: Callable[[ProgressEvent], object] | None = None,
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
        migrate: bool = False,
        collectstatic: bool = False,
        requirements: str | None = None,
        manage: str | None = None,
        settings: str | None = None,
        env: Mapping[str, str] | None = None,
        health_url: str | None = None,
        rollback_on_failure: bool = False,
    ) -> DeployReport:
        """Uploads what is added or changed, and more if asked to. Killed at any moment, the next deploy repairs it.

        Args:
            diff: from `deploy_diff` of the same project.
            delete: delete files that earlier deploys put there and that are gone locally.
            delete_unmanaged: also delete files that no deploy put there.
            max_delete: refuse to delete more files; by default the larger of 10 and 20 % of the manifest.
            include: masks of protected files to touch all the same.
            dry_run: plan only; sends no write.
            reload: domains of web apps, or of websites that a command serves, to reload if anything changed. Without
                any, a reload that an earlier deploy owes is a warning.
            executor: what puts the files in place: a bundle unpacked by the agent in the web app (``"webapp"``), a task
                (``"always_on"``, ``"schedule"``), a ``"console"``, or one request per file (``"none"``). ``"auto"``
                takes the cheapest that works, and installs nothing.
            force: continue although another deploy seems to be running.
            progress: called with each event on the caller's thread.
            console: number of the console for ``executor="console"``.
            domain: the web app whose agent does it, and whose virtualenv and settings commands use; without it, the
                only domain of `reload`.
            site_url: where its site is, if not at the domain.
            allow_tasks: whether ``"auto"`` may make a task; it is deleted afterwards.
            migrate: run ``manage.py migrate`` on the host before the reload.
            collectstatic: run ``manage.py collectstatic`` there before that.
            requirements: install this requirements file of the project before that.
            manage: where ``manage.py`` is in the project, if not at its root.
            settings: the Django settings module for ``manage.py``; by default that of the web app.
            env: environment variables for these commands, as for `manage`.
            health_url: a path of the site that must not answer with a server error after the reload.
            rollback_on_failure: put the old files back if a command, the reload or that health check fails. Databases
                stay as they are. The files go as a bundle then, whatever their number: nothing else is kept.

        Returns:
            What was done. Failures of single files are in it and in `error_message`.

        Raises:
            ConfigError: options that the diff doesn't allow, before any request.
            KeyboardInterrupt: Ctrl-C; its ``report`` is the report so far. A command that runs is ended on the host,
                and the next deploy says that it is owed.
        """
    def make_virtualenv(
        self,
        name: str,
        python: str,
        *,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Virtualenv | None:
        """Makes a virtualenv in ``~/.virtualenvs`` on the host, unless there is one of this name.

        One that is there is used and never made anew; only what an interrupted call left half-made is removed.

        Args:
            name: letters, digits, dots, hyphens and underscores.
            python: its version, such as ``"3.13"``.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            Where it is and whether it was made now; ``None`` with `error_message` set on network and HTTP errors.

        Raises:
            ConfigError: nothing can do it; the host has no such Python; what is there has another one, or is no
                virtualenv.
        """
    def install_requirements(
        self,
        requirements: str,
        virtualenv: str,
        *,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> InstalledRequirements | None:
        """Installs a requirements file of the project in a virtualenv, unless what it says was installed there last.

        Each requirement is made into wheels by itself, in steps that end before the limit of a request to the site;
        then all are installed at once. Interrupted, the next call goes on from there. A file that says more than names
        and versions is installed by one call of pip.

        Args:
            requirements: path in the project.
            virtualenv: path of the virtualenv in the account.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            What was done; ``None`` with `error_message` set on network and HTTP errors, and where pip fails.

        Raises:
            ConfigError: nothing can do it, there is no such file, or the virtualenv has no Python that works.
        """
    def inspect_settings(
        self,
        *,
        manage: str | None = None,
        settings: str | None = None,
        virtualenv: str | None = None,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> InspectedSettings | None:
        """Imports the Django settings on the host and returns those that decide how the project is served.

        They are a fixed list without secrets; what the settings print is thrown away.

        Args:
            manage: path of ``manage.py`` in the project, if not at its root.
            settings: the settings module, if not that of the web app.
            virtualenv: path of the virtualenv in the account, if not that of the web app.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            The settings; ``None`` with `error_message` set on network and HTTP errors, and where they cannot be
            imported.

        Raises:
            ConfigError: nothing can do it, or it would not see what the web app sees.
        """
    @property
    def agent(self) -> AgentOfWebApp[AgentChange | None, AgentStatus | None, dict[str, str] | None, list[str] | None]:
        """The agent in a web app, which unpacks bundles and runs commands there."""
    def manage(
        self,
        *args: str,
        manage: str | None = None,
        settings: str | None = None,
        env: Mapping[str, str] | None = None,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> CommandResult | None:
        """Runs ``manage.py`` on the host, with the web app's Python, settings, variables and working folder.

        Args:
            args: the words of the command, as in ``manage("migrate", "--noinput")``.
            manage: where ``manage.py`` is in the project, if not at its root.
            settings: the Django settings module; by default that of the web app.
            env: environment variables for this command. They reach the host by the API only, in a file that is deleted
                as soon as it was read, and are in no receipt and no history.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            Exit status and output; ``None`` with `error_message` set on network and HTTP errors, and where
            the host could not do it.

        Raises:
            ConfigError: nothing can run commands on the host, the project has no such file, or the command would never
                end there or asks somebody (``runserver``, ``shell``, ``createsuperuser`` without ``--noinput``).
            KeyboardInterrupt: Ctrl-C, after which the command is ended on the host. Cancelling the awaited call of
                `AsyncPythonanywhereApi` does the same.
        """
    def run(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> CommandResult | None:
        """Runs a command in the project's folder on the host, by a task or in a console. The agent does not run it.

        Args:
            command: a text for the shell, or a sequence of words.
            env: environment variables for this command, as for `manage`.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            As for `manage`.

        Raises:
            ConfigError: nothing can run commands on the host, or the command would never end there.
            KeyboardInterrupt: as for `manage`.
        """
    def verify(
        self,
        local_root: str | os.PathLike[str] | None = None,
        *,
        path_masks: Iterable[str] | None = None,
        protected: Iterable[str] | None = None,
        no_git: bool = False,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Drift | None:
        """Hashes all files of the project on the host, without a transfer, and compares.

        Args:
            local_root: the project on this machine, to compare with that as well.
            path_masks, protected, no_git: as for `deploy_diff`; with `local_root` only.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            How the host differs from the manifest and from `local_root`; ``None`` with `error_message` set on network
            and HTTP errors.

        Raises:
            ConfigError: nothing can do it, or a local mistake.
        """
    def history(self, *, domain: str | None = None, site_url: str | None = None) -> list[HistoryEntry] | None:
        """Lists what was done to this project, oldest first: deploys, rollbacks, and the other jobs on the host.

        Sends three requests, and one more for each deploy that is running or was interrupted; none to the API where the
        agent in a web app tells it.

        Args:
            domain: The web app whose agent is asked first, if it is known on this machine.
            site_url: The address of its site, if that is not its domain.

        Returns:
            At most 50 deploys and 50 jobs; ``None`` with `error_message` set on network and HTTP errors.
        """
    def doctor(
        self,
        *,
        domain: str | None = None,
        site_url: str | None = None,
        manage: str | None = None,
        settings: str | None = None,
    ) -> Diagnosis | None:
        """Finds out what is wrong with the account, the site and this project, and which command mends it.

        Looks at the token, the clock, the web app, its WSGI file, virtualenv and agent, the Django settings on the
        host, static file mappings, the disk (by a file that it writes and deletes) and the error log. What the service
        answers is a finding, also where that is an error.

        Args:
            domain: the web app; by default the account's only one.
            site_url: its URL, if it is not at its domain.
            manage: where ``manage.py`` is in the project, if not at its root.
            settings: the settings module, if not the WSGI file's.

        Returns:
            A finding for each thing that was looked at.

        Raises:
            ConfigError: a local mistake.
        """
    def status(
        self,
        local_root: str | os.PathLike[str] | None = None,
        *,
        path_masks: Iterable[str] | None = None,
        protected: Iterable[str] | None = None,
        no_git: bool = False,
        domain: str | None = None,
        site_url: str | None = None,
    ) -> StatusReport | None:
        """Shows how the account, its site and this project stand. Changes nothing.

        Sends at most six requests, and one more for each deploy that is running or was interrupted.

        Args:
            local_root: the project on this machine, to say whether it differs from what was deployed.
            path_masks, protected, no_git: as for `deploy_diff`; with `local_root` only.
            domain: the site; by default all web apps of the account.
            site_url: its URL, if it is not at its domain.

        Returns:
            CPU seconds, sites with the days that are left of them, the agent of the first site, the last deploy, and
            how many local files differ; ``None`` with `error_message` set on network and HTTP errors.

        Raises:
            ConfigError: a local mistake.
        """
    def rollback(
        self,
        deploy_id: str | None = None,
        *,
        reload: Iterable[str] | None = None,
        yes: bool = False,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> RollbackReport | None:
        """Puts back what the last deploy replaced, removes what it added, and reloads. Databases stay as they are.

        Contents, mode bits and folders are as they were before it. A deploy that sent its files one by one cannot be
        undone: it kept nothing of what they replaced.

        Args:
            deploy_id: the deploy, as `history` lists it. It must be the latest, which is the default unless that is a
                rollback itself.
            reload: domains to reload.
            yes: undo the first deploy, too, which removes all its files.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            What was done; ``None`` with `error_message` set on network and HTTP errors, and where that deploy cannot be
            undone, the host could not do it or another deploy is in the way.

        Raises:
            ConfigError: nothing can do it, or it is the first deploy and `yes` is not given.
        """
    def pull(
        self,
        dest: str | os.PathLike[str],
        *,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        overwrite: bool = False,
        max_size: int = 2147483648,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> PullReport | None:
        """Brings files of the project on the host here, as one archive.

        Args:
            dest: a folder; made if it is not there.
            include, exclude: masks of paths relative to the project; everything by default. A ``/`` at the end means
                everything below: ``media/`` is ``media/**``.
            overwrite: whether local files that differ are replaced. Files that are executable on the host are so here.
            max_size: in bytes; if the files have more together, nothing is pulled.
            executor, console, domain, site_url, allow_tasks: what runs it; see `deploy`.

        Returns:
            What was written, and which masks of `include` matched nothing. ``None`` with `error_message` set on
            network and HTTP errors, and where the host could not do it.

        Raises:
            ConfigError: a mask begins with ``/`` or has a segment ``.`` or ``..``, before any request; there is more to
                pull than `max_size`, a name in the archive cannot exist here, or a local file would be replaced:
                nothing is written then.
        """

class AsyncPythonanywhereApi(_PythonanywhereBase):
    """`PythonanywhereApi` for asyncio: the same members, as coroutines; `files_iterator` is an asynchronous iterator.

    Callbacks are plain functions and run on the loop's thread with the caller's context variables. Cancelling drops
    the request. No event loop is kept between calls: several ``asyncio.run()`` and uvloop work. ``collector=`` is
    refused.
    """

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self: ...
    def _folder_items(self, path: str) -> Coroutine[list[dict[str, str]] | None]:
        """As `PythonanywhereApi._folder_items`, awaited."""
    def _from_json(self, response: Any) -> Coroutine[Any]:
        """As `PythonanywhereApi._from_json`, awaited."""
    def _prepare_collector(self, skip: Callable[[str], bool]) -> Coroutine[ItemCollector]:
        """Sets `skip_enter_folder` and returns an item collector; calling it needs synchronous iteration."""
    def _request(
        self,
        url_path: str,
        task: str,
        method: str | Callable[..., Any] | None = None,
        success_codes: Iterable[int] = (200, 201),
        **request_kwargs: Any,
    ) -> Coroutine[Any]:
        """As `PythonanywhereApi._request`, awaited.

        What `method` returns is awaited if it can be, so that a coroutine function (``httpx.AsyncClient().get``) works.
        A plain function is called on the event loop's thread and blocks it as long as it runs; to avoid that, pass
        ``functools.partial(asyncio.to_thread, function)``. Where a keyword needs requests, requests runs in a thread of
        its own.
        """
    def available_consoles(self) -> Coroutine[list[dict[str, Any]] | None]:
        """As `PythonanywhereApi.available_consoles`, awaited."""
    def console_execute(self, con_id: int | str, command: str) -> Coroutine[str]:
        """As `PythonanywhereApi.console_execute`, awaited."""
    def deployed_code_files(
        self, path_masks: Iterable[str], skip_file_path: Callable[[str], bool] | None = None
    ) -> Coroutine[set[str] | None]:
        """As `PythonanywhereApi.deployed_code_files`, awaited."""
    def deployed_file_content(self, file_path: str) -> Coroutine[bytes | None]:
        """As `PythonanywhereApi.deployed_file_content`, awaited."""
    def deployed_version(self) -> Coroutine[str]:
        """As `PythonanywhereApi.deployed_version`, awaited."""
    def deploy_file(self, file_path: str, file_content: bytes | bytearray | memoryview) -> Coroutine[str]:
        """As `PythonanywhereApi.deploy_file`, awaited."""
    def delete_file_or_folder(self, file_path: str) -> Coroutine[str]:
        """As `PythonanywhereApi.delete_file_or_folder`, awaited."""
    def files_iterator(self, path_mask: str, level_index: int = 0) -> AsyncFilesIterator:
        """Finds files lazily, in no particular order.

        Args:
            path_mask: see `find_project_files`.
            level_index: how many of its first segments are names rather than patterns.

        Returns:
            An asynchronous iterator of `FileItem`: paths that also answer ``["file_path"]`` and ``["type"]``. It goes
            on after a folder that fails and ends with `error_message` set.
        """
    def find_project_files(
        self,
        path_mask: str = "",
        skip_file_path: Callable[[str], bool] | None = None,
        collector: Any = None,
    ) -> Coroutine[set[str] | None]:
        """As `PythonanywhereApi.find_project_files`, awaited."""
    def deploy_diff(
        self,
        local_root: str | os.PathLike[str],
        path_masks: Iterable[str] | None = None,
        skip_file_path: Callable[[str], bool] | None = None,
        compare: Literal["manifest", "names", "content"] | None = None,
        *,
        protected: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
        strict: bool = False,
        max_file_size: int | None = None,
        no_git: bool = False,
        allow_lfs_pointers: bool = False,
        delete_untracked: bool = False,
        domain: str | None = None,
        site_url: str | None = None,
    ) -> Coroutine[DeployDiff | None]:
        """As `PythonanywhereApi.deploy_diff`, awaited."""
    def deploy(
        self,
        diff: DeployDiff,
        *,
        delete: bool = False,
        delete_unmanaged: bool = False,
        max_delete: int | None = None,
        include: Iterable[str] | None = None,
        dry_run: bool = False,
        reload: Iterable[str] | None = None,
        executor: _Executor = "auto",
        force: bool = False,
        progress: Callable[[ProgressEvent], object] | None = None,
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
        migrate: bool = False,
        collectstatic: bool = False,
        requirements: str | None = None,
        manage: str | None = None,
        settings: str | None = None,
        env: Mapping[str, str] | None = None,
        health_url: str | None = None,
        rollback_on_failure: bool = False,
    ) -> Coroutine[DeployReport]:
        """As `PythonanywhereApi.deploy`, awaited."""
    def make_virtualenv(
        self,
        name: str,
        python: str,
        *,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[Virtualenv | None]:
        """See `PythonanywhereApi.make_virtualenv`."""
    def install_requirements(
        self,
        requirements: str,
        virtualenv: str,
        *,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[InstalledRequirements | None]:
        """See `PythonanywhereApi.install_requirements`."""
    def inspect_settings(
        self,
        *,
        manage: str | None = None,
        settings: str | None = None,
        virtualenv: str | None = None,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[InspectedSettings | None]:
        """See `PythonanywhereApi.inspect_settings`."""
    @property
    def agent(
        self,
    ) -> AgentOfWebApp[
        Coroutine[AgentChange | None],
        Coroutine[AgentStatus | None],
        Coroutine[dict[str, str] | None],
        Coroutine[list[str] | None],
    ]:
        """See `PythonanywhereApi.agent`."""
    def manage(
        self,
        *args: str,
        manage: str | None = None,
        settings: str | None = None,
        env: Mapping[str, str] | None = None,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[CommandResult | None]:
        """See `PythonanywhereApi.manage`."""
    def run(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[CommandResult | None]:
        """See `PythonanywhereApi.run`."""
    def verify(
        self,
        local_root: str | os.PathLike[str] | None = None,
        *,
        path_masks: Iterable[str] | None = None,
        protected: Iterable[str] | None = None,
        no_git: bool = False,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[Drift | None]:
        """See `PythonanywhereApi.verify`."""
    def history(
        self, *, domain: str | None = None, site_url: str | None = None
    ) -> Coroutine[list[HistoryEntry] | None]:
        """See `PythonanywhereApi.history`."""
    def doctor(
        self,
        *,
        domain: str | None = None,
        site_url: str | None = None,
        manage: str | None = None,
        settings: str | None = None,
    ) -> Coroutine[Diagnosis | None]:
        """See `PythonanywhereApi.doctor`."""
    def status(
        self,
        local_root: str | os.PathLike[str] | None = None,
        *,
        path_masks: Iterable[str] | None = None,
        protected: Iterable[str] | None = None,
        no_git: bool = False,
        domain: str | None = None,
        site_url: str | None = None,
    ) -> Coroutine[StatusReport | None]:
        """See `PythonanywhereApi.status`."""
    def rollback(
        self,
        deploy_id: str | None = None,
        *,
        reload: Iterable[str] | None = None,
        yes: bool = False,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[RollbackReport | None]:
        """See `PythonanywhereApi.rollback`."""
    def pull(
        self,
        dest: str | os.PathLike[str],
        *,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        overwrite: bool = False,
        max_size: int = 2147483648,
        executor: _Executor = "auto",
        console: int | None = None,
        domain: str | None = None,
        site_url: str | None = None,
        allow_tasks: bool = False,
    ) -> Coroutine[PullReport | None]:
        """See `PythonanywhereApi.pull`."""

@final
class Coroutine(Generic[_T]):
    """What the methods of `AsyncPythonanywhereApi` return; await it once."""

    @property
    def __name__(self) -> str: ...
    @property
    def __qualname__(self) -> str: ...
    def __await__(self) -> Generator[Any, None, _T]: ...
    def __iter__(self) -> Generator[Any, None, _T]: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any) -> Any: ...
    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any: ...
    def close(self) -> None:
        """Cancels what was not awaited to its end."""

@final
class FilesIterator:
    """The files that `PythonanywhereApi.files_iterator` finds."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> FileItem: ...
    def close(self) -> None:
        """Ends the search and cancels listings that are under way."""

@final
class AsyncFilesIterator:
    """The files that `AsyncPythonanywhereApi.files_iterator` finds."""

    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[FileItem]: ...
    def aclose(self) -> Coroutine[None]:
        """Ends the search and cancels listings that are under way."""

@final
class Response:
    """A response like those of requests. True if its status is below 400."""

    @property
    def status_code(self) -> int:
        """The HTTP status; 0 if no answer came."""
    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
    @property
    def reason(self) -> str:
        """The status in words, or why no answer came."""
    @property
    def headers(self) -> Headers:
        """The headers; names are looked up case-insensitively."""
    @property
    def url(self) -> str:
        """The URL of the request."""
    @property
    def content(self) -> bytes:
        """The body, decompressed."""
    @property
    def text(self) -> str:
        """The body as text, in the encoding that the answer names, else UTF-8."""
    def json(self, **kwargs: Any) -> Any:
        """The body as JSON; arguments are those of ``json.loads``.

        Raises:
            ValueError: it is none.
        """
    def raise_for_status(self) -> None:
        """Does nothing if the status is below 400.

        Where requests is loaded, ``except requests.HTTPError`` catches what this raises, too.

        Raises:
            ApiError: the subclass for the status.
            TransportError: no answer came.
        """
    def __bool__(self) -> bool: ...

@final
class DeployDiff:
    """How a local project differs from what is deployed. ``str()`` is like ``git status --short``.

    Lists are sorted and hold paths relative to the project.
    """

    @property
    def added(self) -> list[str]:
        """Files to upload that are new on the host."""
    @property
    def changed(self) -> list[str]:
        """Files to upload that replace others."""
    @property
    def removed(self) -> list[str]:
        """Files that an earlier deploy put there and that are gone locally."""
    @property
    def renamed(self) -> dict[str, str]:
        """Those of ``removed`` whose content is in ``added`` under a new name: old name to new name."""
    @property
    def left(self) -> list[str]:
        """Files that git did not track when another machine sent them, and that are not here: they are not removed."""
    @property
    def unchanged(self) -> list[str]:
        """Files that are the same on both sides."""
    @property
    def unmanaged(self) -> list[str]:
        """Files on the host that no deploy put there."""
    @property
    def protected(self) -> list[str]:
        """Local files that are left alone."""
    @property
    def skipped(self) -> dict[str, str]:
        """What cannot be sent: path to reason."""
    @property
    def warnings(self) -> list[str]:
        """What to know about."""
    @property
    def compare(self) -> str:
        """How the files on the host are known: ``"manifest"``, ``"names"`` or ``"content"``."""
    @property
    def plan(self) -> dict[str, Any]:
        """The ordered ``actions`` of a deploy without options, its cost in ``requests``, ``seconds`` and ``bytes``."""
    def is_clean(self) -> bool:
        """Whether there is nothing to do."""
    def to_json(self) -> str:
        """Everything as JSON."""

@final
class DeployReport:
    """What a deploy did. True if all went well."""

    @property
    def ok(self) -> bool:
        """Whether everything that was planned is done."""
    @property
    def dry_run(self) -> bool:
        """Whether it was a dry run."""
    @property
    def id(self) -> str | None:
        """The ID of the deploy, as `history` lists it; ``None`` if nothing was to be done."""
    @property
    def commit(self) -> str | None:
        """The commit of the work tree; ``None`` where git was not asked or could not say."""
    @property
    def branch(self) -> str | None:
        """The branch of the work tree, if it was at one."""
    @property
    def dirty(self) -> bool | None:
        """Whether the work tree differed from that commit.

        A tracked file did, or a file was deployed that git neither tracks nor ignores.
        """
    @property
    def uploaded(self) -> list[str]:
        """Files uploaded, sorted."""
    @property
    def deleted(self) -> list[str]:
        """Files and emptied folders deleted, sorted."""
    @property
    def failed(self) -> dict[str, str]:
        """What could not be done: path or domain to reason."""
    @property
    def protected(self) -> list[str]:
        """Local files that were left alone."""
    @property
    def reloaded(self) -> list[str]:
        """Domains reloaded."""
    @property
    def warnings(self) -> list[str]:
        """What to know about."""
    @property
    def stopped(self) -> str | None:
        """Why the deploy as a whole stopped early, if it did."""
    @property
    def executor(self) -> str:
        """What put the files in place: ``"none"`` for one request each."""
    @property
    def why(self) -> str:
        """Why this executor."""
    @property
    def estimates(self) -> list[DeployEstimate]:
        """What each way of deploying costs."""
    @property
    def steps(self) -> list[DeployStep]:
        """The commands that ran on the host, with exit status and output."""
    @property
    def error_log(self) -> list[str]:
        """What the error log says, if the site fails after the reload: the exception first, then its frames."""
    @property
    def kept_for_rollback(self) -> bool:
        """Whether what was replaced can be put back with ``rollback()``."""
    @property
    def rollback_bytes(self) -> int:
        """How many bytes that takes; in a dry run, as far as the manifest knows what would be replaced."""
    @property
    def rolled_back(self) -> bool:
        """Whether the old files were put back after a failure."""
    @property
    def untouched(self) -> bool:
        """Whether a deploy that failed left everything as it was."""
    @property
    def requests(self) -> int:
        """Requests sent to the API, retries included."""
    @property
    def seconds(self) -> float:
        """How long it took."""
    @property
    def plan(self) -> dict[str, Any]:
        """What was planned, if each file were sent with its own request."""
    def to_json(self) -> str:
        """Everything as JSON."""
    def raise_for_failures(self) -> None:
        """Does nothing if nothing failed.

        Raises:
            PythonAnywhereError: with all failures.
        """
    def __bool__(self) -> bool: ...

@disjoint_base
class ProgressEvent:
    """An event during a deploy; one class for each kind. Sizes are in bytes."""

    @final
    class Planned(ProgressEvent):
        """The plan is made; nothing was sent yet. `requests` and `seconds` are those of the way that is taken."""

        __match_args__: Final = ("uploads", "deletes", "bytes", "requests", "seconds")
        def __new__(cls, uploads: int, deletes: int, bytes: int, requests: int, seconds: float) -> Self: ...
        @property
        def uploads(self) -> int: ...
        @property
        def deletes(self) -> int: ...
        @property
        def bytes(self) -> int: ...
        @property
        def requests(self) -> int: ...
        @property
        def seconds(self) -> float: ...

    @final
    class Started(ProgressEvent):
        """An upload starts, or waits for its turn at the rate limit."""

        __match_args__: Final = ("path", "size")
        def __new__(cls, path: str, size: int) -> Self: ...
        @property
        def path(self) -> str: ...
        @property
        def size(self) -> int: ...

    @final
    class Bytes(ProgressEvent):
        """Part of a file went out."""

        __match_args__: Final = ("path", "sent", "size")
        def __new__(cls, path: str, sent: int, size: int) -> Self: ...
        @property
        def path(self) -> str: ...
        @property
        def sent(self) -> int: ...
        @property
        def size(self) -> int: ...

    @final
    class Done(ProgressEvent):
        """A file was uploaded."""

        __match_args__: Final = ("path",)
        def __new__(cls, path: str) -> Self: ...
        @property
        def path(self) -> str: ...

    @final
    class Failed(ProgressEvent):
        """A file could not be uploaded or deleted."""

        __match_args__: Final = ("path", "reason")
        def __new__(cls, path: str, reason: str) -> Self: ...
        @property
        def path(self) -> str: ...
        @property
        def reason(self) -> str: ...

    @final
    class Deleted(ProgressEvent):
        """A file or emptied folder was deleted."""

        __match_args__: Final = ("path",)
        def __new__(cls, path: str) -> Self: ...
        @property
        def path(self) -> str: ...

    @final
    class Waiting(ProgressEvent):
        """The next request waits for the rate limit of this endpoint, at most so many seconds."""

        __match_args__: Final = ("endpoint", "seconds")
        def __new__(cls, endpoint: str, seconds: float) -> Self: ...
        @property
        def endpoint(self) -> str: ...
        @property
        def seconds(self) -> float: ...

    @final
    class Resumed(ProgressEvent):
        """That wait is over."""

        __match_args__: Final = ("endpoint",)
        def __new__(cls, endpoint: str) -> Self: ...
        @property
        def endpoint(self) -> str: ...

    @final
    class Working(ProgressEvent):
        """Something on the host puts the files in place."""

        __match_args__: Final = ("executor",)
        def __new__(cls, executor: str) -> Self: ...
        @property
        def executor(self) -> str: ...

    @final
    class Running(ProgressEvent):
        """A command runs on the host."""

        __match_args__: Final = ("step",)
        def __new__(cls, step: str) -> Self: ...
        @property
        def step(self) -> str: ...

    @final
    class Reloading(ProgressEvent):
        """A web app is being reloaded."""

        __match_args__: Final = ("domain",)
        def __new__(cls, domain: str) -> Self: ...
        @property
        def domain(self) -> str: ...

    @final
    class Reloaded(ProgressEvent):
        """It was."""

        __match_args__: Final = ("domain",)
        def __new__(cls, domain: str) -> Self: ...
        @property
        def domain(self) -> str: ...

@final
class Emulator:
    """The service on this machine: an account in a real directory, served on loopback while in a ``with`` statement.

    Args:
        root: the directory that stands for the account's ``/``; by default a temporary one, removed at the end.
        port: 0 picks a free one.
        user: the account's user name.
        token: the API token; by default a random one.
        rate_limit: requests per minute and endpoint; ``None`` turns it off here. Clients of this package keep to the
            real limit on their own: ``PYTHONANYWHERE_RATE_LIMIT=off`` in the environment turns that off.
        send_input_limit: the same for the consoles' ``send_input``.
        account: what the account may do.
        disk_quota: in bytes; by default what the kind of account has. Uploads beyond it are refused, and where it is
            given here every Python of the account is refused to open files for writing (``EDQUOT``) once it is used up.
        students: the user names of the account's students.
        mysql_databases: the names of its MySQL databases, which are listed but not served.
        latency: seconds added to each answer, of the service and of the sites.
        tls: serve https, and write the certificate authority to trust to ``ca.pem`` in this directory. Sites understand
            http as well, at the same port.
        python: the Python for consoles and web apps; by default this one.
        private_paths: let its processes see ``/home/<user>``, ``/var/www`` and ``/var/log`` where the system allows it.
        request_limit: the seconds that a web app has for one request, to the last byte of its answer. Then its process
            is killed, and the visitor gets 502.
        webapp_days: how many days a web app of a free account lives. No call of the API extends it.
        package_index: a folder of wheels, served as a package index from which pip in the account installs.
        page: serve the page to look at, whose address is the property `page`.
        uwsgi: the uWSGI that serves web apps, as on the service; by default a small server of the emulator's own. It
            has to be built for the version of `python`.
        undocumented: switches for undocumented behaviour of the service (``retry_after=False``, …).
    """

    def __new__(
        cls,
        *,
        root: str | os.PathLike[str] | None = None,
        port: int = 0,
        user: str = "demo",
        token: str | None = None,
        rate_limit: int | None = 40,
        send_input_limit: int | None = 120,
        account: Literal["free", "paid"] = "free",
        disk_quota: int | None = None,
        students: Sequence[str] = (),
        mysql_databases: Sequence[str] = (),
        latency: float = 0.0,
        tls: str | os.PathLike[str] | None = None,
        python: str | os.PathLike[str] | None = None,
        private_paths: bool = True,
        request_limit: float = 300.0,
        webapp_days: int = 31,
        package_index: str | os.PathLike[str] | None = None,
        page: bool = True,
        uwsgi: str | os.PathLike[str] | None = None,
        **undocumented: Any,
    ) -> Self: ...
    def start(self) -> Self:
        """Starts it; when this returns it answers. An emulator can be started only once."""
    def stop(self) -> None:
        """Closes every connection and ends every process."""
    def __enter__(self) -> Self: ...
    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _traceback: TracebackType | None, /
    ) -> None: ...
    @property
    def url(self) -> str:
        """The API's address, like ``http://127.0.0.1:8000``: the `web_domain` of the classes."""
    @property
    def user(self) -> str:
        """The account's user name."""
    @property
    def token(self) -> str:
        """The account's API token."""
    @property
    def root(self) -> str:
        """The directory that stands for the account's ``/``."""
    @property
    def site_url(self) -> str:
        """Where the account's web apps are served."""
    @property
    def package_index(self) -> str | None:
        """The address of the index that serves the folder `package_index`, like ``http://127.0.0.1:8001/simple/``."""
    @property
    def page(self) -> str | None:
        """The address of the page that shows what the emulator does, for a browser; ``None`` with ``page=False``.

        It holds a token of its own: who has it can type into consoles. What the page asks is not in `requests`.
        """
    @property
    def paths(self) -> str:
        """``"host"`` if the account's processes see it at its own paths, ``"root"`` if only below `root`."""
    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request since the last `clear_requests`, oldest first."""
    def clear_requests(self) -> None:
        """Forgets the requests so far."""
    @property
    def faults(self) -> Faults:
        """The faults to inject."""
    def held(self) -> list[HeldRequest]:
        """The requests that wait at a ``"hold"`` fault, oldest first."""
    def release(self, number: int) -> bool:
        """Releases a held request; false if none of this number waits."""
    def release_all(self) -> None:
        """Releases all held requests; rules that hold more stay."""
    def wait_held(self, count: int, timeout: float = 10.0) -> bool:
        """Waits until `count` requests are held; false if they aren't within `timeout` seconds."""
    def create_webapp(
        self,
        domain: str | None = None,
        *,
        python_version: str = "3.11",
        virtualenv: str | os.PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """Makes a web app and returns it as the service shows it; by default at the account's own domain."""

@final
class LoggedRequest:
    """One request that the emulator got."""

    @property
    def number(self) -> int:
        """Counted from 1 since the start."""
    @property
    def method(self) -> str:
        """The HTTP method."""
    @property
    def path(self) -> str:
        """The path, decoded."""
    @property
    def raw_path(self) -> str:
        """The path as it came."""
    @property
    def query(self) -> str:
        """The query as it came."""
    @property
    def user_agent(self) -> str:
        """The ``User-Agent`` header."""
    @property
    def endpoint(self) -> str | None:
        """The rate limit's bucket."""
    @property
    def status(self) -> int | None:
        """The answer's status; ``None`` as long as there is none."""
    @property
    def started(self) -> float:
        """When it came, in seconds of the emulator's clock."""
    @property
    def finished(self) -> float | None:
        """When it was answered."""
    @property
    def bytes_in(self) -> int:
        """Size of the request's body."""
    @property
    def bytes_out(self) -> int:
        """Size of the answer's body."""

@final
class HeldRequest:
    """A request that waits at a ``"hold"`` fault."""

    @property
    def number(self) -> int:
        """As in `LoggedRequest`."""
    @property
    def method(self) -> str:
        """The HTTP method."""
    @property
    def path(self) -> str:
        """The path, decoded."""
    @property
    def user_agent(self) -> str:
        """The ``User-Agent`` header."""

@final
class Faults:
    """The faults to inject, as rules; the first that matches a request counts."""

    def add(
        self,
        kind: Literal["status", "reset", "truncate", "garbage", "slow", "throttled_without_header", "html", "hold"],
        *,
        method: str | None = None,
        path: str | None = None,
        after: int = 0,
        times: int | None = None,
        stage: Literal["before", "after"] = "before",
        code: int = 500,
        body: str = '{"detail": "Server error."}',
        content_type: str = "application/json",
        bytes: int = 0,
        delay: float = 0.0,
        bytes_per_second: int | None = None,
    ) -> int:
        """Adds a rule and returns its number.

        Args:
            kind: what happens: an answer of status `code` with `body`, a reset connection, a body cut after `bytes`,
                garbage, an answer after `delay` seconds or at `bytes_per_second`, a 429 without ``Retry-After``, an
                HTML page of status `code`, or a request held until it is released.
            method: only requests of this method.
            path: only requests whose decoded path matches this glob.
            after: let so many matching requests pass first.
            times: how often it happens; by default always.
            stage: before the request takes effect, or after.

        Raises:
            ValueError: no such kind, status or glob.
        """
    def remove(self, id: int) -> bool:
        """Removes a rule; false if there is none of this number."""
    def clear(self) -> None:
        """Removes all rules."""

def set_clock_speed(factor: float) -> None:
    """Makes the clock of rate limit, retries and emulator run `factor` times as fast as the system's."""

def advance_clock(by: float) -> None:
    """Moves that clock ahead by seconds."""

def restore_clock() -> None:
    """Gives that clock the pace and the time of day of the system's again.

    What is timed by it, such as the rate limit, goes on: only the time of day that it shows goes back.
    """

def cli_main(argv: list[str]) -> int:
    """Runs the command line; `argv` begins with the command's own name. Returns the exit code."""

def _never_skip(_path: object) -> bool: ...
def _error_classes() -> list[tuple[str, str | None]]: ...
def _webfaction_classes() -> tuple[type[Any], type[Any]]: ...

_Change = TypeVar("_Change")
_Status = TypeVar("_Status")
_Variables = TypeVar("_Variables")
_Names = TypeVar("_Names")

@final
class AgentOfWebApp(Generic[_Change, _Status, _Variables, _Names]):
    """The agent in a web app. Its methods wait or are coroutines, like those of the class that it is an attribute of.

    It is code of this package, stored in ``/home/<user>/.pya/agent-<domain>/`` and started by a stub in the WSGI file,
    which runs the original WSGI file as before. It takes requests that are signed with the account's API token, and
    leaves all others to the application.
    """

    def install(self, domain: str, site_url: str | None = None) -> _Change:
        """Installs it, or renews whatever of it is damaged or older, and reloads the web app.

        Repeating it changes nothing. Warns if a static files mapping of the account serves the agent's files.

        Args:
            domain: of the web app.
            site_url: where the site is, if not at the domain.

        Raises:
            ConfigError: the WSGI file was changed since the last installation; the message shows how.
        """
    def status(self, domain: str, site_url: str | None = None) -> _Status:
        """Checks whether it answers, and if not, why; names damaged files. Changes nothing."""
    def remove(self, domain: str, site_url: str | None = None, *, force: bool = False) -> _Change:
        """Puts the original WSGI file back, byte for byte, and reloads.

        Args:
            domain: of the web app.
            site_url: where the site is, if not at the domain.
            force: also if the WSGI file was changed since.

        Raises:
            ConfigError: it was changed since; the message shows how.
        """
    def variables(self, domain: str) -> _Variables:
        """Reads the environment variables of a web app that :meth:`set_variables` or ``pya env`` has set, by name.

        They are in a file that only the account may read, and may be passwords.
        """
    def set_variables(self, domain: str, values: Mapping[str, str | None], site_url: str | None = None) -> _Names:
        """Sets environment variables of a web app, and removes those whose value is ``None``; returns the names of all.

        The web app has them from its next reload on, commands on the host at once. They go before what the web app
        inherits. No receipt or history repeats a value.

        Args:
            domain: of the web app.
            values: by name. Names that decide for whom, or which, code is run (``API_TOKEN``, ``HOME``, ``PATH``,
                ``LD_*``, ``PYTHON*``, ``DJANGO_SETTINGS_MODULE``) are refused; so is more than 64 KiB of all.
            site_url: where the site is, if not at the domain.

        Raises:
            ConfigError: the web app has no agent, which keeps them; or a name is refused.
        """

@final
class LaunchEvent:
    """A step of a launch, as it begins or ends."""

    @property
    def step(self) -> str:
        """Its name, such as `web app`."""
    @property
    def state(self) -> str:
        """`running`, `done`, `skipped` (it was so already), `planned` (in a dry run) or `failed`."""
    @property
    def detail(self) -> str:
        """What was done, in a few words; why it failed."""

@final
class LaunchReport:
    """What a launch did. True if the page answers."""

    @property
    def ok(self) -> bool:
        """Whether everything was done."""
    @property
    def dry_run(self) -> bool:
        """Whether it was a dry run."""
    @property
    def url(self) -> str:
        """The address of the site."""
    @property
    def domain(self) -> str:
        """The domain of the web app."""
    @property
    def remote_root(self) -> str:
        """The project's folder in the account."""
    @property
    def steps(self) -> list[dict[str, str]]:
        """The steps in their order, each with `step`, `state` and `detail` as in `LaunchEvent`."""
    @property
    def failed_step(self) -> str | None:
        """The step that stopped it."""
    @property
    def error(self) -> str | None:
        """Why."""
    @property
    def warnings(self) -> list[str]:
        """What to know about."""
    @property
    def next(self) -> list[str]:
        """What a person does next."""
    @property
    def requests(self) -> int:
        """How many requests the API was sent, retries included."""
    @property
    def seconds(self) -> float:
        """How long it took."""
    def to_json(self) -> str:
        """All of it as JSON."""
    def raise_for_failures(self) -> None:
        """Raises if the launch stopped.

        Raises:
            PythonAnywhereError: With the step, the reason, and what is in place.
        """
    def __bool__(self) -> bool: ...

def launch(
    root: str | os.PathLike[str],
    *,
    username: str | None = None,
    token: str | None = None,
    host: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    site_url: str | None = None,
    python: str | None = None,
    settings: str | None = None,
    wsgi: str | None = None,
    asgi: str | None = None,
    virtualenv: str | None = None,
    env_file: str | os.PathLike[str] | None = None,
    replace_wsgi: bool = False,
    superuser: tuple[str, str] | None = None,
    dry_run: bool = False,
    env: str | None = None,
    progress: Callable[[LaunchEvent], object] | None = None,
) -> LaunchReport:
    """Brings a project to a served page, as `pya launch` does, without asking anything.

    Finds out by reading what the project is (Django, or another WSGI application), writes `settings_pythonanywhere.py`
    and the table in `pyproject.toml` where they are needed, and then makes on the host what is not there already: web
    app, WSGI file with the agent, virtualenv, files, requirements, variables, static files mappings, static files,
    database.
    Run again after an interruption or a failure, it goes on; run again after a success, it writes nothing.

    Args:
        root: The project's folder. The nearest `pyproject.toml` with `[tool.pythonanywhere]` holds for it, from this
            folder up to the root of its git work tree. One that belongs to another user of this machine does not.
        username: The account [default: that of the environment, as for `Client.from_env`, else the configured one].
        token: Its API token [default: `API_TOKEN` of the environment].
        host: The service [default: that of the environment, else the configured one, else `www.pythonanywhere.com`].
        project: The project's name in the account [default: the configured one, else that of its folder].
        domain: The web app [default: the configured one, else that of the account].
        site_url: Where the site is reached, if not at its domain.
        python: A version such as `"3.13"` [default: one that the project allows, else the account's default].
        settings: The settings module [default: the configured one, else that of `wsgi.py`, else of `manage.py`].
        wsgi: An application without Django, as `"module:name"` [default: the one that is found].
        asgi: An ASGI application, likewise. It becomes a website, whose command is uvicorn, where the account can have
            one; tasks of the account do what an agent does elsewhere.
        virtualenv: The virtualenv's name [default: that of the project].
        env_file: Variables for the web app [default: `.env`, if there is one].
        replace_wsgi: Replace a WSGI file of somebody else, or one that serves another project; a copy is kept on the
            host.
        superuser: Name and password of a superuser to be made, unless there is one of that name.
        dry_run: Only find out and report what would be done; write nothing, here or on the host.
        env: The environment of the table, as `"staging"` for `[tool.pythonanywhere.env.staging]` [default: `PYA_ENV`;
            `""` is none].
        progress: Called with a `LaunchEvent` as each step begins and ends. What it raises ends the launch.

    Returns:
        What was done, and the step that failed if one did.

    Raises:
        ConfigError: The project is ambiguous, or an argument or the table is wrong. Nothing was sent.
        OSError: A local file cannot be read.
    """

def launch_async(
    root: str | os.PathLike[str],
    *,
    username: str | None = None,
    token: str | None = None,
    host: str | None = None,
    project: str | None = None,
    domain: str | None = None,
    site_url: str | None = None,
    python: str | None = None,
    settings: str | None = None,
    wsgi: str | None = None,
    asgi: str | None = None,
    virtualenv: str | None = None,
    env_file: str | os.PathLike[str] | None = None,
    replace_wsgi: bool = False,
    superuser: tuple[str, str] | None = None,
    dry_run: bool = False,
    env: str | None = None,
    progress: Callable[[LaunchEvent], object] | None = None,
) -> Coroutine[LaunchReport]:
    """As `launch`, awaited. The project is read when this is called."""

@final
class CommandResult:
    """A command that ran on the host. True if its exit status is 0."""

    @property
    def exit_status(self) -> int:
        """Its exit status; 128 and the signal's number if a signal ended it."""
    @property
    def output(self) -> str:
        """What it printed, on both streams."""
    @property
    def truncated(self) -> bool:
        """Whether the middle of a long output is left out."""
    def __bool__(self) -> bool: ...
