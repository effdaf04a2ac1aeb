"""One look at the rate limit, whose result several questions share: it takes two minutes on a real account.

It uses up `files/sharing`, which no other probe needs, with a path that nobody shares.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import requests

from .account import THROTTLED, Account, NotObserved, told

# More than any limit that is documented.
MOST = 60


@dataclass
class Measured:
    """What was seen, status by status."""

    detail: str
    retry_after: str | None
    other_method: int
    other_endpoint: int
    after_refusals: int = 0
    passed: int = 0
    after_the_first_minute: list[int] = field(default_factory=list)


def measured(account: Account) -> Measured:
    """The measurement of this account, made when it is first needed."""
    if "throttling" not in account.measured:
        account.measured["throttling"] = measure(account)
    found: Measured | None = account.measured["throttling"]
    if found is None:
        raise NotObserved(f"{MOST} requests were not throttled")
    return found


def measure(account: Account) -> Measured | None:
    """Runs into the limit twice; `None` if there is none."""
    _, refused = knock(account, MOST)
    if refused is None:
        return None
    first_told = told(refused)
    seen = Measured(
        detail=refused.json().get("detail", ""),
        retry_after=refused.headers.get("Retry-After"),
        other_method=ask(account, "DELETE").status_code,
        other_endpoint=account.request("GET", "default_python_version/", paced=False).status_code,
    )
    if first_told is None:
        raise NotObserved(f"a 429 that does not say how long to wait: {seen.detail or THROTTLED.pattern}")
    knock(account, 5, at_least=5)
    account.wait(first_told)
    seen.after_refusals = ask(account).status_code
    # A fresh minute: one request, half of it, and as many as fit.
    account.wait(60)
    ask(account)
    account.wait(30)
    passed, refused = knock(account, MOST)
    seen.passed = 1 + passed
    account.wait((told(refused) if refused is not None else None) or 0)
    seen.after_the_first_minute = [ask(account).status_code, ask(account).status_code]
    return seen


def ask(account: Account, method: str = "GET") -> requests.Response:
    """One request, which is not repeated when it is throttled."""
    return account.request(method, "files/sharing/", params={"path": account.path("never-shared")}, paced=False)


def knock(account: Account, most: int, at_least: int = 0) -> tuple[int, requests.Response | None]:
    """Asks until it is refused: how many passed, and the refusal."""
    passed, refused = 0, None
    for number in range(most):
        answer = ask(account)
        if answer.status_code != 429:
            passed += 1
            continue
        refused = answer
        if number + 1 >= at_least:
            break
    return passed, refused
