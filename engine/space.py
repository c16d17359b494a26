"""Space: what one operator of a running task may gather, and the files for what is more."""

from __future__ import annotations

from plait.engine.memory import gather_limit
from plait.engine.metrics import OperatorMetrics
from plait.engine.spill import SpillFile, failure
from plait.scheduler.context import current_context


class Space:
    """Made for each operator in the thread of its task; what it spills is counted in `metrics`."""

    def __init__(self, metrics: OperatorMetrics | None = None, limit: float | None = None) -> None:
        self.metrics = OperatorMetrics() if metrics is None else metrics
        self.limit = gather_limit() if limit is None else limit

    def file(self) -> SpillFile:
        """A new file. SpillError if there can be none."""
        try:
            folder = current_context().scratch
        except OSError as error:
            raise failure(error.filename or "the temporary folder", error) from error
        return SpillFile(folder, self.metrics.add_spilled)
