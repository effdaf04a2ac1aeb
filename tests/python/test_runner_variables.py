"""The variables of a web app: their file, what changes it, and what gets them."""

import fcntl
import json
import os
import secrets
import stat
import threading

import pytest
from runner_host import Host, as_program, ready, runner, simple
from runner_steps import fail_at, kill_at

DOMAIN = "www.example.com"


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def folder(host: Host):
    return host.home / ".pya" / f"variables-{DOMAIN}"


def stored(host: Host):
    return json.loads((folder(host) / "variables.json").read_text())


def job(host: Host, given: dict[str, str] | None = None, unset=(), **more):
    """A job, and its values where the client uploads them."""
    given = given or {}
    words = {"domain": DOMAIN, "set": sorted(given), "unset": list(unset), "variables": bool(given)}
    # Receipts are kept for a while only.
    made = simple(host, "variables", **(words | more)) | {"id": secrets.token_hex(8)}
    send(host, made, given)
    return made


def send(host: Host, made, given: dict[str, str]) -> None:
    if given:
        work = host.state / f"work-{made['id']}"
        work.mkdir(exist_ok=True)
        (work / "variables.json").write_text(json.dumps(given))


def change(host: Host, given=None, unset=(), **more):
    return host.run(job=job(host, given, unset, **more))


def test_variables_are_set_and_removed_and_no_value_is_in_any_note(host):
    receipt = change(host, {"SECRET_KEY": "s3cret", "EMAIL": "ü@example.com"})
    assert receipt["state"] == "done", receipt["error"]
    assert receipt["result"] == {
        "names": ["EMAIL", "SECRET_KEY"],
        "changed": True,
        "loaded": False,
        "summary": "set EMAIL, set SECRET_KEY",
    }
    assert stored(host) == {"SECRET_KEY": "s3cret", "EMAIL": "ü@example.com"}
    assert not change(host, {"SECRET_KEY": "s3cret"})["result"]["changed"]
    receipt = change(host, {"EMPTY": ""}, ["EMAIL", "NOT_THERE"])
    assert receipt["result"]["names"] == ["EMPTY", "SECRET_KEY"]
    assert stored(host) == {"SECRET_KEY": "s3cret", "EMPTY": ""}
    kept = "".join(
        path.read_text() for path in host.state.rglob("*") if path.is_file() and path != host.work / "bundle-000"
    )
    assert "s3cret" not in kept
    assert list(host.state.rglob("variables.json")) == []


def test_nobody_else_can_read_them(host):
    folder(host).mkdir(parents=True)
    folder(host).chmod(0o755)
    (folder(host) / "variables.json").write_text("{}")
    umask = os.umask(0)
    try:
        change(host, {"A": "b"})
    finally:
        os.umask(umask)
    for path in (host.home / ".pya", folder(host)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in folder(host).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "name",
    [
        "API_TOKEN",
        "HOME",
        "PATH",
        "LD_PRELOAD",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "DJANGO_SETTINGS_MODULE",
        "",
        "1A",
        "A-B",
        "A=B",
        "Ä",
        "A\n",
    ],
)
def test_what_decides_what_code_runs_for_whom_is_refused(host, name):
    receipt = change(host, {"GOOD": "x", name: "y"})
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "name")
    assert not folder(host).exists()


def test_a_bad_one_that_is_there_can_be_removed(host):
    change(host, {"A": "b"})
    (folder(host) / "variables.json").write_text('{"PATH": "/tmp", "A": "b"}')
    assert change(host, unset=["PATH"])["result"]["names"] == ["A"]


@pytest.mark.parametrize("domain", ["../x", "a/b", "", ".", "..", "-x"])
def test_a_domain_is_one_name(host, domain):
    assert change(host, {"A": "b"}, domain=domain)["error"]["kind"] == "name"


@pytest.mark.parametrize("sent", [{}, {"B": "x"}, {"A": "x", "B": "y"}, {"A": 1}, {"A": "x\0y"}, {"A": None}])
def test_only_the_values_that_were_announced_will_do(host, sent):
    made = job(host, {"A": "x"})
    send(host, made, sent or {"B": "x"})
    receipt = host.run(job=made)
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "missing")
    assert not folder(host).exists()


def test_too_much_is_refused_before_every_command_would_fail(host):
    change(host, {"A": "x" * 40_000})
    receipt = change(host, {"B": "x" * 40_000})
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "too_long")
    assert list(stored(host)) == ["A"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"A": 1}', '"s3cret"', '{"A": "s3cret"', "\x80"])
def test_a_damaged_file_is_told_and_not_overwritten(host, content):
    change(host, {"A": "b"})
    (folder(host) / "variables.json").write_text(content, encoding="latin-1")
    receipt = change(host, {"C": "d"})
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "local")
    assert f"/home/me/.pya/variables-{DOMAIN}/variables.json is damaged" in receipt["error"]["message"]
    assert "s3cret" not in receipt["error"]["message"]
    assert (folder(host) / "variables.json").read_text(encoding="latin-1") == content


def test_links_are_not_followed(host):
    elsewhere = host.home / "elsewhere"
    elsewhere.mkdir()
    folder(host).symlink_to(elsewhere)
    assert change(host, {"A": "b"})["error"]["kind"] == "obstacle"
    assert list(elsewhere.iterdir()) == []
    folder(host).unlink()
    (elsewhere / "x.json").write_text('{"OTHER": "x"}')
    folder(host).mkdir()
    (folder(host) / "variables.json").symlink_to(elsewhere / "x.json")
    assert change(host, {"A": "b"})["error"]["kind"] == "local"
    assert (elsewhere / "x.json").read_text() == '{"OTHER": "x"}'


def test_no_task_changes_them(host):
    made = job(host, {"A": "b"})
    done = as_program(host, made)
    assert done.returncode == 1
    assert "only the agent" in done.stdout
    assert not folder(host).exists()


def test_killed_at_any_step_they_are_the_old_or_the_new_ones_and_a_second_try_makes_them_new(host):
    number, killed = 1, True
    while killed:
        change(host, {"OLD": "1"})
        made = job(host, {"NEW": "2"}, ["OLD"])
        killed = kill_at(host, number, job=made)
        assert stored(host) in ({"OLD": "1"}, {"NEW": "2"})
        receipt = host.run(job=made)
        assert receipt["state"] == "done", receipt["error"]
        assert stored(host) == {"NEW": "2"}
        change(host, unset=["NEW"])
        number += 1
    assert number > 5
    assert {path.name for path in folder(host).iterdir()} == {"lock", "variables.json"}


def test_an_error_at_any_step_loses_none(host):
    number, is_there = 1, True
    while is_there:
        change(host, {"OLD": "1"})
        made = job(host, {"NEW": "2"})
        receipt, is_there = fail_at(host, number, 28, job=made)
        assert stored(host)["OLD"] == "1"
        if not isinstance(receipt, OSError) and receipt["state"] == "done":
            assert stored(host)["NEW"] == "2"
        change(host, {}, ["NEW"])
        number += 1
    assert number > 5


def test_changes_at_once_are_all_made(host):
    jobs = [job(host, {f"V{number}": "x"}) for number in range(8)]
    threads = [threading.Thread(target=host.run, kwargs={"job": made}) for made in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stored(host)) == [f"V{number}" for number in range(8)]


def test_a_change_waits_for_another_one(host):
    change(host, {"A": "b"})
    with open(folder(host) / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = job(host, {"C": "d"})
        assert host.run(0.3, job=made)["state"] == "running"
    assert host.run(job=made)["state"] == "done"
    assert stored(host) == {"A": "b", "C": "d"}


# ---- what commands get

SHOW = "import json, os, sys\nprint(json.dumps({name: os.environ.get(name) for name in sys.argv[1:]}))\n"


def seen(host: Host, *names: str, loaded=None, given=None, program=False, **more) -> dict:
    (host.root / "manage.py").write_text(SHOW)
    words = {
        "args": list(names),
        "manage": "manage.py",
        "virtualenv": None,
        "settings": None,
        "path": [],
        "timeout": 30,
    }
    made = simple(host, "manage", **(words | {"folder": None, "domain": DOMAIN, "variables": bool(given)} | more))
    send(host, made, given)
    if program:
        as_program(host, made)
        receipt = json.loads((host.state / f"receipt-{made['id']}.json").read_text())
    else:
        receipt = runner.run_job(str(host.state), made, loaded=loaded)
    assert receipt["state"] == "done", (receipt["error"], receipt["output"])
    return json.loads(receipt["output"])


@pytest.mark.parametrize("program", [False, True])
def test_commands_get_them_before_what_they_inherit_and_after_what_was_given(host, monkeypatch, program):
    for name in ("INHERITED", "BOTH"):
        monkeypatch.setenv(name, "inherited")
    change(host, {"BOTH": "ü\n", "OWN": "own", "GIVEN": "own", "DEFAULT": "own"})
    found = seen(
        host,
        *("INHERITED", "BOTH", "OWN", "GIVEN", "DEFAULT", "ONLY"),
        given={"GIVEN": "given", "DEFAULT": "default", "ONLY": "default"},
        defaults=["DEFAULT", "ONLY"],
        program=program,
    )
    assert found == {
        "INHERITED": "inherited",
        "BOTH": "ü\n",
        "OWN": "own",
        "GIVEN": "given",
        "DEFAULT": "own",
        "ONLY": "default",
    }
    # Where no web app is named, there are none.
    assert seen(host, "OWN", "BOTH", domain=None, program=program) == {"OWN": None, "BOTH": "inherited"}


def test_in_the_web_app_they_are_as_they_are_now_and_what_the_wsgi_file_set_stays(host, monkeypatch):
    loaded = {"SAME": "old", "GONE": "old", "CHANGED": "old", "WSGI": "old"}
    for name, value in (loaded | {"WSGI": "by the file"}).items():
        monkeypatch.setenv(name, value)
    change(host, {"SAME": "old", "CHANGED": "new", "WSGI": "new", "ADDED": "new"})
    assert seen(host, "SAME", "GONE", "CHANGED", "WSGI", "ADDED", loaded=loaded) == {
        "SAME": "old",
        "GONE": None,
        "CHANGED": "new",
        "WSGI": "by the file",
        "ADDED": "new",
    }
    # A command that is not of this web app, such as pip, has what the web app was loaded with.
    assert seen(host, "GONE", "ADDED", loaded=loaded, domain=None) == {"GONE": "old", "ADDED": None}


def test_a_command_is_not_run_without_those_that_cannot_be_read(host):
    change(host, {"A": "b"})
    (folder(host) / "variables.json").write_text("{")
    (host.root / "manage.py").write_text(SHOW)
    words = {"args": [], "manage": "manage.py", "virtualenv": None, "settings": None, "path": [], "timeout": 30}
    receipt = host.run(job=simple(host, "manage", folder=None, domain=DOMAIN, **words))
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "local")
