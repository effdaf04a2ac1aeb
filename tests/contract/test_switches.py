"""The probes measure: each tells the two settings of the emulator's switch apart. Always on emulators."""

import re
from pathlib import Path

import pytest

from .emulated import ANSWERS, SWITCHED, emulated
from .questions import QUESTIONS

SETTINGS = Path(__file__).parents[2] / "src/emulator/settings.rs"


@pytest.mark.parametrize(("switch", "setting", "answers"), SWITCHED, ids=[switch for switch, _, _ in SWITCHED])
def test_a_switch_shows_in_the_answer(switch, setting, answers):
    with emulated(**{switch: setting}) as account:
        given = {key: QUESTIONS[key].probe(account)[0] for key in answers}
    assert given == answers
    assert any(ANSWERS[key] != answer for key, answer in answers.items())


def test_every_switch_of_the_emulator_has_a_question():
    source = SETTINGS.read_text().split("pub struct Undocumented {")[1].split("\n}")[0]
    switches = re.findall(r"^ +pub (\w+):", source, re.MULTILINE)
    assert len(switches) > 10
    assert sorted(switches) == sorted(switch for switch, _, _ in SWITCHED)


def test_a_smaller_limit_is_counted():
    with emulated(rate_limit=7) as account:
        assert QUESTIONS["requests_a_minute"].probe(account)[0] == 7


def test_a_free_account_shows_in_the_answer():
    with emulated(account="free") as account:
        assert QUESTIONS["tasks"].probe(account)[0] == {"schedule": 403, "always_on": 403}
        consoles = [account.request("POST", "consoles/", data={"executable": "bash"}) for _ in range(3)]
        for made in consoles[:2]:
            account.guard.made("consoles", made.json()["id"])
        assert [made.status_code for made in consoles] == [201, 201, 429]
