"""Every question is put to the account; the report at the end of the run says what was seen."""

import pytest

from .emulated import ANSWERS
from .questions import QUESTIONS


# Running into a limit of a minute takes its time on a real account.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("key", QUESTIONS)
def test_question(account, report, key):
    observation = report.ask(account, QUESTIONS[key])
    # On a real account each answer is as good as the other.
    if account.emulator is not None:
        assert (observation.value, observation.observed) == (ANSWERS[key], True), observation.said


def test_every_question_has_an_answer_that_the_emulator_must_give():
    assert set(ANSWERS) == set(QUESTIONS)
