"""Disks for the tests of the runner: file systems in memory that only the process sees which mounts them."""

import ctypes
import os
from pathlib import Path

import pytest
from runner_steps import in_child

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REMOUNT, MS_REC, MS_PRIVATE = 0x20, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def mount(path: Path, options: str, flags: int = 0) -> None:
    path.mkdir(parents=True, exist_ok=True)
    checked(libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", flags, options.encode()))


def remount(path: Path, options: str) -> None:
    mount(path, options, MS_REMOUNT)


def enter_namespace() -> None:
    """From here on this process, which must have one thread, may mount, and nobody else sees it."""
    user, group = os.getuid(), os.getgid()
    checked(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS))
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(text)
    checked(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))


def may_mount() -> bool:
    def act():
        try:
            enter_namespace()
        except OSError:
            os._exit(2)

    return in_child(act) == 0


with_disks = pytest.mark.skipif(not may_mount(), reason="this system allows no private mounts")


def alone(act) -> None:
    """Runs a test where it may mount; its traceback is in what it printed."""

    def inside():
        enter_namespace()
        act()

    assert in_child(inside) == 0
