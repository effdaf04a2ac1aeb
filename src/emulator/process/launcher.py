"""Starts a command as the host would: at the account's own paths, with its own environment, under a terminal.

Called as `python -I -S launcher.py ROOT USER VIEW INPUT FOLDER PROGRAMS COMMAND ARGUMENT…`: ROOT is the real directory
that stands for `/`, VIEW is `private` to make `/home/<user>`, `/var/www` and `/var/log` out of it, INPUT is `terminal`
if standard input is one to take, FOLDER is where the command starts, PROGRAMS a folder of programs that also appear in
`/usr/local/bin` and `/usr/bin`. Every process of the account waits for this, so it imports no more than it needs.

The private view is a user and mount namespace: nothing of it is seen by other processes, nothing is written to the real
`/home` or `/var`, and no privilege is needed where the system allows such namespaces. Exit status 97 says it does not.
"""

import ctypes
import os
import sys

NO_NAMESPACE = 97
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
# The host has its Pythons there, and commands name them by these paths.
PROGRAM_FOLDERS = ("/usr/local/bin", "/usr/bin")
MOST_MIRRORED = 200
MS_RDONLY, MS_BIND, MS_REC, MS_PRIVATE = 0x1, 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG, SIGKILL = 1, 9

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def mount(source, target, kind, flags, data=None):
    source, target, kind, data = (text and os.fsencode(text) for text in (source, target, kind, data))
    check(libc.mount(source, target, kind, flags, data), f"mounting {os.fsdecode(target)}")


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


def add_programs(programs):
    """Makes the programs appear where the host has them. A program of this machine by the same name stays."""
    for folder in PROGRAM_FOLDERS:
        missing = [name for name in os.listdir(programs) if not os.path.lexists(os.path.join(folder, name))]
        if not missing or not os.path.isdir(folder):
            continue
        try:
            # A comma or a colon would end the name of a layer.
            if not set(programs) & set(":,\\"):
                mount("overlay", folder, "overlay", MS_RDONLY, f"lowerdir={folder}:{programs}")
                continue
        except OSError:
            # The kernel, or its administrator, does not allow layers in such a namespace.
            pass
        # It takes a mount for each entry, which is too slow for some hundreds. They are in PATH all the same.
        if len(os.listdir(folder)) <= MOST_MIRRORED:
            mirror(folder)
            for name in missing:
                os.symlink(os.path.join(programs, name), os.path.join(folder, name))


def take_terminal():
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def main():
    root, user, view, standard_input, folder, programs, *command = sys.argv[1:]
    if sys.platform == "linux":
        # Nothing outlives the emulator, even if it is killed.
        libc.prctl(PR_SET_PDEATHSIG, SIGKILL)
    # A session of its own, by which all that it starts is known in the end.
    os.setsid()
    if standard_input == "terminal":
        take_terminal()
    if view == "private":
        try:
            show_account(root, user)
            add_programs(programs)
        except (OSError, AttributeError) as error:
            print(f"cannot create a private view of the account: {error}", file=sys.stderr)
            sys.exit(NO_NAMESPACE)
    os.chdir(folder)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


main()
