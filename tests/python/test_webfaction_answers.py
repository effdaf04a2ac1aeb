"""WebFaction's API against answers that `xmlrpc.server` would not give: hostile, malformed, of HTTP alone."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pythonanywhere_api import ApiError, DecodeError, ForbiddenError, RequestTimeoutError, ServerError, TransportError
from pythonanywhere_api.webfaction import WebfactionApi, WebfactionFault


class Canned(HTTPServer):
    """Gives the same answer to everything, and counts."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.headers = {}
        self.body = b""
        self.silent = threading.Event()
        self.requests = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/RPC2"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        canned = self.server
        content = self.rfile.read(int(self.headers["Content-Length"]))
        canned.requests.append((self.path, dict(self.headers), content))
        if canned.status == 0:
            # Closed without a word.
            canned.silent.wait(10)
            return
        self.send_response(canned.status)
        for name, value in canned.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(canned.body)))
        self.end_headers()
        self.wfile.write(canned.body)

    def log_message(self, *_args):
        pass


@pytest.fixture
def canned():
    with Canned() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.silent.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def api(canned):
    api = WebfactionApi(canned.url, timeout=5)
    api.session_id = "5e551011"
    return api


def answer(value, before="<?xml version='1.0'?>"):
    return f"{before}<methodResponse><params><param>{value}</param></params></methodResponse>".encode()


def nested(depth, text="x"):
    return "<value><array><data>" * depth + f"<value>{text}</value>" + "</data></array></value>" * depth


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<value>no type</value>", "no type"),
        ("<value/>", ""),
        ("\n<value>\n  <int> 7 </int>\n</value>\n", 7),
        ("<value><i4>-7</i4></value>", -7),
        ("<value><i8>9000000000</i8></value>", 9000000000),
        ("<value><nil/></value>", None),
        ("<value><string>&lt;&#228;&#xDF;<![CDATA[<&>]]></string></value>", "<äß<&>"),
        ("<value><base64>\nAAEC\n Aw==\n</base64></value>", b"\0\1\2\3"),
        ("<value><string>a<!-- ignored -->b</string></value>", "ab"),
        (nested(2), [["x"]]),
    ],
)
def test_every_way_to_write_a_value_is_read(api, canned, value, expected):
    canned.body = answer(value)
    assert api.list_apps() == expected


BILLION_LAUGHS = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"""


@pytest.mark.parametrize(
    "body",
    [
        answer("<value>&b;</value>", BILLION_LAUGHS),
        answer("<value>x</value>", "<!DOCTYPE x SYSTEM 'http://127.0.0.1:1/x.dtd'>"),
        answer("<value>&b;</value>"),
        answer("<value>&#0;</value>"),
        answer(nested(41)),
        answer(nested(100_000)),
        b"<value>" * 500_000,
        answer("<value>1</value></param><param><value>2</value>"),
        answer("<value><int>99999999999</int></value>"),
        answer("<value><boolean>maybe</boolean></value>"),
        answer("<value><base64>!</base64></value>"),
        answer("<value><int>1</int><int>2</int></value>"),
        answer("<value><script>1</script></value>"),
        answer(""),
        answer("<value>x</value>")[:-20],
        b"<methodResponse><fault><value><int>4</int></value></fault></methodResponse>",
        b"<html><body>Welcome, session 5e551011</body></html>",
        b"\xff\xfe\0",
        b"",
    ],
    ids=lambda body: body[:60],
)
def test_what_is_no_answer_is_refused_without_being_quoted(api, canned, body):
    canned.body = body
    with pytest.raises(DecodeError, match="XML-RPC") as caught:
        api.list_apps()
    assert "5e551011" not in str(caught.value)
    assert len(canned.requests) == 1


def test_an_endless_answer_is_refused(api, canned):
    canned.headers = {"Content-Encoding": "gzip"}
    canned.body = gzip.compress(answer(f"<value>{' ' * (65 << 20)}</value>"))
    assert len(canned.body) < 1 << 20
    with pytest.raises(DecodeError, match="reasonable length"):
        api.list_apps()


@pytest.mark.parametrize("order", [1, -1])
def test_a_fault_is_read_whatever_the_order_of_its_members(api, canned, order):
    members = [
        "<member><name>faultCode</name><value><int>4</int></value></member>",
        "<member><name>faultString</name><value><string>no 5e551011</string></value></member>",
    ]
    fault = f"<fault><value><struct>{''.join(members[::order])}</struct></value></fault>"
    canned.body = f"<methodResponse>{fault}</methodResponse>".encode()
    with pytest.raises(WebfactionFault, match=r"^fault 4: no \*\*\*$"):
        api.list_apps()


@pytest.mark.parametrize("value", ["<value>x</value>", nested(1, ""), "<value><array><data/></array></value>"])
def test_a_login_without_a_session_in_it_is_refused(canned, value):
    canned.body = answer(value)
    api = WebfactionApi(canned.url)
    with pytest.raises(DecodeError, match="session"):
        api.login("widgetsco", "widgetsrock")
    assert api.session_id is None


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, ForbiddenError), (404, ApiError), (302, ApiError), (500, ServerError), (503, ServerError)],
)
def test_a_status_of_http_is_told_and_nothing_is_sent_again(api, canned, status, error):
    canned.status = status
    canned.headers = {"Location": canned.url + "/elsewhere"}
    canned.body = b"<html><body>Sorry, 5e551011 and hunter2.</body></html>"
    with pytest.raises(error, match=r"Sorry, \*\*\* and \*\*\*\.") as caught:
        api.change_mailbox_password("box", "hunter2")
    assert caught.value.status == status
    assert [path for path, _, _ in canned.requests] == ["/RPC2"]


def test_no_half_of_a_secret_stays_where_a_page_is_cut_short(api, canned):
    canned.status = 500
    canned.body = b"x" * 196 + b"5e551011"
    with pytest.raises(ServerError) as caught:
        api.list_apps()
    assert caught.value.detail == "x" * 196 + "***"


def test_a_connection_that_breaks_is_not_tried_again(api, canned):
    canned.status = 0
    canned.silent.set()
    with pytest.raises(TransportError):
        api.system("rm -r folder")
    assert len(canned.requests) == 1


def test_a_server_that_says_nothing_times_out_once(canned):
    canned.status = 0
    with pytest.raises(RequestTimeoutError):
        WebfactionApi(canned.url, timeout=0.2).call("anything")
    assert len(canned.requests) == 1


def test_the_request_is_xml_without_a_token(api, canned, monkeypatch):
    monkeypatch.setenv("API_TOKEN", "s3cret")
    canned.body = answer("<value/>")
    api.delete_app("grün <&>")
    path, headers, content = canned.requests[0]
    assert path == "/RPC2"
    headers = {name.lower(): value for name, value in headers.items()}
    assert headers["content-type"] == "text/xml"
    assert "authorization" not in headers
    assert b"<methodName>delete_app</methodName>" in content
    assert "<value><string>grün &lt;&amp;&gt;</string></value>".encode() in content
