"""Commands that would never end on the host, or ask somebody, are refused before any request."""

import json

import pytest
from conftest import for_both_classes
from test_before_upload import project_of

from pythonanywhere_api import ConfigError

ENDLESS = [
    (["runserver"], "the web app serves the site already"),
    (["--pythonpath", "x", "runserver_plus", "8000"], "the web app serves the site already"),
    (["testserver", "data.json"], "loaddata"),
    (["shell"], 'shell -c "print'),
    (["shell_plus", "--ipython"], "shell_plus -c"),
    (["dbshell"], "SELECT 1"),
    (["createsuperuser", "--username", "me"], "DJANGO_SUPERUSER_PASSWORD"),
    (["changepassword", "me"], "set_password"),
    (["collectstatic"], "add --noinput"),
    (["qcluster"], "an always-on task"),
]


@pytest.mark.parametrize(("words", "advice"), ENDLESS, ids=[words[-1] for words, _ in ENDLESS])
@for_both_classes
def test_a_command_that_never_ends_is_refused_before_any_request(site, words, advice):
    site.host.clear_requests()
    for executor in ("auto", "always_on", "console"):
        with pytest.raises(ConfigError) as caught:
            site.run(site.api.manage(*words, executor=executor, **site.via))
        assert advice in str(caught.value)
    assert site.host.requests == []


def test_the_command_line_refuses_it_and_names_its_own_options(site):
    pya = project_of(site, domain=site.domain)
    site.host.clear_requests()
    for words, advice in ENDLESS:
        assert advice in pya("manage", "--", *words, code=2).stderr
    said = pya("manage", "createsuperuser", code=2).stderr
    assert "--set-env DJANGO_SUPERUSER_PASSWORD" in said
    assert "--noinput" in said
    refused = json.loads(pya("--json", "manage", "runserver", code=2).stdout)
    assert (refused["ok"], refused["error"]["kind"]) == (False, "Config")
    for command in ("python manage.py runserver", "python3 -u mysite/manage.py shell", "pip uninstall django"):
        said = pya("run", "--executor", "always_on", "--", *command.split(), code=2).stderr
        assert "never ends" in said or "on the host" in said
    assert site.host.requests == []


def test_so_does_a_command_for_the_shell_from_python(site):
    site.host.clear_requests()
    for command in ("cd app; python manage.py runserver 0.0.0.0:80", ["django-admin", "dbshell"]):
        with pytest.raises(ConfigError):
            site.run(site.api.run(command, executor="always_on"))
    assert site.host.requests == []


def test_a_nul_character_is_refused_before_any_request(site):
    site.host.clear_requests()
    for command in ("a\0b", ["a", "\0"]):
        with pytest.raises(ConfigError, match="NUL character"):
            site.run(site.api.run(command, executor="always_on"))
    with pytest.raises(ConfigError, match="NUL character"):
        site.run(site.api.manage("check\0", **site.via))
    assert site.host.requests == []


def test_what_ends_is_run(with_agent):
    site = with_agent
    assert site.deploy()
    for words in (
        ["runserver", "--help"],
        ["shell", "-c", "print(1)"],
        ["createsuperuser", "--noinput", "--username", "me"],
        ["dbshell", "--", "-c", "SELECT 1"],
    ):
        assert site.run(site.api.manage(*words, **site.via)).output == " ".join(["manage.py", *words]) + "\n"
