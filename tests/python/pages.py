"""Pages of Markdown: what they show, and a reader who does it all, from top to bottom.

What a page shows is run unless it cannot be: blocks ```python``` and ```console``` are run, blocks with a caption are
files. ``{code-block}`` without one is only looked at: something that needs a network or another program. A
command that the reader does not know is an error, so that nothing is left out in silence.
"""

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from command import Pya

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

# They install, or set what the reader's environment has already, or have a test of their own.
NOT_RUN = ("pip install", "pya demo", "export ", "make ")
# What is found beside the interpreter that runs the tests.
PROGRAMS = {"python": [sys.executable], "pytest": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]}
PROGRAMS |= {"django-admin": [sys.executable, "-m", "django"], "rm": ["rm"]}


@dataclass
class Step:
    """One thing to do: write a file, type a command, or run Python."""

    kind: str
    text: str
    name: str = ""


class Page:
    """A page and what it shows."""

    def __init__(self, path: Path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    def blocks(self, language: str) -> list[str]:
        """The code blocks of a language, as they stand in the page."""
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)

    def section(self, heading: str) -> str:
        """What stands between a heading and the next one."""
        return self.text.split(f"## {heading}\n")[1].split("\n## ")[0]

    def steps(self) -> list[Step]:
        """What a reader does, in order."""
        found: list[Step] = []
        block = r"^```(?:(python|console)|\{code-block\} \w+\n:caption: (\S+)\n)\n(.*?)^```"
        for language, name, text in re.findall(block, self.text, re.MULTILINE | re.DOTALL):
            if name:
                found.append(Step("file", text, name))
            elif language == "python":
                found.append(Step("python", text))
            else:
                lines = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
                found += [Step("command", line) for line in lines if not line.startswith(NOT_RUN)]
        return found


class Reader:
    """Follows a page in a folder, with the account that the environment names."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.environment = environment

    def follow(self, page: Page) -> int:
        """Does all that the page shows; returns how many steps that were."""
        steps = page.steps()
        for step in steps:
            getattr(self, f"do_{step.kind}")(step)
        return len(steps)

    def do_file(self, step: Step) -> None:
        path = self.folder / step.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step.text, encoding="utf-8")

    def do_python(self, step: Step) -> None:
        self.run([sys.executable, "-c", step.text], 0)

    def do_command(self, step: Step) -> None:
        """Types a command; a remark behind it may say how it ends."""
        code = re.search(r"# exits with (\d+)", step.text)
        name, *arguments = shlex.split(step.text, comments=True)
        if name == "pya":
            Pya(self.folder, self.environment)(*arguments, code=int(code[1]) if code else 0)
        elif name == "cd":
            self.folder /= arguments[0]
        else:
            self.run([*PROGRAMS[name], *arguments], int(code[1]) if code else 0)

    def run(self, command: list[str], code: int) -> None:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{command}\n{done.stdout}\n{done.stderr}"


def pages() -> list[Page]:
    """Every page of the documentation that is written in Markdown."""
    return [Page(path) for path in sorted(DOCS.rglob("*.md")) if "_build" not in path.parts]
