"""Comparisons, boolean operators, NULL tests, IN and the conditional functions.

Both sides of a comparison come to one type, with one exception for speed: a column of integers or
decimals is left as it is beside a number literal, and the literal takes the column's type if it is
one of its values (`quantity < 24` compares decimals, `code = 5.0` integers). A literal that is not
(`code < 2.5`) keeps its own type, and the kernel compares the two exactly.

A string column beside a number or a date: `=`, `<>`, IN and IS DISTINCT FROM convert the string,
as DuckDB does; an ordering is refused, since text and numbers order differently.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import TypeMismatchError
from plait.planner.expr import Expr, Literal
from plait.planner.functions.coercion import (
    any_type,
    fits_exactly,
    fixed,
    is_number_literal,
    mismatch,
    unify,
    unify_pair,
)
from plait.planner.functions.signature import Function, Nulls, Resolve, Signature
from plait.planner.types import (
    BOOL,
    NULL,
    is_decimal,
    is_float,
    is_integer,
    is_numeric,
    is_string,
    sql_name,
)


def _is_exact(t: pa.DataType) -> bool:
    return is_integer(t) or is_decimal(t)


def _literal_beside(column: Expr, literal: Literal) -> pa.DataType | None:
    """The type of a number literal compared with a number column, if the column can stay."""
    if is_float(column.dtype):
        return column.dtype
    if not _is_exact(column.dtype):
        return None
    return column.dtype if fits_exactly(literal, column.dtype) else literal.dtype


def comparison_types(a: Expr, b: Expr, ordering: bool = True) -> tuple[pa.DataType, pa.DataType]:
    """What the two sides of a comparison are cast to."""
    for column, literal, swapped in ((a, b, False), (b, a, True)):
        if (
            isinstance(literal, Literal)
            and is_number_literal(literal)
            and not is_number_literal(column)
        ):
            beside = _literal_beside(column, literal)
            if beside is not None:
                return (beside, column.dtype) if swapped else (column.dtype, beside)
    common = unify_pair(a, b, compared=True)
    if common is None and not ordering:
        strings = [is_string(a.dtype), is_string(b.dtype)]
        if any(strings) and not pat.is_nested(a.dtype) and not pat.is_nested(b.dtype):
            common = b.dtype if strings[0] else a.dtype
    if common is None:
        raise TypeMismatchError(
            f"Cannot compare {sql_name(a.dtype)} with {sql_name(b.dtype)} "
            f"({a} and {b}); cast one of them"
        )
    return common, common


def _comparison(name: str, ordering: bool) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2:
            raise mismatch(name, args)
        return Signature(comparison_types(*args, ordering=ordering), BOOL)

    return resolve


def _logical(name: str) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        for arg in args:
            t = arg.dtype
            if not (pat.is_boolean(t) or is_numeric(t) or t == NULL or is_string(t)):
                raise TypeMismatchError(f"{name} needs booleans, not {sql_name(t)} ({arg})")
        return Signature((BOOL,) * len(args), BOOL)

    return resolve


def _in(args: tuple[Expr, ...]) -> Signature:
    if not args:
        raise mismatch("in", args)
    value, *items = args
    types = [comparison_types(value, item, ordering=False) for item in items]
    if all(mine == theirs == value.dtype for mine, theirs in types):
        return Signature((value.dtype,) * len(args), BOOL)
    adapted = {t for t, _ in types}
    common = adapted.pop() if len(adapted) == 1 and all(a == b for a, b in types) else None
    if common is None:
        common = unify(args, "IN", compared=True)
    return Signature((common,) * len(args), BOOL)


def _same(name: str) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if not args:
            raise mismatch(name, args)
        common = unify(args, name)
        return Signature((common,) * len(args), common)

    return resolve


def _nullif(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2:
        raise mismatch("nullif", args)
    a, b = args
    _, right = comparison_types(a, b, ordering=False)
    # the first argument is also the result, so it keeps its type; the kernel compares
    return Signature((a.dtype, right if isinstance(b, Literal) else b.dtype), a.dtype)


def _if(args: tuple[Expr, ...]) -> Signature:
    if len(args) not in (2, 3):
        raise mismatch("if", args)
    common = unify(args[1:], "if")
    return Signature((BOOL, *(common,) * (len(args) - 1)), common)


def _compare(name: str, symbol: str, doc: str, ordering: bool = True) -> Function:
    return Function(name, _comparison(symbol, ordering), sql=(symbol,), doc=doc)


FUNCTIONS = (
    _compare("equal", "=", "Whether both sides are equal", ordering=False),
    _compare("not_equal", "<>", "Whether the sides differ", ordering=False),
    _compare("less", "<", "Whether the left side is smaller"),
    _compare("less_equal", "<=", "Whether the left side is not larger"),
    _compare("greater", ">", "Whether the left side is larger"),
    _compare("greater_equal", ">=", "Whether the left side is not smaller"),
    Function(
        "is_distinct",
        _comparison("IS DISTINCT FROM", False),
        nulls=Nulls.OWN,
        doc="Whether the sides differ, NULL being equal to NULL",
    ),
    Function(
        "is_not_distinct",
        _comparison("IS NOT DISTINCT FROM", False),
        nulls=Nulls.OWN,
        doc="Whether both sides are equal, NULL being equal to NULL",
    ),
    Function("and", _logical("AND"), nulls=Nulls.OWN, doc="Three-valued conjunction"),
    Function("or", _logical("OR"), nulls=Nulls.OWN, doc="Three-valued disjunction"),
    Function("not", _logical("NOT"), doc="Negation"),
    Function(
        "is_null",
        fixed("is_null", any_type, result=BOOL),
        sql=("isnull",),
        nulls=Nulls.OWN,
        doc="Whether the value is NULL",
    ),
    Function(
        "is_not_null",
        fixed("is_not_null", any_type, result=BOOL),
        sql=("notnull",),
        nulls=Nulls.OWN,
        doc="Whether the value is not NULL",
    ),
    Function("in", _in, nulls=Nulls.OWN, doc="Whether the first argument equals one of the others"),
    Function(
        "coalesce",
        _same("coalesce"),
        sql=("ifnull", "nvl"),
        nulls=Nulls.OWN,
        doc="The first argument that is not NULL",
    ),
    Function(
        "nullif",
        _nullif,
        nulls=Nulls.OWN,
        doc="NULL where both arguments are equal, else the first",
    ),
    Function(
        "if",
        _if,
        sql=("iff",),
        nulls=Nulls.OWN,
        doc="The second argument where the first holds, else the third",
    ),
    Function(
        "greatest", _same("greatest"), nulls=Nulls.OWN, doc="The largest argument, NULLs left out"
    ),
    Function("least", _same("least"), nulls=Nulls.OWN, doc="The smallest argument, NULLs left out"),
)
