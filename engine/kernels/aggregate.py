"""All aggregate functions by name: what the registry knows, and the states behind partial ones."""

from __future__ import annotations

import pyarrow as pa

from plait.engine.kernels.arguments import Source
from plait.engine.kernels.collect import COLLECT
from plait.engine.kernels.moments import MOMENTS
from plait.engine.kernels.picks import PICKS
from plait.engine.kernels.quantiles import QUANTILES
from plait.engine.kernels.reductions import REDUCTIONS, Aggregate
from plait.errors import UnsupportedError
from plait.planner.expr import AggregateCall

AGGREGATES: dict[str, Aggregate] = {**REDUCTIONS, **PICKS, **QUANTILES, **COLLECT, **MOMENTS}


def compute(source: Source, call: AggregateCall) -> pa.Array:
    """The call's value for each group."""
    function = AGGREGATES.get(call.function)
    if function is None:
        raise UnsupportedError(f"The engine has no aggregate function {call.function!r}: {call}")
    return function(source.rows(call), call)
