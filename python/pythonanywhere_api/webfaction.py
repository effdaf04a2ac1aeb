"""WebFaction's XML-RPC API, for private servers that kept it after the service closed, and for migrating old scripts.

See ``webfaction.pyi``, or ``help(WebfactionApi)``, for the calls.
"""

from __future__ import annotations

from ._core import _webfaction_classes
from .exceptions import WebfactionFault

__all__ = ["AsyncWebfactionApi", "WebfactionApi", "WebfactionFault"]

WebfactionApi, AsyncWebfactionApi = _webfaction_classes()
