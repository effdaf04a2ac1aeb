"""A plugin for django-simple-deploy: deployments to PythonAnywhere by ``pythonanywhere_api.launch``.

``deploy`` holds the hooks that the framework calls, ``options`` what can be typed, ``files`` what is written here and
committed, ``host`` what is done on the host, ``messages`` the texts.
"""
