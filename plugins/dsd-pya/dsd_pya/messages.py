"""The texts that people read."""

from __future__ import annotations

from collections.abc import Sequence

from pythonanywhere_api import LaunchReport

CONFIRM = """
With --automate-all this plugin
  - writes settings_pythonanywhere.py and the table [tool.pythonanywhere] of pyproject.toml, as far as they are needed;
    settings.py is not edited,
  - commits all changes in this repository,
  - makes on your PythonAnywhere account what is missing: the web app, its WSGI file, a virtualenv, mappings of static
    files and the database's tables; and sends the project's files.
A WSGI file that you wrote is left alone, unless you give --replace-wsgi. A free account is enough.
"""

COMMIT = "Configure the project for PythonAnywhere"

NO_TOKEN = """
The API token is missing. Make one on the Account page of PythonAnywhere, tab "API Token", and run this again:
  $ export API_TOKEN=...
Nothing was changed.
"""

NO_PROJECT = "dsd-pya deploys projects with a manage.py, and this one has none."

REGION_AND_HOST = "--region and --host both name the service: give one of them."


def unknown_region(region: str) -> str:
    """PythonAnywhere has two systems."""
    return f"--region is us or eu on PythonAnywhere, and not {region}."


def no_env_file(path: str) -> str:
    """For a file of variables that is not there."""
    return f"--env-file: there is no file {path}."


def no_requirements(manager: str) -> str:
    """For a project whose requirements pip on the host could not read, or which lack the framework."""
    command = {
        "poetry": "poetry lock && poetry export --with deploy --output requirements.txt",
        "pipenv": "pipenv lock && pipenv requirements > requirements.txt",
    }[manager]
    return (
        f"\nPythonAnywhere installs requirements.txt, and this project lists its requirements with {manager}.\n"
        f"Make the file, commit it, and run this again; it must name django-simple-deploy, which your settings need:\n"
        f"  $ {command}"
    )


def git_failed(command: str, reason: str) -> str:
    """For a commit that was not made."""
    return f"\ngit {command} failed, so nothing was launched:\n{reason}"


def configured(written: Sequence[str]) -> str:
    """What was done without --automate-all, and what a person does next."""
    done = f"{' and '.join(written)} written." if written else "everything was there already."
    return f"""
The project is configured for PythonAnywhere: {done}
Nothing was sent. Look at the changes, commit them, and launch the project:
  $ git add . && git commit -m "{COMMIT}"
  $ export API_TOKEN=...   # from the Account page of PythonAnywhere, tab "API Token"
  $ pya launch
"""


def launched(report: LaunchReport) -> str:
    """Where the site is, and what a person does next."""
    lines = ["", f"Your project is served at {report.url}", *(f"  Next: {what}" for what in report.next)]
    lines += ["After the next change, commit it and run `pya deploy` or `pya launch`."]
    return "\n".join(lines)
