"""Run by a Python of Windows: starts deploys and interrupts them as a console does. Prints each event and exit code."""

import os
import signal
import subprocess
import sys
import time

DEPLOY = [sys.executable, "-m", "pythonanywhere_api", "deploy", "--project", "mysite", "--executor", "none", "-v"]


def interrupted(event: signal.Signals) -> int:
    # A process in a group of its own gets Ctrl-Break only; Ctrl-C goes to all that share the console.
    group = subprocess.CREATE_NEW_PROCESS_GROUP if event == signal.CTRL_BREAK_EVENT else 0
    deploy = subprocess.Popen(DEPLOY, creationflags=group, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    # The first upload is logged: it is under way.
    for line in deploy.stderr:
        if "POST" in line:
            break
    if event == signal.CTRL_BREAK_EVENT:
        deploy.send_signal(event)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.kill(0, event)
    deploy.stderr.read()
    return deploy.wait(120)


for event in (signal.CTRL_BREAK_EVENT, signal.CTRL_C_EVENT):
    print(event.name, interrupted(event), flush=True)
    time.sleep(1)
