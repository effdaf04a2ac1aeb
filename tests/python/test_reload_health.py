"""Reloads after a deploy, and the health check: what is called deployed runs the new files."""

import sys

import pytest
from bulk_site import Site
from command import Pya, environment_of

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

OTHER = "www.example.com"

DJANGO_WSGI = """\
import os
import sys

sys.path.insert(0, os.path.expanduser("~/mysite"))
os.environ["DJANGO_SETTINGS_MODULE"] = "tiny_settings"

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""

DJANGO_SETTINGS = """\
SECRET_KEY = "only for tests"
ROOT_URLCONF = "tiny_urls"
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ALLOWED_HOSTS = ["{host}"]
LOGGING = {{
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {{"console": {{"class": "logging.StreamHandler"}}}},
    "root": {{"handlers": ["console"], "level": "ERROR"}},
}}
"""

DJANGO_URLS = """\
from django.http import HttpResponse
from django.urls import path

def page(request, depth=60):
    if FAILS and depth == 0:
        raise ValueError("the page is broken")
    return page(request, depth - 1) if depth else HttpResponse("well")

FAILS = {fails}
urlpatterns = [path("", page)]
"""


def reload_fault(site, domain: str, code: int, **more) -> None:
    site.host.faults.add("status", code=code, method="POST", path=f"*/{domain}/reload/", **more)


@pytest.fixture
def django(site):
    """A real Django project in place of the small application."""

    def write(host: str = site.domain, fails: bool = False) -> None:
        (site.local / "tiny_settings.py").write_text(DJANGO_SETTINGS.format(host=host))
        (site.local / "tiny_urls.py").write_text(DJANGO_URLS.format(fails=fails))

    write()
    # Django is among the packages that these tests run with.
    Client(site.host.user, site.host.token, site.host.url).webapps.update(site.domain, virtualenv_path=sys.prefix)
    site.wsgi.write_text(DJANGO_WSGI)
    site.rewrite = write
    return site


def test_every_domain_is_tried_also_after_one_failed(site):
    names = ["aaa.example.com", site.domain, "zzz.example.com"]
    for name in (names[0], names[2]):
        site.host.create_webapp(name)
    reload_fault(site, names[0], 500, times=20)
    report = site.deploy(reload=names, domain=site.domain)
    assert (report.ok, report.reloaded, list(report.failed)) == (False, names[1:], names[:1])
    assert "not reloaded" in report.failed[names[0]]
    pya = Pya(site.local, environment_of(site.host))
    (site.local / "pyproject.toml").write_text(f"[tool.pythonanywhere]\ndomain = {names!r}\n".replace("'", '"'))
    answer = pya.json("reload", code=1)
    assert (answer["reloaded"], list(answer["failed"])) == (names[1:], names[:1])
    # The debt is one domain's.
    site.host.faults.clear()
    (site.local / "pyproject.toml").unlink()
    report = site.deploy(reload=[site.domain])
    assert (report.ok, report.reloaded) == (True, sorted([names[0], site.domain]))


def test_a_website_that_a_command_serves_is_reloaded_as_such(unlimited, tmp_path):
    with Emulator(rate_limit=None, account="paid") as host:
        client = Client(host.user, host.token, host.url)
        client.websites.create(OTHER, "exec sleep 1000")
        (tmp_path / "a.py").write_text("1")
        pya = Pya(tmp_path, environment_of(host) | {"PYTHONANYWHERE_RATE_LIMIT": "off"})
        options = ["--project", "mysite", "--reload", OTHER, "--no-health"]
        assert pya.json("deploy", *options)["reloaded"] == [OTHER]
        assert pya.json("reload", OTHER)["reloaded"] == [OTHER]
        reloads = [request.path for request in host.requests if request.path.endswith("/reload/")]
        # The deploy knew what it is.
        assert [path.split("/")[-4] for path in reloads] == ["websites", "webapps", "websites"]
        client.websites.update(OTHER, enabled=False)
        (tmp_path / "a.py").write_text("2")
        assert f"{OTHER} is disabled" in pya("deploy", *options, code=2).stderr


def test_a_reload_without_an_answer_is_asked_about_and_made_once_more(site):
    reload_fault(site, site.domain, 504, times=1)
    report = site.deploy()
    assert (report.ok, report.reloaded) == (True, [site.domain])
    ends = [request.path.rsplit("/", 3)[1:3] for request in site.host.requests if "/webapps/" in request.path]
    assert ends[-3:] == [[site.domain, "reload"], ["webapps", site.domain], [site.domain, "reload"]]


def test_an_owed_reload_is_told_where_nothing_is_reloaded_unasked(site):
    reload_fault(site, site.domain, 500, times=20)
    assert not site.deploy().ok
    site.host.faults.clear()
    for number in range(2):
        (site.local / "version.txt").write_text(f"new {number}")
        report = site.deploy(reload=None)
        assert (report.ok, report.reloaded) == (True, [])
        (warning,) = [warning for warning in report.warnings if site.domain in warning]
        assert "reload=" in warning
    # Nothing else is to be done.
    site.host.clear_requests()
    assert site.deploy(reload=None).ok
    assert [request.method for request in site.host.requests] == ["GET"] * 3
    report = site.deploy()
    assert (report.ok, report.reloaded) == (True, [site.domain])
    site.host.clear_requests()
    assert site.deploy(reload=None).warnings == []
    assert len(site.host.requests) == 2


def test_django_without_the_domain_in_allowed_hosts_is_told_so(django):
    assert django.deploy(health_url="/").ok
    django.rewrite(host="other.example.com")
    report = django.deploy(health_url="/")
    assert not report.ok
    assert "ALLOWED_HOSTS" in report.stopped
    assert django.domain in report.stopped
    assert any("Invalid HTTP_HOST header" in line for line in report.error_log)


def test_a_page_that_is_refused_on_a_site_that_works_is_a_warning(site):
    site.wsgi.write_text("""\
def application(environ, start_response):
    start_response("400 Bad Request" if environ["PATH_INFO"] == "/" else "404 Not Found", [])
    return [b""]
""")
    report = site.deploy(health_url="/")
    assert report.ok, report.stopped
    assert report.warnings[-1] == f"{site.domain} answers / with 400"


@pytest.mark.parametrize("path", ["/", "/health/"])
def test_a_site_with_the_hosts_placeholder_page_is_not_called_deployed(site, path):
    site.host.create_webapp(OTHER)
    report = site.deploy(reload=[OTHER], domain=OTHER, health_url=path)
    warning = report.warnings[-1]
    assert "placeholder" in warning
    assert "/var/www/www_example_com_wsgi.py" in warning


def test_a_failure_quotes_the_exception_before_all_else(django):
    django.rewrite(fails=True)
    report = django.deploy(health_url="/")
    assert not report.ok
    assert "with 500 after the reload" in report.stopped
    assert report.stopped.endswith("ValueError: the page is broken")
    assert report.error_log[0] == "ValueError: the page is broken"
    assert len(report.error_log) < 15
    assert any("tiny_urls.py" in line for line in report.error_log)


def test_a_failed_import_quotes_its_exception(site: Site):
    site.wsgi.write_text("import nosuchmodule\n")
    report = site.deploy(health_url="/")
    assert "ModuleNotFoundError: No module named 'nosuchmodule'" in report.stopped
    assert report.error_log[0] == "ModuleNotFoundError: No module named 'nosuchmodule'"
