"""The first page of the documentation: its figures are counted, for a project of as many files as it speaks of."""

import re
import sys
from pathlib import Path

import pytest
from bulk_site import WSGI
from command import Pya, environment_of
from pages import DOCS, Page

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator, set_clock_speed

PAGE = Page(DOCS / "index.md")
FILES = int(re.search(r"(\d+) files in (\d+) folders", PAGE.text)[1])
FOLDERS = int(re.search(r"(\d+) files in (\d+) folders", PAGE.text)[2])
A_MINUTE = 40

pytestmark = pytest.mark.usefixtures("unlimited", "own_cache")


def table():
    """The figures of each row: with the agent, to the site besides, without the agent, of a client that sends all."""
    rows = re.findall(r"^\| ([\w ]+) \| \*\*(\d+)\*\* \| (\d+) \| ([\d–-]+) \| (\d+) \|$", PAGE.text, re.MULTILINE)
    return {what: (int(agent), int(site), without, int(every)) for what, agent, site, without, every in rows}


class Project:
    """A project on this machine, and a site of an account that it is deployed to."""

    def __init__(self, host: Emulator, local: Path):
        self.host, self.local = host, local
        self.api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
        self.domain = f"{host.user}.pythonanywhere.com"
        self.via = {"domain": self.domain, "site_url": host.site_url}
        host.create_webapp(self.domain)
        (Path(host.root) / "var" / "www" / f"{self.domain.replace('.', '_')}_wsgi.py").write_text(WSGI)
        self.visits = Path(host.root) / "var" / "log" / f"{self.domain}.access.log"

    def write(self) -> None:
        for number in range(FILES - 1):
            path = self.local / f"app{number % FOLDERS}" / f"file{number}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"x = {number}\n")
        (self.local / "version.txt").write_text("1")

    def change(self) -> None:
        (self.local / "version.txt").write_text("2")

    def deploy(self) -> None:
        diff = self.api.deploy_diff(self.local, **self.via)
        assert diff is not None, self.api.error_message
        self.api.deploy(diff, reload=[self.domain], health_url="/", **self.via).raise_for_failures()

    def rollback(self) -> None:
        assert self.api.rollback(reload=[self.domain], **self.via), self.api.error_message

    def begin_anew(self, name: str) -> None:
        """The same files as a project that the host does not have yet."""
        self.api = PythonanywhereApi(self.host.url, self.host.user, self.host.token, name)
        self.write()

    def count(self, act) -> tuple[int, int]:
        """How many requests the API and the site get meanwhile."""
        requests, visits = len(self.host.requests), self.seen()
        act()
        return len(self.host.requests) - requests, self.seen() - visits

    def seen(self) -> int:
        return self.visits.read_text().count("\n") if self.visits.exists() else 0


@pytest.fixture
def unhurried():
    """A deploy that stood still for a second looks once more who else deploys; on a busy machine it stands still."""
    set_clock_speed(0.1)
    yield
    set_clock_speed(1)


@pytest.fixture
def project(unhurried, tmp_path):
    with Emulator(rate_limit=None, user="me", python=sys.executable) as host:
        made = Project(host, tmp_path / "local")
        made.write()
        yield made


def counted(project):
    """The requests of each row but the last: a first deploy, nothing changed, one changed file."""
    first = project.count(project.deploy)
    # What the agent tells of the state of things is kept here from the first time on.
    assert project.api.deploy_diff(project.local, **project.via) is not None
    nothing = project.count(project.deploy)
    project.change()
    return {"first deploy": first, "one changed file": project.count(project.deploy), "nothing changed": nothing}


def test_the_figures_with_the_agent_are_those_of_the_page(project):
    assert project.api.agent.install(project.domain, project.host.site_url), project.api.error_message
    expected = {what: row[:2] for what, row in table().items()}
    rounds = []
    # A machine that stands still for long has a deploy look once more, whatever the clock: the least of three counts.
    for name in ("mysite", "another", "third"):
        project.begin_anew(name)
        rounds.append(counted(project) | {"undo the last deploy": project.count(project.rollback)})
        if rounds[-1] == expected:
            break
    assert {what: min(found[what] for found in rounds) for what in expected} == expected


def test_a_machine_that_does_not_know_the_agent_asks_a_few_times_more(project, tmp_path):
    """And then it prints what the page shows."""
    assert project.api.agent.install(project.domain, project.host.site_url), project.api.error_message
    (project.local / "mysite").mkdir()
    (project.local / "mysite" / "urls.py").write_text("urlpatterns = []\n")
    project.deploy()
    table_of_it = f'project = "mysite"\ndomain = "{project.domain}"\nsite_url = "{project.host.site_url.rstrip("/")}"\n'
    (project.local / "pyproject.toml").write_text(f"[tool.pythonanywhere]\n{table_of_it}")
    environment = environment_of(project.host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"}
    found = []
    for runner in ("first", "second"):
        pya = Pya(project.local, environment | {"XDG_CACHE_HOME": str(tmp_path / runner)})
        found.append(project.count(lambda pya=pya: pya("deploy"))[0])
    more = re.search(
        r"asks (\d) times more for a deploy, and (\d) times if nothing changed", " ".join(PAGE.text.split())
    )
    assert found == [table()["one changed file"][0] + int(more[1]), table()["nothing changed"][0] + int(more[2])]
    (project.local / "mysite" / "urls.py").write_text("from . import views\n")
    (project.local / "mysite" / "views.py").write_text("")
    for command in ("diff", "deploy"):
        printed = pya(command)
        shown = re.search(rf"^\$ pya {command}\n([^$]+)", PAGE.text, re.MULTILINE)
        assert [line for line in shown[1].splitlines() if line not in printed.stdout + printed.stderr] == []


def test_the_figures_without_it_are_those_of_the_page(project):
    # The look at the site is no request to the API.
    found = {what: str(requests) for what, (requests, _) in counted(project).items()} | {"undo the last deploy": "–"}
    assert {what: row[2] for what, row in table().items()} == found


def test_the_other_figures_follow_from_the_number_of_files():
    """A client that remembers nothing sends every file, and reloads; the service takes so many requests a minute."""
    assert {row[3] for row in table().values()} == {FILES + 1}
    assert f"{FILES // A_MINUTE} minutes" in PAGE.text
