"""Which operators of plait take the time of a job.

Seconds of threads over all tasks, each operator without its inputs: with two threads up to twice
the job's own. `hand over` is what tasks do with their rows after the last operator: cutting them
into parts, taking them apart or keeping them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

Seconds = Mapping[str, float]  # by operator


def measured(frame: Any) -> pa.Table:
    """The seconds of each kind of operator in the second of two runs of a frame."""
    from plait import explain  # in plait's own process only

    inner = frame._frame  # users see this only as the text of `explain(analyze=True)`
    for _ in range(2):
        _, report = inner.runner.run(inner.plan)
    handed = sum(s.seconds - s.operators[0].seconds for s in report.stages if 0 in s.operators)
    found = [
        ("(wall)", report.planning + report.running),
        ("planning", report.planning),
        *explain.time_by_operator(report),
        ("hand over", max(0.0, handed)),
    ]
    return pa.table({"operator": [n for n, _ in found], "seconds": [s for _, s in found]})


def seconds_by_operator(answer: pa.Table) -> Seconds:
    """What `measured` gave, by name."""
    names, seconds = answer.column("operator"), answer.column("seconds")
    return dict(zip(names.to_pylist(), seconds.to_pylist(), strict=True))


def share(seconds: Seconds, operator: str) -> float:
    """Of one operator in all the work."""
    work = sum(s for name, s in _work(seconds))
    return seconds.get(operator, 0.0) / work if work else 0.0


def _work(seconds: Seconds) -> Iterator[tuple[str, float]]:
    return ((name, s) for name, s in seconds.items() if name != "(wall)")


def line(job: str, seconds: Seconds) -> str:
    """Milliseconds that the job took, then those of its operators, most first."""
    parts = [
        f"{name} {1000 * s:.0f}"
        for name, s in sorted(_work(seconds), key=lambda item: -item[1])
        if s >= 0.01 * seconds["(wall)"]
    ]
    return f"{job:4} {1000 * seconds['(wall)']:7.0f} ms: {', '.join(parts)}"
