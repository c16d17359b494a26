"""Bringing expressions over different frames to one frame whose rows are the same rows.

`df["c"] = other.b * 2` has a meaning when `df` and `other` have the same rows: both come from one
plan by steps that neither drop, add nor reorder rows (projections, window columns, row numbers,
row functions). Such steps are walked down to the nearest plan that both have; then what each side
computed above it is computed once more above that one plan, side by side.

    rows     the plan both stand on, growing by helper columns as needed
    meaning  name in one side's plan -> expression over `rows`

A frame that was filtered, sorted or cut since may still be *given* a column of what it came from
(`sub = df[df.x > 0]; sub["y"] = df.y`): pandas aligns by label, so each row gets the value of the
row it was. The value is computed below the filter and carried up (`carry`). Arithmetic between the
two is another matter: pandas gives rows for both, so it is refused.

Projected expressions are put in place of their names while they are small; larger ones become
helper columns, so that a long chain of assignments does not blow up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from plait.errors import PlanError
from plait.frame import Frame, hidden_name
from plait.planner import builder
from plait.planner.expr import Column, Expr, Literal, columns_of, substitute
from plait.planner.logical import (
    Distinct,
    Filter,
    Limit,
    LogicalPlan,
    MapPartitions,
    Named,
    Project,
    RowNumber,
    Sort,
    Window,
)
from plait.rowfunction import RowFunction

_SMALL = 24  # nodes of an expression that may be put in place of its name


def combine(
    frame: Frame, others: Sequence[tuple[Frame, Expr]], *, carry: bool = False
) -> tuple[Frame, list[Expr]]:
    """The frame, possibly with helper columns, and the others' expressions over its plan.

    With `carry` the others may also be what the frame's rows were chosen from. Raises PlanError,
    which names `merge`, for a frame whose rows are others.
    """
    exprs: list[Expr] = []
    for other, expr in others:
        # names of the frame's plan stay, so earlier expressions remain right
        found = _beside(frame.plan, other.plan, expr)
        if found is None and carry:
            found = _carried(frame.plan, other.plan, expr)
        if found is None:
            raise PlanError(
                "These two frames do not have the same rows (they come from different data, or one "
                "was filtered, sorted, grouped or joined since). Compute on columns of one frame, "
                "or bring the rows together first: left.merge(right, on=...)"
            )
        plan, value = found
        if plan is not frame.plan:
            frame = frame.with_plan(plan)
        exprs.append(value)
    return frame, exprs


def _beside(plan: LogicalPlan, other: LogicalPlan, expr: Expr) -> tuple[LogicalPlan, Expr] | None:
    """`plan`, perhaps with helper columns, and an expression over `other` as one over it."""
    if other is plan or other == plan:
        return plan, expr
    base = _common(plan, other)
    if base is None:
        return None
    identity: dict[str, Expr] = {f.name: Column(f.name, f.type) for f in base.schema}
    if base == plan:
        rows, meaning = _lift(base, identity, other, base)
        return rows, substitute(expr, meaning)
    rows, mine = _lift(base, dict(identity), plan, base)
    rows, theirs = _lift(rows, dict(identity), other, base)
    value = substitute(expr, theirs)
    if isinstance(value, Literal):
        return plan, value
    visible: list[Named] = [(n, mine[n]) for n in plan.schema.names]
    helper = hidden_name("v", plan.schema.names)
    return builder.project(rows, [*visible, (helper, value)]), Column(helper, value.dtype)


def _carried(plan: LogicalPlan, other: LogicalPlan, expr: Expr) -> tuple[LogicalPlan, Expr] | None:
    """As `_beside`, where rows of `other` were chosen or sorted on the way up to `plan`."""
    above: list[LogicalPlan] = []
    below = plan
    while (found := _beside(below, other, expr)) is None:
        match below:
            case (
                Filter(input=inner) | Sort(input=inner) | Limit(input=inner) | Distinct(input=inner)
            ):
                above.append(below)
                below = inner
            case Project(input=inner) | Window(input=inner) | RowNumber(input=inner):
                above.append(below)
                below = inner
            case MapPartitions(input=inner, function=RowFunction()):
                above.append(below)
                below = inner
            case _:
                return None
    rows, value = found
    names = {name for step in (plan, *above) for name in step.schema.names}
    for step in reversed(above):
        rows, value = _again(step, rows, value, names)
    return rows, value


def _again(
    step: LogicalPlan, rows: LogicalPlan, value: Expr, names: set[str]
) -> tuple[LogicalPlan, Expr]:
    """A step on rows that may have more columns now, and the value above it."""
    match step:
        case Project(columns=columns):
            passed: dict[str, Expr] = {}
            for name, e in columns:
                if isinstance(e, Column):
                    passed.setdefault(e.name, Column(name, e.dtype))
            if columns_of(value) <= set(passed):
                return replace(step, input=rows), substitute(value, passed)
            helper = hidden_name("c", {*names, *rows.schema.names})
            carried = (*columns, (helper, value))
            return replace(step, input=rows, columns=carried), Column(helper, value.dtype)
        case Distinct(input=before, on=None) if rows.schema.names != before.schema.names:
            return replace(step, input=rows, on=before.schema.names), value
        case MapPartitions(function=RowFunction() as function):
            return function.over(rows), value
        case Filter() | Sort() | Limit() | Distinct() | Window() | RowNumber():
            return replace(step, input=rows), value
    raise PlanError(f"{step.label()} cannot be done again")


def _steps(plan: LogicalPlan) -> list[LogicalPlan]:
    """The plan and those below it with the same rows, top down."""
    found = [plan]
    while True:
        match plan:
            case Project(input=below) | Window(input=below) | RowNumber(input=below):
                plan = below
            case MapPartitions(input=below, function=RowFunction()):
                plan = below
            case _:
                return found
        found.append(plan)


def _common(a: LogicalPlan, b: LogicalPlan) -> LogicalPlan | None:
    below_b = set(_steps(b))
    return next((plan for plan in _steps(a) if plan in below_b), None)


def same_rows(a: LogicalPlan, b: LogicalPlan) -> bool:
    """Whether two plans are row-wise descendants of one plan."""
    return _common(a, b) is not None


def _lift(
    rows: LogicalPlan, meaning: dict[str, Expr], top: LogicalPlan, base: LogicalPlan
) -> tuple[LogicalPlan, dict[str, Expr]]:
    """`rows` with what is needed of the steps from `base` to `top`, and what top's names mean."""
    chain = []
    for step in _steps(top):
        if step == base:
            break
        chain.append(step)
    for step in reversed(chain):
        match step:
            case Project(columns=columns):
                above: dict[str, Expr] = {}
                for name, expr in columns:
                    value = substitute(expr, meaning)
                    if not isinstance(value, Column | Literal) and _is_large(value):
                        rows, value = _helper(rows, value)
                    above[name] = value
                meaning = above
            case Window(calls=calls):
                known = _window_columns(rows)
                for name, call in calls:
                    moved = substitute(call, meaning)
                    helper = known.get(moved)
                    if helper is None:
                        helper = hidden_name("w", rows.schema.names)
                        rows = builder.window(rows, [(helper, moved)])
                    meaning[name] = Column(helper, moved.dtype)
            case RowNumber(name=name):
                helper = hidden_name("n", rows.schema.names)
                rows = builder.row_number(rows, helper)
                meaning[name] = builder.column(rows, helper)
            case MapPartitions(function=RowFunction() as function):
                rows, meaning = _lift_function(rows, meaning, function)
    return rows, meaning


def _is_large(expr: Expr) -> bool:
    return any(count >= _SMALL for count, _ in enumerate(expr.walk()))


def _helper(rows: LogicalPlan, value: Expr) -> tuple[LogicalPlan, Expr]:
    name = hidden_name("v", rows.schema.names)
    return builder.with_columns(rows, [(name, value)]), Column(name, value.dtype)


def _window_columns(rows: LogicalPlan) -> dict[Expr, str]:
    """Window columns at the top of a plan, by what they compute."""
    found: dict[Expr, str] = {}
    while isinstance(rows, Window):
        found.update((call, name) for name, call in rows.calls)
        rows = rows.input
    return found


def _lift_function(
    rows: LogicalPlan, meaning: dict[str, Expr], function: RowFunction
) -> tuple[LogicalPlan, dict[str, Expr]]:
    renamed = {}
    for name in function.reads:
        value = meaning[name]
        if not isinstance(value, Column):
            rows, value = _helper(rows, value)
        assert isinstance(value, Column)
        renamed[name] = value.name
    output = hidden_name("f", rows.schema.names)
    moved = replace(function, reads=tuple(renamed[n] for n in function.reads), output=output)
    rows = moved.over(rows)
    return rows, {**meaning, function.output: builder.column(rows, output)}
