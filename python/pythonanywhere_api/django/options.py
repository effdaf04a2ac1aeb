"""The setting ``PYTHONANYWHERE``, as options of ``pya``."""

from __future__ import annotations

from typing import Any

from django import conf
from django.core.exceptions import ImproperlyConfigured

KEYS = ("domain", "env", "host", "project", "user")


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
    options = {f"--{key}": values[key] for key in ("user", "host", "project", "env") if key in values}
    domain = {"deploy": "--reload", "launch": "--domain"}.get(command)
    if domain and "domain" in values:
        options[domain] = values["domain"]
    words = [command]
    for option, value in options.items():
        if not any(word == option or word.startswith(f"{option}=") for word in given):
            words += [option, value]
    return [*words, *given]
