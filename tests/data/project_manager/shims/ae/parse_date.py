"""Stands for the package ae_parse_date, which is imported, never called here, and no longer published."""


def parse_date(*_args, **_kwargs):
    raise NotImplementedError("no date is parsed when a project is deployed")
