"""Becomes uWSGI, which serves one WSGI file: one process, one request at a time, as on the host.

Called as `python uwsgi_worker.py UWSGI WSGI_FILE` by the Python of the web app's virtualenv. Prints the port it listens
on, on 127.0.0.1, in a line on standard output; uWSGI gets the listening socket as its standard input, so that nobody
else can take the port in between. After that standard output and standard error are the web app's.
"""

import os
import socket
import sys

# Processes end with their master, and the web server in front writes the access log.
OPTIONS = ["--protocol", "http", "--master", "--processes", "1", "--lazy-apps", "--die-on-term", "--no-orphans"]
# The error log has lines as on the host.
LOG = ["--disable-logging", "--log-master", "--log-encoder", "format ${strftime:%Y-%m-%d %H:%M:%S},000: ${msg}\n"]


def main():
    uwsgi, path = sys.argv[1:]
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(128)
    print(server.getsockname()[1], flush=True)
    os.dup2(server.fileno(), 0)
    os.dup2(2, 1)
    os.execv(uwsgi, ["uwsgi", *OPTIONS, *LOG, "--venv", sys.prefix, "--wsgi-file", path])


main()
