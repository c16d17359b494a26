"""The project's modules as the import law sees them: names, files, syntax trees, imports."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

# Folder to installed name. `api` is plait itself.
ROOMS = {
    "api": "plait",
    "planner": "plait.planner",
    "engine": "plait.engine",
    "io": "plait.io",
    "scheduler": "plait.scheduler",
}

# Files of api/ on which every room may stand.
GROUND_FLOOR = {"plait.errors", "plait.config"}


@dataclass(frozen=True)
class Module:
    """One source file of a room."""

    name: str  # plait.planner.sql.parser; a package is named without its __init__
    room: str  # planner
    path: Path
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    @property
    def place(self) -> str:
        return str(self.path.relative_to(ROOT))


@dataclass(frozen=True)
class Import:
    """One imported module, by its full name, and how it is imported."""

    target: str
    line: int
    relative: bool
    in_function: bool
    for_types: bool  # under `if TYPE_CHECKING:`, never executed

    @property
    def at_module_level(self) -> bool:
        return not (self.in_function or self.for_types)


def pyproject() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def modules() -> dict[str, Module]:
    """Every module of every room, by installed name."""
    found = {}
    for room, package in ROOMS.items():
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT / room).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            name = ".".join((package, *parts))
            if name in found:
                raise AssertionError(f"{path} and {found[name].path} are both {name}")
            found[name] = Module(name, room, path, ast.parse(path.read_text(), str(path)))
    return found


def room_of(name: str) -> str | None:
    """The room that holds an installed name; None for what is not plait."""
    if name != "plait" and not name.startswith("plait."):
        return None
    second = [*name.split("."), ""][1]
    return second if second in ROOMS and second != "api" else "api"


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def imports(module: Module) -> list[Import]:
    """What a module imports; `from a import b` is a.b where that is a module of ours, else a."""
    return list(_imports(module, module.tree, in_function=False, for_types=False))


def _imports(
    module: Module, node: ast.AST, *, in_function: bool, for_types: bool
) -> Iterator[Import]:
    match node:
        case ast.Import(names=names):
            for alias in names:
                yield Import(alias.name, node.lineno, False, in_function, for_types)
        case ast.ImportFrom(module=base, names=names, level=level):
            base = base or ""
            for alias in names:
                longer = f"{base}.{alias.name}"
                target = longer if longer in modules() else base
                yield Import(target, node.lineno, level > 0, in_function, for_types)
        case ast.Call(func=func, args=[ast.Constant(value=str(target)), *_]) if _is_import(func):
            yield Import(target, node.lineno, False, in_function, for_types)

    for field, value in ast.iter_fields(node):
        children = value if isinstance(value, list) else [value]
        inner = in_function or (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            and field == "body"
        )
        types = for_types or (
            isinstance(node, ast.If) and field == "body" and _is_type_checking(node.test)
        )
        for child in children:
            if isinstance(child, ast.AST):
                yield from _imports(module, child, in_function=inner, for_types=types)


def _is_import(func: ast.expr) -> bool:
    return ast.unparse(func) in {"importlib.import_module", "import_module", "__import__"}


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def is_standard(target: str) -> bool:
    return target.split(".")[0] in sys.stdlib_module_names
