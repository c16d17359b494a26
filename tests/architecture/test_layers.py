"""Who may import whom. Arrows only point down:

    api -> engine -> {planner, io, scheduler},  io -> planner

The law also holds for imports inside functions and under TYPE_CHECKING: needing a name of a room
above is the circle, whenever it is imported.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

import pytest

from tests.architecture.source import (
    GROUND_FLOOR,
    ROOMS,
    ROOT,
    Import,
    Module,
    imports,
    is_standard,
    modules,
    pyproject,
    room_of,
    within,
)

Check = Callable[[Module, Import], str | None]

MAY_IMPORT = {
    "planner": {"planner"},
    "scheduler": {"scheduler"},
    "io": {"io", "planner"},
    "engine": {"engine", "planner", "io", "scheduler"},
    "api": set(ROOMS),
}

# (who, of which room): the only modules of that room it may see.
DOORS = {
    ("engine", "io"): {"plait.io.reader", "plait.io.writer", "plait.io.column_cache"},
    # values and protocols; no implementation of an executor
    ("engine", "scheduler"): {
        "plait.scheduler.graph",
        "plait.scheduler.context",
        "plait.scheduler.executor",
        "plait.scheduler.events",
    },
}

# Third party: the packages of ours that may import it.
THIRD_PARTY = {
    "sqlglot": {"plait.planner.sql"},
    "fsspec": {"plait.io"},
    "aiohttp": {"plait.io"},
    "deltalake": {"plait.io"},
    "obstore": {"plait.io"},
    "tornado": {"plait.scheduler"},
    "msgpack": {"plait.scheduler"},
    "pandas": {"api", "plait.io"},
    "llvmlite": {"plait.engine.codegen"},
    "dask": {"plait.scheduler.adapters"},
    "distributed": {"plait.scheduler.adapters"},
    "ray": {"plait.scheduler.adapters"},
    "IPython": {"api"},
    "joblib": {"api"},
}

# The same, but only inside functions: for what most runs never need.
LAZILY = {"pandas": {"plait.engine.operators"}}

# Neither a dependency nor imported by pip: present in some installations, found out at run time.
OPTIONAL = {"aiohttp", "deltalake", "obstore", "dask", "distributed", "ray", "IPython", "joblib"}

# Distribution name to import name, where they differ.
IMPORT_NAMES = {"pyyaml": "yaml"}


def test_rooms_are_there() -> None:
    assert {room for room in ROOMS if (ROOT / room).is_dir()} == set(ROOMS)
    assert {m.room for m in modules().values()} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_down(room: str) -> None:
    _assert_none(_law, room)


def _law(module: Module, found: Import) -> str | None:
    target = room_of(found.target)
    if module.name in GROUND_FLOOR:
        # errors is the very bottom; config may raise them.
        allowed = {"plait.errors"} - {module.name}
        if target is not None and found.target not in allowed:
            return f"{found.target}: the ground floor imports nothing of ours"
        return None
    if target is None or found.target in GROUND_FLOOR:
        return None
    if target not in MAY_IMPORT[module.room]:
        return f"{found.target}: {module.room} may not import {target}"
    doors = DOORS.get((module.room, target))
    if doors is not None and not any(within(found.target, door) for door in doors):
        return f"{found.target}: {module.room} sees only {', '.join(sorted(doors))}"
    return None


def test_third_parties_have_their_place() -> None:
    _assert_none(_third_party)


def _third_party(module: Module, found: Import) -> str | None:
    package = found.target.split(".")[0]
    places = THIRD_PARTY.get(package)
    if places is None or _is_in(module, places):
        return None
    lazily = LAZILY.get(package, set())
    if _is_in(module, lazily):
        if found.at_module_level:
            return f"{package}: only inside functions here"
        return None
    return f"{package}: belongs in {', '.join(sorted(places | lazily))}"


def _is_in(module: Module, places: set[str]) -> bool:
    return module.room in places or any(within(module.name, place) for place in places)


def test_everything_imported_is_a_dependency() -> None:
    project = pyproject()["project"]
    names = {line.split(">")[0].split("=")[0].split("[")[0] for line in project["dependencies"]}
    known = {IMPORT_NAMES.get(name, name) for name in names} | OPTIONAL

    def unknown(module: Module, found: Import) -> str | None:
        package = found.target.split(".")[0]
        if found.relative or package == "plait" or package in ROOMS or is_standard(package):
            return None
        return None if package in known else f"{package} is no dependency in pyproject.toml"

    _assert_none(unknown)


def test_imports_are_absolute_and_by_installed_name() -> None:
    _assert_none(_spelling)


def _spelling(module: Module, found: Import) -> str | None:
    if found.relative:
        return "relative import"
    first = found.target.split(".")[0]
    # `io` alone is the standard library's; `io.something` would be ours by a wrong name.
    bare = first in ROOMS and (first != "io" or "." in found.target)
    return f"{found.target}: say plait.{found.target}" if bare else None


def test_nobody_imports_tests_examples_benchmarks() -> None:
    outside = {"tests", "examples", "benchmarks"}
    _assert_none(lambda _, found: found.target if found.target.split(".")[0] in outside else None)


def test_modules_import_in_no_circle() -> None:
    """Module-level imports make a graph without cycles, within and between rooms.

    So any module can be the first to be imported: none waits for another to have been.
    """
    graph = {
        module.name: {
            found.target
            for found in imports(module)
            if found.at_module_level and found.target in modules() and found.target != module.name
        }
        for module in modules().values()
    }
    circles = [circle for circle in _components(graph) if len(circle) > 1]
    assert not circles, "\n".join("circle: " + " <-> ".join(sorted(c)) for c in circles)


def _components(graph: dict[str, set[str]]) -> list[set[str]]:
    """Strongly connected components (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            found.append(set(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def _assert_none(fault: Check, room: str | None = None) -> None:
    lines = [
        f"{module.place}:{found.line}: {text}"
        for module in modules().values()
        if room in (None, module.room)
        for found in imports(module)
        if (text := fault(module, found))
    ]
    assert not lines, "\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("plait.planner.new", "from plait.engine import fragment"),
        ("plait.planner.new", "def f():\n    import plait.io.csv.source"),
        ("plait.planner.new", "if TYPE_CHECKING:\n    from plait.dataframe import DataFrame"),
        ("plait.planner.new", "import plait"),
        ("plait.scheduler.new", "import importlib\nimportlib.import_module('plait.planner')"),
        ("plait.io.new", "from plait.engine.kernels import scalar"),
        ("plait.engine.new", "from plait.scheduler.local import LocalExecutor"),
        ("plait.engine.new", "import plait.io.csv.source"),
        ("plait.errors", "import plait.config"),
    ],
)
def test_law_catches(name: str, source: str) -> None:
    assert any(_law(module, found) for module, found in _new(name, source))


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("plait.planner.optimizer.new", "import sqlglot"),
        ("plait.engine.operators.new", "import pandas as pd"),
        ("plait.engine.new", "def f():\n    import pandas as pd"),
        ("plait.planner.new", "import fsspec"),
    ],
)
def test_third_party_law_catches(name: str, source: str) -> None:
    assert any(_third_party(module, found) for module, found in _new(name, source))


@pytest.mark.parametrize("source", ["from . import expr", "import planner.expr", "import io.csv"])
def test_spelling_catches(source: str) -> None:
    assert any(_spelling(module, found) for module, found in _new("plait.planner.new", source))


def test_law_allows_what_it_should() -> None:
    for name, source in [
        ("plait.engine.new", "from plait.scheduler import graph, context"),
        ("plait.engine.new", "from plait.io.reader import read_split"),
        ("plait.engine.operators.new", "def f():\n    import pandas as pd"),
        ("plait.planner.sql.new", "import io\nfrom sqlglot import exp\nimport plait.errors"),
        ("plait.dataframe", "import pandas\nfrom plait.planner import expr"),
        ("plait.config", "from plait.errors import PlaitError"),
    ]:
        for module, found in _new(name, source):
            faults = [check(module, found) for check in (_law, _third_party, _spelling)]
            assert faults == [None, None, None], (name, source)


def _new(name: str, source: str) -> list[tuple[Module, Import]]:
    """The imports of a file that is not there, as if it were."""
    room = room_of(name)
    assert room is not None
    module = Module(name, room, ROOT / room / "new.py", ast.parse(source))
    return [(module, found) for found in imports(module)]
