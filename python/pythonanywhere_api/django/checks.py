"""Checks of ``manage.py check --deploy``: what PythonAnywhere could not serve."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django import conf
from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.http.request import validate_host

from .options import configured

#: The module that a launch writes beside the project's settings.
GENERATED = "settings_pythonanywhere"


def check_deploy(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """What of the settings the service could not serve, or would serve to the wrong people."""
    try:
        values = configured()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="pya.E001")]
    # What the settings that pya launch wrote add to these is missing nowhere.
    found = [] if _are_completed() else [*_hosts(values), *_static_root()]
    return [*found, *_static_url(), *_media(), *_databases()]


def _are_completed() -> bool:
    """Whether other settings beside these are served, which import them and add what was missing."""
    module: str = getattr(conf.settings, "SETTINGS_MODULE", None) or ""
    package, dot, name = module.rpartition(".")
    return name not in ("", GENERATED) and find_spec(f"{package}{dot}{GENERATED}") is not None


def _hosts(values: dict[str, str]) -> list[CheckMessage]:
    """The domain, if one is known, must be allowed."""
    zone = "eu.pythonanywhere.com" if values.get("host", "").startswith("eu.") else "pythonanywhere.com"
    domain = values.get("domain") or (f"{values['user']}.{zone}".lower() if "user" in values else None)
    if domain is None or validate_host(domain, conf.settings.ALLOWED_HOSTS):
        return []
    hint = f"Add {domain!r} to ALLOWED_HOSTS, or let pya launch write settings that do."
    return [Warning(f"Every page at {domain} would be answered with status 400.", hint=hint, id="pya.W001")]


def _static_root() -> list[CheckMessage]:
    """Where collectstatic puts files."""
    if not apps.is_installed("django.contrib.staticfiles") or conf.settings.STATIC_ROOT:
        return []
    hint = "Set STATIC_ROOT = BASE_DIR / 'staticfiles', or let pya launch write settings that do."
    return [Warning("collectstatic has no folder, so pages come without their styles.", hint=hint, id="pya.W002")]


def _static_url() -> list[CheckMessage]:
    """Where a mapping serves those files."""
    if apps.is_installed("django.contrib.staticfiles") and conf.settings.STATIC_URL == "/":
        hint = "Set STATIC_URL = '/static/'."
        return [Warning("STATIC_URL is the whole site, so a mapping of it hides every page.", hint=hint, id="pya.W003")]
    return []


def _media() -> list[CheckMessage]:
    """Uploads of visitors must not lie among files that a deploy replaces."""
    media, static = conf.settings.MEDIA_ROOT, conf.settings.STATIC_ROOT
    if not media or not static:
        return []
    inner, outer = Path(media).resolve(), Path(static).resolve()
    if inner == outer or outer in inner.parents:
        hint = "Give MEDIA_ROOT a folder of its own, such as BASE_DIR / 'media'."
        return [
            Warning("MEDIA_ROOT lies in STATIC_ROOT, which collectstatic --clear empties.", hint=hint, id="pya.W004")
        ]
    return []


def _databases() -> list[CheckMessage]:
    """A database at a relative path is another one for each working folder."""
    found = []
    for alias, database in conf.settings.DATABASES.items():
        name = str(database.get("NAME", ""))
        is_file = "sqlite3" in database.get("ENGINE", "") and name not in ("", ":memory:")
        if is_file and not name.startswith("file:") and not Path(name).is_absolute():
            hint = f"Write BASE_DIR / {name!r} as its NAME."
            text = f"The database {alias!r} has a relative path, and the web app another working folder than manage.py."
            found.append(Warning(text, hint=hint, id="pya.W005"))
    return found
