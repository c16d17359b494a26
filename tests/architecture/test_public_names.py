"""What users import is listed, sorted, there, and documented."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import plait

PUBLIC: list[str] = list(getattr(plait, "__all__", []))


def test_names_are_sorted() -> None:
    assert sorted(PUBLIC) == PUBLIC
    assert len(set(PUBLIC)) == len(PUBLIC)


def test_names_resolve() -> None:
    for name in PUBLIC:
        assert getattr(plait, name) is not None
    assert set(PUBLIC) <= set(dir(plait))


def test_no_module_takes_the_place_of_a_public_name() -> None:
    """Importing `plait.x` puts the module where the function `x` was."""
    files = {path.stem for path in Path(plait.__file__).parent.glob("*.py")}
    taken = [name for name in PUBLIC if name in files]
    assert [name for name in taken if not inspect.ismodule(getattr(plait, name))] == []


def test_public_objects_have_docstrings() -> None:
    missing = []
    for name in PUBLIC:
        value = getattr(plait, name)
        if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
            continue
        # A class without one inherits its base's; that says nothing about the class.
        text = value.__dict__.get("__doc__") if inspect.isclass(value) else value.__doc__
        if not (text or "").strip():
            missing.append(name)
        if inspect.isclass(value):
            missing += [f"{name}.{method}" for method in _undocumented(value)]
    assert not missing


def _undocumented(cls: type) -> Iterator[str]:
    for name, member in vars(cls).items():
        if name.startswith("_") or isinstance(member, ModuleType):
            continue
        if isinstance(member, (staticmethod, classmethod)):
            member = member.__func__
        if (inspect.isfunction(member) or isinstance(member, property)) and not member.__doc__:
            yield name
