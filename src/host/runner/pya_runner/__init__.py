"""The runner, which carries out jobs on the host; the module `entry` says how.

The package comes in a zip archive, which tasks and consoles run and the agent imports. Its modules are one member of
the archive, since they are a third smaller when they are compressed together. Imports between them are relative, so
that none of them takes a name that the application may use, and all are imported at once, so that the archive may be
replaced by a newer one afterwards.

It needs only the standard library, of Python 3.8 or later.
"""

import importlib.machinery
import json
import os
import sys


class Modules:
    """Finds and loads the modules of this package, and nothing else."""

    def __init__(self, place, texts):
        self.place, self.texts = place, texts

    def find_spec(self, name, path=None, target=None):
        """As the import system calls it."""
        package, _, module = name.rpartition(".")
        if package != __name__ or module not in self.texts:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=os.path.join(self.place, module + ".py"))
        spec.has_location = True
        return spec

    def create_module(self, spec):
        """Leaves that to the import system."""

    def exec_module(self, module):
        """Runs a module."""
        exec(compile(self.get_source(module.__name__), module.__spec__.origin, "exec"), module.__dict__)

    def get_source(self, name):
        """The text of a module, which tracebacks show."""
        return self.texts[name.rpartition(".")[2]]


modules = Modules(__path__[0], json.loads(__loader__.get_data(os.path.join(__path__[0], "modules.json"))))
sys.meta_path.insert(0, modules)
try:
    from .announce import deploy, finish
    from .entry import refuse, run_job
    from .state import read_piece, read_state
finally:
    sys.meta_path.remove(modules)

__all__ = ["deploy", "finish", "read_piece", "read_state", "refuse", "run_job"]
