"""The account of the run: an emulator's, or a real one if the environment names it. CONTRIBUTING.md says how."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from .account import Account
from .emulated import emulated
from .guard import KINDS
from .report import Report

USER = "PYTHONANYWHERE_CONTRACT_USER"
REPORT = pytest.StashKey[Report]()


def real_account() -> Account | None:
    """The real account that the environment names."""
    user = os.environ.get(USER)
    if not user:
        return None
    token = os.environ.get("API_TOKEN")
    if not token:
        raise pytest.UsageError(f"{USER} is set, and API_TOKEN is not")
    host = os.environ.get("PYTHONANYWHERE_CONTRACT_HOST") or "www.pythonanywhere.com"
    make = {kind for kind in os.environ.get("PYTHONANYWHERE_CONTRACT_MAKE", "").split(",") if kind}
    if unknown := make - set(KINDS):
        raise pytest.UsageError(f"PYTHONANYWHERE_CONTRACT_MAKE: {', '.join(unknown)} is none of {', '.join(KINDS)}")
    return Account(
        user,
        token,
        host,
        may_make=frozenset(make),
        domain=os.environ.get("PYTHONANYWHERE_CONTRACT_DOMAIN") or f"{user}.{host.removeprefix('www.')}".lower(),
        site=os.environ.get("PYTHONANYWHERE_CONTRACT_SITE", ""),
        large_upload=(100 << 20) + 1 if os.environ.get("PYTHONANYWHERE_CONTRACT_LARGE") else None,
        wait=time.sleep,
    )


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    return request.config.stash.setdefault(REPORT, Report())


@pytest.fixture(scope="session")
def account(report: Report) -> Iterator[Account]:
    """Whom the facts and questions are about. What the run made is removed at its end."""
    with ExitStack() as stack:
        found = real_account()
        if found is None:
            yield stack.enter_context(emulated())
            return
        found.begin()
        try:
            yield found
        finally:
            found.end()
            report.left_behind = found.left_behind


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash.get(REPORT, None)
    if report is None or not report.lines():
        return
    report.write()
    terminalreporter.section(f"what nobody documents, as observed on {report.account or 'the account'}")
    for line in report.lines():
        terminalreporter.write_line(line)
