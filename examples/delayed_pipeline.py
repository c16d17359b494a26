"""Plain Python functions as one graph: write, read and count files, then ask the best of them.

    python examples/delayed_pipeline.py

Draws the graph into a folder of its own and prints where.
"""

from __future__ import annotations

import csv
import random
import tempfile
from collections import Counter
from pathlib import Path

import plait


@plait.delayed(pure=True)
def make(folder: Path, month: int) -> Path:
    """A file of made-up trips."""
    numbers = random.Random(month)
    path = folder / f"trips-{month:02}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["zone", "tip"])
        rows.writerows([numbers.choice("ABCDE"), numbers.randint(0, 9)] for _ in range(1000))
    return path


@plait.delayed
def tips(path: Path) -> Counter[str]:
    """Tips by zone."""
    with path.open(newline="") as file:
        found: Counter[str] = Counter()
        for row in csv.DictReader(file):
            found[row["zone"]] += int(row["tip"])
        return found


@plait.delayed
def add(one: Counter[str], other: Counter[str]) -> Counter[str]:
    """Both together."""
    return one + other


def main() -> None:
    """Build the graph, draw it, run it; then the same question as a query."""
    folder = Path(tempfile.mkdtemp())
    files = [make(folder, month) for month in range(1, 9)]
    level = [tips(file) for file in files]
    while len(level) > 1:  # a tree, pair by pair
        level = [add(one, other) for one, other in zip(level[::2], level[1::2], strict=True)]
    best = level[0].most_common(1)[0]
    print("The graph:", best.visualize(str(folder / "graph.svg")))
    paths, (zone, total) = plait.compute(files, best)
    print(f"Zone {zone} got {total} in tips")

    trips = plait.read_csv([str(path) for path in paths])
    asked = trips.groupby("zone").tip.sum().nlargest(1).compute()
    assert (asked.index[0], asked.iloc[0]) == (zone, total)


if __name__ == "__main__":
    main()
