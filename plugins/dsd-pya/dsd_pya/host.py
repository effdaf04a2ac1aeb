"""What a run does on the host: a launch, step by step as people read it."""

from __future__ import annotations

import os
from pathlib import Path

from django_simple_deploy.management.commands.utils.command_errors import DSDCommandError
from django_simple_deploy.management.commands.utils.plugin_utils import write_output

from pythonanywhere_api import LaunchEvent, LaunchReport, PythonAnywhereError, launch

from . import messages
from .options import Options


def check_token() -> None:
    """The token comes from the environment: the framework logs all options, and what is typed stays in a history.

    Raises:
        DSDCommandError: There is none.
    """
    if not os.environ.get("API_TOKEN", "").strip():
        raise DSDCommandError(messages.NO_TOKEN)


def launch_project(root: Path, options: Options) -> LaunchReport:
    """Launches the project, and tells of each step as it ends.

    Raises:
        DSDCommandError: It stopped, with the step, the reason and what is in place.
    """
    write_output("\nLaunching...")
    try:
        report = launch(
            root,
            username=options.user,
            host=options.host,
            project=options.project,
            domain=options.domain,
            settings=options.settings,
            site_url=options.site_url,
            python=options.python,
            virtualenv=options.virtualenv,
            env_file=options.env_file,
            replace_wsgi=options.replace_wsgi,
            progress=tell,
        )
        for warning in report.warnings:
            write_output(f"  Warning: {warning}")
        report.raise_for_failures()
    except PythonAnywhereError as error:
        raise DSDCommandError(f"\n{error}") from error
    return report


def tell(event: LaunchEvent) -> None:
    """Writes a step as it begins or ends; why one failed is said at the end."""
    if event.state == "running":
        write_output(f"  {event.step}...")
    elif event.state != "failed":
        # As pya launch has it: what is skipped was so already.
        word = "ok" if event.state == "skipped" else event.state
        write_output(f"  {event.step}: {word}{event.detail and f', {event.detail}'}")
