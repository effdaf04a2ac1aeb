"""The service on this machine, for tests of deploy scripts and for trying things out.

::

    from pythonanywhere_api import PythonanywhereApi
    from pythonanywhere_api.testing import Emulator

    with Emulator(rate_limit=None) as host:
        api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
        assert api.deploy_file("manage.py", b"...") == ""

Clients keep to the real rate limit on their own; ``PYTHONANYWHERE_RATE_LIMIT=off`` in the environment turns that off.
Libraries that intercept HTTP in Python can't see this package's requests; the emulator answers them.

The emulator starts processes in terminals of Unix, so importing this module raises ``ImportError`` on Windows.
"""

from __future__ import annotations

import sys

if sys.platform == "win32":
    raise ImportError("the emulator needs Linux, macOS or WSL")

from ._core import Emulator, Faults, HeldRequest, LoggedRequest, advance_clock, restore_clock, set_clock_speed

__all__ = ["Emulator", "Faults", "HeldRequest", "LoggedRequest", "advance_clock", "restore_clock", "set_clock_speed"]
