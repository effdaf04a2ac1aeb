"""What manage.py sees on the host: what the web app sees, by whatever executor, and what was given for one command."""

import contextlib
import json
import sys
import urllib.request
from pathlib import Path

import pytest
from conftest import for_both_classes
from test_before_upload import project_of, writes

from pythonanywhere_api import Client, ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator, set_clock_speed

pytestmark = pytest.mark.slow

EXECUTORS = ["webapp", "always_on", "schedule", "console"]

# A settings package whose module, database and secret come from variables that the WSGI file sets.
WSGI = """\
import os
import sys

path = os.path.expanduser("~/mysite")
if path not in sys.path:
    sys.path.insert(0, path)
sys.path.append("/home/{user}/lib")
os.chdir(os.path.join(path, "var"))
os.environ["DJANGO_SETTINGS_MODULE"] = "bakery.settings.production"
os.environ["DATABASE_URL"] = "sqlite:///live.db"
os.environ.setdefault("SECRET_KEY", "s3cret #1")
{more}

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"live"]
"""
SETTINGS = """\
import os
from bakery.settings.base import *
from shared import NAME
DATABASE_URL = os.environ["DATABASE_URL"]
SECRET_KEY = os.environ["SECRET_KEY"]
"""
MANAGE = """\
import importlib, json, os, sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bakery.settings.dev")
settings = importlib.import_module(os.environ["DJANGO_SETTINGS_MODULE"])
names = ["DEBUG", "DATABASE_URL", "SECRET_KEY", "NAME", "GIVEN"]
shown = {name: getattr(settings, name, os.environ.get(name)) for name in names}
print(json.dumps(shown | {"module": settings.__name__, "folder": os.path.basename(os.getcwd())}))
"""
LIVE = {
    "DEBUG": False,
    "DATABASE_URL": "sqlite:///live.db",
    "SECRET_KEY": "s3cret #1",
    "NAME": "shared",
    "GIVEN": None,
    "module": "bakery.settings.production",
    "folder": "var",
}
SECRET = "correct horse battery staple"


class Bakery:
    """A site with such settings, which has an agent."""

    def __init__(self, site):
        self.site, self.host = site, site.host
        self.files = {
            "bakery/__init__.py": "",
            "bakery/settings/__init__.py": "",
            "bakery/settings/base.py": "DEBUG = False\n",
            "bakery/settings/dev.py": "DEBUG = True\n",
            "bakery/settings/production.py": SETTINGS,
            "var/.keep": "",
            "manage.py": MANAGE,
        }
        for name, text in self.files.items():
            (site.local / name).parent.mkdir(parents=True, exist_ok=True)
            (site.local / name).write_text(text)
        assert site.deploy(executor="none", reload=None)
        home = site.remote.parent
        (home / "lib").mkdir()
        (home / "lib" / "shared.py").write_text("NAME = 'shared'\n")
        self.wsgi()
        self.client = Client(self.host.user, self.host.token, self.host.url)
        self.console = None

    def wsgi(self, more: str = "", text: str = WSGI) -> None:
        """Writes the WSGI file, and puts the agent in."""
        self.site.wsgi.write_text(text.replace("{user}", self.host.user).replace("{more}", more))
        assert self.site.run(self.site.api.agent.install(self.site.domain, self.host.site_url))["changed"]

    def options(self, executor: str) -> dict:
        if executor == "console" and self.console is None:
            self.console = self.client.consoles.create("bash")["id"]
            urllib.request.urlopen(f"{self.host.url}/user/{self.host.user}/consoles/{self.console}/").close()
        more = {"console": self.console} if executor == "console" else {}
        return dict(self.site.via, executor=executor, **more)

    def manage(self, executor: str, **more) -> dict:
        with hurried(executor):
            result = self.site.run(self.site.api.manage("check", **self.options(executor), **more))
        assert result.exit_status == 0, result.output
        return json.loads(result.output)


@contextlib.contextmanager
def hurried(executor: str):
    """A scheduled task begins two minutes later."""
    set_clock_speed(30 if executor == "schedule" else 1)
    try:
        yield
    finally:
        set_clock_speed(1)


@pytest.fixture
def bakery(site):
    return Bakery(site)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_manage_py_has_what_the_wsgi_file_sets(bakery, executor):
    assert bakery.manage(executor) == LIVE
    # Its secrets are in no note, though a task had to be told them.
    kept = [path for path in (bakery.site.remote.parent / ".pya").rglob("*") if path.is_file()]
    kept = [path for path in kept if path.name != "agent.json" and not path.name.startswith("receipt-")]
    assert [path for path in kept if "s3cret" in path.read_text(errors="replace")] == []


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("from dotenv import load_dotenv", "imports dotenv"),
        ('os.environ["DATABASE_URL"] = "sqlite:///" + os.environ["HOME"]', "DATABASE_URL"),
        ('if os.path.exists("/home"):\n    os.environ["DATABASE_URL"] = "sqlite:///other.db"', "DATABASE_URL"),
        ("for name in ['lib']:\n    sys.path.append(path + name)", "sys.path.append"),
    ],
    ids=["dotenv", "computed", "conditional", "path"],
)
def test_what_cannot_be_known_is_refused_by_name_outside_of_the_web_app(bakery, executor, more, told):
    if "dotenv" in more:
        (bakery.site.remote / "dotenv.py").write_text("load_dotenv = None\n")
    bakery.wsgi(more)
    if executor == "webapp":
        assert bakery.manage(executor)["module"] == LIVE["module"]
        return
    options = bakery.options(executor)
    bakery.host.clear_requests()
    with pytest.raises(ConfigError, match=told):
        bakery.site.run(bakery.site.api.manage("check", **options))
    assert writes(bakery.site) == []


@pytest.mark.parametrize("executor", ["webapp", "always_on"])
def test_the_working_folder_is_that_of_the_web_app(bakery, executor):
    bakery.client.webapps.update(bakery.site.domain, working_directory=f"/home/{bakery.host.user}/mysite/bakery")
    bakery.wsgi(text=WSGI.replace("os.chdir", "str"))
    assert bakery.manage(executor) == LIVE | {"folder": "bakery"}


# ---- the settings module by name


@pytest.mark.parametrize("executor", ["webapp", "always_on"])
def test_settings_that_are_named_win_over_those_of_the_wsgi_file(bakery, executor):
    shown = bakery.manage(executor, settings="bakery.settings.dev")
    assert shown == LIVE | {"DEBUG": True, "NAME": None, "module": "bakery.settings.dev"}
    pya = project_of(
        bakery.site, domain=bakery.site.domain, site_url=bakery.host.site_url, settings="bakery.settings.dev"
    )
    where = ["--executor", executor]
    assert json.loads(pya("manage", *where, "check").stdout)["DEBUG"]
    named = pya("manage", *where, "--settings", "bakery.settings.production", "check").stdout
    assert json.loads(named)["module"] == LIVE["module"]
    (bakery.site.local / "new.txt").write_text("")
    report = pya.json("deploy", "--no-health", "--migrate", *where)
    assert '"bakery.settings.dev"' in report["steps"][0]["output"]


def test_a_name_that_is_no_module_is_refused_before_any_request(bakery):
    pya = project_of(bakery.site, domain=bakery.site.domain, site_url=bakery.host.site_url)
    bakery.host.clear_requests()
    for name in ("bakery/settings.py", "my-site.settings", "a b", ".x"):
        assert "is not the name of a settings module" in pya("manage", "--settings", name, "check", code=2).stderr
        with pytest.raises(ConfigError, match="is not the name of a settings module"):
            bakery.site.run(bakery.site.api.manage("check", settings=name, **bakery.site.via))
        assert bakery.host.requests == []
        assert "is not the name of a settings module" in pya("deploy", "--settings", name, code=2).stderr
        assert writes(bakery.site) == []


@pytest.mark.parametrize("executor", ["webapp", "always_on"])
def test_with_settings_that_are_named_a_placeholder_is_no_obstacle(unlimited, tmp_path, executor):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
        domain = f"{host.user}.pythonanywhere.com"
        host.create_webapp(domain)
        (tmp_path / "manage.py").write_text("import os\nprint(os.environ['DJANGO_SETTINGS_MODULE'])\n")
        assert api.agent.install(domain, host.site_url)["changed"]
        assert api.deploy(api.deploy_diff(tmp_path)).ok
        via = {"domain": domain, "site_url": host.site_url, "executor": executor}
        with pytest.raises(ConfigError, match=r"placeholder.*settings="):
            api.manage("check", **via)
        result = api.manage("check", settings="mysite.settings", **via)
        assert result is not None, api.error_message
        assert result.output == "mysite.settings\n"


# ---- variables for one command


def secrets_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_variables_reach_one_command_and_stay_nowhere(bakery, executor):
    (bakery.site.remote / "manage.py").write_text("import os\nprint(sorted(os.environ.get('GIVEN', '')))\n")
    with hurried(executor):
        options = bakery.options(executor)
        result = bakery.site.run(bakery.site.api.manage("check", env={"GIVEN": SECRET}, **options))
        assert result.output == f"{sorted(SECRET)}\n"
        assert secrets_in(Path(bakery.host.root)) == []
        assert bakery.site.run(bakery.site.api.manage("check", **options)).output == "[]\n"
    assert bakery.site.notes("work-*") == []


def test_they_never_go_to_the_site(bakery):
    """The agent is told that there are some, and reads them where the API put them, which nobody else can enter."""
    bakery.host.faults.add("hold", method="POST", path="*/variables.json", times=1, stage="after")
    pya = project_of(bakery.site, domain=bakery.site.domain, site_url=bakery.host.site_url)
    run = pya.start("-vv", "manage", "--set-env", "GIVEN", "--", "check", GIVEN=SECRET)
    assert bakery.host.wait_held(1, timeout=60)
    (found,) = secrets_in(Path(bakery.host.root))
    assert found.parent.parent.parent.name == ".pya"
    assert found.parent.parent.parent.stat().st_mode & 0o077 == 0
    bakery.host.release(bakery.host.held()[0].number)
    out, err = run.communicate(timeout=60)
    assert json.loads(out)["GIVEN"] == SECRET
    assert SECRET not in err
    # The command itself printed it.
    assert {path.name[:8] for path in secrets_in(Path(bakery.host.root))} <= {"receipt-"}


def test_the_command_line_takes_values_from_here_or_as_they_are_typed(bakery):
    pya = project_of(bakery.site, domain=bakery.site.domain, site_url=bakery.host.site_url)
    shown = pya("manage", "--set-env", "GIVEN=a=b", "check").stdout
    assert json.loads(shown)["GIVEN"] == "a=b"
    shown = pya("manage", "--set-env", "GIVEN", "--set-env", "SECRET_KEY=other", "check", GIVEN="from here").stdout
    assert (json.loads(shown)["GIVEN"], json.loads(shown)["SECRET_KEY"]) == ("from here", "other")
    said = pya("run", "--executor", "always_on", "--set-env", "GIVEN=x", "--", "bash", "-c", "echo $GIVEN").stdout
    assert said == "x\n"
    (bakery.site.local / "new.txt").write_text("")
    report = pya.json("deploy", "--no-health", "--migrate", "--set-env", "GIVEN=step")
    assert '"GIVEN": "step"' in report["steps"][0]["output"]


@for_both_classes
def test_variables_that_decide_what_is_run_are_refused_before_any_request(site):
    pya = project_of(site, domain=site.domain)
    site.host.clear_requests()
    for name in ("API_TOKEN", "HOME", "PATH", "LD_PRELOAD", "PYTHONPATH", "1X", "A-B"):
        assert name in pya("manage", "--set-env", f"{name}=x", "check", code=2).stderr
        with pytest.raises(ConfigError, match=name):
            site.run(site.api.run("true", env={name: "x"}, executor="always_on"))
    assert "is not set here" in pya("run", "--set-env", "NOT_SET_HERE", "--", "true", code=2).stderr
    assert "--settings" in pya("manage", "--set-env", "DJANGO_SETTINGS_MODULE=x", "check", code=2).stderr
    with pytest.raises(TypeError, match="env must be a mapping"):
        site.run(site.api.manage("check", env={"A": 1}))
    assert site.host.requests == []


def test_what_a_refused_command_was_given_is_gone(bakery):
    assert bakery.site.run(bakery.site.api.run("mkdir -p x; rm manage.py", executor="always_on")).exit_status == 0
    with pytest.raises(ConfigError, match=r"there is no manage\.py"):
        bakery.site.run(bakery.site.api.manage("check", env={"GIVEN": SECRET}, **bakery.options("webapp")))
    assert secrets_in(Path(bakery.host.root)) == []


def test_a_lost_answer_leaves_no_variables(bakery):
    bakery.host.faults.add("status", code=400, method="POST", path="*/always_on/", times=5)
    with pytest.raises(ConfigError, match="allows no task"):
        bakery.site.run(bakery.site.api.manage("check", env={"GIVEN": SECRET}, **bakery.options("always_on")))
    assert secrets_in(Path(bakery.host.root)) == []
