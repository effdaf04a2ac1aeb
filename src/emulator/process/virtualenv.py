"""Stands in for virtualenv, which the host has: makes a virtual environment by the module venv of a named Python.

Called as `virtualenv [-p PYTHON] [OPTION…] FOLDER`. It needs no network: venv installs the pip that its Python brings.
"""

import argparse
import os
import shutil
import sys


def main():
    parser = argparse.ArgumentParser(prog="virtualenv")
    parser.add_argument("-p", "--python", default=sys.executable, help="a path, python3.13, or 3.13")
    parser.add_argument("--clear", action="store_true")
    parser.add_argument("--no-pip", action="store_true")
    parser.add_argument("--prompt")
    parser.add_argument("--system-site-packages", action="store_true")
    # venv installs neither of them, or only with an old Python, and says little.
    for ignored in ("--no-setuptools", "--no-wheel", "--no-download", "-q", "-v"):
        parser.add_argument(ignored, action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("folder")
    options = parser.parse_args()
    named = options.python
    python = shutil.which(named) or shutil.which(f"python{named}")
    if not python:
        sys.exit(f"RuntimeError: failed to find interpreter for {named}")
    words = [python, "-m", "venv", options.folder]
    words += ["--clear"] * options.clear
    words += ["--without-pip"] * options.no_pip
    words += ["--system-site-packages"] * options.system_site_packages
    words += ["--prompt", options.prompt] if options.prompt else []
    os.execv(python, words)


main()
