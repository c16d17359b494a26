"""List functions: making lists, elements, slices, membership; and fields of structs."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.types as pat

from plait.errors import PlanError, TypeMismatchError, nearest_names
from plait.planner.expr import Expr, Literal
from plait.planner.functions.aggregate import sum_type
from plait.planner.functions.coercion import (
    Overload,
    Typed,
    any_list,
    first_type,
    mismatch,
    overloads,
    unify,
    unify_pair,
)
from plait.planner.functions.signature import Function, Nulls, Resolve, Signature
from plait.planner.types import (
    BOOL,
    DOUBLE,
    INT32,
    INT64,
    NULL,
    STRING,
    UINT64,
    is_numeric,
    sql_name,
)


def _element(types: tuple[pa.DataType, ...]) -> pa.DataType:
    return types[0].value_type


def _element_and(name: str, value: Expr, list_: Expr) -> pa.DataType:
    """The type that a list's elements and a value beside them are brought to."""
    common = None
    if pat.is_list(list_.dtype):
        common = unify_pair(Typed(list_.dtype.value_type), value)
    if common is None:
        raise TypeMismatchError(
            f"{name} does not go with {sql_name(list_.dtype)} and {sql_name(value.dtype)}"
        )
    return common


def _searching(name: str, result: pa.DataType) -> Resolve:
    """A list and a value that may be in it."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2:
            raise mismatch(name, args)
        common = _element_and(name, args[1], args[0])
        return Signature((pa.list_(common), common), result)

    return resolve


def _adding(name: str, at: int) -> Resolve:
    """A list, and a value to be added, which is argument number `at`."""

    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2:
            raise mismatch(name, args)
        common = _element_and(name, args[at], args[1 - at])
        list_ = pa.list_(common)
        return Signature((common, list_) if at == 0 else (list_, common), list_)

    return resolve


def _two_lists(name: str) -> Resolve:
    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 2:
            raise mismatch(name, args)
        common = unify(args, name)
        if not pat.is_list(common):
            raise mismatch(name, args)
        return Signature((common, common), BOOL)

    return resolve


def _flat(types: tuple[pa.DataType, ...]) -> pa.DataType:
    return types[0].value_type


def _list_of_lists(arg: Expr) -> pa.DataType | None:
    """List of lists."""
    t = arg.dtype
    return t if pat.is_list(t) and pat.is_list(t.value_type) else None


def _sorting(name: str) -> Resolve:
    return overloads(
        name,
        Overload((any_list,), first_type),
        Overload((any_list, STRING), first_type),
        Overload((any_list, STRING, STRING), first_type),
    )


def _struct_field(args: tuple[Expr, ...]) -> Signature:
    if len(args) != 2 or not pat.is_struct(args[0].dtype) or not isinstance(args[1], Literal):
        raise mismatch("struct_extract", args)
    t, key = args[0].dtype, args[1].value
    names = [field.name for field in t]
    at = key - 1 if isinstance(key, int) else field_number(names, str(key))
    if at is None or not 0 <= at < len(names):
        close = nearest_names(str(key), names)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise PlanError(f"{sql_name(t)} has no field {key!r}.{hint}")
    return Signature((t, args[1].dtype), t.field(at).type)


def field_number(names: Sequence[str], name: str) -> int | None:
    """The place of a field by its name, in any case if no case fits."""
    folded = [n.casefold() for n in names]
    if name in names:
        return names.index(name)
    return folded.index(name.casefold()) if name.casefold() in folded else None


def _value(args: tuple[Expr, ...]) -> Signature:
    common = unify(args, "A list") if args else NULL
    if args and common == NULL:
        common = INT32  # as DuckDB has it; Arrow's casts break lists that hold only NULLs
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
        _searching("list_contains", BOOL),
        sql=("array_contains", "list_has", "array_has"),
        doc="Whether an element equals the value",
    ),
    Function(
        "list_position",
        _searching("list_position", INT32),
        sql=("array_position", "list_indexof", "array_indexof"),
        doc="The position of the first equal element",
    ),
    Function(
        "list_append",
        _adding("list_append", 1),
        sql=("array_append", "array_push_back"),
        nulls=Nulls.OWN,
        doc="The list with a value at its end",
    ),
    Function(
        "list_prepend",
        _adding("list_prepend", 0),
        sql=("array_prepend",),
        nulls=Nulls.OWN,
        doc="The list with a value at its start",
    ),
    Function(
        "list_reverse",
        overloads("list_reverse", Overload((any_list,), first_type)),
        sql=("array_reverse",),
        doc="The elements backwards",
    ),
    Function(
        "list_sort",
        _sorting("list_sort"),
        sql=("array_sort",),
        doc="The elements in order ('ASC' or 'DESC', 'NULLS FIRST' or 'NULLS LAST')",
    ),
    Function(
        "list_reverse_sort",
        _sorting("list_reverse_sort"),
        sql=("array_reverse_sort",),
        doc="The elements in descending order",
    ),
    Function(
        "list_distinct",
        overloads("list_distinct", Overload((any_list,), first_type)),
        sql=("array_distinct",),
        doc="The different elements but NULL, in the order of their first occurrence",
    ),
    Function(
        "list_unique",
        overloads("list_unique", Overload((any_list,), UINT64)),
        sql=("array_unique",),
        doc="How many different elements, without NULL",
    ),
    Function(
        "list_count",
        overloads("list_count", Overload((any_list,), INT64)),
        doc="How many elements that are not NULL",
    ),
    Function(
        "list_has_any",
        _two_lists("list_has_any"),
        sql=("array_has_any", "&&"),
        doc="Whether the lists have an element in common",
    ),
    Function(
        "list_has_all",
        _two_lists("list_has_all"),
        sql=("array_has_all", "@>"),
        doc="Whether all of the second list's elements are in the first",
    ),
    Function(
        "flatten",
        overloads("flatten", Overload((_list_of_lists,), _flat)),
        doc="The lists in a list one after the other",
    ),
    Function("struct_extract", _struct_field, doc="A field by its name, or number from 1"),
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
