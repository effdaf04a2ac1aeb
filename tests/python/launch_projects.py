"""Projects to launch, as people have them before they deploy anything, and wheels of what they need."""

import importlib.metadata
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

BLOG_SETTINGS = """\
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "blog",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "config.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}}
STATIC_URL = "static/"
MEDIA_URL = "media/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""

BLOG = {
    "manage.py": (
        "import os, sys\n\nif __name__ == '__main__':\n"
        "    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.dev')\n"
        "    from django.core.management import execute_from_command_line\n\n"
        "    execute_from_command_line(sys.argv)\n"
    ),
    "requirements.txt": "Django==5.2.19\n",
    ".gitignore": ".env\ndb.sqlite3\n/media/\n",
    ".env": "# of the laptop\nSECRET_KEY='not $the one'\nBLOG_TITLE=My first blog\n",
    "config/__init__.py": "",
    "config/settings/__init__.py": "",
    "config/settings/base.py": BLOG_SETTINGS,
    "config/settings/dev.py": "from .base import *\n\nDEBUG = True\n",
    "config/settings/production.py": "from .base import *\n\nDEBUG = False\n",
    "config/wsgi.py": (
        "import os\n\nfrom django.core.wsgi import get_wsgi_application\n\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'config.settings.production')\n"
        "application = get_wsgi_application()\n"
    ),
    "config/urls.py": (
        "from django.contrib import admin\nfrom django.urls import path\n\nfrom blog import views\n\n"
        "urlpatterns = [path('admin/', admin.site.urls), path('', views.index)]\n"
    ),
    "blog/__init__.py": "",
    "blog/models.py": (
        "from django.db import models\n\n\nclass Post(models.Model):\n    title = models.CharField(max_length=99)\n"
        "    picture = models.FileField(blank=True)\n"
    ),
    "blog/migrations/__init__.py": "",
    "blog/migrations/0001_initial.py": (
        "from django.db import migrations, models\n\n\nclass Migration(migrations.Migration):\n    initial = True\n"
        "    dependencies = []\n    operations = [\n        migrations.CreateModel(\n            name='Post',\n"
        "            fields=[\n                ('id', models.BigAutoField(primary_key=True, serialize=False)),\n"
        "                ('title', models.CharField(max_length=99)),\n"
        "                ('picture', models.FileField(blank=True, upload_to='')),\n            ],\n        )\n    ]\n"
    ),
    "blog/views.py": (
        "import os\n\nfrom django.http import HttpResponse\n\nfrom .models import Post\n\n\ndef index(request):\n"
        "    return HttpResponse(f\"{os.environ['BLOG_TITLE']}: {Post.objects.count()} posts\")\n"
    ),
    "blog/static/blog/style.css": "body { color: green }\n",
    "media/cat.txt": "meow\n",
}

FLASK = {
    "app.py": "from flask import Flask\n\napp = Flask(__name__, 'Hello from Flask')\n",
    "requirements.txt": "flask\n",
}

# As far as the application below needs it.
FLASK_MODULE = """\
class Flask:
    def __init__(self, name, text):
        self.text = text

    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [self.text.encode()]
"""


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def startproject(folder: Path, name: str = "mysite") -> Path:
    """What `django-admin startproject` makes."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "django", "startproject", name], cwd=folder, check=True)
    return folder / name


def make_wheels(folder: Path, more: Iterable[str] = ()) -> Path:
    """A folder of wheels: Django and what it needs, and `more`, from the packages installed here, and a small Flask."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ["django", "asgiref", "sqlparse", *more]:
        distribution = importlib.metadata.distribution(name)
        wheel = folder / f"{name.replace('-', '_')}-{distribution.version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for file in distribution.files or []:
                if (
                    ".." not in file.parts
                    and "__pycache__" not in file.parts
                    and file.name not in {"RECORD", "INSTALLER"}
                ):
                    archive.write(file.locate(), file.as_posix())
            archive.writestr(f"{distribution._path.name}/RECORD", "")
    return make_flask_wheel(folder)


def make_wheels_of(name: str, folder: Path) -> Path:
    """A folder of wheels of a package that is installed here, and of all that it needs, as the demo makes them."""
    folder.mkdir(parents=True, exist_ok=True)
    script = Path(__file__).parents[2] / "src/cli/commands/demo/wheels.py"
    subprocess.run([sys.executable, script, name, folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def make_flask_wheel(folder: Path) -> Path:
    """A wheel of the small Flask."""
    folder.mkdir(parents=True, exist_ok=True)
    info = "flask-3.0.dist-info"
    with zipfile.ZipFile(folder / "flask-3.0-py3-none-any.whl", "w") as archive:
        archive.writestr("flask.py", FLASK_MODULE)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: flask\nVersion: 3.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return folder
