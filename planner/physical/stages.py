"""Stage: the physical plan between two exchanges; a description that can be printed.

A stage is one operator tree run over `partitions` partitions, one task each. `output` tells what
becomes of a task's rows:

keep           one part: the task's rows as they are
hash           `parts` parts by the hash of `keys`
range          `parts` parts, one after the other in the order of the CutRanges at the root
home           `parts` parts by the partition in the place that `keys` names
table          the one object a BuildTable makes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from plait.planner.logical import LogicalPlan
from plait.planner.physical.operators import PhysicalOp, ReadStage


@dataclass(frozen=True)
class Output:
    """What becomes of the rows of a task."""

    kind: str = "keep"
    keys: tuple[str, ...] = ()
    parts: int = 1

    @property
    def split(self) -> bool:
        """Whether a task gives a part to each partition of the next stage."""
        return self.kind in ("hash", "range", "home")

    def __str__(self) -> str:
        keys = f"({', '.join(self.keys)})" if self.keys else ""
        return f"{self.kind}{keys} into {self.parts}" if self.split else self.kind


@dataclass(frozen=True)
class Stage:
    """One operator tree over the partitions `first`, first + 1, ...

    `stop_after`: once the tasks run so far gave this many rows, the others need not run.
    `source`: its tasks read stored data (they are held back when consumers lag).
    `tier`: what runs its pipelines, if that is set for the query.
    `logical` is the plan whose rows the stage gives, when it stands for a whole plan node.
    """

    id: int
    root: PhysicalOp
    partitions: int
    output: Output = Output()
    stop_after: int | None = None
    source: bool = False
    logical: LogicalPlan | None = None
    estimated_rows: float | None = None
    first: int = 0
    tier: str | None = None

    @property
    def inputs(self) -> tuple[int, ...]:
        """The stages it reads."""
        reads = (op for op in self.root.walk() if isinstance(op, ReadStage))
        return tuple(dict.fromkeys(s for op in reads for s in op.stages))

    def __str__(self) -> str:
        rows = "" if self.estimated_rows is None else f"  ~{self.estimated_rows:,.0f} rows"
        stop = "" if self.stop_after is None else f", stops after {self.stop_after} rows"
        lines = [f"Stage {self.id} x{self.partitions} -> {self.output}{stop}{rows}"]
        stack: list[tuple[PhysicalOp, int]] = [(self.root, 1)]
        while stack:
            op, depth = stack.pop()
            lines.append("  " * depth + op.label())
            stack.extend((c, depth + 1) for c in reversed(op.children()))
        return "\n".join(lines)


def text(stages: Sequence[Stage]) -> str:
    """All stages as text, in the order in which they can run."""
    return "\n".join(map(str, stages))
