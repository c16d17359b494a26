"""Which tables and files a text names, before anything is bound.

The session opens the files first (all at once, that is I/O), so that binding asks nothing but the
catalog. Names of WITH tables are left out where they are visible.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlglot import expressions as exp

from plait.planner.sql.files import FileReference, file_of
from plait.planner.sql.parser import Script


@dataclass(frozen=True)
class TableNames:
    """Names to be found in a catalog, and files to be opened, each once, in textual order.

    A quoted name that looks like a file (`"y.csv"`) is in both: the catalog has precedence.
    """

    tables: tuple[tuple[str, ...], ...]
    files: tuple[FileReference, ...]


def table_names(script: Script) -> TableNames:
    """All tables and files that the statements of a text read."""
    tables: dict[tuple[str, ...], None] = {}
    files: dict[str, FileReference] = {}
    for statement in script.statements:
        for node in references(statement.node):
            reference = file_of(node, script.source)
            if isinstance(node.this, exp.Identifier):
                path = tuple(p.name for p in node.parts if isinstance(p, exp.Identifier))
                tables.setdefault(path)
            if reference is not None:
                files.setdefault(repr(reference), reference)
    return TableNames(tuple(tables), tuple(files.values()))


def references(statement: exp.Expr) -> list[exp.Table]:
    """The tables a statement reads, without those of its own WITH clauses."""
    found: list[exp.Table] = []
    stack: list[tuple[object, frozenset[str]]] = [(statement, frozenset())]
    while stack:
        node, hidden = stack.pop()
        if isinstance(node, list):
            stack.extend((item, hidden) for item in reversed(node))
            continue
        if not isinstance(node, exp.Expr):
            continue
        if isinstance(node, exp.Table):
            name = node.name.casefold()
            if not (name in hidden and node.args.get("db") is None):
                found.append(node)
        skipped: set[str] = set()
        if isinstance(node, exp.Create | exp.Drop):
            skipped = {"this", "tables"}
        with_ = node.args.get("with_")
        if isinstance(with_, exp.With):
            inner = hidden
            for cte in with_.expressions:
                stack.append((cte.this, inner))
                inner = inner | {cte.alias.casefold()}
            hidden, skipped = inner, skipped | {"with_"}
        values = [value for key, value in node.args.items() if key not in skipped]
        stack.extend((value, hidden) for value in reversed(values))
    return found


def reference_counts(statement: exp.Expr) -> Counter[str]:
    """How often each table name stands in a statement, WITH tables included."""
    return Counter(node.name.casefold() for node in statement.find_all(exp.Table))
