"""What each operator of a task did: rows, bytes, seconds, what it spilled; as batches pass.

Operators are numbered by their place in the stage's tree (`PhysicalOp.walk`). The seconds of an
operator include those of its inputs as measured; `explain` subtracts them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa


@dataclass
class OperatorMetrics:
    """Of one operator in one task, or summed over tasks.

    `tiers`: which tier ran the pipeline it is the top of, and why not the compiled one.
    """

    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0
    spilled: int = 0
    tiers: dict[str, None] = field(default_factory=dict)  # in order, each once

    def add(self, other: OperatorMetrics) -> None:
        """Add another task's figures."""
        self.rows += other.rows
        self.bytes += other.bytes
        self.seconds += other.seconds
        self.spilled += other.spilled
        self.tiers.update(other.tiers)

    def note_tier(self, note: str) -> None:
        """Say how the pipeline was run."""
        self.tiers[note] = None

    def add_spilled(self, count: int) -> None:
        """So many more bytes were written to spill files."""
        self.spilled += count


class Meter:
    """Collects the metrics of the operators of one task."""

    def __init__(self) -> None:
        self.operators: dict[int, OperatorMetrics] = {}

    def operator(self, number: int) -> OperatorMetrics:
        """The metrics of one operator, to be added to."""
        return self.operators.setdefault(number, OperatorMetrics())

    def follow(self, number: int, rows: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same batches, counted and timed."""
        metrics = self.operator(number)
        clock = time.perf_counter
        while True:
            start = clock()
            batch = next(rows, None)
            metrics.seconds += clock() - start
            if batch is None:
                return
            metrics.rows += batch.num_rows
            metrics.bytes += batch.nbytes
            yield batch


def total(parts: Iterator[Mapping[int, OperatorMetrics]]) -> dict[int, OperatorMetrics]:
    """The sum over tasks."""
    result: dict[int, OperatorMetrics] = {}
    for part in parts:
        for number, metrics in part.items():
            result.setdefault(number, OperatorMetrics()).add(metrics)
    return result
