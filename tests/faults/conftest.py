"""Rows of the matrix, which fill the table that is printed at the end of the run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from pythonanywhere_api.testing import set_clock_speed

from .outcomes import Row

TABLE = pytest.StashKey[dict[str, dict[str, Counter[str]]]]()
GROUPS = ("connection", "timeout", "status", "throttle", "shape", "certificate")
SOAK = bool(os.environ.get("PYTHONANYWHERE_SOAK"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(os.path.dirname(__file__)):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(4 * 3600 if SOAK else 600))


@pytest.fixture(autouse=True)
def account_of_our_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("API_TOKEN", "PYTHONANYWHERE_")) and name != "PYTHONANYWHERE_SOAK":
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """The row of this test. Counts travel as a property of the test, since other processes run some of them."""
    made = Row("")
    yield made
    set_clock_speed(1)
    request.node.user_properties.append(
        ("faults", [made.name, {group: dict(words) for group, words in made.counts.items()}])
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TABLE] = {}
    config.pluginmanager.register(Collect(config))


class Collect:
    def __init__(self, config: pytest.Config):
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == "faults":
                row, counts = value
                into = self.config.stash[TABLE].setdefault(row, {})
                for group, words in counts.items():
                    into.setdefault(group, Counter()).update(words)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        table = self.config.stash[TABLE]
        if not table:
            return
        write = terminalreporter.write_line
        terminalreporter.section("operations and faults: what came of it")
        for row in sorted(table):
            groups = table[row]
            for group in (*GROUPS, "broken rules"):
                if words := groups.get(group):
                    write(f"{row:34} {group:12} {', '.join(f'{word} {n}' for word, n in words.most_common())}")
        cells = sum(sum(words.values()) for row in table.values() for group, words in row.items() if group in GROUPS)
        broken = sum(sum(row.get("broken rules", Counter()).values()) for row in table.values())
        write(f"{cells} faults in {len(table)} operations, {broken} broken rules")
