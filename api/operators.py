"""Python's operators, once for all: Series, Scalar and DataFrame each say what `_operate` does."""

from __future__ import annotations

from typing import Any, NoReturn, Self


class Operators:
    """`a + b`, `a > b`, `a & b`, ... as calls of `_operate(sign, other, reflected)`."""

    # Defining __eq__ takes hashing away, which is right: == makes a lazy value here.
    __hash__ = None  # type: ignore[assignment]
    # numpy scalars on the left leave the operator to us
    __array_ufunc__ = None

    def _operate(self, sign: str, other: Any, reflected: bool = False) -> Any:
        raise NotImplementedError

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
