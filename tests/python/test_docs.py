"""The documentation site: what its pages show is run, and what they list is compared with the built package."""

import functools
import importlib
import json
import os
import re
import shlex
import subprocess
import sys
import urllib.request
import zlib
from inspect import isclass
from operator import attrgetter
from pathlib import Path

import pytest
import yaml
from command import Pya, clean_environment, environment_of
from launch_projects import FLASK, make_wheels, write
from pages import DOCS, README, ROOT, Page, Reader, pages

import pythonanywhere_api
from pythonanywhere_api import ApiError, Client, ForbiddenError, PythonanywhereApi, _core
from pythonanywhere_api.testing import Emulator

ENDPOINTS = json.loads((ROOT / "tests" / "data" / "endpoints.json").read_text())["endpoints"]
CALLS = {endpoint["call"] for endpoint in ENDPOINTS}
# Have tests of their own, with another kind of server or project.
WEBFACTION = DOCS / "webfaction.md"
TUTORIAL = DOCS / "tutorial.md"
EXISTING_SITE = DOCS / "howto" / "existing-site.md"
# Where `make docs` builds the site.
SITE = DOCS / "_build" / "html"
FOLLOWED = [page for page in pages() if page.steps() and page.path not in (WEBFACTION, TUTORIAL, EXISTING_SITE)]


# Names the settings that commands need.
WSGI = """\
import os

os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"


def application(environ, start_response):
    start_response("200 OK", [])
    return [b"well"]
"""


@pytest.fixture
def account(tmp_path):
    """An account named `me` with a web app, and the environment of a shell that was set up for it."""
    # Without the account's own paths, since not every system that runs these tests can show them to its processes.
    with Emulator(rate_limit=None, user="me", account="paid", private_paths=False) as host:
        # Its site is made with the Django that is installed here.
        host.create_webapp("me.pythonanywhere.com", virtualenv=sys.prefix)
        (Path(host.root) / "var" / "www" / "me_pythonanywhere_com_wsgi.py").write_text(WSGI)
        # Some pages begin programs by name, which are beside the interpreter.
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        yield host, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off", "PATH": path}


def write_settings(host, folder):
    """Names project and site; the emulator serves the account's sites at an address of its own."""
    site = f'domain = "me.pythonanywhere.com"\nsite_url = "{host.site_url.rstrip("/")}"\n'
    (folder / "pyproject.toml").write_text(f'[tool.pythonanywhere]\nproject = "mysite"\n{site}')


@pytest.mark.parametrize("page", FOLLOWED, ids=str)
def test_what_a_page_shows_works(page, account, tmp_path):
    host, environment = account
    start_console(host)
    (tmp_path / "manage.py").write_text("")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("<p>")
    write_settings(host, tmp_path)
    assert Reader(tmp_path, environment).follow(page) > 0


def start_console(host):
    """Makes a console and opens its page, as somebody has to, and puts there what commands in it need."""
    project = Path(host.root, "home", host.user, "mysite")
    project.mkdir()
    (project / "manage.py").write_text("print('migrated')\n")
    console = Client(host.user, host.token, host.url, rate_limit="off").consoles.create()
    urllib.request.urlopen(host.url + console["console_url"], timeout=60).close()


def test_the_pages_that_show_something_are_followed():
    assert {"docs/install.md", "docs/howto/testing.md", "docs/howto/errors.md"} <= {str(page) for page in FOLLOWED}


class Launcher(Reader):
    """Follows a page whose site is not at its domain, on a machine with one Python."""

    def __init__(self, folder, environment, options, deleted):
        super().__init__(folder, environment)
        self.options = options
        self.deleted = deleted

    def do_command(self, step):
        if step.text == "pya launch":
            step.text = shlex.join(["pya", "launch", *self.options])
        if step.text == "pya rollback":
            assert not self.deleted.exists()
        super().do_command(step)


@pytest.mark.slow
def test_the_tutorials_site_is_served(tmp_path):
    """The tutorial ends with a site that answers, and with the file that was deleted brought back."""
    wheels = make_wheels(tmp_path / "wheels")
    with Emulator(rate_limit=None, user="me", python=sys.executable, package_index=wheels) as host:
        environment = environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"}
        options = ["--site-url", host.site_url, "--python", f"3.{sys.version_info.minor}"]
        deleted = Path(host.root, "home", "me", "mysite", "mysite", "asgi.py")
        Launcher(tmp_path, environment, options, deleted).follow(Page(TUTORIAL))
        request = urllib.request.Request(host.site_url, headers={"Host": "me.pythonanywhere.com"})
        assert urllib.request.urlopen(request, timeout=60).read() == b"hello"
        assert Path(host.root, "home", "me", "mysite", "staticfiles", "admin").is_dir()
        assert "ASGI config for mysite" in deleted.read_text()


def test_the_workflow_deploys(account, tmp_path):
    """The step of the workflow that deploys, run as a runner does: in bash, with the step's environment."""
    host, environment = account
    with_action, block = Page(DOCS / "howto" / "github-actions.md").blocks("yaml")
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    (used,) = [step for step in yaml.safe_load(with_action)["jobs"]["deploy"]["steps"] if step.get("id") == "deploy"]
    assert used["with"].keys() <= action["inputs"].keys()
    named = set(re.findall(r"steps\.deploy\.outputs\.([a-z-]+)", with_action))
    assert named
    assert named <= action["outputs"].keys()
    steps = yaml.safe_load(block)["jobs"]["deploy"]["steps"]
    (step,) = [step for step in steps if step.get("run", "").startswith("pya ")]
    secret = {
        name: value.replace("${{ secrets.PYTHONANYWHERE_TOKEN }}", host.token) for name, value in step["env"].items()
    }
    (tmp_path / "manage.py").write_text("")
    (tmp_path / "pyproject.toml").write_text('[tool.pythonanywhere]\nproject = "mysite"\n')
    kept = {name: environment[name] for name in ("PATH", "PYTHONANYWHERE_SITE", "PYTHONANYWHERE_RATE_LIMIT")}
    (tmp_path / "pya").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pythonanywhere_api "$@"\n')
    (tmp_path / "pya").chmod(0o755)
    kept["PATH"] = f"{tmp_path}{os.pathsep}{kept['PATH']}"
    subprocess.run(["bash", "-ec", step["run"]], cwd=tmp_path, env=kept | secret, check=True, timeout=60)
    assert json.loads((tmp_path / "deploy.json").read_text())["ok"]


def subcommands(text):
    """The commands that a help lists."""
    below = re.search(r"^Commands:\n((?:  .*\n)+)", text, re.MULTILINE)
    return [name for name in re.findall(r"^  (\S+)", below[1], re.MULTILINE) if name != "help"] if below else []


@functools.cache
def help_of(*command):
    """The help of a command, asked for once for all pages."""
    return Pya(ROOT, clean_environment())(*command, "--help").stdout


@pytest.mark.parametrize("page", [Page(README), *pages()], ids=str)
def test_every_command_that_is_named_exists(page):
    """Also those that are not run: in tables, in sentences, and in blocks that are only looked at."""
    for line in re.findall(r"(?:`|\$ )pya ([^`\n]+)", page.text):
        words = shlex.split(line, comments=True)
        command, text = [], help_of()
        for word in words:
            if word not in subcommands(text):
                break
            command.append(word)
            text = help_of(*command)
        assert command or words[0].startswith("-"), line
        known = re.split(r"[\s,.]+", text)
        words = words[: words.index("--")] if "--" in words else words
        options = [word for word in words if word.startswith("-") and word not in ("-", "-vv")]
        assert [option for option in options if option not in known] == [], line


@pytest.mark.parametrize("page", [Page(README), *pages()], ids=str)
def test_every_link_has_a_text(page):
    """The documentation site fills in the title of the other page; on GitHub, where a file is read, nothing shows."""
    assert re.findall(r"(?<!!)\[\s*\]\([^)]*\)", page.text) == []


@pytest.mark.parametrize("page", [page for page in pages() if page.path != TUTORIAL], ids=str)
def test_what_sets_a_variable_in_bash_is_shown_for_powershell(page):
    """A variable that is set for one command counts, too. The tutorial refers to the page on installing."""
    blocks = page.blocks("(?:console|bash|\\{code-block\\} (?:console|bash))")
    if any(re.search(r"^(?:\$ )?(?:export )?[A-Z_]+=", block, re.MULTILINE) for block in blocks):
        assert page.blocks("\\{code-block\\} powershell"), page


# ---- the built site


def is_built() -> bool:
    """Whether `make docs` has built the site since anything of it was changed."""
    stamp = ROOT / ".make/docs"
    if not (SITE / "objects.inv").exists() or not stamp.exists():
        return False
    folders = [DOCS, ROOT / "examples", Path(pythonanywhere_api.__file__).parent]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    sources = [path for path in files if path.suffix != ".pyc" and not path.is_relative_to(SITE.parent)]
    return max(path.stat().st_mtime for path in [*sources, *ROOT.glob("*.md")]) < stamp.stat().st_mtime


@pytest.fixture(scope="session")
def inventory(tmp_path_factory):
    """What the site describes, as pairs of role and name, once it was built as `make docs` does."""
    site = SITE
    if not is_built():
        site = tmp_path_factory.mktemp("site")
        flags = ["--quiet", "--builder", "html", "--fail-on-warning", "--keep-going", "--nitpicky"]
        command = [sys.executable, "-m", "sphinx", *flags, "docs", site]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    content = (site / "objects.inv").read_bytes()
    lines = zlib.decompress(content.split(b"zlib.\n", 1)[1]).decode().splitlines()
    entries = [re.match(r"(.+?) (\w+:[\w-]+) -?\d+ ", line) for line in lines]
    return {(entry[2], entry[1]) for entry in entries if entry}


def described(inventory, *roles):
    return {name for role, name in inventory if role in roles}


@pytest.mark.slow
def test_every_public_name_of_the_built_module_is_described(inventory):
    names = {name.rsplit(".", 1)[1] for name in described(inventory, "py:class", "py:exception", "py:function")}
    exported = {name for name in _core.__all__ if not name.startswith("_")}
    for module in ("", ".exceptions", ".testing", ".types", ".webfaction"):
        exported |= set(importlib.import_module(f"pythonanywhere_api{module}").__all__)
    # The entry point of `pya`, and the version.
    assert exported - names == {"cli_main", "__version__"}


@pytest.mark.slow
def test_every_public_member_of_the_built_classes_is_described(inventory):
    names = described(inventory, "py:class", "py:method", "py:property", "py:attribute")
    missing = []
    for module in ("pythonanywhere_api", "pythonanywhere_api.testing", "pythonanywhere_api.webfaction"):
        for each in importlib.import_module(module).__all__:
            kind = getattr(importlib.import_module(module), each)
            if not isclass(kind) or issubclass(kind, BaseException):
                continue
            members = [name for name in dir(kind) if not name.startswith("_")]
            missing += [f"{module}.{each}.{name}" for name in members if f"{module}.{each}.{name}" not in names]
    assert missing == []


@pytest.mark.slow
@pytest.mark.parametrize("client", ["Client", "AsyncClient"])
def test_every_call_is_described(inventory, client):
    prefix = f"pythonanywhere_api.{client}."
    methods = {name.removeprefix(prefix) for name in described(inventory, "py:method") if name.startswith(prefix)}
    assert len(CALLS) == 73
    assert CALLS - methods == set()


@pytest.mark.slow
def test_every_option_of_every_command_is_described(inventory):
    options = described(inventory, "std:cmdoption")
    commands = [[]]
    count = 0
    for command in commands:
        text = help_of(*command)
        commands += [[*command, name] for name in subcommands(text)]
        own = text.split("Global options:")[0] if command else text
        for option in re.findall(r"^ +(?:-\w, )?(--[\w-]+)", own, re.MULTILINE):
            count += 1
            assert ".".join(["-".join(["pya", *command]), option]) in options, (command, option)
    assert count > 40


# ---- what pages list


def test_every_call_in_the_migration_tables_exists():
    named = {call for page in pages() for call in re.findall(r"\{call\}`([\w.]+)`", page.text)}
    assert len(named) > 30
    client = Client("me", "t" * 40)
    for call in named:
        family, _, verb = call.rpartition(".")
        assert callable(getattr(attrgetter(family)(client), verb))


def test_every_function_of_pythonanywhere_core_is_in_its_migration_tables():
    text = (DOCS / "migration" / "pythonanywhere-core.md").read_text()
    missing = set()
    for module in ("base", "exceptions", "files", "resources", "schedule", "students", "webapp", "website"):
        name = f"pythonanywhere_core.{module}"
        for each in vars(importlib.import_module(name)).values():
            if getattr(each, "__module__", "") != name:
                continue
            members = [f".{member}(" for member in vars(each) if not member.startswith("_")] if isclass(each) else []
            callables = [member for member in members if callable(getattr(each, member[1:-1]))]
            missing |= {f"{each.__name__}{member}" for member in callables if member not in text}
            missing |= {each.__name__} if each.__name__ not in text else set()
    assert missing == set()
    assert "0.3.3" in text
    assert "pythonanywhere-core==0.3.3" in (ROOT / "requirements-dev.txt").read_text()


def test_every_member_of_the_drop_in_class_is_in_its_migration_table():
    text = (DOCS / "migration" / "ae-pythonanywhere.md").read_text()
    members = {name for name in dir(PythonanywhereApi) if not name.startswith("_")}
    assert {name for name in members if f"PythonanywhereApi.{name}`" not in text} == set()


def table(page, heading):
    """The first column of the table below a heading."""
    return re.findall(r"^\| `([\w-]+)` \|", page.section(heading), re.MULTILINE)


def test_the_json_documents_have_the_listed_keys(account, tmp_path):
    host, environment = account
    page = Page(DOCS / "reference" / "json.md")
    pya = Pya(tmp_path, environment)
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "manage.py").write_text("")
    write_settings(host, tmp_path)
    site = write(tmp_path / "site", FLASK)
    own = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    documents = {
        "pya launch": pya.json("launch", site, "--site-url", host.site_url, "--dry-run", "--replace-wsgi"),
        "pya init": pya.json("init", site),
        "pya diff": pya.json("diff"),
        "pya deploy": pya.json("deploy"),
        "pya ls": pya.json("ls"),
        "pya ls -R": pya.json("ls", "-R"),
        "pya put": pya.json("put", "a.txt", "b.txt"),
        "pya cat": pya.json("cat", "b.txt"),
        "pya get": pya.json("get", "b.txt"),
        "pya rm": pya.json("rm", "b.txt"),
        "pya login": json.loads(pya("login", "--json", text=host.token, **own).stdout),
        "pya logout": pya.json("logout", **own),
        "pya whoami": pya.json("whoami"),
        "pya status": pya.json("status"),
        "pya open": pya.json("open", DISPLAY="", WAYLAND_DISPLAY="", BROWSER=""),
        "pya reload": pya.json("reload", "me.pythonanywhere.com"),
        "pya agent status": pya.json("agent", "install") and pya.json("agent", "status"),
        "pya doctor": pya.json("doctor", code=1),
        "pya env list": pya.json("env", "list", "--show"),
        "pya manage": json.loads(pya("--json", "manage", "--", "check").stdout),
        "Failures": pya.json("cat", "b.txt", code=5),
    }
    assert re.findall(r"^## (.+)$", page.text, re.MULTILINE) == [
        "pya launch", "pya init", "pya diff", "pya deploy", "pya ls", "pya ls -R", "pya cat", "pya get", "pya put",
        "pya rm",
        "pya login", "pya logout", "pya whoami", "pya status", "pya open",
        "pya reload", "pya agent status", "pya doctor", "pya env list", "pya manage", "Failures",
    ]  # fmt: skip
    for heading, document in documents.items():
        assert set(table(page, heading)) == set(document), heading


def test_the_emulators_switches_are_those_listed():
    switches = table(Page(DOCS / "explanation" / "emulator.md"), "Unknown")
    source = (ROOT / "src" / "emulator" / "settings.rs").read_text()
    known = re.findall(r"pub (\w+):", source.split("pub struct Undocumented {")[1].split("\n}")[0])
    assert switches == known
    for name in switches:
        Emulator(**{name: 1 if name == "upload_limit" else True})


def test_a_free_account_has_what_its_page_says():
    text = (DOCS / "howto" / "free-accounts.md").read_text()
    with Emulator(rate_limit=None, user="me") as host:
        client = Client(host.user, host.token, host.url, rate_limit="off")
        consoles = int(re.search(r"^\| consoles \| (\d+) ", text, re.MULTILINE)[1])
        made = [client.consoles.create() for _ in range(consoles)]
        with pytest.raises(ApiError):
            client.consoles.create()
        assert len(made) == consoles
        seconds = re.search(r"^\| CPU seconds .* \| (\d+) \| by plan", text, re.MULTILINE)[1]
        assert client.cpu.get()["daily_cpu_limit_seconds"] == int(seconds)
        host.create_webapp("me.pythonanywhere.com")
        with pytest.raises(ApiError):
            client.webapps.create("other.pythonanywhere.com", f"3.{sys.version_info.minor}")
        for refused in (lambda: client.always_on.create("true"), lambda: client.schedule.create("true", minute=0)):
            with pytest.raises(ForbiddenError):
                refused()


def test_the_fault_kinds_are_those_listed():
    text = Page(DOCS / "howto" / "testing.md").section("Let things go wrong")
    listed = re.findall(r'`"(\w+)"`', text.split("`kind` is one of")[1].split("\n\n")[0].split(". A held")[0])
    with Emulator(rate_limit=None) as host:
        assert len(listed) == 8
        for kind in listed:
            host.faults.add(kind, path="/nowhere")


def test_every_key_of_the_table_is_explained(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.pythonanywhere]\nnonsense = 1\n")
    message = Pya(tmp_path, clean_environment())("ls", code=2).stderr
    keys = message.split("its keys are: ")[1].strip().split(", ")
    text = (DOCS / "reference" / "settings.md").read_text()
    assert len(keys) > 20
    assert [key for key in keys if f"`{key}`" not in text] == []


# ---- the texts of the reference


def test_the_stub_says_of_each_call_what_the_built_method_says():
    pytest.importorskip("sphinx")
    sys.path.insert(0, str(DOCS / "_ext"))
    try:
        stub = importlib.import_module("stubs").stub_of("pythonanywhere_api._core")
    finally:
        sys.path.remove(str(DOCS / "_ext"))
    client = Client("me", "t" * 40)
    for call in CALLS:
        family, _, verb = call.rpartition(".")
        kind = type(attrgetter(family)(client))
        told = in_one_line(stub.members(stub.class_(kind.__name__))[verb].text)
        assert told.startswith(first_sentence(getattr(kind, verb).__doc__)), call


def in_one_line(text):
    return " ".join(text.replace("`", "").split())


def first_sentence(text):
    """The first sentence of a docstring, without the full stop at its end: a stub may go on."""
    return re.split(r"\.(?= |$)", in_one_line(text.split("Endpoint:")[0]))[0]
