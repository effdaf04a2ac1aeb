"""What ends a job or a step, and what a receipt says of it."""

import errno
import traceback


class JobError(Exception):
    """Ends a job: its state, the kind of error, and what to say."""

    state = "failed"

    def __init__(self, kind, message, path=None):
        super().__init__(message)
        self.error = {"kind": kind, "message": message}
        if path is not None:
            self.error["path"] = path


class Refusal(JobError):
    """Nothing was begun."""

    state = "refused"


class Superseded(Refusal):
    """Another deploy is the current one, or none: nothing may be touched, not even to undo."""


class StepUnfinished(Exception):
    """The time of this step is up."""


class CommandFailed(JobError):
    def __init__(self, status):
        super().__init__("status", "it ended with exit status %d" % status)
        self.error = None


def describe(failure):
    """What a receipt says of an exception."""
    if isinstance(failure, JobError):
        return failure.error
    if not isinstance(failure, OSError):
        lines = traceback.format_exception(type(failure), failure, failure.__traceback__)
        return {"kind": "internal", "message": "".join(lines)}
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return {"kind": "space", "message": "the disk quota is used up"}
    return {"kind": "local", "message": str(failure)}
