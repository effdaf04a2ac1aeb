"""Serves one WSGI file as the host's application server does: one process, as a rule one request at a time.

Called as `python wsgi_worker.py WSGI_FILE [threads]`, with the latter to serve each request in a thread of its own.
Prints the port it listens on, on 127.0.0.1, in a line on standard output; after that standard output and standard error
are the web app's. SIGTERM ends it after the request that runs.
"""

import io
import os
import signal
import sys
import time
import traceback
from socketserver import TCPServer, ThreadingMixIn
from wsgiref.handlers import SimpleHandler
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

FAILED_PAGE = b"""<!DOCTYPE html>
<html><head><title>Something went wrong :-(</title></head>
<body><h1>Something went wrong :-(</h1><p>The web app could not be loaded: its error log says why.</p></body></html>
"""


def log(text):
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    for line in text.rstrip().splitlines():
        print(f"{stamp},000: {line}" if line else line, file=sys.stderr)
    sys.stderr.flush()


def load(path):
    """Runs the WSGI file and returns its `application`, or None with the reason in the error log."""
    sys.path.insert(0, os.path.dirname(path))
    try:
        with open(path, "rb") as file:
            code = compile(file.read(), path, "exec")
        # A module of its own, as the application server makes one: pickling and `__main__` tricks look there.
        module = type(sys)("wsgi_file")
        module.__file__ = path
        sys.modules["wsgi_file"] = module
        exec(code, module.__dict__)
        application = module.application
        if not callable(application):
            raise TypeError("'application' is not callable")
    except BaseException:
        log("Error running WSGI application\n" + traceback.format_exc())
        return None
    return application


class LimitedInput(io.RawIOBase):
    """The body of one request: ends after its length, as the application server's does."""

    def __init__(self, stream, length):
        self.stream, self.left = stream, length

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.stream.read(min(len(buffer), self.left)) if self.left else b""
        self.left -= len(data)
        buffer[: len(data)] = data
        return len(data)


class Handler(SimpleHandler):
    server_software = "uWSGI-like"
    os_environ = {}

    def get_scheme(self):
        # As uWSGI has it. The one of wsgiref asks for a variable HTTPS, which no server in front sets.
        return self.environ.get("HTTP_X_FORWARDED_PROTO", "http")

    def log_exception(self, exc_info):
        log("Exception in the web app\n" + "".join(traceback.format_exception(*exc_info)))


class RequestHandler(WSGIRequestHandler):
    def get_environ(self):
        environ = super().get_environ()
        environ["REMOTE_ADDR"] = self.headers.get("X-Real-IP", self.client_address[0])
        environ["REQUEST_URI"] = self.path
        host, _, port = self.headers.get("Host", "").partition(":")
        environ["SERVER_NAME"] = host or environ["SERVER_NAME"]
        environ["SERVER_PORT"] = port or ("443" if environ.get("HTTP_X_FORWARDED_PROTO") == "https" else "80")
        if "Content-Type" not in self.headers:
            environ.pop("CONTENT_TYPE", None)
        return environ

    def handle(self):
        self.raw_requestline = self.rfile.readline(65537)
        if len(self.raw_requestline) > 65536:
            self.requestline = self.request_version = self.command = ""
            self.send_error(414)
            return
        if not self.raw_requestline or not self.parse_request():
            return
        environ = self.get_environ()
        length = int(self.headers.get("Content-Length") or 0)
        body = io.BufferedReader(LimitedInput(self.rfile, length))
        threads = isinstance(self.server, ThreadingMixIn)
        handler = Handler(body, self.wfile, sys.stderr, environ, multithread=threads, multiprocess=False)
        handler.request_handler = self
        handler.run(self.server.get_app())

    def log_message(self, *_):
        """The front writes the access log."""


class Server(WSGIServer):
    address_family = 2  # AF_INET
    request_queue_size = 128

    def server_bind(self):
        # Without the look-up of the host's name, which may take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()

    def handle_error(self, request, client_address):
        log("Exception while answering\n" + traceback.format_exc())


class ThreadingServer(ThreadingMixIn, Server):
    daemon_threads = True


def unavailable(environ, start_response):
    log(f"no python application found, check your startup logs for errors ({environ.get('PATH_INFO')})")
    start_response("500 Internal Server Error", [("Content-Type", "text/html")])
    return [FAILED_PAGE]


class Life:
    """Whether a request runs, and whether this process has been told to end."""

    busy = ending = False

    def end(self, *_):
        self.ending = True
        if not self.busy:
            os._exit(0)


def main():
    path, threads = sys.argv[1], sys.argv[2:] == ["threads"]
    sys.argv = ["uwsgi"]
    life = Life()
    signal.signal(signal.SIGTERM, life.end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = (ThreadingServer if threads else Server)(("127.0.0.1", 0), RequestHandler)
    print(server.server_port, flush=True)
    os.dup2(2, 1)
    server.set_app(load(path) or unavailable)
    while not life.ending:
        request, address = server.get_request()
        life.busy = True
        try:
            server.process_request(request, address)
        except Exception:
            server.handle_error(request, address)
            server.shutdown_request(request)
        finally:
            life.busy = False
    os._exit(0)


main()
