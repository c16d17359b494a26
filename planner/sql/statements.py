"""Statements: what a text asks for, each with its plan.

bind(sql, catalog)        all statements of a text at once; later ones see what earlier create
bind_each(sql, catalog)   one by one, so that each can be carried out before the next is bound
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlglot import expressions as exp

from plait.errors import ColumnNotFoundError, SqlError
from plait.planner import builder
from plait.planner.catalog import Catalog, Overlay
from plait.planner.expr import Column
from plait.planner.interpreter import deep_trees
from plait.planner.logical import LogicalPlan
from plait.planner.schema import Schema
from plait.planner.sql import (
    aggregates,
    calls,
    expressions,
    grouping,
    predicates,
    subqueries,
    windows,
)
from plait.planner.sql.binder import Context, Handler, OpenFile
from plait.planner.sql.constants import value
from plait.planner.sql.parameters import Parameters
from plait.planner.sql.parser import Parsed, Script, parse
from plait.planner.sql.queries import bind_query
from plait.planner.sql.relations import Tables
from plait.planner.sql.tables import reference_counts

Values = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Query:
    """SELECT, VALUES, FROM, TABLE."""

    plan: LogicalPlan


@dataclass(frozen=True)
class CreateView:
    """CREATE [OR REPLACE] VIEW name AS ..."""

    name: str
    plan: LogicalPlan
    replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True)
class CreateTable:
    """CREATE [OR REPLACE] TABLE name AS ...: the rows are computed and kept."""

    name: str
    plan: LogicalPlan
    replace: bool = False
    if_not_exists: bool = False


@dataclass(frozen=True)
class Drop:
    """DROP TABLE or DROP VIEW; `kind` is `table` or `view`."""

    kind: str
    name: str
    if_exists: bool = False


@dataclass(frozen=True)
class Describe:
    """DESCRIBE of a table or query: the columns it has."""

    schema: Schema


@dataclass(frozen=True)
class ShowTables:
    """SHOW TABLES."""


@dataclass(frozen=True)
class Explain:
    """EXPLAIN and EXPLAIN ANALYZE of a query."""

    plan: LogicalPlan
    analyze: bool = False


@dataclass(frozen=True)
class Copy:
    """COPY a query or table TO a file; `options` are as they were written, in lower case."""

    plan: LogicalPlan
    path: str
    format: str
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Set:
    """SET name = value; the value is None for DEFAULT."""

    name: str
    value: Any


Statement = Query | CreateView | CreateTable | Drop | Describe | ShowTables | Explain | Copy | Set

_HANDLERS: dict[type[exp.Expr], Handler] = {
    **expressions.HANDLERS,
    **calls.HANDLERS,
    **aggregates.HANDLERS,
    **subqueries.HANDLERS,
    **windows.HANDLERS,
    **predicates.HANDLERS,
    **grouping.HANDLERS,
}


def bind(
    sql: str | Script,
    catalog: Catalog,
    *,
    params: Values | None = None,
    dialect: str = "duckdb",
    open_file: OpenFile | None = None,
) -> list[Statement]:
    """The statements of a text. Names that one creates are seen by those after it."""
    overlay = Overlay(catalog)
    found: list[Statement] = []
    for statement in bind_each(sql, overlay, params=params, dialect=dialect, open_file=open_file):
        found.append(statement)
        match statement:
            case CreateView(name, plan) | CreateTable(name, plan):
                overlay.add(name, plan)
            case Drop(_, name):
                overlay.remove(name)
    return found


def bind_each(
    sql: str | Script,
    catalog: Catalog,
    *,
    params: Values | None = None,
    dialect: str = "duckdb",
    open_file: OpenFile | None = None,
) -> Iterator[Statement]:
    """The statements of a text, each bound when it is asked for."""
    script = parse(sql, dialect) if isinstance(sql, str) else sql
    parameters = Parameters(script.source, params, script.placeholders)
    for number, parsed in enumerate(script.statements, 1):
        context = Context(
            source=script.source,
            catalog=catalog,
            open_file=open_file,
            parameters=parameters,
            dialect=script.dialect,
            handlers=_HANDLERS,
            bind_query=bind_query,
            references=reference_counts(parsed.node),
            index_base=script.index_base,
        )
        try:
            statement = _statement(context, parsed)
        except RecursionError:
            raise SqlError(
                "This statement is nested too deeply; compute inner parts in a subquery or WITH"
            ) from None
        if number == len(script.statements):
            parameters.finish()
        yield statement


def bind_query_text(sql: str | Script, catalog: Catalog, **options: Any) -> LogicalPlan:
    """The plan of a text that is one query."""
    found = bind(sql, catalog, **options)
    if len(found) != 1 or not isinstance(found[0], Query):
        raise SqlError("One query is expected here, such as SELECT ... FROM ...")
    return found[0].plan


@deep_trees
def _statement(context: Context, parsed: Parsed) -> Statement:
    node = parsed.node
    if parsed.explain is not None:
        if not _is_query(node):
            context.source.refuse("EXPLAIN of something else than a query", node)
        return Explain(_query(context, node), parsed.explain == "analyze")
    match node:
        case exp.Create():
            return _create(context, node)
        case exp.Drop():
            return _drop(context, node)
        case exp.Describe():
            return _describe(context, node)
        case exp.Show():
            context.source.check_args(node, ("this",), "SHOW")
            if node.name.upper() not in ("TABLES", "ALL TABLES"):
                context.source.refuse(f"SHOW {node.name}", node, "there is SHOW TABLES")
            return ShowTables()
        case exp.Copy():
            return _copy(context, node)
        case exp.Set():
            return _set(context, node)
    if not _is_query(node):
        context.source.refuse(f"{type(node).__name__.upper()} as a statement", node)
    return Query(_query(context, node))


def _is_query(node: exp.Expr) -> bool:
    return isinstance(node, exp.Query | exp.Values) and not isinstance(node, exp.Table)


def _query(context: Context, node: exp.Expr) -> LogicalPlan:
    return context.query(node, None, ChainMap(), True).plan


def _create(context: Context, node: exp.Create) -> CreateView | CreateTable:
    source = context.source
    kind = str(node.args["kind"]).upper()
    if kind not in ("TABLE", "VIEW"):
        source.refuse(f"CREATE {kind}", node, word=kind)
    handled = ("this", "kind", "expression", "exists", "replace", "with_", "properties")
    source.check_args(node, handled, f"CREATE {kind}")
    properties = node.args.get("properties")
    for item in properties.expressions if properties is not None else ():
        # everything a session creates is temporary
        if not isinstance(item, exp.TemporaryProperty):
            source.refuse(f"{item.sql()} in CREATE {kind}", item)
    target, names = node.this, []
    if isinstance(target, exp.Schema):
        names = [e.name for e in target.expressions if isinstance(e, exp.Identifier)]
        if len(names) != len(target.expressions):
            source.refuse("CREATE TABLE with column types", target, "use CREATE TABLE ... AS")
        target = target.this
    if node.expression is None or not _is_query(node.expression):
        source.refuse(f"CREATE {kind} without AS SELECT", node)
    plan = _query(context, node.expression)
    if names:
        fields = plan.schema.fields
        if len(names) > len(fields):
            raise source.error(f"{len(names)} names for {len(fields)} columns", node.this)
        names += [f.name for f in fields[len(names) :]]
        pairs = zip(names, fields, strict=True)
        plan = builder.project(plan, [(n, Column(f.name, f.type)) for n, f in pairs])
    create = CreateView if kind == "VIEW" else CreateTable
    name = _target(context, target)
    return create(name, plan, bool(node.args.get("replace")), bool(node.args.get("exists")))


def _target(context: Context, node: exp.Expr) -> str:
    """The name of what is created or dropped; there is one schema."""
    parts = [p.name for p in node.parts] if isinstance(node, exp.Table) else [node.name]
    if len(parts) > 1 and parts[:-1] not in (["main"], ["temp"], ["memory", "main"]):
        context.source.refuse("A schema other than main", node)
    return parts[-1]


def _drop(context: Context, node: exp.Drop) -> Drop:
    handled = ("kind", "tables", "exists", "this", "expressions")
    context.source.check_args(node, handled, "DROP")
    kind = str(node.args.get("kind") or "").upper()
    if kind not in ("TABLE", "VIEW"):
        context.source.refuse(f"DROP {kind}", node, word=kind or "drop")
    targets = node.args.get("tables") or [node.this]
    if len(targets) != 1:
        context.source.refuse("DROP of several names at once", node)
    return Drop(kind.lower(), _target(context, targets[0]), bool(node.args.get("exists")))


def _describe(context: Context, node: exp.Describe) -> Describe:
    context.source.check_args(node, ("this",), "DESCRIBE")
    what = node.this
    if isinstance(what, exp.Table):
        return Describe(_table(context, what).schema)
    if not _is_query(what):
        context.source.refuse("DESCRIBE of something else than a table or query", node)
    return Describe(_query(context, what).schema)


def _table(context: Context, node: exp.Table) -> LogicalPlan:
    found = Tables(context, None, ChainMap()).bind(node, ())
    return found.plan


def _copy(context: Context, node: exp.Copy) -> Copy:
    source = context.source
    if node.args.get("kind"):
        source.refuse("COPY ... FROM", node, "SELECT FROM the file instead", word="from")
    handled = {"this", "files", "params", "credentials"}
    source.check_args(node, handled, "COPY")
    credentials = node.args.get("credentials")
    if credentials is not None:
        source.check_args(credentials, (), "COPY")
    what = node.this
    columns: list[str] = []
    if isinstance(what, exp.Schema) and isinstance(what.this, exp.Table):
        columns, what = [e.name for e in what.expressions], what.this
    if isinstance(what, exp.Table):
        plan = _table(context, what)
        if columns:
            plan = builder.select(plan, [plan.schema.names[_position(plan, c)] for c in columns])
    elif _is_query(what):
        plan = _query(context, what)
    else:
        source.refuse("COPY of something else than a table or query", node)
    files = node.args.get("files") or []
    if len(files) != 1 or not isinstance(files[0], exp.Literal | exp.Identifier | exp.Table):
        raise source.error("COPY ... TO needs one path", node)
    path = files[0].name
    options: dict[str, Any] = {}
    for param in node.args.get("params") or ():
        given = param.args.get("expression")
        name = param.name.lower()
        if name in options:
            raise source.error(f"{name.upper()} is given twice", node)
        match given:
            case None:
                options[name] = True
            case exp.Star():
                options[name] = "*"
            case _:
                options[name] = value(source, given, name.upper())
    if options.get("partition_by") == "*":
        options["partition_by"] = list(plan.schema.names)
    format_ = str(options.pop("format", "") or _format_of(path)).lower()
    if format_ not in ("parquet", "csv", "json"):
        raise source.error(f"COPY writes parquet, csv and json, not {format_!r}", files[0])
    return Copy(plan, path, format_, tuple(options.items()))


def _position(plan: LogicalPlan, name: str) -> int:
    """Where a column of a table is; case does not matter."""
    names = [n.casefold() for n in plan.schema.names]
    if name.casefold() not in names:
        raise ColumnNotFoundError(name, plan.schema.names)
    return names.index(name.casefold())


def _format_of(path: str) -> str:
    lowered = path.lower()
    if ".parquet" in lowered or lowered.endswith(".pq"):
        return "parquet"
    return "json" if ".json" in lowered or ".ndjson" in lowered else "csv"


def _set(context: Context, node: exp.Set) -> Set:
    source = context.source
    source.check_args(node, ("expressions",), "SET")
    if len(node.expressions) != 1:
        source.refuse("SET of several settings at once", node)
    item = node.expressions[0]
    assignment = item.this
    if not isinstance(assignment, exp.EQ):
        source.refuse("This form of SET", node, "write SET name = value")
    source.check_args(item, ("this",), "SET")
    name = ".".join(p.name for p in assignment.this.parts)
    given = value(source, assignment.expression, f"SET {name}")
    return Set(name.lower(), None if str(given).upper() == "DEFAULT" else given)
