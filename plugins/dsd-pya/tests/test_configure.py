"""What is found out, refused or written before anything is sent. No account is there."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from command import clean_environment
from conftest import FILES, Project, begin
from launch_projects import startproject, write

PLUGIN = Path(__file__).parents[1]


def test_the_help_lists_what_the_readme_does(lonely):
    said = lonely.deploy("--help")
    listed = set(re.findall(r"^\| `(--[a-z-]+)`", (PLUGIN / "README.md").read_text(), re.MULTILINE)) - {"--settings"}
    assert {"--user", "--region", "--replace-wsgi"} <= listed
    assert listed | {"--automate-all"} <= set(re.findall(r"--[a-z-]+", said))
    ours = said.partition("Options for PythonAnywhere:")[2]
    assert set(re.findall(r"^  (--[a-z-]+)", ours, re.MULTILINE)) <= listed


def test_without_a_token_nothing_is_begun(lonely):
    said = lonely.deploy("--automate-all", "--user", "me", text="yes\n", code=1)
    assert "The API token is missing" in said
    assert "export API_TOKEN" in said
    assert lonely.git("status", "--porcelain", "--ignored") == ""


def test_without_a_user_or_a_domain_both_are_named(lonely):
    said = lonely.deploy(code=1)
    assert "--user" in said
    assert "--domain" in said
    assert not (lonely.root / "pyproject.toml").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--region", "mars"], "--region is us or eu on PythonAnywhere, and not mars"),
        (["--region", "eu", "--host", "eu.pythonanywhere.com"], "give one of them"),
        (["--region", "us", "--host", "eu.pythonanywhere.com"], "give one of them"),
        (["--env-file", "missing.env"], "there is no file missing.env"),
        (["--domain", "https://a.b/"], "https://a.b/"),
    ],
)
def test_options_that_make_no_sense_are_refused(lonely, words, message):
    assert message in lonely.deploy("--user", "me", *words, code=1)
    assert not (lonely.root / "pyproject.toml").exists()


def test_regions_projects_domains_and_settings_reach_the_table(lonely):
    other = lonely.root / "mysite" / "live.py"
    other.write_text("from mysite.settings import *\n")
    lonely.git("add", ".")
    lonely.git("commit", "--quiet", "--message", "Add settings")
    lonely.deploy("--user", "me", "--region", "eu", "--deployed-project-name", "shop", "--settings", "mysite.live")
    table = (lonely.root / "pyproject.toml").read_text().splitlines()
    assert {'user = "me"', 'host = "eu.pythonanywhere.com"', 'project = "shop"'} <= set(table)
    assert 'domain = "me.eu.pythonanywhere.com"' in table
    assert "from mysite.live import *" in (lonely.root / "mysite" / "settings_pythonanywhere.py").read_text()


def test_a_region_that_is_typed_wins_over_the_environment(lonely):
    lonely.environment["PYTHONANYWHERE_SITE"] = "eu.pythonanywhere.com"
    lonely.deploy("--user", "me", "--region", "us")
    assert 'domain = "me.pythonanywhere.com"' in (lonely.root / "pyproject.toml").read_text().splitlines()


def test_a_project_below_the_folder_of_git_is_found(tmp_path):
    write(tmp_path, FILES)
    startproject(tmp_path)
    project = Project(tmp_path, clean_environment(), "mysite/manage.py")
    begin(project)
    project.deploy("--user", "me", "--deployed-project-name", "shop")
    assert 'manage = "mysite/manage.py"' in (tmp_path / "pyproject.toml").read_text()
    assert (tmp_path / "mysite" / "mysite" / "settings_pythonanywhere.py").is_file()


@pytest.mark.parametrize(
    ("file", "text", "command"),
    [
        ("Pipfile", '[packages]\ndjango = "*"\n', "pipenv requirements > requirements.txt"),
        ("pyproject.toml", '[tool.poetry.dependencies]\ndjango = "*"\n', "poetry export --with deploy"),
    ],
)
def test_requirements_of_other_tools_must_be_in_a_file_for_pip(lonely, file, text, command):
    (lonely.root / file).write_text(text)
    lonely.git("add", ".")
    lonely.git("commit", "--quiet", "--message", "Use another tool")
    # There is a requirements file, which lacks the framework.
    said = lonely.deploy("--user", "me", code=1)
    assert command in said
    assert not (lonely.root / "mysite" / "settings_pythonanywhere.py").exists()
    (lonely.root / "requirements.txt").write_text("Django\ndjango_simple_deploy==1.4.1 ; python_version > '3'\n")
    lonely.git("add", ".")
    lonely.git("commit", "--quiet", "--message", "Export")
    lonely.deploy("--user", "me")
    assert (lonely.root / "mysite" / "settings_pythonanywhere.py").is_file()


def test_the_wheel_holds_one_importable_package_and_the_licence(tmp_path):
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(PLUGIN)]
    subprocess.run(words, check=True, timeout=300)
    (wheel,) = tmp_path.glob("dsd_pya-*-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"dsd_pya"}
    assert any(name.endswith("LICENSE") for name in names)
