"""The options: those of ``pya launch`` by the same names, beside the framework's own."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django_simple_deploy.management.commands.utils.command_errors import DSDCommandError

from . import messages

REGIONS = {"": None, "us": "www.pythonanywhere.com", "eu": "eu.pythonanywhere.com"}


@dataclass(frozen=True)
class Options:
    """What was typed; ``None`` is found out, from the table in ``pyproject.toml`` or from the project."""

    user: str | None = None
    host: str | None = None
    project: str | None = None
    domain: str | None = None
    settings: str | None = None
    site_url: str | None = None
    python: str | None = None
    virtualenv: str | None = None
    env_file: str | None = None
    replace_wsgi: bool = False

    @classmethod
    def chosen(cls, options: dict[str, Any]) -> Options:
        """The options of a run, as Django parsed them.

        Raises:
            DSDCommandError: Two of them contradict each other, or name what is not there.
        """
        region, env_file = options["region"], options["env_file"]
        if region not in REGIONS:
            raise DSDCommandError(messages.unknown_region(region))
        if REGIONS[region] and options["host"]:
            raise DSDCommandError(messages.REGION_AND_HOST)
        if env_file and not Path(env_file).is_file():
            raise DSDCommandError(messages.no_env_file(env_file))
        typed = {name: options[name] or None for name in ("user", "domain", "settings", "site_url", "python")}
        return cls(
            **typed,
            host=options["host"] or REGIONS[region],
            project=options["deployed_project_name"] or None,
            virtualenv=options["virtualenv"] or None,
            env_file=env_file or None,
            replace_wsgi=options["replace_wsgi"],
        )


def add_arguments(parser: ArgumentParser) -> None:
    """Adds the options to the parser of ``manage.py deploy``."""
    # The framework's default is a region of another platform.
    parser.set_defaults(region="")
    group = parser.add_argument_group(
        "Options for PythonAnywhere",
        "--deployed-project-name is the project's folder in the account, --region is us or eu, and --settings the "
        "module whose settings are served. The API token is read from $API_TOKEN only.",
    )
    group.add_argument("--user", help="Name of the account [default: $PYTHONANYWHERE_USERNAME, else the table's].")
    group.add_argument("--host", help="Host of the service, if it is neither www nor eu.pythonanywhere.com.")
    group.add_argument("--domain", help="Domain of the web app [default: the account's own].")
    group.add_argument("--site-url", help="Where the site is reached, if not at its domain.")
    group.add_argument("--python", help="Python of the web app, such as 3.13 [default: one that the project allows].")
    group.add_argument("--virtualenv", help="Name of the virtualenv [default: that of the project].")
    group.add_argument("--env-file", help="File with variables for the web app [default: .env, if there is one].")
    group.add_argument(
        "--replace-wsgi", action="store_true", help="Replace a WSGI file of somebody else; a copy is kept."
    )
