"""The setting ``PYTHONANYWHERE``, as options of ``pya``."""

from __future__ import annotations

from typing import Any

from django import conf
from django.core.exceptions import ImproperlyConfigured

KEYS = ("domain", "env", "host", "project", "user")
#: The options of each command that take the web app's domain. The command logs has it as an argument.
DOMAINS = {
    "deploy": ["--reload", "--domain"],
    "diff": [],
    "env": ["--domain"],
    "launch": ["--domain"],
    "rollback": ["--reload", "--domain"],
    "status": ["--domain"],
}


def configured() -> dict[str, str]:
    """The setting ``PYTHONANYWHERE``, a dict of texts.

    Raises:
        ImproperlyConfigured: It is something else, or has a key that is none.
    """
    value: Any = getattr(conf.settings, "PYTHONANYWHERE", {})
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ImproperlyConfigured(
            "PYTHONANYWHERE must be a dict of texts, such as {'user': 'me', 'project': 'mysite'}"
        )
    if wrong := sorted(set(value) - set(KEYS)):
        raise ImproperlyConfigured(
            f"PYTHONANYWHERE has the key {wrong[0]!r}; it takes {', '.join(KEYS)}, and everything else goes into the "
            "table [tool.pythonanywhere] of pyproject.toml"
        )
    return value


def arguments(command: str, given: list[str]) -> list[str]:
    """What ``pya`` is started with: a command, what was given, and what the setting says beside that."""
    values = configured()
    options = [(f"--{key}", values[key]) for key in ("user", "host", "project", "env") if key in values]
    words = [command, *_missing(options, given)]
    if "domain" not in values:
        return [*words, *given]
    domain = values["domain"]
    if command == "logs":
        return [*words, *([] if _names_domain(given) else [domain]), *given]
    # `pya env` takes it behind its second word.
    number = 1 if command == "env" else 0
    if len(given) < number:
        return [*words, *given]
    # To reload none is what was typed.
    options = [(option, domain) for option in DOMAINS[command] if f"--no-{option.removeprefix('--')}" not in given]
    return [*words, *given[:number], *_missing(options, given), *given[number:]]


def _missing(options: list[tuple[str, str]], given: list[str]) -> list[str]:
    """The options as words, without those that were given."""
    return [
        word
        for option, value in options
        if not any(word == option or word.startswith(f"{option}=") for word in given)
        for word in (option, value)
    ]


def _names_domain(given: list[str]) -> bool:
    """Whether one of the words is a domain, and not the kind of a log, an option or its number."""
    return any("." in word and not word.startswith("-") and not word.replace(".", "").isdigit() for word in given)
