"""`pya init`: what a project is found to be, and the files that it gets. No request is sent."""

import ast
import json

import pytest
from command import Pya, clean_environment
from launch_projects import BLOG, FLASK, startproject, write


@pytest.fixture
def pya(tmp_path):
    """In an empty folder, without any account but its user's name."""
    return Pya(tmp_path, clean_environment(PYTHONANYWHERE_USERNAME="me", VIRTUAL_ENV=""))


def test_startproject_gets_its_settings_and_its_table(pya, tmp_path):
    root = startproject(tmp_path)
    made = pya.json("init", root)
    assert made["kind"] == "django"
    assert (made["project"], made["domain"]) == ("mysite", "me.pythonanywhere.com")
    assert made["settings"] == "mysite.settings_pythonanywhere"
    assert made["missing"] == ["DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "STATIC_ROOT", "SECRET_KEY", "LOGGING"]
    assert made["written"] == ["mysite/settings_pythonanywhere.py", "pyproject.toml"]
    ast.parse((root / "mysite/settings_pythonanywhere.py").read_text())
    table = (root / "pyproject.toml").read_text()
    assert table.startswith("[tool.pythonanywhere]\n")
    assert 'domain = "me.pythonanywhere.com"' in table


def test_what_is_generated_is_shown_once_and_left_alone_from_then_on(pya, tmp_path):
    root = startproject(tmp_path)
    shown = pya("init", root).stdout
    assert "mysite/settings_pythonanywhere.py:" in shown
    assert "    from mysite.settings import *" in shown
    file = root / "mysite/settings_pythonanywhere.py"
    file.write_text("from mysite.settings import *\n")
    again = pya.json("init", root)
    assert (again["written"], again["files"]) == ([], [])
    assert file.read_text() == "from mysite.settings import *\n"


def test_a_dry_run_writes_nothing(pya, tmp_path):
    root = startproject(tmp_path)
    before = sorted(root.rglob("*"))
    assert pya.json("init", root, "--dry-run")["written"] == []
    assert sorted(root.rglob("*")) == before


def test_a_table_is_completed_with_its_comments_kept(pya, tmp_path):
    root = startproject(tmp_path)
    before = (
        "# mine\n[project]\nname = 'x'\ndependencies = ['django>=5']  # new\n\n"
        "[tool.pythonanywhere]\ndelete = true  # old ones\n"
    )
    (root / "pyproject.toml").write_text(before)
    made = pya.json("init", root)
    assert made["requirements"] == "the dependencies in pyproject.toml (django>=5)"
    assert (root / "pyproject.toml").read_text().startswith(before)


def test_a_project_one_folder_down_names_its_manage_py(pya, tmp_path):
    root = tmp_path / "repository"
    startproject(root, "web")
    made = pya.json("init", root)
    assert made["manage"] == "web/manage.py"
    assert made["written"] == ["web/web/settings_pythonanywhere.py", "pyproject.toml"]
    assert 'manage = "web/manage.py"' in (root / "pyproject.toml").read_text()


def test_split_settings_are_those_of_wsgi_py(pya, tmp_path):
    root = write(tmp_path / "blog", BLOG)
    made = pya.json("init", root)
    assert made["settings"] == "config.settings.settings_pythonanywhere"
    assert "DEBUG" not in made["missing"]
    assert "SECRET_KEY" not in made["missing"]
    assert "MEDIA_ROOT" in made["missing"]
    assert made["variables"] == ["BLOG_TITLE", "SECRET_KEY"]
    assert "not $the one" not in json.dumps(made)


def test_several_candidates_are_listed_and_an_option_decides(pya, tmp_path):
    files = {name: text for name, text in BLOG.items() if name != "config/wsgi.py"}
    files["manage.py"] = files["manage.py"].replace("config.settings.dev", "config.settings")
    root = write(tmp_path / "blog", files)
    said = pya("init", root, code=2).stderr
    assert "config.settings.base, config.settings.dev, config.settings.production" in said
    assert "--settings" in said
    made = pya.json("init", root, "--settings", "config.settings.production")
    assert made["settings"] == "config.settings.settings_pythonanywhere"


@pytest.mark.parametrize("file", ["app.py", "wsgi.py", "flask_app.py", "main.py"])
def test_a_flask_application_is_found_where_tutorials_put_it(pya, tmp_path, file):
    root = write(tmp_path / "site", {file: FLASK["app.py"], "requirements.txt": "flask\n"})
    made = pya.json("init", root)
    assert (made["kind"], made["application"]) == ("wsgi", f"{file[:-3]}:app")
    assert made["settings"] is None
    assert made["written"] == ["pyproject.toml"]


def test_an_application_can_be_named_and_is_remembered(pya, tmp_path):
    root = write(tmp_path / "site", {"one.py": FLASK["app.py"], "two.py": FLASK["app.py"], "requirements.txt": ""})
    assert "--wsgi" in pya("init", root, code=2).stderr
    assert pya.json("init", root, "--wsgi", "two:app")["application"] == "two:app"
    assert pya.json("init", root)["application"] == "two:app"


@pytest.mark.parametrize(
    ("files", "python"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.10'\n"}, ">=3.10"),
        ({".python-version": "3.12.4\n"}, "==3.12.*"),
        ({}, None),
    ],
)
def test_the_python_is_the_one_that_the_project_asks_for(pya, tmp_path, files, python):
    root = write(tmp_path / "site", FLASK | files)
    assert pya.json("init", root)["python"] == python


def test_a_folder_without_a_project_says_what_was_looked_for(pya, tmp_path):
    said = pya("init", code=2).stderr
    assert "manage.py" in said
    assert "--wsgi MODULE:NAME" in said


def test_nothing_of_the_project_is_imported(pya, tmp_path):
    mark = tmp_path / "imported"
    bad = f"open({str(mark)!r}, 'w').close()\n"
    root = write(tmp_path / "blog", {name: bad + text if name.endswith(".py") else text for name, text in BLOG.items()})
    pya("init", root)
    assert not mark.exists()


def test_an_environment_file_beside_the_settings_is_found(pya, tmp_path):
    root = write(startproject(tmp_path), {"mysite/.env": "SECRET_KEY=s3cret\nWEATHER_KEY=s3cret\n"})
    made = pya.json("init", root, "--dry-run")
    assert made["env_file"] == "mysite/.env"
    assert made["variables"] == ["SECRET_KEY", "WEATHER_KEY"]


@pytest.mark.parametrize("options", [[], ["--env-file", "site/.env"]])
def test_variables_that_are_for_this_machine_are_left_out_by_name(pya, tmp_path, options):
    text = "PYTHONANYWHERE_USERNAME=s3cret\nA=1\nexport PYTHONUNBUFFERED=1\nAPI_TOKEN=s3cret\n"
    root = write(tmp_path / "site", FLASK | {".env": text})
    done = pya("init", root, *options)
    assert " A from " in done.stderr
    assert "PYTHONANYWHERE_USERNAME, PYTHONUNBUFFERED, API_TOKEN in" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_an_environment_file_of_another_project_must_be_named(pya, tmp_path):
    write(tmp_path / "client-a", {".env": "PASSWORD=s3cret\n"})
    root = write(tmp_path / "site", FLASK)
    (root / ".env").symlink_to("../client-a/.env")
    said = pya("init", root, code=2).stderr
    assert "client-a/.env: if the web app is to have its variables, name it (--env-file)" in said
    assert "s3cret" not in said
    assert pya.json("init", root, "--env-file", root / ".env")["variables"] == ["PASSWORD"]


def test_a_list_of_requirements_above_the_project_is_named(pya, tmp_path):
    root = startproject(tmp_path / "repository")
    write(tmp_path / "repository", {".git/HEAD": "", "requirements.txt": "django\ndjangorestframework\n"})
    said = pya("init", root, code=2).stderr
    assert f"{tmp_path / 'repository/requirements.txt'} is above its folder" in said
    assert pya.json("init", tmp_path / "repository")["requirements"] == "requirements.txt"


def test_requirements_are_listed_beside_manage_py_too(pya, tmp_path):
    backend = startproject(tmp_path / "site", "backend")
    write(backend, {"pyproject.toml": "[project]\nname = 'backend'\ndependencies = ['django', 'environs']\n"})
    found = pya.json("init", tmp_path / "site", "--dry-run")["requirements"]
    assert found == "the dependencies in backend/pyproject.toml (django, environs)"
    (backend / "pyproject.toml").unlink()
    write(backend, {"Pipfile": "[packages]\ndjango = '*'\n"})
    assert "(backend/Pipfile), and pip needs" in pya("init", tmp_path / "site", code=2).stderr
