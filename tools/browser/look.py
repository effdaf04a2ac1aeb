"""Uses the emulator's page in Chromium, as a person would: ``look.py PYA FOLDER``.

PYA is the installed command; pictures of the page go to FOLDER. Each step is printed with how long it took; the first
one that goes wrong ends the run.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from account import Account, account, fill
from chromium import LONG, Browser, browser
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

#: Two widths, of a desktop and of a telephone, each in light and dark.
SIZES = {"wide": (1280, 860), "narrow": (400, 860)}
LARGEST = 150_000
HOSTILE = "<img src=x onerror=document.title='run'>\x1b[31m.txt"


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    start = time.monotonic()
    print(f"{name} ...", flush=True)
    yield
    print(f"    ok, {time.monotonic() - start:.1f} s", flush=True)


def opens(page: Browser, host: Account) -> None:
    page.open(host.ready["page"])
    page.one("#pulse", "live")
    page.one("#no-request", f"PYTHONANYWHERE_USERNAME={host.ready['user']}")
    assert host.ready["token"] not in page.driver.page_source
    page.may_copy(host.ready["url"])
    page.click("#exports-first")
    page.one("#exports-first", "copied")
    copied = page.run("return navigator.clipboard.readText()")
    assert f"export API_TOKEN={host.ready['token']}" in copied


def types_into_a_console(page: Browser, host: Account) -> None:
    page.click("#bash")
    page.one("#screen", "~ $")
    page.press("echo $((6*", "8", Keys.BACKSPACE, "7))", Keys.ENTER)
    page.until(lambda: "\n42\n" in page.text("#screen"), "what was computed")
    page.press("echo s''leeps; sleep 600", Keys.ENTER)
    page.until(lambda: "\nsleeps" in page.text("#screen"), "sleep")
    page.press(Keys.CONTROL + "c")
    # Bash completes what is typed at a prompt only.
    page.until(lambda: page.text("#screen").partition("^C")[2].rstrip().endswith("$"), "the end of sleep")
    # Tab completes, so Escape is what leaves.
    page.press("ls /var/w", Keys.TAB)
    page.until(lambda: "ls /var/www" in page.text("#screen"), "the completion")
    page.press(Keys.ENTER, Keys.ESCAPE)
    assert page.driver.switch_to.active_element.text == "1 bash"


def opens_the_console_of_a_412(page: Browser, host: Account) -> None:
    status, console = host.ask("POST", "consoles/", executable="python3")
    assert status == 201
    typing = f"consoles/{console['id']}/send_input/"
    assert host.ask("POST", typing, input="1")[0] == 412
    page.click(".row button", f"Open console {console['id']}")
    page.one("#screen", ">>>")
    assert host.ask("POST", typing, input="'typed ' + 'by a script'\n")[0] == 200
    page.one("#screen", "'typed by a script'")
    page.click("#tabs button", "1 bash")


def sees_a_deploy(page: Browser, host: Account) -> None:
    said = host.deploy()
    for name in ("manage.py", "settings.py", "style.css"):
        page.one(".row", name, "POST", "201")
    page.one(".bucket", "files/path{*}")
    page.click("#entries button", "mysite")
    page.click("#entries button", "manage.py")
    page.one("#text", "# manage.py")
    page.click("#viewer-close")
    assert "uploaded" in said or "Uploaded" in said, said


def sees_a_fault(page: Browser, host: Account) -> None:
    target = host.home / "mysite/blog/views.py"
    host.write("blog/views.py", "# changed\n")
    page.click(".switch", "Uploads fail")
    page.one("#spoiled", "1 fault is on")
    said = host.deploy(code=1)
    assert "500" in said, said
    assert "0 files uploaded" in said, said
    page.one(".row", "fault", "500")
    assert "changed" not in target.read_text()
    page.click(".switch", "Uploads fail")
    page.until(lambda: not page.all("#spoiled"), "the end of the notice")
    host.deploy()
    assert "changed" in target.read_text()


def writes_a_fault(page: Browser, host: Account) -> None:
    target = host.home / "mysite/blog/admin.py"
    host.write("blog/admin.py", "# changed\n")
    host.write("blog/models.py", "# changed\n")
    page.click("summary", "Another fault")
    page.one("#rule [name=path]").send_keys("*/blog/admin.py")
    Select(page.one("#rule [name=kind]")).select_by_value("html")
    page.click("#rule button", "Add")
    page.one("#rules", "any method */blog/admin.py: html 500 before its effect")
    said = host.deploy(code=1)
    assert "admin.py" in said, said
    page.one(".row", "admin.py", "fault", "500")
    assert "changed" not in target.read_text()
    page.click("#rules button", "Remove")
    page.until(lambda: not page.all("#spoiled"), "the end of the notice")
    page.click("summary", "Another fault")
    host.deploy()
    assert "changed" in target.read_text()


def moves_the_clock(page: Browser, host: Account) -> None:
    assert page.all(".bucket")
    Select(page.one("#advance")).select_by_visible_text("by 1 min")
    page.until(lambda: not page.all(".bucket"), "the end of what the last minute used up")
    Select(page.one("#latency")).select_by_visible_text("50 ms")
    page.one("#spoiled", "Each answer takes 50 ms longer.")
    Select(page.one("#latency")).select_by_visible_text("none")
    page.until(lambda: not page.all("#spoiled"), "the end of the notice")


def shows_names_as_text(page: Browser, host: Account) -> None:
    (host.home / "mysite" / HOSTILE).write_text("<script>document.title='run'</script>")
    host.ask("GET", urllib.parse.quote(f"files/path/home/{host.ready['user']}/mysite/<b>bold</b>/<i>"))
    page.one(".row", "<i>")
    page.click("#entries button", "<img src=x")
    page.one("#text", "<script>document.title='run'</script>")
    page.click("#viewer-close")
    page.click("#tabs button", "1 bash")
    page.run("document.getElementById('keys').focus()")
    page.press("cat ~/mysite/*onerror*; clear; ls ~/mysite/*onerror*", Keys.ENTER)
    page.one("#screen", "<img src=x")
    assert not page.run("return document.querySelectorAll('img, main script, b b').length")
    assert page.driver.title == f"Emulator · {host.ready['user']}"
    (host.home / "mysite" / HOSTILE).unlink()
    page.press("clear; ls -l --color mysite", Keys.ENTER)
    page.until(lambda: "onerror" not in page.text("#screen"), "an empty screen")


def copies_a_request(page: Browser, host: Account) -> None:
    page.run("document.getElementById('rows').scrollTop = 0")
    page.click(".row .curl")
    copied = page.until(lambda: page.run("return navigator.clipboard.readText()"), "the copy")
    assert copied.startswith("curl --include"), copied
    assert host.ready["token"] not in copied


def visits_the_site(page: Browser, host: Account) -> None:
    address = page.one("#site-list a", host.domain).get_attribute("href")
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open(address)
    page.one("body", f"Hello from {host.domain}")
    page.driver.close()
    page.driver.switch_to.window(first)
    page.click("#site-list button", "access log")
    page.one("#text", "GET / HTTP/1.1")
    page.click("#viewer-close")


def can_be_used_without_a_mouse(page: Browser, host: Account) -> None:
    nameless = page.run("""
        const named = (one) => one.textContent.trim() || one.getAttribute("aria-label") || one.labels?.length;
        return [...document.querySelectorAll("button, a, select, input, textarea")].filter((one) => !named(one))
          .map((one) => one.outerHTML);""")
    assert not nameless, nameless
    # A fresh page, in which the focus is nowhere yet.
    page.open(host.ready["page"])
    page.one(".row")
    page.press(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to the requests"
    page.run("document.getElementById('free').focus()")
    page.press(Keys.SPACE)
    page.until(lambda: host.ask("GET", "always_on/")[0] == 403, "an account that is free")
    page.press(Keys.TAB, Keys.SPACE)
    page.until(lambda: host.ask("GET", "always_on/")[0] == 200, "an account that is paid")


def lets_a_held_request_go(page: Browser, host: Account, pictures: Path) -> None:
    page.click("#clear")
    for name in ("blog/models.py", "blog/feeds.py", "blog/forms.py", "blog/tests.py", "static/style.css"):
        host.write(name, f"# again {name}\n" * 50)
    host.deploy()
    host.write("blog/urls.py", "# held\n")
    page.click(".switch", "Uploads are held")
    deploy = host.start("deploy", "--project", "mysite", "--executor", "none")
    try:
        page.one(".row .wait", "held")
        photograph_all(page, pictures)
        page.click("#well")
        _, said = deploy.communicate(timeout=LONG)
        assert deploy.returncode == 0, said
    finally:
        deploy.kill()
    page.until(lambda: not page.all(".row .wait"), "the end of all requests")


def photograph_all(page: Browser, folder: Path) -> None:
    page.run("document.getElementById('rows').scrollTop = 0; scrollTo(0, 0); document.activeElement.blur()")
    page.point_nowhere()
    for name, (width, height) in SIZES.items():
        page.resize(width, height)
        for scheme in ("light", "dark"):
            page.prefer(scheme)
            time.sleep(0.5)
            assert page.run("return document.documentElement.scrollWidth") <= width, f"{name} scrolls sideways"
            picture = folder / f"emulator-{name}-{scheme}.png"
            page.photograph(picture)
            assert picture.stat().st_size < LARGEST, f"{picture} has {picture.stat().st_size} bytes"
            print(f"    {picture}: {picture.stat().st_size} bytes", flush=True)
    page.resize(*SIZES["wide"])
    page.prefer("light")


def asks_nobody_else(page: Browser, host: Account) -> None:
    asked = page.run("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert asked
    assert all(address.startswith(host.ready["url"] + "/emulator/") for address in asked), asked
    assert not (complaints := page.complaints()), complaints


def tells_when_the_emulator_ends(page: Browser, host: Account) -> None:
    host.process.terminate()
    page.one("#lost", "does not answer any more")
    page.one("#pulse", "lost")


STEPS = (
    opens,
    types_into_a_console,
    opens_the_console_of_a_412,
    sees_a_deploy,
    sees_a_fault,
    writes_a_fault,
    moves_the_clock,
    shows_names_as_text,
    copies_a_request,
    visits_the_site,
    can_be_used_without_a_mouse,
)


def main(pya: str, pictures: Path) -> None:
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        account(pya, Path(folder), "--account", "paid", "--user", "ada") as host,
        browser() as page,
    ):
        page.resize(*SIZES["wide"])
        page.prefer("light")
        for action in STEPS:
            with step(action.__name__.replace("_", " ")):
                action(page, host)
            if action is opens:
                fill(host)
        with step("lets a held request go"):
            lets_a_held_request_go(page, host, pictures)
        with step("asks nobody else"):
            asks_nobody_else(page, host)
        with step("tells when the emulator ends"):
            tells_when_the_emulator_ends(page, host)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
