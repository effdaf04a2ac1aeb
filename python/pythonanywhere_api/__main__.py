"""The command ``pya``, also started as ``python -m pythonanywhere_api``."""

from __future__ import annotations

import signal
import sys

from ._core import cli_main


def main() -> int:
    """Runs the command line.

    Returns:
        The exit code; ``pya --help`` lists them.
    """
    # The command line handles Ctrl-C itself; Python's handler would leave a KeyboardInterrupt behind.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return cli_main(["pya", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
