"""Every error plait raises, as one tree; each also is the built-in error its users expect.

PlaitError
  PlanError(ValueError)                 a plan that cannot be built or run
    ColumnNotFoundError(KeyError)       no such column; names the nearest ones
    TableNotFoundError(LookupError)     no such table
    TypeMismatchError(TypeError)        an operation that its argument types do not allow
    UnsupportedError(NotImplementedError)   known, but not done by plait
  SqlError(ValueError)                  a mistake in SQL text, shown with line and caret
    SqlSyntaxError
  ComputeError                          what data can do wrong while a plan runs
    NumericOverflowError(OverflowError)
    ConversionError(ValueError)
    ScalarSubqueryError                 a scalar subquery gave more than one row
    SpillError(OSError)                 rows that went to disk cannot be written or read again
      SpillDiskFull                     the disk for them is full
  ReadError(ValueError)                 a file that cannot be read as it was asked
  WriteError(OSError)
  ConfigError(ValueError)
  ExecutionCancelled                    a run that was stopped
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PlaitError(Exception):
    """The base of every error raised by plait."""

    def __str__(self) -> str:  # KeyError would show the repr of its argument
        return str(self.args[0]) if self.args else ""


class PlanError(PlaitError, ValueError):
    """A plan that cannot be built or run as written."""


def nearest_names(name: str, available: Iterable[str], limit: int = 3) -> list[str]:
    """The names of `available` that look most like `name`, best first."""
    names = list(dict.fromkeys(available))
    by_folded = {n.casefold(): n for n in reversed(names)}
    close = difflib.get_close_matches(name.casefold(), list(by_folded), n=limit, cutoff=0.6)
    return [by_folded[folded] for folded in close]


def _not_found(what: str, name: str, available: Iterable[str]) -> str:
    names = list(available)
    text = f"No {what} named {name!r}."
    close = nearest_names(name, names)
    if close:
        text += f" Did you mean {' or '.join(repr(n) for n in close)}?"
    if names:
        shown = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
        text += f" Available: {shown}"
    return text


class ColumnNotFoundError(PlanError, KeyError):
    """A column that does not exist; the text names the nearest ones."""

    def __init__(self, name: str, available: Iterable[str] = ()) -> None:
        super().__init__(_not_found("column", name, available))
        self.name = name


class TableNotFoundError(PlanError, LookupError):
    """A table that does not exist; the text names the nearest ones."""

    def __init__(self, name: str, available: Iterable[str] = ()) -> None:
        text = _not_found("table", name, available)
        if name.lower().endswith((".csv", ".tsv", ".parquet", ".json", ".jsonl", ".gz")):
            text += f" A file's name goes in quotes: FROM '{name}'"
        super().__init__(text)
        self.name = name


class TypeMismatchError(PlanError, TypeError):
    """An operation that its argument types do not allow."""


class UnsupportedError(PlanError, NotImplementedError):
    """Something known that plait does not do; the text says what to write instead."""


def caret(sql: str, line: int, column: int, length: int = 1) -> str:
    """The line of `sql` numbered `line` (from 1) with a caret below `column` (from 1)."""
    lines = sql.splitlines() or [""]
    shown = lines[min(line, len(lines)) - 1]
    width = max(1, min(length, len(shown) - column + 1))
    start = f"  line {line}: "
    return f"{start}{shown}\n{' ' * (len(start) + column - 1)}{'^' * width}"


class SqlError(PlaitError, ValueError):
    """A mistake in SQL text.

    Attributes: `sql`, and `line` and `column` (both from 1, None when unknown).
    """

    def __init__(
        self,
        message: str,
        sql: str | None = None,
        line: int | None = None,
        column: int | None = None,
        length: int = 1,
    ) -> None:
        self.message, self.sql, self.line, self.column = message, sql, line, column
        if sql is not None and line is not None and column is not None:
            message = f"{message}\n{caret(sql, line, column, length)}"
        super().__init__(message)


class SqlSyntaxError(SqlError):
    """SQL text that cannot be parsed."""


class ComputeError(PlaitError):
    """What data can do wrong while a plan runs."""


class NumericOverflowError(ComputeError, OverflowError):
    """A number that does not fit its type."""


class ConversionError(ComputeError, ValueError):
    """A value that cannot be converted to the asked type."""


class ScalarSubqueryError(ComputeError, ValueError):
    """A scalar subquery that gave more than one row."""


class SpillError(ComputeError, OSError):
    """Rows that did not fit into memory cannot be written to disk, or not be read again."""


class SpillDiskFull(SpillError):  # noqa: N818  (what has happened, in the words users search for)
    """The disk for such rows is full; the text names the folder and the settings."""


class ReadError(PlaitError, ValueError):
    """A file that cannot be read as it was asked; the text names file, line and column."""


class WriteError(PlaitError, OSError):
    """A file that cannot be written."""


class ConfigError(PlaitError, ValueError):
    """A setting that does not exist or has an impossible value."""


class ExecutionCancelled(PlaitError):  # noqa: N818  (a request carried out, not a fault)
    """A run that was stopped, by the user or by the failure of another task."""
