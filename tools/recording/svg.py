"""Draws a recorded terminal session: `python tools/recording/svg.py RECORDING.cast PICTURE.svg`.

The recording is an asciicast (version 2, https://docs.asciinema.org/manual/asciicast/v2/). The picture has no script,
so that it moves wherever pictures are shown: lines appear as they did, and scroll. Long waits are cut short.
"""

from __future__ import annotations

import json
import sys
from html import escape
from pathlib import Path

from screen import Line, Screen

ROWS = 24
SIZE, ADVANCE, HEIGHT, MARGIN = 14, 8.43, 19, 16
#: In seconds: nobody waits for longer; the first line stands alone; a question can be read before things go on.
LONGEST_WAIT, START, QUESTION = 1.1, 1.0, 2.5
#: By the number that terminals have for them.
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "36": "#76e3ea"}
MARKS = {"found": "#76e3ea", "plan": "#8b949e", "done": "#7ee787", "ok": "#7ee787", "next:": "#e3b341"}
INK, PAPER, FAINT = "#e6edf3", "#0d1117", "#30363d"


def read(path: Path) -> tuple[dict, Screen]:
    """The header of a recording, and what the screen shows at its end."""
    header, *events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    screen = Screen(header["width"])
    screen.write(f"$ {header['command']}\n")
    for time, kind, text in events:
        if kind == "o":
            screen.write(text, time)
    while screen.lines and not screen.lines[-1].text:
        screen.lines.pop()
    return header, screen


def moments(lines: list[Line]) -> list[float]:
    """When each line appears in the picture."""
    shown, last, found = 0.0, lines[0].time, []
    for line in lines:
        shown += min(max(line.time - last, 0.0), LONGEST_WAIT)
        last = max(last, line.time)
        found.append(shown + (START if found else 0.0))
        if "[y/N]" in line.text:
            shown += QUESTION
    return found


def spans(line: Line) -> str:
    """The text of a line, with its colours; the marks of steps have some of ours."""
    text = line.text
    first = text.split(" ", 1)[0]
    if first in MARKS:
        return f'<tspan fill="{MARKS[first]}">{escape(first)}</tspan>{escape(text[len(first) :])}'
    if text.startswith("$ "):
        return f'<tspan font-weight="bold">{escape(text)}</tspan>'
    pieces: list[tuple[str, str]] = []
    for cell in line.cells[: len(text)]:
        colour = next((COLOURS[number] for number in cell.style if number in COLOURS), "")
        if pieces and pieces[-1][0] == colour:
            pieces[-1] = (colour, pieces[-1][1] + cell.text)
        else:
            pieces.append((colour, cell.text))
    tag = '<tspan fill="{}">{}</tspan>'
    return "".join(tag.format(colour, escape(text)) if colour else escape(text) for colour, text in pieces)


def scroll(times: list[float]) -> str:
    """Key frames that move the lines up once the picture is full."""
    end = times[-1] or 1.0
    frames = {0.0: 0}
    for number, time in enumerate(times[ROWS:], start=1):
        frames[round(100 * time / end, 2)] = -number * HEIGHT
    return " ".join(f"{at:g}% {{ transform: translateY({up}px) }}" for at, up in frames.items())


def draw(header: dict, screen: Screen) -> str:
    """The picture."""
    times = moments(screen.lines)
    columns = max(len(line.text) for line in screen.lines)
    width, height = round(columns * ADVANCE + 2 * MARGIN), min(len(times), ROWS) * HEIGHT + 2 * MARGIN
    above = max(len(times) - ROWS, 0) * HEIGHT
    text = '<text y="{}" style="animation-delay: {:.2f}s" xml:space="preserve">{}</text>'
    rows = [
        text.format(number * HEIGHT + SIZE, time, spans(line))
        for number, (time, line) in enumerate(zip(times, screen.lines, strict=True))
        if line.text
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img">',
            f"<title>{escape(header['title'])}</title>",
            "<style>",
            f"text {{ font: {SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace;",
            f"  fill: {INK}; animation: appear 1ms both }}",
            "@keyframes appear { from { opacity: 0 } to { opacity: 1 } }",
            f"#lines {{ transform: translateY(-{above}px); animation: scroll {times[-1]:.2f}s step-end both }}",
            f"@keyframes scroll {{ {scroll(times)} }}",
            "@media (prefers-reduced-motion: reduce) { text, #lines { animation: none } }",
            "</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}" stroke="{FAINT}"/>',
            f'<svg x="{MARGIN}" y="{MARGIN}" width="{width - 2 * MARGIN}" height="{height - 2 * MARGIN}">',
            '<g id="lines">',
            *rows,
            "</g>",
            "</svg>",
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(*read(Path(sys.argv[1]))), encoding="utf-8")
