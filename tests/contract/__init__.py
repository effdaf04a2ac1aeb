"""What is known of the service, checked from outside: against the emulator, or against a real account.

A package, since `tests/python` has a `conftest` of its own that its tests import by that name.
"""
