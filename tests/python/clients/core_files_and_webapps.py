"""Drives the service with `pythonanywhere-core`, the vendor's own client, and prints what it saw as JSON.

Run as a program, because that client reads its account from the environment when it is imported.
"""

import json
import sys
from pathlib import Path

import requests
from pythonanywhere_core.exceptions import PythonAnywhereApiException
from pythonanywhere_core.files import Files
from pythonanywhere_core.webapp import Webapp

home, domain = sys.argv[1:]
files = Files()
seen: dict[str, object] = {}


def refusal(call, *arguments):
    try:
        return f"no refusal: {call(*arguments)!r}"
    except PythonAnywhereApiException as error:
        return str(error)


path = f"{home}/core/deep/page.txt"
seen["created"] = files.path_post(path, b"\x00first")
seen["replaced"] = files.path_post(path, b"\x00second")
seen["listing"] = files.path_get(f"{home}/core")
seen["content"] = files.path_get(path).decode()
files.path_post(f"{home}/core/data.json", b'{"a": 1}')
seen["json_file_is_bytes"] = isinstance(files.path_get(f"{home}/core/data.json"), bytes)
seen["tree"] = files.tree_get(f"{home}/core")
seen["no_tree"] = refusal(files.tree_get, f"{home}/nothing")
seen["missing"] = refusal(files.path_get, f"{home}/nothing")

seen["not_shared"] = files.sharing_get(path)
message, link = files.sharing_post(path)
seen["shared"] = [message, files.sharing_get(path) == link]
seen["shared_again"] = files.sharing_post(path)[0]
seen["content_of_link"] = requests.get(link).text
seen["unshared"] = files.sharing_delete(path)
seen["after_unsharing"] = requests.get(link).status_code

seen["deleted"] = files.path_delete(path)
seen["deleted_twice"] = refusal(files.path_delete, path)
seen["folder_stays"] = files.path_get(f"{home}/core/deep")
seen["folder_deleted"] = files.path_delete(f"{home}/core")

webapp = Webapp(domain)
webapp.sanity_checks(nuke=False)
webapp.create("3.11", None, Path(home), nuke=False)
seen["webapp"] = webapp.get()["domain_name"]
seen["webapps"] = [app["domain_name"] for app in Webapp.list_webapps()]
seen["second_webapp"] = refusal(webapp.create, "3.11", None, Path(home), False)
webapp.patch({"force_https": "false"})
wsgi = f"/var/www/{domain.replace('.', '_')}_wsgi.py"
files.path_post(
    wsgi,
    b"def application(environ, start_response):\n"
    b"    start_response('200 OK', [('Content-Type', 'text/plain')])\n"
    b"    return [b'served by a foreign hand']\n",
)
webapp.reload()
print(json.dumps(seen))
