"""The runner on a disk that is really full: a small one in memory, in a namespace of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]

PROGRAM = """
import subprocess, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
home = Path({home!r})
home.mkdir()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(home)], check=True)
from test_runner import Host, load, tree
old = {{"a.bin": b"a" * (1 << 20), "b.txt": b"old"}}
new = {{"a.bin": b"A" * (1 << 20), "b.txt": b"new", "c.bin": b"c" * (2 << 20)}}
host = Host(home / "me", old, new if {when!r} != "manifest" else {{"b.txt": b"new"}})
runner = load()
if {when!r} == "manifest":
    host.plan["manifest"]["files"] = {{f"{{number:0200}}": {{}} for number in range(20_000)}}
if {when!r} == "unpacking":
    runner.check_space = lambda folder, size: Path(folder).mkdir(parents=True, exist_ok=True)
host.upload()
receipt = host.run(module=runner)
assert (receipt["state"], receipt["error"]["kind"]) == ("failed", "space"), receipt
assert host.tree() == old
assert host.leftovers() == set(), host.leftovers()
assert not (host.state / "manifest-5.json").exists()
# With room made, the next deploy goes through.
(host.root / "a.bin").unlink()
print("ok")
"""


@pytest.mark.parametrize("when", ["before", "unpacking", "manifest"])
def test_a_disk_that_is_full_half_way_leaves_the_old_tree(tmp_path, when):
    if shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"], capture_output=True).returncode != 0:
        pytest.skip("this system allows no private mounts")
    program = PROGRAM.format(tests=str(Path(__file__).parent), home=str(tmp_path / "disk"), when=when)
    done = subprocess.run([*UNSHARE, sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ok\n", done.stdout + done.stderr
