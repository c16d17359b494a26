"""SQL statements carried out: queries give plans, the others change the session.

Names are resolved before binding: the statement names its tables, the session finds or opens them,
then the binder asks a catalog that has them all (see `plait.planner.sql.tables`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from plait import config, writing
from plait.bound import Bound, Recorder, Values, text_key
from plait.errors import SqlError, TableNotFoundError
from plait.io.memory import ArrowSource
from plait.planner import builder
from plait.planner import types as t
from plait.planner.catalog import MemoryCatalog
from plait.planner.logical import LogicalPlan
from plait.planner.sql import statements as st
from plait.planner.sql.parser import Script, parse
from plait.planner.sql.tables import table_names

if TYPE_CHECKING:
    from plait.session import Session, Variables


class Resolver:
    """The catalog of one call: `tables=`, then the session's, then the caller's variables."""

    def __init__(
        self, session: Session, tables: Mapping[str, Any] | None, variables: Variables
    ) -> None:
        self._session = session
        self._given = {name.casefold(): (name, table) for name, table in (tables or {}).items()}
        self._variables = variables
        self._known = MemoryCatalog()
        self._opened: dict[str, LogicalPlan] = {}

    def table(self, name: Sequence[str]) -> LogicalPlan | None:
        """The plan of a name."""
        found = self._known.table(name) if len(name) == 1 else None
        if found is not None:
            return found
        last = name[-1]
        given = self._given.get(last.casefold()) if len(name) == 1 else None
        if given is not None:
            return self._add(last, given[1])
        plan = self._session.catalog.table(name)
        if plan is not None:
            return plan
        variable = self._variables.find(last) if len(name) == 1 else None
        return None if variable is None else self._add(last, variable)

    def _add(self, name: str, table: Any) -> LogicalPlan:
        plan = self._session._plan_of(table, name)
        self._known.add(name, plan)
        return plan

    def names(self) -> list[str]:
        """Every name that is known without looking at variables."""
        given = [name for name, _ in self._given.values()]
        return [*given, *(n for n in self._session.catalog.names() if n not in given)]

    def open_file(self, path: Any, options: Mapping[str, Any]) -> LogicalPlan:
        """The plan of a file; opened once."""
        key = repr((path, sorted(options.items())))
        if key not in self._opened:
            self._opened[key] = self._session.open_file(path, dict(options))
        return self._opened[key]


def run(
    session: Session,
    query: str,
    tables: Mapping[str, Any] | None,
    params: Values | None,
    dialect: str,
    variables: Variables,
) -> Bound:
    """Carry out all statements of a text; the last one's result, which may be known already."""
    names = Resolver(session, tables, variables)
    key = text_key(query, dialect, params)
    known = None if key is None else session.texts.get(key)
    if known is not None and known.holds(names):
        return known
    script = parse(query, dialect)
    _open_files(session, script, names)
    asked = Recorder(names)
    result: LogicalPlan | None = None
    for statement in st.bind_each(
        script, asked, params=params, dialect=dialect, open_file=asked.open_file
    ):
        result = _carry_out(session, statement)
    if result is None:
        raise SqlError("There is no statement in this text")
    bound = Bound(result, asked)
    # what other statements give is either made by them, or shows what is at this moment
    if key is not None and len(script.statements) == 1 and isinstance(statement, st.Query):
        asked.keep(session.texts, key, bound)
    return bound


def _open_files(session: Session, script: Script, names: Resolver) -> None:
    """Open the files a script names, ahead of binding."""
    for reference in table_names(script).files:
        if reference.alias and session.catalog.table([reference.paths[0]]) is not None:
            continue
        names.open_file(reference.path, dict(reference.options))


def _carry_out(session: Session, statement: st.Statement) -> LogicalPlan:
    match statement:
        case st.Query(plan=plan):
            return plan
        case st.CreateView(name=name, plan=plan):
            if not _exists(session, statement):
                session.catalog.add(name, plan, kind="view")
            return _rows({"name": [name]})
        case st.CreateTable(name=name, plan=plan):
            if not _exists(session, statement):
                session.catalog.add(name, session.runner.persist(plan), kind="table")
            return _rows({"name": [name]})
        case st.Drop(kind=kind, name=name, if_exists=if_exists):
            return _drop(session, kind, name, if_exists)
        case st.Describe(schema=schema):
            columns = {
                "column_name": list(schema.names),
                "column_type": [t.sql_name(f.type) for f in schema],
                "null": ["YES" if f.nullable else "NO" for f in schema],
            }
            return _rows(columns)
        case st.ShowTables():
            return _rows({"name": sorted(session.tables())})
        case st.Explain(plan=plan, analyze=analyze):
            text = session.runner.explain(plan, "optimized", analyze)
            return _rows({"explain": text.splitlines()})
        case st.Copy(plan=plan, path=path, format=format_, options=options):
            given = writing.copy_options(options)
            table = session.runner.write(writing.plan(plan, path, format_, given, session.runner))
            return builder.scan(ArrowSource(table, name="files"))
        case st.Set(name=name, value=value):
            key = name.replace("__", ".")
            config.set(
                {
                    key: config.SETTINGS[key].default
                    if value is None and key in config.SETTINGS
                    else value
                }
            )
            return _rows({"name": [key]})


def _exists(session: Session, statement: st.CreateView | st.CreateTable) -> bool:
    """Whether nothing is to be done; raises if the name is taken and may not be replaced."""
    if statement.name not in session.catalog or statement.replace:
        return False
    if statement.if_not_exists:
        return True
    raise SqlError(
        f"There is a table or view {statement.name!r} already; write CREATE OR REPLACE, or drop it"
    )


def _drop(session: Session, kind: str, name: str, if_exists: bool) -> LogicalPlan:
    found = session.catalog.kind([name])
    if found is None and not if_exists:
        raise TableNotFoundError(name, session.catalog.names())
    if found is not None:
        if found != kind:
            raise SqlError(
                f"{name!r} is a {found}, not a {kind}: write DROP {found.upper()} {name}"
            )
        session.catalog.remove(name)
    return _rows({"name": [name]})


def _rows(columns: Mapping[str, list[Any]]) -> LogicalPlan:
    table = pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})
    return builder.scan(ArrowSource(table, name="result"))
