"""An agent in a home folder, installed by hand, and requests signed by hand: from the page that describes them."""

import hashlib
import hmac
import json
import secrets
import shutil
import time
from pathlib import Path

from runner_archive import archive

HOST = Path(__file__).parents[2] / "src" / "host"
PATH = "/-/pya-agent"
TOKEN = "0123456789abcdef0123456789abcdef01234567"
DOMAIN = "www.example.com"


def mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class Installed:
    """The files of an agent below `home`, and its WSGI file."""

    def __init__(self, home: Path, original: str, agent: str = ""):
        self.home, self.original = home, original
        self.id = agent or secrets.token_hex(16)
        self.folder = home / ".pya" / f"agent-{DOMAIN}"
        self.folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(HOST / "agent.py", self.folder / "agent.py")
        shutil.copyfile(archive(), self.folder / "runner.pyz")
        stub = (HOST / "stub.py").read_text()
        stub = stub.replace("@VERSION@", "1").replace("@ID@", self.id).replace("@DOMAIN@", DOMAIN)
        self.stub = stub.replace('"@ORIGINAL@"', repr(original))
        self.wsgi = home / "www_example_com_wsgi.py"
        self.wsgi.write_text(self.stub)

    @property
    def key(self) -> bytes:
        return mac(TOKEN.encode(), f"pythonanywhere-api agent key\n{self.id}")

    def signed(self, operation: str = "status", body: bytes = b"{}", **changes) -> dict[str, str]:
        """The fields of a signed request; `changes` are made before it is signed."""
        fields = {
            "v": "1",
            "id": self.id,
            "op": operation,
            "time": str(int(time.time())),
            "nonce": secrets.token_hex(16),
            "body": hashlib.sha256(body).hexdigest(),
        } | changes
        signed = [
            fields["v"],
            fields["id"],
            "POST",
            PATH,
            fields["op"],
            fields["body"],
            fields["time"],
            fields["nonce"],
        ]
        if "length" in fields:
            signed.append(fields["length"])
        return fields | {"sig": mac(self.key, "\n".join(signed)).hex()}

    def answer(self, fields: dict[str, str]) -> dict[str, str]:
        """What only the agent can answer to it, without a signature."""
        return {"id": mac(self.key, f"pythonanywhere-api agent answer\n{fields['nonce']}").hex()[:32]}

    def signature(self, fields: dict[str, str], status: int, content: bytes) -> str:
        """The header of the answer to it."""
        digest = hashlib.sha256(content).hexdigest()
        lines = ["1", self.id, str(status), fields["op"], fields["nonce"], digest]
        signed = "\n".join(["pythonanywhere-api agent signed answer", *lines])
        return f"v=1; sig={mac(self.key, signed).hex()}"


def header(fields: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in fields.items())


def job(operation: str, **more):
    """The body of a request that has a job done, and the job's id."""
    identity = secrets.token_hex(8)
    made = {"format": 1, "id": identity, "operation": operation, "created": int(time.time()), "root": "/home/me/mysite"}
    return json.dumps({"state": "00112233aabbccdd", "limit": 45, "job": made | more}).encode(), identity
