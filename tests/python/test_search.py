"""Searching: skipping, failures, laziness, collectors."""

import pytest
from conftest import listed_folders, write_tree

from pythonanywhere_api import PythonanywhereApi

TREE = dict.fromkeys(["top.py", "a/one.py", "a/deep/two.py", "b/three.py", "b/deep/four.py", "c/x.txt"], b"")


def test_a_project_that_is_not_there_is_empty(caller, host):
    api = caller.api()
    assert caller.run(api.find_project_files("**")) == set()
    assert caller.list(api.files_iterator("**")) == []
    assert api.error_message == ""


def test_the_skipper_is_asked_once_for_each_file_and_folder(caller, host):
    write_tree(host, TREE)
    asked = []
    assert caller.run(caller.api().find_project_files("**/*.py", asked.append)) == {
        name for name in TREE if name.endswith(".py")
    }
    assert sorted(asked) == sorted(
        [
            "top.py",
            "a/.",
            "b/.",
            "c/.",
            "a/one.py",
            "a/deep/.",
            "a/deep/two.py",
            "b/three.py",
            "b/deep/.",
            "b/deep/four.py",
        ]
    )


def test_what_the_skipper_refuses_is_left_out_and_not_listed(caller, host):
    write_tree(host, TREE)
    refused = {"a/.", "b/three.py", "top.py"}
    assert caller.run(caller.api().find_project_files("**/*.py", lambda path: path in refused)) == {"b/deep/four.py"}
    assert sorted(listed_folders(host)) == ["", "b", "b/deep", "c"]


def test_an_exception_of_the_skipper_reaches_the_caller_unchanged(caller, host):
    write_tree(host, TREE)
    raised = KeyError("mine")

    def fail(path):
        raise raised

    with pytest.raises(KeyError) as caught:
        caller.run(caller.api().find_project_files("**", fail))
    assert caught.value is raised


def test_stop_iteration_of_the_skipper_does_not_hang(caller, host):
    write_tree(host, TREE)

    def fail(path):
        raise StopIteration

    with pytest.raises((RuntimeError, StopIteration)):
        caller.run(caller.api().find_project_files("**", fail))


def test_the_skipper_may_call_the_api_again(host):
    write_tree(host, TREE)
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
    seen = []

    def skip(path):
        if not path.endswith("/."):
            seen.append(api.deployed_file_content(path))
        return False

    assert api.find_project_files("**", skip) == set(TREE)
    assert seen == [b""] * len(TREE)


def test_one_failed_folder_makes_the_set_none_and_the_first_error_is_kept(caller, host):
    write_tree(host, TREE)
    host.faults.add("status", path="*/b/", code=500)
    api = caller.api()
    api.error_message = "before"
    assert caller.run(api.find_project_files("**")) is None
    assert api.error_message.startswith("before\n\n")
    assert "500" in api.error_message
    assert '"b"' in api.error_message


def test_the_iterator_goes_on_after_a_failed_folder_and_says_so_at_the_end(caller, host):
    write_tree(host, TREE)
    host.faults.add("status", path="*/b/", code=500)
    api = caller.api()
    assert sorted(caller.list(api.files_iterator("**"))) == ["a/deep/two.py", "a/one.py", "c/x.txt", "top.py"]
    assert "500" in api.error_message
    host.faults.clear()
    assert sorted(caller.list(api.files_iterator("**"))) == sorted(TREE)
    assert api.error_message == ""


def test_items_are_paths_that_answer_like_dicts(caller, host):
    write_tree(host, {"a/one.py": b""})
    [item] = caller.list(caller.api().files_iterator("**"))
    assert item == "a/one.py"
    assert isinstance(item, str)
    assert (item["file_path"], item["type"]) == ("a/one.py", "file")
    assert (item[0], item[2:]) == ("a", "one.py")


def test_skip_enter_folder_is_asked_for_folders_by_the_iterator(caller, host):
    write_tree(host, TREE)
    asked = []
    api = caller.api()

    def skip(path):
        asked.append(path)
        return path == "b/."

    api.skip_enter_folder = skip
    assert sorted(caller.list(api.files_iterator("**/*.py"))) == ["a/deep/two.py", "a/one.py", "top.py"]
    assert sorted(asked) == ["a/.", "a/deep/.", "b/.", "c/."]


def test_the_first_levels_of_a_mask_may_be_names(caller, host):
    write_tree(host, {"w[1]/x.py": b"", "w1/y.py": b""})
    api = caller.api()
    assert caller.list(api.files_iterator("w[1]/*")) == ["w1/y.py"]
    assert caller.list(api.files_iterator("w[1]/*", 1)) == ["w[1]/x.py"]


def test_an_iterator_lists_no_more_than_it_is_asked_for(host):
    write_tree(host, TREE)
    files = PythonanywhereApi(host.url, host.user, host.token, "mysite").files_iterator("**")
    assert host.requests == []
    assert next(files) == "top.py"
    assert listed_folders(host) == [""]
    files.close()
    assert list(files) == []
    assert listed_folders(host) == [""]


def test_an_iterator_that_is_closed_during_a_step_is_closed_after_it(host):
    write_tree(host, TREE)
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")

    def skip(path):
        files.close()
        return False

    api.skip_enter_folder = skip
    files = api.files_iterator("*/*.py")
    assert next(files) in {"a/one.py", "b/three.py"}
    assert list(files) == []


@pytest.mark.parametrize("bad", ["*.py", b"*.py", 5, [5]])
def test_masks_must_be_a_sequence_of_texts(caller, bad):
    with pytest.raises(TypeError, match="path_masks"):
        caller.run(caller.api().deployed_code_files(bad))


@pytest.mark.parametrize("arguments", [(5,), ("*", 5), (None,)])
def test_wrong_argument_types_raise(caller, arguments):
    with pytest.raises(TypeError):
        caller.run(caller.api().find_project_files(*arguments))


class Collector:
    """Collects what an item collector gives, by mask."""

    def __init__(self, item_collector):
        self.item_collector = item_collector
        self.files = []
        self.types = set()

    def collect(self, *masks):
        for mask in masks:
            for kind, path in self.item_collector(mask):
                self.types.add(kind)
                self.files.append(path)


def test_a_collector_over_an_iterator_that_fails_gives_no_partial_set(host):
    class Failing(PythonanywhereApi):
        def files_iterator(self, path_mask, level_index=0):
            self.error_message = "folder b failed"
            yield "a/x.py"

    api = Failing(host.url, host.user, host.token, "mysite")
    collector = Collector(api._prepare_collector(lambda path: False))
    assert api.find_project_files("**", collector=collector) is None
    assert api.error_message == "folder b failed"


class Asking(PythonanywhereApi):
    """Leaves what the service says in `error_message`, as a subclass does that calls what it replaces."""

    def _request(self, url_path, task, **kwargs):
        return super()._request(url_path, task, **kwargs)


def test_a_folder_that_is_not_there_fails_no_collection(host):
    write_tree(host, TREE)
    api = Asking(host.url, host.user, host.token, "mysite")

    class Twice(Collector):
        def collect(self, *masks):
            super().collect("gone/*", "a/*")

    assert api.find_project_files("", collector=Twice(api._prepare_collector(lambda path: False))) == {"a/one.py"}
    assert api.error_message == ""


def test_an_old_error_that_is_put_back_fails_no_collection(host):
    write_tree(host, TREE)

    class Listing(PythonanywhereApi):
        def _folder_items(self, path):
            return super()._folder_items(path)

    api = Listing(host.url, host.user, host.token, "mysite")
    api.error_message = "failed before"
    collector = Collector(api._prepare_collector(lambda path: False))
    assert api.find_project_files("a/*", collector=collector) == {"a/one.py"}
    assert api.error_message == ""


@pytest.mark.parametrize("cleared", [False, True])
def test_a_failure_counts_whatever_is_not_there_afterwards(host, cleared):
    write_tree(host, TREE)
    host.faults.add("status", path="*/b/", code=500)
    api = Asking(host.url, host.user, host.token, "mysite")

    class Thrice(Collector):
        def collect(self, *masks):
            for mask in ("b/*", "gone/*", "a/*"):
                super().collect(mask)
                if cleared:
                    api.error_message = ""

    assert api.find_project_files("", collector=Thrice(api._prepare_collector(lambda path: False))) is None


def test_a_collector_is_used_as_given(host):
    write_tree(host, TREE | {".env": b"", "Makefile": b""})
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")
    collector = Collector(api._prepare_collector(lambda path: path in ("b/.", "top.py")))
    assert api.find_project_files("**", collector=collector) == {
        "a/one.py", "a/deep/two.py", "c/x.txt", ".env", "Makefile"
    }  # fmt: skip
    assert collector.types == {".py", ".txt", ""}
    assert "b" not in listed_folders(host)


def test_a_failure_in_any_part_of_a_collection_makes_it_none(host):
    write_tree(host, TREE)
    host.faults.add("status", path="*/b/", code=500)
    api = PythonanywhereApi(host.url, host.user, host.token, "mysite")

    class Twice(Collector):
        def collect(self, *masks):
            super().collect("b/*", "a/*")

    assert api.find_project_files("", collector=Twice(api._prepare_collector(lambda path: False))) is None
    assert "500" in api.error_message


async def test_the_async_class_refuses_collectors(host):
    from pythonanywhere_api import AsyncPythonanywhereApi

    api = AsyncPythonanywhereApi(host.url, host.user, host.token, "mysite")
    with pytest.raises(TypeError, match="collector"):
        await api.find_project_files("", collector=object())


# ---- where the documented class leaves it open, or ours differs from it


@pytest.mark.parametrize("path", ["a", "/a", "a/", "/a/"])
def test_items_are_named_relative_to_the_project_however_the_folder_is_written(caller, host, api, path):
    write_tree(host, {"a/x.py": b"1"})
    assert caller.run(api._folder_items(path)) == [{"file_path": "a/x.py", "type": "file"}]


@pytest.mark.parametrize("mask", ["./a/*", "a/./*", "../*", "a/../*", "a\0"])
def test_masks_with_dots_or_a_nul_are_refused_before_any_request(caller, host, api, mask):
    assert caller.run(api.find_project_files(mask)) is None
    assert api.error_message.startswith("searching files: ")
    assert host.requests == []


def test_several_masks_are_one_search(caller, host, api):
    write_tree(host, {"a/x.py": b"1", "a/y.txt": b"1", "b/z.py": b"1"})
    asked = []

    def skip(path):
        asked.append(path)
        return False

    assert caller.run(api.deployed_code_files(["**/*.py", "a/*", "a/x.*"], skip)) == {"a/x.py", "a/y.txt", "b/z.py"}
    assert sorted(asked) == ["a/.", "a/x.py", "a/y.txt", "b/.", "b/z.py"]
    assert sorted(listed_folders(host)) == ["", "a", "b"]


def test_a_search_leaves_the_skipper_of_the_instance_as_it_was(caller, host, api):
    write_tree(host, {"a/x.py": b"1"})
    before = api.skip_enter_folder
    assert caller.run(api.find_project_files("**", lambda path: path == "a/.")) == set()
    assert api.skip_enter_folder is before
    assert caller.run(api.find_project_files("**")) == {"a/x.py"}
    assert caller.list(api.files_iterator("**")) == ["a/x.py"]


def test_nothing_is_printed(caller, host, api, capfd):
    caller.run(api.deployed_file_content("nope"))
    caller.run(api._request("nope/", "task"))
    assert api.error_message
    assert capfd.readouterr() == ("", "")
