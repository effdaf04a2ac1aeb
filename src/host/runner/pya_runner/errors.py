"""The exceptions that end a job or a step, and how receipts describe them."""

import errno
import traceback


class JobError(Exception):
    """Ends a job, with the state, the kind of error and the message for its receipt."""

    state = "failed"

    def __init__(self, kind, message, path=None):
        super().__init__(message)
        self.error = {"kind": kind, "message": message}
        if path is not None:
            self.error["path"] = path


class Refusal(JobError):
    """The job was not started."""

    state = "refused"


class Superseded(Refusal):
    """The job's deploy is no longer the current one: nothing may be touched, not even to undo."""


class StepUnfinished(Exception):
    """The time for this step is up."""


class Incomplete(Exception):
    """The client has to send what the result names."""


class Cancelled(JobError):
    """Whoever asked for the command does not wait for it any more."""

    state = "cancelled"

    def __init__(self, message):
        super().__init__("cancelled", message)


class CommandFailed(JobError):
    """The command ended with another status than 0, which the receipt has."""

    def __init__(self, status):
        super().__init__("status", "it exited with status %d" % status)
        self.error = None


def describe(failure):
    """An exception as receipts describe it."""
    if isinstance(failure, JobError):
        return failure.error
    if not isinstance(failure, OSError):
        lines = traceback.format_exception(type(failure), failure, failure.__traceback__)
        return {"kind": "internal", "message": "".join(lines)}
    if failure.errno in (errno.ENOSPC, errno.EDQUOT):
        return {"kind": "space", "message": "the disk quota is used up"}
    return {"kind": "local", "message": str(failure)}
