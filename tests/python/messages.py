"""The messages of the product, read from its sources, and whether a page quotes them.

A message is a text literal with at least three words that is no comment, documentation, help or log for developers.
Which literal reaches a reader cannot be told from the syntax alone: many are returned, kept and printed elsewhere. So
every literal counts, and the few kinds that are none are left out here by name, with the reason.
"""

import ast
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Stands for what a message says of the case at hand, in messages and in quotes.
GAP = "…"

WRONG_ARGUMENT = "exceptions for wrong arguments, which name the argument and what it takes"

#: Files and folders whose texts are no messages that somebody looks up, and why.
ELSEWHERE = {
    "src/emulator/": "imitates the service's own messages",
    "src/cli/commands/emulator.rs": "tells that the emulator runs",
    "src/cli/commands/demo/": "tells what the demo does",
    "src/cli/commands/man.rs": "writes the manual page",
    "src/cli/manual.rs": "writes the manual page",
    "src/cli/args.rs": "help texts, which the reference of the command line has",
    "src/cli/exit.rs": "the table of exit codes, which has a page of its own",
    "src/cli/commands/mcp/tools.rs": "descriptions of tools, for the programs that call them",
    "src/cli/commands/mcp/untrusted.rs": "marks around texts, for the programs that read them",
    "src/cli/report/chart.rs": "the page that --report writes",
    "src/cli/report/change_list.rs": "the page that --report writes",
    "src/cli/report/deploy.rs": "the page that --report writes",
    "src/cli/report/launch.rs": "the page that --report writes",
    "src/cli/report/page.rs": "the page that --report writes",
    "src/cli/report/rollback.rs": "the page that --report writes",
    "src/cli/endpoints/": "help texts, which the reference of the command line has",
    "src/cli/usage.rs": "hints that are shown below the message of a mistyped command",
    "src/cli/github.rs": "headings of a job's summary",
    "src/cli/listing.rs": "lines of a list of files",
    "src/api/calls.rs": "names of calls and what they expect, which the reference has",
    "src/webfaction/": "another service, with a page of its own",
    "src/cli/commands/webfaction.rs": "another service, with a page of its own",
    "src/finder/failures.rs": "joins the messages about folders",
    "src/python/client/": WRONG_ARGUMENT,
    "src/python/convert.rs": WRONG_ARGUMENT,
    "src/python/deploy.rs": "how values are shown",
    "src/python/dropin/agent.rs": WRONG_ARGUMENT,
    "src/python/dropin/arguments.rs": WRONG_ARGUMENT,
    "src/python/dropin/base.rs": "signatures",
    "src/python/dropin/deploy.rs": WRONG_ARGUMENT,
    "src/python/dropin/host_jobs.rs": WRONG_ARGUMENT,
    "src/python/dropin/keywords.rs": WRONG_ARGUMENT,
    "src/python/dropin/request.rs": WRONG_ARGUMENT,
    "src/python/dropin/search.rs": WRONG_ARGUMENT,
    "src/python/dropin/state.rs": WRONG_ARGUMENT,
    "src/python/method/": WRONG_ARGUMENT,
    "src/python/webfaction/": "another service, with a page of its own",
    "src/host/stub.py": "the content of a file that is written",
    "src/host/stub.rs": "the content of a file that is written",
    "src/host/sign.rs": "texts that are signed",
    "python/pythonanywhere_api/": WRONG_ARGUMENT,
    "python/pythonanywhere_api/django/checks.py": "checks of Django, whose ids have a table on a page of their own",
}

_RUST = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<attribute>\#!?\[(?!error\()(?:[^\[\]"]|"(?:[^"\\]|\\.)*"|\[[^\]]*\])*\])
    |(?P<quiet>(?:log::(?:debug|info|trace)!|\.expect|panic!|unreachable!)\(\s*"(?:[^"\\]|\\.)*")
    |b?r(?P<hashes>\#*)"(?P<raw>.*?)"(?P=hashes)
    |b?"(?P<text>(?:[^"\\]|\\.)*)"
    |'(?:[^'\\\n]|\\.[^']*)'""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0"}


@dataclass(frozen=True)
class Message:
    """A message with gaps, and where it stands."""

    text: str
    place: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a full quote of it matches: anything may fill a gap, and nothing between gaps is left out."""
        return re.compile(".+?".join(map(re.escape, self.text.lstrip(f"{GAP}.,;: ").split(GAP))))

    @cached_property
    def longest_part(self) -> str:
        """The longest part without a gap, which says quickly what is no quote."""
        return max((part.strip(".,;: ") for part in self.text.split(GAP)), key=len)

    def is_quoted_by(self, quote: str) -> bool:
        """Whether the quote has all of it, or a part that is long enough to be found by."""
        if self.longest_part in quote and self.pattern.search(quote):
            return True
        part = quote.strip(f"{GAP} ")
        return part in self.text and len(words(part)) >= 4


def words(text: str) -> list[str]:
    """The words of a text that are always the same."""
    return re.findall(r"[A-Za-z][A-Za-z'-]*", text)


def messages() -> list[Message]:
    """Every message of the product, each text once."""
    found: dict[str, Message] = {}
    for path in sorted(
        [*(ROOT / "src").rglob("*.rs"), *(ROOT / "src").rglob("*.py"), *(ROOT / "python").rglob("*.py")]
    ):
        name = path.relative_to(ROOT).as_posix()
        if not any(name.startswith(each) for each in ELSEWHERE):
            read = rust_texts if path.suffix == ".rs" else python_texts
            for line, whole in read(path.read_text(encoding="utf-8")):
                text = " ".join(whole.split())
                # What has three lines is a program, or the content of a file.
                if len(words(text)) >= 3 and " " in text and whole.strip().count("\n") < 2:
                    found.setdefault(text, Message(text, f"{name}:{line}"))
    return list(found.values())


def rust_texts(source: str) -> list[tuple[int, str]]:
    """The text literals of a Rust file without its tests, which are at its end."""
    source = source.split("#[cfg(test)]\nmod ")[0]
    found = []
    for match in _RUST.finditer(source):
        text = match["raw"] if match["raw"] is not None else match["text"]
        if text is not None:
            if match["text"] is not None:
                text = re.sub(r"\\\n\s*", "", text)
                text = re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), text)
            found.append((source.count("\n", 0, match.start()) + 1, _without_arguments(text)))
    return found


def python_texts(source: str) -> list[tuple[int, str]]:
    """The text literals of a Python file but for docstrings."""
    tree = ast.parse(source)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    found = []
    for node in ast.walk(tree):
        if id(node) in parts:
            continue
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = re.sub(r"%(\.\d+)?[srd]", GAP, node.value)
        else:
            continue
        found.append((node.lineno, text))
    return found


def _without_arguments(text: str) -> str:
    """A format string of Rust with gaps for its arguments."""
    return re.sub(
        r"\{\{|\}\}|\{[^{}\s]*\}", lambda match: GAP if len(match[0]) != 2 or match[0] == "{}" else match[0][0], text
    )
