"""What may stand beside a column in an operation, brought to an expression over one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plait import expressions as ex
from plait.errors import TypeMismatchError, UnsupportedError
from plait.frame import Frame
from plait.planner.expr import Expr
from plait.rowwise import combine
from plait.scalar import Scalar

if TYPE_CHECKING:
    from plait.series import Series


def is_series(value: object) -> bool:
    """Whether the value is a plait Series (or Index)."""
    return hasattr(value, "_frame") and hasattr(value, "_expr")


def is_frame(value: object) -> bool:
    """Whether the value is a plait DataFrame."""
    return hasattr(value, "_frame") and not hasattr(value, "_expr")


def over(frame: Frame, *values: Any, carry: bool = False) -> tuple[Frame, list[Expr]]:
    """The frame, with helper columns if need be, and each value as an expression over it.

    A value is a Series with the same rows, a lazy Scalar, or a constant. With `carry` a Series may
    also be of the frame that this one's rows were chosen from.
    """
    found: list[Expr | None] = []
    series: list[Series] = []
    for value in values:
        if is_series(value):
            series.append(value)
            found.append(None)
        elif isinstance(value, Scalar):
            found.append(value.expr)
        else:
            found.append(constant(value))
    frame, moved = combine(frame, [(s._frame, s._expr) for s in series], carry=carry)
    rest = iter(moved)
    return frame, [next(rest) if e is None else e for e in found]


def constant(value: Any) -> Expr:
    """A constant; columns of values that are not plait's are refused with advice."""
    if is_frame(value):
        raise TypeMismatchError(
            "A whole DataFrame cannot stand here; choose one of its columns: frame['name']"
        )
    if hasattr(value, "__len__") and not isinstance(value, str | bytes):
        raise UnsupportedError(
            f"A {type(value).__name__} of {len(value)} values cannot be lined up with lazy rows; "
            "put it in a frame with plait.from_pandas and merge it on a key"
        )
    return ex.literal(value)
