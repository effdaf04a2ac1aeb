"""The hooks. The framework imports this module by its name, and calls each hook once in a run of ``manage.py deploy``.

See ``django_simple_deploy.hookspecs``. The options are validated before the framework looks at the project or changes
anything in it, so what can be refused is refused there.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django_simple_deploy import hookimpl
from django_simple_deploy.management.commands.utils.command_errors import DSDCommandError
from django_simple_deploy.management.commands.utils.plugin_utils import dsd_config, write_output

from . import files, host, messages
from .options import Options, add_arguments


class PluginConfig:
    """What the framework has to know of a plugin."""

    platform_name = "PythonAnywhere"
    automate_all_supported = True
    confirm_automate_all_msg = messages.CONFIRM


class Run:
    """What one hook leaves to the next."""

    options = Options()


@hookimpl
def dsd_get_plugin_config() -> PluginConfig:
    """Returns the name of the platform, and what is asked before everything is automated."""
    return PluginConfig()


@hookimpl
def dsd_get_plugin_cli(parser: ArgumentParser) -> None:
    """Adds the plugin's options to those of ``manage.py deploy``."""
    add_arguments(parser)


@hookimpl
def dsd_validate_cli(options: dict[str, Any]) -> None:
    """Refuses options that make no sense, and a run that could not reach the account."""
    Run.options = Options.chosen(options)
    if options["automate_all"]:
        host.check_token()


@hookimpl
def dsd_deploy() -> None:
    """Writes the configuration; with ``--automate-all``, commits it and launches the project."""
    if dsd_config.nanodjango_project:
        raise DSDCommandError(messages.NO_PROJECT)
    # Where requirements and .git are: the folder of manage.py, or the one around it.
    root = Path(dsd_config.git_path)
    files.check_requirements(root)
    written = files.configure(root, Run.options)
    if not dsd_config.automate_all:
        write_output(messages.configured(written))
        return
    files.commit(root)
    report = host.launch_project(root, Run.options)
    write_output(messages.launched(report))
