"""Drives tasks, sites, students and CPU seconds with `pythonanywhere-core`, and prints what it saw as JSON.

Run as a program, because that client reads its account from the environment when it is imported.
"""

import json
import sys
from pathlib import Path

from pythonanywhere_core.exceptions import DomainAlreadyExistsException
from pythonanywhere_core.files import Files
from pythonanywhere_core.resources import CPU
from pythonanywhere_core.schedule import Schedule
from pythonanywhere_core.students import StudentsAPI
from pythonanywhere_core.webapp import Webapp
from pythonanywhere_core.website import Website

home, domain, student = sys.argv[1:]
seen: dict[str, object] = {}

schedule = Schedule()
made = schedule.create({"command": "echo it", "enabled": True, "interval": "daily", "hour": 16, "minute": 5})
seen["task"] = made
seen["same_task"] = schedule.get_specs(made["id"]) == made and schedule.get_list() == [made]
seen["hourly"] = schedule.update(made["id"], {"interval": "hourly", "minute": 7})
seen["deleted"] = schedule.delete(made["id"])
seen["tasks_left"] = schedule.get_list()

webapp = Webapp(domain)
webapp.create("3.11", None, Path(home), nuke=False)
webapp.create_static_file_mapping("/assets/", Path(home, "assets"))
Files().path_post(f"{home}/assets/page.txt", b"a static page")
webapp.reload()

sites = Website()
command = "python3 -m http.server --bind 127.0.0.1 0 & sleep 300"
seen["website"] = sites.create("site.example.com", command)
try:
    sites.create("site.example.com", command)
except DomainAlreadyExistsException:
    seen["refused_twice"] = True
seen["same_website"] = sites.get("site.example.com") == seen["website"] and sites.list() == [seen["website"]]
seen["reloaded"] = sites.reload("site.example.com")
seen["certified"] = sites.auto_ssl("site.example.com")
seen["certificate"] = sites.get_ssl_info("site.example.com")
seen["website_deleted"] = sites.delete("site.example.com")
seen["websites_left"] = sites.list()

students = StudentsAPI()
seen["students"] = students.get()
seen["student_removed"] = students.delete(student)
seen["cpu"] = CPU().get_cpu_usage()

print(json.dumps(seen))
