"""The values given for `?`, `$1`, `$name` and `:name`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlglot import expressions as exp

from plait.errors import SqlError
from plait.planner import builder
from plait.planner.expr import Literal
from plait.planner.sql.mistakes import Source, make_error


class Parameters:
    """Values by number (from 1) or by name; remembers which were used."""

    def __init__(
        self,
        source: Source,
        values: Sequence[Any] | Mapping[str, Any] | None,
        placeholders: tuple[int, ...] = (),
    ) -> None:
        if isinstance(values, str | bytes):
            raise SqlError("Parameters are a list of values or a dict, not one string")
        if isinstance(values, Mapping):
            self._values = {str(k).casefold(): v for k, v in values.items()}
        else:
            self._values = {str(i): v for i, v in enumerate(values or (), 1)}
        self._named = isinstance(values, Mapping)
        self._source = source
        self._placeholders = placeholders
        self._used: set[str] = set()

    def value(self, node: exp.Placeholder | exp.Parameter) -> Literal:
        """The constant a parameter stands for."""
        name = node.name
        key = name.casefold()
        if key not in self._values:
            raise self._error(self._missing(name), name)
        self._used.add(key)
        with self._source.at(node):
            return builder.literal(self._values[key])

    def finish(self) -> None:
        """Raise if values were given that no statement asks for."""
        extra = [key for key in self._values if key not in self._used]
        if not extra:
            return
        if self._named:
            raise SqlError(
                f"There is no parameter {' or '.join(f'${n}' for n in extra)} in the SQL"
            )
        count = len(self._values)
        raise SqlError(
            f"{count} parameter values were given, and the SQL uses {count - len(extra)}; "
            f"number {', '.join(extra)} is not used"
        )

    def _missing(self, name: str) -> str:
        if name.isdigit():
            if self._named:
                return f"Parameter {name} is given by number; pass a list of values, not a dict"
            given = len(self._values)
            return (
                f"No value for parameter {name}: {given or 'no'} value{'' if given == 1 else 's'} "
                "given"
            )
        if self._named:
            return f"No value for parameter {name!r}; there are {', '.join(self._values) or 'none'}"
        return f"No value for parameter {name!r}; pass a dict with its value"

    def _error(self, message: str, name: str) -> SqlError:
        sql = self._source.sql
        if name.isdigit() and int(name) <= len(self._placeholders):
            start: int | None = self._placeholders[int(name) - 1]
            return make_error(SqlError, message, sql, start)
        found = re.search(rf"[$:@]{re.escape(name)}\b", sql, re.IGNORECASE)
        start = found.start() if found else None
        return make_error(SqlError, message, sql, start, len(name) + 1)
