"""Window functions proper: ranks and positions. Aggregates are window functions as well."""

from __future__ import annotations

import pyarrow as pa

from plait.planner.expr import Expr
from plait.planner.functions.coercion import Overload, any_type, first_type, overloads, unify
from plait.planner.functions.signature import Resolve, Signature, WindowFunction
from plait.planner.types import DOUBLE, INT64


def _rank(name: str, result: pa.DataType) -> Resolve:
    return overloads(name, Overload((), result))


def _shift(name: str) -> Resolve:
    plain = overloads(
        name, Overload((any_type,), first_type), Overload((any_type, INT64), first_type)
    )

    def resolve(args: tuple[Expr, ...]) -> Signature:
        if len(args) != 3:
            return plain(args)
        common = unify((args[0], args[2]), f"the default of {name}")
        return Signature((common, INT64, common), common)

    return resolve


FUNCTIONS = (
    WindowFunction("row_number", _rank("row_number", INT64), doc="1, 2, 3, ... in order"),
    WindowFunction("rank", _rank("rank", INT64), doc="Rank with gaps after ties"),
    WindowFunction(
        "dense_rank", _rank("dense_rank", INT64), sql=("rank_dense",), doc="Rank without gaps"
    ),
    WindowFunction("percent_rank", _rank("percent_rank", DOUBLE), doc="(rank - 1) / (rows - 1)"),
    WindowFunction(
        "cume_dist", _rank("cume_dist", DOUBLE), doc="Share of rows that are not after this one"
    ),
    WindowFunction(
        "ntile",
        overloads("ntile", Overload((INT64,), INT64)),
        doc="The number of the bucket out of n",
    ),
    WindowFunction("lag", _shift("lag"), doc="The value n rows before"),
    WindowFunction("lead", _shift("lead"), doc="The value n rows after"),
    WindowFunction(
        "first_value",
        overloads("first_value", Overload((any_type,), first_type)),
        sql=("first",),
        uses_frame=True,
        doc="The value in the frame's first row",
    ),
    WindowFunction(
        "last_value",
        overloads("last_value", Overload((any_type,), first_type)),
        sql=("last",),
        uses_frame=True,
        doc="The value in the frame's last row",
    ),
    WindowFunction(
        "nth_value",
        overloads("nth_value", Overload((any_type, INT64), first_type)),
        uses_frame=True,
        doc="The value in the frame's n-th row",
    ),
)
