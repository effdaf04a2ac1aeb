"""Which job the runner does: the current deploy's, once, in time, and alone."""

import fcntl
import json
import os
import time

import pytest
from runner_host import ID, load, ready, simple, small, tree

HALF_AN_HOUR = 30 * 60


@pytest.fixture
def host(tmp_path):
    return ready(tmp_path)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda host: host.job.update(created=int(time.time()) - 1900), "stale"),
        (lambda host: (host.state / f"intent-{ID}.json").unlink(), "not_current"),
        (lambda host: host.note(f"intent-{ID}.json", host.intent(ended=True)), "not_current"),
        (lambda host: host.note(f"intent-{ID}.json", host.intent(expires=1)), "not_current"),
        (lambda host: host.note(f"intent-{ID}.json", host.intent(since=1, expires=None)), "not_current"),
        (lambda host: host.note("intent-b.json", host.intent(id="b", takes_over=[ID])), "not_current"),
        (lambda host: host.note("manifest-5.json", {"deploy": "somebody"}), "not_current"),
        (lambda host: host.note("manifest-6.json", {"deploy": "somebody"}), "not_current"),
        (lambda host: (host.state / "manifest-4.json").unlink(), "not_current"),
    ],
)
def test_only_the_current_deploy_is_begun_and_else_nothing_is_written(host, change, kind):
    change(host)
    before = tree(host.home)
    receipt = host.run()
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", kind)
    assert tree(host.home) == before


@pytest.mark.parametrize(
    ("age", "is_begun"),
    [(0, True), (HALF_AN_HOUR - 1, True), (HALF_AN_HOUR, False), (1 - HALF_AN_HOUR, True), (-HALF_AN_HOUR, False)],
)
def test_a_job_is_begun_for_half_an_hour(host, monkeypatch, age, is_begun):
    now = 2_000_000_000
    host.job["created"] = now
    host.note(f"intent-{ID}.json", host.intent(since=now + age, expires=now + age + 60))
    before = tree(host.home)
    monkeypatch.setattr(time, "time", lambda: now + age)
    receipt = host.run()
    assert receipt["state"] == ("done" if is_begun else "refused")
    assert is_begun or receipt["error"]["kind"] == "stale"
    assert is_begun or tree(host.home) == before


@pytest.mark.parametrize(
    ("age", "expires", "is_begun"),
    [(HALF_AN_HOUR - 1, None, True), (HALF_AN_HOUR, None, False), (HALF_AN_HOUR, 60, True), (HALF_AN_HOUR, -1, False)],
)
def test_a_deploy_that_nobody_keeps_fresh_is_worked_at_for_half_an_hour(host, monkeypatch, age, expires, is_begun):
    """However new the job: its deploy may be old, and what it planned too. A large bundle is long under way."""
    now = 2_000_000_000
    host.job["created"] = now
    host.note(f"intent-{ID}.json", host.intent(since=now - age, expires=expires and now + expires))
    before = tree(host.home)
    monkeypatch.setattr(time, "time", lambda: now)
    receipt = host.run()
    assert receipt["state"] == ("done" if is_begun else "refused")
    assert is_begun or receipt["error"]["kind"] == "not_current"
    assert is_begun or tree(host.home) == before


@pytest.mark.parametrize("moves", range(1, 6))
def test_a_deploy_that_is_taken_over_in_the_middle_stops_and_does_not_say_that_nothing_happened(
    tmp_path, monkeypatch, moves
):
    host = small(tmp_path / "home")
    real, made = os.replace, []

    def replace(source, target, **folder):
        real(source, target, **folder)
        # Moves into the project are relative to an open folder, and no others are.
        if folder:
            made.append(target)
            if len(made) == moves:
                host.note("intent-b.json", host.intent(id="b", takes_over=[ID]))

    monkeypatch.setattr(os, "replace", replace)
    receipt = host.run()
    assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "not_current")
    assert not receipt["result"]["undone"]
    assert len(made) == moves
    assert not (host.state / "manifest-5.json").exists()
    # And so it stays.
    after = host.tree()
    assert host.run() == receipt
    assert host.tree() == after


def test_the_second_of_two_leaves(host):
    with (host.work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The first look of a runner closes its own folder to others, whoever made what is in it.
        host.run()
        before = tree(host.home)
        receipt = host.run()
        assert (receipt["state"], receipt["error"]["kind"]) == ("running", "busy")
        assert tree(host.home) == before
    # Another machine's sign of life counts where locks do not reach.
    (host.work / "heartbeat").write_text(f"elsewhere {int(time.time())}")
    assert host.run()["error"]["kind"] == "busy"
    (host.work / "heartbeat").write_text(f"elsewhere {int(time.time()) - 60}")
    assert host.run()["state"] == "done"


def test_who_comes_late_finds_it_done(host):
    """Between the look for a receipt and the lock, another one did it all."""
    module = load()
    real = module.job.Job.exclusively

    def exclusively(self):
        if not (host.state / f"receipt-{ID}.json").exists():
            assert host.run()["state"] == "done"
        return real(self)

    module.job.Job.exclusively = exclusively
    assert host.run(module=module)["state"] == "done"
    assert host.receipt()["state"] == "done"
    assert host.tree() == host.expected()


def test_a_note_that_is_being_written_is_waited_for(host):
    own = host.state / f"intent-{ID}.json"
    text = own.read_text()
    own.write_text(text[:20])
    child = os.fork()
    if child == 0:
        time.sleep(0.3)
        own.write_text(text)
        os._exit(0)
    assert host.run()["state"] == "done"
    os.waitpid(child, 0)


def test_a_note_that_stays_half_written_lets_nothing_begin(host):
    (host.state / "intent-b.json").write_text('{"id": "b", "takes')
    module = load()
    module.limits.READ_RETRY_SECONDS = 0
    receipt = host.run(module=module)
    assert (receipt["state"], receipt["error"]["kind"]) == ("refused", "not_current")
    assert host.tree() == host.before


@pytest.mark.parametrize("change", [{"id": "../../x"}, {"id": 5}, {"format": 2}, {"operation": "format"}])
def test_what_is_no_job_is_nothing_to_leave_a_receipt_for(host, change):
    before = tree(host.home)
    with pytest.raises(ValueError, match="the job"):
        host.run(job=host.job | change)
    assert tree(host.home) == before


# ---- what stays


def test_history_and_receipts_are_kept_for_a_while(host):
    for number in range(55):
        job = simple(host, "history", id=f"{number:016x}")
        receipt = host.run(job=job)
        os.utime(host.state / f"receipt-{job['id']}.json", (number, number))
    jobs = receipt["result"]["jobs"]
    assert [job["id"] for job in jobs] == [f"{number:016x}" for number in range(4, 54)]
    kept = sorted(path.name for path in host.state.glob("receipt-*"))
    assert kept == [f"receipt-{number:016x}.json" for number in range(35, 55)]


def test_what_cannot_be_tidied_away_is_no_reason_to_fail(host):
    module = load()
    module.limits.RECEIPTS_KEPT = 1
    old = host.state / "receipt-0000000000000000.json"
    old.mkdir()
    os.utime(old, (1, 1))
    assert host.run(module=module)["state"] == "done"
    assert host.receipt()["state"] == "done"


def test_what_a_killed_job_left_is_tidied_away_when_nobody_can_go_on_with_it(host):
    dead, young, current = (host.state / f"work-{letter * 16}" for letter in "cde")
    for folder in (dead, young, current):
        (folder / "staging").mkdir(parents=True)
    host.note(f"intent-{'e' * 16}.json", host.intent(id="e" * 16))
    half_removed = host.state / "gone-ffffffffffffffff"
    half_removed.mkdir()
    for folder in (dead, current):
        os.utime(folder, (time.time() - HALF_AN_HOUR - 1,) * 2)
    assert host.run()["state"] == "done"
    left = {path.name for path in host.state.iterdir() if path.is_dir()}
    assert left == {young.name, current.name, f"rollback-{ID}"}
    assert json.loads((host.state / f"intent-{'e' * 16}.json").read_text())["id"] == "e" * 16
