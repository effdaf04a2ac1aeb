"""`action.yml`: its steps in bash as GitHub's runner runs them, with the built wheel, against an emulated account."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from command import clean_environment
from conftest import project_folder
from launch_projects import FLASK, make_wheels, write

from pythonanywhere_api.testing import Emulator

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the emulator needs Unix")


def resolved(text: str, known: dict[str, str]) -> str:
    """A text with its expressions resolved, of which only names in `known` are allowed."""
    return EXPRESSION.sub(lambda match: known[match[1]], text)


class Runner:
    """One job: what its steps leave to each other, and what a person sees of it."""

    def __init__(self, folder: Path, scripts: str = ""):
        self.folder = folder
        self.files = {name: folder / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        for path in self.files.values():
            path.touch()
        (folder / "temp").mkdir()
        self.environment = clean_environment(GITHUB_ACTIONS="true", CI="true", RUNNER_TEMP=str(folder / "temp"))
        self.environment |= {name: str(path) for name, path in self.files.items()}
        self.environment["XDG_CACHE_HOME"] = str(folder / "cache")
        if scripts:
            self.environment["PATH"] = f"{scripts}:{os.environ['PATH']}"

    def step(self, number: int, inputs: dict[str, str], **more: str) -> subprocess.CompletedProcess[str]:
        step = STEPS[number]
        values = {name: str(about.get("default", "")) for name, about in ACTION["inputs"].items()} | inputs
        assert values.keys() == ACTION["inputs"].keys()
        known = {f"inputs.{name}": value for name, value in values.items()}
        environment = {name: resolved(value, known) for name, value in step["env"].items()}
        # As the runner starts a script whose shell is bash.
        script = self.folder / "script.sh"
        script.write_text(step["run"])
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        return subprocess.run(
            words,
            env=self.environment | environment | more,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    @property
    def outputs(self) -> dict[str, str]:
        lines = self.files["GITHUB_OUTPUT"].read_text().splitlines()
        found = dict(line.split("=", 1) for line in lines)
        values = {f"steps.pya.outputs.{name}": value for name, value in found.items()}
        return {
            name: resolved(about["value"], values)
            for name, about in ACTION["outputs"].items()
            if EXPRESSION.search(about["value"])[1] in values
        }

    @property
    def summary(self) -> str:
        return self.files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """Where the first step installed `pya`: from the wheel that was built, by way of pip's own settings."""
    wheels = sorted((ROOT / "target" / "wheels").glob("*.whl"))
    if not wheels:
        pytest.skip("there is no wheel: make build-dev")
    runner = Runner(tmp_path_factory.mktemp("install"))
    done = runner.step(0, {}, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheels[-1].parent))
    assert done.returncode == 0, done.stdout
    return runner.files["GITHUB_PATH"].read_text().strip()


@pytest.fixture
def job(tmp_path, scripts):
    return Runner(tmp_path, scripts)


@pytest.fixture
def inputs(host, tmp_path):
    """Of an account with a web app, and a project in the checkout."""
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    site = tmp_path / "checkout"
    (site / "app").mkdir(parents=True)
    (site / "app" / "a.py").write_text("a")
    (site / "b#c.txt").write_text("b")
    named = {"token": host.token, "user": host.user, "host": host.url, "project": "mysite", "root": str(site)}
    return named | {"domain": domain, "args": f"--site-url\n{host.site_url}\n--rate-limit\noff"}


def test_expressions_are_inputs_and_outputs_only_and_never_in_a_script():
    names = {f"inputs.{name}" for name in ACTION["inputs"]}
    used = set()
    for step in STEPS:
        assert set(step) <= {"name", "id", "shell", "env", "run"}, "a step that uses another action is not tested here"
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]
        used |= {match[1] for value in step["env"].values() for match in EXPRESSION.finditer(value)}
    assert used == names
    outputs = {EXPRESSION.fullmatch(about["value"])[1] for about in ACTION["outputs"].values()}
    assert outputs == {f"steps.pya.outputs.{name}" for name in ACTION["outputs"]}
    described = [*ACTION["inputs"].values(), *ACTION["outputs"].values()]
    assert all(about["description"].endswith(".") for about in described)


def test_a_deploy_has_outputs_and_a_summary(host, job, inputs):
    done = job.step(1, inputs)
    assert done.returncode == 0, done.stdout
    assert (project_folder(host) / "b#c.txt").read_text() == "b"
    report = json.loads(Path(job.outputs["report"]).read_text())
    assert job.outputs == {
        "url": f"https://{inputs['domain']}/",
        "report": job.outputs["report"],
        "uploaded": "2",
        "deleted": "0",
        "requests": str(report["requests"]),
        "deploy-id": report["id"],
    }
    assert job.summary.startswith("### Deployed\n")
    assert "| uploaded | 2 files |" in job.summary
    assert "A  b#c.txt" in job.summary
    again = job.step(1, inputs | {"delete": "true"})
    assert again.returncode == 0, again.stdout
    assert job.summary.count("### ") == 2
    assert "Nothing to deploy: the host is up to date" in job.summary


def test_a_refused_token_is_an_annotation_and_is_nowhere_in_the_log(host, job, inputs):
    token = "f" * 40
    done = job.step(1, inputs | {"token": token})
    assert done.returncode == 4, done.stdout
    assert re.search(r"^::error title=pya::.*token", done.stdout, re.MULTILINE), done.stdout
    written = [path.read_text() for path in job.folder.rglob("*") if path.is_file()]
    assert not any(token in text for text in [done.stdout, *written])


def test_another_deploy_at_work_is_waited_for(host, job, inputs):
    assert job.step(1, inputs).returncode == 0
    (state,) = (project_folder(host).parent / ".pya").glob("*")
    note = {
        "format": 1,
        "id": "0" * 16,
        "host": "laptop",
        "pid": 1,
        "user": "ada",
        "started": "now",
        "project": "mysite",
    }
    now = int(time.time())
    intent = state / "intent-0000000000000000.json"
    live = note | {"since": now, "expires": now + 600, "ended": False, "takes_over": []}
    (Path(inputs["root"]) / "b#c.txt").write_text("changed")
    intent.write_text(json.dumps(live))
    done = job.step(1, inputs)
    assert done.returncode == 6, done.stdout
    assert "### Not deployed: another deploy is under way" in job.summary
    threading.Timer(2, intent.unlink).start()
    done = job.step(1, inputs | {"wait": "120"})
    assert done.returncode == 0, done.stdout
    assert "another deploy is under way: trying again" in done.stdout
    # An attempt that was not the last is neither an error nor a chapter of the summary.
    assert "::error" not in done.stdout
    assert re.findall("^### (.*)", job.summary, re.MULTILINE) == [
        "Deployed",
        "Not deployed: another deploy is under way",
        "Deployed",
    ]


@pytest.mark.slow
def test_a_launch_has_an_address_and_a_summary(job, tmp_path, unlimited):
    root = write(tmp_path / "site", FLASK | {".python-version": f"3.{sys.version_info.minor}\n"})
    wheels = make_wheels(tmp_path / "wheels")
    with Emulator(python=sys.executable, package_index=wheels, rate_limit=None) as host:
        named = {"token": host.token, "user": host.user, "host": host.url, "root": str(root), "command": "launch"}
        done = job.step(1, named | {"args": f"--site-url\n{host.site_url}"})
        assert done.returncode == 0, done.stdout
        report = json.loads(Path(job.outputs["report"]).read_text())
        assert (job.outputs["url"], job.outputs["requests"]) == (report["url"], str(report["requests"]))
        assert job.summary.startswith("### Launched\n")
        assert f"| took | {report['requests']} requests, " in job.summary
        assert "done     virtualenv" in job.summary.partition("<details>")[2]
        refused = job.step(1, named | {"token": "f" * 40})
        assert refused.returncode == 4, refused.stdout
        assert "::error title=pya::account: " in refused.stdout
        assert "### Launch stopped\n\n```text\naccount: " in job.summary


def install_agent(host, job, inputs):
    environment = job.environment | {"API_TOKEN": host.token, "PYTHONANYWHERE_USERNAME": host.user}
    environment |= {"PYTHONANYWHERE_SITE": host.url}
    words = ["pya", "agent", "install", inputs["domain"], "--site-url", host.site_url]
    subprocess.run(words, env=environment, check=True, capture_output=True, timeout=120)


def test_a_deploy_that_fails_is_rolled_back_and_what_the_host_said_is_no_command(host, job, inputs):
    install_agent(host, job, inputs)
    assert job.step(1, inputs).returncode == 0
    site = Path(inputs["root"])
    (site / "manage.py").write_text("print('::error::not ours')\nraise SystemExit(3)\n")
    named = {"args": f"{inputs['args']}\n--settings\nmysite.settings"}
    done = job.step(1, inputs | named | {"migrate": "true", "rollback-on-failure": "true"})
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("::stop-commands::"))
    end = lines.index(f"::{lines[begin].removeprefix('::stop-commands::')}::")
    assert begin < lines.index("::error::not ours") < end
    assert "### Deploy failed and was rolled back" in job.summary
    assert not (project_folder(host) / "manage.py").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"command": "rm -rf"}, "command must be deploy, diff, verify or launch"),
        ({"delete": "yes"}, "delete must be true or false"),
        ({"command": "diff", "migrate": "true"}, "migrate is not for the command diff"),
        ({"command": "verify", "requirements": "r.txt"}, "requirements is for the command deploy"),
        ({"wait": "10 minutes"}, "wait must be a number of seconds"),
    ],
)
def test_inputs_that_make_no_sense_are_refused_before_anything_is_sent(host, job, inputs, wrong, said):
    done = job.step(1, inputs | wrong)
    assert (done.returncode, done.stdout) == (2, f"::error title=pya::{said}\n")
    assert {request.path for request in host.requests if request.method != "GET"} == {
        f"/api/v0/user/{host.user}/webapps/"
    }


def test_inputs_are_words_and_never_code(host, job, inputs):
    (Path(inputs["root"]).parent / "$(touch made)").mkdir()
    done = job.step(1, inputs | {"project": "$(touch made); `touch made`", "root": "$(touch made)"})
    assert done.returncode != 0
    assert not (job.folder / "made").exists()


@pytest.mark.parametrize(
    ("command", "found"),
    [("diff", "### Diff: 1 change\n"), ("verify", "### Verify: 2 files on the host: 1 only local (A)\n")],
)
def test_commands_that_only_look_change_nothing(host, job, inputs, command, found):
    install_agent(host, job, inputs)
    assert job.step(1, inputs).returncode == 0
    (Path(inputs["root"]) / "c.txt").write_text("c")
    host.clear_requests()
    options = "--rate-limit\noff" if command == "diff" else inputs["args"]
    done = job.step(1, inputs | {"command": command, "args": options})
    assert done.returncode == (1 if command == "verify" else 0), done.stdout
    assert {request.method for request in host.requests} <= {"GET"}
    assert found in job.summary
    assert re.search(r"^A +c\.txt$", job.summary.partition(found)[2], re.MULTILINE)
