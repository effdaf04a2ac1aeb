"""What a run changes in the project: the files that ``pya init`` writes, and a commit of them.

``settings.py`` is never edited: where something is missing for being served, a file beside it imports it and adds just
that. See https://github.com/pythonanywhere-api/pythonanywhere-api/blob/main/docs/tutorial.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from django_simple_deploy.management.commands.utils.command_errors import DSDCommandError
from django_simple_deploy.management.commands.utils.plugin_utils import dsd_config, write_output

from . import messages
from .options import Options


def check_requirements(root: Path) -> None:
    """The host installs ``requirements.txt``, which must name the framework: it is among ``INSTALLED_APPS``.

    The framework adds itself to the list of the tool that the project uses, which pip on the host may not read.

    Raises:
        DSDCommandError: It does not, with the command that makes one that does.
    """
    if dsd_config.pkg_manager == "req_txt":
        return
    path = root / "requirements.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if not re.search(r"^django[-_.]simple[-_.]deploy\b", text, re.MULTILINE | re.IGNORECASE):
        raise DSDCommandError(messages.no_requirements(dsd_config.pkg_manager))


def configure(root: Path, options: Options) -> list[str]:
    """Writes what the project needs to be served, without asking the host anything; returns the files' names.

    Raises:
        DSDCommandError: What the project is does not show, or nothing says whose it is to be.
    """
    named = {
        "--user": options.user,
        "--host": options.host,
        "--project": options.project,
        "--domain": options.domain,
        "--settings": options.settings,
        "--site-url": options.site_url,
        "--env-file": options.env_file,
    }
    words = [word for option, value in named.items() if value for word in (option, value)]
    command = [sys.executable, "-m", "pythonanywhere_api", "init", "--json", *words, "--", str(root)]
    # In a job of GitHub Actions its messages would be annotations.
    environment = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise DSDCommandError(done.stderr.strip())
    found = json.loads(done.stdout)
    for file in found["files"]:
        write_output(f"\n{file['path']}:")
        write_output("\n".join(f"    {line}".rstrip() for line in file["text"].splitlines()))
    written: list[str] = found["written"]
    return written


def commit(root: Path) -> None:
    """Commits what the framework and this plugin wrote, if that is not so already.

    Raises:
        DSDCommandError: Git refuses, so nothing is launched.
    """
    write_output("\nCommitting the configuration...")
    # In the folder of .git, since manage.py may lie in one below it, where other files are not seen.
    git(root, "add", "--all")
    if not git(root, "status", "--porcelain"):
        write_output("  Nothing to commit.")
        return
    write_output(git(root, "commit", "--message", messages.COMMIT))


def git(root: Path, *words: str) -> str:
    """What git prints.

    Raises:
        DSDCommandError: It failed, or is not there.
    """
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, encoding="utf-8")
    except OSError as error:
        raise DSDCommandError(messages.git_failed(words[0], str(error))) from error
    if done.returncode != 0:
        raise DSDCommandError(messages.git_failed(words[0], done.stderr.strip() or done.stdout.strip()))
    return done.stdout.strip()
