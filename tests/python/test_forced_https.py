"""A site that is served by https, and one that sends everybody there: the agent is reached all the same."""

import http.client
import ssl
import sys
from pathlib import Path

import pytest
from uwsgi_site import UWSGI, needs_uwsgi

from pythonanywhere_api import Client, PythonanywhereApi
from pythonanywhere_api.testing import Emulator

WSGI = """\
import os

def application(environ, start_response):
    start_response("200 OK", [])
    version = open(os.path.expanduser("~/mysite/version.txt")).read()
    assert environ["wsgi.url_scheme"] == environ["HTTP_X_FORWARDED_PROTO"]
    return [f"{environ['wsgi.url_scheme']} {version}".encode()]
"""


@pytest.fixture(params=[None, pytest.param(UWSGI, marks=needs_uwsgi)], ids=["own server", "uWSGI"])
def host(request, tmp_path, unlimited, monkeypatch):
    for name in ("SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Emulator(tls=tmp_path, rate_limit=None, python=sys.executable, uwsgi=request.param) as host:
        yield host


def test_a_site_that_forces_https_is_deployed_to_and_checked(host, tmp_path):
    domain = f"{host.user}.pythonanywhere.com"
    host.create_webapp(domain)
    wsgi = Path(host.root) / "var" / "www" / f"{domain.replace('.', '_')}_wsgi.py"
    wsgi.write_text(WSGI)
    address = host.site_url.removeprefix("https://")
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")

    def get(scheme: str) -> tuple[int, str | None, str]:
        secure = {"context": context} if scheme == "https" else {}
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(address, timeout=30, **secure)
        try:
            connection.request("GET", "/a%20b?c=d", headers={"Host": domain})
            answer = connection.getresponse()
            return answer.status, answer.headers["Location"], answer.read().decode()
        finally:
            connection.close()

    local = tmp_path / "local"
    local.mkdir()
    (local / "version.txt").write_text("1")
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
    via = {"domain": domain, "site_url": host.site_url, "executor": "webapp", "health_url": "/"}
    assert api.agent.install(domain, host.site_url)["changed"]
    report = api.deploy(api.deploy_diff(local), reload=[domain], **via)
    assert report.ok, report.stopped
    assert get("http") == (200, None, "http 1")
    assert get("https") == (200, None, "https 1")

    # As all settings of a web app, it counts from the next reload on.
    webapps = Client(host.user, host.token, host.url).webapps
    webapps.update(domain, force_https=True)
    assert get("http")[0] == 200
    webapps.reload(domain)
    assert get("http")[:2] == (301, f"https://{domain}/a%20b?c=d")
    assert get("https") == (200, None, "https 1")
    (local / "version.txt").write_text("2")
    report = api.deploy(api.deploy_diff(local), reload=[domain], **via)
    assert (report.ok, report.executor) == (True, "webapp"), report.stopped
    assert get("https") == (200, None, "https 2")
    assert api.agent.status(domain, host.site_url)["ready"]
    assert api.agent.remove(domain, host.site_url)["changed"]
    assert wsgi.read_text() == WSGI
