"""sqlglot knows many functions by classes of its own; each must find its way to the registry."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ParseError

from plait.planner.functions import registry
from plait.planner.sql.functions import AGGREGATES, SCALARS, WINDOWS, unlisted
from plait.planner.sql.statements import _HANDLERS

NAMES = sorted(
    {
        name
        for table in (registry.SCALARS, registry.AGGREGATES, registry.WINDOWS)
        for function in table.values()
        for name in (function.name, *function.sql)
        if name.isidentifier() and not name.startswith("pandas_")
    }
    - {"in", "and", "or", "not", "notnull"}  # operators, not calls
)


def reaches_the_registry(node: exp.Expr) -> bool:
    """Whether the binder knows a call, by its class or by its name."""
    if type(node) in {*SCALARS, *AGGREGATES, *WINDOWS, *_HANDLERS}:
        return True
    name = unlisted(node) if isinstance(node, exp.Func) else None
    kinds = (registry.is_scalar, registry.is_aggregate, registry.is_window)
    return name is not None and any(is_known(name) for is_known in kinds)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_written_in_sql(name: str) -> None:
    calls = []
    for count in range(6):
        try:
            select = sqlglot.parse_one(f"select {name}({', '.join('abcdef'[:count])})", "duckdb")
        except ParseError:
            continue  # not with so many arguments
        calls += select.expressions
    assert any(reaches_the_registry(call) for call in calls)
