"""The agent in a web app, called as by an application server: what it takes, and that it leaves the rest alone."""

import hashlib
import io
import json
import os
import re
import shutil
import stat
import time
from pathlib import Path

import pytest
from agent_site import DOMAIN, PATH, TOKEN, Installed, header, job
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from runner_archive import append, members, write_members

ORIGINAL = """\
def application(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0) if environ.get("CONTENT_LENGTH", "").isdigit() else -1
    body = environ["wsgi.input"].read(length)
    start_response("404 Not Found", [("X-Body", str(len(body)))])
    return [b"the application read " + body]
"""


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder, with its mode and what is in it."""
    return {
        str(path): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"") for path in folder.rglob("*")
    }


class Server:
    """Runs a WSGI file in this process, and asks it."""

    def __init__(self, installed: Installed):
        self.installed = installed
        self.load()

    def load(self) -> None:
        """As after a reload: everything anew but the files."""
        space = {"__file__": str(self.installed.wsgi), "__name__": "wsgi"}
        exec(compile(self.installed.wsgi.read_text(), str(self.installed.wsgi), "exec"), space)  # noqa: S102
        self.application = space["application"]

    def ask(self, fields=None, body: bytes = b"{}", **environ):
        """The status, the headers and the body of an answer."""
        request = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": PATH,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
        }
        if fields is not None:
            request["HTTP_X_PYA_AGENT"] = fields if isinstance(fields, str) else header(fields)
        answered = {}

        def start_response(status, headers, exc_info=None):
            answered.update(status=status, headers=dict(headers))

        content = b"".join(self.application(request | environ, start_response))
        return answered["status"], answered["headers"], content

    def is_answered(self, fields, body: bytes = b"{}", **environ) -> bool:
        """Whether the agent took it. If not, the application got the whole body, and nothing changed on disk."""
        before = snapshot(self.installed.home)
        status, headers, content = self.ask(fields, body, **environ)
        if status == "200 OK":
            answer = json.loads(content)
            assert answer == answer | self.installed.answer(fields)
            assert headers["X-Pya-Agent"] == self.installed.signature(fields, 200, content)
            assert "no-store" in headers["Cache-Control"]
            return True
        assert snapshot(self.installed.home) == before
        if not environ:
            assert content == b"the application read " + body
        return False


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("API_TOKEN", TOKEN)
    return tmp_path / "me"


@pytest.fixture
def installed(home):
    return Installed(home, ORIGINAL)


@pytest.fixture
def server(installed):
    return Server(installed)


def test_what_is_signed_is_answered_and_all_else_is_the_applications(server, installed):
    assert server.is_answered(installed.signed())
    status, headers, content = server.ask(body=b"form data")
    assert (status, headers, content) == ("404 Not Found", {"X-Body": "9"}, b"the application read form data")


@pytest.mark.parametrize("field", ["v", "id", "op", "time", "nonce", "body", "sig"])
def test_a_request_with_any_field_altered_is_not_the_agents(server, installed, field):
    fields = installed.signed()
    last = fields[field][-1]
    fields[field] = fields[field][:-1] + (
        "1" if last == "0" else "0" if last.isdigit() else "a" if last != "a" else "b"
    )
    assert not server.is_answered(fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"v": "2"},
        {"id": "0" * 32},
        {"nonce": "short"},
        {"nonce": "../../../../../../../../x" + "0" * 8},
        {"op": "Status"},
    ],
)
def test_what_is_wrong_stays_wrong_when_it_is_signed(server, installed, fields):
    assert not server.is_answered(installed.signed(**fields))


@pytest.mark.parametrize(
    ("seconds", "is_in_time"), [(-121, False), (-120, True), (120, True), (121, False), (-3600, False), (3600, False)]
)
def test_a_request_counts_for_two_minutes_either_way(server, installed, monkeypatch, seconds, is_in_time):
    monkeypatch.setattr(time, "time", lambda: 1_800_000_000.0)
    assert server.is_answered(installed.signed(time=str(1_800_000_000 + seconds))) == is_in_time


def test_a_request_counts_once_also_after_a_reload(server, installed):
    fields = installed.signed()
    assert server.is_answered(fields)
    assert not server.is_answered(fields)
    server.load()
    assert not server.is_answered(fields)


def test_a_request_counts_at_one_web_app_of_the_account(server, installed, home, tmp_path, monkeypatch):
    fields = installed.signed()
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    other = Server(Installed(tmp_path / "other", ORIGINAL))
    assert not other.is_answered(fields)
    assert server.is_answered(fields)


def test_of_two_workers_with_the_same_request_one_takes_it(server, installed):
    for _ in range(20):
        fields = installed.signed()
        ready, go = os.pipe()
        workers = []
        for _ in range(2):
            child = os.fork()
            if child == 0:
                os.close(go)
                os.read(ready, 1)
                status, _, _ = server.ask(fields)
                os._exit(0 if status == "200 OK" else 1)
            workers.append(child)
        os.close(ready)
        os.close(go)
        codes = sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in workers)
        assert codes == [0, 1]


class Unread(io.RawIOBase):
    """A body that nobody may read."""

    def read(self, size=-1):
        raise AssertionError("it was read")


@pytest.mark.parametrize("length", ["", "-1", "abc", "1e3", "65537", "9999999", " 2", "٢"])
@pytest.mark.parametrize("signed", [{}, {"length": "2"}, {"length": "17825792"}, {"length": "65536"}])
def test_a_body_of_no_sensible_length_is_refused_unread(server, installed, length, signed):
    environ = {"CONTENT_LENGTH": length, "wsgi.input": Unread()}
    status, _, content = server.ask(installed.signed(**signed), **environ)
    assert status == "400 Bad Request"
    assert "not the one that was signed" in json.loads(content)["error"]


def test_a_long_body_must_have_the_length_that_is_signed(server, installed):
    body = b"{}" + b" " * 70_000
    for length, status in [(None, "400"), ("70001", "400"), ("70003", "400"), ("70002", "200")]:
        fields = installed.signed("status", body, **({"length": length} if length else {}))
        assert server.ask(fields, body)[0][:3] == status, length
    too_long = installed.signed("status", length=str((17 << 20) + 1))
    environ = {"CONTENT_LENGTH": too_long["length"], "wsgi.input": Unread()}
    assert server.ask(too_long, **environ)[0] == "400 Bad Request"


class Endless(io.RawIOBase):
    """A body whose end does not come: what uWSGI raises then."""

    def read(self, size=-1):
        raise OSError("timeout during read on wsgi.input")


@pytest.mark.parametrize(
    ("body", "environ"),
    [
        (b"[]", {}),
        (b"{} ", {}),
        (b"", {}),
        (b"{", {"CONTENT_LENGTH": "2"}),
        (b"{}", {"CONTENT_LENGTH": "1"}),
        (b"{}", {"wsgi.input": Endless()}),
    ],
)
def test_a_body_that_is_not_the_signed_one_gets_a_signed_refusal_and_never_reaches_the_application(
    server, installed, body, environ
):
    fields = installed.signed(body=b"{}")
    status, headers, content = server.ask(fields, body=body, **environ)
    assert status == "400 Bad Request"
    assert "not the one that was signed" in json.loads(content)["error"]
    assert headers["X-Pya-Agent"] == installed.signature(fields, 400, content)
    # It counts as used: what comes now is a replay.
    assert not server.is_answered(fields)


def test_an_answer_with_a_job_has_its_receipt(server, installed, home):
    (home / "mysite").mkdir()
    body, identity = job("hash", prune=[])
    _, _, content = server.ask(installed.signed("hash", body), body)
    answer = json.loads(content)
    (path,) = home.rglob(f"receipt-{identity}.json")
    assert answer["receipt"] == json.loads(path.read_text())
    assert abs(answer["time"] - time.time()) < 60
    assert answer["build"] == json.loads((installed.folder / "loaded.json").read_text())["build"]


def test_an_answer_that_is_too_long_leaves_the_receipt_to_the_api(server, installed, home, monkeypatch):
    (home / "mysite").mkdir()
    body, identity = job("hash", prune=[])
    fields = installed.signed("hash", body)
    monkeypatch.setitem(server.application.__globals__, "LONGEST_ANSWER", 100)
    assert server.is_answered(fields, body)
    assert list(home.rglob(f"receipt-{identity}.json"))


def state_of(server, installed, **request):
    """What the agent says of a state folder."""
    body = json.dumps({"state": "00112233aabbccdd"} | request).encode()
    return json.loads(server.ask(installed.signed("state", body), body)[2])


def test_the_state_folder_comes_in_one_answer_with_the_manifest_if_it_is_another_one(server, installed, home):
    assert state_of(server, installed)["entries"] is None
    folder = home / ".pya" / "00112233aabbccdd"
    (folder / "work-1").mkdir(parents=True)
    texts = {"manifest-9.json": "nine", "manifest-10.json": "ten", "intent-a.json": "mine", "maintenance-b.json": "b"}
    for name, text in texts.items():
        (folder / name).write_text(text)
    for other in ("receipt-1.json", "history.json", "intent-\xe9.json", "x\n"):
        (folder / other).write_text("other")
    before = snapshot(folder)
    answer = state_of(server, installed)
    names = sorted([*texts, "history.json"])
    assert sorted(answer["entries"]) == [*([name, False] for name in names), ["work-1", True]]
    assert answer["texts"] == {name: text for name, text in texts.items() if name != "manifest-9.json"}
    digest = hashlib.sha256(b"ten").hexdigest()
    assert (answer["manifest"], answer["digest"]) == ("manifest-10.json", digest)
    again = state_of(server, installed, have=digest)
    assert "manifest-10.json" not in again["texts"]
    assert (again["manifest"], again["digest"]) == ("manifest-10.json", digest)
    # What is no text, or too long, is left to the API.
    (folder / "manifest-10.json").write_bytes(b"\xff")
    (folder / "intent-a.json").write_bytes(b"x" * (5 << 20))
    assert list(state_of(server, installed)["texts"]) == ["maintenance-b.json"]
    (folder / "manifest-10.json").write_text("ten")
    (folder / "intent-a.json").write_text("mine")
    assert snapshot(folder) == before


@pytest.mark.parametrize("state", ["", "..", "../../x", "00112233AABBCCDD", "agent-www.example.com", "0" * 15, 5, None])
def test_only_a_state_folder_is_looked_at(server, installed, state, capfd):
    assert "entries" not in state_of(server, installed, state=state)
    assert "Error" in capfd.readouterr().err


def test_files_are_read_in_pieces_and_only_those_that_clients_need(server, installed, home, capfd):
    folder = home / ".pya" / "00112233aabbccdd"
    work = folder / "work-0011223344556677"
    work.mkdir(parents=True)
    (folder / "history.json").write_text("history")
    (folder / "manifest-1.json").write_text("manifest")
    (work / "archive-000").write_bytes(b"0123456789")
    (work / "variables.json").write_text("secret")
    (work / "archive-001").symlink_to(home / "secret")
    (home / "secret").write_text("secret")

    def read(name, offset=0, size=100):
        body = json.dumps({"state": folder.name, "name": name, "offset": offset, "size": size}).encode()
        fields = installed.signed("read", body)
        status, headers, content = server.ask(fields, body)
        assert headers["X-Pya-Agent"] == installed.signature(fields, int(status[:3]), content)
        return content if status == "200 OK" else status

    assert read("history.json") == b"history"
    assert [read(f"{work.name}/archive-000", offset, 4) for offset in (0, 4, 8, 12)] == [b"0123", b"4567", b"89", b""]
    for name in ["variables.json", "archive-001", "archive-002", "../history.json", "lock"]:
        assert read(f"{work.name}/{name}") == "404 Not Found"
    for name in ["manifest-1.json", "../../secret", "/etc/passwd", "", "history.json\n"]:
        assert read(name) == "404 Not Found"
    assert "secret" not in capfd.readouterr().out


def announced(server, installed, home, newest=None, piece=b"", **changes):
    """The signed answer to a deploy of nothing, and its id."""
    (home / "mysite").mkdir(exist_ok=True)
    body, identity = job("rollback", target="0" * 16, generation=(newest or 0) + 1, history=[])
    note = {"format": 1, "id": identity, "since": int(time.time()), "expires": int(time.time()) + 600}
    request = json.loads(body) | {"note": note, "newest": newest} | changes
    body = json.dumps(request).encode() + b"\n" + piece
    fields = installed.signed("deploy", body, length=str(len(body)))
    return json.loads(server.ask(fields, body)[2]), identity


def test_a_deploy_is_announced_and_goes_on_only_if_it_is_alone(server, installed, home):
    folder = home / ".pya" / "00112233aabbccdd"
    answer, first = announced(server, installed, home)
    # It was alone, and there is nothing to roll back.
    assert (answer["receipt"]["state"], answer["receipt"]["error"]["kind"]) == ("refused", "missing")
    # The intent stays, whatever became of the job, until the client ends it.
    assert [path.name for path in folder.glob("intent-*")] == [f"intent-{first}.json"]
    answer, second = announced(server, installed, home)
    assert (answer["alone"], "receipt" in answer) == (False, False)
    assert [path.name for path in folder.glob("intent-*")] == [f"intent-{first}.json"]
    assert not list(folder.glob(f"*{second}*"))

    def finish(identity, note=None):
        body = json.dumps({"state": folder.name, "id": identity, "note": note}).encode()
        return json.loads(server.ask(installed.signed("finish", body, length=str(len(body))), body)[2])["ended"]

    assert not finish(second)
    assert not finish(second, {"ended": True})
    assert finish(first, {"ended": True})
    assert json.loads((folder / f"intent-{first}.json").read_text()) == {"ended": True}
    assert finish(first)
    assert not finish(first)
    assert not list(folder.glob("intent-*"))
    (folder / "manifest-7.json").write_text("{}")
    for newest, is_alone in [(None, False), (6, False), (8, False), (7, True)]:
        answer, identity = announced(server, installed, home, newest=newest)
        assert ("receipt" in answer) == is_alone, newest
        assert finish(identity) == is_alone


@pytest.mark.parametrize("operation", ["manage", "pip", "run", "hash", "archive", "history", None])
def test_nothing_but_deploys_is_announced(server, installed, home, operation, capfd):
    (home / "mysite").mkdir()
    body, identity = job(operation, command=["touch", str(home / "done")], folder="", timeout=5)
    body = json.dumps(json.loads(body) | {"note": {"id": identity}, "newest": None}).encode()
    answer = json.loads(server.ask(installed.signed("deploy", body, length=str(len(body))), body)[2])
    assert "receipt" not in answer
    assert "is not announced" in capfd.readouterr().err
    assert not list((home / ".pya").rglob("intent-*"))
    assert not (home / "done").exists()


def test_of_two_deploys_announced_at_once_at_most_one_goes_on(server, installed, home):
    folder, wins = home / ".pya" / "00112233aabbccdd", 0
    for _ in range(15):
        ready, go = os.pipe()
        workers = []
        for _ in range(3):
            child = os.fork()
            if child == 0:
                os.close(go)
                os.read(ready, 1)
                answer, _ = announced(server, installed, home)
                os._exit(0 if "receipt" in answer else 1)
            workers.append(child)
        os.close(ready)
        os.close(go)
        went_on = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in workers].count(0)
        assert went_on == len(list(folder.glob("intent-*"))) <= 1
        wins += went_on
        for path in folder.glob("intent-*"):
            path.unlink()
    assert wins


@pytest.mark.parametrize(
    "environ",
    [{"REQUEST_METHOD": "GET"}, {"PATH_INFO": "/"}, {"PATH_INFO": PATH + "/"}, {"SCRIPT_NAME": "/app"}],
)
def test_a_request_elsewhere_is_not_the_agents(server, installed, environ):
    assert not server.is_answered(installed.signed(), **environ)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(max_codepoint=255)) | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_garbage_in_the_header_is_not_the_agents(server, garbage):
    assert server.ask(garbage)[0] == "404 Not Found"


@pytest.mark.parametrize("token", [None, "", "another"])
def test_without_the_right_token_there_is_no_agent(installed, monkeypatch, token):
    if token is None:
        monkeypatch.delenv("API_TOKEN")
    else:
        monkeypatch.setenv("API_TOKEN", token)
    server = Server(installed)
    assert not server.is_answered(installed.signed())
    loaded = json.loads((installed.folder / "loaded.json").read_text())
    assert loaded["has_token"] == bool(token)
    assert TOKEN not in json.dumps(loaded)


def test_nobody_else_reads_the_agents_files(installed, server):
    old = os.umask(0)
    try:
        server.load()
        assert server.is_answered(installed.signed())
    finally:
        os.umask(old)
    for path in [installed.folder.parent, *installed.folder.parent.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_old_nonces_go(server, installed):
    assert server.is_answered(installed.signed())
    (old,) = (installed.folder / "nonces").iterdir()
    os.utime(old, (1, 1))
    assert server.is_answered(installed.signed())
    assert not old.exists()


def test_a_nonce_that_cannot_be_noted_is_not_taken(server, installed, capfd):
    (installed.folder / "nonces").rmdir()
    status, _, _ = server.ask(installed.signed())
    assert status == "404 Not Found"
    assert "FileNotFoundError" in capfd.readouterr().err


def test_nonces_are_dated_by_the_file_system(server, installed, monkeypatch):
    """Whose clock may be another machine's: seen from a web app that is ahead of it, all of its files are old."""
    ahead = time.time() + 1000
    monkeypatch.setattr(time, "time", lambda: ahead)
    first = installed.signed()
    assert server.is_answered(first)
    assert server.is_answered(installed.signed())
    assert not server.is_answered(first)


def test_old_nonces_that_stay_are_no_reason_to_fail(server, installed, monkeypatch, capfd):
    assert server.is_answered(installed.signed())
    (old,) = (installed.folder / "nonces").iterdir()
    os.utime(old, (1, 1))

    def refuse(path, **_):
        raise PermissionError(13, "not today", path)

    monkeypatch.setattr(os, "unlink", refuse)
    assert server.is_answered(installed.signed())
    assert "not today" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["agent.py", "runner.pyz"])
@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (None, "FileNotFoundError|ZipImportError"),
        ("import nothing_of_the_kind", "nothing_of_the_kind"),
        ("raise SystemExit('over')", "over"),
        ("prepare = run_job = 5", "TypeError"),
    ],
)
def test_a_damaged_agent_leaves_the_application_alone(installed, name, damage, error, capfd):
    path = installed.folder / name
    if damage is None:
        path.unlink()
    elif name == "agent.py":
        path.write_text(damage)
    else:
        append(path, "pya_runner/__init__.py", f"\n{damage}\n")
    server = Server(installed)
    assert server.ask(body=b"x")[2] == b"the application read x"
    if name == "agent.py":
        assert not server.is_answered(installed.signed())
    else:
        body, _ = job("history")
        assert server.is_answered(installed.signed("history", body), body)
    assert re.search(error, capfd.readouterr().err)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped", "no module"])
def test_a_damaged_archive_leaves_the_application_alone(installed, damage, capfd):
    path = installed.folder / "runner.pyz"
    whole = path.read_bytes()
    damaged = {"empty": b"", "text": b"# no archive", "cut": whole[: len(whole) // 2]}
    if damage == "no module":
        texts = members(path)
        del texts["pya_runner/files.py"]
        write_members(path, texts)
    else:
        # In the middle, so that what is compressed there is wrong, and the directory still makes sense.
        flipped = bytes(byte ^ 255 if len(whole) // 4 < at < len(whole) // 2 else byte for at, byte in enumerate(whole))
        path.write_bytes(damaged.get(damage, flipped))
    server = Server(installed)
    assert server.ask(body=b"x")[2] == b"the application read x"
    body, identity = job("history")
    assert server.is_answered(installed.signed("history", body), body)
    assert "Error" in capfd.readouterr().err
    assert list(installed.home.rglob(f"receipt-{identity}.json")) == []


def test_a_renewed_archive_is_loaded_anew_also_in_the_same_process(installed, server):
    """Python remembers where in an archive each file begins, which makes no sense in the next one."""

    def build() -> str:
        return json.loads((installed.folder / "loaded.json").read_text())["build"]

    body, identity = job("history")
    assert server.is_answered(installed.signed("history", body), body)
    first, path = build(), installed.folder / "runner.pyz"
    append(path, "__main__.py", "# another length" * 100)
    append(path, "pya_runner/__init__.py", RENEWED)
    server.load()
    body, identity = job("history")
    assert server.is_answered(installed.signed("history", body), body)
    (receipt,) = installed.home.rglob(f"receipt-{identity}.json")
    assert json.loads(receipt.read_text())["renewed"]
    assert build() != first


RENEWED = """

from .files import read_json, write_json

run_as_before = run_job


def run_job(*args, **kwargs):
    receipt = run_as_before(*args, **kwargs)
    path = args[0] + "/receipt-" + receipt["id"] + ".json"
    write_json(path, dict(read_json(path), renewed=True))
    return receipt
"""


@pytest.mark.parametrize("is_empty", [True, False])
def test_the_site_does_not_need_the_agents_folder(installed, is_empty):
    shutil.rmtree(installed.folder if is_empty else installed.folder.parent)
    assert Server(installed).ask(body=b"x")[2] == b"the application read x"


def test_an_agent_that_fails_at_the_last_moment_leaves_the_application_alone(home, capfd):
    installed = Installed(home, ORIGINAL)
    (installed.folder / "agent.py").write_text("def prepare(*_):\n    return lambda *_: 1 / 0\n")
    assert Server(installed).ask(body=b"x")[2] == b"the application read x"
    assert "ZeroDivisionError" in capfd.readouterr().err
    # And an application that cannot be loaded stays one.
    installed = Installed(home, "import nothing_of_the_kind\n")
    (installed.folder / "agent.py").write_text("def prepare(*_):\n    return lambda *_: 1 / 0\n")
    with pytest.raises(ModuleNotFoundError):
        Server(installed)


WORDLESS = "class Wordless(Exception):\n    def __str__(self):\n        return 1 / 0\n\nraise Wordless\n"


@pytest.mark.parametrize(
    ("original", "raised", "failed"),
    [
        ("import nothing_of_the_kind\n", "ModuleNotFoundError", "No module named 'nothing_of_the_kind'"),
        # Raised as it is, it would end the server's process at each hit.
        ("raise SystemExit(3)\n", "RuntimeError", "SystemExit: 3"),
        ("application = 5\n", "TypeError", "the WSGI file defines no callable 'application'"),
        ("x = 1\n", "TypeError", "the WSGI file defines no callable 'application'"),
        ("def broken(:\n", "SyntaxError", "SyntaxError: invalid syntax"),
        (WORDLESS, "Wordless", "Wordless: <"),
    ],
)
def test_an_application_that_cannot_be_loaded_fails_at_each_hit_and_the_agent_answers(
    home, capfd, original, raised, failed
):
    installed = Installed(home, "# line 1\n" + original)
    server = Server(installed)
    for _ in range(2):
        with pytest.raises(Exception) as caught:  # noqa: PT011, what the original raised, whatever it is
            server.ask()
        assert type(caught.value).__name__ == raised
    assert server.is_answered(installed.signed())
    log = capfd.readouterr().err
    # Once when it was loaded, and once for each hit.
    assert log.count("Error running WSGI application\n") == 3
    if raised == "ModuleNotFoundError":
        # With the line of the original, and no frame of the stub.
        assert log.count(f'File "{installed.wsgi}"') == 3
        assert log.count(f'File "{installed.wsgi}", line 2, in <module>\n    import nothing_of_the_kind\n') == 3
    assert failed in json.loads((installed.folder / "loaded.json").read_text())["failed"]


def test_the_original_runs_as_itself(home):
    installed = Installed(
        home, "import os\nwhere = __file__\ndef application(e, s):\n    s('200 OK', [])\n    return [where.encode()]\n"
    )
    assert Server(installed).ask()[2].decode() == str(installed.wsgi)


def test_a_job_is_done_and_what_the_agent_must_not_do_is_refused(server, installed, home):
    state = home / ".pya" / "00112233aabbccdd"
    (home / "mysite").mkdir()
    (home / "mysite" / "a.txt").write_text("a")
    body, identity = job("hash", prune=[])
    assert server.is_answered(installed.signed("hash", body), body)
    receipt = json.loads((state / f"receipt-{identity}.json").read_text())
    assert (receipt["state"], list(receipt["result"]["files"])) == ("done", ["a.txt"])

    body, identity = job("run", command=["touch", str(home / "ran")], folder="", timeout=5)
    assert server.is_answered(installed.signed("run", body), body)
    receipt = json.loads((state / f"receipt-{identity}.json").read_text())
    assert receipt["state"] == "refused"
    assert not (home / "ran").exists()

    # Signed for one thing and meant for another.
    body, identity = job("run", command=["touch", str(home / "ran")], folder="", timeout=5)
    assert server.is_answered(installed.signed("hash", body), body)
    assert not (state / f"receipt-{identity}.json").exists()
    for bad in (b"", b"[]", b'{"state": "../..", "job": {"operation": "hash"}}'):
        assert server.is_answered(installed.signed("hash", bad), bad)
    assert not (home / "ran").exists()


# ---- variables of the web app

SHOWS = """\
import os
BY_FILE = dict(os.environ)
os.environ["SET_HERE"] = "by the file"

def application(environ, start_response):
    start_response("200 OK", [])
    return [b"shown"]
"""


@pytest.fixture
def variables(home, monkeypatch):
    """Where the variables are; the process has none of them when the test is over."""
    for name in ("SECRET", "SET_HERE", "INHERITED"):
        monkeypatch.setenv(name, "inherited")
    folder = home / ".pya" / f"variables-{DOMAIN}"
    folder.mkdir(parents=True, mode=0o700)
    return folder / "variables.json"


def namespace(installed: Installed) -> dict:
    space = {"__file__": str(installed.wsgi), "__name__": "wsgi"}
    exec(compile(installed.wsgi.read_text(), str(installed.wsgi), "exec"), space)  # noqa: S102
    return space


def test_the_web_app_has_its_variables_before_its_own_code_runs(home, variables):
    variables.write_text(json.dumps({"SECRET": "s3cret ü", "SET_HERE": "no"}), encoding="utf-8")
    found = namespace(Installed(home, SHOWS))["BY_FILE"]
    assert (found["SECRET"], found["INHERITED"]) == ("s3cret ü", "inherited")
    assert os.environ["SET_HERE"] == "by the file"


@pytest.mark.parametrize("name", ["agent.py", "runner.pyz", "."])
def test_the_variables_do_not_need_the_agents_folder(home, variables, name):
    variables.write_text(json.dumps({"SECRET": "s3cret"}))
    installed = Installed(home, SHOWS)
    shutil.rmtree(installed.folder) if name == "." else (installed.folder / name).unlink()
    assert namespace(installed)["BY_FILE"]["SECRET"] == "s3cret"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"SECRET": 5}', '{"SECRET": "a", "X": null}', '{"A=B": "s3cret"}'])
def test_variables_that_cannot_be_read_leave_the_site_as_it_would_be_without(home, variables, content, capfd):
    variables.write_text(content)
    space = namespace(Installed(home, SHOWS))
    assert space["BY_FILE"]["INHERITED"] == "inherited"
    assert callable(space["application"])
    errors = capfd.readouterr().err
    assert "Error" in errors
    assert "s3cret" not in errors


def test_the_agent_changes_variables_and_no_answer_has_a_value(home, variables):
    installed = Installed(home, SHOWS)
    server = Server(installed)
    change = {"domain": DOMAIN, "set": ["SECRET"], "unset": [], "variables": True}
    body, identity = job("variables", **change)
    work = home / ".pya" / "00112233aabbccdd" / f"work-{identity}"
    work.mkdir(parents=True)
    (work / "variables.json").write_text('{"SECRET": "s3cret"}')
    _, _, content = server.ask(installed.signed("variables", body), body)
    assert json.loads(content)["receipt"]["result"]["names"] == ["SECRET"]
    assert json.loads(variables.read_text()) == {"SECRET": "s3cret"}
    server.load()
    # A command gets what is there now.
    variables.write_text('{"SECRET": "newer"}')
    project = home / "mysite"
    project.mkdir()
    (project / "manage.py").write_text("import os\nprint(os.environ.get('SECRET'), os.environ['SET_HERE'])\n")
    words = {"args": [], "manage": "manage.py", "virtualenv": None, "settings": None, "path": [], "timeout": 30}
    body, _ = job("manage", domain=DOMAIN, **words)
    _, _, ran = server.ask(installed.signed("manage", body), body)
    assert json.loads(ran)["receipt"]["output"] == "newer by the file\n"
    assert b"s3cret" not in content + ran


def test_the_domain_is_that_of_the_web_app(installed):
    assert DOMAIN in installed.stub.splitlines()[0]
