"""Jobs that are no deploys: drift, commands, archives."""

import json
import os
import sys
import tarfile

import pytest
from bulk_site import WSGI
from conftest import for_both_classes, write_tree
from runner_archive import append
from sites import files_below

from pythonanywhere_api import Client, ConfigError
from pythonanywhere_api.testing import set_clock_speed


def test_what_was_done_is_told_also_where_tidying_up_fails(with_agent, tmp_path):
    site = with_agent
    assert site.deploy()
    site.host.faults.add("status", code=500, method="DELETE", path="*/work-*", times=20)
    report = site.run(site.api.pull(tmp_path / "here", **site.via))
    assert "version.txt" in report["written"]
    assert files_below(tmp_path / "here") == files_below(site.remote)
    site.host.faults.clear()
    site.host.faults.add("status", code=500, method="DELETE", path="*/intent-*", times=20)
    set_clock_speed(30)
    try:
        result = site.run(site.api.run("echo ran; exit 4", executor="always_on"))
    finally:
        set_clock_speed(1)
    assert (result.exit_status, result.output) == (4, "ran\n")
    site.host.faults.clear()
    site.write("2")
    assert site.deploy(force=True)
    report = site.run(site.api.rollback(reload=["gone.example.com"], **site.via))
    assert report["written"] > 50
    assert report["reloaded"] == []
    assert any("gone.example.com was not reloaded" in warning for warning in report["warnings"])


@for_both_classes
def test_drift_is_found_with_one_job(with_agent):
    site = with_agent
    assert site.deploy()
    assert site.run(site.api.verify(site.local, **site.via))["clean"]
    (site.remote / "pkg1" / "m1.py").write_text("edited on the host")
    (site.remote / "pkg2" / "m2.py").unlink()
    (site.remote / "new.txt").write_text("new")
    (site.remote / "db.sqlite3").write_text("protected")
    (site.local / "pkg3" / "m3.py").write_text("edited here")
    site.host.clear_requests()
    drift = site.run(site.api.verify(site.local, **site.via))
    assert len(site.host.requests) <= 5
    assert drift["changed"] == ["pkg1/m1.py"]
    assert drift["missing"] == drift["not_deployed"] == ["pkg2/m2.py"]
    assert drift["unmanaged"] == ["new.txt"]
    assert drift["differs"] == ["pkg1/m1.py", "pkg3/m3.py"]
    assert not drift["clean"]


def test_what_a_deploy_that_was_cut_off_may_have_changed_is_not_called_as_deployed(with_agent):
    site = with_agent
    assert site.deploy()
    for name in ("pkg1/m1.py", "pkg2/m2.py"):
        (site.local / name).write_text("newer")
    site.host.faults.add("status", code=403, method="POST", path="*/pkg2/m2.py")
    assert not site.deploy(executor="none").ok
    site.host.faults.clear()
    drift = site.run(site.api.verify(**site.via))
    assert (drift["clean"], drift["changed"]) == (False, [])
    assert "a deploy has not finished" in drift["unreadable"]["pkg2/m2.py"]
    # The local files tell what shall be there.
    drift = site.run(site.api.verify(site.local, **site.via))
    assert (drift["differs"], drift["unreadable"]) == (["pkg2/m2.py"], {})
    assert site.deploy(executor="none").ok
    assert site.run(site.api.verify(**site.via))["clean"]
    # Of a manifest that cannot be read nothing is known either.
    for manifest in site.remote.parent.glob(".pya/*/manifest-*.json"):
        manifest.write_text("{")
    assert not site.run(site.api.verify(**site.via))["clean"]


def test_what_the_host_does_not_look_into_is_not_taken_for_gone(with_agent):
    site = with_agent
    (site.local / "node_modules").mkdir()
    (site.local / "node_modules" / "x.js").write_text("x")
    assert site.deploy()
    home = site.remote.parent
    # A folder became a link, another one a virtualenv, and a file a link.
    (site.remote / "pkg1").rename(home / "elsewhere")
    (site.remote / "pkg1").symlink_to(home / "elsewhere")
    (site.remote / "pkg2" / "pyvenv.cfg").touch()
    (site.remote / "pkg3" / "m3.py").unlink()
    (site.remote / "pkg3" / "m3.py").symlink_to("/etc/hostname")
    drift = site.run(site.api.verify(site.local, **site.via))
    assert drift["changed"] == drift["differs"] == ["pkg3/m3.py"]
    assert drift["missing"] == drift["not_deployed"] == []
    assert drift["unreadable"].keys() == {
        f"pkg{folder}/m{number}.py" for number in range(50) for folder in (1, 2) if number % 5 == folder
    }
    assert drift["unreadable"]["pkg1/m1.py"] == f"pkg1 is a link to {home / 'elsewhere'}"
    assert drift["unreadable"]["pkg2/m2.py"] == "pkg2: a virtualenv"
    assert not drift["clean"]


def test_commands_run_with_the_python_and_the_settings_of_the_web_app(with_agent):
    site = with_agent
    client = Client(site.host.user, site.host.token, site.host.url)
    manage = "import os, sys\nprint(os.environ.get('DJANGO_SETTINGS_MODULE'), *sys.argv[1:])\n"
    (site.local / "manage.py").write_text(manage)
    assert site.deploy()
    site.run(site.api.agent.remove(site.domain, site.host.site_url))
    site.wsgi.write_text(WSGI.replace('"mysite.settings"', '"mysite.settings.production"'))
    client.webapps.update(site.domain, python_version="3.12")
    version = "3.10" if sys.version_info[:2] == (3, 12) else "3.12"
    client.webapps.update(site.domain, python_version=version)
    for is_installed in (False, True):
        if is_installed:
            site.run(site.api.agent.install(site.domain, site.host.site_url))
        result = site.run(site.api.manage("check", executor="always_on", **site.via))
        assert result.output == "mysite.settings.production check\n"
        receipts = sorted((site.remote.parent / ".pya").glob("*/receipt-*.json"), key=lambda path: path.stat().st_mtime)
        assert json.loads(receipts[-1].read_text())["result"]["interpreter"].endswith(f"/python{version}")
    result = site.run(site.api.manage("check", **site.via))
    assert result.output == "mysite.settings.production check\n"


@for_both_classes
def test_files_are_pulled_as_one_archive(with_agent, tmp_path):
    site = with_agent
    assert site.deploy()
    write_tree(site.host, {"media/a b.jpg": os.urandom(100_000), "media/deep/ü.bin": b"", "other.txt": b"x"})
    site.host.clear_requests()
    report = site.run(site.api.pull(tmp_path / "media", include=["media/**"], **site.via))
    assert len(site.host.requests) <= 8
    assert report["written"] == ["media/a b.jpg", "media/deep/ü.bin"]
    assert files_below(tmp_path / "media" / "media") == files_below(site.remote / "media")
    (site.remote / "link").symlink_to("/etc/hostname")
    (site.remote / "pkg1" / "__pycache__").mkdir()
    report = site.run(site.api.pull(tmp_path / "all", **site.via))
    assert report["skipped"] == {"link": "a link to /etc/hostname", "pkg1/__pycache__": "not searched"}
    (site.remote / "link").unlink()
    assert files_below(tmp_path / "all") == files_below(site.remote)
    (tmp_path / "all" / "other.txt").write_text("mine")
    with pytest.raises(ConfigError, match="would be replaced"):
        site.run(site.api.pull(tmp_path / "all", **site.via))
    assert (tmp_path / "all" / "other.txt").read_text() == "mine"
    assert site.notes("work-*") == []


HOSTILE_ARCHIVE = """

import gzip
import hashlib
import tarfile


def archive(job):
    info = tarfile.TarInfo({name!r})
    info.type, info.linkname = {kind!r}, "/etc/hostname"
    content = gzip.compress(info.tobuf(tarfile.PAX_FORMAT) + bytes(1024))
    with open(os.path.join(job.work, "archive-000"), "wb") as file:
        file.write(content)
    part = dict(name="archive-000", sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    job.result = dict(parts=[part], files=1, bytes=0, errors=dict(), skipped=dict(), links=dict())


OPERATIONS["archive"] = archive
"""


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("../out", tarfile.REGTYPE, "leads out of the folder"),
        ("/out", tarfile.REGTYPE, "leads out of the folder"),
        ("pkg1/../../out", tarfile.REGTYPE, "leads out of the folder"),
        ("link", tarfile.SYMTYPE, "not a regular file"),
        ("hard", tarfile.LNKTYPE, "not a regular file"),
        ("device", tarfile.BLKTYPE, "not a regular file"),
        (".git/config", tarfile.REGTYPE, "not asked for"),
    ],
)
def test_an_archive_that_somebody_tampered_with_is_refused(with_agent, tmp_path, name, kind, words):
    site = with_agent
    assert site.deploy()
    (folder,) = (site.remote.parent / ".pya").glob("agent-*")
    append(folder / "runner.pyz", "pya_runner/entry.py", HOSTILE_ARCHIVE.format(name=name, kind=kind))
    Client(site.host.user, site.host.token, site.host.url).webapps.reload(site.domain)
    with pytest.raises(ConfigError, match=words):
        site.run(site.api.pull(tmp_path / "to" / "here", **site.via))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["local"]
    assert site.notes("work-*") == []


@for_both_classes
def test_commands_give_status_and_output(with_agent):
    site = with_agent
    assert site.deploy()
    result = site.run(site.api.manage("check", "--deploy", **site.via))
    assert (bool(result), result.exit_status, result.truncated) == (True, 0, False)
    assert result.output == "manage.py check --deploy\n"
    with pytest.raises(ConfigError, match="a task \\(allow_tasks=True\\) or a console runs anything"):
        site.run(site.api.run("ls", **site.via))
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        site.run(site.api.manage("check", nonsense=1))
    assert site.run(site.api.verify(**site.via))["clean"]
    with pytest.raises(TypeError, match="give local_root as well"):
        site.run(site.api.verify(path_masks=["*.py"], **site.via))
    with pytest.raises(ConfigError, match="nothing can run commands"):
        site.run(site.api.manage("check"))
