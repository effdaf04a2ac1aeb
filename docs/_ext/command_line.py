"""The reference of the command line: what the built `pya` says of itself, asked while the pages are built.

``.. pya-commands::`` describes the command and, section by section, all its subcommands, however deep;
``.. pya-exit-codes::`` is the table at the end of ``pya --help``.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

SHARED = "Global options"
EXIT_CODES = "Exit codes"


@functools.cache
def help_of(command: tuple[str, ...]) -> str:
    """What ``pya COMMAND --help`` prints."""
    arguments = [sys.executable, "-m", "pythonanywhere_api", *command, "--help"]
    environment = {name: value for name, value in os.environ.items() if name not in ("WEBFACTION_URL", "COLUMNS")}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, env=environment, check=False)
    if done.returncode != 0:
        raise ExtensionError(f"pya {' '.join(command)} --help: {done.stderr}")
    return done.stdout


def sections_of(text: str) -> tuple[str, dict[str, list[tuple[str, str]]]]:
    """The words at the beginning, and each titled list as pairs of what can be typed and what it means."""
    about: list[str] = []
    sections: dict[str, list[tuple[str, str]]] = {}
    entries: list[tuple[str, str]] | None = None
    for line in map(str.rstrip, text.splitlines()):
        title = re.fullmatch(r"([A-Z][\w ]+):", line)
        entry = re.match(r" {2,6}(\S.*?)(?: {2,}(\S.*))?$", line)
        if title:
            entries = sections.setdefault(title[1], [])
        elif line.startswith("Usage: "):
            sections["Usage"] = [(line.removeprefix("Usage: "), "")]
        elif entries is None:
            about.append(line)
        elif entry and not line.startswith(" " * 8):
            entries.append((entry[1], entry[2] or ""))
        elif line.strip() and entries:
            typed, meaning = entries[-1]
            entries[-1] = (typed, f"{meaning} {line.strip()}".strip())
    return "\n".join(about).strip(), sections


def subcommands() -> list[tuple[str, ...]]:
    """Every command, as the words after ``pya``; the first is ``pya`` alone."""
    found: list[tuple[str, ...]] = []
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        command = waiting.pop(0)
        found.append(command)
        _, sections = sections_of(help_of(command))
        below = [(*command, typed) for typed, _ in sections.get("Commands", []) if typed != "help"]
        waiting = below + waiting
    return found


def plain(text: str) -> list[str]:
    """Words of the help, which may hold what reStructuredText would take for markup."""
    return re.sub(r"([\\`*_|])", r"\\\1", text).splitlines()


def described(command: tuple[str, ...]) -> list[str]:
    """A command's own section."""
    name = " ".join(("pya", *command))
    about, sections = sections_of(help_of(command))
    lines = [f".. _{name.replace(' ', '-')}:", ""] if command else []
    if command:
        lines += [name, ("-" if len(command) == 1 else "~") * len(name), ""]
    lines += [f".. program:: {name}", "", *plain(about), ""]
    lines += ["::", "", f"   {sections['Usage'][0][0]}", ""]
    for title, entries in sections.items():
        if title in ("Usage", EXIT_CODES) or (title == SHARED and command):
            continue
        lines += ["", f".. rubric:: {title}", ""]
        for typed, meaning in entries:
            lines += entry(title, typed, meaning, command)
    return [*lines, ""]


def entry(title: str, typed: str, meaning: str, command: tuple[str, ...]) -> list[str]:
    """One line of the help: an option can be linked to, a subcommand links to its section."""
    if title == "Commands":
        if typed == "help":
            return []
        target = "-".join(("pya", *command, typed))
        return [f":ref:`{typed} <{target}>`", *(f"   {line}" for line in plain(meaning)), ""]
    if typed.startswith("-"):
        return [f".. option:: {typed.replace('...', '')}", "", *(f"   {line}" for line in plain(meaning)), ""]
    return [f"``{typed}``", *(f"   {line}" for line in plain(meaning)), ""]


class Commands(SphinxDirective):
    """All commands, a section each."""

    def run(self) -> list[nodes.Node]:
        lines = [line for command in subcommands() for line in described(command)]
        return parsed(self, lines)


class ExitCodes(SphinxDirective):
    """The exit codes as a table."""

    def run(self) -> list[nodes.Node]:
        _, sections = sections_of(help_of(()))
        lines = [".. list-table::", "   :widths: 1 9", "   :header-rows: 1", "", "   * - code", "     - meaning"]
        for code, meaning in sections[EXIT_CODES]:
            lines += [f"   * - {code}", *(f"     - {line}" for line in plain(meaning))]
        return parsed(self, lines)


def parsed(directive: SphinxDirective, lines: list[str]) -> list[nodes.Node]:
    directive.env.note_reread()
    node = nodes.section()
    node.document = directive.state.document
    content = StringList(lines, source="pya --help")
    directive.state.nested_parse(content, 0, node, match_titles=True)
    return list(node.children)


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("pya-commands", Commands)
    app.add_directive("pya-exit-codes", ExitCodes)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
