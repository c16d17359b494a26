"""Any correlated plan made independent: Neumann & Kemper, "Unnesting Arbitrary Queries", BTW 2015.

The subquery is joined below with the *domain*: the distinct values of the outer columns that it
reads. So it works for all outer rows at once, and each of its rows tells for which values it holds:

    dependent(D, plan)  =  for each row d of D: plan with d's values, and d itself as columns

`push` moves the domain down through every operator until nothing below reads an outer column; there
it becomes a cross join (to be an ordinary join by the filters above it). Operators that look at
several rows get the domain's columns as further keys:

    filter, project   pass                     aggregate, distinct   d are further keys
    window            d partition it           limit                 a row number within each d
    join              on the side that reads outer columns; on both, with d equal
    union             in every input           aggregate without keys: an outer join back to D,
                                               since it gives a row for an empty input too
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from plait.errors import UnsupportedError
from plait.planner import types as t
from plait.planner.expr import (
    Call,
    Column,
    Expr,
    Literal,
    WindowCall,
    conjunction,
    conjuncts,
)
from plait.planner.logical import (
    Aggregate,
    Distinct,
    Filter,
    Join,
    Limit,
    LogicalPlan,
    Project,
    RowNumber,
    Sort,
    Union,
    Values,
    Window,
)
from plait.planner.optimizer.outer_columns import FreshNames, outer_columns, reads_outer, with_outer
from plait.planner.optimizer.pull_up import Pulled, limit_below_project, limited, over_no_rows
from plait.planner.optimizer.rewriting import all_columns
from plait.planner.subquery import OuterColumn

Domain = Mapping[str, Column]  # outer column's name to the column that carries its value


def dependent(outer_plan: LogicalPlan, plan: LogicalPlan, names: FreshNames) -> Pulled:
    """`plan` for all rows of `outer_plan` at once, to be joined back on the predicates."""
    schema = outer_plan.schema
    read = sorted((o for o in outer_columns(plan) if o.name in schema), key=lambda o: o.name)
    source = Aggregate(outer_plan, tuple((o.name, Column(o.name, o.dtype)) for o in read), ())
    result, domain = _Pusher(tuple(read), source, names).push(plan)
    same = tuple(
        Call("is_not_distinct", (OuterColumn(o.name, o.dtype), domain[o.name]), t.BOOL)
        for o in read
    )
    return Pulled(result, same)


@dataclass(frozen=True)
class _Pusher:
    read: tuple[OuterColumn, ...]
    source: LogicalPlan
    names: FreshNames

    def _domain(self) -> tuple[LogicalPlan, Domain]:
        """The domain with column names of its own."""
        columns = {o.name: Column(self.names.fresh(o.name), o.dtype) for o in self.read}
        renamed = tuple((columns[o.name].name, Column(o.name, o.dtype)) for o in self.read)
        return Project(self.source, renamed), columns

    def _reads(self, item: Expr | LogicalPlan) -> bool:
        return reads_outer(item, frozenset(o.name for o in self.read))

    def _filled(self, node: Any, domain: Domain) -> Any:
        """A node with the outer columns in its own expressions replaced."""
        return node.map_expressions(lambda e: with_outer(e, domain))

    def push(self, plan: LogicalPlan) -> tuple[LogicalPlan, Domain]:
        if not self._reads(plan):
            source, domain = self._domain()
            return Join(source, plan, "cross"), domain
        match plan:
            case Project():
                below, domain = self.push(plan.input)
                columns = tuple((n, with_outer(e, domain)) for n, e in plan.columns)
                return replace(plan, input=below, columns=(*columns, *_as_is(domain))), domain
            case Aggregate():
                return self._aggregate(plan)
            case Distinct():
                below, domain = self.push(plan.input)
                on = None if plan.on is None else (*plan.on, *(c.name for c in domain.values()))
                return replace(plan, input=below, on=on), domain
            case Window():
                below, domain = self.push(plan.input)
                added = tuple(domain.values())
                calls = tuple(
                    (n, replace(c, partition_by=(*c.partition_by, *added)))
                    for n, c in self._filled(plan, domain).calls
                )
                return replace(plan, input=below, calls=calls), domain
            case Limit() | Sort():
                return self._limit(plan)
            case Join():
                return self._join(plan)
            case Union():
                return self._union(plan)
            case Values():
                return self._values(plan)
            case RowNumber():
                return self._row_number(plan)
            case Filter():
                below, domain = self.push(plan.input)
                return replace(self._filled(plan, domain), input=below), domain
        raise UnsupportedError(
            f"A subquery cannot apply {plan.label()} to rows of the query around it; "
            "write it as a join"
        )

    def _aggregate(self, plan: Aggregate) -> tuple[LogicalPlan, Domain]:
        below, domain = self.push(plan.input)
        filled: Aggregate = self._filled(plan, domain)
        grouped = replace(filled, input=below, keys=(*filled.keys, *_as_is(domain)))
        if plan.keys:
            return grouped, domain
        # without keys there is a row for every value of the domain
        source, whole = self._domain()
        same = conjunction(_same(whole[o.name], domain[o.name]) for o in self.read)
        joined = Join(source, grouped, "left", same)
        empty = over_no_rows(plan)
        columns = []
        for name, call in plan.aggregates:
            value: Expr = Column(name, call.dtype)
            if name in empty:
                value = Call("coalesce", (value, empty[name]), call.dtype)
            columns.append((name, value))
        return Project(joined, (*columns, *_as_is(whole))), whole

    def _limit(self, plan: Limit | Sort) -> tuple[LogicalPlan, Domain]:
        lowered = limit_below_project(plan)
        if lowered is not None:
            return self.push(lowered)
        if isinstance(plan, Sort) and plan.limit is None:
            return self.push(plan.input)  # the order of a subquery's rows means nothing
        parts = limited(plan)
        if parts is None:
            raise UnsupportedError(
                "A subquery cannot take the last rows of what depends on the query around it; "
                "turn the ORDER BY round and use LIMIT"
            )
        below, domain = self.push(parts.input)
        keys = tuple(with_outer(k, domain) for k in parts.keys)
        parts = replace(parts, keys=keys)
        return parts.per_partition(below, tuple(domain.values()), self.names), domain

    def _row_number(self, plan: RowNumber) -> tuple[LogicalPlan, Domain]:
        below, domain = self.push(plan.input)
        number = Column(self.names.fresh(plan.name), t.INT64)
        call = WindowCall("row_number", (), t.INT64, tuple(domain.values()))
        from_zero = Call("subtract", (number, Literal(1, t.INT64)), t.INT64)
        kept = all_columns(below.schema)
        numbered = Window(below, ((number.name, call),))
        return Project(numbered, (*kept, (plan.name, from_zero))), domain

    def _values(self, plan: Values) -> tuple[LogicalPlan, Domain]:
        fields = plan.schema.names
        rows: list[LogicalPlan] = [
            Project(Values((), ((),)), tuple(zip(fields, row, strict=True))) for row in plan.rows
        ]
        return self.push(rows[0] if len(rows) == 1 else Union(tuple(rows)))

    def _union(self, plan: Union) -> tuple[LogicalPlan, Domain]:
        columns = {o.name: Column(self.names.fresh(o.name), o.dtype) for o in self.read}
        inputs = []
        for branch in plan.inputs:
            below, domain = self.push(branch)
            kept = all_columns(branch.schema)
            renamed = tuple((columns[o.name].name, domain[o.name]) for o in self.read)
            inputs.append(Project(below, (*kept, *renamed)))
        return replace(plan, inputs=tuple(inputs)), columns

    def _join(self, plan: Join) -> tuple[LogicalPlan, Domain]:
        in_left, in_right = self._reads(plan.left), self._reads(plan.right)
        kind = plan.kind
        if kind == "right":
            swapped = replace(plan, left=plan.right, right=plan.left, kind="left")
            below, domain = self.push(swapped)
            order = (*all_columns(plan.schema), *_as_is(domain))
            return Project(below, order), domain
        if kind in ("inner", "cross") and not in_left and in_right:
            right, domain = self.push(plan.right)
            joined = replace(self._filled(plan, domain), right=right)
            return _with_kind(joined), domain
        left, domain = self.push(plan.left)
        filled: Join = replace(self._filled(plan, domain), left=left)
        if not in_right and kind != "full":
            return _with_kind(filled), domain
        right, other = self.push(plan.right)
        same = [_same(domain[o.name], other[o.name]) for o in self.read]
        condition = conjunction([*same, *conjuncts(filled.condition)])
        joined = _with_kind(replace(filled, right=right, condition=condition))
        if kind != "full":
            return joined, domain
        # a row from the right alone tells its domain values itself
        columns = {o.name: Column(self.names.fresh(o.name), o.dtype) for o in self.read}
        either = tuple(
            (
                columns[o.name].name,
                Call("coalesce", (domain[o.name], other[o.name]), o.dtype),
            )
            for o in self.read
        )
        return Project(joined, (*all_columns(plan.schema), *either)), columns


def _with_kind(join: Join) -> Join:
    if join.kind == "cross" and join.condition is not None:
        return replace(join, kind="inner")
    return join


def _as_is(domain: Domain) -> tuple[tuple[str, Expr], ...]:
    return tuple((c.name, c) for c in domain.values())


def _same(a: Expr, b: Expr) -> Expr:
    return Call("is_not_distinct", (a, b), t.BOOL)
