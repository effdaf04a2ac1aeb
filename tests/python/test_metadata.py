"""What the package index and GitHub show of the project, and what a release is made of."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pythonanywhere_api

# It reads sources, which are the same for all versions: those that have this are enough.
tomllib = pytest.importorskip("tomllib")

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_readme_has_no_link_that_is_dead_on_the_package_index():
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_links_to_our_own_files_lead_to_files():
    text = (ROOT / "README.md").read_text() + (ROOT / "pyproject.toml").read_text()
    paths = re.findall(r"https://github\.com/[^/]+/[^/]+/blob/main/([^)\"#\s]+)", text)
    assert len(paths) >= 4
    assert [path for path in paths if not (ROOT / path).is_file()] == []


def test_the_metadata_names_what_is_supported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"Changelog", "Documentation", "Issues", "Source"} <= set(project["urls"])
    minors = range(10, 15)
    needed = {f"Programming Language :: Python :: 3.{minor}" for minor in minors}
    needed |= {f"Operating System :: {system}" for system in ("MacOS", "Microsoft :: Windows", "POSIX :: Linux")}
    assert needed <= set(project["classifiers"])


def test_the_version_is_in_one_place_and_has_its_section_in_the_changelog():
    done = subprocess.run([sys.executable, ROOT / "tools/release/version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, pythonanywhere_api.__version__), done.stderr
    tag = f"refs/tags/v{pythonanywhere_api.__version__}"
    assert subprocess.run([sys.executable, ROOT / "tools/release/version", tag], timeout=60).returncode == 0
    wrong = [sys.executable, ROOT / "tools/release/version", "refs/tags/v0.0.1"]
    done = subprocess.run(wrong, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "the tag is v0.0.1" in done.stderr


def test_the_tag_of_the_plugin_is_compared_with_its_own_version():
    manifest = tomllib.loads((ROOT / "plugins/dsd-pya/pyproject.toml").read_text())["project"]
    words = [sys.executable, ROOT / "tools/release/version", "--plugin"]
    for tag, status in [(f"dsd-pya-v{manifest['version']}", 0), (f"v{manifest['version']}", 1)]:
        done = subprocess.run([*words, f"refs/tags/{tag}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stderr
    assert f"the tag is {tag}" in done.stderr


def test_the_plugin_has_our_licence_and_is_not_in_our_wheel():
    assert (ROOT / "plugins/dsd-pya/LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    packages = [path.name for path in (ROOT / "python").iterdir() if path.is_dir()]
    # The framework takes each importable package of such a name for a plugin, and stops at two.
    assert not [name for name in packages if "dsd_" in name]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_named_by_commit(path):
    used = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"the version of {action} in a comment"


def test_the_tools_of_a_release_are_those_of_its_workflows():
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "requirements-release.txt").read_text(), re.MULTILINE))
    develop = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE))
    text = "".join(path.read_text() for path in WORKFLOWS)
    assert pinned["maturin"] == develop["maturin"]
    assert set(re.findall(r"maturin-version: v(\S+)", text)) == {pinned["maturin"]}
    assert set(re.findall(r"zizmor==(\S+)", text)) == {pinned["zizmor"]}
