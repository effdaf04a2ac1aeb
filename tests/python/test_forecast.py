"""What a deploy says that it will cost, against the requests that the service then counts."""

import os
import re
import signal
import sys
import time
import urllib.request

import pytest
from bulk_site import Site
from command import Pya, environment_of
from conftest import Caller

from pythonanywhere_api import Client, PythonanywhereApi
from pythonanywhere_api.testing import Emulator, set_clock_speed

WAYS = ["none", "webapp", "always_on", "schedule", "console"]
# A deploy looks at the state folder and the manifest before it can say anything.
DIFF = 2
# So many times a receipt is looked for in the forecast.
LOOKS = 5
# So many times a deploy lists the state folder whatever happens: for the diff, and once it has announced itself.
LISTINGS = 2


@pytest.fixture
def site(unlimited, tmp_path):
    with Emulator(rate_limit=None, python=sys.executable, account="paid") as host:
        made = Site(Caller(PythonanywhereApi, host), tmp_path / "local")
        made.write("1")
        assert made.deploy(executor="none").ok
        yield made


@pytest.fixture
def with_agent(site):
    assert site.run(site.api.agent.install(site.domain, site.host.site_url))["changed"]
    return site


def change(site: Site, number: int) -> None:
    for path in sorted(site.local.glob("pkg*/*.py"))[:number]:
        path.write_text("changed\n")


def told(site: Site, **options) -> tuple[dict[str, int], int]:
    """What each way would cost, and the one that would be taken."""
    report = site.deploy(dry_run=True, **options)
    ways = {way["executor"]: way["requests"] for way in report.estimates}
    return ways, ways[report.executor]


def sent(site: Site, **options) -> int:
    """How many requests a deploy sends after its diff."""
    site.host.clear_requests()
    report = site.deploy(**options)
    assert report.ok, (report.stopped, report.failed)
    assert report.requests == len(site.host.requests) - DIFF
    return report.requests


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        (40, {}),
        (40, {"executor": "none"}),
        (40, {"executor": "webapp"}),
        (3, {}),
        (3, {"executor": "webapp"}),
        (3, {"rollback_on_failure": True}),
        (40, {"migrate": True, "collectstatic": True}),
        (3, {"migrate": True, "collectstatic": True}),
        (0, {"migrate": True}),
        (40, {"reload": []}),
    ],
)
def test_single_files_and_the_agent_cost_what_was_told(with_agent, changes, options):
    site = with_agent
    change(site, changes)
    assert told(site, **options)[1] == sent(site, **options)


def test_each_way_costs_what_was_told_whichever_is_taken(with_agent):
    site = with_agent
    change(site, 25)
    ways, _ = told(site, migrate=True)
    assert list(ways) == WAYS
    assert ways["webapp"] == sent(site, migrate=True, executor="webapp")


def test_deletes_cost_what_was_told(with_agent):
    site = with_agent
    for path in [*site.local.glob("pkg0/*.py"), site.local / "pkg1" / "m1.py"]:
        path.unlink()
    options = {"max_delete": 20, "executor": "none"}
    assert told(site, **options)[1] == sent(site, **options)


def test_the_look_for_somebody_who_could_do_it_is_counted(site):
    change(site, 40)
    ways, taken = told(site)
    assert taken == ways["none"] == sent(site)


def test_what_a_killed_deploy_left_is_counted(with_agent):
    site = with_agent
    site.takes_no_bundles()
    pya = project_of(site)
    for executor in ("none", "webapp"):
        site.write(executor)
        site.host.faults.add("hold", method="POST", path="*bundle-000", times=1)
        run = pya.start("deploy", "--executor", "webapp")
        assert site.host.wait_held(1, timeout=120)
        os.kill(run.pid, signal.SIGKILL)
        run.communicate(timeout=60)
        site.host.release_all()
        site.host.faults.clear()
        assert len(site.notes("intent-*")) == 1
        expected = told(site, executor=executor)[1]
        site.host.clear_requests()
        report = site.deploy(executor=executor)
        assert report.ok, report.stopped
        assert report.requests == expected
        assert site.notes("intent-*") == site.notes("work-*") == []


def test_a_debt_without_a_file_is_no_bundle(with_agent):
    site = with_agent
    change(site, 1)
    site.host.faults.add("status", code=500, method="POST", path="*/reload/", times=20)
    assert not site.deploy().ok
    site.host.faults.clear()
    report = site.deploy(dry_run=True, executor="webapp")
    assert (report.executor, report.why) == ("none", "no files need to be sent")
    (estimate,) = report.estimates
    # The list of domains; the agent is known from its installation.
    assert site.deploy(executor="webapp").requests == estimate["requests"] == report.plan["requests"] + 1


@pytest.mark.parametrize("commands", [{}, {"migrate": True}])
@pytest.mark.parametrize("executor", ["always_on", "schedule", "console"])
def test_tasks_and_consoles_cost_at_most_what_was_told(site, executor, commands):
    options = {"executor": executor, **commands}
    if executor == "console":
        change(site, 5)
        report = site.deploy(**options)
        assert "in a browser" in report.stopped
        client = Client(site.host.user, site.host.token, site.host.url)
        (console,) = client.consoles.list()
        urllib.request.urlopen(f"{site.host.url}/user/{site.host.user}/consoles/{console['id']}/", timeout=30).read()
    change(site, 40)
    expected = told(site, **options)[1]
    seconds = {way["executor"]: way["seconds"] for way in site.deploy(dry_run=True, **options).estimates}
    jobs = 1 + len(commands)
    assert seconds["schedule"] == 120 * jobs
    # Two minutes for each job; on a clock that runs faster, a job that starts takes long and is looked at often.
    speed, begun = 30 if executor == "schedule" else 1, time.monotonic()
    set_clock_speed(speed)
    try:
        number = sent(site, **options)
    finally:
        set_clock_speed(1)
    # The deploy's note is written anew every three minutes, and the state folder is looked at once a minute; how many
    # pass depends on the second that a task is made in, and on what else the machine does.
    number -= int((time.monotonic() - begun) * speed // 180)
    looks = len([request for request in site.host.requests if "/receipt-" in request.path])
    number -= max(0, looks - LOOKS * jobs)
    listings = [request for request in site.host.requests if re.search(r"/\.pya/[0-9a-f]{16}/$", request.path)]
    number -= max(0, len(listings) - LISTINGS)
    assert expected - 7 * jobs <= number <= expected


def project_of(site: Site) -> Pya:
    table = f'[tool.pythonanywhere]\nproject = "mysite"\ndomain = "{site.domain}"\nsite_url = "{site.host.site_url}"\n'
    (site.local / "pyproject.toml").write_text(table)
    return Pya(site.local, environment_of(site.host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def test_the_command_tells_the_figures_of_the_way_that_is_taken(with_agent):
    site = with_agent
    pya = project_of(site)
    pya("deploy")
    change(site, 40)
    for options, name in [([], "webapp"), (["--executor", "none"], "none"), (["--executor", "schedule"], "schedule")]:
        document = pya.json("deploy", "--dry-run", *options)
        (cost,) = [way["requests"] for way in document["estimates"] if way["executor"] == name]
        lines = pya("deploy", "--dry-run", "-v", *options).stderr.splitlines()
        (first,) = [line for line in lines if line.startswith("dry run")]
        assert f" {cost} request" in first
        assert [line.split()[0] for line in lines if "<- chosen" in line] == [name]
        assert [line.split()[0] for line in lines if re.search(r" requests?, ", line) and line.startswith("  ")] == WAYS
    # With what `pya deploy` does without options, the reload included.
    diff = pya("diff").stderr
    assert f"pya deploy takes {pya.json('diff')['forecast']['estimates'][1]['requests']} request" in diff
    # The bundle goes to the site, which has just answered: the API is asked for the reload alone.
    assert "takes 1 request" in diff, diff
    console = pya("deploy", "--dry-run", "-v", "--executor", "console").stderr
    assert [line.split()[0] for line in console.splitlines() if "<- chosen" in line] == ["console"]

    pya("deploy")
    (site.local / "version.txt").write_text("9")
    said = pya("deploy", "--dry-run", "--migrate").stderr
    assert "executor webapp: " in said
    assert "<- chosen" not in said
    assert "keeps 1 byte for a rollback" in said
    assert "cannot be undone" in pya("deploy", "--dry-run", "--executor", "none").stderr
    pya("deploy")
    assert "dry run, nothing to do: the host is up to date" in pya("deploy", "--dry-run").stderr
    said = pya("deploy", "--dry-run", "--migrate").stderr
    assert "no files need to be sent, and webapp runs the commands" in said


def test_a_deploy_that_takes_minutes_says_so_and_what_is_faster_before_it_begins(unlimited, tmp_path):
    with Emulator(rate_limit=40, python=sys.executable, account="paid") as host:
        site = Site(Caller(PythonanywhereApi, host), tmp_path / "local")
        site.write("1")
        pya = project_of(site)
        del pya.environment["PYTHONANYWHERE_RATE_LIMIT"]
        with pya.start("deploy") as process:
            assert process.stderr is not None
            lines = []
            for line in process.stderr:
                lines.append(line)
                if "executor none" in line:
                    break
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 130
    assert [line for line in lines if line.startswith("this takes 60 requests") and "about 1 min" in line]
    assert [line.split()[0] for line in lines if "<- chosen" in line] == ["none"]
    assert "pya agent install" in lines[-1]


def test_each_warning_is_said_once(with_agent):
    site = with_agent
    pya = project_of(site)
    (site.local / "elsewhere").symlink_to("/etc")
    (site.local / "run.sh").write_text("true\n")
    (site.local / "run.sh").chmod(0o755)
    done = pya("deploy", "--executor", "none")
    assert done.stderr.count("elsewhere") == 1
    assert done.stderr.count("chmod +x") == 1
    report = pya.json("deploy")
    assert [warning for warning in report["warnings"] if "elsewhere" in warning] != []


def test_a_deploy_that_was_cut_off_is_told_of_once(with_agent):
    site = with_agent
    pya = project_of(site)
    change(site, 3)
    site.host.faults.add("status", code=403, method="POST", path="*m0.py", times=1)
    pya("deploy", "--executor", "none", code=1)
    site.host.faults.clear()
    assert pya("deploy").stderr.count("was interrupted") == 1
