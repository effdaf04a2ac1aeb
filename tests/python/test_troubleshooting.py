"""The page that says what to do about each message quotes all that there are, and none that there are no more."""

import re
from functools import cache

import pytest
from command import Pya, environment_of
from messages import ROOT, Message, messages, python_texts, rust_texts
from pages import DOCS, Page

from pythonanywhere_api.testing import Emulator

# It reads sources, which are the same for all versions: those that have this are enough.
tomllib = pytest.importorskip("tomllib")

PAGE = Page(DOCS / "howto" / "troubleshooting.md")
UNQUOTED = ROOT / "tests" / "data" / "unquoted_texts.toml"


def quotes():
    """The heading of each quoted message, by its text."""
    found, heading = {}, ""
    for line in PAGE.text.splitlines():
        heading = line.removeprefix("### ") if line.startswith("### ") else heading
        if quote := re.fullmatch(r"- (`+) ?(.+?) ?\1", line):
            assert quote[2] not in found, f"quoted twice: {quote[2]}"
            found[quote[2]] = heading
    return found


def unquoted():
    """The texts that need no quote."""
    return [text for group in tomllib.loads(UNQUOTED.read_text(encoding="utf-8"))["texts"] for text in group["are"]]


@cache
def all_messages():
    return messages()


def test_every_message_is_quoted():
    known, none = list(quotes()), set(unquoted())
    missing = [each for each in all_messages() if each.text not in none and not any(map(each.is_quoted_by, known))]
    assert not missing, (
        f"{PAGE} says nothing of these: quote each below its symptom, or, if nobody would look it up, "
        f"list it in {UNQUOTED.relative_to(ROOT)}\n" + "\n".join(f"- `{each.text}`  ({each.place})" for each in missing)
    )


def test_every_quote_is_a_message():
    assert [quote for quote in quotes() if not any(each.is_quoted_by(quote) for each in all_messages())] == []


def test_every_text_without_a_quote_is_there():
    texts = {each.text for each in all_messages()}
    assert [text for text in unquoted() if text not in texts] == []
    assert len(unquoted()) == len(set(unquoted()))


def test_every_symptom_says_what_to_do_and_quotes_a_message_or_lists_statuses():
    sections = re.split(r"^### (.+)\n", PAGE.text, flags=re.MULTILINE)[1:]
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        advice, _, quoted = text.partition("\n- `")
        assert advice.strip(), heading
        assert quoted or "| status |" in advice, heading


def test_texts_are_found_by_the_syntax_of_their_language():
    rust = r"""
    // "a comment is none"
    /// "nor is documentation"
    #[allow(dead_code, reason = "nor is an attribute")]
    #[error("{path} is {found}, not {expected}")]
    fn f<'a>(x: &'a str) -> char { log::debug!("nor is this"); x.expect("nor this"); '"' }
    fn g() { config(format!("no \"{}\" in {name:?}: \
        see {{it}}")); r#"a "raw" one"# }
    #[cfg(test)]
    mod tests { fn h() { "nor in tests" } }
    """
    assert [text for _, text in rust_texts(rust.replace("\n    ", "\n"))] == [
        "… is …, not …",
        'no "…" in …: see {it}',
        'a "raw" one',
    ]
    python = '"""Documentation is none."""\nraise Refused("%s is no %r" % (a, b), f"{a} is {b!r}")\n'
    assert sorted(text for _, text in python_texts(python)) == ["… is no …", "… is …"]


def test_a_quote_may_fill_gaps_or_be_a_part():
    message = Message("allow more (…), or pull fewer files of …", "src/x.rs:1")
    assert message.is_quoted_by("allow more (--max-size), or pull fewer files of …")
    assert message.is_quoted_by("or pull fewer files of …")
    assert not message.is_quoted_by("allow more")
    assert not message.is_quoted_by("or pull fewer files from …")


@pytest.fixture(scope="module")
def host():
    with Emulator(rate_limit=None, user="me", private_paths=False) as host:
        yield host


@pytest.mark.parametrize(
    ("heading", "arguments", "code", "variables"),
    [
        ("The token is missing", ["ls"], 2, {"API_TOKEN": ""}),
        ("The token is not accepted", ["ls"], 4, {"API_TOKEN": "0" * 40}),
        ("No answer", ["ls"], 3, {"PYTHONANYWHERE_SITE": "http://127.0.0.1:9"}),
        ("No such environment", ["ls", "--env", "staging"], 2, {}),
        ("No file is left to deploy", ["deploy", "--project", "x", "--mask", "no/such"], 2, {}),
        ("The web app is missing, disabled or expired", ["deploy", "--project", "x", "--reload", "x.org"], 2, {}),
        ("Nothing can run commands there", ["manage", "--project", "x", "--domain", "x.org", "check"], 2, {}),
        ("The command never ends, or asks something", ["manage", "--project", "x", "runserver"], 2, {}),
        ("Project, web app or folder are not known", ["diff"], 2, {}),
        ("The path is not one of the host", ["ls", "a/../b"], 2, {}),
        ("Files and folders by hand", ["rm", "/home/me"], 2, {}),
        ("Environment variables", ["env", "set", "NAME=VALUE", "--domain", "x.org"], 2, {}),
        ("There is nothing to roll back", ["rollback", "--project", "x"], 1, {}),
        ("Waiting for the rate limit", ["ls", "--rate-limit", "many"], 2, {}),
    ],
)
def test_what_a_command_prints_leads_to_its_symptom(host, tmp_path, heading, arguments, code, variables):
    """Somebody who searches the page for what was printed comes to the right place."""
    (tmp_path / "manage.py").write_text("")
    printed = Pya(tmp_path, environment_of(host))(*arguments, code=code, **variables).stderr
    shown = " ".join(printed.split())
    found = {symptom for quote, symptom in quotes().items() if Message(quote, "").pattern.search(shown)}
    assert heading in found, printed
