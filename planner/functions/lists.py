"""List functions: making lists, elements, slices, membership."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import TypeMismatchError
from plait.planner.expr import Expr
from plait.planner.functions.aggregate import sum_type
from plait.planner.functions.coercion import (
    Overload,
    any_list,
    first_type,
    mismatch,
    overloads,
    promote,
    unify,
)
from plait.planner.functions.signature import Function, Nulls, Signature
from plait.planner.types import BOOL, DOUBLE, INT32, INT64, NULL, STRING, is_numeric, sql_name


def _element(types: tuple[pa.DataType, ...]) -> pa.DataType:
    return types[0].value_type


def _with_element(name: str, result: pa.DataType) -> Callable[[tuple[Expr, ...]], Signature]:
    """A list and a value, which becomes an element's type."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2 or not pat.is_list(args[0].dtype):
            raise mismatch(name, args)
        inner = args[0].dtype.value_type
        common = promote(inner, args[1].dtype)
        if common is None:
            raise TypeMismatchError(
                f"{name} cannot look for {sql_name(args[1].dtype)} in {sql_name(args[0].dtype)}"
            )
        return Signature((pa.list_(common), common), result)

    return resolve


def _value(args: tuple[Expr, ...]) -> Signature:
    common = unify(args, "A list") if args else NULL
    return Signature((common,) * len(args), pa.list_(common))


def _joined(args: tuple[Expr, ...]) -> Signature:
    common = unify(args, "list_concat")
    if not pat.is_list(common):
        raise mismatch("list_concat", args)
    return Signature((common,) * len(args), common)


def _numbers(arg: Expr) -> pa.DataType | None:
    """List of numbers."""
    t = arg.dtype
    return t if pat.is_list(t) and is_numeric(t.value_type) else None


FUNCTIONS = (
    Function(
        "list_value", _value, sql=("list_pack",), nulls=Nulls.OWN, doc="The arguments as a list"
    ),
    Function(
        "list_concat",
        _joined,
        sql=("array_concat", "list_cat", "array_cat"),
        nulls=Nulls.OWN,
        doc="Lists one after the other, NULL being empty",
    ),
    Function(
        "list_extract",
        overloads(
            "list_extract", Overload((any_list, INT64), _element), Overload((STRING, INT64), STRING)
        ),
        sql=("list_element", "array_extract"),
        doc="The element, or character, at a position",
    ),
    Function(
        "list_slice",
        overloads(
            "list_slice",
            Overload((any_list, INT64, INT64), first_type),
            Overload((STRING, INT64, INT64), STRING),
        ),
        sql=("array_slice",),
        nulls=Nulls.OWN,
        doc="The elements, or characters, from one position to another; NULL is an open end",
    ),
    Function(
        "list_contains",
        _with_element("list_contains", BOOL),
        sql=("array_contains", "list_has", "array_has"),
        doc="Whether an element equals the value",
    ),
    Function(
        "list_position",
        _with_element("list_position", INT32),
        sql=("array_position", "list_indexof", "array_indexof"),
        doc="The position of the first equal element",
    ),
    Function(
        "array_length",
        overloads("array_length", Overload((any_list,), INT64)),
        doc="How many elements",
    ),
    Function(
        "array_to_string",
        overloads("array_to_string", Overload((any_list, STRING), STRING)),
        doc="The elements as text with a separator between them",
    ),
    Function(
        "list_sum",
        overloads("list_sum", Overload((_numbers,), lambda types: sum_type(_element(types)))),
        doc="The sum of the elements",
    ),
    Function(
        "list_avg",
        overloads("list_avg", Overload((_numbers,), DOUBLE)),
        doc="The mean of the elements",
    ),
    Function(
        "list_min", overloads("list_min", Overload((any_list,), _element)), doc="The smallest"
    ),
    Function("list_max", overloads("list_max", Overload((any_list,), _element)), doc="The most"),
)
