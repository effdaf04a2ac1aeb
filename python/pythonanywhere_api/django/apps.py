"""The application that Django loads."""

from __future__ import annotations

from django.apps import AppConfig
from django.core import checks

from .checks import check_deploy


class PythonanywhereConfig(AppConfig):
    """Registers the checks; the command needs nothing else."""

    name = "pythonanywhere_api.django"
    # Two applications named "django" would get into each other's way.
    label = "pythonanywhere"
    verbose_name = "PythonAnywhere"

    def ready(self) -> None:
        """Registers the checks, which run with ``check --deploy`` only."""
        checks.register(check_deploy, "pythonanywhere", deploy=True)
