"""What a site needs besides its files, made on a free account: virtualenv, requirements, settings, variables."""

import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import Caller, project_folder
from runner_pip import VERSION, wheel_of

from pythonanywhere_api import AsyncPythonanywhereApi, Client, ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator

pytestmark = pytest.mark.slow

WSGI = """\
import os
import sys

sys.path.insert(0, os.path.expanduser("~/mysite"))
os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""
MORE = """
import os
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["*"]
STATIC_ROOT = BASE_DIR / "staticfiles"
print("hunter2")
"""


class Site:
    """A free account with a web app that cannot be loaded yet, and a Django project that was just begun."""

    def __init__(self, caller: Caller, local: Path, wheels: Path):
        self.caller, self.host, self.local = caller, caller.emulator, local
        self.api = caller.api()
        self.domain = f"{self.host.user}.pythonanywhere.com"
        self.host.create_webapp(self.domain)
        wsgi = Path(self.host.root) / "var" / "www" / f"{self.domain.replace('.', '_')}_wsgi.py"
        wsgi.write_text(WSGI)
        self.via = {"domain": self.domain, "site_url": self.host.site_url}
        self.virtualenv = f"/home/{self.host.user}/.virtualenvs/mysite"
        subprocess.run([sys.executable, "-m", "django", "startproject", "mysite", local], check=True, timeout=60)
        with (local / "mysite" / "settings.py").open("a") as settings:
            settings.write(MORE)
        (local / "requirements.txt").write_text("--no-index\n--find-links ../wheels\ndjango\n")
        project_folder(self.host).mkdir(parents=True, exist_ok=True)
        shutil.copytree(wheels, project_folder(self.host).parent / "wheels")
        assert self.run(self.api.agent.install(self.domain, self.host.site_url))["changed"]

    def run(self, result):
        return self.caller.run(result)

    def does(self, name: str, *words, **options):
        value = self.run(getattr(self.api, name)(*words, **self.via, **options))
        assert value is not None, self.api.error_message
        return value


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    wheel_of(folder, "Django")
    return folder


@pytest.fixture
def host(unlimited):
    with Emulator(rate_limit=None, python=sys.executable) as host:
        yield host


@pytest.mark.parametrize("api_class", [PythonanywhereApi, AsyncPythonanywhereApi], ids=["sync", "async"])
def test_a_site_gets_all_that_it_needs_and_a_second_time_nothing_is_done(api_class, host, tmp_path, wheels):
    (tmp_path / "local").mkdir()
    site = Site(Caller(api_class, host), tmp_path / "local", wheels)
    assert site.run(site.api.deploy(site.run(site.api.deploy_diff(site.local)))).ok
    made = site.does("make_virtualenv", "mysite", VERSION)
    assert made == {"path": site.virtualenv, "python": VERSION, "created": True}
    done = site.does("install_requirements", "requirements.txt", site.virtualenv)
    assert done == {"installed": True, "packages": 3, "rounds": 1, "in_one_go": None}
    client = Client(host.user, host.token, host.url)
    client.webapps.update(site.domain, virtualenv_path=site.virtualenv)

    # The settings cannot be imported without the variable that they need.
    assert (
        site.run(site.api.inspect_settings(settings="mysite.settings", virtualenv=site.virtualenv, **site.via)) is None
    )
    assert "the settings mysite.settings cannot be imported: KeyError: 'SECRET_KEY'" in site.api.error_message
    names = site.run(site.api.agent.set_variables(site.domain, {"SECRET_KEY": "s3cret", "X": None}, host.site_url))
    assert names == ["SECRET_KEY"]
    for given in ({"settings": "mysite.settings", "virtualenv": site.virtualenv}, {}):
        found = site.does("inspect_settings", **given)
        assert found == {
            "settings": "mysite.settings",
            "django": found["django"],
            "debug": False,
            "allowed_hosts": ["*"],
            "csrf_trusted_origins": [],
            "static_url": "/static/",
            "static_root": f"/home/{host.user}/mysite/staticfiles",
            "media_url": None,
            "media_root": None,
            "engines": ["django.db.backends.sqlite3"],
            "relative_databases": [],
            "has_secret_key": True,
            "wsgi_application": "mysite.wsgi.application",
        }
    ran = site.does("manage", "migrate", "--noinput")
    assert ran.exit_status == 0, ran.output
    client.webapps.reload(site.domain)
    with urllib.request.urlopen(f"{host.site_url}/admin/login/", timeout=60) as answer:
        assert b"Django administration" in answer.read()

    assert site.run(site.api.agent.variables(site.domain)) == {"SECRET_KEY": "s3cret"}
    assert site.does("make_virtualenv", "mysite", VERSION)["created"] is False
    assert site.does("install_requirements", "requirements.txt", site.virtualenv)["installed"] is False
    kept = [path for path in (Path(host.root) / "home" / host.user / ".pya").rglob("*") if path.is_file()]
    kept = "".join(path.read_bytes().decode("utf-8", "replace") for path in kept if path.name != "variables.json")
    assert "s3cret" not in kept
    assert '"venv"' in kept
    history = site.run(site.api.history())
    assert [entry["operation"] for entry in history if entry["operation"] == "variables"] == ["variables"]
    assert "hunter2" not in json.dumps(history)


def test_what_is_wrong_is_told_before_or_by_the_step(host, tmp_path, wheels):
    (tmp_path / "local").mkdir()
    site = Site(Caller(PythonanywhereApi, host), tmp_path / "local", wheels)
    api = site.api
    for name, python in [("../x", VERSION), ("a/b", VERSION), ("", VERSION), ("x", "3"), ("x", "3.99")]:
        with pytest.raises(ConfigError):
            api.make_virtualenv(name, python, **site.via)
    with pytest.raises(ConfigError, match=r"there is no requirements\.txt"):
        api.install_requirements("requirements.txt", "/usr", **site.via)
    with pytest.raises(ConfigError, match=r"there is no manage\.py"):
        api.inspect_settings(settings="mysite.settings", virtualenv=f"/home/{host.user}/x", **site.via)
    other = project_folder(host).parent / ".virtualenvs" / "other"
    other.mkdir(parents=True)
    (other / "pyvenv.cfg").write_text("version = 3.7.1\n")
    with pytest.raises(ConfigError, match=r"other has Python 3\.7, not .*: remove it, or choose another name"):
        api.make_virtualenv("other", VERSION, **site.via)
    with pytest.raises(ConfigError, match="PATH cannot be set"):
        api.agent.set_variables(site.domain, {"PATH": "x"})
    with pytest.raises(TypeError, match="mapping of str to str or None"):
        api.agent.set_variables(site.domain, {"A": 1})
    api.agent.remove(site.domain, host.site_url)
    with pytest.raises(ConfigError, match="agent install"):
        api.agent.set_variables(site.domain, {"A": "x"}, host.site_url)
    with pytest.raises(ConfigError, match="nothing can run commands"):
        api.make_virtualenv("x", VERSION)
