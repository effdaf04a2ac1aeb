"""A pytest plugin, active wherever the package is installed: the fixture ``pythonanywhere``.

::

    def test_my_deploy_script(pythonanywhere):
        account = {"API_TOKEN": pythonanywhere.token, "PYTHONANYWHERE_USERNAME": pythonanywhere.user,
                   "PYTHONANYWHERE_SITE": pythonanywhere.url}
        subprocess.run(["./deploy.sh"], env=os.environ | account, check=True)
        assert os.path.exists(f"{pythonanywhere.root}/home/{pythonanywhere.user}/mysite/manage.py")
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .testing import Emulator


@pytest.fixture
def pythonanywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The service on this machine, with an account of its own, without a rate limit; stopped after the test.

    Sets ``PYTHONANYWHERE_RATE_LIMIT`` to ``off`` for the test, since clients keep to the real limit on their own. On
    Windows, which has no emulator, the test is skipped.
    """
    # Not at the top: most test runs of most users don't need it.
    try:
        from .testing import Emulator
    except ImportError as error:
        if sys.platform != "win32":
            raise
        pytest.skip(str(error))

    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")
    with Emulator(rate_limit=None) as host:
        yield host
