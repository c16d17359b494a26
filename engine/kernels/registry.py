"""KERNELS: the engine's side of the function registry, one kernel for each scalar function.

    KERNELS[name](args, result_type) -> array

Arguments are of the types in the function's signature, columns (never chunked) or constants
(`pyarrow.Scalar`), and at least one is a column; a function without arguments gets one column of
NULLs that has the rows. A column may be in a narrower encoding than its type (see `encoding`), and
so may the result.
"""

from __future__ import annotations

from collections.abc import Mapping

from plait.engine.kernels import (
    arithmetic,
    comparison,
    conditional,
    dateparts,
    elements,
    lists,
    numeric,
    pandas,
    patterns,
    strings,
    temporal,
    texts,
    timeformat,
)
from plait.engine.kernels.encoding import Kernel
from plait.engine.kernels.moments import FINISHERS

KERNELS: Mapping[str, Kernel] = {
    **arithmetic.KERNELS,
    **comparison.KERNELS,
    **conditional.KERNELS,
    **numeric.KERNELS,
    **pandas.KERNELS,
    **strings.KERNELS,
    **patterns.KERNELS,
    **texts.KERNELS,
    **lists.KERNELS,
    **elements.KERNELS,
    **dateparts.KERNELS,
    **temporal.KERNELS,
    **timeformat.KERNELS,
    **FINISHERS,
}
