"""The plugin with the real django-simple-deploy: from a project in git to a served page of a fresh free account."""

import urllib.request

from conftest import GIT

WRITES = {"POST", "PUT", "PATCH", "DELETE"}


def page(host, path: str) -> int:
    headers = {"Host": f"{host.user}.pythonanywhere.com"}
    with urllib.request.urlopen(urllib.request.Request(host.site_url + path, headers=headers), timeout=60) as answer:
        return answer.status


def writes(requests) -> list[str]:
    return [f"{request.method} {request.path}" for request in requests if request.method in WRITES]


def test_everything_is_automated_once(host, project):
    settings = project.settings.read_text()
    options = ["--automate-all", "--user", host.user, "--site-url", host.site_url]
    said = project.deploy(*options, text="maybe\nyes\n")
    assert "Using plugin: dsd_pya" in said
    assert "settings.py is not edited" in said
    assert "migrate: done" in said
    assert f"Your project is served at {host.site_url}" in said
    assert page(host, "/admin/login/") == 200
    assert page(host, "/static/admin/css/base.css") == 200
    # What was sent is what was committed.
    assert project.settings.read_text() == settings
    assert project.git("status", "--porcelain") == ""
    assert project.git("log", "--format=%s").splitlines() == ["Configure the project for PythonAnywhere", "Begin"]
    changed = project.git("show", "--name-only", "--format=", "HEAD").splitlines()
    assert changed == [".gitignore", "mysite/settings_pythonanywhere.py", "pyproject.toml", "requirements.txt"]
    assert f'user = "{host.user}"' in (project.root / "pyproject.toml").read_text()
    assert host.token not in said + project.written()
    # The table knows the account by now, and there is nothing to do.
    before = len(host.requests)
    said = project.deploy("--automate-all", text="yes\n")
    assert "Nothing to commit." in said
    assert "files: ok" in said
    assert writes(host.requests[before:]) == []
    assert project.git("status", "--porcelain") == ""


def test_only_configured_a_project_is_launched_by_its_table(host, project):
    project.environment["API_TOKEN"] = ""
    said = project.deploy("--user", host.user, "--site-url", host.site_url)
    assert "mysite/settings_pythonanywhere.py and pyproject.toml written" in said
    assert "    from mysite.settings import *" in said
    assert "pya launch" in said
    assert list(host.requests) == []
    assert project.git("log", "--format=%s") == "Begin\n"
    # Somebody looks, commits, and does as was said.
    project.git("add", ".")
    project.git("commit", "--quiet", "--message", "Configure")
    assert "everything was there already" in project.deploy()
    project.environment["API_TOKEN"] = host.token
    done = project.run("pya", "launch", "--yes", "--no-open")
    assert done.returncode == 0, done.stdout
    assert page(host, "/admin/login/") == 200
    assert project.git("status", "--porcelain") == ""


def test_a_failure_names_the_step_and_the_way_on(host, project):
    (project.root / "requirements.txt").write_text("Django\nno-such-package-at-all\n")
    project.git("commit", "--quiet", "--all", "--message", "Break")
    options = ["--automate-all", "--user", host.user, "--site-url", host.site_url]
    said = project.deploy(*options, text="yes\n", code=1)
    assert "CommandError" in said
    assert "requirements: " in said
    assert "no-such-package-at-all" in said
    assert "in place: " in said
    text = (project.root / "requirements.txt").read_text().replace("no-such-package-at-all\n", "")
    (project.root / "requirements.txt").write_text(text)
    project.git("commit", "--quiet", "--all", "--message", "Mend")
    assert "virtualenv: ok" in project.deploy(*options, text="yes\n")
    assert page(host, "/admin/login/") == 200


def test_a_refused_token_is_said_and_shown_nowhere(host, project):
    token = project.environment["API_TOKEN"] = "f" * 40
    said = project.deploy("--automate-all", "--user", host.user, "--site-url", host.site_url, text="yes\n", code=1)
    assert "account: " in said
    assert "eu.pythonanywhere.com" in said
    assert "nothing was changed" in said
    assert token not in said + project.written()


def test_git_that_refuses_stops_it_before_anything_is_sent(host, project):
    for name in GIT:
        if name.endswith(("_NAME", "_EMAIL")):
            project.environment[name] = ""
    said = project.deploy("--automate-all", "--user", host.user, text="yes\n", code=1)
    assert "git commit failed, so nothing was launched" in said
    assert list(host.requests) == []


def test_whoever_says_no_has_nothing_written_by_the_plugin(host, project):
    said = project.deploy("--automate-all", "--user", host.user, text="no\n")
    assert "canceling this run" in said
    assert not (project.root / "pyproject.toml").exists()
    assert list(host.requests) == []
