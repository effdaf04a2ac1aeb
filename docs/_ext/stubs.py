"""Signatures, annotations and texts, read from the stubs that the installed package brings along.

They are read as syntax, not imported: annotations stay as they were written, and names in them are completed to where
they come from, so that they become links.
"""

from __future__ import annotations

import ast
import builtins
import functools
import importlib
import inspect
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sphinx.errors import ExtensionError

PACKAGE = "pythonanywhere_api"
Function = ast.FunctionDef | ast.AsyncFunctionDef
# Where users import from, the first that exports a name counts.
PUBLIC_MODULES = [PACKAGE, *(f"{PACKAGE}.{name}" for name in ("testing", "webfaction", "exceptions", "types"))]


@functools.cache
def public_module(name: str) -> str:
    """The module under which a name is described: where users import it from, else the compiled one."""
    for module in PUBLIC_MODULES:
        if name in importlib.import_module(module).__all__:
            # One page for all exceptions; the package itself only repeats them.
            is_error = name in importlib.import_module(f"{PACKAGE}.exceptions").__all__
            return f"{PACKAGE}.exceptions" if is_error else module
    return f"{PACKAGE}._items" if name in ("FileItem", "Headers", "ItemCollector") else f"{PACKAGE}._core"


def is_shared_base(name: str) -> bool:
    """Whether a class only holds what two others share: it is described as a part of them."""
    return name.startswith("_") and name.endswith("Base")


@dataclass
class Member:
    """What a stub says of a member of a class."""

    name: str
    text: str | None = None
    annotation: ast.expr | None = None
    function: Function | None = None
    is_property: bool = False
    is_class: bool = False


class Stub:
    """The stub of a module, or its source if it is written in Python."""

    def __init__(self, name: str):
        self.name = name
        self.module: ModuleType = importlib.import_module(name)
        file = Path(importlib.import_module(PACKAGE).__path__[0], *name.split(".")[1:])
        candidates = [file.with_suffix(".pyi"), file.with_suffix(".py"), file / "__init__.py"]
        self.path = next(path for path in candidates if path.exists())
        self.tree = ast.parse(self.path.read_text(encoding="utf-8"))
        body = self.tree.body
        self.functions = {node.name: node for node in body if isinstance(node, Function)}
        self.classes = {node.name: node for node in body if isinstance(node, ast.ClassDef)}
        self.imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(self.tree)
            if isinstance(node, ast.ImportFrom) and node.module and not node.level
            for alias in node.names
        }
        self.aliases = {
            node.target.id: node.value
            for node in body
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and ast.unparse(node.annotation) == "TypeAlias"
            and node.value
        }

    def class_(self, qualified: str) -> ast.ClassDef:
        """The class of this qualified name."""
        first, *rest = qualified.split(".")
        node = self.classes[first]
        for name in rest:
            node = next(each for each in node.body if isinstance(each, ast.ClassDef) and each.name == name)
        return node

    def members(self, node: ast.ClassDef) -> dict[str, Member]:
        """The members of a class, in order, those of a private base that it shares with its twin before its own."""
        found: dict[str, Member] = {}
        for base in node.bases:
            if isinstance(base, ast.Name) and is_shared_base(base.id):
                found |= self.members(self.classes[base.id])
        for position, each in enumerate(node.body):
            if isinstance(each, ast.ClassDef):
                found[each.name] = Member(each.name, ast.get_docstring(each), is_class=True)
            elif isinstance(each, Function):
                decorators = [ast.unparse(decorator) for decorator in each.decorator_list]
                if f"{each.name}.setter" in decorators:
                    continue
                is_property = "property" in decorators
                annotation = each.returns if is_property else None
                found[each.name] = Member(each.name, ast.get_docstring(each), annotation, each, is_property)
            elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                following = node.body[position + 1] if position + 1 < len(node.body) else None
                found[each.target.id] = Member(each.target.id, text_of(following), each.annotation)
        return found

    def family(self, member: Member) -> ast.ClassDef | None:
        """The class of a property that leads to a family of endpoints."""
        if not (member.is_property and isinstance(member.annotation, ast.Name)):
            return None
        node = self.classes.get(member.annotation.id)
        is_family = node and any(isinstance(base, ast.Name) and base.id == "_Family" for base in node.bases)
        return node if is_family else None

    def annotation(self, node: ast.expr) -> str:
        """An annotation with complete names."""
        return ast.unparse(Completion(self).visit(deepcopy(node)))

    def signature(self, node: Function, *, is_method: bool) -> tuple[str, str, bool]:
        """Arguments in brackets, ``-> …`` or nothing, and whether it is to be awaited."""
        arguments = deepcopy(node.args)
        if is_method and not any(ast.unparse(each) == "staticmethod" for each in node.decorator_list):
            (arguments.posonlyargs or arguments.args).pop(0)
        for each in ast.walk(arguments):
            if isinstance(each, ast.arg) and each.annotation:
                each.annotation = Completion(self).visit(each.annotation)
        returns, is_async = node.returns, isinstance(node, ast.AsyncFunctionDef)
        if isinstance(returns, ast.Subscript) and ast.unparse(returns.value) == "Coroutine":
            # What `async def` says in fewer words.
            returns, is_async = returns.slice, True
        shown = f" -> {self.annotation(returns)}" if returns else ""
        return f"({ast.unparse(arguments)})", shown, is_async


class Completion(ast.NodeTransformer):
    """Completes names in annotations to where they come from, and spells out what only the stub has a name for."""

    def __init__(self, stub: Stub):
        self.stub = stub

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.stub.aliases:
            spelt: ast.expr = self.visit(deepcopy(self.stub.aliases[node.id]))
            return spelt
        if node.id in self.stub.imported:
            return ast.Name(self.stub.imported[node.id])
        if node.id == "FileItem" or node.id in documented():
            return ast.Name(f"{public_module(node.id)}.{node.id}")
        # Without the module, `bytes` would become a link to anything that has a member of this name.
        return ast.Name(f"builtins.{node.id}") if hasattr(builtins, node.id) else node


@functools.cache
def documented() -> frozenset[str]:
    """Every name that has a description."""
    modules = [*PUBLIC_MODULES, f"{PACKAGE}._core"]
    names = {name for module in modules for name in importlib.import_module(module).__all__}
    return frozenset(name for name in names if not name.startswith("_"))


@functools.cache
def parsed(name: str) -> Stub:
    return Stub(name)


def stub_of(module: str, name: str | None = None) -> Stub:
    """The stub of a module, or the one that describes a name which the module only hands on."""
    if name is None:
        return parsed(module)
    for each in (module, f"{PACKAGE}._core", f"{PACKAGE}.exceptions", f"{PACKAGE}._items"):
        if name in parsed(each).classes or name in parsed(each).functions:
            return parsed(each)
    raise ExtensionError(f"{module}.{name} is in no stub")


def text_of(node: ast.stmt | None) -> str | None:
    """The text of a bare string, which is the description of the attribute above it."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return inspect.cleandoc(node.value.value)
    return None
