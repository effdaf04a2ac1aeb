"""What a deploy refuses before it sends anything: domains, web apps, and the files and settings that its steps need."""

import json
import sys
from pathlib import Path

import pytest
from bulk_site import Site
from command import Pya, environment_of
from conftest import Caller

from pythonanywhere_api import Client, ConfigError, PythonanywhereApi
from pythonanywhere_api.testing import Emulator

OTHER = "www.example.com"


def project_of(site: Site, **keys) -> Pya:
    table = {"project": "mysite"} | keys
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in table.items()]
    (site.local / "pyproject.toml").write_text("[tool.pythonanywhere]\n" + "".join(lines))
    return Pya(site.local, environment_of(site.host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})


def writes(site: Site) -> list[str]:
    return [request.path for request in site.host.requests if request.method != "GET"]


def asked(site: Site, end: str) -> int:
    return len([request for request in site.host.requests if request.path.endswith(end)])


@pytest.fixture
def refused(site):
    """Deploys, and returns why that was refused, before anything was written."""

    def refused(**options) -> str:
        site.host.clear_requests()
        with pytest.raises(ConfigError) as caught:
            site.deploy(**options)
        assert writes(site) == []
        assert not site.remote.exists()
        return str(caught.value)

    return refused


@pytest.mark.parametrize("domain", ["https://me.pythonanywhere.com/", "me.pythonanywhere.com/app", "two words", ""])
def test_a_malformed_domain_is_refused_wherever_it_is_given(site, domain):
    site.host.clear_requests()
    pya = project_of(site)
    for arguments in (["deploy", "--reload", domain], ["deploy", "--domain", domain], ["rollback", "--reload", domain]):
        assert "is not a domain" in pya(*arguments, code=2).stderr
    pya = project_of(site, domain=[site.domain, domain])
    for command in ("deploy", "reload", "rollback"):
        assert "is not a domain" in pya(command, code=2).stderr
    assert site.host.requests == []
    diff = site.run(site.api.deploy_diff(site.local))
    site.host.clear_requests()
    for options in ({"reload": [domain]}, {"domain": domain}):
        with pytest.raises(ConfigError, match="is not a domain"):
            site.run(site.api.deploy(diff, **options))
    with pytest.raises(ConfigError, match="is not a domain"):
        site.run(site.api.rollback(reload=[domain]))
    assert site.host.requests == []


def test_a_web_app_that_does_not_exist_is_refused_with_those_that_do_and_how_to_make_one(site, refused):
    why = refused(reload=[OTHER])
    assert site.domain in why
    assert f"pya webapps create {OTHER}" in why
    assert asked(site, "/webapps/") == 1
    pya = project_of(site, domain=OTHER)
    assert f"pya webapps create {OTHER}" in pya("deploy", code=2).stderr
    assert f"pya webapps create {OTHER}" in pya("deploy", "--dry-run", code=2).stderr
    # A diff is shown nevertheless.
    shown = pya("diff")
    assert "A  version.txt" in shown.stdout
    assert "would be refused" in shown.stderr


def test_a_web_app_that_is_not_served_is_refused(site, refused, tmp_path):
    client = Client(site.host.user, site.host.token, site.host.url)
    client.webapps.disable(site.domain)
    assert f"pya webapps enable {site.domain}" in refused()
    client.webapps.enable(site.domain)
    assert site.deploy().ok


def test_an_expired_web_app_is_refused(unlimited, tmp_path):
    root = tmp_path / "host"
    with Emulator(rate_limit=None, root=str(root)) as host:
        host.create_webapp(f"{host.user}.pythonanywhere.com")
    (stored,) = root.rglob("webapps.json")
    apps = json.loads(stored.read_text())
    apps[0]["expiry"] = "Mon, 23 Nov 2020 08:00:00 GMT"
    stored.write_text(json.dumps(apps))
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "a.py").write_text("1")
    with Emulator(rate_limit=None, root=str(root)) as host:
        api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
        diff = api.deploy_diff(tmp_path / "local")
        assert diff is not None, api.error_message
        with pytest.raises(ConfigError, match="expired on 2020-11-23"):
            api.deploy(diff, reload=[f"{host.user}.pythonanywhere.com"])
        assert api.deploy(diff).ok


def test_one_request_knows_all_domains_and_an_unchanged_project_needs_none(site):
    site.host.create_webapp(OTHER)
    site.host.clear_requests()
    report = site.deploy(reload=[site.domain, OTHER], domain=site.domain)
    assert report.reloaded == sorted([site.domain, OTHER])
    assert (asked(site, "/webapps/"), asked(site, "/websites/")) == (1, 0)
    site.host.clear_requests()
    assert site.deploy(reload=[site.domain, "nosuch.example.com"]).ok
    assert len(site.host.requests) == 2
    (site.local / "version.txt").write_text("2")
    site.host.clear_requests()
    report = site.deploy()
    # One for the file, six for the deploy, one for the domains, one to look for an agent, one for the reload.
    assert len(site.host.requests) <= 1 + 6 + 1 + 1 + 1


def test_where_some_domains_exist_those_get_the_new_code_and_the_others_are_named(site):
    with pytest.raises(ConfigError, match="pya webapps create"):
        site.deploy(reload=[OTHER, site.domain], domain=site.domain, rollback_on_failure=True)
    report = site.deploy(reload=[OTHER, site.domain], domain=site.domain)
    assert (report.ok, report.reloaded) == (False, [site.domain])
    assert f"pya webapps create {OTHER}" in report.failed[OTHER]
    assert site.page() == "version 1 at /"


def test_the_address_of_a_site_needs_its_domain_where_several_are_reloaded(site, refused):
    site.host.create_webapp(OTHER)
    why = refused(reload=[site.domain, OTHER], domain=None)
    assert OTHER in why
    assert "domain=" in why
    pya = project_of(site, domain=[site.domain, OTHER])
    arguments = ["deploy", "--site-url", site.host.site_url]
    assert "--domain" in pya(*arguments, code=2).stderr
    assert pya.json(*arguments, "--domain", OTHER, "--no-health")["ok"]


@pytest.mark.parametrize("table", [{}, {"domain": OTHER, "site_url": "http://127.0.0.1:1"}])
def test_the_address_of_a_site_is_that_of_the_one_domain_that_is_reloaded(site, table):
    pya = project_of(site, **table)
    assert pya.json("deploy", "--reload", site.domain, "--site-url", site.host.site_url)["ok"]
    site.write("2")
    report = site.deploy(domain=None, health_url="/")
    assert (report.ok, report.warnings) == (True, [])


def test_a_missing_manage_py_is_named_with_the_place_where_it_is(site, refused):
    (site.local / "backend").mkdir()
    (site.local / "manage.py").rename(site.local / "backend" / "manage.py")
    for step in ("migrate", "collectstatic"):
        why = refused(executor="schedule", **{step: True})
        assert "there is backend/manage.py" in why
        assert "manage='backend/manage.py'" in why.replace('"', "'")
    pya = project_of(site, domain=site.domain)
    assert 'manage = "backend/manage.py"' in pya("deploy", "--migrate", code=2).stderr
    assert "manage" in refused(executor="schedule", migrate=True, manage="other/manage.py")
    assert site.deploy(executor="always_on", migrate=True, manage="backend/manage.py", dry_run=True).ok


def test_a_missing_requirements_file_is_named(site, refused):
    (site.local / "requirements").mkdir()
    (site.local / "requirements" / "base.txt").write_text("")
    why = refused(executor="schedule", requirements="base.txt")
    assert "pip needs base.txt" in why
    assert "requirements/base.txt" in why


def test_a_file_that_lies_on_the_host_only_is_enough_for_a_step(site):
    (site.local / "manage.py").unlink()
    site.remote.mkdir()
    (site.remote / "manage.py").write_text("print('by hand')")
    report = site.deploy(executor="always_on", migrate=True)
    assert report.ok, report.stopped
    assert report.steps[0]["output"] == "by hand\n"


def test_a_step_whose_file_goes_with_this_deploy_is_refused(site):
    assert site.deploy().ok
    (site.local / "manage.py").unlink()
    (site.local / "version.txt").write_text("2")
    with pytest.raises(ConfigError, match=r"manage\.py"):
        site.deploy(executor="always_on", migrate=True)
    assert site.page() == "version 1 at /"


SETS = [
    'os.environ["DATABASE_URL"] = "live" + os.sep',
    'if True:\n    os.environ.setdefault("DATABASE_URL", "live")',
    "os.environ.update(DATABASE_URL='live')",
    "from dotenv import load_dotenv",
    "import mysite_environment",
]


@pytest.mark.parametrize("line", SETS)
@pytest.mark.parametrize("executor", ["always_on", "schedule", "console"])
def test_manage_py_is_refused_where_the_wsgi_file_may_set_variables(site, refused, executor, line):
    site.wsgi.write_text(f"{site.wsgi.read_text()}\n{line}\n")
    why = refused(executor=executor, migrate=True)
    assert "manage.py was not run" in why
    assert f"pya agent install {site.domain}" in why
    assert "live" not in why
    with pytest.raises(ConfigError, match=r"manage\.py was not run"):
        site.run(site.api.manage("migrate", executor=executor, **site.via))
    assert writes(site) == []


def test_manage_py_is_refused_where_its_settings_are_not_known(site, refused):
    site.wsgi.write_text("import os\ndef application(environ, start_response): ...\n")
    assert "names no settings module" in refused(executor="schedule", collectstatic=True)
    assert "name the web app" in refused(executor="schedule", migrate=True, domain=None, site_url=None, reload=None)
    site.wsgi.unlink()
    assert "names no settings module" in refused(executor="schedule", migrate=True)


def test_pip_needs_no_settings(site):
    (site.local / "requirements.txt").write_text("")
    site.wsgi.write_text(f"{site.wsgi.read_text()}\n{SETS[0]}\n")
    report = site.deploy(executor="always_on", requirements="requirements.txt", dry_run=True)
    assert report.ok, report.stopped


def test_a_placeholder_wsgi_file_names_no_settings_for_the_agent_either(unlimited, tmp_path):
    with Emulator(rate_limit=None, python=sys.executable) as host:
        site = Site.__new__(Site)
        site.caller, site.local, site.host = Caller(PythonanywhereApi, host), tmp_path, host
        site.api, site.domain = site.caller.api(), f"{host.user}.pythonanywhere.com"
        host.create_webapp(site.domain)
        site.via = {"domain": site.domain, "site_url": host.site_url}
        site.write("1")
        assert site.run(site.api.agent.install(site.domain, host.site_url))["changed"]
        with pytest.raises(ConfigError, match="placeholder"):
            site.deploy(migrate=True)
        assert not (Path(host.root) / "home" / host.user / "mysite").exists()
        assert site.deploy().ok
        with pytest.raises(ConfigError, match="placeholder"):
            site.run(site.api.manage("migrate", **site.via))


def test_verify_of_a_project_that_is_not_there_is_one_error(with_agent):
    site = with_agent
    pya = project_of(site, domain=site.domain, site_url=site.host.site_url)
    pya("deploy", "--no-reload")
    said = pya("verify", "--project", "nosuch", code=2).stderr
    assert "no such project" in said
    assert "/nosuch" in said
    assert "deployed:" not in said
    assert len(said.splitlines()) < 4
    site.remote.rename(site.remote.parent / "moved")
    said = pya("verify", code=1).stderr
    assert len(said.splitlines()) < 4
    assert "cannot be read" in said


def test_verify_lists_nothing_that_the_rules_leave_out(with_agent):
    site = with_agent
    (site.local / ".pythonanywhereignore").write_text("node_modules/\n*.log\n")
    assert site.deploy()
    for path in ("node_modules/a.js", "x.log", "pkg1/y.log", "other.txt"):
        (site.remote / path).parent.mkdir(exist_ok=True)
        (site.remote / path).write_text("")
    drift = site.run(site.api.verify(site.local, **site.via))
    assert (drift["clean"], drift["unmanaged"]) == (True, ["other.txt"])


def test_what_stays_on_the_host_and_hides_the_new_files_is_told(site):
    for path in ("app/models/__init__.py", "app/migrations/0001_a.py", "app/migrations/0002_b.py"):
        (site.local / path).parent.mkdir(parents=True, exist_ok=True)
        (site.local / path).write_text("")
    assert site.deploy().ok
    (site.local / "app" / "models" / "__init__.py").unlink()
    (site.local / "app" / "models").rmdir()
    (site.local / "app" / "models.py").write_text("")
    (site.local / "app" / "migrations" / "0002_b.py").unlink()
    pya = project_of(site, domain=site.domain)
    said = pya("diff").stderr
    assert "app/models.py has no effect" in said
    assert "2 removed" not in said
    report = site.deploy(delete=False, migrate=True, executor="always_on", dry_run=True)
    assert any("app/models.py has no effect" in warning for warning in report.warnings)
    (migrations,) = [warning for warning in report.warnings if "migration" in warning]
    assert "app/migrations/0002_b.py" in migrations
    assert "0001_a" not in migrations
    report = site.deploy(migrate=True, executor="always_on")
    assert (report.ok, report.warnings) == (True, [])
