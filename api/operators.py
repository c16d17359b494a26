"""Python's operators, once for all: Series, Scalar and DataFrame each say what `_operate` does."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, Self

import numpy as np

from plait.errors import UnsupportedError

_NUMPY = (np.generic, np.ndarray)

# numpy's names of Python's operators with two sides
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
}


class Operators:
    """`a + b`, `a > b`, `a & b`, ... as calls of `_operate(sign, other, reflected)`."""

    # Defining __eq__ takes hashing away, which is right: == makes a lazy value here.
    __hash__ = None  # type: ignore[assignment]

    def _operate(self, sign: str, other: Any, reflected: bool = False) -> Any:
        raise NotImplementedError

    def _apply_ufunc(self, ufunc: Any) -> Any:
        """A numpy function of one argument, of every value."""
        raise UnsupportedError(
            f"numpy's {ufunc.__name__} of a lazy {type(self).__name__} is not done; use it on a "
            f"column, np.{ufunc.__name__}(df.x), or on the result of compute()"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """numpy's functions, and its operators with a numpy scalar on the left."""
        name = ufunc.__name__
        if method == "__call__" and not options and ufunc.nout == 1:
            if len(inputs) == 1:
                return self._apply_ufunc(ufunc)
            if name in _OPERATORS:
                # as numbers of Python: those of numpy would ask us again
                sides = [i.item() if isinstance(i, _NUMPY) and i.ndim == 0 else i for i in inputs]
                if not any(isinstance(side, _NUMPY) for side in sides):
                    return _OPERATORS[name](*sides)
        raise UnsupportedError(
            f"numpy's {name} of a lazy {type(self).__name__} is not done; use column arithmetic, "
            "or df.map_partitions(function)"
        )

    def __add__(self, other: Any) -> Self:
        return self._operate("+", other)  # type: ignore[no-any-return]

    def __radd__(self, other: Any) -> Self:
        return self._operate("+", other, True)  # type: ignore[no-any-return]

    def __sub__(self, other: Any) -> Self:
        return self._operate("-", other)  # type: ignore[no-any-return]

    def __rsub__(self, other: Any) -> Self:
        return self._operate("-", other, True)  # type: ignore[no-any-return]

    def __mul__(self, other: Any) -> Self:
        return self._operate("*", other)  # type: ignore[no-any-return]

    def __rmul__(self, other: Any) -> Self:
        return self._operate("*", other, True)  # type: ignore[no-any-return]

    def __truediv__(self, other: Any) -> Self:
        return self._operate("/", other)  # type: ignore[no-any-return]

    def __rtruediv__(self, other: Any) -> Self:
        return self._operate("/", other, True)  # type: ignore[no-any-return]

    def __floordiv__(self, other: Any) -> Self:
        return self._operate("//", other)  # type: ignore[no-any-return]

    def __rfloordiv__(self, other: Any) -> Self:
        return self._operate("//", other, True)  # type: ignore[no-any-return]

    def __mod__(self, other: Any) -> Self:
        return self._operate("%", other)  # type: ignore[no-any-return]

    def __rmod__(self, other: Any) -> Self:
        return self._operate("%", other, True)  # type: ignore[no-any-return]

    def __pow__(self, other: Any) -> Self:
        return self._operate("**", other)  # type: ignore[no-any-return]

    def __rpow__(self, other: Any) -> Self:
        return self._operate("**", other, True)  # type: ignore[no-any-return]

    def __eq__(self, other: Any) -> Self:  # type: ignore[override]
        return self._operate("==", other)  # type: ignore[no-any-return]

    def __ne__(self, other: Any) -> Self:  # type: ignore[override]
        return self._operate("!=", other)  # type: ignore[no-any-return]

    def __lt__(self, other: Any) -> Self:
        return self._operate("<", other)  # type: ignore[no-any-return]

    def __le__(self, other: Any) -> Self:
        return self._operate("<=", other)  # type: ignore[no-any-return]

    def __gt__(self, other: Any) -> Self:
        return self._operate(">", other)  # type: ignore[no-any-return]

    def __ge__(self, other: Any) -> Self:
        return self._operate(">=", other)  # type: ignore[no-any-return]

    def __and__(self, other: Any) -> Self:
        return self._operate("&", other)  # type: ignore[no-any-return]

    def __rand__(self, other: Any) -> Self:
        return self._operate("&", other, True)  # type: ignore[no-any-return]

    def __or__(self, other: Any) -> Self:
        return self._operate("|", other)  # type: ignore[no-any-return]

    def __ror__(self, other: Any) -> Self:
        return self._operate("|", other, True)  # type: ignore[no-any-return]

    def __xor__(self, other: Any) -> Self:
        return self._operate("^", other)  # type: ignore[no-any-return]

    def __rxor__(self, other: Any) -> Self:
        return self._operate("^", other, True)  # type: ignore[no-any-return]


class NamedOperators(Operators):
    """The same by pandas' method names; `fill_value` stands in where one side is missing."""

    def _named(self, sign: str, other: Any, fill_value: Any) -> Any:
        raise NotImplementedError

    def add(self, other: Any, fill_value: Any = None) -> Self:
        """self + other."""
        return self._named("+", other, fill_value)  # type: ignore[no-any-return]

    def sub(self, other: Any, fill_value: Any = None) -> Self:
        """self - other."""
        return self._named("-", other, fill_value)  # type: ignore[no-any-return]

    def mul(self, other: Any, fill_value: Any = None) -> Self:
        """self * other."""
        return self._named("*", other, fill_value)  # type: ignore[no-any-return]

    def div(self, other: Any, fill_value: Any = None) -> Self:
        """self / other."""
        return self._named("/", other, fill_value)  # type: ignore[no-any-return]

    def floordiv(self, other: Any, fill_value: Any = None) -> Self:
        """self // other."""
        return self._named("//", other, fill_value)  # type: ignore[no-any-return]

    def mod(self, other: Any, fill_value: Any = None) -> Self:
        """self % other."""
        return self._named("%", other, fill_value)  # type: ignore[no-any-return]

    def pow(self, other: Any, fill_value: Any = None) -> Self:
        """self ** other."""
        return self._named("**", other, fill_value)  # type: ignore[no-any-return]

    subtract, multiply, divide, truediv = sub, mul, div, div

    def radd(self, other: Any) -> Self:
        """other + self."""
        return self._operate("+", other, True)  # type: ignore[no-any-return]

    def rsub(self, other: Any) -> Self:
        """other - self."""
        return self._operate("-", other, True)  # type: ignore[no-any-return]

    def rmul(self, other: Any) -> Self:
        """other * self."""
        return self._operate("*", other, True)  # type: ignore[no-any-return]

    def rdiv(self, other: Any) -> Self:
        """other / self."""
        return self._operate("/", other, True)  # type: ignore[no-any-return]

    def eq(self, other: Any) -> Self:
        """self == other."""
        return self._operate("==", other)  # type: ignore[no-any-return]

    def ne(self, other: Any) -> Self:
        """self != other."""
        return self._operate("!=", other)  # type: ignore[no-any-return]

    def lt(self, other: Any) -> Self:
        """self < other."""
        return self._operate("<", other)  # type: ignore[no-any-return]

    def le(self, other: Any) -> Self:
        """self <= other."""
        return self._operate("<=", other)  # type: ignore[no-any-return]

    def gt(self, other: Any) -> Self:
        """self > other."""
        return self._operate(">", other)  # type: ignore[no-any-return]

    def ge(self, other: Any) -> Self:
        """self >= other."""
        return self._operate(">=", other)  # type: ignore[no-any-return]

    def __bool__(self) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} has no truth value. Combine masks with & | ~ (in "
            "parentheses) instead of and, or, not; ask .any() or .all() for one answer, "
            "`.empty` whether there are rows"
        )
