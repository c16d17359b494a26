"""Index: the frame's index as a lazy column; computed it is a pandas Index."""

from __future__ import annotations

from typing import Any

from plait.columnwise import index_of
from plait.frame import Frame
from plait.series import Series


class Index(Series):
    """The index of a lazy frame: df[df.index > 10], df.index.compute()."""

    @staticmethod
    def of(frame: Frame) -> Index:
        """The index of a frame."""
        made = index_of(frame)
        assert isinstance(made, Index)
        return made

    def compute(self) -> Any:
        """Run the plan; the result as a pandas Index."""
        import pandas as pd

        values = Series.compute(self)
        if not self._frame.index:
            return pd.RangeIndex(len(values))
        return pd.Index(values.array, name=self._label)

    @property
    def names(self) -> list[Any]:
        """The name, as a list."""
        return [self._label]
