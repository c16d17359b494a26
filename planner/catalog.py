"""Catalog: the tables and views a statement may name.

Names are looked up as DuckDB does: without regard to case, and `main.t` is `t`. A catalog gives
logical plans, so that a table, a view and a dataframe are the same thing to a query.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from plait.planner.logical import LogicalPlan

DEFAULT_SCHEMAS = ((), ("main",), ("memory", "main"), ("plait", "main"))


class Catalog(Protocol):
    """What the SQL binder asks for tables."""

    def table(self, name: Sequence[str]) -> LogicalPlan | None:
        """The rows of a table or view by the parts of its name; None if there is no such."""

    def names(self) -> list[str]:
        """The names of all tables and views."""


class MemoryCatalog:
    """Tables and views by name, in the order in which they were added."""

    def __init__(self, tables: Mapping[str, LogicalPlan] | None = None) -> None:
        self._tables: dict[str, tuple[str, LogicalPlan, str]] = {}
        for name, plan in (tables or {}).items():
            self.add(name, plan)

    def add(self, name: str, plan: LogicalPlan, *, kind: str = "table") -> None:
        """Add or replace a table (or a view: `kind="view"`)."""
        self._tables[name.casefold()] = (name, plan, kind)

    def remove(self, name: str) -> None:
        """Forget a table or view."""
        del self._tables[name.casefold()]

    def table(self, name: Sequence[str]) -> LogicalPlan | None:
        """The plan of a table or view; None if there is no such."""
        found = self._find(name)
        return None if found is None else found[1]

    def kind(self, name: Sequence[str]) -> str | None:
        """`table` or `view`; None if there is no such."""
        found = self._find(name)
        return None if found is None else found[2]

    def names(self) -> list[str]:
        """The names of all tables and views, as they were written."""
        return [name for name, _, _ in self._tables.values()]

    def _find(self, name: Sequence[str]) -> tuple[str, LogicalPlan, str] | None:
        *schema, last = name
        if tuple(part.casefold() for part in schema) not in DEFAULT_SCHEMAS:
            return None
        return self._tables.get(last.casefold())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.casefold() in self._tables

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self._tables)


class Overlay:
    """A catalog with some names added on top of another; the other is left as it is."""

    def __init__(self, below: Catalog) -> None:
        self._below = below
        self._top = MemoryCatalog()
        self._dropped: set[str] = set()

    def add(self, name: str, plan: LogicalPlan) -> None:
        """Add or replace a name."""
        self._dropped.discard(name.casefold())
        self._top.add(name, plan)

    def remove(self, name: str) -> None:
        """Hide a name."""
        self._dropped.add(name.casefold())
        if name in self._top:
            self._top.remove(name)

    def table(self, name: Sequence[str]) -> LogicalPlan | None:
        """The plan of a name, from the top first."""
        if name[-1].casefold() in self._dropped:
            return None
        found = self._top.table(name)
        return self._below.table(name) if found is None else found

    def names(self) -> list[str]:
        """All names that are not hidden."""
        both = dict.fromkeys((*self._below.names(), *self._top.names()))
        return [name for name in both if name.casefold() not in self._dropped]
