"""What runs in an emulated account stays in it, and what the emulator's starter has stays out of it."""

import json
import os
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


@pytest.fixture
def packages(tmp_path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    make_wheel(folder, "from_the_index")
    (folder / "README").write_text("no package")
    return folder


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take names in UTF-8 only")
def test_the_folder_of_the_account_may_have_any_name(tmp_path):
    place = os.fsdecode(os.fsencode(tmp_path) + b"/r\xff oot")
    os.mkdir(place)
    with Emulator(rate_limit=None, python=sys.executable, root=place) as host:
        assert Path(host.root) == Path(place)
        host.create_webapp()
        assert (Path(place) / "home" / host.user).is_dir()
        with urllib.request.urlopen(host.site_url, timeout=30) as answer:
            assert answer.status == 200


def test_pip_installs_from_a_folder_of_wheels(packages):
    with Emulator(rate_limit=None, account="paid", python=sys.executable, package_index=packages) as host:
        printed = run_task(host, "pip install From.The_Index && python -c 'import from_the_index'")
        assert "Successfully installed" in printed, printed
        (home(host) / "done").unlink()
        assert "No matching distribution found for missing" in run_task(host, "pip install missing")
        with urllib.request.urlopen(host.package_index, timeout=LONG) as answer:
            assert b"README" not in answer.read()
        assert host.requests[-1].path.endswith("/always_on/"), "its requests are none of the API's"


def test_a_package_index_has_to_be_a_folder(tmp_path):
    with pytest.raises(OSError, match="package index"), Emulator(package_index=tmp_path / "missing"):
        pass


VERSION = "{}.{}".format(*sys.version_info)


@pytest.mark.parametrize(
    "command",
    [
        f"virtualenv -q -p python{VERSION}",
        f"virtualenv --python={VERSION}",
        "python -m venv",
        f"python{VERSION} -m venv",
        f"/usr/local/bin/python{VERSION} -m venv",
        f"virtualenv -p /usr/local/bin/python{VERSION}",
    ],
)
def test_virtualenvs_are_made_without_the_network_and_serve_a_web_app(packages, command):
    with Emulator(rate_limit=None, account="paid", python=sys.executable, package_index=packages) as host:
        if host.paths == "root" and "/usr/local/bin/" in command:
            pytest.skip("programs cannot be added to /usr/local/bin")
        place = "~/.virtualenvs/mine"
        printed = run_task(host, f"{command} {place} && {place}/bin/pip install from_the_index")
        assert "Successfully installed from-the-index-1.0" in printed.replace("_", "-"), printed
        settings = (home(host) / ".virtualenvs/mine/pyvenv.cfg").read_text()
        assert f"version = {VERSION}." in settings
        host.create_webapp(virtualenv=f"/home/{host.user}/.virtualenvs/mine")
        wsgi = Path(host.root) / "var" / "www" / f"{host.user}_pythonanywhere_com_wsgi.py"
        wsgi.write_text(
            textwrap.dedent(
                """
                import from_the_index
                def application(environ, start_response):
                    start_response("200 OK", [])
                    return [from_the_index.__file__.encode()]
                """
            )
        )
        with urllib.request.urlopen(host.site_url, timeout=LONG) as answer:
            assert b"/.virtualenvs/mine/" in answer.read()


def test_a_version_that_the_machine_lacks_is_not_pretended_by_virtualenv_paths(host):
    assert "failed to find interpreter" in run_task(host, "virtualenv -p /usr/local/bin/python3.99 x")


def test_a_chosen_quota_stops_uploads_and_every_python(packages):
    writes = textwrap.dedent(
        """
        import pathlib, time
        try:
            for number in range(10_000):
                (pathlib.Path.home() / str(number)).write_bytes(b"x" * 10_000)
                time.sleep(0.005)
        except OSError as error:
            print(error.errno)
        """
    )
    with Emulator(rate_limit=None, account="paid", disk_quota=1 << 20, package_index=packages) as host:
        client = client_of(host)
        client.files.upload(f"/home/{host.user}/fill.py", writes.encode())
        assert run_task(host, "python3 ~/fill.py && echo more >> ~/by-bash; ls ~/by-bash").split("\n")[0] == "122"
        with pytest.raises(Exception, match="quota"):
            client.files.upload(f"/home/{host.user}/more.txt", b"more")
        (home(host) / "done").unlink()
        printed = run_task(host, "python3 -m venv ~/.virtualenvs/full")
        assert "Disk quota exceeded" in printed, printed
        (home(host) / "done").unlink()
        run_task(host, "rm ~/[0-9]*")
        (home(host) / "done").unlink()
        assert run_task(host, 'python3 -c \'open("again", "w")\' && echo written') == "written\n"


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
