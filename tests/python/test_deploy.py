"""`deploy_diff` and `deploy` as Python sees them: values, errors, progress, interruption. Each case runs for both."""

import json
import os
import signal
import subprocess
import sys

import pytest
from conftest import PROJECT, environment, project_folder, write_tree

from pythonanywhere_api import ConfigError, DeployDiff, DeployReport, ProgressEvent, PythonAnywhereError
from pythonanywhere_api.testing import Emulator


@pytest.fixture
def site(tmp_path):
    root = tmp_path / "site"
    for name in ["manage.py", "app/models.py", "app/static/a.css"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_a_deploy_from_diff_to_report(caller, host, api, site):
    diff = caller.run(api.deploy_diff(site))
    assert isinstance(diff, DeployDiff)
    assert diff.added == ["app/models.py", "app/static/a.css", "manage.py"]
    assert json.loads(diff.to_json())["added"] == diff.added
    assert str(diff).splitlines() == ["A  app/models.py", "A  app/static/a.css", "A  manage.py"]
    events = []
    report = caller.run(api.deploy(diff, progress=events.append))
    assert isinstance(report, DeployReport)
    assert (report.ok, report.uploaded, report.failed) == (True, diff.added, {})
    report.raise_for_failures()
    assert (project_folder(host) / "manage.py").read_text() == "manage.py"
    assert isinstance(events[0], ProgressEvent.Planned)
    assert events[0].uploads == 3
    assert sorted(event.path for event in events if isinstance(event, ProgressEvent.Done)) == diff.added
    again = caller.run(api.deploy_diff(site))
    assert again.is_clean()
    host.clear_requests()
    assert caller.run(api.deploy(again)).ok
    assert host.requests == []


def test_local_mistakes_raise_before_any_request(caller, host, api, site, tmp_path):
    with pytest.raises(ConfigError):
        caller.run(api.deploy_diff(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError):
        caller.run(api.deploy_diff(tmp_path / "empty"))
    with pytest.raises(ConfigError, match="compare"):
        caller.run(api.deploy_diff(site, compare="guess"))
    with pytest.raises(TypeError, match="path_masks"):
        caller.run(api.deploy_diff(site, "**/*"))
    with pytest.raises(ConfigError, match="project name"):
        caller.run(caller.api(project="../x").deploy_diff(site))
    assert host.requests == []


def test_a_diff_of_one_host_is_refused_by_another(caller, host, api, site):
    with Emulator(rate_limit=None) as elsewhere:
        other = caller.kind(elsewhere.url, host.user, elsewhere.token, PROJECT)
        for deploying in (api, other):
            assert caller.run(deploying.deploy(caller.run(deploying.deploy_diff(site)))).ok
        (site / "manage.py").write_text("changed")
        diff = caller.run(api.deploy_diff(site))
        elsewhere.clear_requests()
        with pytest.raises(ConfigError, match="belongs to another project"):
            caller.run(other.deploy(diff))
        assert elsewhere.requests == []


def test_a_project_of_protected_files_alone_deletes_nothing(caller, host, api, site):
    assert caller.run(api.deploy(caller.run(api.deploy_diff(site)))).ok
    for path in ("manage.py", "app/models.py", "app/static/a.css"):
        (site / path).unlink()
    (site / ".env").write_text("SECRET=1")
    diff = caller.run(api.deploy_diff(site))
    assert diff.removed == ["app/models.py", "app/static/a.css", "manage.py"]
    host.clear_requests()
    with pytest.raises(ConfigError, match="nothing is deleted"):
        caller.run(api.deploy(diff, delete=True))
    assert host.requests == []
    # What is named may still be sent.
    report = caller.run(api.deploy(diff, include=[".env"]))
    assert (report.ok, report.uploaded, report.deleted) == (True, [".env"], [])


def test_environments_and_what_rules_leave_out_stay_on_the_host(caller, host, api, site):
    (site / ".pythonanywhereignore").write_text("node_modules/\n")
    (site / "env").mkdir()
    (site / "env" / "pyvenv.cfg").write_text("")
    theirs = {f"{folder}/lib{number}/x.py": b"1" for folder in ("venv", "env", "node_modules") for number in range(5)}
    write_tree(host, theirs | {"venv/pyvenv.cfg": b"", "env/pyvenv.cfg": b"", "old/note.txt": b"1"})
    host.clear_requests()
    diff = caller.run(api.deploy_diff(site, compare="names"))
    assert diff.unmanaged == ["old/note.txt"]
    listed = [request.path for request in host.requests if f"/{PROJECT}/" in request.path]
    assert len(listed) == 3, "the project, venv and old"
    assert not [path for path in listed if "lib" in path or "node_modules" in path or "/env/" in path]
    report = caller.run(api.deploy(diff, delete_unmanaged=True))
    assert (report.ok, report.deleted) == (True, ["old", "old/note.txt"])
    for path in theirs:
        assert (project_folder(host) / path).exists()


def test_what_a_link_on_the_host_leads_to_is_not_deleted(caller, host, api, site):
    assert caller.run(api.deploy(caller.run(api.deploy_diff(site)))).ok
    folder = project_folder(host)
    (folder / "app" / "linked").symlink_to("static")
    (folder.parent / "elsewhere" / "deep").mkdir(parents=True)
    (folder.parent / "elsewhere" / "deep" / "customers.csv").write_text("live")
    (folder / "shared").symlink_to(folder.parent / "elsewhere")
    write_tree(host, {"old/note.txt": b"1", "old/deep/er/note.txt": b"1"})
    diff = caller.run(api.deploy_diff(site, compare="names"))
    assert "shared/deep/customers.csv" in diff.unmanaged
    host.clear_requests()
    report = caller.run(api.deploy(diff, delete_unmanaged=True))
    assert report.ok, report
    assert [path for path in report.deleted if path.endswith(".txt")] == ["old/deep/er/note.txt", "old/note.txt"]
    assert (folder / "app" / "static" / "a.css").exists()
    assert (folder / "shared" / "deep" / "customers.csv").exists()
    assert any("below app/linked, shared stay on the host" in warning for warning in report.warnings), report.warnings
    trees = [request.path for request in host.requests if "/files/tree/" in request.path]
    assert len(trees) == 3, "the project, app, and what is two levels below old"


def test_a_folder_that_git_ignores_is_not_read(caller, host, api, site):
    subprocess.run(["git", "init", "-q", site], check=True)
    (site / ".gitignore").write_text("pgdata/\n")
    # Stands for one that cannot be read, which root can.
    (site / "pgdata" / ".gitignore").mkdir(parents=True)
    diff = caller.run(api.deploy_diff(site))
    assert diff.added == [".gitignore", "app/models.py", "app/static/a.css", "manage.py"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_that_cannot_be_read_is_told_with_what_to_do(host, site):
    (site / "secret.py").write_text("1")
    (site / "secret.py").chmod(0)
    for path in (site, *site.parents):
        path.chmod(path.stat().st_mode | 0o055)
    script = f"""
import os
from pythonanywhere_api import ConfigError, PythonanywhereApi
api = PythonanywhereApi.from_env("mysite")
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
try:
    api.deploy_diff({str(site)!r})
except ConfigError as error:
    print(error)
"""
    host.clear_requests()
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(host), capture_output=True, text=True, check=False
    )
    assert "secret.py cannot be read" in done.stdout, done.stderr
    assert "make it readable, or leave it out" in done.stdout
    assert host.requests == []


def deletions(host):
    return [request.path for request in host.requests if request.method == "DELETE" and "/.pya/" not in request.path]


def test_a_folder_that_cannot_be_listed_means_no_diff_and_no_deletes(caller, host, api, site):
    write_tree(host, {"app/old.py": b"theirs", "other/x.py": b"theirs", "manage.py": b"old"})
    host.faults.add("status", path="*/app/", code=500)
    assert caller.run(api.deploy_diff(site)) is None
    assert "500" in api.error_message
    assert all(request.method == "GET" for request in host.requests)


def test_a_folder_that_cannot_be_listed_before_a_delete_keeps_its_files_until_it_can(caller, host, api, site):
    caller.run(api.deploy(caller.run(api.deploy_diff(site)))).raise_for_failures()
    (site / "app" / "models.py").unlink()
    (site / "manage.py").unlink()
    (site / "new.py").write_text("new")
    diff = caller.run(api.deploy_diff(site))
    assert diff.removed == ["app/models.py", "manage.py"]
    fault = host.faults.add("status", path="*/app/", code=500)
    host.clear_requests()
    report = caller.run(api.deploy(diff, delete=True))
    assert not report.ok
    assert "500" in report.failed["app/models.py"]
    assert (project_folder(host) / "app" / "models.py").exists()
    assert report.uploaded == ["new.py"]
    assert [path.endswith("/manage.py") for path in deletions(host)] in ([], [True])

    host.faults.remove(fault)
    report = caller.run(api.deploy(caller.run(api.deploy_diff(site)), delete=True))
    assert report.ok
    left = {path.name for path in project_folder(host).rglob("*") if path.is_file()}
    assert left == {"a.css", "new.py"}


def test_errors_of_the_service_are_told(caller, host, api, site):
    host.faults.add("status", code=500)
    assert caller.run(api.deploy_diff(site)) is None
    assert "500" in api.error_message


def test_a_file_that_is_refused_is_in_report_and_error_message(caller, host, api, site):
    diff = caller.run(api.deploy_diff(site))
    host.faults.add("status", method="POST", path="*/manage.py", code=403)
    report = caller.run(api.deploy(diff))
    assert not report.ok
    assert list(report.failed) == ["manage.py"]
    assert "manage.py" in api.error_message
    with pytest.raises(PythonAnywhereError, match=r"manage\.py"):
        report.raise_for_failures()


@pytest.mark.parametrize("fault", [("html", 200), ("html", 201), ("status", 202)])
def test_a_file_whose_upload_something_else_answered_is_sent_by_the_next_deploy(caller, host, api, site, fault):
    kind, code = fault
    host.faults.add(kind, method="POST", path="*/manage.py", code=code, times=1)
    report = caller.run(api.deploy(caller.run(api.deploy_diff(site))))
    assert "manage.py" in report.failed
    assert not (project_folder(host) / "manage.py").exists()
    assert "manage.py" in caller.run(api.deploy_diff(site)).added
    assert caller.run(api.deploy(caller.run(api.deploy_diff(site)))).ok
    assert (project_folder(host) / "manage.py").read_text() == "manage.py"


@pytest.mark.parametrize("code", [200, 404])
def test_a_delete_that_something_else_answered_is_repeated_by_the_next_deploy(caller, host, api, site, code):
    assert caller.run(api.deploy(caller.run(api.deploy_diff(site)))).ok
    (site / "manage.py").unlink()
    host.faults.add("html", method="DELETE", path="*/manage.py", code=code, times=1)
    report = caller.run(api.deploy(caller.run(api.deploy_diff(site)), delete=True))
    assert not report.ok
    assert report.deleted == []
    assert caller.run(api.deploy(caller.run(api.deploy_diff(site)), delete=True)).deleted == ["manage.py"]
    assert not (project_folder(host) / "manage.py").exists()


def test_a_listing_that_something_else_answered_is_no_empty_folder(caller, host, api, site):
    assert caller.run(api.deploy(caller.run(api.deploy_diff(site)))).ok
    host.faults.add("html", method="GET", path="*/.pya/*", code=404)
    assert caller.run(api.deploy_diff(site)) is None
    assert "404" in api.error_message


class Frozen(Exception):
    """Takes no attributes, as a frozen dataclass."""

    def __setattr__(self, name, value):
        raise AttributeError(name)


@pytest.mark.parametrize("kind", [LookupError, Frozen])
def test_an_exception_of_the_progress_callback_ends_the_deploy(caller, host, api, site, kind):
    diff = caller.run(api.deploy_diff(site))
    raised = kind("enough")

    def progress(event):
        raise raised

    with pytest.raises(kind) as caught:
        caller.run(api.deploy(diff, progress=progress))
    assert caught.value is raised


def test_a_progress_callback_that_must_be_awaited_is_refused(caller, host, api, site):
    diff = caller.run(api.deploy_diff(site))

    async def progress(event):
        raise AssertionError

    with pytest.raises(TypeError, match="progress must be a plain function"):
        caller.run(api.deploy(diff, progress=progress))


def test_ctrl_c_carries_the_report_so_far(host, site):
    host.faults.add("hold", method="POST", path="*/manage.py")
    source = f"""
from pythonanywhere_api import PythonanywhereApi
api = PythonanywhereApi.from_env({PROJECT!r})
diff = api.deploy_diff({os.fspath(site)!r})
try:
    api.deploy(diff)
except KeyboardInterrupt as interrupt:
    print(interrupt.report.ok, "manage.py" in interrupt.report.uploaded)
"""
    with subprocess.Popen(
        [sys.executable, "-c", source],
        env=environment(host, PYTHONANYWHERE_RATE_LIMIT="off"),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert host.wait_held(1, timeout=60)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    host.release_all()
    assert output == "False False\n"
