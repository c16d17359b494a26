"""A logical plan as SQL for DuckDB: what rules make of a plan can be run without our engine.

Every node becomes a SELECT over its inputs. DuckDB has no mark or single joins and no three-valued
IN as a join: these are written with EXISTS. A single join is written as a left join, so it does not
raise for a second row; tests of that need the engine.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from plait.planner.expr import Column, Expr, Literal, text
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Scan,
    Sort,
    Union,
    Values,
    Window,
)
from plait.planner.types import sql_name

# what our engine merges partial aggregates with
MERGES = """
CREATE MACRO count_merge(x) AS coalesce(sum(x), 0)::BIGINT;
CREATE MACRO mean_of(total, n) AS total::DOUBLE / nullif(n, 0);
"""

NOTHING = '1 AS "#nothing"'


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def listed(items: Iterable[str]) -> str:
    return ", ".join(items) or NOTHING


def expression(e: Expr) -> str:
    def quote(x: Expr) -> Expr:
        match x:
            case Column(name, dtype):
                return _Quoted(name, dtype)
            case Literal(value, dtype) if isinstance(value, pa.MonthDayNano):
                return _Interval(value, dtype)
        return x

    sql = str(e.transform_up(quote))
    return sql.replace("ROWS UNBOUNDED PRECEDING TO", "ROWS BETWEEN UNBOUNDED PRECEDING AND")


class _Quoted(Column):
    """A column whose text is quoted in any case: names such as `order` are no columns to SQL."""


class _Interval(Literal):
    """An interval in words that DuckDB reads."""


@text.register
def _(e: _Quoted) -> str:
    return quoted(e.name)


@text.register
def _(e: _Interval) -> str:
    months, days, nanoseconds = e.value
    return f"INTERVAL '{months} months {days} days {nanoseconds // 1000} microseconds'"


def _names(plan: LogicalPlan) -> str:
    return listed(quoted(n) for n in plan.schema.names)


def _named(pairs: Iterable[tuple[str, Expr]]) -> str:
    return listed(f"{expression(e)} AS {quoted(n)}" for n, e in pairs)


def _order(keys: Iterable[Expr]) -> str:
    listed_keys = []
    for key in keys:
        sql = expression(key)
        listed_keys.append(sql if sql.endswith("NULLS FIRST") else f"{sql} NULLS LAST")
    return ", ".join(listed_keys)


def as_duckdb(plan: LogicalPlan) -> str:
    """The SQL of a plan; tables go by the names of its scans."""
    match plan:
        case Scan():
            where = "" if plan.predicate is None else f" WHERE {expression(plan.predicate)}"
            return f"SELECT {_names(plan)} FROM {quoted(plan.name)}{where}"
        case Values():
            return _values(plan)
        case Filter(input=below, predicate=predicate):
            return f"SELECT * FROM ({as_duckdb(below)}) WHERE {expression(predicate)}"
        case Project(input=below, columns=columns):
            return f"SELECT {_named(columns)} FROM ({as_duckdb(below)})"
        case Aggregate(input=below, keys=keys, aggregates=aggregates):
            by = ", ".join(str(i + 1) for i in range(len(keys)))
            grouped = f" GROUP BY {by}" if keys else ""
            return f"SELECT {_named((*keys, *aggregates))} FROM ({as_duckdb(below)}){grouped}"
        case Window(input=below, calls=calls):
            return f"SELECT *, {_named(calls)} FROM ({as_duckdb(below)})"
        case Sort(input=below, keys=keys, limit=most):
            limit = "" if most is None else f" LIMIT {most}"
            return f"SELECT * FROM ({as_duckdb(below)}) ORDER BY {_order(keys)}{limit}"
        case Limit(input=below, count=most, offset=offset, from_end=False):
            limit = "" if most is None else f" LIMIT {most}"
            return f"SELECT * FROM ({as_duckdb(below)}){limit} OFFSET {offset}"
        case Distinct(input=below, on=on, keep="first"):
            some = "" if on is None else f" ON ({listed(map(quoted, on))})"
            return f"SELECT DISTINCT{some} * FROM ({as_duckdb(below)})"
        case Union(inputs=inputs):
            return " UNION ALL ".join(f"SELECT {_names(i)} FROM ({as_duckdb(i)})" for i in inputs)
        case RowNumber(input=below, name=name):
            number = f"row_number() OVER () - 1 AS {quoted(name)}"
            return f"SELECT *, {number} FROM ({as_duckdb(below)})"
        case Join():
            return _join(plan)
    raise NotImplementedError(type(plan).__name__)


def _values(plan: Values) -> str:
    typed = [(quoted(f.name), sql_name(f.type)) for f in plan.fields]
    if not plan.rows:
        return f"SELECT {listed(f'NULL::{t} AS {n}' for n, t in typed)} WHERE FALSE"
    rows = []
    for row in plan.rows:
        cells = zip(row, typed, strict=True)
        rows.append("SELECT " + listed(f"({expression(e)})::{t} AS {n}" for e, (n, t) in cells))
    return " UNION ALL ".join(rows)


def _join(plan: Join) -> str:
    left, right = as_duckdb(plan.left), as_duckdb(plan.right)
    on = "TRUE" if plan.condition is None else expression(plan.condition)
    names = _names(plan)
    match plan.kind:
        case "inner" | "left" | "right" | "full" | "cross" | "single":
            how = {"cross": "INNER", "single": "LEFT"}.get(plan.kind, plan.kind.upper())
            return f"SELECT {names} FROM ({left}) AS l {how} JOIN ({right}) AS r ON {on}"
    same = " AND ".join(f"({expression(a)} = {expression(b)})" for a, b in plan.in_keys)
    found = f"EXISTS (SELECT 1 FROM ({right}) AS r WHERE {on} AND ({same or 'TRUE'}))"
    if plan.in_keys:
        unknown = f"EXISTS (SELECT 1 FROM ({right}) AS r WHERE {on} AND ({same}) IS NULL)"
        found = f"CASE WHEN {found} THEN TRUE WHEN {unknown} THEN NULL ELSE FALSE END"
    match plan.kind:
        case "semi":
            return f"SELECT * FROM ({left}) AS l WHERE {found}"
        case "anti":
            return f"SELECT * FROM ({left}) AS l WHERE NOT ({found})"
        case "mark":
            assert plan.mark is not None
            return f"SELECT *, {found} AS {quoted(plan.mark)} FROM ({left}) AS l"
    raise NotImplementedError(plan.kind)
