"""Deploys a Django project from its own ``manage.py``.

With ``"pythonanywhere_api.django"`` in ``INSTALLED_APPS`` there is ``manage.py pythonanywhere deploy``, which checks
the project and starts ``pya``, and ``manage.py check --deploy`` also finds what PythonAnywhere could not serve. The
settings are never changed.
"""
