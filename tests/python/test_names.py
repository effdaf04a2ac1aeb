"""Names of every kind and contents of every size: written, listed, read back equal, deleted, through both classes."""

import os

import pytest
from conftest import project_folder

NAMES = [
    "a#b.txt", "a?b.txt", "100%.txt", "a%2Fb.txt", "%2e%2e", "a+b.txt", "a b.txt", " lead and trail ", "a;b=c&d.txt",
    "\u00fcber.txt", "u\u0308ber.txt", "\U0001f600.txt", ".hidden", "..two", "...", "back\\slash", "quote\"'`.txt",
    "new\nline", "tab\t", "[x]{y}*.txt", "~tilde", "$dollar", ":colon", "x" * 255, "\u00fc" * 127,
]  # fmt: skip


def test_every_name_is_sent_as_it_is(caller, host, api):
    for number, name in enumerate(NAMES):
        assert caller.run(api.deploy_file(f"names/{name}", str(number).encode())) == "", name
    assert sorted(os.listdir(project_folder(host) / "names")) == sorted(NAMES)
    assert caller.run(api.find_project_files("**")) == {f"names/{name}" for name in NAMES}
    listed = caller.run(api._folder_items("names"))
    assert sorted(item["file_path"] for item in listed) == sorted(f"names/{name}" for name in NAMES)
    for number, name in enumerate(NAMES):
        assert caller.run(api.deployed_file_content(f"names/{name}")) == str(number).encode(), name
        assert caller.run(api.delete_file_or_folder(f"names/{name}")) == "", name
        assert not (project_folder(host) / "names" / name).exists(), name
    assert caller.run(api.find_project_files("**")) == set()


def test_folders_have_such_names_too(caller, host, api):
    for name in NAMES:
        assert caller.run(api.deploy_file(f"{name}/{name}/x", b"1")) == "", name
    assert caller.run(api.find_project_files("**/x")) == {f"{name}/{name}/x" for name in NAMES}
    for name in NAMES:
        assert caller.run(api.delete_file_or_folder(name)) == "", name
    assert caller.run(api._folder_items("")) == []


@pytest.mark.parametrize("size", [0, 1, 65_536, 60 * 1024 * 1024], ids=["empty", "one", "64K", "60M"])
def test_contents_come_back_equal(caller, host, api, size):
    content = os.urandom(min(size, 1024 * 1024)) * max(1, size // (1024 * 1024))
    assert len(content) == size
    assert caller.run(api.deploy_file("big.bin", content)) == ""
    assert (project_folder(host) / "big.bin").read_bytes() == content
    assert caller.run(api.deployed_file_content("big.bin")) == content


@pytest.mark.parametrize("content", [b"\r\n--boundary\r\n", bytes(range(256)), b'{"a": {"type": "file"}}', b"\xff\xfe"])
def test_no_content_is_taken_for_something_else(caller, api, content):
    for name in ("x.bin", "x.json", "x.py"):
        assert caller.run(api.deploy_file(name, content)) == ""
        assert caller.run(api.deployed_file_content(name)) == content
