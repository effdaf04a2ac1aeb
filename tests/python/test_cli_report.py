"""`--report FILE`: one HTML page of what a command did, in which nothing is markup but ours and nothing is loaded."""

import base64
import hashlib
import os
import re
import signal
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from bulk_site import WSGI
from command import Pya, environment_of
from launch_projects import FLASK, write

from pythonanywhere_api.testing import Emulator

PROJECT = "site"
# As a path it has a closing tag in it.
EVIL = "<script>alert(1)</script> & 'x'.txt"
# Prints a variable that it was given, and fails.
MANAGE = "import os, sys\nprint('</pre><b>', os.environ['SITE_PASSWORD'])\nsys.exit(3)\n"


class Report(HTMLParser):
    """A page as a browser reads it."""

    def __init__(self, path: Path):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.source = path.read_text()
        self.feed(self.source)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def rows(self, last_column: str) -> list[list[str]]:
        """The rows of the table whose last column has this title."""
        (table,) = [
            part for part in re.findall("(<table.*?)</table>", self.source, re.DOTALL) if f">{last_column}<" in part
        ]
        cells = [re.split("<td[^>]*>", row)[1:] for row in table.split("<tr")]
        return [[cell.strip() for cell in row] for row in cells if row]

    def check(self) -> None:
        """It loads and runs nothing, and its policy forbids both."""
        assert {tag for tag, _ in self.tags} <= {
            *("html", "head", "meta", "title", "style", "body", "main", "header", "footer", "section", "p", "h1", "h2"),
            *("ul", "li", "b", "i", "span", "code", "pre", "div", "dl", "dt", "dd", "details", "summary"),
            *("table", "thead", "tr", "th", "td", "figure", "figcaption", "svg", "path", "rect"),
        }
        allowed = {
            *("lang", "charset", "http-equiv", "name", "content", "class", "role", "title", "open", "aria-hidden"),
            *("viewbox", "preserveaspectratio", "d", "x", "y", "width", "height"),
        }
        assert {name for _, attributes in self.tags for name in attributes} <= allowed
        (policy,) = [tag["content"] for _, tag in self.tags if tag.get("http-equiv")]
        (style,) = re.findall("<style>(.*?)</style>", self.source, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        assert not re.search(r"url\(|@import", style)


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None, account="paid", python=sys.executable) as host:
        yield host


@pytest.fixture
def remote(host):
    return Path(host.root) / "home" / host.user / PROJECT


@pytest.fixture
def pya(host, tmp_path, remote):
    """`pya` in a project of three files, which is deployed."""
    project = tmp_path / "local"
    for name in ("a.txt", "b.txt", "c.txt"):
        write(project, {name: name * 3})
    pya = Pya(project, environment_of(host) | {"USER": "ada", "LOGNAME": "ada"})
    pya("deploy", "--project", PROJECT, "--rate-limit", "off", "--delete")
    host.clear_requests()
    yield pya
    host.faults.clear()
    for request in host.held():
        host.release(request.number)


def test_a_deploy_is_told_with_its_files_and_each_of_its_requests(pya, host, tmp_path):
    (pya.folder / "a.txt").write_text("changed")
    (pya.folder / "b.txt").rename(pya.folder / "moved.txt")
    (pya.folder / "c.txt").unlink()
    (pya.folder / "<script>alert(1)<").mkdir()
    (pya.folder / EVIL).write_bytes(b"x" * 2500)
    file = tmp_path / "report.html"
    file.write_text("an older one")
    done = pya("deploy", "--project", PROJECT, "--delete", "--report", file)
    assert f"{file.name}\n" in done.stderr
    report = Report(file)
    report.check()
    assert report.rows("after") == [
        ["A", "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#39;x&#39;.txt", "", "2.5 kB"],
        ["M", "a.txt", "15 bytes", "7 bytes"],
        ["D", "c.txt", "15 bytes", ""],
        ["R", "b.txt -&gt; moved.txt", "15 bytes", "15 bytes"],
    ]
    for part in (
        f"{host.user} at 127.0.0.1",
        "ada on ",
        "3 files, 2.5 kB uploaded",
        "2 files deleted",
        str(pya.folder),
    ):
        assert part in report.text
    # What the client sent is what the service saw, in this order where one waits for the other.
    listed = sorted((row[1], row[5]) for row in report.rows("answer"))
    assert listed == sorted((request.method, str(request.status)) for request in host.requests)
    assert f"files/path/** {len(listed)} requests, at most {len(listed)} of 40 in a minute" in report.text
    assert "none waited for the limit" in report.text


def test_a_deploy_that_fails_says_what_was_done_and_what_was_not(pya, host, tmp_path):
    (pya.folder / "a.txt").write_text("changed")
    (pya.folder / "b.txt").write_text("changed")
    (pya.folder / "c.txt").unlink()
    host.faults.add("status", code=403, method="POST", path=f"*/{PROJECT}/b.txt")
    # Which is tried again.
    host.faults.add("status", code=502, times=1, method="POST", path=f"*/{PROJECT}/a.txt")
    file = tmp_path / "report.html"
    pya("deploy", "--project", PROJECT, "--delete", "--report", file, code=1)
    report = Report(file)
    report.check()
    assert "Deploy failed" in report.text
    assert "1 of 2 files, 7 bytes uploaded 0 of 1 file deleted" in report.text
    assert "What was planned, and is not known to be done 2 files: 1 changed, 1 deleted" in report.text
    assert re.search("b.txt [^ ].*403", report.text)
    assert [row[5] for row in report.rows("answer")].count("502") == 1
    assert "; 1 failed" in report.text


def held(pya, host, *arguments, after: int, method: str = "POST"):
    """A deploy whose request `after` waits for its release."""
    host.faults.add("hold", method=method, path="*", after=after, times=1, stage="before")
    process = pya.start("deploy", "--project", PROJECT, *arguments)
    deadline = time.monotonic() + 30
    while not host.wait_held(1, timeout=0.1):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
    return process


@pytest.mark.parametrize(
    ("method", "after", "said"),
    [
        ("POST", 2, "Deploy interrupted"),
        ("GET", 0, "A signal ended the command before it changed anything."),
    ],
)
def test_an_interrupted_deploy_is_told_as_far_as_it_came(pya, host, tmp_path, method, after, said):
    for name in ("a.txt", "b.txt"):
        (pya.folder / name).write_text("changed")
    file = tmp_path / "report.html"
    process = held(pya, host, "--report", str(file), after=after, method=method)
    assert not file.exists()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    report = Report(file)
    report.check()
    assert said in report.text
    answers = [row[5] for row in report.rows("answer")]
    assert "none" in answers, "the request that was held"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["local", "report.html"]


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_sent(pya, host, tmp_path):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "missing" / "report.html", Path(os.devnull)):
        for command in (["deploy", "--project", PROJECT], ["launch"], ["rollback", "--project", PROJECT]):
            done = pya(*command, "--report", path, code=2)
            assert path.name in done.stderr
    assert host.requests == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "local"]


def test_an_error_before_the_deploy_is_told_as_well(pya, host, tmp_path):
    host.faults.add("status", code=401)
    file = tmp_path / "report.html"
    pya("deploy", "--project", PROJECT, "--report", file, code=4)
    report = Report(file)
    report.check()
    assert "Stopped by an error" in report.text
    assert [row[5] for row in report.rows("answer")] == ["401"]


def test_steps_show_their_output_without_secrets_and_a_rollback_is_told(pya, host, tmp_path):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    (Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py").write_text(WSGI)
    table = f'[tool.pythonanywhere]\nproject = "{PROJECT}"\ndomain = "{domain}"\nsite_url = "{host.site_url}"\n'
    write(pya.folder, {"pyproject.toml": table, "manage.py": MANAGE, "a.txt": "changed"})
    pya("agent", "install")
    file = tmp_path / "report.html"
    given = ["--migrate", "--set-env", "SITE_PASSWORD"]
    pya("deploy", *given, "--report", file, code=1, SITE_PASSWORD="hunter2 & <co>")
    report = Report(file)
    report.check()
    assert "migrate exit status 3 </pre><b> ***" in report.text
    assert "hunter2" not in report.source
    # The agent's site is beside the API, and has no limit.
    assert "the site: its agent, and the check of its health" in report.text

    undone = tmp_path / "undone.html"
    pya("rollback", "--yes", "--report", undone)
    report = Report(undone)
    report.check()
    assert "Rolled back 1 file restored" in report.text
    assert "2 files removed" in report.text


def test_a_launch_is_told_step_by_step(pya, host, tmp_path):
    site, file = write(tmp_path / "flask", FLASK), tmp_path / "report.html"
    pya("launch", site, "--dry-run", "--replace-wsgi", "--site-url", host.site_url, "--report", file)
    report = Report(file)
    report.check()
    assert "Dry run: nothing was written" in report.text
    assert f"account done: {host.user} at 127.0.0.1" in report.text
    assert "project planned: write pyproject.toml here" in report.text
