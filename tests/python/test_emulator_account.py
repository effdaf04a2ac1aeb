"""What runs in an emulated account stays in it, and what the emulator's starter has stays out of it."""

import json
import subprocess
import sys
import textwrap
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
from command import Pya, clean_environment

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

LONG = 60


@pytest.fixture
def host():
    with Emulator(rate_limit=None, account="paid", python=sys.executable) as host:
        yield host


def client_of(host) -> Client:
    return Client(host.user, host.token, host.url, rate_limit="off")


def home(host) -> Path:
    return Path(host.root) / "home" / host.user


def run_task(host, command: str) -> str:
    """What a command prints in an always-on task."""
    done, printed = home(host) / "done", home(host) / "printed"
    client_of(host).always_on.create(f"({command}) > ~/printed 2>&1; touch ~/done; sleep 600")
    deadline = time.monotonic() + LONG
    while not done.exists():
        assert time.monotonic() < deadline, printed.read_text() if printed.exists() else "the task does not start"
        time.sleep(0.05)
    return printed.read_text()


def make_wheel(folder: Path, name: str) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_a_web_app_without_a_virtualenv_has_none_of_the_starters_packages(host):
    host.create_webapp()
    wsgi = Path(host.root) / "var" / "www" / f"{host.user}_pythonanywhere_com_wsgi.py"
    wsgi.write_text(
        textwrap.dedent(
            """
            import importlib.util, json, sys
            def application(environ, start_response):
                start_response("200 OK", [])
                found = [bool(importlib.util.find_spec(name)) for name in ("json", "pytest")]
                return [json.dumps([found, sys.prefix]).encode()]
            """
        )
    )
    with urllib.request.urlopen(host.site_url, timeout=LONG) as answer:
        found, prefix = json.load(answer)
    assert found == [True, False]
    assert prefix.startswith(host.root)


def test_pip_installs_into_the_account_under_every_name(host):
    for number, pip in enumerate(["pip", "pip3.11", "python3 -m pip"]):
        make_wheel(home(host), f"only_there_{number}")
        printed = run_task(host, f"{pip} install --no-index --no-deps ~/only_there_{number}-1.0-py3-none-any.whl")
        assert f"Successfully installed only-there-{number}" in printed.replace("_", "-"), printed
        (home(host) / "done").unlink()
    printed = run_task(
        host, "python -c 'import only_there_0, only_there_1, only_there_2; print(only_there_2.__file__)'"
    )
    assert printed.startswith(host.root), printed
    here = [sys.executable, "-c", "import only_there_0"]
    assert subprocess.run(here, capture_output=True, check=False).returncode == 1


def test_pip_installs_for_the_user_as_the_service_recommends(host):
    make_wheel(home(host), "mine")
    run_task(host, "pip install --user --no-index ~/mine-1.0-py3-none-any.whl")
    (home(host) / "done").unlink()
    assert "/.local/lib/python3" in run_task(host, "python3 -c 'import mine; print(mine.__file__)'")
    assert list(home(host).glob(".local/lib/python3*/site-packages/mine.py"))


def test_programs_of_the_starters_virtualenv_are_not_found(host):
    assert Path(sys.executable).with_name("pytest").exists()
    assert run_task(host, "command -v pytest || echo none") == "none\n"


def test_what_was_installed_is_there_when_the_folder_is_used_again(tmp_path):
    for expected in ("missing", "there"):
        with Emulator(rate_limit=None, account="paid", python=sys.executable, root=tmp_path) as host:
            (home(host) / "done").unlink(missing_ok=True)
            printed = run_task(host, "python -c 'import kept' 2>/dev/null && echo there || echo missing")
            assert printed == f"{expected}\n"
            (home(host) / "done").unlink()
            make_wheel(home(host), "kept")
            run_task(host, "pip install --no-index ~/kept-1.0-py3-none-any.whl")


def test_a_console_takes_no_terminal_from_an_emulator_that_leads_a_session(tmp_path):
    pya = Pya(tmp_path, clean_environment())
    command = pya.command("emulator", "--rate-limit", "off", "--account", "paid")
    with subprocess.Popen(
        command, env=pya.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            line = json.loads(process.stdout.readline())
            client = Client(line["user"], line["token"], line["url"], rate_limit="off")
            console = client.consoles.create("bash")
            urllib.request.urlopen(line["url"] + console["console_url"], timeout=LONG).close()
            client.consoles.send_input(console["id"], "echo here\n")
            stat = Path(f"/proc/{process.pid}/stat")
            if stat.exists():
                assert stat.read_text().rpartition(")")[2].split()[4] == "0", "it has a terminal now"
            client.consoles.delete(console["id"])
            time.sleep(0.3)
            assert process.poll() is None
            assert client.consoles.list() == []
        finally:
            process.terminate()


def test_the_command_line_keeps_pace_with_an_emulator_whose_clock_runs_faster(tmp_path):
    pya = Pya(tmp_path, clean_environment())
    with pya.start("emulator", "--clock-speed", "60") as process:
        try:
            line = json.loads(process.stdout.readline())
            assert line["clock_speed"] == 60
            account = {"API_TOKEN": line["token"], "PYTHONANYWHERE_USERNAME": line["user"]}
            site = tmp_path / "site"
            site.mkdir()
            for number in range(50):
                (site / f"{number}.txt").write_text(str(number))
            started = time.monotonic()
            done = pya("deploy", site, "--project", "site", **account, PYTHONANYWHERE_SITE=line["url"])
            assert time.monotonic() - started < 30
            assert "50 files uploaded" in done.stderr
        finally:
            process.terminate()
            process.communicate(timeout=30)
