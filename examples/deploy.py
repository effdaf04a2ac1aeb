"""Deploys a project from continuous integration: python deploy.py FOLDER PROJECT DOMAIN

The account is in API_TOKEN, PYTHONANYWHERE_USERNAME and, for other hosts than www.pythonanywhere.com,
PYTHONANYWHERE_SITE. Exits with 0 only if the host has every file and the web app runs it.
"""

from __future__ import annotations

import sys

from pythonanywhere_api import ProgressEvent, PythonanywhereApi


def show(event: ProgressEvent) -> None:
    """Prints what a log of a CI run should keep."""
    match event:
        case ProgressEvent.Planned(uploads=uploads, requests=requests, seconds=seconds):
            print(f"{uploads} files to upload, {requests} requests, about {seconds:.0f} s")
        case ProgressEvent.Waiting(endpoint=endpoint, seconds=seconds):
            print(f"waiting up to {seconds:.0f} s for the rate limit of {endpoint}")
        case ProgressEvent.Failed(path=path, reason=reason):
            print(f"FAILED {path}: {reason}")
        case _:
            pass


def deploy(folder: str, project: str, domain: str) -> int:
    """Sends what changed in `folder`, deletes what an earlier deploy sent and is gone, and reloads `domain`."""
    api = PythonanywhereApi.from_env(project)
    diff = api.deploy_diff(folder)
    if diff is None:
        print(api.error_message, file=sys.stderr)
        return 1
    print(diff)
    report = api.deploy(diff, delete=True, reload=[domain], progress=show)
    for name, reason in report.failed.items():
        print(f"{name}: {reason}", file=sys.stderr)
    print(f"{len(report.uploaded)} uploaded, {len(report.deleted)} deleted, {report.requests} requests")
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(deploy(*sys.argv[1:4]))
