"""What a terminal shows: characters, line breaks, colours, and as much of the control sequences as `pya` uses.

A screen of some width and no end: lines that leave a real one at the top stay. Enough for a command's output and its
progress lines; it is no terminal for editors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

SEQUENCE = re.compile(r"\x1b(?:\[([?\d;]*)([A-Za-z])|\]8?;[^\x07\x1b]*(?:\x07|\x1b\\))")


@dataclass
class Cell:
    """A character and how it is shown: the numbers of its colours, as terminals count them."""

    text: str = " "
    style: tuple[str, ...] = ()


@dataclass
class Line:
    """The cells of a line, and when the last of them was written."""

    cells: list[Cell] = field(default_factory=list)
    time: float = 0.0

    @property
    def text(self) -> str:
        return "".join(cell.text for cell in self.cells).rstrip()


class Screen:
    """Takes what a program writes, and has the lines that are shown after it."""

    def __init__(self, width: int):
        self.width = width
        self.lines = [Line()]
        self.row = self.column = 0
        self.style: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is shown, without blanks at the ends of lines."""
        return "\n".join(line.text for line in self.lines).rstrip("\n") + "\n"

    def write(self, text: str, time: float = 0.0) -> None:
        """Takes what was written at a time, in seconds. A sequence must not be cut in two."""
        at = 0
        while at < len(text):
            sequence = SEQUENCE.match(text, at)
            if sequence:
                self.control(sequence[1] or "", sequence[2] or "", time)
                at = sequence.end()
                continue
            self.put(text[at], time)
            at += 1

    def put(self, character: str, time: float) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row, self.column = self.row + 1, 0
            self.make_row()
        elif character == "\x1b" or ord(character) < 32:
            raise ValueError(f"{character!r} is not known here")
        else:
            if self.column == self.width:
                self.put("\n", time)
            line = self.lines[self.row]
            line.cells += [Cell() for _ in range(self.column + 1 - len(line.cells))]
            line.cells[self.column] = Cell(character, self.style)
            line.time = time
            self.column += 1

    def make_row(self) -> None:
        self.lines += [Line() for _ in range(self.row + 1 - len(self.lines))]

    def control(self, numbers: str, letter: str, time: float) -> None:
        if letter == "m":
            self.style = tuple(number for number in numbers.split(";") if number not in ("", "0"))
            return
        count = int(numbers) if numbers.isdigit() else 1
        if letter == "A":
            self.row = max(self.row - count, 0)
        elif letter == "B":
            self.row += count
            self.make_row()
        elif letter == "C":
            self.column = min(self.column + count, self.width)
        elif letter == "D":
            self.column = max(self.column - count, 0)
        elif letter == "G":
            self.column = count - 1
        elif letter == "K":
            line = self.lines[self.row]
            line.cells = [] if numbers == "2" else line.cells[: self.column]
            line.time = time
        elif letter == "J" and numbers in ("", "0"):
            del self.lines[self.row + 1 :]
            self.lines[self.row].cells = self.lines[self.row].cells[: self.column]
        elif letter not in ("h", "l", ""):
            raise ValueError(f"the sequence {numbers}{letter} is not known here")
