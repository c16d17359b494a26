"""A frame as it leaves plait: its labels and types, its rows counted, what explain shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plait.display import pandas_dtype
from plait.frame import Frame

if TYPE_CHECKING:
    import pandas as pd


def labels(frame: Frame) -> Any:
    """The column labels as pandas has them."""
    import pandas as pd

    found = frame.labels
    if found and all(isinstance(label, tuple) for label in found):
        return pd.MultiIndex.from_tuples(found)
    return pd.Index(list(found), dtype="str" if all(type(x) is str for x in found) else None)


def dtypes(frame: Frame) -> pd.Series:
    """The type of each column where no value is missing."""
    import pandas as pd

    kinds = [frame.hints.get(c.name, pandas_dtype(frame.expr(c.name).dtype)) for c in frame.columns]
    return pd.Series(kinds, index=labels(frame), dtype=object)


def count(frame: Frame) -> int:
    """How many rows; from footers alone where that is possible."""
    return frame.runner.count(frame.plan)
