# pythonanywhere-api agent @VERSION@ @ID@: "pya agent remove @DOMAIN@" puts the original back.
import json as _pya_json, os as _pya_os, traceback as _pya_traceback

_pya_folder = _pya_os.path.join(_pya_os.path.expanduser("~"), ".pya", "agent-@DOMAIN@")
with open(_pya_os.path.join(_pya_folder, "agent.json"), encoding="utf-8") as _pya_file:
    _pya_original = _pya_json.load(_pya_file)["original"]
_pya_wrap, application = None, None
try:
    _pya_agent = {"__name__": "pya_agent", "__file__": _pya_os.path.join(_pya_folder, "agent.py")}
    with open(_pya_agent["__file__"], "rb") as _pya_file:
        exec(compile(_pya_file.read(), _pya_agent["__file__"], "exec"), _pya_agent)
    _pya_wrap = _pya_agent["prepare"](_pya_folder, "@ID@", __file__, _pya_original)
except Exception:  # Without the agent the site must go on as it was.
    _pya_traceback.print_exc()
try:
    exec(compile(_pya_original, __file__, "exec", dont_inherit=True))
except BaseException as _pya_failure:
    if _pya_wrap is None:
        raise
    application = _pya_wrap(None, _pya_failure)
else:
    application = _pya_wrap(application, None) if _pya_wrap else application
