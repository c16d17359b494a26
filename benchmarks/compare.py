"""Two files of figures as a table; fails when something became more than 10 % slower.

    python -m benchmarks.compare before.json after.json

Only times of plait decide. A job that plait did before and does not do now is a failure too.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

# A difference below this is the clock's and the machine's, whatever its share.
NOISE_SECONDS = 0.002


def best_times(path: Path, name: str) -> dict[str, float | None]:
    """Best seconds of a contestant by job; None where it did not do the job."""
    results: dict[str, Any] = json.loads(path.read_text())["results"]
    return {job: row[name]["best"] for job, row in results.items() if name in row}


def compare(
    before: dict[str, float | None], after: dict[str, float | None], allowed: float
) -> tuple[str, list[str]]:
    """The table, and what is wrong."""
    width = max((len(job) for job in [*before, *after]), default=0)
    lines = [f"{'':{width}}{'before':>10}{'after':>10}{'ratio':>8}"]
    faults = []
    for job in dict.fromkeys([*before, *after]):
        old, new = before.get(job), after.get(job)
        ratio, mark = "", ""
        if old is not None and new is not None:
            ratio = f"{new / old:.2f}"
            if new > old * (1 + allowed) and new - old > NOISE_SECONDS:
                mark = "  slower"
                faults.append(f"{job} takes {ratio} times as long")
            elif new < old * (1 - allowed) and old - new > NOISE_SECONDS:
                mark = "  faster"
        elif old is not None:
            mark = "  lost"
            faults.append(f"{job} is not done any more")
        lines.append(f"{job:{width}}{_seconds(old)}{_seconds(new)}{ratio:>8}{mark}")

    shared = [(b, after[job]) for job, b in before.items() if b and after.get(job)]
    if shared:
        old, new = sum(b for b, _ in shared), sum(a for _, a in shared if a)
        lines.append(f"{'total':{width}}{_seconds(old)}{_seconds(new)}{new / old:8.2f}")
    return "\n".join(lines), faults


def _seconds(value: float | None) -> str:
    return f"{'-' if value is None else f'{value:.3f}':>10}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="compare two files of figures")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--contestant", default="plait")
    parser.add_argument("--allowed", type=float, default=10, help="percent slower")
    options = parser.parse_args(arguments)
    text, faults = compare(
        best_times(options.before, options.contestant),
        best_times(options.after, options.contestant),
        options.allowed / 100,
    )
    print(text)
    for fault in faults:
        print(f"- {fault}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
