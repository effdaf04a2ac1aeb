"""The settings that the runner reads: the fixed list of them, whatever a settings module does."""

import json
import os
import signal
import time

import pytest
from runner_host import Host, as_program, ready, simple
from runner_pip import make_virtualenv
from runner_steps import in_child, kill_self

SETTINGS = """\
import os
from pathlib import Path
DEBUG = False
SECRET_KEY = os.environ.get("SECRET_KEY", "")
ALLOWED_HOSTS = ["me.pythonanywhere.com", "localhost"]
CSRF_TRUSTED_ORIGINS = ("https://me.pythonanywhere.com",)
STATIC_URL = "static/"
STATIC_ROOT = Path(__file__).parent / "staticfiles"
MEDIA_ROOT = "media"
WSGI_APPLICATION = "bakery.wsgi.application"
PASSWORD = "hunter2"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "x", "PASSWORD": "hunter2"},
    "other": {"ENGINE": "django.db.backends.mysql", "PASSWORD": "hunter2"},
}
"""
MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'bakery.settings')\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    made = ready(tmp_path)
    (made.root / "bakery").mkdir()
    (made.root / "bakery" / "__init__.py").touch()
    (made.root / "manage.py").write_text(MANAGE)
    write(made, SETTINGS)
    return made


def write(host: Host, text: str) -> None:
    (host.root / "bakery" / "settings.py").write_text(text)


def job(host: Host, **more):
    words = {"manage": "manage.py", "virtualenv": None, "settings": None, "path": [], "folder": None, "timeout": 30}
    return simple(host, "inspect", **(words | more))


def inspect(host: Host, **more):
    return host.run(job=job(host, **more))


def everything(host: Host) -> str:
    """All that is kept of jobs."""
    return "".join(path.read_text() for path in host.state.rglob("*.json"))


def test_the_settings_of_the_list_are_told_and_no_others(host, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    receipt = inspect(host)
    assert receipt["state"] == "done", receipt["error"]
    found = receipt["result"]
    assert found.pop("django").startswith(("4.", "5.", "6."))
    assert found.pop("media_root") == os.path.join(os.getcwd(), "media")
    assert found == {
        "settings": "bakery.settings",
        "debug": False,
        "has_secret_key": True,
        "allowed_hosts": ["me.pythonanywhere.com", "localhost"],
        "csrf_trusted_origins": ["https://me.pythonanywhere.com"],
        "static_url": "/static/",
        "static_root": "/home/me/mysite/bakery/staticfiles",
        "media_url": None,
        "wsgi_application": "bakery.wsgi.application",
        "engines": ["django.db.backends.sqlite3", "django.db.backends.mysql"],
        "relative_databases": ["x"],
        "summary": "settings bakery.settings",
    }
    assert "hunter2" not in everything(host)
    assert not (host.root / "bakery" / "staticfiles").exists()


def test_a_key_that_is_missing_is_no_failure(host):
    assert inspect(host)["result"]["has_secret_key"] is False
    write(host, "ALLOWED_HOSTS = []\n")
    result = inspect(host)["result"]
    assert (result["has_secret_key"], result["debug"], result["engines"]) == (False, False, [])


def test_the_named_module_counts_before_that_of_the_web_app_and_that_of_manage_py(host, monkeypatch):
    (host.root / "bakery" / "live.py").write_text("DEBUG = True\n")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "bakery.live")
    assert inspect(host)["result"]["settings"] == "bakery.live"
    assert inspect(host, settings="bakery.settings")["result"]["settings"] == "bakery.settings"
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")
    (host.root / "manage.py").write_text("")
    receipt = inspect(host)
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "missing")


def test_the_working_folder_that_is_named_counts(host):
    result = inspect(host, folder="/home/me/mysite")["result"]
    assert result["media_root"] == "/home/me/mysite/media"


@pytest.mark.parametrize(
    ("engine", "name", "found"),
    [
        ("django.db.backends.sqlite3", "data/db.sqlite3", ["data/db.sqlite3"]),
        ("django.contrib.gis.db.backends.spatialite", "db", ["db"]),
        ("django.db.backends.sqlite3", "/home/me/db.sqlite3", []),
        ("django.db.backends.sqlite3", ":memory:", []),
        ("django.db.backends.sqlite3", "file:x?mode=memory", []),
        ("django.db.backends.sqlite3", "", []),
        ("django.db.backends.postgresql", "site", []),
    ],
)
def test_databases_at_relative_paths_are_told(host, engine, name, found):
    write(host, f"DATABASES = {{'default': {{'ENGINE': {engine!r}, 'NAME': {name!r}}}}}\n")
    assert inspect(host)["result"]["relative_databases"] == found


def test_a_task_is_told_where_it_works(host):
    told = job(host, path=["/home/me/lib"], folder="/home/me/mysite/app", settings="shared.conf")
    (host.home / "lib" / "shared").mkdir(parents=True)
    (host.home / "lib" / "shared" / "conf.py").write_text("STATIC_ROOT = 'built'\n")
    done = as_program(host, told)
    assert done.returncode == 0, done.stdout
    result = json.loads((host.state / f"receipt-{told['id']}.json").read_text())["result"]
    assert result["static_root"] == "/home/me/mysite/app/built"


PRINTS = "print('hunter2'); import sys; sys.stderr.write('hunter2'); import os; os.write(1, b'hunter2' * 100000)\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PRINTS + "import os; os._exit(0)", "ended Python with status 0"),
        (PRINTS + "import os; os._exit(7)", "ended Python with status 7"),
        (PRINTS + "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended Python with status -9"),
        (
            PRINTS + "raise SystemExit(3)",
            "cannot be imported: SystemExit: 3 (/home/me/mysite/bakery/settings.py, line 2)",
        ),
        (PRINTS + "\n\nimport nothing_there", "ModuleNotFoundError: No module named 'nothing_there'"),
        (PRINTS + "\nraise KeyboardInterrupt", "KeyboardInterrupt"),
        (PRINTS + "\ndef f(): f()\nf()", "RecursionError"),
        (PRINTS + "\nx = (", "SyntaxError"),
        (PRINTS + "\nraise ValueError('x' * 1_000_000)", "ValueError: xxxx"),
        (PRINTS + "\nimport json\njson.dump = lambda *_: None", "ended Python with status 0"),
        (PRINTS + "\nimport json\njson.dump = lambda _, file: file.write('[' * 100_000)", "ended Python with status 0"),
        (PRINTS + "\nimport json\njson.dump = lambda _, file: file.write('[]')", "ended Python with status 0"),
        (
            PRINTS + "\nimport json\njson.dump = lambda _, file: file.write(' ' * 2_000_000)",
            "ended Python with status 0",
        ),
        (PRINTS + "\nDATABASES = 5", "AttributeError"),
        (PRINTS + "\nALLOWED_HOSTS = 5", "ImproperlyConfigured"),
    ],
)
def test_settings_that_print_fail_or_end_the_process_are_told_and_what_they_print_is_not(host, text, words):
    write(host, text)
    receipt = inspect(host)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "settings")
    assert words in receipt["error"]["message"]
    assert "bakery.settings" in receipt["error"]["message"]
    assert len(receipt["error"]["message"]) < 1000
    assert "hunter2" not in everything(host)


def test_settings_that_never_end_are_ended_with_all_that_they_started(host):
    write(
        host,
        "import subprocess, time\nprocess = subprocess.Popen(['sleep', '1000'])\n"
        f"open({str(host.home / 'pid')!r}, 'w').write(str(process.pid))\ntime.sleep(1000)\n",
    )
    start = time.monotonic()
    receipt = inspect(host, timeout=2)
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "settings")
    assert "takes longer than 2 s" in receipt["error"]["message"]
    assert time.monotonic() - start < 15
    process = int((host.home / "pid").read_text())
    for _ in range(200):
        try:
            with open(f"/proc/{process}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    break
        except FileNotFoundError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("it is still there")


def test_settings_that_leave_threads_behind_end_all_the_same(host):
    write(host, SETTINGS + "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n")
    assert inspect(host)["state"] == "done"


def test_what_the_process_says_is_checked_as_a_strangers(host):
    said = {
        "debug": "yes",
        "django": {"x": "y" * 5000},
        "settings": "s" * 5000,
        "allowed_hosts": ["h" * 5000, 5, None] + ["x"] * 1000,
        "csrf_trusted_origins": "text",
        "static_root": 7,
        "engines": {"a": 1},
        "SECRET_KEY": "hunter2",
        "summary": "mine",
    }
    write(host, f"import json\ndump = json.dump\njson.dump = lambda _, file: dump({said!r}, file)")
    result = inspect(host)["result"]
    assert result["debug"] is True
    assert len(result["settings"]) == len(result["django"]) == len(result["allowed_hosts"][0]) == 1000
    assert len(result["allowed_hosts"]) == 100
    assert (result["csrf_trusted_origins"], result["engines"], result["static_root"]) == ([], [], "7")
    assert "hunter2" not in everything(host)


def test_a_killed_one_is_done_again(host):
    write(host, f"import os, time\nwhile not os.path.exists({str(host.home / 'again')!r}): time.sleep(0.1)\n")
    wanted = job(host)

    def act():
        signal.signal(signal.SIGALRM, lambda *_: kill_self())
        signal.setitimer(signal.ITIMER_REAL, 1)
        host.run(job=wanted)

    assert in_child(act) == -signal.SIGKILL
    (host.home / "again").touch()
    assert host.run(job=wanted)["state"] == "done"


@pytest.mark.parametrize(
    ("manage", "kind"), [("none.py", "missing"), ("../x", "name"), ("/etc/passwd", "name"), ("", "name")]
)
def test_the_project_is_where_manage_py_is(host, manage, kind):
    assert inspect(host, manage=manage)["error"]["kind"] == kind


def test_a_virtualenv_without_django_is_told(host):
    make_virtualenv(host.home / "bare")
    receipt = inspect(host, virtualenv="/home/me/bare")
    assert "No module named 'django'" in receipt["error"]["message"]
    assert inspect(host, virtualenv="/home/me/none")["error"]["kind"] == "interpreter"
