"""Runs the project manager on the emulator, with its own class or with ours: ``run.py original|ours arguments…``.

Its class only takes a domain of the service, so that the address is changed once it is made; ours takes the emulator's.
"""

import os
import runpy
import sys
import types

URL = os.environ["EMULATOR_URL"]
which, *arguments = sys.argv[1:]

if which == "ours":
    from pythonanywhere_api import PythonanywhereApi

    module = types.ModuleType("ae.pythonanywhere")

    class Api(PythonanywhereApi):
        def __init__(self, web_domain, *rest):
            super().__init__(URL, *rest)

else:
    import ae.pythonanywhere as module

    class Api(module.PythonanywhereApi):
        def __init__(self, web_domain, *rest):
            super().__init__(web_domain, *rest)
            self.base_url = self.base_url.replace(f"https://{web_domain}", URL)


# The import, replaced.
module.PythonanywhereApi = Api
sys.modules["ae.pythonanywhere"] = module
sys.argv[:] = ["pjm", *arguments]
runpy.run_module("aedev.project_manager", run_name="__main__", alter_sys=True)
