"""`pya ls, cat, get, put, rm, reload`: single files, exit codes, and what goes to which stream."""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from command import Pya, environment_of

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None) as emulator:
        yield emulator


@pytest.fixture
def home(host):
    return Path(host.root) / "home" / host.user


@pytest.fixture
def pya(host, tmp_path):
    host.clear_requests()
    return Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def test_a_file_goes_there_and_comes_back(pya, home):
    (pya.folder / "ü #1.txt").write_text("hello\n")
    done = pya("put", "ü #1.txt", "notes/")
    assert done.stdout == ""
    assert "created" in done.stderr
    assert (home / "notes" / "ü #1.txt").read_text() == "hello\n"
    assert pya("cat", "notes/ü #1.txt").stdout == "hello\n"
    assert pya("ls", "notes").stdout == "ü #1.txt\n"
    assert pya.json("put", "ü #1.txt", "~/notes/ü #1.txt") == {
        "path": f"{home_path(home)}/notes/ü #1.txt",
        "size": 6,
        "created": False,
    }
    assert "deleted" in pya("rm", "notes/ü #1.txt").stderr
    assert not (home / "notes" / "ü #1.txt").exists()


def home_path(home: Path) -> str:
    return f"/home/{home.name}"


def test_a_file_is_fetched_and_replaces_nothing_unasked(pya, home):
    (home / "big.bin").write_bytes(bytes(range(256)) * 20_000)
    assert "5120000 bytes" in pya("get", "big.bin").stderr
    assert (pya.folder / "big.bin").read_bytes() == (home / "big.bin").read_bytes()
    (pya.folder / "folder").mkdir()
    fetched = pya.json("get", "~/big.bin", "folder")
    assert fetched == {"path": f"{home_path(home)}/big.bin", "size": 5_120_000, "local": "folder/big.bin"}
    (home / "big.bin").write_text("small")
    assert "--overwrite" in pya("get", "big.bin", "folder/big.bin", code=2).stderr
    assert (pya.folder / "folder" / "big.bin").stat().st_size == 5_120_000
    pya("get", "big.bin", "folder/big.bin", "--overwrite")
    assert (pya.folder / "folder" / "big.bin").read_text() == "small"
    pya("get", "nothing", "new", code=5)
    pya("get", "/", code=2)
    assert sorted(path.name for path in pya.folder.iterdir()) == ["big.bin", "folder"]


def test_a_closing_slash_is_that_of_a_folder_to_be_made(pya, host, home):
    (home / "s1.py").write_text("x = 1\n")
    pya("get", "nothing", "backup/", code=5)
    assert list(pya.folder.iterdir()) == []
    fetched = pya.json("get", "s1.py", "backup/new/")
    assert fetched["local"] == "backup/new/s1.py"
    assert (pya.folder / "backup" / "new" / "s1.py").read_text() == "x = 1\n"
    assert "--overwrite" in pya("get", "s1.py", "backup/new/", code=2).stderr
    host.clear_requests()
    done = pya("get", "s1.py", "backup/new/s1.py/", code=2)
    assert "is not a folder" in done.stderr
    assert host.requests == []


def test_stdin_can_be_uploaded(pya, home):
    pya("put", "-", "typed.txt", text="from a pipe")
    assert (home / "typed.txt").read_text() == "from a pipe"
    assert "add the name of the file" in pya("put", "-", "folder/", text="x", code=2).stderr


def test_listings_tell_files_from_folders(pya, home):
    (home / "listed" / "inner").mkdir(parents=True)
    (home / "listed" / "a.py").write_text("")
    (home / "listed" / "inner" / "b.html").write_text("")
    assert pya("ls", "listed").stdout == "a.py\ninner/\n"
    assert pya("ls", "-l", "listed").stdout == "file       a.py\ndirectory  inner\n"
    assert pya("ls", "-R", "listed").stdout == "a.py\ninner/b.html\n"
    assert pya("ls", "-R", "listed", "--mask", "**/*.html").stdout == "inner/b.html\n"
    assert pya.json("ls", "listed")["entries"] == [
        {"name": "a.py", "type": "file"},
        {"name": "inner", "type": "directory"},
    ]
    assert "listed/" in pya("ls").stdout.splitlines()


def test_a_folder_that_cannot_be_read_makes_a_search_fail(pya, host, home):
    for name in ("good", "bad"):
        (home / "search" / name).mkdir(parents=True, exist_ok=True)
        (home / "search" / name / "x.py").write_text("")
    host.faults.add("status", code=500, path="*/search/bad/")
    try:
        done = pya("ls", "-R", "search", code=1)
        answer = pya.json("ls", "-R", "search", code=1)
    finally:
        host.faults.clear()
    assert done.stdout == "good/x.py\n"
    assert "bad" in done.stderr
    assert "incomplete" in done.stderr
    assert [failed["folder"] for failed in answer["failed"]] == ["bad"]


def test_rm_takes_folders_only_when_told(pya, home):
    (home / "full" / "deep").mkdir(parents=True)
    (home / "full" / "deep" / "x").write_text("")
    assert "-r" in pya("rm", "full", code=2).stderr
    assert (home / "full" / "deep" / "x").exists()
    pya("rm", "-r", "full")
    assert not (home / "full").exists()


@pytest.mark.parametrize("path", ["~", "/home", "/", "/var/www", ""])
def test_rm_refuses_what_the_account_stands_on(pya, host, path):
    pya("rm", "-r", path, code=2)
    assert host.requests == []


@pytest.mark.parametrize("path", ["../other", "/home/../etc", "a/../../b", "/home//x"])
def test_paths_that_lead_elsewhere_are_refused_before_any_request(pya, host, path):
    for command in (["cat", path], ["ls", path], ["rm", path]):
        pya(*command, code=2)
    assert host.requests == []


def test_exit_codes_tell_why(pya, host):
    assert "error:" in pya("cat", "no/such/file", code=5).stderr
    pya("ls", "no/such/folder", code=5)
    pya("rm", "no-such-file", code=5)
    pya("ls", code=4, API_TOKEN="wrong")
    pya("ls", code=3, PYTHONANYWHERE_SITE="http://127.0.0.1:9")
    pya("ls", "--no-such-option", code=2)
    pya("put", "no-such-local-file", "x", code=2)


@pytest.mark.parametrize("command", [["put"], ["files", "upload"]], ids=" ".join)
def test_what_cannot_be_sent_is_told_before_any_request(pya, host, tmp_path, command):
    target = f"/home/{host.user}/x"
    order = (lambda local: [local, target]) if command == ["put"] else (lambda local: [target, local])
    assert "is a folder" in pya(*command, *order(tmp_path), code=2).stderr
    with (tmp_path / "large").open("wb") as file:
        file.truncate((100 << 20) + 1)
    assert "larger than 100 MiB" in pya(*command, *order(tmp_path / "large"), code=2).stderr
    assert host.requests == []
    # Whose length nobody knows: read first.
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[b"piped"])
    writer.start()
    pya(*command, *order(tmp_path / "pipe"))
    writer.join()
    assert (Path(host.root) / "home" / host.user / "x").read_bytes() == b"piped"


def test_errors_are_a_document_too(pya):
    answer = pya.json("cat", "no/such/file", code=5)
    assert answer["ok"] is False
    assert (answer["error"]["kind"], answer["error"]["status"]) == ("NotFound", 404)


def test_the_token_is_never_shown(pya, host):
    for arguments in (["ls", "-vv"], ["cat", "nothing", "-vv"], ["ls", "--json", "-vv", "--timeout", "5"]):
        done = subprocess.run(pya.command(*arguments), env=pya.environment, capture_output=True, text=True, timeout=60)
        assert host.token not in done.stdout + done.stderr


def test_a_search_of_nothing_is_told_from_an_empty_one(pya, home):
    (home / "hollow").mkdir()
    (home / "one.txt").write_text("1")
    assert pya("ls", "-R", "hollow").stdout == ""
    assert "404" in pya("ls", "-R", "nowhere", code=5).stderr
    assert pya("ls", "-R", "one.txt").stdout.endswith("one.txt\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
@pytest.mark.parametrize("words", [["cat", "kept.txt"], ["cat", "kept.txt", "--json"], ["ls"], ["ls", "--json"]])
def test_output_that_is_lost_is_a_failure(pya, home, words):
    (home / "kept.txt").write_text("keep me")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            pya.command(*words), env=pya.environment, cwd=pya.folder, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert b"error: cannot write the output" in done.stderr


def test_json_is_one_document_also_for_a_mistyped_option_and_an_interruption(pya, host):
    done = pya("ls", "--bogus", "--json", code=2)
    assert json.loads(done.stdout)["error"]["kind"] == "Usage"
    assert "--bogus" in done.stderr
    assert pya("ls", "--bogus", code=2).stdout == ""
    held = host.faults.add("hold", method="GET")
    try:
        with subprocess.Popen(
            pya.command("ls", "--json"), env=pya.environment, cwd=pya.folder, stdout=subprocess.PIPE
        ) as process:
            while not host.requests:
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=60)
    finally:
        host.faults.remove(held)
    assert process.returncode == 130
    assert json.loads(output)["error"]["kind"] == "Interrupted"


def test_a_reader_that_leaves_is_no_error(pya, home):
    (home / "big.txt").write_bytes(b"line\n" * 500_000)
    with pya.start("cat", "big.txt") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(5)
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0


def test_colours_only_for_people(pya):
    assert "\x1b" not in pya("cat", "nothing", code=5).stderr


def test_reload_names_the_web_app(pya, host):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    assert pya.json("reload", domain)["reloaded"] == [domain]
    assert "domain =" in pya("reload", code=2).stderr
    pya("reload", "nobody.pythonanywhere.com", code=5)
    (pya.folder / "pyproject.toml").write_text(f'[tool.pythonanywhere]\ndomain = "{domain}"\n')
    assert f"reloaded {domain}" in pya("reload").stderr


def test_a_reload_that_fails_tells_of_those_before_it(pya, host):
    domain = f"{host.user}.pythonanywhere.com"
    # The account is shared with the other tests.
    if not Client(host.user, host.token, host.url).webapps.list():
        host.create_webapp(domain)
    (pya.folder / "pyproject.toml").write_text(f'[tool.pythonanywhere]\ndomain = ["{domain}", "not.mine.example"]\n')
    answer = pya.json("reload", code=5)
    assert (answer["reloaded"], list(answer["failed"])) == ([domain], ["not.mine.example"])


def test_a_token_that_is_not_accepted_is_told_with_where_to_get_one(pya):
    assert "tab 'API Token'" in pya("ls", code=4, API_TOKEN="f" * 40).stderr


def test_the_installed_script_is_the_same(host, pya):
    import shutil
    import sys

    script = shutil.which("pya", path=str(Path(sys.executable).parent))
    assert script
    done = subprocess.run([script, "ls", "--json"], env=pya.environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == f"/home/{host.user}"
