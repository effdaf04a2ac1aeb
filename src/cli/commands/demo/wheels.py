"""Writes wheels of an installed package, and of all that it needs, into a folder.

With the folder as its index, pip installs without a network just what is installed here. Prints the versions as JSON.
"""

import importlib.metadata
import json
import re
import sys
import zipfile
from pathlib import Path

REQUIREMENT = re.compile(r"([\w.-]+)\s*(?:\[([^\]]*)\])?[^;]*;?(.*)")


def collect(name, extras, found):
    """Adds a package to `found`, and what it needs here. What is not installed is for other systems or Pythons."""
    distribution = importlib.metadata.distribution(name)
    key = re.sub(r"[-_.]+", "_", distribution.metadata["Name"]).lower()
    if key in found and not extras:
        return
    found[key] = distribution
    for line in distribution.requires or []:
        needed, more, marker = REQUIREMENT.match(line).groups()
        extra = re.search(r"extra == [\"']([^\"']+)", marker)
        if extra and extra[1] not in extras:
            continue
        try:
            collect(needed, [word.strip() for word in (more or "").split(",") if word.strip()], found)
        except importlib.metadata.PackageNotFoundError as missing:
            if not marker:
                raise SystemExit(f"{name} needs {missing.name}, which is not installed") from None


def write(key, distribution, folder):
    """A wheel is an archive of the installed files; the list of their digests may be empty."""
    described = distribution.read_text("WHEEL")
    if not (described and distribution.files and distribution.read_text("RECORD")):
        raise SystemExit(f"{key} was not installed from a wheel: install it with pip")
    tags = re.findall(r"^Tag: (\S+)-(\S+)-(\S+)", described, re.MULTILINE)
    tag = "-".join(".".join(sorted(set(part))) for part in zip(*tags, strict=True))
    # Its own list of files says where its metadata is.
    (record,) = [file for file in distribution.files if file.name == "RECORD" and file.parent.suffix == ".dist-info"]
    with zipfile.ZipFile(
        folder / f"{key}-{distribution.version}-{tag}.whl", "w", zipfile.ZIP_DEFLATED, compresslevel=1
    ) as wheel:
        for file in distribution.files:
            # Programs are made anew from the metadata, and what is compiled belongs to the other installation.
            if ".." not in file.parts and "__pycache__" not in file.parts and file != record:
                wheel.write(file.locate(), file.as_posix())
        wheel.writestr(record.as_posix(), "")


def main():
    name, folder = sys.argv[1:]
    found = {}
    collect(name, [], found)
    for key, distribution in found.items():
        write(key, distribution, Path(folder))
    print(json.dumps({key: distribution.version for key, distribution in found.items()}))


if __name__ == "__main__":
    main()
