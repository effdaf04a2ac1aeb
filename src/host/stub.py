# pythonanywhere-api agent @VERSION@ @ID@: "pya agent remove @DOMAIN@" puts the original back.
import os as _pya_os, traceback as _pya_traceback

# The original, which is run below even if the agent's own folder is gone.
_pya_original = "".join(
    [
        "@ORIGINAL@",
    ]
)
_pya_wrap = _pya_failure = application = None
try:
    _pya_folder = _pya_os.path.join(_pya_os.path.expanduser("~"), ".pya", "agent-@DOMAIN@")
    _pya_agent = {"__name__": "pya_agent", "__file__": _pya_os.path.join(_pya_folder, "agent.py")}
    with open(_pya_agent["__file__"], "rb") as _pya_file:
        exec(compile(_pya_file.read(), _pya_agent["__file__"], "exec"), _pya_agent)
    _pya_wrap = _pya_agent["prepare"](_pya_folder, "@ID@", __file__, _pya_original)
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
