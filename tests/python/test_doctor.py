"""`pya doctor`: a healthy site, and every planted mistake found, with the command that mends it."""

import asyncio
import contextlib
import email.utils
import inspect
import json
import os
import site as python_site
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Pya, clean_environment

from pythonanywhere_api import AsyncPythonanywhereApi, Client, PythonanywhereApi
from pythonanywhere_api.testing import Emulator

DOMAIN = "demo.pythonanywhere.com"

SETTINGS = """\
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "only for tests"
DEBUG = False
ALLOWED_HOSTS = ["demo.pythonanywhere.com", "127.0.0.1"]
ROOT_URLCONF = "bakery.urls"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "collected"
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "uploads"
"""

FILES = {
    "bakery/__init__.py": "",
    "bakery/settings.py": SETTINGS,
    "bakery/production.py": "from .settings import *\n",
    "bakery/urls.py": "urlpatterns = []\n",
    "collected/site.css": "",
    "manage.py": """\
import os
import sys
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bakery.settings")
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
""",
}

WSGI = """\
import os
import sys

path = os.path.expanduser("~/mysite")
if path not in sys.path:
    sys.path.insert(0, path)
os.environ["DJANGO_SETTINGS_MODULE"] = "bakery.settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""

VERSION = "{}.{}".format(*sys.version_info)


def make_virtualenv(folder: Path) -> None:
    """A virtualenv with the packages of the one that runs the tests, which takes no time."""
    base = Path(sys._base_executable)  # type: ignore[attr-defined]
    packages = folder / "lib" / f"python{VERSION}" / "site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = {base.parent}\nversion = {VERSION}.0\n")
    (packages / "tests.pth").write_text("\n".join(python_site.getsitepackages()) + "\n")


class Patient:
    """A web app of an account that is well, and the folder in which `pya` is called."""

    def __init__(self, host: Emulator, folder: Path):
        self.host, self.folder = host, folder
        self.home = Path(host.root) / "home" / host.user
        self.wsgi = Path(host.root) / "var" / "www" / "demo_pythonanywhere_com_wsgi.py"
        self.errors = Path(host.root) / "var" / "log" / f"{DOMAIN}.error.log"
        self.client = Client(host.user, host.token, host.url, rate_limit="off")
        self.table = {"project": "mysite", "domain": DOMAIN, "site_url": host.site_url}
        account = {"API_TOKEN": host.token, "PYTHONANYWHERE_USERNAME": host.user, "PYTHONANYWHERE_SITE": host.url}
        self.pya = Pya(folder, clean_environment(**account, PYTHONANYWHERE_RATE_LIMIT="off"))

    def configure(self, **changes: str) -> None:
        table = {name: value for name, value in (self.table | changes).items() if value}
        lines = [f"{name} = {json.dumps(value)}" for name, value in table.items()]
        (self.folder / "pyproject.toml").write_text("\n".join(["[tool.pythonanywhere]", *lines, ""]))

    def prepare(self) -> None:
        self.configure()
        for name, text in FILES.items():
            path = self.home / "mysite" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        make_virtualenv(self.home / ".virtualenvs" / "site")
        self.host.create_webapp(python_version=VERSION, virtualenv=f"/home/{self.host.user}/.virtualenvs/site")
        for url, folder in (("/static/", "collected"), ("/media/", "uploads")):
            self.client.webapps.static_files.create(DOMAIN, url, f"/home/{self.host.user}/mysite/{folder}")
        self.wsgi.write_text(WSGI)
        self.pya("agent", "install", DOMAIN)

    def examine(self, code: int, **environment: str) -> dict[str, dict[str, str]]:
        """What is found, by the name of the check."""
        diagnosis = self.pya.json("doctor", code=code, **environment)
        assert diagnosis["ok"] is (code == 0)
        return {finding["check"]: finding for finding in diagnosis["checks"]}


@pytest.fixture(scope="module")
def patient(tmp_path_factory) -> Iterator[Patient]:
    with Emulator(rate_limit=None, python=sys.executable) as host:
        patient = Patient(host, tmp_path_factory.mktemp("project"))
        patient.prepare()
        yield patient


def clock_state(patient: Patient) -> str:
    """What is to be said of the emulator's clock: it is this process', which other tests may have moved."""
    url = f"{patient.host.url}/api/v0/user/{patient.host.user}/cpu/"
    asked = urllib.request.Request(url, headers={"Authorization": f"Token {patient.host.token}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        date = email.utils.parsedate_to_datetime(answer.headers["Date"])
    return "ok" if abs(date.timestamp() - time.time()) < 60 else "warning"


def test_a_healthy_site_has_neither_errors_nor_warnings(patient):
    patient.errors.write_text("")
    findings = patient.examine(0)
    states = dict.fromkeys(findings, "ok") | {"clock": clock_state(patient)}
    assert {name: finding["state"] for name, finding in findings.items()} == states, findings
    assert {
        "token",
        "clock",
        "domain",
        "agent",
        "ALLOWED_HOSTS",
        "static files",
        "media files",
        "page",
    } <= findings.keys()
    assert not list((patient.home / ".pya").glob("doctor-*")), "the probe of the disk is gone"
    shown = patient.pya("doctor")
    assert shown.stdout.splitlines()[0].split() == ["ok", "configuration", "it", "can", "be", "used"]
    end = "all is well" if clock_state(patient) == "ok" else "errors: 0, warnings: 1"
    assert end in shown.stderr


@pytest.mark.parametrize("kind", [PythonanywhereApi, AsyncPythonanywhereApi])
def test_both_classes_return_what_the_command_prints(patient, kind, monkeypatch):
    monkeypatch.setenv("PYTHONANYWHERE_RATE_LIMIT", "off")
    api = kind(patient.host.url, patient.host.user, patient.host.token, "mysite")

    async def examine(**options):
        found = api.doctor(**options)
        return await found if inspect.isawaitable(found) else found

    site = {"domain": DOMAIN, "site_url": patient.host.site_url}
    found = asyncio.run(examine(**site))
    printed = patient.pya.json("doctor")["checks"][1:]
    if clock_state(patient) == "warning":
        # This process shares the emulator's clock, and `pya` has its own.
        (printed_clock,) = [check for check in printed if check["check"] == "clock"]
        assert printed_clock["state"] == "warning"
        own = next(check for check in found["checks"] if check["check"] == "clock")
        printed = [own if check is printed_clock else check for check in printed]
    assert found["checks"] == printed
    patient.client.webapps.disable(DOMAIN)
    found = asyncio.run(examine(**site))
    patient.client.webapps.enable(DOMAIN)
    assert not found["ok"]
    assert f"pya webapps enable {DOMAIN}" in [check["command"] for check in found["checks"]]


Plant = Callable[[Patient], contextlib.AbstractContextManager[dict[str, str] | None]]
MISTAKES: list[tuple[str, Plant, str, str, str]] = []


def mistake(check: str, command: str, state: str = "error"):
    """Registers a mistake: what finds it, and a part of the command that mends it."""

    def register(plant):
        @contextlib.contextmanager
        def planted(patient):
            planting = plant(patient)
            environment = next(planting)
            try:
                yield environment
            finally:
                next(planting, None)

        MISTAKES.append((plant.__name__, planted, check, state, command))
        return plant

    return register


@contextlib.contextmanager
def changed(file: Path, text: str | None) -> Iterator[None]:
    """A file with another text, or without one; the WSGI file keeps its time, so that the web app is not reloaded."""
    before, times = file.read_bytes(), file.stat()
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    try:
        yield
    finally:
        file.write_bytes(before)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


@contextlib.contextmanager
def settings(patient: Patient, old: str, new: str) -> Iterator[None]:
    assert old in SETTINGS
    with changed(patient.home / "mysite" / "bakery" / "settings.py", SETTINGS.replace(old, new)):
        yield


@contextlib.contextmanager
def web_app(patient: Patient, **fields: str) -> Iterator[None]:
    """The list of web apps with other fields."""
    apps = json.dumps([dict(patient.client.webapps.list()[0]) | fields])
    path = f"*/api/v0/user/{patient.host.user}/webapps/"
    rule = patient.host.faults.add("status", method="GET", path=path, code=200, body=apps)
    try:
        yield
    finally:
        patient.host.faults.remove(rule)


@mistake("configuration", "pya init")
def a_misspelt_key(patient):
    patient.configure(protect="db.sqlite3")
    yield
    patient.configure()


@mistake("configuration", "pya init")
def no_project(patient):
    patient.configure(project="")
    yield
    patient.configure()


@mistake("configuration", "pya login")
def no_token(patient):
    yield {"API_TOKEN": "", "XDG_CONFIG_HOME": str(patient.folder), "HOME": str(patient.folder)}


@mistake("token", "pya login")
def a_wrong_token(patient):
    yield {"API_TOKEN": "0" * 40}


@mistake("token", "pya login")
def the_token_of_another_account(patient):
    yield {"PYTHONANYWHERE_USERNAME": "somebody"}


@mistake("host", "export PYTHONANYWHERE_SITE=www.pythonanywhere.com")
def a_host_that_does_not_answer(patient):
    yield {"PYTHONANYWHERE_SITE": "http://127.0.0.1:9"}


@mistake("proxy", "unset HTTPS_PROXY")
def a_proxy_that_does_not_answer(patient):
    yield {"PYTHONANYWHERE_SITE": "https://pythonanywhere.example", "HTTPS_PROXY": "http://127.0.0.1:9"}


@mistake("domain", "pya init")
def a_domain_that_the_account_does_not_have(patient):
    patient.configure(domain="www.example.com")
    yield
    patient.configure()


@mistake("domain", "pya init", state="warning")
def no_domain(patient):
    patient.configure(domain="")
    yield
    patient.configure()


@mistake("domain", "pya launch")
def no_web_app(patient):
    path = f"*/api/v0/user/{patient.host.user}/webapps/"
    rule = patient.host.faults.add("status", method="GET", path=path, code=200, body="[]")
    yield
    patient.host.faults.remove(rule)


@mistake("web app", f"pya webapps enable {DOMAIN}")
def a_disabled_web_app(patient):
    patient.client.webapps.disable(DOMAIN)
    yield
    patient.client.webapps.enable(DOMAIN)


@mistake("expiry", "pya open --dashboard")
def an_expired_web_app(patient):
    with web_app(patient, expiry="2020-11-23"):
        yield


@mistake("WSGI file", "pya launch")
def no_wsgi_file(patient):
    with changed(patient.wsgi, None):
        yield


@mistake("WSGI file", "pya launch")
def the_placeholder(patient):
    with Emulator(rate_limit=None) as fresh:
        fresh.create_webapp()
        placeholder = (Path(fresh.root) / patient.wsgi.relative_to(patient.host.root)).read_text()
    with changed(patient.wsgi, placeholder):
        yield


@mistake("WSGI file", "pya launch --replace-wsgi")
def the_wsgi_file_of_another_project(patient):
    patient.configure(project="othersite")
    yield
    patient.configure()


@mistake("WSGI file", "pya launch --replace-wsgi", state="warning")
def other_settings_in_the_wsgi_file(patient):
    patient.configure(settings="bakery.production")
    yield
    patient.configure()


@mistake("virtualenv", "pya launch")
def no_virtualenv(patient):
    folder = patient.home / ".virtualenvs" / "site"
    folder.rename(folder.with_name("gone"))
    yield
    folder.with_name("gone").rename(folder)


@mistake("virtualenv", f"pya webapps update {DOMAIN} python_version=3.9 && pya reload {DOMAIN}")
def a_virtualenv_with_another_python(patient):
    with changed(patient.home / ".virtualenvs" / "site" / "pyvenv.cfg", "home = /usr/bin\nversion = 3.9.1\n"):
        yield


@mistake("agent", f"pya agent install {DOMAIN}", state="warning")
def no_agent(patient):
    with changed(patient.wsgi, WSGI):
        yield


@mistake("settings", "pya deploy --requirements requirements.txt")
def a_package_that_is_not_installed(patient):
    with settings(patient, "DEBUG = False", "import not_installed"):
        yield


@mistake("settings", "pya manage check")
def settings_with_a_mistake(patient):
    with settings(patient, "DEBUG = False", "DEBUG = 1 / 0"):
        yield


@mistake("ALLOWED_HOSTS", "pya deploy")
def a_domain_that_is_not_allowed(patient):
    with settings(patient, '"demo.pythonanywhere.com", ', ""):
        yield


@mistake("DEBUG", "pya deploy", state="warning")
def debug(patient):
    with settings(patient, "DEBUG = False", "DEBUG = True"):
        yield


@mistake("SECRET_KEY", "pya env set SECRET_KEY")
def no_secret_key(patient):
    with settings(patient, "only for tests", ""):
        yield


@mistake("DATABASES", "pya deploy", state="warning")
def a_database_at_a_relative_path(patient):
    database = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'}}"
    with settings(patient, "DEBUG = False", f"DEBUG = False\n{database}"):
        yield


@mistake("static files", "pya deploy --collectstatic", state="warning")
def no_static_root(patient):
    with settings(patient, 'STATIC_ROOT = BASE_DIR / "collected"', ""):
        yield


@mistake("static files", "pya manage collectstatic --noinput", state="warning")
def static_files_that_were_not_collected(patient):
    folder = patient.home / "mysite" / "collected"
    folder.rename(folder.with_name("gone"))
    yield
    folder.with_name("gone").rename(folder)


@mistake("static files", f"pya webapps static-files update {DOMAIN} 1 path=/home/demo/mysite/collected")
def a_mapping_of_another_folder(patient):
    patient.client.webapps.static_files.update(DOMAIN, 1, path="/home/demo/elsewhere")
    yield
    patient.client.webapps.static_files.update(DOMAIN, 1, path="/home/demo/mysite/collected")


@mistake(
    "media files", f"pya webapps static-files create {DOMAIN} /uploaded/ /home/demo/mysite/uploads", state="warning"
)
def no_mapping_of_uploads(patient):
    with settings(patient, 'MEDIA_URL = "media/"', 'MEDIA_URL = "uploaded/"'):
        yield


@mistake("page", f"pya logs {DOMAIN} error")
def a_page_that_raises(patient):
    with changed(patient.home / "mysite" / "bakery" / "urls.py", "raise ValueError('no flour')\n"):
        patient.client.webapps.reload(DOMAIN)
        yield
    patient.client.webapps.reload(DOMAIN)


@mistake("disk", "pya rm -r /home/demo/.cache")
def a_full_disk(patient):
    rule = patient.host.faults.add(
        "status",
        method="POST",
        path="**/.pya/doctor-*",
        code=507,
        body='{"detail": "You have exceeded your disk quota."}',
    )
    yield
    patient.host.faults.remove(rule)


@mistake("error log", f"pya logs {DOMAIN} error", state="warning")
def an_exception_in_the_log(patient):
    with changed(patient.errors, "Traceback (most recent call last):\n  File 'x'\nKeyError: 'flour'\n"):
        yield


@pytest.mark.parametrize(
    ("plant", "check", "state", "command"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_planted_mistake_is_found_with_what_mends_it(patient, plant, check, state, command):
    with plant(patient) as environment:
        findings = patient.examine(int(state == "error"), **(environment or {}))
    finding = findings[check]
    assert (finding["state"], command in finding["command"]) == (state, True), findings
    worst = [found for found in findings.values() if found["state"] == "error" and found["check"] != check]
    # What follows from it may be found as well, but nothing else that is unrelated.
    assert len(worst) <= 2, findings


def test_what_kept_a_loaded_application_from_being_loaded_is_history(patient):
    failure = "Error running WSGI application\nTraceback (most recent call last):\n  File 'x'\nImportError: no flour\n"
    with changed(patient.errors, failure):
        finding = patient.examine(0)["error log"]
    assert finding["state"] == "ok"
    assert "ImportError: no flour" in finding["message"]


def test_a_web_app_that_expires_this_week_is_a_warning(tmp_path):
    with Emulator(rate_limit=None, webapp_days=3) as host:
        host.create_webapp()
        patient = Patient(host, tmp_path)
        patient.configure()
        expiry = patient.examine(1)["expiry"]
    assert expiry["state"] == "warning"
    assert "in 3 days" in expiry["message"]
    assert expiry["command"] == "pya open --dashboard"


def test_a_full_account_is_found_out(tmp_path):
    with Emulator(rate_limit=None, disk_quota=1000) as host:
        patient = Patient(host, tmp_path)
        patient.configure()
        disk = patient.examine(1)["disk"]
    assert disk["state"] == "error"
    assert "quota" in disk["message"]


def test_a_clock_that_is_wrong_is_a_warning(tmp_path):
    program = textwrap.dedent(
        """
        import json, sys
        from pythonanywhere_api.testing import Emulator, advance_clock
        advance_clock(3600)
        with Emulator(rate_limit=None) as host:
            print(json.dumps([host.url, host.token]), flush=True)
            sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        url, token = json.loads(process.stdout.readline())
        environment = clean_environment(API_TOKEN=token, PYTHONANYWHERE_USERNAME="demo", PYTHONANYWHERE_SITE=url)
        (tmp_path / "pyproject.toml").write_text('[tool.pythonanywhere]\nproject = "mysite"\n')
        found = Pya(tmp_path, environment).json("doctor", code=1)
        process.communicate()
    clock = next(finding for finding in found["checks"] if finding["check"] == "clock")
    assert clock["state"] == "warning"
    assert "behind" in clock["message"]


def test_the_mistakes_are_at_least_twenty():
    assert len(MISTAKES) >= 20


def test_every_command_that_mends_exists(patient):
    """Each `pya …` among them, with its options."""
    commands = {part.strip() for *_, command in MISTAKES for part in command.split("&&") if "pya " in part}
    for command in commands | {"pya open --dashboard", "pya webapps static-files list"}:
        _, *words = command.split()
        # `help` follows the words of the command; what it is called with does not matter.
        names = [word for word in words[:2] if word.isalpha() or word == "static-files"]
        shown = patient.pya(*names[: 2 if names[0] in ("webapps", "env", "agent") else 1], "--help").stdout
        for option in (word for word in words if word.startswith("--") and "manage" not in names):
            assert option in shown, (command, option)
