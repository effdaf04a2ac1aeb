"""A server of the WebFaction API, as a script: `xmlrpc.server` with the 48 names, which remembers what arrived.

Prints its port when it is ready. Calls named `tests.…` are no part of the API.
"""

import sys
import threading
import time
from socketserver import ThreadingMixIn
from typing import Any
from xmlrpc.client import Fault, Marshaller
from xmlrpc.server import SimpleXMLRPCServer

SESSION = "5e551011-0f-7e575"
ACCOUNT = {
    "id": 237,
    "username": "widgetsco",
    "home": "/home",
    "web_server": "Web55",
    "mail_server": "Mailbox2",
}


def dump_int(_marshaller: Marshaller, number: int, write: Any) -> None:
    """As ``i8`` beyond 32 bits, which Python reads but refuses to write."""
    kind = "int" if -(2**31) <= number < 2**31 else "i8"
    write(f"<value><{kind}>{number}</{kind}></value>\n")


Marshaller.dispatch[int] = dump_int


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True

    def __init__(self, encoding: str):
        super().__init__(
            ("127.0.0.1", 0), logRequests=False, allow_none=True, use_builtin_types=True, encoding=encoding
        )
        self.arrived: list[tuple[str, tuple[Any, ...]]] = []

    def _dispatch(self, method: str, params: tuple[Any, ...]) -> Any:
        if method == "tests.arrived":
            arrived, self.arrived = self.arrived, []
            return arrived
        self.arrived.append((method, params))
        if method.startswith("tests."):
            return getattr(self, method.replace(".", "_"))(*params)
        if method == "login":
            if params[1] == "wrong":
                raise Fault(7, f"no login for {params[0]} with {params[1]}")
            return [SESSION, ACCOUNT]
        if params[:1] != (SESSION,):
            raise Fault(2, "no session")
        return self.answer(method, *params[1:])

    def answer(self, method: str, *params: Any) -> Any:
        """What the reference's examples show, else the arguments."""
        if method == "create_domain":
            return {"domain": params[0], "id": 47255, "subdomains": list(params[1:])}
        if method in ("create_website", "update_website"):
            name, ip, https, subdomains, *apps = params
            return {"https": https, "id": 67074, "ip": ip, "name": name, "site_apps": apps, "subdomains": subdomains}
        if method == "replace_in_file":
            return ""
        if method == "list_dbs":
            return [{"id": 1, "name": "shop", "db_type": "mysql", "machine": "Web55"}]
        if method == "system":
            if params[0] == "echo":
                raise Fault(1, f"{SESSION} says: stderr\n")
            if params[0].startswith("sleep "):
                time.sleep(float(params[0].removeprefix("sleep ")))
            return f"$ {params[0]}\n"
        return list(params)

    def tests_echo(self, *params: Any) -> Any:
        return list(params)

    def tests_length(self, text: str) -> int:
        return len(text)

    def tests_fault(self, code: int, text: str) -> Any:
        raise Fault(code, text)


if __name__ == "__main__":
    server = Server(sys.argv[1] if len(sys.argv) > 1 else "utf-8")
    print(server.server_address[1], flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # The tests close stdin when they are done, or die.
    sys.stdin.read()
