"""The report on what nobody documents: printed at the end of a run, and written as JSON where a variable says."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from pythonanywhere_api import __version__

from .account import Account, NotObserved
from .questions import Question

VARIABLE = "PYTHONANYWHERE_CONTRACT_REPORT"


@dataclass
class Observation:
    """One question and what was seen."""

    key: str
    asks: str
    observed: bool
    value: Any
    said: str


class Report:
    """All observations of a run."""

    def __init__(self) -> None:
        self.account = ""
        self.observations: list[Observation] = []
        self.left_behind: list[str] = []

    def ask(self, account: Account, question: Question) -> Observation:
        """Asks, and keeps the answer."""
        try:
            value, said = question.probe(account)
            observation = Observation(question.key, question.asks, True, value, said)
        except NotObserved as reason:
            observation = Observation(question.key, question.asks, False, None, f"not observed: {reason}")
        self.account = account.name
        self.observations.append(observation)
        return observation

    def lines(self) -> list[str]:
        """The report for people."""
        lines = [f"{each.asks} {answer(each)}" for each in self.observations]
        return lines + [f"LEFT BEHIND, remove it by hand: {each}" for each in self.left_behind]

    def write(self) -> None:
        """Writes the JSON file if the environment names one."""
        path = os.environ.get(VARIABLE)
        if not path or not self.observations:
            return
        content = {
            "account": self.account,
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "version": __version__,
            "questions": [asdict(each) for each in self.observations],
            "left_behind": self.left_behind,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
            file.write("\n")


def answer(observation: Observation) -> str:
    """The value in words, and what it was seen by."""
    if not isinstance(observation.value, bool):
        return observation.said
    return f"{'yes' if observation.value else 'no'} ({observation.said})"
