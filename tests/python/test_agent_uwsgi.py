"""The agent under the application server that the host uses, with a Django project at absolute paths."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import threading
import time

import pytest
from agent_site import PATH, header, job
from runner_host import NEW_TREE, OLD_TREE, Host, everything
from uwsgi_site import PATIENCE, WSGI, Uwsgi, needs_uwsgi

pytestmark = [needs_uwsgi, pytest.mark.slow, pytest.mark.timeout(4 * PATIENCE)]


@pytest.fixture
def start(tmp_path):
    started = []

    def start(**options):
        started.append(Uwsgi(tmp_path, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def test_the_site_is_as_before_and_the_agent_answers(start):
    site = start()
    assert site.get("/hello/") == (200, b"Django says /hello/, 0 bytes")
    assert site.request("POST", "/hello/", b"x" * 100_000) == (200, b"Django says /hello/, 100000 bytes")
    assert site.ask()
    assert not site.ask(fields=site.installed.signed() | {"sig": "0" * 64})
    assert site.request("POST", PATH, b"{}")[0] == 404


def test_commands_run_with_the_web_apps_python_and_settings(start):
    site = start()
    (site.project / "manage.py").write_text(
        "import os, sys\nprint(sys.prefix, os.environ['DJANGO_SETTINGS_MODULE'], *sys.argv[1:])\nsys.exit(5)\n"
    )
    body, identity = job("manage", args=["check"], manage="manage.py", virtualenv=None, settings=None, timeout=60)
    assert site.ask("manage", body)
    receipt = site.receipt(identity)
    assert receipt["error"] is None, receipt
    assert (receipt["exit_status"], receipt["output"].split()[1:]) == (5, ["mysite.settings", "check"])
    # `sys.executable` is uwsgi there, which is no Python.
    assert "uwsgi" not in receipt["result"]["interpreter"]


def test_commands_find_what_the_web_app_finds(start, tmp_path):
    """The variables and module paths that its WSGI file sets, and its working folder."""
    original = WSGI + "\nos.environ['SECRET_KEY'] = 'live'\nsys.path.append('/home/elsewhere/lib')\nos.chdir('/tmp')\n"
    site = start(original=original.format(root=str(tmp_path / "me" / "mysite")))
    script = "import json, os, sys\nprint(json.dumps([os.environ['SECRET_KEY'], os.getcwd(), sys.path]))\n"
    (site.project / "manage.py").write_text(script)
    body, identity = job("manage", args=["check"], manage="manage.py", virtualenv=None, settings=None, timeout=60)
    assert site.ask("manage", body)
    secret, folder, path = json.loads(site.receipt(identity)["output"])
    assert (secret, folder) == ("live", "/tmp")
    assert path[0] == str(site.project)
    assert "/home/elsewhere/lib" in path


def test_a_site_with_one_worker_answers_soon_after_its_command_was_cancelled(start):
    site = start()
    (site.project / "manage.py").write_text("import os\nos.execvp('sleep', ['sleep', '300'])\n")
    body, identity = job("manage", args=["check"], manage="manage.py", virtualenv=None, settings=None, timeout=240)
    work = site.home / ".pya" / "00112233aabbccdd" / f"work-{identity}"
    asked = threading.Thread(target=site.ask, args=("manage", body))
    asked.start()
    while not (work / "output").exists():
        time.sleep(0.02)
    visits = []
    visit = threading.Thread(target=lambda: visits.append(site.get("/hello/")))
    visit.start()
    time.sleep(0.5)
    assert visits == []
    (work / "cancel").write_text("{}")
    begun = time.monotonic()
    visit.join()
    print(f"the site answered {time.monotonic() - begun:.1f} s after the note")
    assert time.monotonic() - begun < 15
    assert visits[0][0] == 200
    asked.join()
    receipt = site.receipt(identity)
    assert (receipt["state"], receipt["result"]["signal"]) == ("cancelled", "SIGTERM")
    assert not work.exists()


def test_an_application_that_fails_to_load_leaves_the_agent(start):
    site = start(original="import os\nimport nothing_of_the_kind\n")
    # As the host's own wrapper of WSGI files does. The web server in front makes an error page of it.
    with pytest.raises(http.client.RemoteDisconnected):
        site.get("/hello/")
    assert site.ask()
    log = site.log.read_text()
    assert f'File "{site.installed.wsgi}", line 2' in log
    assert "    import nothing_of_the_kind" in log
    assert "_pya_" not in log
    assert "ModuleNotFoundError: No module named 'nothing_of_the_kind'" in log


def test_an_application_that_exits_ends_no_worker(start):
    site = start(original="raise SystemExit(3)\n")

    assert site.ask()
    before = site.workers()
    for _ in range(3):
        with pytest.raises(http.client.RemoteDisconnected):
            site.get("/hello/")
    assert site.ask()
    assert site.workers() == before
    assert "the application could not be loaded: SystemExit: 3" in site.log.read_text()


def test_of_two_workers_one_takes_a_request(start):
    site = start(workers=2)
    for _ in range(10):
        fields = site.installed.signed()
        taken = []
        threads = [threading.Thread(target=lambda: taken.append(site.ask(fields=fields))) for _ in range(2)]  # noqa: B023
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == [False, True]


def test_a_touched_file_reloads_and_an_old_request_stays_old(start):
    site = start()
    fields = site.installed.signed()
    assert site.ask(fields=fields)
    before = (site.installed.folder / "loaded.json").read_text()
    os.utime(site.installed.folder / "loaded.json", (1, 1))
    time.sleep(1.1)
    os.utime(site.installed.wsgi)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (site.installed.folder / "loaded.json").stat().st_mtime > 1:
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"it was not loaded again: {before}")
    site.wait()
    assert site.ask()
    assert not site.ask(fields=fields)


def test_a_worker_killed_in_the_middle_of_a_deploy_is_made_up_for(start, tmp_path):
    site = start()
    # The same home folder, with a deploy that is about to change its project.
    many = NEW_TREE | {f"many/{number}.txt": bytes([number % 256]) * 2000 for number in range(3000)}
    host = Host(tmp_path / "deploy", OLD_TREE, many, ["gone/x.py"])
    host.upload()
    state = site.home / ".pya" / host.state.name
    shutil.move(str(host.state), state)
    shutil.rmtree(site.project)
    shutil.move(str(host.root), site.project)
    host.root, host.state = site.project, state
    body = json.dumps({"state": state.name, "limit": 45, "job": host.job}).encode()
    assert len(body) < 64 << 10

    def kill_worker():
        while not list(state.glob("work-*/staging/*")):
            time.sleep(0.001)
        site.kill_worker()

    killer = threading.Thread(target=kill_worker)
    killer.start()
    with pytest.raises((OSError, http.client.HTTPException)):
        site.ask("apply", body)
    killer.join()
    receipt = {"state": "running"}
    while receipt["state"] == "running":
        # A busy machine may need more than one step.
        assert site.ask("apply", body)
        receipt = json.loads((state / f"receipt-{host.job['id']}.json").read_text())
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == host.expected()
    assert host.leftovers() == set()


def test_a_rollback_restores_every_byte_and_mode(start):
    """Of files that were replaced, added, deleted and copied, and of folders and files that made way for each other."""
    site = start()
    shutil.rmtree(site.project)
    host = everything(site.home)

    def run(operation, job):
        host.note(f"intent-{job['id']}.json", host.intent(id=job["id"]))
        assert site.ask(operation, json.dumps({"state": host.state.name, "limit": 45, "job": job}).encode())
        assert site.receipt(job["id"])["state"] == "done", site.receipt(job["id"])["error"]

    run("apply", host.job)
    assert host.tree() == host.expected()
    run("rollback", host.rollback_job())
    assert host.tree() == host.before
    assert host.leftovers() == set()


STRANGE_BODIES = [
    (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    (["Transfer-Encoding: chunked", "Content-Length: 2"], b"2\r\n{}\r\n0\r\n\r\n"),
    ([], b"{}"),
    (["Content-Length: -2"], b"{}"),
    (["Content-Length: 0x2"], b"{}"),
    # Whichever of them counts, it is not that of the body that was signed.
    (["Content-Length: 1", "Content-Length: 0"], b"{}"),
    (["Content-Length: 65537"], b"{}" + b" " * 65535),
]


def test_a_body_without_one_sensible_length_changes_nothing(start):
    site = start()

    def notes():
        files = (path for path in (site.home / ".pya").rglob("*") if path.is_file())
        # A nonce is used up before the body is read.
        return {path: path.read_bytes() for path in files if path.parent.name != "nonces"}

    assert site.ask()
    for lengths, body in STRANGE_BODIES:
        is_chunked = any("chunked" in line for line in lengths)
        before, fields = notes(), site.installed.signed(body=b"{}" if is_chunked else body)
        head = [f"POST {PATH} HTTP/1.1", "Host: x", "Connection: close", f"X-Pya-Agent: {header(fields)}", *lengths]
        with socket.create_connection(("127.0.0.1", site.port), timeout=30) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        # By the application, or by the server itself.
        assert answer == b"" or int(answer.split()[1]) >= 400, lengths
        assert notes() == before, lengths
        # The server is well.
        assert site.ask()


def raw(site, request: bytes) -> bytes:
    """What comes back for bytes that are sent as they are, until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize("body", [b"", b"{"])
def test_a_body_that_does_not_end_is_given_up_and_is_no_request(start, body):
    site = start()
    assert site.ask()
    signed = header(site.installed.signed())
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Pya-Agent: {signed}\r\nContent-Length: 2\r\n\r\n"
    answer = raw(site, head.encode() + body)
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert site.ask()


def announcement(site, piece: bytes):
    """The body of a request that announces a deploy with this piece of its bundle, and the deploy's id."""
    part = {"name": "bundle-000", "sha256": hashlib.sha256(piece).hexdigest(), "size": len(piece)}
    body, identity = job("apply", parts=[part], bytes=0, copies=0, generation=1)
    note = {"format": 1, "id": identity, "since": int(time.time()), "expires": int(time.time()) + 600}
    more = {"note": note, "newest": None, "piece": [part["name"], 0]}
    return json.dumps(json.loads(body) | more).encode() + b"\n" + piece, identity


def test_a_piece_of_16_mib_arrives_whole(start):
    site = start()
    body, identity = announcement(site, os.urandom(16 << 20))
    assert site.ask("deploy", body, site.installed.signed("deploy", body, length=str(len(body))))
    receipt = site.receipt(identity)
    # It is no bundle, which shows only once its digest is right.
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "digest")
    assert "the bundle is damaged" in receipt["error"]["message"]
    assert list((site.home / ".pya").rglob(f"intent-{identity}.json"))


@pytest.mark.parametrize("arrives", [0, 1000, 1 << 20])
def test_a_piece_that_does_not_end_is_given_up_and_announces_nothing(start, arrives):
    site = start()
    body, identity = announcement(site, os.urandom(2 << 20))
    signed = header(site.installed.signed("deploy", body, length=str(len(body))))
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Pya-Agent: {signed}\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = raw(site, head.encode() + body[:arrives])
    assert b" 200 " not in answer.split(b"\r\n")[0]
    assert not list((site.home / ".pya").rglob(f"*{identity}*"))
    assert site.ask()
    # Somebody who kept it and sends it whole comes too late, unless it never got as far as the agent.
    if b" 400 " in answer.split(b"\r\n")[0]:
        assert not site.ask(fields=dict(part.split("=", 1) for part in signed.split("; ")), body=body)


def test_headers_of_any_length_are_survived(start):
    site = start()
    assert site.ask()
    signed = header(site.installed.signed())
    for value in (signed + "0" * 10_000, signed + "; " * 40_000, "v=1; " * 100_000):
        head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Pya-Agent: {value}\r\nContent-Length: 0\r\n\r\n"
        answer = raw(site, head.encode())
        assert b" 200 " not in answer.split(b"\r\n")[0]
    assert site.ask()
