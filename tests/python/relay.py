"""Somebody between the client and the site, who sees every request and answer, and may change, keep or drop them."""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Exchange:
    """A request to the agent and the site's answer."""

    operation: str
    body: bytes
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    # The header that signs the request.
    signed: str = ""


class Relay:
    """Passes requests on to a site.

    `spoil` gets each answer to the agent's operations in `only`, and gives another one, writes to the connection itself
    and gives `None`, or raises `ConnectionError` to drop it; `swallow` answers before the site has seen the request;
    `alter` changes its body. Pages get the status `spoil_pages`, if there is one.
    """

    def __init__(self, site_url: str):
        self.target = urlsplit(site_url).netloc
        self.seen: list[Exchange] = []
        self.only: set[str] = set()
        self.spoil: Callable[[Exchange, BaseHTTPRequestHandler], Exchange | None] | None = None
        self.swallow: Callable[[Exchange], Exchange] | None = None
        self.alter: Callable[[bytes], bytes] | None = None
        self.spoil_pages: int | None = None
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                relay.pass_on(self)

            do_POST = do_GET

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def operations(self) -> list[str]:
        """What the agent was asked, in order."""
        return [exchange.operation for exchange in self.seen if exchange.operation]

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        signed = handler.headers.get("X-Pya-Agent", "op=")
        fields = dict(part.split("=", 1) for part in signed.split("; "))
        exchange = Exchange(fields["op"], body, signed=signed)
        self.seen.append(exchange)
        is_spoilt = bool(exchange.operation) and (not self.only or exchange.operation in self.only)
        try:
            if is_spoilt and self.swallow:
                return self.send(handler, self.swallow(exchange))
            if not exchange.operation and self.spoil_pages:
                return self.send(handler, Exchange("", body, self.spoil_pages))
            if is_spoilt and self.alter:
                exchange.body = self.alter(body)
            self.ask(handler, exchange)
            answer = self.spoil(exchange, handler) if is_spoilt and self.spoil else exchange
            if answer is not None:
                self.send(handler, answer)
        except ConnectionError:
            handler.close_connection = True

    def ask(self, handler: BaseHTTPRequestHandler, exchange: Exchange) -> None:
        connection = http.client.HTTPConnection(self.target, timeout=120)
        headers = {name: value for name, value in handler.headers.items() if name.lower() != "connection"}
        connection.request(handler.command, handler.path, exchange.body, headers)
        answer = connection.getresponse()
        exchange.status, exchange.content = answer.status, answer.read()
        kept = {name: value for name, value in answer.getheaders() if name.lower() in ("content-type", "x-pya-agent")}
        exchange.headers = {name.lower(): value for name, value in kept.items()}
        connection.close()

    def send(self, handler: BaseHTTPRequestHandler, answer: Exchange) -> None:
        handler.send_response(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.content)))
        handler.end_headers()
        handler.wfile.write(answer.content)


def changed(exchange: Exchange, **fields) -> Exchange:
    """The answer with something changed; headers are added to those that are there, and `None` removes one."""
    headers = exchange.headers | fields.pop("headers", {})
    return replace(exchange, headers={name: value for name, value in headers.items() if value is not None}, **fields)
