"""Requirements that a deploy installs: real pip, a real virtualenv, and wheels that need no index."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bulk_site import Site
from conftest import Caller
from runner_pip import make_virtualenv
from sites import files_below

from pythonanywhere_api import Client, ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator, set_clock_speed

pytestmark = pytest.mark.slow

# Needs the package to be imported at all.
WSGI = """\
import pya_demo

def application(environ, start_response):
    start_response("200 OK", [])
    return [f"version {pya_demo.VERSION}".encode()]
"""


def add_wheel(folder: Path, version: str) -> None:
    """A distribution of one module, as a build backend would write it."""
    folder.mkdir(exist_ok=True)
    info = f"pya_demo-{version}.dist-info"
    members = {
        "pya_demo.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pya-demo\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"pya_demo-{version}-py3-none-any.whl", "w") as wheel:
        for name, text in members.items():
            wheel.writestr(name, text)
        record = "".join(f"{name},,\n" for name in [*members, f"{info}/RECORD"])
        wheel.writestr(f"{info}/RECORD", record)


class Project(Site):
    def ask_for(self, version: str, *, is_there: bool = True) -> None:
        """Puts a version in the requirements, and its wheel into the project if it is to be there."""
        self.write(version)
        (self.local / "requirements.txt").write_text(f"--no-index\n--find-links wheels\npya-demo=={version}\n")
        if is_there:
            add_wheel(self.local / "wheels", version)


@pytest.fixture
def project(unlimited, tmp_path):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        made = Project(Caller(PythonanywhereApi, host), tmp_path / "local")
        home = made.remote.parent
        home.mkdir(parents=True, exist_ok=True)
        make_virtualenv(home / "venv")
        client = Client(host.user, host.token, host.url)
        client.webapps.update(made.domain, virtualenv_path=f"/home/{host.user}/venv")
        client.webapps.reload(made.domain)
        yield made


def installed(project: Project) -> str:
    """What the virtualenv's own Python finds."""
    python = project.remote.parent / "venv" / "bin" / "python"
    done = subprocess.run([python, "-c", "import pya_demo; print(pya_demo.VERSION)"], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("executor", ["webapp", "always_on"])
def test_requirements_are_installed_before_the_reload_and_stop_it_where_they_fail(project, executor):
    project.wsgi.write_text(WSGI)
    if executor == "webapp":
        # The application cannot be loaded yet; the agent answers all the same.
        assert project.api.agent.install(project.domain, project.host.site_url)["changed"]
    else:
        set_clock_speed(10)
    try:
        assert "No module named 'pya_demo'" in installed(project)
        project.ask_for("1.0")
        report = project.deploy(executor=executor, requirements="requirements.txt")
        assert report.ok, report.stopped
        (step,) = report.steps
        assert (step["step"], step["ok"], step["exit_status"]) == ("requirements", True, 0)
        assert "Successfully installed pya-demo-1.0" in step["output"]
        assert installed(project) == "1.0"
        assert project.page() == "version 1.0"

        before = files_below(project.remote)
        project.ask_for("2.0", is_there=False)
        report = project.deploy(executor=executor, requirements="requirements.txt", rollback_on_failure=True)
        assert (report.ok, report.rolled_back, report.reloaded) == (False, True, [])
        (step,) = report.steps
        assert (step["ok"], step["exit_status"]) == (False, 1)
        assert "No matching distribution found for pya-demo==2.0" in step["output"]
        assert "requirements failed" in report.stopped
        assert files_below(project.remote) == before
        assert (installed(project), project.page()) == ("1.0", "version 1.0")

        project.ask_for("2.0")
        report = project.deploy(executor=executor, requirements="requirements.txt")
        assert report.ok, report.stopped
        assert (installed(project), project.page()) == ("2.0", "version 2.0")

        with pytest.raises(ConfigError, match=r"none\.txt"):
            project.deploy(executor=executor, requirements="none.txt")
    finally:
        set_clock_speed(1)
