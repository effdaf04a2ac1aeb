"""``manage.py pythonanywhere``: checks the project and starts ``pya`` for it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.core.checks import ERROR
from django.core.management.base import BaseCommand, CommandError, CommandParser, SystemCheckError

from ...options import arguments

COMMANDS = ("launch", "deploy", "diff", "status", "logs", "rollback", "env")
# What puts the project on the host is checked first.
CHECKED = ("launch", "deploy")

WAY_ON = "Nothing was sent. Mend the errors, or list the ids of those that you accept in SILENCED_SYSTEM_CHECKS."


class Command(BaseCommand):
    """See ``help``."""

    help = "Deploys this project to PythonAnywhere: checks it, then starts pya with the same arguments."
    # The project is checked as it is to be served, and only where it is about to be.
    requires_system_checks: list[str] = []  # noqa: RUF012 -- as Django names it

    def add_arguments(self, parser: CommandParser) -> None:
        """As Django calls it."""
        parser.add_argument("action", choices=COMMANDS, help="what to do, as the command of pya")
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of that command: pya ACTION --help")

    def handle(self, *_: Any, action: str, arguments: list[str], **__: Any) -> None:
        """As Django calls it; ends the process with the exit status of ``pya``."""
        if action in CHECKED and not {"-h", "--help"} & set(arguments):
            self.check_project()
        status = run(words(action, arguments))
        if status:
            sys.exit(status)

    def check_project(self) -> None:
        """All of ``check --deploy``.

        Raises:
            SystemCheckError: It found an error. Settings for the laptop may have one that does no harm on the host.
        """
        try:
            self.check(include_deployment_checks=True, fail_level=ERROR)
        except SystemCheckError as error:
            raise SystemCheckError(f"{error}\n\n{WAY_ON}") from error


def words(action: str, given: list[str]) -> list[str]:
    """The process to start."""
    return [sys.executable, "-m", "pythonanywhere_api", *arguments(action, given)]


def run(command: list[str]) -> int:
    """Runs ``pya`` in the folder of ``manage.py``, where its table is looked for, and returns its exit status."""
    folder = Path(sys.argv[0]).resolve().parent
    try:
        process = subprocess.Popen(command, cwd=folder if (folder / "manage.py").is_file() else None)
    except OSError as error:
        raise CommandError(f"pya cannot be started: {error}") from error
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            # The terminal told pya as well, which says what was done until then.
            continue
