"""The runner, which carries out jobs on the host; the module `entry` says how.

The package comes in a zip archive, which tasks and consoles run and the agent imports. Imports between its modules are
relative, so that none of them takes a name that the application may use, and all modules are imported at once, so that
the archive may be replaced by a newer one afterwards.

It needs only the standard library, of Python 3.8 or later.
"""

from .announce import deploy, finish
from .entry import refuse, run_job
from .state import read_state

__all__ = ["deploy", "finish", "read_state", "refuse", "run_job"]
