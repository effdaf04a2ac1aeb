"""Hides passwords in the words of a command, for what is kept of it: receipts, the history, and the lock's text."""

import re

HIDDEN = "***"
# An option, or a variable that is set, whose name has one of these in it or as one of its words.
PARTS = re.compile("passw|passphrase|token|secret|credential|api[-_]?key", re.IGNORECASE)
WORDS = {"pass", "pw", "pwd", "key", "auth"}
# Short options that take a password, and code, which may contain one: `-p` and `-c`, also after other letters.
SHORT = re.compile("-[A-Za-z]*[pc]")
CODE = {"command", "code", "eval"}
ADDRESS = re.compile(r"(?<=://)([^/@\s:]*):[^@\s]*@")


def redacted(words):
    """The words of a command without what follows options that take a password or code."""
    shown, is_hidden = [], False
    for word in words:
        option, equals, _ = word.partition("=")
        is_secret = (option.startswith("-") and names_code(option)) or names_secret(option, equals)
        if re.match("-[pc].", word, re.DOTALL):
            # The value may be attached, as in `-psecret`. A word such as `-password` has it after it.
            shown.append(word[:2] + HIDDEN)
        elif is_secret and equals:
            shown.append(option + equals + HIDDEN)
        elif is_secret or not is_hidden:
            # An option may follow one that stands alone: then the arguments of both are hidden.
            shown.append(ADDRESS.sub(r"\1:" + HIDDEN + "@", word))
        else:
            shown.append(HIDDEN)
        is_hidden = bool(is_secret and not equals)
    return shown


def names_secret(option, equals):
    """Whether this is an option, or a variable with a value, for a secret."""
    is_one = option.startswith("-") or equals
    return is_one and (PARTS.search(option) or WORDS.intersection(re.split("[-_.]", option.lower())))


def names_code(option):
    """Whether this is an option for a password, or for code, by its letter or its name."""
    return SHORT.fullmatch(option) or option.lstrip("-").lower() in CODE
