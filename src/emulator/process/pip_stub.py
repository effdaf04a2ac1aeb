"""Stands in for pip until it is first used: then the pip that this Python brings along is unpacked in its place."""

import importlib
import os


def unpack():
    import ensurepip
    import fcntl
    import glob
    import sysconfig
    import tempfile
    import zipfile

    ours = os.path.dirname(os.path.abspath(__file__))
    packages = os.path.dirname(ours)
    bundled = [os.path.join(os.path.dirname(ensurepip.__file__), "_bundled"), sysconfig.get_config_var("WHEEL_PKG_DIR")]
    wheels = [wheel for folder in bundled if folder for wheel in glob.glob(os.path.join(folder, "pip-*.whl"))]
    if not wheels:
        raise ImportError("this Python brings no pip along (module ensurepip): give the web app a virtualenv with pip")
    with open(os.path.join(packages, ".pip.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have been faster.
        if os.path.exists(os.path.join(ours, "_internal")):
            return
        with tempfile.TemporaryDirectory(dir=packages) as temporary:
            with zipfile.ZipFile(wheels[-1]) as wheel:
                wheel.extractall(temporary)
            os.rename(ours, os.path.join(temporary, "stub"))
            for name in os.listdir(temporary):
                if name != "stub":
                    os.rename(os.path.join(temporary, name), os.path.join(packages, name))


unpack()
importlib.invalidate_caches()
with open(__file__, encoding="utf-8") as source:
    exec(compile(source.read(), __file__, "exec"))
