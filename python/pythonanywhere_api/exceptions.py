"""What the package raises.

::

    PythonAnywhereError
    ├── ConfigError (ValueError)                 missing token, bad host, bad pyproject table
    ├── TransportError (ConnectionError)         no answer: refused, reset, TLS, truncated
    │   └── RequestTimeoutError (TimeoutError)
    ├── DecodeError                              an answer that is not what the endpoint promises
    ├── WebfactionFault                          .code .message, of pythonanywhere_api.webfaction
    └── ApiError                                 .status .method .path .detail .code .retry_after
        ├── BadRequestError 400 (ValueError)     ├── ConflictError 409
        ├── AuthenticationError 401              ├── ConsoleNotStartedError 412 (.browser_url)
        ├── ForbiddenError 403 (PermissionError) ├── RateLimitedError 429
        ├── NotFoundError 404 (FileNotFoundError)└── ServerError 5xx
    PythonAnywhereWarning (UserWarning)          e.g. 409 "cname_error" on reload: it did reload

Files of this machine that cannot be read raise the ``OSError`` that Python itself would raise for them. No message
ever holds the token.
"""

from __future__ import annotations

__all__ = [
    "ApiError",
    "AuthenticationError",
    "BadRequestError",
    "ConfigError",
    "ConflictError",
    "ConsoleNotStartedError",
    "DecodeError",
    "ForbiddenError",
    "NotFoundError",
    "PythonAnywhereError",
    "PythonAnywhereWarning",
    "RateLimitedError",
    "RequestTimeoutError",
    "ServerError",
    "TransportError",
    "WebfactionFault",
]


class PythonAnywhereError(Exception):
    """The base of all exceptions of this package."""


class ConfigError(PythonAnywhereError, ValueError):
    """A mistake that shows without asking the service; the message says what to do."""


class TransportError(PythonAnywhereError, ConnectionError):
    """No answer came: refused, reset, TLS, proxy, truncated."""


class RequestTimeoutError(TransportError, TimeoutError):
    """No answer came in time."""


class DecodeError(PythonAnywhereError):
    """An answer came that is not what the endpoint promises."""


class ApiError(PythonAnywhereError):
    """The service answered with an error status.

    Attributes:
        status: the HTTP status.
        method: the HTTP method.
        path: the path of the request.
        detail: the service's own words, or the status' reason phrase.
        code: the service's error code, like ``"not_found"``, or ``None``.
        retry_after: seconds the service asked to wait, or ``None``.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        method: str = "",
        path: str = "",
        detail: str = "",
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.method = method
        self.path = path
        self.detail = detail
        self.code = code
        self.retry_after = retry_after


class BadRequestError(ApiError, ValueError):
    """400: the service doesn't accept the arguments."""


class AuthenticationError(ApiError):
    """401: the token is missing or wrong."""


class ForbiddenError(ApiError, PermissionError):
    """403: the account may not do this."""


class NotFoundError(ApiError, FileNotFoundError):
    """404: what was asked for does not exist."""


class ConflictError(ApiError):
    """409: it would clash with what is there."""


class ConsoleNotStartedError(ApiError):
    """412: the console's page has to be opened in a browser first.

    Attributes:
        browser_url: the page to open, or ``None``.
    """

    def __init__(self, message: str = "", *, browser_url: str | None = None, **facts: object) -> None:
        super().__init__(message, **facts)  # type: ignore[arg-type]
        self.browser_url = browser_url


class RateLimitedError(ApiError):
    """429, or a wait for the rate limit longer than ``max_wait`` allows; see ``retry_after``."""


class ServerError(ApiError):
    """5xx: the service failed."""


class WebfactionFault(PythonAnywhereError):
    """A server of the WebFaction API answered a call with a fault.

    Attributes:
        code: the number of the fault, which each server chooses for itself.
        message: the server's own words.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"fault {self.code}: {self.message}"


class PythonAnywhereWarning(UserWarning):
    """Something was done, and the service has a remark, like a CNAME that points elsewhere after a reload."""
