"""Makes a web app from nothing and puts a Django project on it:

    python create_site.py FOLDER PROJECT DOMAIN [VIRTUALENV]

FOLDER holds the project with its package PROJECT/settings.py; VIRTUALENV is a path in the account. The account is in
API_TOKEN, PYTHONANYWHERE_USERNAME and PYTHONANYWHERE_SITE. What Django needs in the account (a virtual environment, the
database) is made in a console. `launch()` makes all of it; this shows the calls behind that.
"""

from __future__ import annotations

import sys

from pythonanywhere_api import Client, NotFoundError, PythonanywhereApi

WSGI = """\
import os
import sys

sys.path.insert(0, os.path.expanduser("~/{project}"))
os.environ["DJANGO_SETTINGS_MODULE"] = "{project}.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


def create(folder: str, project: str, domain: str, virtualenv: str = "", *, python_version: str = "3.11") -> None:
    """Makes the web app unless it is there, deploys the project, and points the web app at it."""
    api = PythonanywhereApi.from_env(project)
    with Client.from_env() as client:
        remote = f"/home/{client.username}/{project}"
        try:
            client.webapps.get(domain)
        except NotFoundError:
            client.webapps.create(domain, python_version)

        diff = api.deploy_diff(folder)
        if diff is None:
            raise SystemExit(api.error_message)
        api.deploy(diff).raise_for_failures()

        client.webapps.update(domain, source_directory=remote, virtualenv_path=virtualenv)
        if "/static/" not in [mapping.get("url") for mapping in client.webapps.static_files.list(domain)]:
            client.webapps.static_files.create(domain, "/static/", f"{remote}/staticfiles")
        wsgi_file = f"/var/www/{domain.lower().replace('.', '_')}_wsgi.py"
        client.files.upload(wsgi_file, WSGI.format(project=project).encode())
        client.webapps.reload(domain)


if __name__ == "__main__":
    create(*sys.argv[1:5])
