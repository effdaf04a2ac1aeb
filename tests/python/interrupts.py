"""How soon something ends once it is interrupted: what the product promises, on a machine that may be busy."""

from collections.abc import Callable

TRIES = 6


def assert_soon(attempt: Callable[[], float], within: float) -> None:
    """Fails if none of some attempts takes less than `within` seconds.

    What is too slow by itself is so each time; what a busy machine adds differs from one attempt to the next.
    """
    taken: list[float] = []
    while len(taken) < TRIES and not (taken and taken[-1] < within):
        taken.append(attempt())
    assert taken[-1] < within, f"these many seconds were taken: {taken}"
