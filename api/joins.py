"""merge and join. As in pandas, and unlike SQL, missing keys match each other.

Rows of the result come in no particular order unless sort=True. Its index is numbered anew, except
for joins on an index, which keep that index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plait.calling import caller
from plait.errors import PlanError, TypeMismatchError, UnsupportedError
from plait.facts import may_be_null
from plait.frame import WRAP, Frame, Labelled, check_unique, fresh_name
from plait.operands import is_frame, is_series
from plait.order import as_list
from plait.planner import builder
from plait.planner import types as t
from plait.planner.expr import Expr, SortKey, conjunction
from plait.planner.logical import LogicalPlan, Named

KINDS = {
    "inner": "inner",
    "left": "left",
    "right": "right",
    "outer": "full",
    "full": "full",
    "cross": "cross",
    "semi": "semi",
    "left_semi": "semi",
    "leftsemi": "semi",
    "anti": "anti",
    "left_anti": "anti",
    "leftanti": "anti",
}


@dataclass(frozen=True)
class Side:
    """One side of a merge: its key expressions and their labels (None for index levels)."""

    frame: Frame
    keys: tuple[Expr, ...]
    labels: tuple[Any, ...]
    by_index: bool


def frame_of(other: Any) -> Frame:
    """The frame of a DataFrame or a named Series, or of a pandas frame."""
    if is_frame(other):
        return other._frame  # type: ignore[no-any-return]
    if is_series(other):
        if other._label is None:
            raise PlanError("A Series needs a name to be merged: s.rename('x')")
        return other._one()  # type: ignore[no-any-return]
    raise TypeMismatchError(
        f"merge needs a plait frame, not {type(other).__module__}.{type(other).__name__}; "
        "use plait.from_pandas(...) first"
    )


def _side(frame: Frame, labels: Any, use_index: bool, name: str) -> Side:
    if use_index:
        if not frame.index:
            raise PlanError(
                f"{name}_index=True needs an index; this frame has none of its own: use set_index"
            )
        levels = tuple(frame.expr(level.name) for level in frame.index)
        return Side(frame, levels, tuple(None for _ in levels), True)
    if is_series(labels):
        raise UnsupportedError(
            f"{name}_on takes column labels; assign the Series as a column first"
        )
    keys: list[Expr] = []
    found: list[Any] = []
    for label in as_list(labels):
        if frame.has(label):
            keys.append(frame.column(label))
            found.append(label)
            continue
        level = next((i for i in frame.index if i.label == label and label is not None), None)
        if level is None:
            raise frame.missing(label)
        keys.append(frame.expr(level.name))
        found.append(None)
    return Side(frame, tuple(keys), tuple(found), False)


def merged(
    left: Frame,
    right: Frame,
    how: str = "inner",
    on: Any = None,
    *,
    left_on: Any = None,
    right_on: Any = None,
    left_index: bool = False,
    right_index: bool = False,
    suffixes: Sequence[str | None] = ("_x", "_y"),
    sort: bool = False,
    indicator: bool | str = False,
    validate: Any = None,
) -> Frame:
    """pandas' merge as a join and a projection."""
    if how not in KINDS:
        raise PlanError(f"how is one of {', '.join(KINDS)}, not {how!r}")
    if validate is not None:
        raise UnsupportedError("merge(validate=) is not done; check with key.duplicated().any()")
    kind = KINDS[how]
    if kind == "cross":
        if on is not None or left_on is not None or left_index:
            raise PlanError("A cross join has no keys")
        empty = Side(left, (), (), False), Side(right, (), (), False)
        return _Merge(*empty, kind, suffixes, indicator).result()
    if on is None and left_on is None and right_on is None and not (left_index or right_index):
        on = [label for label in left.labels if right.has(label)]
        if not on:
            raise PlanError(
                "The frames have no column in common to merge on; say on=, or left_on= and "
                "right_on="
            )
    if on is not None and (
        left_on is not None or right_on is not None or left_index or right_index
    ):
        raise PlanError("merge takes on=, or left_on= and right_on=, or indexes, not both")
    if on is not None:
        left_on = right_on = on
    if (left_on is None) == (not left_index) or (right_on is None) == (not right_index):
        raise PlanError(
            "merge needs keys on both sides: left_on or left_index, right_on or right_index"
        )
    one = _side(left, left_on, left_index, "left")
    two = _side(right, right_on, right_index, "right")
    if len(one.keys) != len(two.keys):
        raise PlanError(
            f"merge has {len(one.keys)} keys on the left and {len(two.keys)} on the right"
        )
    result = _Merge(one, two, kind, suffixes, indicator).result()
    return _sorted(result, one, two) if sort else result


def _sorted(result: Frame, one: Side, two: Side) -> Frame:
    labels = [a if a is not None else b for a, b in zip(one.labels, two.labels, strict=True)]
    keys = [
        SortKey(result.column(label) if result.has(label) else result.expr(result.index[i].name))
        for i, label in enumerate(labels)
    ]
    return result.with_plan(builder.sort(result.plan, keys))


class _Merge:
    """One merge on its way: names of both sides made disjoint, joined, projected."""

    def __init__(
        self, left: Side, right: Side, kind: str, suffixes: Sequence[str | None], indicator: Any
    ) -> None:
        self.left, self.right, self.kind = left, right, kind
        self.suffixes, self.indicator = suffixes, indicator
        self.hints: dict[str, Any] = {}

    def result(self) -> Frame:
        """The merged frame."""
        left, right = self.left.frame, self.right.frame
        left_plan, right_plan = left.plan, right.plan
        renamed = _renamed(right_plan.schema.names, left_plan.schema.names)
        taken = {*left_plan.schema.names, *renamed.values()}
        if any(old != new for old, new in renamed.items()):
            wanted = [(renamed[n], right.expr(n)) for n in right.kept]
            right_plan = builder.project(right_plan, wanted)
        moved = tuple(builder.column(right_plan, renamed[k.name]) for k in self.right.keys)  # type: ignore[attr-defined]
        condition = self._condition(left_plan, right_plan, moved)
        if self.kind in ("semi", "anti"):
            plan = builder.join(left_plan, right_plan, self.kind, condition, origin=caller())
            return left.with_plan(plan)
        marks = self._marks(taken)
        if marks is not None:
            left_plan = builder.with_columns(left_plan, [(marks[0], builder.literal(True))])
            right_plan = builder.with_columns(right_plan, [(marks[1], builder.literal(True))])
        plan = builder.join(left_plan, right_plan, self.kind, condition, origin=caller())
        columns = self._columns(plan, renamed, moved)
        if marks is not None:
            columns.append(self._indicator(plan, marks))
        index = self._index(plan, renamed, moved)
        return self._place(plan, columns, index)

    def _condition(
        self, left_plan: LogicalPlan, right_plan: LogicalPlan, moved: Sequence[Expr]
    ) -> Expr | None:
        tests = []
        for a, b in zip(self.left.keys, moved, strict=True):
            if t.common_type(a.dtype, b.dtype) is None:
                raise TypeMismatchError(
                    f"Keys of types {t.sql_name(a.dtype)} and {t.sql_name(b.dtype)} cannot be "
                    f"merged ({a} and {b}); use astype on one of them"
                )
            both = may_be_null(left_plan, a) and may_be_null(right_plan, b)
            tests.append(builder.call("is_not_distinct" if both else "equal", a, b))
        return conjunction(tests) if tests else None

    def _columns(
        self, plan: LogicalPlan, renamed: dict[str, str], moved: Sequence[Expr]
    ) -> list[tuple[Any, Expr]]:
        left, right = self.left, self.right
        # a key with one label on both sides becomes one column, filled from the side that has it
        pairs = list(zip(left.labels, right.labels, left.keys, moved, strict=True))
        merged = {a: self._key(x, y) for a, b, x, y in pairs if a is not None and a == b}
        # a key beside an index is filled from it where its own side has no row
        filled_left = {a: self._key(x, y) for a, b, x, y in pairs if a is not None and b is None}
        filled_right = {b: self._key(x, y) for a, b, x, y in pairs if b is not None and a is None}
        shared = {
            label for label in left.frame.labels if right.frame.has(label) and label not in merged
        }
        columns: list[tuple[Any, Expr]] = []
        for c in left.frame.columns:
            label = self._suffixed(c.label, 0) if c.label in shared else c.label
            expr = merged.get(c.label) or filled_left.get(c.label) or builder.column(plan, c.name)
            self._hint(label, left.frame, c.name)
            columns.append((label, expr))
        for c in right.frame.columns:
            if c.label in merged:
                continue
            label = self._suffixed(c.label, 1) if c.label in shared else c.label
            expr = filled_right.get(c.label) or builder.column(plan, renamed[c.name])
            self._hint(label, right.frame, c.name)
            columns.append((label, expr))
        return columns

    def _hint(self, label: Any, frame: Frame, name: str) -> None:
        if name in frame.hints:
            self.hints[label] = frame.hints[name]

    def _suffixed(self, label: Any, side: int) -> Any:
        if not self.suffixes[0] and not self.suffixes[1]:
            raise PlanError(
                f"Both frames have a column {label!r}; give suffixes to tell them apart, or drop "
                "one"
            )
        return f"{label}{self.suffixes[side] or ''}"

    def _key(self, left: Expr, right: Expr) -> Expr:
        common = t.require_common_type([left.dtype, right.dtype], "A merge key")
        left, right = builder.coerce(left, common), builder.coerce(right, common)
        if self.kind in ("inner", "left"):
            return left
        if self.kind == "right":
            return right
        return builder.call("coalesce", left, right)

    def _index(
        self, plan: LogicalPlan, renamed: dict[str, str], moved: Sequence[Expr]
    ) -> list[tuple[Any, Expr]]:
        left, right = self.left, self.right
        if left.by_index and right.by_index:
            return [
                (a.label if a.label == b.label else None, self._key(x, y))
                for a, b, x, y in zip(
                    left.frame.index, right.frame.index, left.keys, moved, strict=True
                )
            ]
        if left.by_index or right.by_index:
            side, keeps = (left, "left") if right.by_index else (right, "right")
            if self.kind not in ("inner", keeps):
                raise UnsupportedError(
                    "Of joins of a column with an index only inner and "
                    f"{keeps} are done here; use reset_index and join on columns"
                )
            names = [
                (i.label, i.name if side is left else renamed[i.name]) for i in side.frame.index
            ]
            return [(label, builder.column(plan, name)) for label, name in names]
        return []

    def _marks(self, taken: set[str]) -> tuple[str, str] | None:
        if not self.indicator:
            return None
        return fresh_name("#left", taken), fresh_name("#right", {*taken, "left~2"})

    def _indicator(self, plan: LogicalPlan, marks: tuple[str, str]) -> tuple[Any, Expr]:
        import pandas as pd

        label = self.indicator if isinstance(self.indicator, str) else "_merge"
        in_left, in_right = (builder.column(plan, mark) for mark in marks)
        value = builder.case(
            [
                (builder.call("is_null", in_left), builder.literal("right_only")),
                (builder.call("is_null", in_right), builder.literal("left_only")),
            ],
            builder.literal("both"),
        )
        self.hints[label] = pd.CategoricalDtype(["left_only", "right_only", "both"])
        return label, value

    def _place(
        self, plan: LogicalPlan, columns: list[tuple[Any, Expr]], index: list[tuple[Any, Expr]]
    ) -> Frame:
        check_unique([label for label, _ in columns])
        taken: set[str] = set()
        placed: list[Labelled] = []
        levels: list[Labelled] = []
        named: list[Named] = []
        hints: dict[str, Any] = {}
        for number, (label, expr) in enumerate([*columns, *index]):
            name = fresh_name("index" if label is None else label, taken)
            taken.add(name)
            named.append((name, expr))
            if number < len(columns):
                placed.append(Labelled(label, name))
                if label in self.hints:
                    hints[name] = self.hints[label]
            else:
                levels.append(Labelled(label, name))
        plan = builder.project(plan, named)
        return Frame(plan, tuple(placed), self.left.frame.runner, tuple(levels), hints)


def _renamed(names: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """Names of a right side that clash with none of a left side."""
    used, found = {*taken, *names}, {}
    for name in names:
        found[name] = name
        if name in taken:
            number = 2
            while f"{name}~{number}" in used:
                number += 1
            found[name] = f"{name}~{number}"
            used.add(found[name])
    return found


def join(left: Frame, other: Any, on: Any, how: str, lsuffix: str, rsuffix: str) -> Frame:
    """pandas' join: with the other frame's index."""
    if isinstance(other, list | tuple):
        for one in other:
            left = join(left, one, on, how, lsuffix, rsuffix)
        return left
    right = frame_of(other)
    shared = [label for label in left.labels if right.has(label)]
    if shared and not (lsuffix or rsuffix):
        raise PlanError(
            f"Both frames have a column {shared[0]!r}; give lsuffix or rsuffix, or drop one"
        )
    keys: dict[str, Any] = {"left_on": on} if on is not None else {"left_index": True}
    return merged(left, right, how, suffixes=(lsuffix, rsuffix), right_index=True, **keys)


def merge(left: Any, right: Any, how: str = "inner", on: Any = None, **options: Any) -> Any:
    """Join two frames; see `DataFrame.merge`.

    >>> import plait, pandas
    >>> a = plait.from_pandas(pandas.DataFrame({"k": [1, 2], "x": ["a", "b"]}))
    >>> b = plait.from_pandas(pandas.DataFrame({"k": [2, 3], "y": [0.5, 1.5]}))
    >>> plait.merge(a, b, on="k").compute().to_dict("records")
    [{'k': 2, 'x': 'b', 'y': 0.5}]
    """
    return WRAP.dataframe(merged(frame_of(left), frame_of(right), how, on, **options))
