"""What lies between us and the service: certificates, proxies, and how we introduce ourselves."""

import socketserver
import sys
import threading
from pathlib import Path

import pytest

from pythonanywhere_api import PythonanywhereApi
from pythonanywhere_api.testing import Emulator

pytestmark = pytest.mark.usefixtures("unlimited")

TRUST = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"]
PROXY = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"]


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in [*TRUST, *PROXY, "PYTHONANYWHERE_CLIENT"]:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def secure(certificates):
    with Emulator(tls=certificates, rate_limit=None, python=sys.executable) as host:
        yield host


def api_of(host) -> PythonanywhereApi:
    return PythonanywhereApi(host.url, host.user, host.token, "site")


@pytest.mark.usefixtures("hurried")
def test_an_authority_nobody_trusts_is_refused_and_the_error_says_what_to_do(secure):
    api = api_of(secure)
    assert "SSL_CERT_FILE" in api.deploy_file("a.txt", b"x")
    assert not (Path(secure.root) / "home" / secure.user / "site").exists()
    assert secure.token not in api.error_message


@pytest.mark.parametrize("variable", TRUST)
@pytest.mark.parametrize("form", ["file", "folder"])
def test_the_environment_names_whom_to_trust(secure, certificates, monkeypatch, variable, form):
    trusted = certificates / "ca.pem" if form == "file" else certificates
    monkeypatch.setenv(variable, str(trusted))
    assert api_of(secure).deploy_file("a.txt", b"x") == ""


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_certificates_that_cannot_be_read_are_told_before_any_request(secure, tmp_path, monkeypatch, content):
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    secure.clear_requests()
    assert str(bundle) in api_of(secure).deploy_file("a.txt", b"x")
    assert secure.requests == []


class RefusingProxy(socketserver.ThreadingTCPServer):
    """Takes the first line of each connection and refuses."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self):
        self.lines: list[str] = []
        super().__init__(("127.0.0.1", 0), self.Handler)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.server.lines.append(self.rfile.readline().decode().strip())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy():
    with RefusingProxy() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.usefixtures("hurried")
def test_a_proxy_is_used_and_its_refusal_is_told(proxy, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.server_address[1]}")
    api = PythonanywhereApi("www.pythonanywhere.com", "nobody", "s3cret", "site")
    error = api.deploy_file("a.txt", b"x")
    assert "proxy" in error
    assert "s3cret" not in error
    assert set(proxy.lines) == {"CONNECT www.pythonanywhere.com:443 HTTP/1.1"}


@pytest.mark.parametrize("proxy", ["garbage://x", "socks5://127.0.0.1:1", "http://", "::"])
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_that_is_none_is_told_before_any_request(monkeypatch, variable, proxy):
    monkeypatch.setenv(variable, proxy)
    error = PythonanywhereApi("www.pythonanywhere.com", "nobody", "s3cret", "site").deploy_file("a.txt", b"x")
    assert f"{variable} does not name a usable proxy" in error


def test_this_machine_is_never_reached_through_a_proxy(proxy, monkeypatch, pythonanywhere):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_address[1]}")
    assert api_of(pythonanywhere).deploy_file("a.txt", b"x") == ""
    assert proxy.lines == []
