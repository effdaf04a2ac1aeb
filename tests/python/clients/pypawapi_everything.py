"""Drives every endpoint that `pypawapi` knows, and prints what it saw as JSON.

That client knows the two hosts of the service only, so its one address is set from outside; nothing else is touched.
"""

import json
import os
import sys
from pathlib import Path

import requests
from pawapi import Pawapi, Python3, Shell, SystemImage, TaskInterval
from pawapi.exceptions import PythonAnywhereAPIException

home, domain, student, data = sys.argv[1:]
host, user = os.environ["PYTHONANYWHERE_SITE"], os.environ["PYTHONANYWHERE_USERNAME"]
api = Pawapi(user, os.environ["API_TOKEN"])
api._client._url = f"https://{host}/api/v0/user/{user}"
seen: dict[str, object] = {}


def refusal(call, *arguments, **keywords):
    try:
        return f"no refusal: {call(*arguments, **keywords)!r}"
    except PythonAnywhereAPIException as error:
        return [type(error).__name__, error.status_code, error.description]


files, path = api.file, f"{home}/paw/deep/page.txt"
seen["files"] = {
    "new": [files.upload(path, b"\x00first"), files.upload(path, b"\x00second")],
    "content": files.get_file_content(path).decode(),
    "no content": files.get_file_content(f"{home}/paw"),
    "folder": {name: entry["type"] for name, entry in files.get_directory_content(f"{home}/paw").items()},
    "no folder": files.get_directory_content(path),
    "tree": files.get_tree(f"{home}/paw"),
    "no tree": files.get_tree(f"{home}/nothing"),
    "missing": refusal(files.get_file_content, f"{home}/nothing"),
    "not shared": files.get_sharing_status(path),
    "shared": files.start_sharing(path) == files.get_sharing_status(path) == files.start_sharing(path),
    "of share": requests.get(f"https://{host}{files.get_sharing_status(path)}").text,
    "ended": [files.stop_sharing(path), files.get_sharing_status(path)],
    "deleted": [files.delete(path), files.delete(f"{home}/paw")],
}

console = api.console.create(Shell.BASH)
console_id = console["id"]
seen["console"] = {
    "same": api.console.get_info(console_id) == console and api.console.list() == [console],
    "shared": api.console.list_shared(),
    "not started": refusal(api.console.get_output, console_id),
}
requests.get(f"https://{host}{console['console_url']}").raise_for_status()
seen["console"]["typed"] = api.console.send_input(console_id, "echo $((6*7))\n")
while "42" not in api.console.get_output(console_id):
    pass
seen["console"]["killed"] = [api.console.kill(console_id), api.console.list()]
others = [api.console.create(shell) for shell in Shell]
seen["console"]["every shell"] = [each["executable"] for each in others] == [shell.value for shell in Shell]

tasks = api.scheduled_task
made = tasks.create("echo it", 5, hour=16, enabled=False, description="daily")
hourly = tasks.create("echo that", "7", interval=TaskInterval.HOURLY)
task_id = made["id"]
seen["scheduled"] = {
    "made": {name: made[name] for name in ("command", "hour", "minute", "printable_time", "enabled", "description")},
    "hourly": {name: hourly[name] for name in ("interval", "hour", "minute", "enabled")},
    "same": tasks.get_info(task_id) == made and tasks.list() == [made, hourly],
    "updated": tasks.update(task_id, minute=6, enabled=True)["printable_time"],
    "became hourly": tasks.update(task_id, interval=TaskInterval.HOURLY)["hour"],
    "wrong": refusal(tasks.update, task_id, minute=60),
    "deleted": [tasks.delete(task_id), tasks.delete(hourly["id"]), tasks.list()],
    "missing": refusal(tasks.get_info, task_id),
}

tasks = api.alwayson_task
made = tasks.create("sleep 100", enabled=False, description="always")
task_id = made["id"]
seen["always on"] = {
    "made": {name: made[name] for name in ("command", "enabled", "description", "state")},
    "same": tasks.get_info(task_id) == made and tasks.list() == [made],
    "updated": tasks.update(task_id, command="sleep 200")["command"],
    "restarted": tasks.restart(task_id)["id"] == task_id,
    "deleted": [tasks.delete(task_id), tasks.list()],
}

seen["versions"] = [
    api.python.set_python_version(Python3.PYTHON310)["default_python_version"],
    api.python.set_python3_version(Python3.PYTHON310)["default_python3_version"],
    api.python.set_sar_version(Python3.PYTHON310)["default_save_and_run_python_version"],
    api.python.get_python_version()["default_python_version"],
    api.python.get_python3_version()["default_python3_version"],
    api.python.get_sar_version()["default_save_and_run_python_version"],
]
seen["image"] = [
    api.system.set_image(SystemImage.HAGGIS)["system_image"],
    api.system.get_current_image()["system_image"],
]
seen["students"] = [[each["username"] for each in api.students.list()], api.students.delete(student)]
seen["students left"] = api.students.list()
seen["cpu"] = sorted(api.cpu.get_info())

apps = api.webapp
certificate, key = (Path(data, name).read_text() for name in ("site.crt", "site.key"))
seen["webapp"] = {
    "made": [apps.create(domain, Python3.PYTHON310), [app["domain_name"] for app in apps.list()]],
    "version": apps.get_info(domain)["python_version"],
    "updated": apps.update(domain, source_directory=f"{home}/src", force_https=True, python_version=Python3.PYTHON39),
    "protected": apps.update(domain, protection=True, protection_username="me", protection_password="pw"),
    "switched": [apps.disable(domain), apps.reload(domain), apps.enable(domain), apps.reload(domain)],
    "no certificate": refusal(apps.get_ssl_info, domain),
    "certificate": [apps.add_ssl(domain, certificate, key), apps.get_ssl_info(domain)["subject_name"]],
    "wrong certificate": refusal(apps.add_ssl, domain, "none", "none"),
    "certificate removed": [apps.delete_ssl(domain), refusal(apps.get_ssl_info, domain)],
}
made = apps.add_static_file(domain, "/assets/", f"{home}/assets")
seen["static file"] = {
    "same": apps.get_static_file_info(domain, made["id"]) == made and apps.list_static_files(domain) == [made],
    "updated": apps.update_static_file(domain, made["id"], "/a/", f"{home}/a"),
    "deleted": [apps.delete_static_file(domain, made["id"]), apps.list_static_files(domain)],
}
made = apps.add_static_header(domain, "/assets/", "X-One", "1")
seen["static header"] = {
    "same": apps.get_static_header_info(domain, made["id"]) == made and apps.list_static_headers(domain) == [made],
    "updated": apps.update_static_header(domain, made["id"], "/a/", "X-Two", "2"),
    "deleted": [apps.delete_static_header(domain, made["id"]), apps.list_static_headers(domain)],
}
seen["webapp deleted"] = [apps.delete(domain), apps.list()]

stranger = Pawapi(user, "0" * 40)
stranger._client._url = api._client._url
seen["stranger"] = refusal(stranger.cpu.get_info)
print(json.dumps(seen))
