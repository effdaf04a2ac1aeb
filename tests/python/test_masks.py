"""Masks: the recorded cases through both search methods, and our matcher against Python's own."""

import fnmatch

import pytest
from conftest import listed_folders, mask_vectors, write_tree
from hypothesis import given, settings
from hypothesis import strategies as st

from pythonanywhere_api import PythonanywhereApi

VECTORS = mask_vectors()


def naive_match(mask: str, path: str) -> bool:
    """What a mask means, by Python's fnmatch and recursion."""
    mask = mask.lstrip("/") or "."
    if mask == ".":
        mask = "*"
    if mask.endswith("/."):
        mask = mask[:-1] + "*"

    def match(patterns: list[str], names: list[str]) -> bool:
        if not patterns or not names:
            return False
        if patterns[0] == "**":
            return len(patterns) == 1 or match(patterns[1:], names) or match(patterns, names[1:])
        if not fnmatch.fnmatchcase(names[0], patterns[0]):
            return False
        return len(patterns) == len(names) == 1 or match(patterns[1:], names[1:])

    return match(mask.split("/"), path.split("/"))


def may_hold(mask: str, folder: str) -> bool:
    """Whether some path below the folder could match, by trying the mask's beginnings on the folder."""
    patterns = (mask.lstrip("/") or ".").split("/")

    def reach(patterns: list[str], names: list[str]) -> bool:
        if not patterns:
            return False
        if patterns[0] == "**":
            return not names or len(patterns) == 1 or reach(patterns[1:], names) or reach(patterns, names[1:])
        if not names:
            return True
        return len(patterns) > 1 and fnmatch.fnmatchcase(names[0], patterns[0]) and reach(patterns[1:], names[1:])

    return reach(patterns, folder.split("/") if folder else [])


def test_there_are_160_cases_that_mean_what_fnmatch_says():
    assert len(VECTORS["cases"]) == 160
    for case in VECTORS["cases"]:
        assert sorted(case["files"]) == sorted(path for path in VECTORS["tree"] if naive_match(case["mask"], path))


def test_every_case_is_found_by_both_search_methods(caller, host):
    write_tree(host, dict.fromkeys(VECTORS["tree"], b""))
    api = caller.api()
    for case in VECTORS["cases"]:
        mask = case["mask"]
        host.clear_requests()
        assert caller.run(api.find_project_files(mask)) == set(case["files"]), mask
        assert api.error_message == ""
        by_find = listed_folders(host)
        host.clear_requests()
        assert sorted(caller.list(api.files_iterator(mask))) == sorted(case["files"]), mask
        for listed in (by_find, listed_folders(host)):
            assert len(listed) == len(set(listed)), (mask, listed)
            assert all(may_hold(mask, folder) for folder in listed), (mask, listed)


@pytest.mark.parametrize(
    ("mask", "folders"),
    [
        ("*.py", [""]),
        ("blog/*", ["blog"]),
        ("blog/migrations/0001_initial.py", ["blog/migrations"]),
        ("static/**", ["static", "static/admin", "static/admin/css", "static/admin/js", "static/admin/js/vendor"]),
        ("[z-a]/*", []),
        ("nope/*", ["nope"]),
    ],
)
def test_only_folders_that_can_hold_a_match_are_listed(caller, host, mask, folders):
    write_tree(host, dict.fromkeys(VECTORS["tree"], b""))
    caller.run(caller.api().find_project_files(mask))
    assert sorted(listed_folders(host)) == folders


def test_several_masks_are_one_search(caller, host):
    write_tree(host, dict.fromkeys(VECTORS["tree"], b""))
    found = caller.run(caller.api().deployed_code_files(["blog/*.py", "**/models.py", "blog/*"]))
    assert found == {"blog/__init__.py", "blog/models.py"}
    assert len(listed_folders(host)) == len(set(listed_folders(host)))


@pytest.mark.parametrize("mask", ["..", "../x", "a/../b", "./a", "a\0b"])
def test_masks_that_leave_the_project_are_refused_before_any_request(caller, host, mask):
    api = caller.api()
    assert caller.run(api.find_project_files(mask)) is None
    assert "mask" in api.error_message
    api.error_message = ""
    assert caller.list(api.files_iterator(mask)) == []
    assert "mask" in api.error_message
    assert host.requests == []


class OneFolder(PythonanywhereApi):
    """A project whose root holds the files named in `names`; sends no request."""

    names: list[str]

    def _folder_items(self, path):
        assert path == ""
        return [{"file_path": name, "type": "file"} for name in self.names]


PATTERN_CHARACTERS = "ab*?[]!^-\\&~|{}z."


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.text(PATTERN_CHARACTERS, min_size=1, max_size=9).filter(lambda text: text not in (".", "..", "**")),
    st.lists(st.text("ab]![^-\\&~|{}z.", min_size=1, max_size=4), min_size=1, max_size=5, unique=True),
)
def test_patterns_match_as_fnmatchcase_does(pattern, names):
    api = OneFolder("http://127.0.0.1:1", "user", "token", "project")
    api.names = [name for name in names if name not in (".", "..")]
    assert api.find_project_files(pattern) == {name for name in api.names if fnmatch.fnmatchcase(name, pattern)}
