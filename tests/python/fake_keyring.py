"""A keyring on a session bus of its own: what `pya` is told of the Secret Service, over a real socket.

A bus daemon would need a service file and a keyring a desktop. This is both in one: a socket that speaks D-Bus, on
which one service answers, which can be locked, and can be silent.
https://specifications.freedesktop.org/secret-service/
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, Parser, new_error, new_method_return, new_signal

ROOT = "/org/freedesktop/secrets"
COLLECTION = f"{ROOT}/collection/login"
PROMPT = f"{ROOT}/prompt/p1"
#: Who the service is on the bus.
OWNER = ":1.0"


class FakeKeyring:
    """Items by number: attributes and secret. With `unlock_after`, it is locked, and its owner takes that long."""

    def __init__(self, folder: Path, unlock_after: float | None = None):
        self.items: dict[int, tuple[dict[str, str], bytes]] = {}
        self.silent = False
        self.unlock_after = unlock_after
        self.is_locked = unlock_after is not None
        self.connections = 0
        self.prompts = 0
        self.path = folder / "bus"
        self.listener = socket.socket(socket.AF_UNIX)

    @property
    def environment(self) -> dict[str, str]:
        return {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={self.path}", "PYA_KEYRING": ""}

    def secrets(self) -> dict[str, str]:
        """Secrets by the user name of their entry."""
        return {attributes["username"]: secret.decode() for attributes, secret in self.items.values()}

    def __enter__(self) -> FakeKeyring:
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve_until_gone, args=(connection,), daemon=True).start()

    def serve_until_gone(self, connection: socket.socket) -> None:
        # Whoever asked may end in the middle of it.
        with contextlib.suppress(OSError):
            self.serve(connection)

    def serve(self, connection: socket.socket) -> None:
        with connection:
            if self.silent:
                # Until whoever asked has given up.
                while connection.recv(4096):
                    pass
                return
            parser, rest = Parser(), greet(connection)
            while rest or (rest := connection.recv(65536)):
                for message in parser.feed(rest):
                    self.answer(connection, message)
                rest = b""

    def answer(self, connection: socket.socket, message: Message) -> None:
        fields = message.header.fields
        if message.header.message_type != MessageType.method_call:
            return
        member, path = fields[HeaderFields.member], fields.get(HeaderFields.path, "/")
        handler = getattr(self, f"on_{member}", None)
        if handler is None:
            send(connection, new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", "s", (member,)))
            return
        outcome = handler(path, *message.body)
        signature, body = outcome if outcome else (None, ())
        sender = "org.freedesktop.DBus" if fields.get(HeaderFields.destination) == "org.freedesktop.DBus" else OWNER
        send(connection, new_method_return(message, signature, body), sender)
        if member == "Prompt":
            threading.Thread(target=self.unlock, args=(connection,), daemon=True).start()

    # The bus.

    def on_Hello(self, path: str) -> Any:
        return "s", (":1.7",)

    def on_AddMatch(self, path: str, rule: str) -> Any:
        return None

    def on_RemoveMatch(self, path: str, rule: str) -> Any:
        return None

    def on_GetNameOwner(self, path: str, name: str) -> Any:
        return "s", (OWNER,)

    # The service.

    def on_OpenSession(self, path: str, algorithm: str, given: Any) -> Any:
        return "vo", (("s", ""), f"{ROOT}/session/s1")

    def on_SearchItems(self, path: str, attributes: dict[str, str]) -> Any:
        found = [
            f"{COLLECTION}/{number}"
            for number, (own, _) in self.items.items()
            if all(own.get(name) == value for name, value in attributes.items())
        ]
        return "aoao", (([], found) if self.is_locked else (found, []))

    def on_ReadAlias(self, path: str, name: str) -> Any:
        return "o", (COLLECTION,)

    def on_Unlock(self, path: str, objects: list[str]) -> Any:
        return "aoo", (([], PROMPT) if self.is_locked else (objects, "/"))

    def on_Prompt(self, path: str, window: str) -> Any:
        self.prompts += 1

    def unlock(self, connection: socket.socket) -> None:
        time.sleep(self.unlock_after or 0)
        self.is_locked = False
        emitter = DBusAddress(PROMPT, OWNER, "org.freedesktop.Secret.Prompt")
        with contextlib.suppress(OSError):
            send(connection, new_signal(emitter, "Completed", "bv", (False, ("ao", [COLLECTION]))))

    def on_CreateItem(self, path: str, properties: dict[str, Any], secret: Any, replace: bool) -> Any:
        attributes = properties["org.freedesktop.Secret.Item.Attributes"][1]
        number = next((number for number, (own, _) in self.items.items() if replace and own == attributes), None)
        number = len(self.items) + 1 if number is None else number
        self.items[number] = (attributes, bytes(secret[2]))
        return "oo", (f"{COLLECTION}/{number}", "/")

    def on_GetSecret(self, path: str, session: str) -> Any:
        _, secret = self.items[int(path.rsplit("/", 1)[1])]
        return "(oayays)", ((session, b"", secret, "text/plain"),)

    def on_Delete(self, path: str) -> Any:
        del self.items[int(path.rsplit("/", 1)[1])]
        return "o", ("/",)

    def on_Get(self, path: str, interface: str, name: str) -> Any:
        return "v", (("b", self.is_locked),)

    def on_GetAll(self, path: str, interface: str) -> Any:
        return "a{sv}", ({"Locked": ("b", self.is_locked)},)


def greet(connection: socket.socket) -> bytes:
    """The handshake; what came after it already."""
    received = b""
    while True:
        while b"\r\n" not in received:
            more = connection.recv(4096)
            if not more:
                return b""
            received += more
        line, received = received.split(b"\r\n", 1)
        word = line.lstrip(b"\0").split(b" ")[0]
        if word == b"AUTH":
            connection.sendall(b"OK 0123456789abcdef0123456789abcdef\r\n")
        elif word == b"BEGIN":
            return received
        else:
            # Files are not passed.
            connection.sendall(b"ERROR\r\n")


def send(connection: socket.socket, message: Message, sender: str = OWNER) -> None:
    message.header.fields[HeaderFields.sender] = sender
    message.header.fields[HeaderFields.destination] = ":1.7"
    send.serial += 1  # type: ignore[attr-defined]
    connection.sendall(message.serialise(serial=send.serial))  # type: ignore[attr-defined]


send.serial = 0  # type: ignore[attr-defined]
