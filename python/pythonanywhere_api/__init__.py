"""Deploy Django projects to PythonAnywhere with few requests.

``PythonanywhereApi`` and ``AsyncPythonanywhereApi`` stand for one project on the service and collect errors in
``error_message``; the exceptions are in ``pythonanywhere_api.exceptions``, and ``pythonanywhere_api.testing`` has the
service on this machine.
"""

from __future__ import annotations

from ._core import (
    AsyncPythonanywhereApi,
    DeployDiff,
    DeployReport,
    ProgressEvent,
    PythonanywhereApi,
    __version__,
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
    "AsyncPythonanywhereApi",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ConflictError",
    "ConsoleNotStartedError",
    "DecodeError",
    "DeployDiff",
    "DeployReport",
    "ForbiddenError",
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
]
