"""What the emulator's answers to the questions must be: as it comes, and under each of its switches.

A probe that would answer the same whatever is asked shows here: each switch has two settings with two answers.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pythonanywhere_api import Client
from pythonanywhere_api.testing import Emulator

from .account import Account

ANSWERS: dict[str, Any] = {
    "retry_after": True,
    "bucket_per_method": False,
    "refused_requests_count": False,
    "sliding_log": True,
    "requests_a_minute": 40,
    "upload_limit": 413,
    "overwrite_replaces": True,
    "overwrite_under_download": "old",
    "keep_mode": True,
    "new_mode": "0o644",
    "download_charset": False,
    "delete_with_slash": 204,
    "tree_order": "sorted",
    "append_slash": 301,
    "merged_slashes": {"files": 200, "others": 200},
    "tasks": {"schedule": 200, "always_on": 200},
    "webapp_created": [200, "text/json"],
    "reload_status": 200,
    "webapp_threads": False,
    "background_threads": True,
    "not_after_form": "compact",
    "taken_domain": 200,
}

# A switch, a setting that is not the default, and what the questions answer then.
SWITCHED: list[tuple[str, Any, dict[str, Any]]] = [
    ("retry_after", False, {"retry_after": False, "sliding_log": True, "refused_requests_count": False}),
    ("bucket_per_method", True, {"bucket_per_method": True}),
    ("upload_limit", None, {"upload_limit": 201}),
    ("atomic_overwrite", False, {"overwrite_replaces": False, "overwrite_under_download": "torn"}),
    ("keep_mode", False, {"keep_mode": False}),
    ("download_charset", True, {"download_charset": True}),
    ("append_slash", False, {"append_slash": 404}),
    ("merge_slashes", False, {"merged_slashes": {"files": 200, "others": 404}}),
    ("delete_with_slash", False, {"delete_with_slash": 404}),
    ("sorted_tree", False, {"tree_order": "reversed"}),
    ("webapp_threads", True, {"webapp_threads": True}),
    ("compact_not_after", False, {"not_after_form": "extended"}),
    ("cname_error", True, {"reload_status": 409}),
    ("taken_domain_400", True, {"taken_domain": 400}),
]


@contextmanager
def emulated(**settings: Any) -> Iterator[Account]:
    """A run on an emulator, with the service's limits and a web app that has a certificate."""
    options = {"account": "paid", "python": sys.executable, **settings}
    with Emulator(**options) as host:
        if options["account"] == "paid":
            host.create_webapp("certified.example.com")
            Client(host.user, host.token, host.url).webapps.ssl.set_lets_encrypt("certified.example.com")
        account = Account.of(host)
        account.begin()
        try:
            yield account
        finally:
            account.end()
        assert account.left_behind == []
