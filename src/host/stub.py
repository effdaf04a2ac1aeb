# pythonanywhere-api agent @VERSION@ @ID@: "pya agent remove @DOMAIN@" puts the original back.
import json as _pya_json, os as _pya_os, traceback as _pya_traceback

# The original, which is run below even if the agent's own folder is gone.
_pya_original = "".join(
    [
        "@ORIGINAL@",
    ]
)
_pya_wrap = _pya_failure = application = None
_pya_home, _pya_variables = _pya_os.path.join(_pya_os.path.expanduser("~"), ".pya"), {}
try:
    # What "pya env" has set, which replaces what the host has; as bytes, since a locale may lack letters.
    _pya_folder = _pya_os.path.join(_pya_home, "variables-@DOMAIN@")
    if _pya_os.path.exists(_pya_folder):
        with open(_pya_os.path.join(_pya_folder, "variables.json"), "rb") as _pya_file:
            _pya_variables = _pya_json.loads(_pya_file.read().decode())
        _pya_os.environb.update({name.encode(): value.encode() for name, value in _pya_variables.items()})
except BaseException:
    _pya_traceback.print_exc()
try:
    _pya_folder = _pya_os.path.join(_pya_home, "agent-@DOMAIN@")
    _pya_agent = {"__name__": "pya_agent", "__file__": _pya_os.path.join(_pya_folder, "agent.py")}
    with open(_pya_agent["__file__"], "rb") as _pya_file:
        exec(compile(_pya_file.read(), _pya_agent["__file__"], "exec"), _pya_agent)
    _pya_wrap = _pya_agent["prepare"](_pya_folder, "@ID@", __file__, _pya_original, _pya_variables)
except BaseException:  # Without the agent, the site must work as before.
    _pya_traceback.print_exc()
try:
    # As bytes, like a file: it may have a byte order mark, or declare its encoding.
    exec(compile(_pya_original.encode(), __file__, "exec", dont_inherit=True))
except BaseException as _pya_raised:
    if _pya_wrap is None:
        raise
    _pya_failure = _pya_raised
if _pya_wrap is not None:
    try:
        application = _pya_wrap(application, _pya_failure)
    except BaseException:
        _pya_traceback.print_exc()
        if _pya_failure is not None:
            raise _pya_failure
