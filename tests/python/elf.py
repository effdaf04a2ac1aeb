"""Which versions of which libraries an ELF file asks for: what its section `.gnu.version_r` says."""

import struct

NEEDED_VERSIONS = 0x6FFFFFFE


def needed_versions(content: bytes) -> set[str]:
    """Names such as ``GLIBC_2.17``; for 64-bit files with the low byte first."""
    assert content[:6] == b"\x7fELF\x02\x01", "not such a file"
    (offset,) = struct.unpack_from("<Q", content, 0x28)
    size, count = struct.unpack_from("<HH", content, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", content, offset + size * number) for number in range(count)]
    found = set()
    for _, kind, _, _, start, _, link, number, _, _ in sections:
        if kind != NEEDED_VERSIONS:
            continue
        names = sections[link][4]
        place = start
        for _ in range(number):
            _, versions, _, first, following = struct.unpack_from("<HHIII", content, place)
            at = place + first
            for _ in range(versions):
                _, _, _, name, beyond = struct.unpack_from("<IHHII", content, at)
                found.add(content[names + name : content.index(b"\0", names + name)].decode())
                at += beyond
            place += following
    return found
