# The web server gets your site from this file: it calls the function `application` for each request (see PEP 3333).
# A new web app starts with a page that says hello. Replace it by one of the examples below, with the names of your own
# project, and reload the web app.


# +++++++++++ HELLO WORLD +++++++++++
# Until you replace it, this function answers.
def application(environ, start_response):
    if environ.get("PATH_INFO") == "/":
        status = "200 OK"
        content = (
            "<html><head><title>PythonAnywhere hosted web application</title></head>"
            "<body><h1>Hello, World!</h1></body></html>"
        )
    else:
        status = "404 NOT FOUND"
        content = "Page not found."
    response_headers = [("Content-Type", "text/html"), ("Content-Length", str(len(content)))]
    start_response(status, response_headers)
    yield content.encode("utf8")


# +++++++++++ VIRTUALENV +++++++++++
# A web app that has a virtualenv runs with its packages: enter its path on the page Web, or set `virtualenv_path`.


# +++++++++++ DJANGO +++++++++++
# The folder of manage.py, and the settings module below it:
#
# import os
# import sys
#
# path = "/home/YOUR_USER/mysite"
# if path not in sys.path:
#     sys.path.insert(0, path)
# os.environ["DJANGO_SETTINGS_MODULE"] = "mysite.settings"
#
# from django.core.wsgi import get_wsgi_application
#
# application = get_wsgi_application()


# +++++++++++ FLASK, AND OTHERS LIKE IT +++++++++++
# The folder of the module, and the application object in it. Do not call `app.run()` when the module is imported.
#
# import sys
#
# path = "/home/YOUR_USER/mysite"
# if path not in sys.path:
#     sys.path.insert(0, path)
#
# from app import app as application
