"""The Python reference: which names there are, the built module says; how they are called, the stubs beside it.

The compiled classes carry short texts and no annotations, the stubs carry both, and a stub may promise what was never
built. So every name comes from the running module, its signature and text from the stub (or the source, for modules
in Python), and a name that only one side knows ends the build.

``.. built-class:: MODULE.NAME``, ``.. built-functions:: MODULE``, ``.. built-module:: MODULE`` (all that it exports),
``.. built-families:: NAME`` (the families of endpoints of a client, a section each).
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import sys
from inspect import isroutine
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.ext.napoleon import Config
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.roles import XRefRole
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from stubs import PACKAGE, Function, Member, Stub, is_shared_base, public_module, stub_of

# Typed as the whole configuration of Sphinx, of which it reads these.
NAPOLEON: Any = Config(
    napoleon_use_param=True,
    napoleon_use_rtype=False,
    napoleon_use_ivar=True,
    napoleon_custom_sections=[("All calls raise", "Raises")],
)
# Written into the class' signature, or understood without words.
UNSPOKEN = {"__new__", "__init__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__match_args__"}


def paragraphs(text: str | None) -> list[str]:
    """A docstring in Google style as reStructuredText."""
    lines: list[str] = []
    for line in str(GoogleDocstring(text or "", NAPOLEON)).splitlines():
        raised = re.match(r":raises ([\w.]+(?:, [\w.]+)+):(.*)", line)
        # A field is about one exception.
        lines += [f":raises {name}:{raised[2]}" for name in raised[1].split(", ")] if raised else [line]
    return lines


def described(kind: str, signature: str, options: dict[str, str], body: list[str]) -> list[str]:
    """A directive of the Python domain with its content."""
    lines = [f".. py:{kind}:: {signature}", *(f"   :{name}: {value}".rstrip() for name, value in options.items())]
    return ["", *lines, "", *(f"   {line}".rstrip() for line in body), ""]


class Pages:
    """Describes what a module built, from its stub."""

    def __init__(self, stub: Stub):
        self.stub = stub

    def function(self, node: Function, name: str, *, kind: str = "method", body: list[str] | None = None) -> list[str]:
        """A function or method under `name`, with the stub's text unless there is a `body`."""
        arguments, returns, is_async = self.stub.signature(node, is_method=kind == "method")
        options = {"async": ""} if is_async else {}
        decorators = {each.id for each in node.decorator_list if isinstance(each, ast.Name)}
        options |= {each: "" for each in ("classmethod", "staticmethod") if each in decorators}
        text = paragraphs(ast.get_docstring(node)) if body is None else body
        return described(kind, f"{name}{arguments}{returns}", options, text)

    def attribute(self, member: Member, name: str, body: list[str] | None = None) -> list[str]:
        """A property or a plain attribute."""
        kind = "property" if member.is_property else "attribute"
        options = {"type": self.stub.annotation(member.annotation)} if member.annotation else {}
        return described(kind, name, options, paragraphs(member.text) if body is None else body)

    def class_(self, built: type[Any], name: str) -> list[str]:
        """A class with all its members."""
        node = self.stub.class_(built.__qualname__)
        members = self.stub.members(node)
        constructor = next((members[each] for each in ("__init__", "__new__") if each in members), None)
        arguments = ""
        text = paragraphs(ast.get_docstring(node))
        if constructor and constructor.function and "_args" not in ast.unparse(constructor.function.args):
            arguments, _, _ = self.stub.signature(constructor.function, is_method=True)
            text += ["", *paragraphs(constructor.text)]
        bases = [base.__name__ for base in built.__bases__ if base not in (object, dict)]
        if bases and not any(base.startswith("_") for base in bases):
            text = [f"Bases: {', '.join(f'`{base}`' for base in bases)}.", "", *text]
        for member_name in documented_names(built, members):
            text += self.member(built, members[member_name], member_name)
        kind = "exception" if issubclass(built, BaseException) else "class"
        return described(kind, f"{name}{arguments}", {}, text)

    def member(self, built: type[Any], member: Member, name: str) -> list[str]:
        """A member inside the description of its class."""
        value = getattr(built, name, None)
        if isinstance(value, type) and member.is_class:
            return self.class_(value, name)
        if member.function and not member.is_property:
            has_twin = built.__name__.startswith("Async") and not member.text
            twin = [f"As `{built.__name__.removeprefix('Async')}.{name}`, awaited."] if has_twin else None
            return self.function(member.function, name, body=twin)
        if self.stub.family(member):
            return self.attribute(member, name, [f"The calls ``{built.__name__}.{name}.…``, listed below."])
        return self.attribute(member, name)

    def family(self, client: type[Any], path: str, node: ast.ClassDef) -> list[str]:
        """The calls of a family, each under the name by which it is called, like ``Client.files.read``."""
        built = getattr(self.stub.module, node.name)
        prefix = f"{client.__name__}.{path}"
        lines = described("class", node.name, {"module": self.stub.name}, [f"The type of ``{prefix}``."])
        members = self.stub.members(node)
        for name in documented_names(built, members):
            member = members[name]
            if family := self.stub.family(member):
                lines += self.family(client, f"{path}.{name}", family)
            elif member.function:
                body = None
                if client.__name__.startswith("Async"):
                    body = [f"As `{client.__name__.removeprefix('Async')}.{path}.{name}`, awaited."]
                lines += self.function(member.function, f"{prefix}.{name}", body=body)
        return lines


def documented_names(built: type[Any], members: dict[str, Member]) -> list[str]:
    """The members to describe, in the stub's order: public ones, and others that the stub has words for."""
    described = [base for base in built.__mro__[1:] if not is_shared_base(base.__name__)]
    inherited = {name for base in described for name in vars(base)}
    own = {name for base in built.__mro__ if base not in described for name in vars(base)}
    own |= {name for name in dir(built) if name not in inherited}
    # Set on instances, where the class cannot tell.
    own |= {name for name, member in members.items() if member.annotation and not member.function}
    if missing := sorted(name for name in own - set(members) if not name.startswith("_")):
        raise ExtensionError(f"{built.__qualname__}: the stub does not know {', '.join(missing)}")
    if invented := sorted(set(members) - own - UNSPOKEN):
        raise ExtensionError(f"{built.__qualname__}: only the stub knows {', '.join(invented)}")
    spoken = [name for name, member in members.items() if not name.startswith("_") or member.text]
    return [name for name in spoken if name not in UNSPOKEN]


class BuiltDirective(SphinxDirective):
    """What the directives share: they write reStructuredText and have it parsed."""

    required_arguments = 1

    def parsed(self, lines: list[str], module: str) -> list[nodes.Node]:
        self.env.note_dependency(__file__)
        for name in (module, f"{PACKAGE}._core"):
            self.env.note_dependency(str(stub_of(name).path))
            self.env.note_dependency(str(stub_of(name).module.__file__))
        content = [f".. py:currentmodule:: {module}", "", *lines]
        node = nodes.section()
        node.document = self.state.document
        self.state.nested_parse(StringList(content, source=str(stub_of(module).path)), 0, node, match_titles=True)
        return list(node.children)


class BuiltClass(BuiltDirective):
    """One class, at the place where users import it from."""

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        built = getattr(importlib.import_module(module), name)
        return self.parsed(Pages(stub_of(module, name)).class_(built, name), module)


class BuiltFunctions(BuiltDirective):
    """The functions that a module exports."""

    def run(self) -> list[nodes.Node]:
        module = self.arguments[0]
        built = importlib.import_module(module)
        lines: list[str] = []
        for name in getattr(built, "__all__", stub_of(module).functions):
            if not isroutine(getattr(built, name)):
                continue
            stub = stub_of(module, name)
            if function := stub.functions.get(name):
                lines += Pages(stub).function(function, name, kind="function")
        return self.parsed(lines, module)


class BuiltModule(BuiltDirective):
    """What a module says of itself, and all the classes it exports."""

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        module = importlib.import_module(name)
        lines = paragraphs(module.__doc__)
        for stub in dict.fromkeys(stub_of(name, each) for each in module.__all__):
            for each in stub.classes:
                if each in module.__all__ and public_module(each) == name:
                    lines += Pages(stub).class_(getattr(module, each), each)
        return self.parsed([".. py:module:: " + name, "", *lines], name)


class BuiltFamilies(BuiltDirective):
    """The families of endpoints of a client, a section each."""

    def run(self) -> list[nodes.Node]:
        stub = stub_of(f"{PACKAGE}._core")
        client = getattr(stub.module, self.arguments[0])
        lines: list[str] = []
        for name, member in stub.members(stub.class_(client.__name__)).items():
            if family := stub.family(member):
                lines += ["", name, "-" * len(name), "", *Pages(stub).family(client, name, family)]
        return self.parsed(lines, PACKAGE)


class NameRole(XRefRole):
    """A name in single backticks: a link where something of this name is described, else plain code."""

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        refnode.update_all_atts({"refdomain": "py", "reftype": "obj", "lenient": True}, replace=True)
        refnode["py:module"] = env.ref_context.get("py:module")
        refnode["py:class"] = env.ref_context.get("py:class")
        return title, target


class ApiRole(XRefRole):
    """``{api}`PythonanywhereApi.deploy```: a link to a name of the package that has to be there."""

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        refnode.update_all_atts({"refdomain": "py", "reftype": "obj"}, replace=True)
        return title, f"{public_module(target.partition('.')[0])}.{target}"


class CallRole(ApiRole):
    """``{call}`files.read```: a link to a call of a client that has to be there."""

    def process_link(
        self, env: BuildEnvironment, refnode: nodes.Element, has_explicit_title: bool, title: str, target: str
    ) -> tuple[str, str]:
        shown = title if has_explicit_title else f"client.{target}"
        return super().process_link(env, refnode, has_explicit_title, shown, f"Client.{target}")


def leave_plain(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.TextElement | None:
    """Names of Python itself have no page here, and the inventory that knows theirs would be a download."""
    if node.get("refdomain") != "py":
        return None
    target = str(node["reftarget"])
    first = target.partition(".")[0]
    known = first in sys.stdlib_module_names or first in {"typing_extensions", "pytest"} or hasattr(builtins, first)
    # Names that only stubs know, like type variables and protocols, are for type checkers.
    return contnode if known or node.get("lenient") or first.startswith("_") else None


def setup(app: Sphinx) -> ExtensionMetadata:
    app.add_directive("built-class", BuiltClass)
    app.add_directive("built-functions", BuiltFunctions)
    app.add_directive("built-module", BuiltModule)
    app.add_directive("built-families", BuiltFamilies)
    app.add_role("name", NameRole())
    app.add_role("api", ApiRole())
    app.add_role("call", CallRole())
    app.connect("missing-reference", leave_plain)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "version": "1"}
