"""`pya` at a terminal: its questions, what is typed, what the screen shows, and Ctrl-C as the key."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from command import Pya


class Terminal:
    """A command whose terminal is ours."""

    # Of the window; a terminal without a size tells none.
    columns = 0

    def __init__(self, pya: Pya, *arguments: str, **more: str):
        self.ours, self.theirs = pty.openpty()
        # No line break of ours becomes two characters.
        modes = termios.tcgetattr(self.theirs)
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(self.theirs, termios.TCSANOW, modes)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self.columns, 0, 0))
        self.shown = ""
        # A piece may end within a character.
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.process = subprocess.Popen(
            pya.command(*arguments),
            cwd=pya.folder,
            env=pya.environment | {"NO_COLOR": "1", "TERM": "dumb"} | more,
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def read(self, within: float) -> bool:
        ready, _, _ = select.select([self.ours], [], [], within)
        if ready:
            self.shown += self.decode(os.read(self.ours, 65536))
        return bool(ready)

    def wait_for(self, text: str, within: float = 60) -> str:
        """Reads until the screen shows a text, and returns what it shows by then."""
        end = time.monotonic() + within
        while text not in self.shown:
            assert time.monotonic() < end, f"{text!r} was not shown:\n{self.shown}"
            assert self.read(0.2) or self.process.poll() is None, f"{text!r} was not shown:\n{self.shown}"
        return self.shown

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def answer(self, question: str, text: str) -> None:
        """Waits for a question that was not answered yet, and types a line."""
        self.wait_for(question)
        self.asked, self.shown = self.shown, ""
        self.type(text + "\n")

    @property
    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.theirs)[3] & termios.ECHO)

    def end(self, code: int = 0) -> str:
        """Waits for the end, checks the exit code, and returns what was shown since the last question."""
        end = time.monotonic() + 120
        while self.process.poll() is None:
            assert time.monotonic() < end, self.shown
            self.read(0.2)
        while self.read(0.1):
            pass
        assert self.process.returncode == code, self.shown
        return self.shown

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.ours)
        os.close(self.theirs)
