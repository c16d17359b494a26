"""Frame: what a DataFrame is at one moment. A frozen value that plan builders take and give.

A frame is a plan together with what pandas knows and a plan does not: which of the plan's columns
are the data, under which labels, which are the index, and which pandas types are to be given back.

    plan     may hold more columns than are seen: index columns, and helpers that pruning removes
    columns  (label, name): the label users see (any hashable), the name the column has in the plan
    index    (label, name) of each level; none means "numbered from 0 when computed"
    hints    plan name -> pandas dtype to restore in the result (categories)

The classes users hold are pairs above it: DataFrame = (frame), Series = (frame, expression),
GroupBy = (frame, keys). So none of the modules that build plans needs those classes; the three
constructors that make one kind from another go through `WRAP`, which `plait.dataframe` fills.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from plait.calling import caller
from plait.errors import ColumnNotFoundError, PlanError
from plait.planner import builder
from plait.planner.expr import Column, Expr
from plait.planner.logical import LogicalPlan, Named

if TYPE_CHECKING:
    import pyarrow as pa

    from plait.dataframe import DataFrame
    from plait.groupby import SeriesGroupBy
    from plait.io.store.access import Access
    from plait.series import Series

# Plan names that start with this are never shown; SQL cannot see them either.
HIDDEN = "#"


class Runner(Protocol):
    """What frames need of whatever runs plans."""

    def execute(self, plan: LogicalPlan) -> pa.Table:
        """The rows of a plan."""

    def optimize(self, plan: LogicalPlan) -> LogicalPlan:
        """The plan as it will be run."""

    def explain(self, plan: LogicalPlan, level: str = "optimized", analyze: bool = False) -> str:
        """The plan as text."""

    def visualize(self, plan: LogicalPlan, path: str) -> Any:
        """The plan as a picture in a file."""

    def persist(self, plan: LogicalPlan) -> LogicalPlan:
        """Run the plan now; a plan that reads the kept result."""

    def count(self, plan: LogicalPlan) -> int:
        """How many rows the plan gives."""

    def write(self, plan: LogicalPlan) -> pa.Table:
        """Run a Write plan."""

    @property
    def access(self) -> Callable[[Mapping[str, Any] | None], Access]:
        """What stores are opened with, from options as a user gives them."""


class Labelled(NamedTuple):
    """A column or index level: the label users see and the name it has in the plan."""

    label: Any
    name: str


@dataclass(frozen=True, eq=False)
class Frame:
    """A plan with pandas' view of it; see the module's text."""

    plan: LogicalPlan
    columns: tuple[Labelled, ...]
    runner: Runner
    index: tuple[Labelled, ...] = ()
    hints: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[Any, ...]:
        """What users call the columns."""
        return tuple(c.label for c in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """What the plan calls the columns."""
        return tuple(c.name for c in self.columns)

    @property
    def kept(self) -> tuple[str, ...]:
        """The plan's names of index and columns: all but helpers."""
        return tuple(dict.fromkeys((*(level.name for level in self.index), *self.names)))

    def has(self, label: Hashable) -> bool:
        """Whether there is a column of this label."""
        return label in self.labels

    def name_of(self, label: Hashable) -> str:
        """The plan's name of a column; KeyError with the nearest labels if there is none."""
        for column in self.columns:
            if column.label == label and type(column.label) is type(label):
                return column.name
        raise self.missing(label)

    def missing(self, label: Hashable) -> ColumnNotFoundError:
        """The error for a column that does not exist."""
        return ColumnNotFoundError(str(label), [str(known) for known in self.labels])

    def column(self, label: Hashable) -> Column:
        """The expression of a column."""
        return builder.column(self.plan, self.name_of(label))

    def expr(self, name: str) -> Column:
        """The expression of a plan column."""
        return builder.column(self.plan, name)

    def index_named(self) -> list[Named]:
        """The index columns as they are, for a projection."""
        names = dict.fromkeys(level.name for level in self.index)
        return [(name, self.expr(name)) for name in names]

    def project(self, columns: Sequence[tuple[Labelled, Expr]]) -> Frame:
        """The frame with these columns and the same index."""
        levels = {level.name for level in self.index}
        named: list[Named] = self.index_named()
        placed: list[tuple[Labelled, Expr]] = []
        for c, e in columns:
            if c.name in levels and not (isinstance(e, Column) and e.name == c.name):
                taken = {*levels, *(other.name for other, _ in columns)}
                c = Labelled(c.label, fresh_name(c.label, taken))
            placed.append((c, e))
        named += [(c.name, e) for c, e in placed if c.name not in levels]
        columns = placed
        plan = builder.project(self.plan, named, origin=caller())
        hints = dict(self.hints)
        for c, e in columns:
            hint = self.hints.get(e.name) if isinstance(e, Column) else None
            if hint is None:
                hints.pop(c.name, None)
            else:
                hints[c.name] = hint
        return replace(self, plan=plan, columns=tuple(c for c, _ in columns), hints=hints)

    def select(self, labels: Iterable[Hashable]) -> Frame:
        """Some columns, in the order given."""
        chosen = [Labelled(label, self.name_of(label)) for label in labels]
        check_unique([c.label for c in chosen])
        return self.project([(c, self.expr(c.name)) for c in chosen])

    def with_plan(self, plan: LogicalPlan) -> Frame:
        """Another plan with the same columns."""
        return replace(self, plan=plan)

    def assign(self, new: Sequence[tuple[Hashable, Expr]]) -> Frame:
        """Columns replaced in place or added at the end."""
        values = dict(new)
        pairs: list[tuple[Labelled, Expr]] = []
        for column in self.columns:
            if column.label in values:
                pairs.append((column, values.pop(column.label)))
            else:
                pairs.append((column, self.expr(column.name)))
        taken = {*self.kept}
        for label, expr in values.items():
            name = fresh_name(label, taken)
            taken.add(name)
            pairs.append((Labelled(label, name), expr))
        return self.project(pairs)

    @cached_property
    def shown(self) -> LogicalPlan:
        """The plan with index and data columns alone: what compute runs."""
        return builder.select(self.plan, self.kept)

    @cached_property
    def rows_only(self) -> LogicalPlan:
        """The plan with the data columns alone, under their labels: what SQL sees."""
        named: list[Named] = [(str(c.label), self.expr(c.name)) for c in self.columns]
        return builder.project(self.plan, named)


def check_unique(labels: Sequence[Hashable]) -> None:
    """Refuse two columns of one label."""
    twice = sorted({str(label) for label in labels if list(labels).count(label) > 1})
    if twice:
        raise PlanError(
            f"A frame cannot have two columns named {', '.join(map(repr, twice))}; "
            "rename one of them"
        )


def fresh_name(label: Hashable, taken: Iterable[str]) -> str:
    """A plan name for a label: the label itself where it can be."""
    if isinstance(label, tuple):
        base = "_".join(str(part) for part in label)
    else:
        base = str(label)
    taken = set(taken)
    name, number = base, 1
    while name in taken or name.startswith(HIDDEN):
        number += 1
        name = f"{base.lstrip(HIDDEN)}~{number}"
    return name


def hidden_name(kind: str, taken: Iterable[str]) -> str:
    """A plan name for a helper column."""
    taken = set(taken)
    number = 0
    while f"{HIDDEN}{kind}{number}" in taken:
        number += 1
    return f"{HIDDEN}{kind}{number}"


def from_plan(plan: LogicalPlan, runner: Runner) -> Frame:
    """A frame of all a plan's columns, numbered from 0."""
    return Frame(plan, tuple(Labelled(n, n) for n in plan.schema.names), runner)


class Wrap:
    """Constructors of the users' classes; `plait.dataframe` fills them in, loaded when needed."""

    dataframe: type[DataFrame]
    series: type[Series]
    index: type[Series]
    group: Callable[..., SeriesGroupBy]

    def __getattr__(self, name: str) -> Any:
        if name not in type(self).__annotations__ or "plait.dataframe" in sys.modules:
            raise AttributeError(name)
        importlib.import_module("plait.dataframe")
        return getattr(self, name)


WRAP = Wrap()
