"""Bundles and plans that are not what they should be change nothing.

Each is the whole and valid bundle of a deploy but for one thing, so that nothing else can be why it is refused.
"""

import copy
import json
import tarfile

import pytest
from runner_host import Host, ready, sha256


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


def assert_nothing_changed(host: Host, receipt, kind: str, beside: tuple = ()) -> None:
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", kind), receipt["error"]
    assert receipt["result"]["undone"]
    assert host.tree() == host.before
    assert not (host.state / "manifest-5.json").exists()
    assert (host.state / "manifest-4.json").exists()
    assert host.leftovers() == set()
    # Nothing beside the project either.
    assert {path.name for path in host.home.iterdir()} == {"mysite", ".pya", *beside}
    assert {path.name for path in host.home.parent.iterdir()} == {host.home.name}


def test_the_bundle_that_the_others_differ_from_is_put_in_place(host):
    host.upload(host.members())
    assert host.run()["state"] == "done"
    assert host.tree() == host.expected()


# ---- members

NEITHER = [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
KINDS = ["link", "hard link", "device", "block device", "pipe", "folder"]


@pytest.mark.parametrize("kind", NEITHER, ids=KINDS)
def test_members_that_are_no_files_are_refused(host, kind):
    """An empty file as a link: name, size and digest are those of the plan."""
    write_new(host, "app/a.py", b"")
    members = host.members()
    members[0] = (*members[0], kind)
    host.upload(members)
    assert_nothing_changed(host, host.run(), "name")


@pytest.mark.parametrize("kind", NEITHER, ids=KINDS)
def test_one_member_more_that_is_no_file_is_refused(host, kind):
    members = host.members()
    host.upload([*members[:-1], ("files/more", b"", kind), members[-1]])
    assert_nothing_changed(host, host.run(), "name")


@pytest.mark.parametrize(
    "name",
    [
        "files/../app/a.py",
        "/etc/out",
        "../out",
        "other/app/a.py",
        "app/a.py",
        "files/app/b.py",
        "files/app/A.py",
        "files/",
    ],
)
def test_a_member_of_another_name_is_refused(host, name):
    members = host.members()
    members[0] = (name, members[0][1])
    host.upload(members)
    assert_nothing_changed(host, host.run(), "digest")


def test_a_member_of_another_content_is_refused(host):
    members = host.members()
    members[0] = (members[0][0], b"NEW A")
    assert len(members[0][1]) == len(host.new["app/a.py"])
    host.upload(members)
    assert_nothing_changed(host, host.run(), "digest")


@pytest.mark.parametrize("field", ["sha256", "size", "path"])
def test_a_plan_that_says_otherwise_of_one_file_is_refused(host, field):
    host.plan["files"][1][field] = {"sha256": sha256(b"other"), "size": 6, "path": "app/c.py"}[field]
    host.upload()
    assert_nothing_changed(host, host.run(), "digest")


@pytest.mark.parametrize("change", ["swapped", "missing", "twice", "more"])
def test_members_are_those_of_the_plan_in_its_order(host, change):
    members = host.members()
    if change == "swapped":
        members[:2] = [members[1], members[0]]
    elif change == "missing":
        del members[0]
    elif change == "twice":
        members.insert(0, members[0])
        host.job["bytes"] += len(members[0][1])
    else:
        members.insert(0, ("files/more", b""))
    host.upload(members)
    assert_nothing_changed(host, host.run(), "digest")


def test_a_file_that_is_named_twice_is_refused(host):
    """Also by the plan: which of the two should stay?"""
    host.plan["files"].insert(1, copy.deepcopy(host.plan["files"][0]))
    members = host.members()
    members.insert(1, members[0])
    host.job["bytes"] += len(members[0][1])
    host.upload([*members[:-1], ("plan.json", json.dumps(host.plan).encode())])
    assert_nothing_changed(host, host.run(), "name")


def test_more_than_was_announced_is_refused(host):
    host.job["bytes"] -= 1
    host.upload()
    assert_nothing_changed(host, host.run(), "digest")


@pytest.mark.parametrize("change", ["file after the plan", "two plans", "no plan"])
def test_the_plan_is_there_once_and_last(host, change):
    members = host.members()
    if change == "file after the plan":
        members[-2:] = [members[-1], members[-2]]
        kind = "name"
    elif change == "two plans":
        members.append(members[-1])
        kind = "name"
    else:
        del members[-1]
        kind = "digest"
    host.upload(members)
    assert_nothing_changed(host, host.run(), kind)


def write_new(host: Host, name: str, content: bytes) -> None:
    """Has the deploy bring something else, and its plan say so."""
    host.new[name] = content
    (file,) = (file for file in host.plan["files"] if file["path"] == name)
    file.update(sha256=sha256(content), size=len(content))


# ---- plans

OUTSIDE = ["../out", "/etc/out", "a/../../out", "app/../../out", "a//b", "app/./a.py", "", ".", "..", "nul\0", "app/"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_plan_cannot_put_what_is_outside(host, path):
    """Nor can the members, which are named alike."""
    host.new = {path if name == "app/a.py" else name: content for name, content in host.new.items()}
    host.plan["files"][0]["path"] = path
    members = host.members()
    if "\0" in path:
        # A header ends at it, and so the names differ.
        host.upload(members)
        assert_nothing_changed(host, host.run(), "digest")
        return
    host.upload(members)
    assert_nothing_changed(host, host.run(), "name")


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize("field", ["delete", "clear", "clear files"])
def test_a_plan_cannot_take_away_what_is_outside(host, path, field):
    (host.home / "out").write_bytes(b"outside")
    if field == "delete":
        host.plan["delete"].append(path)
    elif field == "clear":
        host.plan["clear"] = [{"path": path, "is_dir": True, "files": []}]
    else:
        host.plan["clear"] = [{"path": "gone", "is_dir": True, "files": ["gone/x.py", path]}]
    host.upload()
    assert_nothing_changed(host, host.run(), "name", beside=("out",))
    assert (host.home / "out").read_bytes() == b"outside"


@pytest.mark.parametrize(
    "name", ["../../x.json", "receipt-0123456789abcdef.json", "manifest-4.json/x", "manifest-x.json"]
)
def test_a_plan_cannot_take_away_what_is_no_note_of_a_deploy(host, name):
    host.plan["remove"].append(name)
    host.upload()
    assert_nothing_changed(host, host.run(), "name")


def test_a_file_is_not_put_and_deleted(host):
    host.plan["delete"].append("app/b.py")
    host.upload()
    assert_nothing_changed(host, host.run(), "name")


def test_a_file_is_not_put_below_another_one(host):
    for name in ("both", "both/below"):
        host.new[name] = b"n"
        host.plan["files"].append({"path": name, "sha256": sha256(b"n"), "size": 1, "mode": None})
    host.job["bytes"] += 2
    host.upload()
    assert_nothing_changed(host, host.run(), "local")


@pytest.mark.parametrize("name", ["files", "delete", "clear", "manifest", "remove"])
def test_a_plan_that_lacks_something_is_refused(host, name):
    members = host.members()
    plan = json.loads(members[-1][1])
    del plan[name]
    host.upload([*members[:-1], ("plan.json", json.dumps(plan).encode())])
    assert_nothing_changed(host, host.run(), "digest")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "5", "null", "\xff", "{}", "[" * 100_000],
    ids=["empty", "cut", "list", "number", "null", "no UTF-8", "nothing in it", "deep"],
)
def test_what_is_no_plan_is_refused(host, text):
    host.upload([*host.members()[:-1], ("plan.json", text.encode("latin-1"))])
    assert_nothing_changed(host, host.run(), "digest")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("files", 5),
        ("files", ["app/a.py"]),
        ("delete", 5),
        ("clear", [5]),
        ("clear", [{}]),
        ("remove", [None]),
        ("delete", [5]),
    ],
)
def test_a_plan_of_other_types_changes_nothing(host, field, value):
    host.plan[field] = value
    host.upload()
    receipt = host.run()
    assert receipt["error"]["kind"] in ("internal", "name")
    assert_nothing_changed(host, receipt, receipt["error"]["kind"])


def test_a_mode_of_another_type_changes_nothing(host):
    host.plan["files"][-1]["mode"] = "rwx"
    host.upload()
    assert_nothing_changed(host, host.run(), "internal")


# ---- damage


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing", "longer", "of another time"])
def test_a_part_that_is_not_what_was_uploaded_is_refused(host, damage):
    (part,) = host.job["parts"]
    path = host.work / part["name"]
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "of another time":
        # The header of a gzip member has room for one; it unpacks to the same.
        path.write_bytes(content[:4] + b"time" + content[8:])
    elif damage == "longer":
        # One more end of an archive is no damage that unpacking would notice.
        path.write_bytes(content + content[-50:])
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "truncated" else content[:-20] + b"x" * 20)
    assert_nothing_changed(host, host.run(), "missing" if damage == "missing" else "digest")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "no gzip"])
def test_damage_that_the_digests_of_the_parts_fit_is_refused(host, damage):
    """Whoever can write the bundle can write the job."""
    (part,) = host.job["parts"]
    content = (host.work / part["name"]).read_bytes()
    middle = len(content) // 2
    content = {
        "truncated": content[:middle],
        "flipped": content[:middle]
        + bytes(byte ^ 255 for byte in content[middle : middle + 9])
        + content[middle + 9 :],
        "empty": b"",
        "no gzip": b"no gzip" * 100,
    }[damage]
    (host.work / part["name"]).write_bytes(content)
    host.job["parts"] = [{"name": part["name"], "size": len(content), "sha256": sha256(content)}]
    assert_nothing_changed(host, host.run(), "digest")


@pytest.mark.parametrize("name", ["../bundle", "/etc/passwd", ".", "", "a/b", "bundle\n"])
def test_a_part_lies_in_the_work_folder(host, name):
    host.job["parts"][0]["name"] = name
    assert_nothing_changed(host, host.run(), "name")


def test_parts_that_changed_between_two_steps_are_no_way_in(host):
    """What was unpacked in the step before counts as it was then; the plan must still fit it."""
    host.upload(cut=400)
    assert host.run(limit=1e-9)["state"] == "running"
    members = host.members()
    members[0] = (members[0][0], b"other")
    parts = host.job["parts"]
    host.upload(members, cut=400)
    assert [part["name"] for part in host.job["parts"]] == [part["name"] for part in parts]
    receipt = host.run()
    assert receipt["state"] == "done"
    assert host.tree() == host.expected()
