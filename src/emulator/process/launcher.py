"""Starts a command as the host would: at the account's own paths, with its own environment, under a terminal.

Called as `python -I -S launcher.py SPEC COMMAND ARGUMENT…`, where SPEC is JSON: `root` (the real directory that stands
for `/`), `user`, `private` (whether to make `/home/<user>`, `/var/www` and `/var/log` out of it), `terminal` (whether
standard input is a terminal to take), `folder` (where the command starts).

The private view is a user and mount namespace: nothing of it is seen by other processes, nothing is written to the real
`/home` or `/var`, and no privilege is needed where the system allows such namespaces. Exit status 97 says it does not.
"""

import ctypes
import ctypes.util
import json
import os
import sys

NO_NAMESPACE = 97
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, SIGKILL = 1, 9

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind, flags):
    arguments = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    check(libc.mount(*arguments, flags, None), f"mounting {target}")


def enter_namespace():
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(CLONE_NEWUSER | CLONE_NEWNS), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def mirror(folder):
    """Replaces `folder` by a writable one in memory with the same entries, so that mount points can be made in it."""
    # A descriptor still leads to what the new folder covers; a second path to it could lie below `folder` itself.
    covered = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    mount("tmpfs", folder, "tmpfs", 0)
    with os.scandir(covered) as entries:
        for entry in entries:
            source, target = f"/proc/self/fd/{covered}/{entry.name}", os.path.join(folder, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.name, dir_fd=covered), target)
            elif entry.is_dir():
                os.mkdir(target)
                mount(source, target, None, MS_BIND | MS_REC)
            elif entry.is_file():
                open(target, "x").close()
                mount(source, target, None, MS_BIND)
    os.close(covered)


def show_account(root, user):
    enter_namespace()
    for path in (f"/home/{user}", "/var/www", "/var/log"):
        if not os.path.isdir(path):
            mirror(os.path.dirname(path))
            os.mkdir(path)
        mount(root + path, path, None, MS_BIND | MS_REC)


def take_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def main():
    spec, command = json.loads(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        # Nothing outlives the emulator, even if it is killed.
        libc.prctl(PR_SET_PDEATHSIG, SIGKILL)
    # A session of its own, by which all that it starts is known in the end.
    os.setsid()
    if spec["terminal"]:
        take_terminal()
    if spec["private"]:
        try:
            show_account(spec["root"], spec["user"])
        except (OSError, AttributeError) as error:
            print(f"cannot create a private view of the account: {error}", file=sys.stderr)
            sys.exit(NO_NAMESPACE)
    os.chdir(spec["folder"])
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


main()
