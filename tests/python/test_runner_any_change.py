"""Any change of any tree, killed or failing anywhere: the new tree or the old one, and the old one again."""

import copy
import os

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from runner_host import Host, Tree, above, anew, many_accounts, write
from runner_steps import fail_at, kill_at

pytestmark = pytest.mark.slow

NAMES = ["a", "a/b", "a/b/c", "a/d", "e", "e/f", "e/g/h", "i/j", "i/k", "l"]
FILES = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.binary(max_size=9), st.sampled_from([0o600, 0o644, 0o751]))
)
MODES = st.sampled_from([None, 0o640, 0o755])
STEP = st.integers(8, 90)


@pytest.fixture(scope="module")
def folder():
    with many_accounts() as folder:
        yield folder


def as_a_tree(files):
    """Without those that lie below another one: what a disk can hold."""
    return {name: facts for name, facts in files.items() if not set(above(name)) & files.keys()}


@st.composite
def changes(draw):
    """An old tree, of which some files are somebody's, and a new one, of which some files take the place of folders."""
    old, new = as_a_tree(draw(FILES)), as_a_tree(draw(FILES))
    foreign = draw(st.sets(st.sampled_from(NAMES)))
    modes = {name: draw(MODES) for name in sorted(new)}
    clear = []
    for name in sorted(new):
        in_the_way = [folder for folder in above(name) if folder in old]
        below = sorted(other for other in old if name in above(other))
        if foreign.intersection(in_the_way + below):
            # The client would have refused it.
            new.pop(name)
        elif below:
            clear.append({"path": name, "is_dir": True, "files": below})
        elif in_the_way and {"path": in_the_way[0], "is_dir": False, "files": in_the_way} not in clear:
            clear.append({"path": in_the_way[0], "is_dir": False, "files": in_the_way})
    cleared = {name for obstacle in clear for name in obstacle["files"]}
    ours = sorted(old.keys() - new.keys() - foreign - cleared)
    deletes = draw(st.lists(st.sampled_from(ours), unique=True)) if ours else []
    return old, new, modes, clear, deletes


def host_for(folder, change) -> Host:
    old, new, modes, clear, deletes = change
    contents = {name: content for name, (content, _) in new.items()}
    host = Host(folder, {name: content for name, (content, _) in old.items()}, contents, deletes)
    for name, (_, mode) in old.items():
        (host.root / name).chmod(mode)
        for above_it in above(name):
            (host.root / above_it).chmod(0o750)
    for file in host.plan["files"]:
        file["mode"] = modes[file["path"]]
    host.plan["clear"] = copy.deepcopy(clear)
    host.upload()
    return host


def files_of(found: Tree) -> Tree:
    """Without folders: they come back as they are made."""
    return {path: facts for path, facts in found.items() if facts[0] != "folder"}


@settings(max_examples=80, deadline=None)
@given(
    change=changes(),
    kills=st.lists(STEP, min_size=1),
    back=st.lists(STEP, min_size=1),
    limit=st.sampled_from([None, 1e-9]),
)
# Killed between two emptied folders.
@example(
    change=({"a": (b"", 0o600)}, {"e/g/h": (b"", 0o600)}, {"e/g/h": None}, [], []), kills=[8], back=[25], limit=None
)
def test_killed_anywhere_it_ends_as_planned_and_is_rolled_back(folder, change, kills, back, limit):
    host = host_for(anew(folder), change)
    if limit:
        host.run(limit)
    event(f"killed {sum(kill_at(host, number) for number in kills)} times")
    while (receipt := host.run(limit))["state"] == "running":
        pass
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == host.expected()
    assert host.leftovers() == set()
    job = host.rollback_job()
    event(f"rollback killed {sum(kill_at(host, number, job) for number in back)} times")
    while (receipt := host.run(limit, job=job))["state"] == "running":
        pass
    assert receipt["state"] == "done", receipt["error"]
    assert host.tree() == host.before
    assert host.leftovers() == set()


@settings(max_examples=80, deadline=None)
@given(change=changes(), number=STEP, code=st.sampled_from([5, 13, 28]))
def test_failing_anywhere_it_is_the_old_tree_or_the_new_one(folder, change, number, code):
    host = host_for(anew(folder), change)
    receipt, _ = fail_at(host, number, code)
    event(f"{'nothing' if isinstance(receipt, OSError) else receipt['state']}")
    if isinstance(receipt, OSError):
        receipt = host.run()
    if receipt["state"] == "failed":
        assert receipt["result"]["undone"]
        assert host.tree() == host.before
    else:
        left = receipt["result"]["not_deleted"]
        after = files_of(host.tree())
        assert {path: facts for path, facts in after.items() if path not in left} == files_of(host.expected())
        assert all(after[path] == host.before[path] for path in left)
    host.run()
    assert host.leftovers() == set()


@settings(max_examples=30, deadline=None)
@given(change=changes(), foreign=st.sampled_from(NAMES), data=st.data())
def test_what_came_between_the_plan_and_the_deploy_is_not_lost(folder, change, foreign, data):
    """Somebody puts a file there after the client has looked: it stays, or it is kept."""
    host = host_for(anew(folder), change)
    place = host.root / foreign / "theirs" if data.draw(st.booleans()) else host.root / foreign
    if os.path.lexists(place) or any(above_it.is_file() for above_it in place.parents):
        return
    write(place, b"somebody's")
    receipt = host.run()
    event(receipt["state"])
    assert receipt["state"] == "done" or (receipt["error"]["kind"], receipt["result"]["undone"]) == ("obstacle", True)
    kept = list((host.state / f"rollback-{host.job['id']}").glob("*"))
    is_kept = any(path.read_bytes() == b"somebody's" for path in kept)
    is_there = place.is_file() and place.read_bytes() == b"somebody's"
    assert is_there or is_kept
