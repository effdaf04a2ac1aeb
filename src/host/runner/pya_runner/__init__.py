"""The runner: does a job on the host, as its module `entry` says.

The agent in a web app imports this package from the zip archive that it comes in, and a task or a console runs the
archive. Relative imports only, and all modules at once: nothing of ours takes a name that the application may use, and
the archive may be replaced by a newer one afterwards.

Standard library only, Python 3.8 and later.
"""

from .entry import refuse, run_job

__all__ = ["refuse", "run_job"]
