"""A real site to deploy: what `wagtail start` makes, ready for production, with its static files collected."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

LOCAL_SETTINGS = 'SECRET_KEY = "only for tests"\nALLOWED_HOSTS = ["*"]\n'

WSGI = """\
import os
import sys

sys.path.insert(0, os.path.expanduser("~/{project}"))
os.environ["DJANGO_SETTINGS_MODULE"] = "{project}.settings.production"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


def make_wagtail_site(folder: Path, project: str = "mysite") -> Path:
    """Makes the project in `folder`/`project` with the interpreter's own wagtail and returns that path."""
    root = wagtail_start(folder, project)
    (root / project / "settings" / "local.py").write_text(LOCAL_SETTINGS)
    manage(root, "collectstatic", "--noinput")
    manage(root, "migrate")
    return root


def wagtail_start(folder: Path, project: str = "mysite") -> Path:
    """What `wagtail start` makes in `folder`/`project`, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    wagtail = shutil.which("wagtail", path=Path(sys.executable).parent)
    assert wagtail, "wagtail is among the development requirements"
    run([wagtail, "start", project], folder)
    return folder / project


def manage(root: Path, *arguments: str) -> None:
    run([sys.executable, "manage.py", *arguments, "--settings", f"{root.name}.settings.production"], root)


def run(command: list[str], folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def files_below(root: Path) -> dict[str, bytes]:
    """Every file below `root`, relative path to content, without what a running Python leaves behind."""
    return {path: content for path, content in all_files(root).items() if "__pycache__" not in Path(path).parts}


def all_files(root: Path) -> dict[str, bytes]:
    """Every file below `root`, relative path to content."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
