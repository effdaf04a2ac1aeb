"""The emulator's page: who may use it, what it tells, and what its switches do. `make browser` looks at it."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from command import Pya, clean_environment

from pythonanywhere_api.testing import Emulator, set_clock_speed

LONG = 60
HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m.txt"


class Page:
    """A browser's requests to one emulator, without a browser."""

    def __init__(self, host: Emulator):
        self.host = host
        assert host.page is not None
        address = urllib.parse.urlsplit(host.page)
        self.place, self.token = address.netloc, urllib.parse.parse_qs(address.query)["token"][0]

    def send(self, method: str, path: str, body=None, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(self.place, timeout=LONG)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def ask(self, method: str, path: str, body=None, status: int = 200):
        """What the page's script asks, with the token where it puts it."""
        text = None if body is None else json.dumps(body)
        headers = {"x_page_token": self.token, "content_type": "application/json"}
        answer, content = self.send(method, f"/emulator/{path}", text, **headers)
        assert answer.status == status, content
        return json.loads(content) if content else None

    def api(self, method: str, path: str, fields: dict | None = None) -> tuple[int, dict]:
        """A script's request to the service."""
        headers = {"authorization": f"Token {self.host.token}", "content_type": "application/x-www-form-urlencoded"}
        body = urllib.parse.urlencode(fields) if fields else None
        answer, content = self.send(method, f"/api/v0/user/{self.host.user}/{path}", body, **headers)
        return answer.status, json.loads(content or b"null")

    def wait_for(self, name: str, condition=lambda value: True):
        """The first event of this name that the condition is true of, and all that a new page is told before."""
        connection = http.client.HTTPConnection(self.place, timeout=LONG)
        try:
            connection.request("GET", f"/emulator/events?token={self.token}")
            answer = connection.getresponse()
            assert answer.getheader("content-type") == "text/event-stream"
            seen = event = None
            while line := answer.readline().decode():
                # Empty lines separate events, and a stream that has nothing to tell sends comments.
                field, _, text = line.rstrip("\n").partition(": ")
                if field == "event":
                    event = text
                elif field == "data" and event == name:
                    seen = json.loads(text)
                    if condition(seen):
                        return seen
            raise AssertionError(f"the stream ended; the last of {name} was {seen}")
        finally:
            connection.close()

    def request(self, condition):
        """A request that the page was told of."""
        found = []
        self.wait_for("requests", lambda news: found.extend(filter(condition, news)) or found)
        return found[-1]

    def files(self, path: str, status: int = 200):
        return self.ask("GET", f"files?path={urllib.parse.quote(path, safe='')}", status=status)


@pytest.fixture(scope="module")
def page():
    with Emulator(account="paid", python=sys.executable) as host:
        yield Page(host)


@pytest.fixture(autouse=True)
def well(page):
    yield
    page.host.faults.clear()
    page.host.release_all()


# Who may use it


def test_it_is_for_who_has_the_token_and_reading_takes_no_more(page):
    answer, content = page.send("GET", f"/?token={page.token}")
    assert answer.status == 200
    assert answer.getheader("content-type") == "text/html; charset=utf-8"
    assert page.token.encode() not in content
    for address in ["/", "/?token=", f"/?token={page.host.token}", f"/?token={page.token[:-1]}", "/emulator/events"]:
        assert page.send("GET", address)[0].status == 403, address


def test_changing_takes_the_token_in_a_header(page):
    rule = json.dumps({"kind": "reset"})
    for headers in [{}, {"x_page_token": "wrong"}, {"authorization": f"Token {page.host.token}"}]:
        kind = {"content_type": "application/json"}
        for method, path in [("POST", "faults"), ("DELETE", "faults"), ("PUT", "clock"), ("POST", "environment")]:
            answer, _ = page.send(method, f"/emulator/{path}?token={page.token}", rule, **kind, **headers)
            assert answer.status == 403
    # Nor can a form of another site, which may send text only.
    answer, _ = page.send("POST", "/emulator/faults", rule, x_page_token=page.token, content_type="text/plain")
    assert answer.status == 400
    assert page.wait_for("faults") == []


@pytest.mark.parametrize(
    "name", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "0.0.0.0:{port}"]
)
def test_a_name_that_was_made_to_mean_this_machine_is_refused(page, name):
    port = page.place.rpartition(":")[2]
    for path in [f"/?token={page.token}", f"/emulator/events?token={page.token}"]:
        answer, _ = page.send("GET", path, host=name.format(port=port), x_page_token=page.token)
        assert answer.status == 421
    assert page.send("GET", f"/?token={page.token}", host=f"localhost:{port}")[0].status == 200


def test_no_other_site_may_read_an_answer(page):
    other = {"origin": "https://evil.example", "access_control_request_method": "POST"}
    for method, path in [("OPTIONS", "/emulator/faults"), ("GET", f"/?token={page.token}"), ("GET", "/emulator/files")]:
        answer, _ = page.send(method, path, **other, access_control_request_headers="x-page-token")
        assert not [name for name, _ in answer.getheaders() if name.lower().startswith("access-control")]


def test_the_browser_is_told_to_run_nothing_else(page):
    nonces = set()
    for _ in range(2):
        answer, content = page.send("GET", f"/?token={page.token}")
        policy = dict(part.strip().split(" ", 1) for part in answer.getheader("content-security-policy").split(";"))
        assert (policy["default-src"], policy["connect-src"]) == ("'none'", "'self'")
        assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["require-trusted-types-for"] == "'script'"
        nonce = re.fullmatch(r"'nonce-([0-9a-f]{32})'", policy["script-src"])[1]
        assert re.findall(rb'<(?:script|style)[^>]*?nonce="([^"]*)"', content) == [nonce.encode()] * 2
        nonces.add(nonce)
    assert len(nonces) == 2
    expected = {
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
    assert {name: answer.getheader(name) for name in expected} == expected
    # All of it is there, and text can only be text.
    text = content.decode()
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)|@import|url\(""", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|\son\w+=\"", text)


# What it tells


def test_what_the_page_asks_is_no_request_of_the_service(page):
    page.host.clear_requests()
    page.host.faults.add("reset")
    page.send("GET", f"/?token={page.token}")
    page.send("GET", "/")
    page.files("/")
    page.wait_for("account")
    assert page.host.requests == []


def test_a_request_is_shown_with_its_end(page):
    assert page.api("GET", "students/")[0] == 200
    request = page.request(lambda request: request["endpoint"] == "students/")
    assert (request["method"], request["status"]) == ("GET", 200)
    assert request["finished"] >= request["started"]
    assert page.api("GET", "students/")[0] == 200
    used = page.wait_for("budget", lambda budget: any(one["endpoint"] == "students/" for one in budget["buckets"]))
    bucket = next(one for one in used["buckets"] if one["endpoint"] == "students/")
    assert (bucket["limit"], len(bucket["admitted"])) == (40, 2)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_a_copied_command_sends_the_request_again(page, tmp_path):
    path = urllib.parse.quote(f"files/path/home/{page.host.user}/it's {HOSTILE}")
    assert page.api("GET", path)[0] == 404
    command = page.request(lambda request: "it's" in request["path"])["curl"]
    assert page.host.token not in command
    assert command.isprintable()
    environment = os.environ | {"API_TOKEN": page.host.token}
    done = subprocess.run(["bash", "-c", command], env=environment, cwd=tmp_path, capture_output=True, timeout=LONG)
    assert done.stdout.startswith(b"HTTP/1.1 404"), done.stderr
    assert page.host.requests[-1].raw_path == page.host.requests[-2].raw_path


def test_names_of_the_account_come_as_text(page):
    home = Path(page.host.root, "home", page.host.user)
    folder = home / "<b>"
    folder.mkdir()
    (folder / HOSTILE).write_text("<script>alert(1)</script>")
    (folder / os.fsdecode(b"\xff")).write_text("no UTF-8")
    answer, content = page.send("GET", f"/emulator/files?token={page.token}&path=%2Fhome%2F{page.host.user}%2F%3Cb%3E")
    assert answer.getheader("content-type") == "application/json"
    entries = {entry["name"]: entry for entry in json.loads(content)["entries"]}
    assert set(entries) == {HOSTILE, "\ufffd"}
    read = [page.ask("GET", f"files?path={entry['path']}")["text"] for entry in entries.values()]
    assert sorted(read) == ["<script>alert(1)</script>", "no UTF-8"]


def test_files_end_where_the_account_does(page):
    home = Path(page.host.root, "home", page.host.user)
    (home / "out").symlink_to("/etc/hostname")
    os.mkfifo(home / "pipe")
    assert page.files("/../etc/hostname", status=400)["error"]
    assert page.files("/.emulator", status=404)["error"]
    # The link leads to a file of this machine, which the account's root does not have.
    assert page.files(f"/home/{page.host.user}/out", status=404)["error"]
    assert "neither a file nor a folder" in page.files(f"/home/{page.host.user}/pipe", status=400)["error"]
    assert ".emulator" not in {entry["name"] for entry in page.files("/")["entries"]}


def test_a_long_log_shows_its_end(page):
    Path(page.host.root, "var", "log", "long.log").write_bytes(b"first\n" + b"x" * 200_000 + b"\nlast\n")
    log = page.files("/var/log/long.log")
    assert log["size"] == 200_012
    assert log["skipped"] + len(log["text"]) == log["size"]
    assert log["text"].endswith("\nlast\n")


def test_a_site_is_found_by_its_domain_below_localhost(page):
    made = page.host.create_webapp()
    domain = made["domain_name"]
    wsgi = Path(page.host.root, "var", "www", domain.replace(".", "_") + "_wsgi.py")
    wsgi.write_text(
        "def application(environ, start_response):\n"
        '    start_response("302 Found", [("Location", "http://" + environ["HTTP_HOST"] + "/next")])\n'
        '    return [environ["HTTP_HOST"].encode()]\n'
    )
    site = page.wait_for("sites", lambda sites: [one for one in sites if one["domain"] == domain])[0]
    assert (site["served"], site["wsgi"]) == (True, f"/var/www/{wsgi.name}")
    local = urllib.parse.urlsplit(site["url"]).netloc
    assert local.startswith(f"{domain}.localhost:")
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(page.host.site_url).netloc, timeout=LONG)
    connection.request("GET", "/", headers={"Host": local})
    answer = connection.getresponse()
    assert answer.getheader("location") == f"http://{local}/next"
    assert answer.read().decode() == domain
    connection.close()
    assert "GET / " in page.files(site["logs"]["access"])["text"]


def test_tasks_are_shown_with_their_next_run(page):
    fields = {"command": "true", "interval": "hourly", "minute": 30}
    assert page.api("POST", "schedule/", fields)[0] == 201
    assert page.api("POST", "always_on/", {"command": "sleep 60"})[0] == 201
    wall = page.wait_for("clock")["wall"]
    tasks = page.wait_for("tasks", lambda tasks: [task for task in tasks["always_on"] if task["running"]])
    task = tasks["scheduled"][-1]
    assert 0 < task["next"] - wall <= 2 * 3600
    assert task["next"] % 3600 == 1800
    assert task["log"].startswith("/var/log/tasklog-")


# Switches


def test_a_console_is_opened_and_typed_into(page):
    console = page.api("POST", "consoles/", {"executable": "bash"})[1]["id"]
    status, refused = page.api("GET", f"consoles/{console}/get_latest_output/")
    assert (status, "not yet started" in refused["error"]) == (412, True)
    shown = page.wait_for("consoles", lambda consoles: [one for one in consoles if one["id"] == console])
    assert [one["started"] for one in shown if one["id"] == console] == [False]
    page.ask("POST", f"consoles/{console}/input", {"text": "x"}, status=404)
    page.ask("POST", f"consoles/{console}/open", status=204)
    # The terminal's title must not show, nor move anything; the colour is told apart from the text.
    typed = "printf '\\033]0;title\\007\\033[31m<b>%s</b>\\033[0m\\n' $((6*7))\r"
    page.ask("POST", f"consoles/{console}/input", {"text": typed}, status=204)
    is_shown = lambda screen: screen["id"] == console and [[2, "<b>42</b>"]] in screen["content"]["lines"]  # noqa: E731
    page.wait_for("screen", is_shown)
    assert page.api("GET", f"consoles/{console}/get_latest_output/")[0] == 200
    page.ask("DELETE", f"consoles/{console}", status=204)
    assert page.api("GET", f"consoles/{console}/")[0] == 404
    page.ask("POST", f"consoles/{console}/open", status=404)


def test_a_new_console_is_open_and_free_accounts_have_two(page):
    page.ask("PUT", "account", {"kind": "free"}, status=204)
    try:
        ids = [page.ask("POST", "consoles", {"executable": "bash"})["id"] for _ in range(2)]
        assert "at most 2" in page.ask("POST", "consoles", {"executable": "bash"}, status=409)["error"]
        assert page.api("POST", f"consoles/{ids[0]}/send_input/", {"input": ""})[0] == 200
    finally:
        page.ask("PUT", "account", {"kind": "paid"}, status=204)
    page.ask("POST", "consoles", {"executable": "rm"}, status=400)
    for console in ids:
        page.ask("DELETE", f"consoles/{console}", status=204)


def test_faults_are_switched_on_and_off(page):
    by_test = page.host.faults.add("status", path="*/nowhere/*", code=418, times=3)
    rule = {"kind": "status", "code": 503, "path": "*/default_python_version/", "times": 2}
    by_page = page.ask("POST", "faults", rule)["id"]
    assert page.api("GET", "default_python_version/")[0] == 503
    spoiled = page.request(lambda request: request["status"] == 503)
    assert spoiled["faults"] == ["status"]
    rules = {one["id"]: one["rule"] for one in page.wait_for("faults", lambda all: all[-1]["rule"]["times"] == 1)}
    assert (rules[by_test]["code"], rules[by_page]["path"]) == (418, rule["path"])
    page.ask("DELETE", f"faults/{by_page}", status=204)
    assert page.api("GET", "default_python_version/")[0] == 200
    page.ask("DELETE", f"faults/{by_page}", status=404)
    page.ask("DELETE", "faults", status=204)
    assert page.wait_for("faults") == []
    for bad in [
        {"kind": "nonsense"},
        {"kind": "reset", "stage": "during"},
        {"kind": "html", "code": 1},
        {"knd": "reset"},
    ]:
        assert page.ask("POST", "faults", bad, status=400)["error"]


def test_a_held_request_is_shown_and_let_go(page):
    page.ask("POST", "faults", {"kind": "hold", "path": "*/default_python3_version/"})
    connection = http.client.HTTPConnection(page.place, timeout=LONG)
    path = f"/api/v0/user/{page.host.user}/default_python3_version/"
    connection.request("GET", path, headers={"Authorization": f"Token {page.host.token}", "User-Agent": "who"})
    (number,) = page.wait_for("held", lambda held: held)
    waiting = page.request(lambda request: request["number"] == number)
    assert (waiting["agent"], waiting["status"], waiting["finished"]) == ("who", None, None)
    page.ask("DELETE", f"held/{number}", status=204)
    assert connection.getresponse().status == 200
    connection.close()
    page.ask("DELETE", f"held/{number}", status=404)
    assert page.request(lambda request: request["number"] == number)["status"] == 200


def test_latency_is_added(page):
    page.ask("PUT", "latency", {"latency": 150}, status=204)
    try:
        assert page.wait_for("account", lambda account: account["latency"] == 150)
        page.api("GET", "system_image/")
        request = page.host.requests[-1]
        # By the emulator's clock, which sleeps at least as long.
        assert request.finished - request.started >= 0.15
    finally:
        page.ask("PUT", "latency", {"latency": 0}, status=204)
    page.ask("PUT", "latency", {"latency": 10**9}, status=400)


def test_the_kind_of_account_decides_at_once(page):
    page.ask("PUT", "account", {"kind": "free"}, status=204)
    try:
        assert page.api("GET", "always_on/")[0] == 403
        account = page.wait_for("account", lambda account: account["kind"] == "free")
        assert (account["cpu_limit"], account["disk_quota"]) == (100, 512 << 20)
    finally:
        page.ask("PUT", "account", {"kind": "paid"}, status=204)
    assert page.api("GET", "always_on/")[0] == 200
    assert page.wait_for("account", lambda account: account["kind"] == "paid")["disk_quota"] is None
    page.ask("PUT", "account", {"kind": "rich"}, status=400)


def test_the_clock_moves_and_the_budget_with_it(page):
    assert page.api("GET", "cpu/")[0] == 200
    is_used = lambda budget: any(one["endpoint"] == "cpu/" for one in budget["buckets"])  # noqa: E731
    page.wait_for("budget", is_used)
    before = page.wait_for("clock")["now"]
    assert page.ask("PUT", "clock", {"advance": 60})["now"] >= before + 60
    assert page.wait_for("budget")["buckets"] == []
    try:
        assert page.ask("PUT", "clock", {"speed": 2})["speed"] == 2
        answer, _ = page.send("GET", f"/api/v0/user/{page.host.user}/cpu/")
        assert answer.getheader("x-emulator-clock-speed") == "2"
    finally:
        set_clock_speed(1)
    for bad in [{"speed": 0}, {"speed": -1}, {"advance": -1}, {"speed": "fast"}]:
        page.ask("PUT", "clock", bad, status=400)


def test_the_token_of_the_api_is_told_when_asked_for(page):
    lines = page.ask("POST", "environment")["lines"]
    shell = "\n".join([*lines, 'echo "$PYTHONANYWHERE_USERNAME $PYTHONANYWHERE_SITE ${#API_TOKEN}"'])
    printed = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True, timeout=LONG).stdout
    assert printed.split() == [page.host.user, page.host.url, str(len(page.host.token))]
    assert f"export API_TOKEN={page.host.token}" in lines
    page.ask("GET", "environment", status=405)


# Without it


def test_it_can_be_left_out():
    with Emulator(page=False) as host:
        assert host.page is None
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(host.url).netloc, timeout=LONG)
        for path in ["/", "/emulator/files"]:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (404, {"detail": "Not found."})
        assert [request.path for request in host.requests] == ["/", "/emulator/files"]


@pytest.mark.parametrize("options", [[], ["--no-page"]])
def test_the_ready_line_holds_its_address(tmp_path, options):
    with Pya(tmp_path, clean_environment()).start("emulator", *options) as process:
        try:
            ready = json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.communicate(timeout=LONG)
    assert (ready["page"] is None) == bool(options)
    assert ready["page"] is None or ready["page"].startswith(f"{ready['url']}/?token=")
