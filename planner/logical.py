"""The logical plan: frozen relational nodes, each with children and a schema.

Column names are unique within a schema, and the two sides of a Join have no name in common.
`origin` tells the line of SQL or Python a node came from; it takes no part in equality.
Built through `plait.planner.builder`, rewritten by `plait.planner.optimizer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from plait.planner.expr import AggregateCall, Column, Expr, SortKey, WindowCall
from plait.planner.schema import Field, Schema
from plait.planner.source import TableSource
from plait.planner.tree import Tree
from plait.planner.types import BOOL, INT64, STRING

Named = tuple[str, Expr]


def _listed(items: Iterable[object]) -> str:
    return ", ".join(map(str, items))


def _named(pairs: Iterable[tuple[str, Expr]]) -> str:
    """`a, b + 1 AS c`: a column that keeps its name is not written twice."""
    return ", ".join(
        str(e) if isinstance(e, Column) and e.name == name else f"{e} AS {name}"
        for name, e in pairs
    )


class LogicalPlan(Tree):
    """The base of all plan nodes."""

    @property
    def schema(self) -> Schema:
        """Names and types of the rows this node gives; computed once."""
        known: Schema | None = self.__dict__.get("_schema")
        if known is None:
            known = self._make_schema()
            object.__setattr__(self, "_schema", known)
        return known

    def _make_schema(self) -> Schema:
        raise NotImplementedError(type(self).__name__)

    def expressions(self) -> tuple[Expr, ...]:
        """The expressions held by this node itself."""
        return self.nodes_of(Expr)

    def map_expressions(self, function: Callable[[Expr], Expr]) -> Any:
        """This node with `function` applied to each expression it holds."""
        return self.map_nodes_of(Expr, function)

    def label(self) -> str:
        """This node alone as one line of text, without its inputs."""
        raise NotImplementedError(type(self).__name__)

    def __str__(self) -> str:
        lines: list[str] = []
        stack: list[tuple[LogicalPlan, int]] = [(self, 0)]
        while stack:
            node, depth = stack.pop()
            lines.append("  " * depth + node.label())
            stack.extend((child, depth + 1) for child in reversed(node.children()))
        return "\n".join(lines)

    __repr__ = __str__


LogicalPlan._family = LogicalPlan


@dataclass(frozen=True, eq=False, repr=False)
class Scan(LogicalPlan):
    """Rows of a table. `columns` None means all, () none (only the number of rows matters).

    `predicate` is what the source was asked to apply; whether it is exact is the source's answer
    (`source.pushdown`): the rule leaves a Filter above for the rest.
    """

    source: TableSource = field(compare=False)
    columns: tuple[str, ...] | None = None
    predicate: Expr | None = None
    name: str = ""
    origin: str | None = field(default=None, compare=False)
    identity: str = ""  # the source's; set by the builder so that equal scans are equal

    def label(self) -> str:
        columns = "" if self.columns is None else f" columns=[{_listed(self.columns)}]"
        where = "" if self.predicate is None else f" where {self.predicate}"
        return f"Scan {self.name or self.source.name}{columns}{where}"

    def _make_schema(self) -> Schema:
        schema = self.source.schema
        if self.columns is None:
            return schema
        return Schema(tuple(schema[name] for name in self.columns))


@dataclass(frozen=True, eq=False, repr=False)
class Values(LogicalPlan):
    """Rows written in the query; every row's expressions are constant and of the fields' types."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[Expr, ...], ...]
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"Values {len(self.rows)} rows of [{_listed(f.name for f in self.fields)}]"

    def _make_schema(self) -> Schema:
        return Schema(self.fields)


@dataclass(frozen=True, eq=False, repr=False)
class Filter(LogicalPlan):
    """Rows for which the predicate is true (neither false nor NULL)."""

    input: LogicalPlan
    predicate: Expr
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"Filter {self.predicate}"

    def _make_schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, eq=False, repr=False)
class Project(LogicalPlan):
    """Computed columns, one row for each input row, in the same order."""

    input: LogicalPlan
    columns: tuple[Named, ...]
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"Project {_named(self.columns)}"

    def _make_schema(self) -> Schema:
        return Schema.of((name, e.dtype) for name, e in self.columns)


@dataclass(frozen=True, eq=False, repr=False)
class Aggregate(LogicalPlan):
    """One row a group of equal keys (NULL is a key like any other); without keys, one row always.

    Output: keys, then aggregates.
    """

    input: LogicalPlan
    keys: tuple[Named, ...]
    aggregates: tuple[tuple[str, AggregateCall], ...]
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        by = f" by [{_named(self.keys)}]" if self.keys else ""
        return f"Aggregate{by} {_named(self.aggregates)}".rstrip()

    def _make_schema(self) -> Schema:
        return Schema.of((name, e.dtype) for name, e in (*self.keys, *self.aggregates))


@dataclass(frozen=True, eq=False, repr=False)
class Join(LogicalPlan):
    """Pairs of rows for which `condition` is true. Kinds:

    inner, left, right, full, cross; semi and anti (left rows with, without a match);
    mark (every left row once, with a boolean column `mark`: has a match);
    single (left join that raises when a left row has two matches: scalar subqueries).

    `in_keys` makes semi, anti and mark three-valued, as IN asks: pairs of (left, right) values
    compared for equality where NULL is unknown. mark is then true, false or NULL; anti keeps a
    row only if no match is true and none is unknown (NOT IN). `condition` holds the rest.
    """

    left: LogicalPlan
    right: LogicalPlan
    kind: str
    condition: Expr | None = None
    mark: str | None = None
    in_keys: tuple[tuple[Expr, Expr], ...] = ()
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        keys = [f"{a} IN-= {b}" for a, b in self.in_keys]
        on = [*keys, *([str(self.condition)] if self.condition is not None else [])]
        mark = f" AS {self.mark}" if self.mark else ""
        return f"Join {self.kind}{mark}" + (f" on {' AND '.join(on)}" if on else "")

    def _make_schema(self) -> Schema:
        left, right = self.left.schema.fields, self.right.schema.fields
        if self.kind in ("semi", "anti"):
            return self.left.schema
        if self.kind == "mark":
            assert self.mark is not None
            return Schema((*left, Field(self.mark, BOOL)))
        nullable_left = self.kind in ("right", "full")
        nullable_right = self.kind in ("left", "full", "single")
        return Schema(
            (
                *(Field(f.name, f.type, f.nullable or nullable_left) for f in left),
                *(Field(f.name, f.type, f.nullable or nullable_right) for f in right),
            )
        )


@dataclass(frozen=True, eq=False, repr=False)
class Window(LogicalPlan):
    """The input's rows and columns, with window functions as further columns. Keeps row order."""

    input: LogicalPlan
    calls: tuple[tuple[str, WindowCall], ...]
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"Window {_named(self.calls)}"

    def _make_schema(self) -> Schema:
        added = (Field(name, call.dtype) for name, call in self.calls)
        return Schema((*self.input.schema.fields, *added))


@dataclass(frozen=True, eq=False, repr=False)
class Sort(LogicalPlan):
    """Rows in order; equal keys keep their order. `limit` makes it a top-n."""

    input: LogicalPlan
    keys: tuple[SortKey, ...]
    limit: int | None = None
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        first = "" if self.limit is None else f" first {self.limit}"
        return f"Sort by {_listed(self.keys)}{first}"

    def _make_schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, eq=False, repr=False)
class Limit(LogicalPlan):
    """The rows from `offset` on, at most `count` of them (None: all), in input order.

    `from_end` counts both from the end instead (tail).
    """

    input: LogicalPlan
    count: int | None
    offset: int = 0
    from_end: bool = False
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        count = "all" if self.count is None else str(self.count)
        end = " from the end" if self.from_end else ""
        return f"Limit {count}{f' offset {self.offset}' if self.offset else ''}{end}"

    def _make_schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, eq=False, repr=False)
class Distinct(LogicalPlan):
    """One row for each different value of `on` (None: of all columns).

    With `on`, the first row in input order is kept; `keep` may be first, last or none (rows that
    have a twin are dropped altogether: pandas' keep=False).
    """

    input: LogicalPlan
    on: tuple[str, ...] | None = None
    keep: str = "first"
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        on = "" if self.on is None else f" on [{_listed(self.on)}]"
        return f"Distinct{on}{'' if self.keep == 'first' else f' keep={self.keep}'}"

    def _make_schema(self) -> Schema:
        return self.input.schema


@dataclass(frozen=True, eq=False, repr=False)
class Union(LogicalPlan):
    """All rows of all inputs, one input after the other; the inputs have the same schema."""

    inputs: tuple[LogicalPlan, ...]
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return "Union"

    def _make_schema(self) -> Schema:
        schemas = [i.schema for i in self.inputs]
        return Schema(
            tuple(
                Field(f.name, f.type, any(s.fields[i].nullable for s in schemas))
                for i, f in enumerate(schemas[0].fields)
            )
        )


@dataclass(frozen=True, eq=False, repr=False)
class RowNumber(LogicalPlan):
    """The input with its row numbers from 0, in order, as a last column `name` (int64)."""

    input: LogicalPlan
    name: str
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"RowNumber AS {self.name}"

    def _make_schema(self) -> Schema:
        from_zero = Field(self.name, INT64, nullable=False)
        return Schema((*self.input.schema.fields, from_zero))


@dataclass(frozen=True, eq=False, repr=False)
class MapPartitions(LogicalPlan):
    """A Python function from a pandas DataFrame to one of the stated schema, for each partition.

    `whole` gives the function all rows at once. `key` makes calls with equal functions equal.
    A function whose attribute `takes_arrow` is true takes and gives pyarrow Tables, unconverted.
    """

    input: LogicalPlan
    function: Callable[[Any], Any] = field(compare=False)
    fields: tuple[Field, ...]
    key: str
    whole: bool = False
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"MapPartitions {self.key}{' over all rows' if self.whole else ''}"

    def _make_schema(self) -> Schema:
        return Schema(self.fields)


@dataclass(frozen=True, eq=False, repr=False)
class Write(LogicalPlan):
    """The input's rows written to files; gives one row a file: path, rows, bytes.

    `format` is parquet, csv or json; `options` are pairs of writer options.
    """

    input: LogicalPlan
    path: str
    format: str
    options: tuple[tuple[str, Any], ...] = ()
    origin: str | None = field(default=None, compare=False)

    def label(self) -> str:
        return f"Write {self.format} {self.path}"

    def _make_schema(self) -> Schema:
        return WRITE_SCHEMA


WRITE_SCHEMA = Schema.of((("path", STRING), ("rows", INT64), ("bytes", INT64)))
