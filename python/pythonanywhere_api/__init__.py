"""Deploy Django projects to PythonAnywhere with few requests.

``PythonanywhereApi`` and ``AsyncPythonanywhereApi`` stand for one project on the service and collect errors in
``error_message``; ``Client`` and ``AsyncClient`` are the whole REST API and raise exceptions. These are in
``pythonanywhere_api.exceptions``, the types of answers in ``pythonanywhere_api.types``;
``pythonanywhere_api.testing`` has the service on this machine.
"""

from __future__ import annotations

from ._core import (
    AsyncClient,
    AsyncPythonanywhereApi,
    Client,
    CommandResult,
    DeployDiff,
    DeployReport,
    LaunchEvent,
    LaunchReport,
    ProgressEvent,
    PythonanywhereApi,
    __version__,
    launch,
    launch_async,
)
from .exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigError,
    ConflictError,
    ConsoleNotStartedError,
    DecodeError,
    ForbiddenError,
    NotFoundError,
    PythonAnywhereError,
    PythonAnywhereWarning,
    RateLimitedError,
    RequestTimeoutError,
    ServerError,
    TransportError,
)

__all__ = [
    "ApiError",
    "AsyncClient",
    "AsyncPythonanywhereApi",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "CommandResult",
    "ConfigError",
    "ConflictError",
    "ConsoleNotStartedError",
    "DecodeError",
    "DeployDiff",
    "DeployReport",
    "ForbiddenError",
    "LaunchEvent",
    "LaunchReport",
    "NotFoundError",
    "ProgressEvent",
    "PythonAnywhereError",
    "PythonAnywhereWarning",
    "PythonanywhereApi",
    "RateLimitedError",
    "RequestTimeoutError",
    "ServerError",
    "TransportError",
    "__version__",
    "launch",
    "launch_async",
]
