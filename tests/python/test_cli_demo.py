"""`pya demo`: the whole story on a real site, and what it says where there is no Wagtail."""

import subprocess

import pytest
from command import Pya, clean_environment


@pytest.mark.slow
def test_the_demo_shows_what_it_promises(tmp_path):
    answer = Pya(tmp_path, clean_environment(PYTHONANYWHERE_RATE_LIMIT="1")).json("demo")
    assert answer["ok"] is True
    assert answer["failed"] == []
    first, second, third = answer["rounds"]
    assert first["uploaded"] >= 400
    # The state folder is looked at once a minute, and on a busy machine the demo's clock runs ahead.
    assert first["requests"] <= first["uploaded"] + 20 + first["seconds"] / 60
    assert (second["uploaded"], second["deleted"]) == (3, 1)
    assert second["requests"] < 20
    assert (third["uploaded"], third["requests"]) == (0, 2)
    assert third["requests_sending_everything"] >= 400


def test_without_wagtail_it_says_what_to_install(tmp_path):
    (tmp_path / "wagtail.py").write_text("raise ImportError('not here')\n")
    pya = Pya(tmp_path, clean_environment(PYTHONPATH=str(tmp_path)))
    assert 'pip install "pythonanywhere-api[demo]"' in pya("demo", code=2).stderr


@pytest.mark.slow
def test_an_interrupt_ends_it_and_its_processes(tmp_path):
    with Pya(tmp_path, clean_environment(TMPDIR=str(tmp_path))).start("demo") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("3."):
                break
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert list(tmp_path.iterdir()) == []
    left = subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, text=True)
    assert left.stdout == ""
