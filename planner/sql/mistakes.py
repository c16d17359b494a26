"""Where in the SQL text something stands, and the errors that show it with line and caret.

sqlglot keeps positions on identifiers, literals, stars and function names only. `span` therefore
takes the first and last position found in a subtree; a node without any (NULL, TRUE) is shown at
the nearest node above it that has one.

Errors are SqlError and, where there is one, also the error that the same mistake raises outside of
SQL (an unknown column is a ColumnNotFoundError too).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

from sqlglot import expressions as exp

from plait.errors import (
    ColumnNotFoundError,
    ConversionError,
    PlaitError,
    PlanError,
    SqlError,
    TableNotFoundError,
    TypeMismatchError,
    UnsupportedError,
)


class UnknownColumnError(SqlError, ColumnNotFoundError):
    """A column that SQL text names and that does not exist."""

    name = ""


class UnknownTableError(SqlError, TableNotFoundError):
    """A table that SQL text names and that does not exist."""

    name = ""


class SqlTypeError(SqlError, TypeMismatchError):
    """An operation in SQL text that its argument types do not allow."""


class SqlUnsupportedError(SqlError, UnsupportedError):
    """SQL that plait knows of and does not do."""


_BOTH: tuple[tuple[type[PlaitError], type[SqlError]], ...] = (
    (ColumnNotFoundError, UnknownColumnError),
    (TableNotFoundError, UnknownTableError),
    (TypeMismatchError, SqlTypeError),
    (UnsupportedError, SqlUnsupportedError),
)


def make_error(
    kind: type[SqlError],
    message: str,
    sql: str,
    start: int | None,
    length: int = 1,
    name: str = "",
) -> SqlError:
    """An error of `kind` that points at offset `start` of `sql`.

    The classes above have two parents whose constructors differ, so the attributes of both are
    set here and neither parent's constructor runs.
    """
    line = column = None
    if start is not None:
        line = sql.count("\n", 0, start) + 1
        column = start - (sql.rfind("\n", 0, start) + 1) + 1
    plain = SqlError(message, sql, line, column, length)
    if kind is SqlError:
        return plain
    error = kind.__new__(kind)
    Exception.__init__(error, *plain.args)
    error.__dict__.update(plain.__dict__)
    if name:
        error.__dict__["name"] = name
    return error


def subtree_span(node: exp.Expr) -> tuple[int, int] | None:
    """First and last offset of the positions within a subtree; None if it has none."""
    first, last = -1, -1
    stack: list[object] = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
            continue
        if not isinstance(item, exp.Expr):
            continue
        meta = item._meta
        if meta and "start" in meta:
            start, end = meta["start"], meta["end"]
            first = start if first < 0 or start < first else first
            last = max(last, end)
        stack.extend(item.args.values())
    return None if first < 0 else (first, last)


def span(node: exp.Expr | None) -> tuple[int, int] | None:
    """The span of a node, or of the nearest one above it that has a position."""
    while node is not None:
        found = subtree_span(node)
        if found is not None:
            return found
        node = node.parent
    return None


@dataclass(frozen=True)
class Source:
    """The SQL text of a statement; makes errors and origins that refer to it."""

    sql: str

    @cached_property
    def has_columns_calls(self) -> bool:
        """Whether COLUMNS(...) may stand somewhere; saves looking for it in every expression."""
        return "columns" in self.sql.lower()

    def error(
        self,
        message: str,
        node: exp.Expr | None = None,
        kind: type[SqlError] = SqlError,
        name: str = "",
        word: str = "",
    ) -> SqlError:
        """An error at the position of a node, or at the nearest keyword `word` if it has none."""
        where = None if node is None else subtree_span(node)
        if where is None and word:
            start = self._near(word, node)
            where = None if start is None else (start, start + len(word) - 1)
        if where is None:
            where = span(node)
        if where is None:
            return make_error(kind, message, self.sql, None, name=name)
        return make_error(kind, message, self.sql, where[0], where[1] - where[0] + 1, name)

    def refuse(
        self, what: str, node: exp.Expr | None = None, advice: str = "", word: str = ""
    ) -> NoReturn:
        """Raise: something that is SQL and that plait does not do.

        `word` is the keyword to point at when the node has no position of its own.
        """
        message = f"{what} is not supported{'; ' + advice if advice else ''}"
        where = self._near(word, node) if word else None
        if where is not None:
            raise make_error(SqlUnsupportedError, message, self.sql, where, len(word))
        raise self.error(message, node, SqlUnsupportedError)

    def _near(self, word: str, node: exp.Expr | None) -> int | None:
        """The offset of the keyword nearest to a node."""
        pattern = r"\b" + r"\s+".join(map(re.escape, word.split())) + r"\b"
        found = [m.start() for m in re.finditer(pattern, self.sql, re.IGNORECASE)]
        where = span(node)
        if where is None or not found:
            return found[0] if found else None
        return min(found, key=lambda start: abs(start - where[0]))

    def unknown_column(
        self, name: str, available: Iterable[str], node: exp.Expr | None
    ) -> SqlError:
        """No such column."""
        text = str(ColumnNotFoundError(name, dict.fromkeys(available)))
        return self.error(text, node, UnknownColumnError, name)

    def unknown_table(self, name: str, available: Iterable[str], node: exp.Expr | None) -> SqlError:
        """No such table."""
        text = str(TableNotFoundError(name, dict.fromkeys(available)))
        return self.error(text, node, UnknownTableError, name)

    def check_args(self, node: exp.Expr, handled: Iterable[str], what: str) -> None:
        """Refuse a node with a clause or option that is not among those `handled`."""
        for key, value in node.args.items():
            if not value or key in handled:
                continue
            inner = value[0] if isinstance(value, list) else value
            place = inner if isinstance(inner, exp.Expr) else node
            word = key.strip("_").replace("_", " ").upper()
            where = what[:1].lower() + what[1:] if what.startswith("The ") else what
            self.refuse(f"{word} in {where}", place)

    @contextmanager
    def at(self, node: exp.Expr | None) -> Iterator[None]:
        """Give errors of the plan builder the position of a node."""
        try:
            yield
        except SqlError:
            raise
        except (PlanError, ConversionError) as problem:
            kind = next((b for a, b in _BOTH if isinstance(problem, a)), SqlError)
            name = str(getattr(problem, "name", ""))
            raise self.error(str(problem), node, kind, name) from problem

    def origin(self, node: exp.Expr | None, clause: str = "") -> str | None:
        """`line 3: where a > 1`: what a plan node came from."""
        where = None if node is None else subtree_span(node)
        if where is None:
            return None
        line = self.sql.count("\n", 0, where[0]) + 1
        text = " ".join(self._closed(*where).split())
        if len(text) > 60:
            text = text[:57] + "..."
        return f"line {line}: {clause + ' ' if clause else ''}{text}"

    def text(self, node: exp.Expr) -> str | None:
        """The text of a node as it was written; None when it has no position."""
        where = subtree_span(node)
        return None if where is None else self._closed(*where)

    def text_before(self, node: exp.Expr) -> str:
        """The text up to a node; empty when it has no position."""
        where = subtree_span(node)
        return "" if where is None else self.sql[: where[0]]

    def _closed(self, start: int, end: int) -> str:
        """The text between two offsets and the parentheses that close those it opens."""
        text = self.sql[start : end + 1]
        missing = text.count("(") - text.count(")")
        rest = self.sql[end + 1 :]
        while missing > 0 and rest.lstrip().startswith(")"):
            cut = rest.index(")") + 1
            text, rest, missing = text + rest[:cut], rest[cut:], missing - 1
        return text
