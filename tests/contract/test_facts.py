"""What is known of the service: https://help.pythonanywhere.com/pages/API/, and what its clients rely on.

These hold on the emulator and on a real account alike, and are asked with plain requests where the wire is the point.
"""

import re
import time

import pytest

from pythonanywhere_api import AuthenticationError, BadRequestError, Client, NotFoundError

from .account import THROTTLED, NotObserved
from .agent import agent
from .throttling import measured

JSON = "application/json"
BYTES = "application/octet-stream"


def need(account, kind):
    """Skips what would make something that the user has not allowed to be made."""
    if kind not in account.guard.may_make:
        pytest.skip(f"makes one of {kind}: PYTHONANYWHERE_CONTRACT_MAKE allows it")


def agent_or_skip(account):
    try:
        return agent(account)
    except NotObserved as reason:
        pytest.skip(str(reason))


def media_type(answer):
    return answer.headers.get("Content-Type", "").split(";")[0]


# ---- folders and files


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_folder_is_listed_with_dot_files_by_name_and_type(account, slash):
    account.put({"listed/.hidden": b"", "listed/a b#ü%.txt": b"", "listed/deep/x.txt": b""})
    answer = account.request("GET", account.files_path("listed") + slash)
    assert (answer.status_code, media_type(answer)) == (200, JSON)
    types = {name: entry["type"] for name, entry in answer.json().items()}
    assert types == {".hidden": "file", "a b#ü%.txt": "file", "deep": "directory"}
    assert all(entry["url"].startswith("http") for entry in answer.json().values())


@pytest.mark.parametrize("name", ["page.txt", "data.json"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_comes_as_bytes_whatever_it_is_called(account, name, slash):
    content = b'{"a": 1}\r\n\x00\xff'
    account.put({name: content})
    answer = account.request("GET", account.files_path(name) + slash)
    assert (answer.status_code, media_type(answer), answer.content) == (200, BYTES, content)


def test_what_is_not_there_is_named_in_a_404(account):
    answer = account.request("GET", account.files_path("nothing"))
    assert answer.status_code == 404
    assert answer.json() == {"detail": f"No such file or directory: {account.path('nothing')}"}


def test_an_upload_makes_the_folders_and_tells_new_from_replaced(account):
    path = account.files_path("made/on/the/way.txt")
    form = {"content": ("ignored.name", b"first")}
    assert account.request("POST", path, files=form).status_code == 201
    assert account.request("POST", path, files={"content": ("x", b"2")}).status_code == 200
    assert account.call("files.read", account.path("made/on/the/way.txt")) == b"2"
    assert account.call("files.list", account.path("made/on")).keys() == {"the"}


def test_an_upload_without_the_field_content_is_refused(account):
    answer = account.request("POST", account.files_path("none.txt"), files={"file": ("x", b"x")})
    assert (answer.status_code, answer.json()) == (400, {"detail": "You must provide a file with the name 'content'."})
    assert account.request("GET", account.files_path("none.txt")).status_code == 404


def test_an_empty_file_is_one(account):
    account.put({"empty.txt": b""})
    assert account.call("files.read", account.path("empty.txt")) == b""


def test_a_delete_takes_files_and_folders_with_all_below(account):
    account.put({"doomed/a.txt": b"", "doomed/b/c/d.txt": b""})
    assert account.request("DELETE", account.files_path("doomed/a.txt")).status_code == 204
    assert account.request("DELETE", account.files_path("doomed")).status_code == 204
    with pytest.raises(NotFoundError):
        account.call("files.list", account.path("doomed"))


def test_a_delete_of_nothing_is_a_404_with_a_code(account):
    answer = account.request("DELETE", account.files_path("nothing"))
    assert (answer.status_code, answer.json()) == (404, {"message": "File does not exist", "code": "not_found"})


def test_a_folder_stays_when_its_last_file_is_deleted(account):
    account.put({"emptied/last.txt": b""})
    account.call("files.delete", account.path("emptied/last.txt"))
    assert account.call("files.list", account.path("emptied")) == {}


# ---- files/tree


def test_the_tree_is_two_levels_deep_and_shows_no_dot_files(account):
    account.put({f"tree/{name}": b"" for name in (".dot", "a.txt", "one/b.txt", "one/.dot", "one/two/c.txt")})
    paths = account.call("files.tree", account.path("tree"))
    assert sorted(paths) == [account.path(f"tree/{name}") for name in ("a.txt", "one/", "one/b.txt", "one/two/")]


@pytest.mark.parametrize(("name", "words"), [("nothing", "does not exist"), ("leaf.txt", "is not a directory")])
def test_a_tree_of_no_folder_is_a_400(account, name, words):
    account.put({"leaf.txt": b""})
    answer = account.request("GET", "files/tree/", params={"path": account.path(name)})
    assert (answer.status_code, answer.json()) == (400, {"detail": f"{account.path(name)} {words}"})
    with pytest.raises(BadRequestError):
        account.call("files.tree", account.path(name))


def test_the_tree_leaves_links_out_and_the_listing_does_not(account):
    look = agent_or_skip(account)
    account.put({"links/target/x.txt": b"x"})
    look("link", "links/link", to="links/target")
    assert account.path("links/link") not in [path.rstrip("/") for path in tree(account, "links")]
    assert account.call("files.list", account.path("links")).keys() == {"link", "target"}


def test_the_tree_is_cut_at_1000_without_a_word(account):
    look = agent_or_skip(account)
    look("fill", "many", count="1003")
    answer = account.request("GET", "files/tree/", params={"path": account.path("many")})
    assert (answer.status_code, len(answer.json())) == (200, 1000)
    assert len(account.call("files.list", account.path("many"))) == 1003


def tree(account, name):
    return account.call("files.tree", account.path(name))


# ---- sharing


def test_a_share_serves_its_file_until_it_ends(account):
    account.put({"shared.txt": b"for all"})
    path = account.path("shared.txt")
    first = account.request("POST", "files/sharing/", data={"path": path})
    again = account.request("POST", "files/sharing/", data={"path": path})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == account.request("GET", "files/sharing/", params={"path": path}).json()
    url = account.call("files.sharing_url", path)
    assert account.visitor.get(url, timeout=60).content == b"for all"
    assert account.request("DELETE", "files/sharing/", params={"path": path}).status_code == 204
    assert account.request("GET", "files/sharing/", params={"path": path}).status_code == 404


# ---- refusals


@pytest.mark.parametrize(
    ("header", "words"),
    [({"Authorization": "Token " + "0" * 40}, "Invalid token."), ({"Authorization": ""}, None)],
)
def test_a_wrong_token_is_a_401_in_the_frameworks_words(account, header, words):
    answer = account.request("GET", "cpu/", headers=header)
    assert answer.status_code == 401
    assert words in (None, answer.json()["detail"])


def test_our_client_raises_for_a_wrong_token(account):
    with pytest.raises(AuthenticationError):
        Client(account.user, "0" * 40, account.url, rate_limit="off").cpu.get()


@pytest.mark.timeout(900)
def test_the_limit_is_told_in_the_frameworks_words_and_for_each_endpoint_alone(account):
    try:
        seen = measured(account)
    except NotObserved as reason:
        pytest.skip(str(reason))
    assert THROTTLED.fullmatch(seen.detail)
    assert seen.other_endpoint == 200


def test_an_account_has_both_kinds_of_tasks_or_neither(account):
    statuses = {account.request("GET", f"{kind}/").status_code for kind in ("schedule", "always_on")}
    assert statuses in ({200}, {403})


# ---- consoles


def test_a_console_waits_for_its_page(account):
    need(account, "consoles")
    made = account.request("POST", "consoles/", data={"executable": "bash"})
    if made.status_code == 429:
        pytest.skip("the account has all the consoles that it may have")
    assert made.status_code == 201
    console = made.json()
    account.guard.made("consoles", console["id"])
    refusal = "Console not yet started. Please load it (or its iframe) in a browser first"
    output = account.request("GET", f"consoles/{console['id']}/get_latest_output/")
    typed = account.request("POST", f"consoles/{console['id']}/send_input/", data={"input": "\n"})
    assert (output.status_code, output.json()) == (412, {"error": refusal})
    assert (typed.status_code, typed.json()) == (412, {"error": refusal})
    assert account.request("DELETE", f"consoles/{console['id']}/").status_code == 204


def test_a_console_shows_the_end_of_its_output_and_the_hosts_prompt(account):
    need(account, "consoles")
    made = account.request("POST", "consoles/", data={"executable": "bash"})
    if made.status_code == 429:
        pytest.skip("the account has all the consoles that it may have")
    console = made.json()
    account.guard.made("consoles", console["id"])
    try:
        if account.visitor.get(account.url + console["console_url"], allow_redirects=False).status_code != 200:
            pytest.skip("only a browser that has logged in starts consoles here")
        account.call("consoles.send_input", console["id"], "seq 1000 2000\n")
        # What was typed is shown as well, perhaps before the prompt.
        while not (shown := re.search(r"1999\s+2000\s+\S*?(\d\d:\d\d ~ \$ )", output(account, console))):
            time.sleep(0.05)
        assert shown[1]
        assert 100 < len(output(account, console)) <= 600
    finally:
        assert account.request("DELETE", f"consoles/{console['id']}/").status_code == 204


def output(account, console):
    return account.call("consoles.latest_output", console["id"])


# ---- tasks


def test_a_scheduled_task_is_made_changed_and_deleted(account):
    need(account, "schedule")
    fields = {"command": "true", "enabled": "false", "interval": "daily", "hour": 3, "minute": 5}
    made = account.request("POST", "schedule/", data=fields)
    assert made.status_code == 201
    task = made.json()
    account.guard.made("schedule", task["id"])
    assert (task["printable_time"], task["interval"], task["enabled"]) == ("03:05", "daily", False)
    changed = account.request("PATCH", f"schedule/{task['id']}/", data={"minute": 6})
    assert (changed.status_code, changed.json()["printable_time"]) == (200, "03:06")
    assert account.request("DELETE", f"schedule/{task['id']}/").status_code == 204
    assert account.request("GET", f"schedule/{task['id']}/").status_code == 404


def test_an_always_on_task_is_made_and_deleted(account):
    need(account, "always_on")
    made = account.request("POST", "always_on/", data={"command": "true", "enabled": "false", "description": "d"})
    assert made.status_code == 201
    task = made.json()
    account.guard.made("always_on", task["id"])
    assert (task["command"], task["description"], task["enabled"]) == ("true", "d", False)
    assert account.request("DELETE", f"always_on/{task['id']}/").status_code == 204


# ---- web apps


def test_a_web_app_has_its_wsgi_file_and_logs_where_the_service_says(account):
    look = agent_or_skip(account)
    names = [path.rsplit("/", 1)[1] for path in account.files_of_webapp()]
    assert look.wsgi.rsplit("/", 1)[1] in names
    assert {f"{account.domain}.{kind}.log" for kind in ("access", "error", "server")} <= set(names)
    assert look.created.json()["status"] == "OK"


def test_a_second_web_app_at_a_domain_is_refused(account):
    look = agent_or_skip(account)
    fields = {"domain_name": account.domain, "python_version": "python311"}
    refused = account.request("POST", "webapps/", data=fields)
    # A success that is none, or an error: clients must expect both.
    assert refused.status_code == 400 or refused.json()["status"] == "ERROR"
    assert look("served")["pid"]


def test_an_import_failure_shows_at_each_hit_and_not_at_the_reload(account):
    look = agent_or_skip(account)
    try:
        assert look.load("import no_such_module_of_a_contract_test\n") in (200, 409)
        assert [account.visit("/").status_code >= 500 for _ in range(2)] == [True, True]
        log = account.call("files.read", f"/var/log/{account.domain}.error.log")
        assert b"no_such_module_of_a_contract_test" in log
    finally:
        look.deploy()
    assert look("served")["pid"]


def test_writing_the_wsgi_file_reloads_the_web_app(account):
    look = agent_or_skip(account)
    program = (
        "def application(environ, start_response):\n"
        "    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
        "    return [b'written anew']\n"
    )
    try:
        # Within a second of the last load a change goes unseen.
        for _ in range(50):
            account.call("files.upload", look.wsgi, program.encode())
            if account.visit("/").content == b"written anew":
                break
            time.sleep(0.2)
        assert account.visit("/").content == b"written anew"
    finally:
        look.deploy()


def test_a_disabled_web_app_cannot_be_reloaded(account):
    look = agent_or_skip(account)
    assert account.request("POST", f"webapps/{account.domain}/disable/").status_code == 200
    try:
        assert look.reload().status_code == 500
    finally:
        assert account.request("POST", f"webapps/{account.domain}/enable/").status_code == 200
    assert look.reload().status_code in (200, 409)
