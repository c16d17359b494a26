"""Which names are visible where, and by which column of the plan each is meant.

Two kinds of names are kept apart. *SQL names* are what the text says: they repeat, hide each other
and know no case. *Plan names* are those of plan columns: `Names` gives each out once in a whole
statement, so that a plan name means one column wherever it stands, inside a subquery or outside.

A `Scope` is what one SELECT sees: the columns of its FROM clause, then the scope around it. A
column found in a scope further out becomes an `OuterColumn`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plait.planner.expr import AggregateCall, Column, Expr
from plait.planner.subquery import OuterColumn


class Names:
    """Gives out plan names, each once."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def fresh(self, *preferred: str) -> str:
        """The first of the preferred names that is free, or the last one with a number."""
        for name in preferred:
            if name and name not in self._used:
                self._used.add(name)
                return name
        base, number = preferred[-1] or "column", 2
        while f"{base}#{number}" in self._used:
            number += 1
        self._used.add(f"{base}#{number}")
        return f"{base}#{number}"


@dataclass(frozen=True)
class Entry:
    """A visible column: its SQL name and the expression (mostly a plan column) it stands for.

    bare      found without a table name; not the two sides of a USING column
    starred   part of `*`
    """

    name: str
    expr: Expr
    bare: bool = True
    starred: bool = True


@dataclass(frozen=True)
class Relation:
    """A table of a FROM clause: the parts of its name (or its alias alone), and its columns."""

    path: tuple[str, ...]
    entries: tuple[Entry, ...]

    @property
    def name(self) -> str:
        return self.path[-1]

    def answers_to(self, qualifier: Sequence[str]) -> bool:
        """Whether a column's qualifier (`t`, `main.t`) means this table."""
        wanted = [part.casefold() for part in qualifier]
        mine = [part.casefold() for part in self.path]
        if len(mine) < len(wanted):
            mine = ["memory", "main", *mine][-len(wanted) :] if len(mine) == 1 else mine
        return mine[-len(wanted) :] == wanted


@dataclass(frozen=True)
class Visible:
    """What a FROM clause shows: its tables, and its columns in the order of `*`.

    `entries` holds each bare or starred column once; a USING column is one entry that belongs to
    no table, while the tables keep their own for qualified names.
    """

    relations: tuple[Relation, ...] = ()
    entries: tuple[Entry, ...] = ()

    def names(self) -> list[str]:
        """All SQL names."""
        return [e.name for e in self.entries] or [
            e.name for relation in self.relations for e in relation.entries
        ]

    def bare(self, name: str) -> list[Entry]:
        """The columns that a name without a table may mean."""
        folded = name.casefold()
        return [e for e in self.entries if e.bare and e.name.casefold() == folded]

    def of(self, qualifier: Sequence[str]) -> list[Relation]:
        """The tables that a qualifier may mean."""
        return [r for r in self.relations if r.answers_to(qualifier)]

    def owners(self, entry: Entry) -> list[str]:
        """The tables a column belongs to."""
        return [r.name for r in self.relations if any(e.expr == entry.expr for e in r.entries)]


def table(path: Sequence[str], entries: Iterable[Entry]) -> Visible:
    """What one table shows."""
    relation = Relation(tuple(path), tuple(entries))
    return Visible((relation,), relation.entries)


def beside(left: Visible, right: Visible) -> Visible:
    """What two tables side by side show."""
    return Visible((*left.relations, *right.relations), (*left.entries, *right.entries))


@dataclass
class Scope:
    """What one SELECT sees."""

    visible: Visible
    parent: Scope | None = None
    # aggregates that subqueries found to belong here, by plan name; None where there may be none
    aggregates: dict[AggregateCall, str] | None = None
    # expressions of the SELECT list by folded alias, for subqueries behind them
    aliases: Mapping[str, Expr] = field(default_factory=dict)
    _bare: dict[str, list[Entry]] | None = field(default=None, repr=False)
    _names: frozenset[str] | None = field(default=None, repr=False)

    def bare(self, name: str) -> list[Entry]:
        """The columns of this scope alone that a bare name may mean."""
        if self._bare is None:
            self._bare = {}
            for entry in self.visible.entries:
                if entry.bare:
                    self._bare.setdefault(entry.name.casefold(), []).append(entry)
        return self._bare.get(name.casefold(), [])

    def plan_names(self) -> frozenset[str]:
        """The plan names of all columns of this scope alone."""
        if self._names is None:
            entries = [e for relation in self.visible.relations for e in relation.entries]
            parts = (part for entry in entries for part in entry.expr.walk())
            self._names = frozenset(e.name for e in parts if isinstance(e, Column))
        return self._names


def outer(expr: Expr) -> Expr:
    """The expression as seen from inside a subquery."""

    def lift(e: Expr) -> Expr:
        return OuterColumn(e.name, e.dtype) if isinstance(e, Column) else e

    lifted: Expr = expr.transform_up(lift)
    return lifted


def map_entries(visible: Visible, function: Callable[[Entry], Entry]) -> Visible:
    """The same tables with every column passed through `function`."""
    relations = tuple(
        replace(r, entries=tuple(function(e) for e in r.entries)) for r in visible.relations
    )
    return Visible(relations, tuple(function(e) for e in visible.entries))
