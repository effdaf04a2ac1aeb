"""What came out of a fault: it is classified, held against what is documented, and counted."""

from __future__ import annotations

import base64
import json
import logging
import threading
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

#: No token has a prefix like this, and percent-encoding changes it: whatever repeats it in any form is found.
TOKEN = "CaNaRy-7f3a91c0.5be2d8e4_61f0=aa93"
#: What hangs for so long hangs for ever. Not a measure of speed: nothing here takes more than a few seconds.
HANGS_AFTER = 90


def forms(secret: str) -> set[str]:
    """A secret in all the ways in which an answer can repeat it, and so much of it that the rest can be guessed."""
    whole = {secret, secret[:16], secret[-16:]}
    encoded = {quote(each, safe="") for each in whole} | {json.dumps(each)[1:-1] for each in whole}
    basic = base64.b64encode(f"demo:{secret}".encode()).decode()
    return whole | encoded | {quote(each, safe="").lower() for each in whole if "%" in quote(each)} | {basic}


TOKEN_FORMS = frozenset(forms(TOKEN))


def leaks(text: str) -> bool:
    return any(form in text for form in TOKEN_FORMS)


class Log(logging.Handler):
    """All that is logged, whatever its level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> Log:
        # Not the root's, whose handlers would repeat thousands of lines where a test fails.
        ours = logging.getLogger("pythonanywhere_api")
        self._before = ours.level, ours.propagate
        ours.addHandler(self)
        ours.setLevel(logging.DEBUG)
        ours.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        ours = logging.getLogger("pythonanywhere_api")
        ours.removeHandler(self)
        ours.level, ours.propagate = self._before


@dataclass
class Outcome:
    value: Any = None
    error: BaseException | None = None
    hangs: bool = False
    #: All that a user could see of it.
    output: str = ""

    @property
    def word(self) -> str:
        if self.hangs:
            return "hangs"
        return type(self.error).__name__ if self.error else "ok"


def run(operation: Callable[[], Any]) -> Outcome:
    """Runs an operation to its end, in a thread so that one that hangs is seen."""
    outcome = Outcome()
    log = Log()

    def work() -> None:
        try:
            outcome.value = operation()
        except BaseException as error:
            outcome.error = error

    with log:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(HANGS_AFTER)
    outcome.hangs = thread.is_alive()
    shown = [*log.lines, repr(outcome.value), str(outcome.value)]
    if outcome.error is not None:
        shown += traceback.format_exception(outcome.error)
        shown += [repr(outcome.error), repr(outcome.error.args), repr(getattr(outcome.error, "__dict__", ""))]
    outcome.output = "\n".join(shown)
    return outcome


@dataclass
class Row:
    """An operation of the matrix: what came of its faults, and what should not have."""

    name: str
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def count(self, group: str, word: str) -> None:
        self.counts.setdefault(group, Counter())[word] += 1

    def blame(self, cell: str, rule: str, words: object = "") -> None:
        self.count("broken rules", rule)
        self.wrong.append(f"{cell}: {rule}: {str(words)[:300]!r}")

    def check(self, true: object, cell: str, rule: str, words: object = "") -> None:
        if not true:
            self.blame(cell, rule, words)

    def finish(self) -> None:
        assert not self.wrong, f"{len(self.wrong)} rules broken:\n" + "\n".join(self.wrong[:40])
