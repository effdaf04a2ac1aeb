"""What ``_request`` shares with the package requests: its keywords, its functions, its exception.

requests is imported only for what it alone can do. Where the extension sends a request itself, this module brings the
keywords into the one form that the extension takes.
"""

from __future__ import annotations

import asyncio
import functools
import json as json_module
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

VERBS = ("GET", "OPTIONS", "HEAD", "POST", "PUT", "PATCH", "DELETE")

NATIVE = ("params", "data", "json", "files", "headers", "timeout")
"""The keywords that the extension takes itself."""

MOST_REDIRECTS = 5
"""How many redirects in a row are followed, as in the extension."""

TIMEOUT = 600
"""Seconds that requests may take where the caller names no time-out; by itself it would wait for ever."""


def prepare(
    params: Any = None,
    data: Any = None,
    json: Any = None,
    files: Any = None,
    headers: Any = None,
    timeout: Any = None,
) -> tuple[Any, ...]:
    """The query, the headers, the time-out in seconds, and the body as form fields, files, bytes or JSON."""
    query = [] if params is None else _query(params)
    named = [] if headers is None else _pairs(headers, "headers")
    fields, parts, raw, text = None, None, None, None
    if files:
        fields = _pairs(data, "data") if data else []
        parts = [(field, *_file(field, value)) for field, value in _items(files, "files")]
    elif data:
        raw = data.encode() if isinstance(data, str) else _bytes(data)
        fields = _pairs(data, "data") if raw is None else None
    elif json is not None:
        text = json_module.dumps(json)
    return query, named, _seconds(timeout), fields, parts, raw, text


def _items(value: Any, what: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        value = value.items()
    if isinstance(value, (str, bytes)):
        value = None
    try:
        pairs = [(_text(name), content) for name, content in value]
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a dict, or a sequence of pairs") from None
    return iter(pairs)


def _pairs(value: Any, what: str) -> list[tuple[str, str]]:
    """As in requests, several values for a name become several pairs, and ``None`` is left out."""
    pairs = []
    for name, content in _items(value, what):
        single = isinstance(content, (str, bytes)) or not hasattr(content, "__iter__")
        pairs += [(name, _text(part)) for part in ([content] if single else content) if part is not None]
    return pairs


def _query(params: Any) -> list[tuple[str, str]]:
    """Pairs, also of a text that is quoted already."""
    if isinstance(params, (str, bytes)):
        return parse_qsl(_text(params), keep_blank_values=True)
    return _pairs(params, "params")


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes | None:
    """The content of a file, read to its end, and of anything bytes-like; ``None`` for the rest."""
    if hasattr(value, "read"):
        content = value.read()
        return content.encode() if isinstance(content, str) else bytes(content)
    try:
        return memoryview(value).tobytes()
    except TypeError:
        return None


def _file(field: str, value: Any) -> tuple[str, bytes]:
    """The name and the content of what requests takes as a file: content, or a tuple of name, content and more."""
    name, content = value[:2] if isinstance(value, (tuple, list)) and len(value) >= 2 else (None, value)
    found = content.encode() if isinstance(content, str) else _bytes(content)
    if found is None:
        raise TypeError(f"the file {field!r} must be bytes, str or a file object")
    return name or field, found


def _seconds(timeout: Any) -> float | None:
    """Of requests' pair for connecting and reading, the second counts."""
    wrong = TypeError("timeout must be a number of seconds, or a pair of them")
    if isinstance(timeout, tuple):
        if len(timeout) != 2:
            raise wrong
        timeout = timeout[1]
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise wrong
    return float(timeout)


def choose(method: Any, keywords: dict[str, Any], is_async: bool) -> tuple[str, Callable[..., Any] | None]:
    """The verb of a request, and what sends it if the extension does not."""
    verb = "GET" if method is None else _verb(method)
    if verb is None:
        # What it will do is not known, and nothing that is checked beforehand depends on it.
        return "GET", method
    foreign = next((name for name in keywords if name not in NATIVE), None)
    return verb, None if foreign is None else sender(verb, foreign, is_async)


def _verb(method: Any) -> str | None:
    """Of a text, and of one of requests' own functions; ``None`` for any other callable."""
    if isinstance(method, str):
        if method.upper() not in VERBS:
            raise ValueError(f"method {method!r} is not an HTTP verb")
        return method.upper()
    if not callable(method):
        raise TypeError("method must be an HTTP verb, or a callable that sends the request")
    functions = sys.modules.get("requests.api")
    return next((verb for verb in VERBS if method is getattr(functions, verb.lower(), None)), None)


def sender(verb: str, keyword: str, is_async: bool) -> Callable[..., Any]:
    """What sends a request with a keyword that only requests has."""
    try:
        import requests  # noqa: F401
    except ImportError:
        raise TypeError(
            f"_request() got the keyword argument {keyword!r}, which needs the package requests; without it these are "
            f"possible: {', '.join(NATIVE)}"
        ) from None
    bound = functools.partial(send, verb)
    return functools.partial(asyncio.to_thread, bound) if is_async else bound


def send(verb: str, url: str, **keywords: Any) -> Any:
    """Sends by requests. Unless the caller says otherwise, redirects are followed as the extension follows them."""
    import requests

    keywords.setdefault("timeout", TIMEOUT)
    follows = verb == "GET" and "allow_redirects" not in keywords
    keywords.setdefault("allow_redirects", False)
    answer = requests.request(verb, url, **keywords)  # noqa: S113, the time-out is among the keywords
    for _ in range(MOST_REDIRECTS if follows else 0):
        target = answer.next.url if answer.next else None
        if target is None or urlsplit(target)[:2] != urlsplit(url)[:2]:
            break
        answer.close()
        keywords.pop("params", None)
        answer = requests.request(verb, target, **keywords)  # noqa: S113
    return answer


def _combined(kind: Any, http_error: Any) -> type[Exception]:
    body = {"__module__": kind.__module__, "__doc__": kind.__doc__, "__reduce__": _reduce}
    return type(kind.__name__, (kind, http_error), body)


def _reduce(error: Exception) -> tuple[Any, ...]:
    kind = next(base for base in type(error).__mro__ if not issubclass(base, _http_error() or ()))
    plain = kind(*error.args)
    plain.__dict__.update({name: value for name, value in vars(error).items() if name not in ("response", "request")})
    return as_http_error, (plain, None)


def _http_error() -> Any:
    """The class of requests, where that is loaded; else ``None``."""
    found = getattr(sys.modules.get("requests"), "HTTPError", None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def as_http_error(error: Exception, response: Any) -> Exception:
    """The same error as one that ``except requests.HTTPError`` catches too, where requests is loaded."""
    http_error = _http_error()
    if http_error is None or isinstance(error, http_error):
        return error
    kind = _combined(type(error), http_error)
    both = OSError.__new__(kind, *error.args)
    both.args = error.args
    both.__dict__.update(vars(error), response=response, request=None)
    return both
